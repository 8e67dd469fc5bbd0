//! Peripherals together, driven as a program drives them.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;

const RCC_AHBENR: u32 = 0x4002_1014;
const RCC_APB2ENR: u32 = 0x4002_1018;
const RCC_APB1ENR: u32 = 0x4002_101c;
const GPIOA_CRL: u32 = 0x4001_0800;
const GPIOA_BSRR: u32 = 0x4001_0810;
const SPI1: u32 = 0x4001_3000;
const DMA1: u32 = 0x4002_0000;

/// What a slave saw.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Select,
    Byte(u8),
    Deselect,
}

/// Answers each byte with its complement.
struct Mirror(Rc<RefCell<Vec<Seen>>>);

impl SpiSlave for Mirror {
    fn select(&mut self, _: Time) {
        self.0.borrow_mut().push(Seen::Select);
    }

    fn transfer(&mut self, byte: u8, _: u64, _: Time) -> u8 {
        self.0.borrow_mut().push(Seen::Byte(byte));
        !byte
    }

    fn deselect(&mut self, _: Time) {
        self.0.borrow_mut().push(Seen::Deselect);
    }
}

struct Rig {
    chip: Chip,
    now: Time,
    seen: Rc<RefCell<Vec<Seen>>>,
}

impl Rig {
    /// All clocks on, SPI1 on PA5 to PA7, PA4 high as chip select of a slave.
    fn new() -> Self {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let mut chip = Chip::new(Config::default());
        let slave = Box::new(Mirror(Rc::clone(&seen)));
        chip.attach_spi(SpiBus::Spi1, Pin::new(Port::A, 4), slave);
        let mut rig = Self {
            chip,
            now: Time::ZERO,
            seen,
        };
        rig.write(RCC_AHBENR, 0x55);
        rig.write(RCC_APB2ENR, 0x7e7d);
        rig.write(RCC_APB1ENR, 0x1ae6_4807);
        rig.write(GPIOA_BSRR, 1 << 4);
        rig.write(GPIOA_CRL, 0xb4b3_4444);
        rig.seen.borrow_mut().clear();
        rig
    }

    fn access(&self, address: u32, width: Width) -> Access {
        Access {
            address,
            width,
            now: self.now,
            pc: 0x0800_0100,
        }
    }

    fn write(&mut self, address: u32, value: u32) {
        let access = self.access(address, Width::Word);
        self.chip.write(access, value).expect("it can be written");
    }

    fn read(&mut self, address: u32) -> u32 {
        let access = self.access(address, Width::Word);
        self.chip.read(access).expect("it can be read")
    }

    /// Lets time pass, event by event.
    fn pass(&mut self, duration: Time) {
        let end = self.now + duration;
        while self.chip.signals().next_event <= end {
            self.now = self.chip.signals().next_event.max(self.now);
            self.chip.service(self.now).expect("it goes on");
        }
        self.now = end;
    }

    fn select(&mut self, low: bool) {
        self.write(GPIOA_BSRR, if low { 1 << 20 } else { 1 << 4 });
    }
}

#[test]
fn a_register_outside_the_model_stops_with_its_address() {
    let mut rig = Rig::new();
    let error = rig.chip.read(rig.access(0x4000_73fc, Width::Word));
    let Err(BusError::Halt(halt)) = error else {
        panic!("it is not known: {error:?}");
    };
    assert_eq!(
        *halt,
        Halt::UnknownRegister {
            pc: 0x0800_0100,
            address: 0x4000_73fc,
            block: "PWR",
            kind: AccessKind::Read
        }
    );
}

#[test]
fn a_peripheral_of_larger_parts_is_missed_in_those_alone() {
    let mut rig = Rig::new();
    // TIM5.
    let access = rig.access(0x4000_0c00, Width::Word);
    let error = rig.chip.read(access);
    assert!(matches!(error, Err(BusError::NoAnswer)));
    let mut large = Chip::new(Config {
        flash_bytes: 256 * 1024,
        ..Config::default()
    });
    for error in [large.read(access).err(), large.write(access, 1).err()] {
        let Some(BusError::Halt(halt)) = error else {
            panic!("it is not modelled: {error:?}");
        };
        assert!(
            halt.to_string().starts_with("TIM5 is not modelled"),
            "{halt}"
        );
    }
}

