//! A CDC-ACM port that sends back what it receives, packet by packet, single-buffered and without an
//! interrupt handler. What the USB's faults are tested with: every byte that the device acknowledged
//! comes back once, whatever happens on the cable.
//!
//! While the bus is suspended the core stops all clocks (SCR.SLEEPDEEP) and sets them up again.
//! RM0008 rev 21, chapter 23; USB 2.0, chapter 9; "PSTN Devices" 1.2.

#![no_std]
#![no_main]

use guests::{RCC_APB1ENR, Register, Vectors, use_crystal};

#[used]
#[unsafe(link_section = ".vectors")]
static VECTORS: Vectors = Vectors::new(reset);

const USB_CNTR: Register = Register(0x4000_5c40);
const USB_ISTR: Register = Register(0x4000_5c44);
const USB_DADDR: Register = Register(0x4000_5c4c);
const USB_BTABLE: Register = Register(0x4000_5c50);
const EXTI_IMR: Register = Register(0x4001_0400);
const EXTI_RTSR: Register = Register(0x4001_0408);
const EXTI_PR: Register = Register(0x4001_0414);
const PWR_CR: Register = Register(0x4000_7000);
const SCB_SCR: Register = Register(0xe000_ed10);
const NVIC_ISER0: Register = Register(0xe000_e100);
const NVIC_ISER1: Register = Register(0xe000_e104);
const NVIC_ICPR0: Register = Register(0xe000_e280);
const NVIC_ICPR1: Register = Register(0xe000_e284);

/// USB_CNTR and USB_ISTR: section 23.5.1.
const FSUSP: u32 = 1 << 3;
const RESET: u32 = 1 << 10;
const SUSPEND: u32 = 1 << 11;
const WAKE_UP: u32 = 1 << 12;
const TRANSFER: u32 = 1 << 15;
/// The interrupt of USB and CAN.
const USB_LINE: u32 = 20;
/// EXTI 18 and its interrupt.
const WAKE_UP_EDGE: u32 = 1 << 18;
const WAKE_UP_LINE: u32 = 42;

/// USB_EPnR: section 23.5.2.
const CTR_RX: u32 = 1 << 15;
const SETUP: u32 = 1 << 11;
const CTR_TX: u32 = 1 << 7;
/// The bits that are written as they are.
const PLAIN: u32 = 0x070f;
const STALL: u32 = 1;
const NAK: u32 = 2;
const VALID: u32 = 3;

/// Endpoint 0, the data endpoints, and the one that nothing is ever said on.
const CONTROL: u32 = 0;
const OUT: u32 = 1;
const IN: u32 = 2;
const NOTIFY: u32 = 3;
const PACKET: usize = 64;

/// Where buffers lie in the packet memory, in bytes.
const CONTROL_TX: u32 = 0x40;
const CONTROL_RX: u32 = 0x80;
const OUT_RX: u32 = 0xc0;
const IN_TX: u32 = 0x100;
const NOTIFY_TX: u32 = 0x140;
/// COUNTn_RX of a buffer of 64 bytes: section 23.5.3.
const COUNT_64: u32 = 1 << 15 | 1 << 10;

const DEVICE: [u8; 18] = [
    18, 1, 0, 2, 2, 0, 0, 64, 0x09, 0x12, 0x01, 0x00, 0, 1, 1, 2, 3, 1,
];
const CONFIGURATION: [u8; 67] = [
    9, 2, 67, 0, 2, 1, 0, 0x80, 50, // configuration
    9, 4, 0, 0, 1, 2, 2, 1, 0, // communication interface
    5, 0x24, 0, 0x10, 1, // header
    5, 0x24, 1, 0, 1, // call management
    4, 0x24, 2, 2, // abstract control: line coding and state
    5, 0x24, 6, 0, 1, // union
    7, 5, 0x83, 3, 8, 0, 255, // notifications
    9, 4, 1, 0, 2, 10, 0, 0, 0, // data interface
    7, 5, 0x01, 2, 64, 0, 0, // out
    7, 5, 0x82, 2, 64, 0, 0, // in
];
const STRINGS: [&[u8]; 4] = [
    &[4, 3, 9, 4],
    &[12, 3, b'g', 0, b'u', 0, b'e', 0, b's', 0, b't', 0],
    &[10, 3, b'e', 0, b'c', 0, b'h', 0, b'o', 0],
    &[8, 3, b'0', 0, b'0', 0, b'1', 0],
];

fn endpoint(number: u32) -> Register {
    Register(0x4000_5c00 + 4 * number)
}

/// A half-word of the packet memory.
fn memory(offset: u32) -> Register {
    Register(0x4000_6000 + 2 * offset)
}

/// Sets the state of one direction: writing 1 to a bit of it toggles the bit.
fn set_state(number: u32, shift: u32, state: u32) {
    let bits = endpoint(number).read();
    let toggles = (bits ^ state << shift) & 3 << shift;
    endpoint(number).write(bits & PLAIN | CTR_RX | CTR_TX | toggles);
}