#[test]
fn a_pin_is_captured_where_the_remapping_says() {
    const AFIO_MAPR: u32 = 0x4001_0004;
    const TIM3: u32 = 0x4000_0400;
    let mut rig = Rig::new();
    rig.write(RCC_APB2ENR, 0x7f);
    rig.write(RCC_APB1ENR, 2);
    // Partial remap: channel 1 is PB4.
    rig.write(AFIO_MAPR, 2 << 10);
    for (register, value) in [(0x2c, 0xffff), (0x18, 1), (0x20, 1), (0, 1)] {
        rig.write(TIM3 + register, value);
    }
    for pin in [Pin::new(Port::A, 6), Pin::new(Port::B, 4)] {
        rig.pass(Time::MICROSECOND * 10);
        let now = rig.now;
        rig.chip.set_input(pin, Some(true), now);
    }
    // 8 MHz: the second pin, after twenty microseconds.
    assert_eq!(rig.read(TIM3 + 0x34), 160);
}

#[test]
fn nothing_answers_where_the_chip_has_nothing() {
    let mut rig = Rig::new();
    for address in [0x2000_5000, 0x6000_0000, 0x1fff_0000, 0x0802_0000] {
        let read = rig.chip.read(rig.access(address, Width::Word));
        assert!(matches!(read, Err(BusError::NoAnswer)), "{address:#x}");
    }
}

#[test]
fn a_block_without_a_clock_reads_zero_and_is_complained_of() {
    let mut rig = Rig::new();
    rig.write(RCC_APB2ENR, 0);
    assert_eq!(rig.read(GPIOA_CRL), 0);
    rig.write(GPIOA_CRL, 0);
    rig.write(RCC_APB2ENR, 0x7e7d);
    assert_eq!(rig.read(GPIOA_CRL), 0xb4b3_4444);
    let complaints = rig.chip.complaints();
    assert_eq!(complaints[0].text, "GPIOA was used while its clock was off");
    assert_eq!((complaints[0].pc, complaints[0].count), (0x0800_0100, 2));
}

#[test]
fn a_spi_byte_reaches_the_selected_slave_and_its_answer_comes_back() {
    let mut rig = Rig::new();
    rig.write(SPI1, 0x0344);
    rig.select(true);
    rig.write(SPI1 + 12, 0x9f);
    rig.pass(Time::from_micros(10));
    assert_eq!(rig.read(SPI1 + 12), 0x60);
    rig.select(false);
    rig.write(SPI1 + 12, 0x55);
    rig.pass(Time::from_micros(10));
    assert_eq!(rig.read(SPI1 + 12), 0xff, "nobody answers");
    assert_eq!(
        *rig.seen.borrow(),
        [Seen::Select, Seen::Byte(0x9f), Seen::Deselect]
    );
    assert_eq!(rig.chip.complaints(), []);
}

#[test]
fn the_slave_sees_nothing_while_the_pins_are_not_the_spis() {
    let mut rig = Rig::new();
    rig.write(GPIOA_CRL, 0x3443_4444);
    rig.write(SPI1, 0x0344);
    rig.select(true);
    rig.write(SPI1 + 12, 0x9f);
    rig.pass(Time::from_micros(10));
    assert_eq!(rig.read(SPI1 + 12), 0xff);
    assert_eq!(*rig.seen.borrow(), [Seen::Select]);
    assert_eq!(rig.chip.complaints().len(), 1);
}

#[test]
fn chip_select_that_rises_in_the_middle_of_a_word_is_complained_of() {
    let mut rig = Rig::new();
    rig.write(SPI1, 0x0344);
    rig.select(true);
    rig.write(SPI1 + 12, 0x9f);
    rig.select(false);
    assert_eq!(rig.chip.complaints().len(), 1);
    assert_eq!(*rig.seen.borrow(), [Seen::Select, Seen::Deselect]);
}

#[test]
fn a_chip_select_that_nobody_drives_is_high() {
    let mut rig = Rig::new();
    rig.select(true);
    rig.write(GPIOA_CRL, 0xb4b4_4444);
    assert_eq!(*rig.seen.borrow(), [Seen::Select, Seen::Deselect]);
}