fn set_tx(number: u32, state: u32) {
    set_state(number, 4, state);
}

fn set_rx(number: u32, state: u32) {
    set_state(number, 12, state);
}

/// Hands a packet to the peripheral.
fn send(number: u32, buffer: u32, bytes: &[u8]) {
    for (index, pair) in (0..).zip(bytes.chunks(2)) {
        let high = pair.get(1).copied().unwrap_or(0);
        memory(buffer + 2 * index).write(u32::from(pair[0]) | u32::from(high) << 8);
    }
    memory(8 * number + 2).write(bytes.len() as u32);
    set_tx(number, VALID);
}

/// Copies a received packet; how long it is.
fn receive(number: u32, buffer: u32, bytes: &mut [u8; PACKET]) -> usize {
    let count = (memory(8 * number + 6).read() & 0x3ff) as usize;
    for (index, pair) in (0..).zip(bytes.chunks_mut(2)) {
        let word = memory(buffer + 2 * index).read();
        pair[0] = word as u8;
        if let Some(high) = pair.get_mut(1) {
            *high = (word >> 8) as u8;
        }
    }
    count.min(PACKET)
}

/// What is under way on endpoint 0.
#[derive(Clone, Copy)]
enum Stage {
    Idle,
    /// This is left to send, and perhaps an empty packet after it.
    Data(&'static [u8], bool),
    /// Data comes, which nobody wants.
    Take,
    /// The last packet is under way; then the device has this address.
    Status(u32),
}

struct Echo {
    stage: Stage,
    line_coding: &'static [u8],
    configured: bool,
    /// An empty packet has to follow, because a full one was the last.
    owes_end: bool,
}

#[unsafe(no_mangle)]
extern "C" fn reset() -> ! {
    use_crystal();
    // USB and PWR.
    RCC_APB1ENR.change(0, 1 << 23 | 1 << 28);
    // The transceiver needs a microsecond (section 23.4.2).
    USB_CNTR.write(1);
    for _ in 0..72 {
        core::hint::spin_loop();
    }
    USB_CNTR.write(0);
    USB_ISTR.write(0);
    EXTI_RTSR.change(0, WAKE_UP_EDGE);
    EXTI_IMR.change(0, WAKE_UP_EDGE);
    // What is pending wakes the core; no interrupt is taken.
    // SAFETY: it masks interrupts, and nothing else.
    unsafe { core::arch::asm!("cpsid i") };
    NVIC_ISER0.write(1 << USB_LINE);
    NVIC_ISER1.write(1 << (WAKE_UP_LINE - 32));
    USB_CNTR.write(RESET | SUSPEND | WAKE_UP | TRANSFER);
    let mut echo = Echo {
        stage: Stage::Idle,
        line_coding: &[0x80, 0x25, 0, 0, 0, 0, 8],
        configured: false,
        owes_end: false,
    };
    loop {
        wait_for_interrupt();
        NVIC_ICPR0.write(1 << USB_LINE);
        echo.look();
    }
}

fn wait_for_interrupt() {
    // SAFETY: the core sleeps until something is pending, and nothing else.
    unsafe { core::arch::asm!("wfi") };
}

impl Echo {
    fn look(&mut self) {
        let status = USB_ISTR.read();
        if status & RESET != 0 {
            USB_ISTR.write(!RESET);
            self.begin();
            return;
        }
        if status & TRANSFER != 0 {
            match status & 0xf {
                CONTROL => self.control(),
                OUT => self.received(),
                IN => self.sent(),
                number => endpoint(number).write(endpoint(number).read() & PLAIN),
            }
        }
        if status & WAKE_UP != 0 {
            USB_CNTR.change(FSUSP, 0);
            USB_ISTR.write(!WAKE_UP);
        }
        if status & SUSPEND != 0 {
            USB_ISTR.write(!SUSPEND);
            USB_CNTR.change(0, FSUSP);
            stop();
        }
    }

    /// After a reset of the bus.
    fn begin(&mut self) {
        self.stage = Stage::Idle;
        self.configured = false;
        self.owes_end = false;
        USB_BTABLE.write(0);
        memory(0).write(CONTROL_TX);
        memory(4).write(CONTROL_RX);
        memory(6).write(COUNT_64);
        memory(8 * OUT + 4).write(OUT_RX);
        memory(8 * OUT + 6).write(COUNT_64);
        memory(8 * IN).write(IN_TX);
        memory(8 * NOTIFY).write(NOTIFY_TX);
        // Control; bulk; bulk; interrupt.
        endpoint(CONTROL).write(1 << 9 | CONTROL);
        endpoint(OUT).write(OUT);
        endpoint(IN).write(IN);
        endpoint(NOTIFY).write(3 << 9 | NOTIFY);
        set_tx(CONTROL, NAK);
        set_rx(CONTROL, VALID);
        USB_DADDR.write(1 << 7);
    }

    fn control(&mut self) {
        let bits = endpoint(CONTROL).read();
        if bits & CTR_TX != 0 {
            endpoint(CONTROL).write(bits & PLAIN | CTR_RX);
            self.control_sent();
        }
        if bits & CTR_RX != 0 {
            let mut packet = [0; PACKET];
            let count = receive(CONTROL, CONTROL_RX, &mut packet);
            endpoint(CONTROL).write(bits & PLAIN | CTR_TX);
            if bits & SETUP != 0 && count == 8 {
                self.setup(&packet);
            } else if matches!(self.stage, Stage::Take) {
                self.finish(0);
            }
            set_rx(CONTROL, VALID);
        }
    }

    fn control_sent(&mut self) {
        match self.stage {
            Stage::Data(rest, ends_empty) => self.send_part(rest, ends_empty),
            Stage::Status(address) if address != 0 => {
                USB_DADDR.write(1 << 7 | address);
                self.stage = Stage::Idle;
            }
            _ => self.stage = Stage::Idle,
        }
    }

    /// Sends the status packet.
    fn finish(&mut self, address: u32) {
        self.stage = Stage::Status(address);
        send(CONTROL, CONTROL_TX, &[]);
    }

    fn answer(&mut self, bytes: &'static [u8], wanted: usize) {
        let bytes = &bytes[..bytes.len().min(wanted)];
        let ends_empty = bytes.len() < wanted && bytes.len().is_multiple_of(PACKET);
        self.send_part(bytes, ends_empty);
    }

    fn send_part(&mut self, bytes: &'static [u8], ends_empty: bool) {
        if bytes.is_empty() && !ends_empty {
            self.stage = Stage::Idle;
            return;
        }
        let (part, rest) = bytes.split_at(bytes.len().min(PACKET));
        self.stage = Stage::Data(rest, ends_empty && !part.is_empty());
        send(CONTROL, CONTROL_TX, part);
    }

    fn setup(&mut self, packet: &[u8; PACKET]) {
        let [kind, request, low, high, index, _, length, length_high, ..] = *packet;
        let wanted = usize::from(length) | usize::from(length_high) << 8;
        match (kind, request) {
            // GET_DESCRIPTOR
            (0x80, 6) => match high {
                1 => self.answer(&DEVICE, wanted),
                2 => self.answer(&CONFIGURATION, wanted),
                3 if usize::from(low) < STRINGS.len() => {
                    self.answer(STRINGS[usize::from(low)], wanted);
                }
                _ => refuse(),
            },
            // SET_ADDRESS
            (0, 5) => self.finish(low.into()),
            // SET_CONFIGURATION
            (0, 9) => {
                self.configure();
                self.finish(0);
            }
            // GET_STATUS
            (0x80..=0x82, 0) => self.answer(&[0, 0], wanted),
            // CLEAR_FEATURE(ENDPOINT_HALT): both ends begin with DATA0 again.
            (2, 1) => {
                clear_toggle(index);
                self.finish(0);
            }
            (2, 3) | (0x21, 0x22) => self.finish(0),
            // SET_LINE_CODING, GET_LINE_CODING
            (0x21, 0x20) => self.stage = Stage::Take,
            (0xa1, 0x21) => self.answer(self.line_coding, wanted),
            _ => refuse(),
        }
    }

    fn configure(&mut self) {
        self.configured = true;
        self.owes_end = false;
        clear_toggle(0x01);
        clear_toggle(0x82);
        set_tx(NOTIFY, NAK);
        set_tx(IN, NAK);
        set_rx(OUT, VALID);
    }

    /// A packet came; the next one may when this one is back.
    fn received(&mut self) {
        let bits = endpoint(OUT).read();
        let mut packet = [0; PACKET];
        let count = receive(OUT, OUT_RX, &mut packet);
        endpoint(OUT).write(bits & PLAIN | CTR_TX);
        if count == 0 {
            set_rx(OUT, VALID);
            return;
        }
        self.owes_end = count == PACKET;
        send(IN, IN_TX, &packet[..count]);
    }

    fn sent(&mut self) {
        let bits = endpoint(IN).read();
        endpoint(IN).write(bits & PLAIN | CTR_RX);
        if core::mem::take(&mut self.owes_end) {
            send(IN, IN_TX, &[]);
        } else {
            set_rx(OUT, VALID);
        }
    }
}

fn refuse() {
    set_tx(CONTROL, STALL);
}

/// Makes the next packet of an endpoint DATA0.
fn clear_toggle(address: u8) {
    let number = u32::from(address & 15);
    let toggle = if address & 0x80 == 0 { 1 << 14 } else { 1 << 6 };
    let bits = endpoint(number).read();
    endpoint(number).write(bits & (PLAIN | toggle) | CTR_RX | CTR_TX);
}

/// Stop mode until the bus wakes; then the clocks have to be set up again.
fn stop() {
    PWR_CR.change(3, 1);
    SCB_SCR.change(0, 1 << 2);
    wait_for_interrupt();
    SCB_SCR.change(1 << 2, 0);
    use_crystal();
    EXTI_PR.write(WAKE_UP_EDGE);
    NVIC_ICPR1.write(1 << (WAKE_UP_LINE - 32));
}