#[test]
fn two_dma_channels_move_a_block_through_the_spi_at_its_full_speed() {
    let mut rig = Rig::new();
    let data: Vec<u8> = (0..100).collect();
    rig.chip.sram_mut()[..100].copy_from_slice(&data);
    rig.write(SPI1 + 4, 3);
    rig.write(SPI1, 0x0344);
    rig.select(true);
    // Channel 2 receives to 0x2000_0100, channel 3 sends from 0x2000_0000.
    for (register, value) in [
        (0x20, 100),
        (0x24, SPI1 + 12),
        (0x28, SRAM_BASE + 0x100),
        (0x1c, 0x83),
        (0x34, 100),
        (0x38, SPI1 + 12),
        (0x3c, SRAM_BASE),
        (0x30, 0x91),
    ] {
        rig.write(DMA1 + register, value);
    }
    let began = rig.now;
    while rig.read(DMA1) & 0x20 == 0 && rig.now < Time::from_millis(1) {
        rig.pass(Time::from_nanos(100));
    }
    let answer: Vec<u8> = data.iter().map(|byte| !byte).collect();
    assert_eq!(rig.chip.sram()[0x100..0x164], answer);
    // 8 MHz / 2: two microseconds a byte, back to back.
    let took = rig.now.saturating_sub(began).as_duration();
    assert!((200_000..200_200).contains(&took.as_nanos()), "{took:?}");
    assert_eq!(rig.chip.signals().interrupts, 1 << 12, "DMA1 channel 2");
    assert_eq!(rig.chip.complaints(), []);
}

#[test]
fn a_memory_copy_needs_no_request() {
    let mut rig = Rig::new();
    rig.chip.sram_mut()[..8].copy_from_slice(b"flashing");
    for (register, value) in [
        (0x0c, 2),
        (0x10, SRAM_BASE),
        (0x14, SRAM_BASE + 0x40),
        // MEM2MEM, words, both addresses count up, from "peripheral" to memory.
        (0x08, 0x4ac1),
    ] {
        rig.write(DMA1 + register, value);
    }
    assert_eq!(&rig.chip.sram()[0x40..0x48], b"flashing");
}

#[test]
fn a_byte_written_to_an_apb_register_fills_all_its_lanes() {
    let mut rig = Rig::new();
    let access = rig.access(GPIOA_CRL, Width::Byte);
    rig.chip.write(access, 0x44).unwrap();
    assert_eq!(rig.read(GPIOA_CRL), 0x4444_4444);
    // RCC is on AHB.
    let access = rig.access(RCC_APB2ENR, Width::Byte);
    rig.chip.write(access, 0x04).unwrap();
    assert_eq!(rig.read(RCC_APB2ENR), 0x7e04);
}

#[test]
fn packet_memory_has_a_half_word_in_every_word() {
    let mut rig = Rig::new();
    rig.write(0x4000_6004, 0xffff_1234);
    assert_eq!(rig.read(0x4000_6004), 0x1234);
    assert_eq!(rig.chip.usb.memory.half(2), 0x1234);
}

#[test]
fn a_watched_pin_tells_what_happened_when() {
    let mut rig = Rig::new();
    let pin = Pin::new(Port::A, 4);
    rig.chip.watch(pin, rig.now);
    rig.pass(Time::from_micros(5));
    rig.select(true);
    let drives: Vec<Drive> = rig.chip.transitions(pin).iter().map(|t| t.drive).collect();
    assert_eq!(drives, [Drive::Push(true), Drive::Push(false)]);
    assert_eq!(rig.chip.transitions(pin)[1].at, Time::from_micros(5));
}

#[test]
fn a_low_dp_pin_detaches_the_usb() {
    let mut rig = Rig::new();
    assert!(rig.chip.usb_is_attached());
    // PA12 as an output, low.
    rig.write(0x4001_0804, 0x4443_4444);
    assert!(!rig.chip.usb_is_attached());
    // The transceiver takes the pin.
    rig.write(0x4000_5c40, 1);
    assert!(rig.chip.usb_is_attached());
}

#[test]
fn a_peripheral_reset_forgets_its_registers() {
    let mut rig = Rig::new();
    rig.write(SPI1, 0x0344);
    rig.write(0x4002_100c, 1 << 12);
    rig.write(0x4002_100c, 0);
    assert_eq!(rig.read(SPI1), 0);
    assert_eq!(rig.read(SPI1 + 8), 2);
}

#[test]
fn the_independent_watchdog_asks_for_a_reset() {
    let mut rig = Rig::new();
    rig.write(0x4000_3000, 0xcccc);
    rig.pass(Time::from_millis(500));
    assert!(rig.chip.signals().reset);
    rig.chip.reset(ResetCause::IndependentWatchdog, rig.now);
    assert!(!rig.chip.signals().reset);
    assert_eq!(rig.read(0x4002_1024) >> 29 & 1, 1);
}
