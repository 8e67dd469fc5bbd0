//! Endpoint 0: USB 2.0, chapter 9, and the requests of a serial port.

use stm32f1::stm32f103::USB;

use super::descriptors::{
    CONFIGURATION, CONFIGURATION_DESCRIPTOR, DEVICE, DEVICE_DESCRIPTOR, LANGUAGES, SERIAL_NUMBER,
    STRING, string,
};
use super::endpoint::{CTR_RX, CTR_TX, Endpoint, Kind, SETUP, Stat};
use super::packet_memory::{self, Slot};

const ENDPOINT: Endpoint = Endpoint::new(0);
const TX_START: u16 = 64;
const RX_START: u16 = 128;
/// bMaxPacketSize0.
const PACKET_BYTES: usize = 64;

/// The longest answer: the configuration descriptor.
const REPLY_BYTES: usize = CONFIGURATION_DESCRIPTOR.len();

/// dwDTERate, bCharFormat, bParityType, bDataBits: "PSTN Devices" 1.2, table 17.
const LINE_CODING_BYTES: usize = 7;

/// The unique device id: section 30.2.
const UNIQUE_ID: *const u8 = 0x1FFF_F7E8 as *const u8;
const UNIQUE_ID_BYTES: usize = 12;

/// What a request came to, if the port has to know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// SET_CONFIGURATION: whether there is one now.
    Configured(bool),
    /// SET_FEATURE or CLEAR_FEATURE(ENDPOINT_HALT) of an endpoint, by its address.
    Halted { address: u8, halted: bool },
    /// SET_INTERFACE: its endpoints begin anew.
    InterfaceSet(u8),
    /// DTR changed.
    Ready(bool),
}

/// Where a control transfer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    /// The reply goes out; `empty_end` if a packet must show that it ends early.
    Replying {
        sent: usize,
        empty_end: bool,
    },
    /// The reply is out; the host acknowledges it with an empty packet.
    Acknowledged,
    /// A line coding comes in.
    LineCoding,
    /// An empty packet of ours ends it.
    Ending,
}

/// Endpoint 0.
pub(super) struct Control {
    stage: Stage,
    reply: [u8; REPLY_BYTES],
    reply_bytes: usize,
    /// An address that is valid from the end of the transfer on.
    address: Option<u8>,
    configured: bool,
    ready: bool,
    line_coding: [u8; LINE_CODING_BYTES],
}

impl Control {
    pub(super) const fn new() -> Self {
        Self {
            stage: Stage::Idle,
            reply: [0; REPLY_BYTES],
            reply_bytes: 0,
            address: None,
            configured: false,
            ready: false,
            // 115200 8N1, for who asks; nothing depends on it.
            line_coding: [0x00, 0xC2, 0x01, 0x00, 0, 0, 8],
        }
    }

    /// After a reset of the bus.
    pub(super) fn begin(&mut self) {
        self.stage = Stage::Idle;
        self.address = None;
        self.configured = false;
        self.ready = false;
        packet_memory::set_buffer(ENDPOINT, Slot::Tx, TX_START);
        packet_memory::set_buffer(ENDPOINT, Slot::Rx, RX_START);
        packet_memory::set_room(ENDPOINT, Slot::Rx);
        ENDPOINT.begin(Kind::Control, Stat::Nak, Stat::Valid);
    }

    /// Goes on with what has come in or gone out.
    pub(super) fn poll(&mut self, usb: &USB) -> Option<Outcome> {
        let seen = ENDPOINT.read();
        if seen & CTR_TX != 0 {
            ENDPOINT.write(seen, CTR_TX, 0);
            self.sent(usb);
        }
        if seen & CTR_RX == 0 {
            return None;
        }
        let mut packet = [0; PACKET_BYTES];
        let count = packet_memory::count(ENDPOINT, Slot::Rx).min(PACKET_BYTES);
        packet_memory::read(RX_START, &mut packet, count);
        let packet = packet.get(..count).unwrap_or_default();
        // From here on the next SETUP may come in.
        ENDPOINT.write(seen, CTR_RX, 0);
        if seen & SETUP == 0 {
            self.received(packet);
            return None;
        }
        let setup = Setup::parse(packet)?;
        self.begin_transfer(&setup)
    }

    /// A packet of ours went out.
    fn sent(&mut self, usb: &USB) {
        match self.stage {
            Stage::Replying { sent, empty_end } => {
                if sent < self.reply_bytes || empty_end {
                    self.send_reply(sent);
                } else {
                    self.stage = Stage::Acknowledged;
                }
            }
            Stage::Ending => {
                self.stage = Stage::Idle;
                if let Some(address) = self.address.take() {
                    // SAFETY: seven bits of address; the host chose them.
                    usb.daddr()
                        .write(|w| unsafe { w.add().bits(address & 0x7F) }.ef().enabled());
                }
            }
            Stage::Idle | Stage::Acknowledged | Stage::LineCoding => {}
        }
    }

    /// A packet that is not a SETUP came in.
    fn received(&mut self, packet: &[u8]) {
        match (self.stage, <[u8; LINE_CODING_BYTES]>::try_from(packet)) {
            (Stage::LineCoding, Ok(line_coding)) => {
                self.line_coding = line_coding;
                self.end();
            }
            (Stage::LineCoding, Err(_)) => self.stall(),
            // The host ends the transfer, perhaps before it had all.
            _ => self.stage = Stage::Idle,
        }
        ENDPOINT.set_rx(Stat::Valid);
    }

    fn begin_transfer(&mut self, setup: &Setup) -> Option<Outcome> {
        self.stage = Stage::Idle;
        self.address = None;
        let outcome = match self.answer(setup) {
            Answer::Reply(bytes) => {
                self.reply_bytes = bytes.min(setup.length.into());
                let ends_early = self.reply_bytes < setup.length.into();
                let whole_packets = self.reply_bytes.is_multiple_of(PACKET_BYTES);
                self.stage = Stage::Replying {
                    sent: 0,
                    empty_end: ends_early && whole_packets,
                };
                self.send_reply(0);
                None
            }
            Answer::LineCoding => {
                self.stage = Stage::LineCoding;
                None
            }
            Answer::Done(outcome) => {
                self.end();
                outcome
            }
            Answer::Refused => {
                self.stall();
                None
            }
        };
        ENDPOINT.set_rx(Stat::Valid);
        outcome
    }

    /// Sends what comes at `start` of the reply.
    fn send_reply(&mut self, start: usize) {
        let end = self.reply_bytes.min(start + PACKET_BYTES);
        let packet = self.reply.get(start..end).unwrap_or_default();
        packet_memory::write(TX_START, packet);
        packet_memory::set_count(ENDPOINT, Slot::Tx, packet.len());
        if let Stage::Replying { sent, empty_end } = &mut self.stage {
            *sent = end;
            *empty_end &= packet.len() == PACKET_BYTES;
        }
        ENDPOINT.set_tx(Stat::Valid);
    }

    /// Ends a transfer without data to the host.
    fn end(&mut self) {
        self.stage = Stage::Ending;
        packet_memory::set_count(ENDPOINT, Slot::Tx, 0);
        ENDPOINT.set_tx(Stat::Valid);
    }

    /// Refuses a transfer, until the next SETUP.
    fn stall(&mut self) {
        self.stage = Stage::Idle;
        ENDPOINT.set_tx(Stat::Stall);
    }

    /// What a request is answered with. A reply is in place then.
    fn answer(&mut self, setup: &Setup) -> Answer {
        match (setup.request_type, setup.request) {
            (0x80, GET_DESCRIPTOR) => self.descriptor(setup.value),
            (0x80, GET_STATUS) => self.reply(&[0, 0]),
            (0x81, GET_STATUS) if self.has_interface(setup.index) => self.reply(&[0, 0]),
            (0x82, GET_STATUS) => match self.is_halted(setup.index) {
                Some(halted) => self.reply(&[halted.into(), 0]),
                None => Answer::Refused,
            },
            (0x00, SET_ADDRESS) => {
                self.address = Some(setup.value as u8);
                Answer::Done(None)
            }
            (0x80, GET_CONFIGURATION) => self.reply(&[self.configured.into()]),
            (0x00, SET_CONFIGURATION) if setup.value <= 1 => {
                self.configured = setup.value == 1;
                self.ready = false;
                Answer::Done(Some(Outcome::Configured(self.configured)))
            }
            (0x81, GET_INTERFACE) if self.has_interface(setup.index) => self.reply(&[0]),
            (0x01, SET_INTERFACE) if self.has_interface(setup.index) && setup.value == 0 => {
                Answer::Done(Some(Outcome::InterfaceSet(setup.index as u8)))
            }
            (0x02, SET_FEATURE | CLEAR_FEATURE) if setup.value == ENDPOINT_HALT => {
                self.halt(setup.index, setup.request == SET_FEATURE)
            }
            (0x21, SET_LINE_CODING) if usize::from(setup.length) == LINE_CODING_BYTES => {
                Answer::LineCoding
            }
            (0xA1, GET_LINE_CODING) => self.reply(&self.line_coding.clone()),
            (0x21, SET_CONTROL_LINE_STATE) => {
                let ready = setup.value & 1 != 0;
                let changed = self.configured && ready != self.ready;
                self.ready = ready;
                Answer::Done(changed.then_some(Outcome::Ready(ready)))
            }
            (0x21, SEND_BREAK) => Answer::Done(None),
            _ => Answer::Refused,
        }
    }

    /// Interfaces 0 and 1 are there in the one configuration.
    fn has_interface(&self, index: u16) -> bool {
        self.configured && index <= 1
    }

    /// Whether an endpoint is halted; None if there is no such endpoint now. Section 9.4.5 of USB 2.0.
    fn is_halted(&self, index: u16) -> Option<bool> {
        match index {
            0x00 | 0x80 => Some(false),
            0x01 | 0x82 | 0x83 if self.configured => Some(Endpoint::new(index as u8).is_halted()),
            _ => None,
        }
    }

    /// Endpoint 0 cannot be halted; to say that it is not does no harm.
    fn halt(&self, index: u16, halted: bool) -> Answer {
        match (self.is_halted(index), index & 0xF) {
            (None, _) => Answer::Refused,
            (_, 0) if halted => Answer::Refused,
            (_, 0) => Answer::Done(None),
            _ => Answer::Done(Some(Outcome::Halted {
                address: index as u8,
                halted,
            })),
        }
    }

    fn descriptor(&mut self, value: u16) -> Answer {
        let [index, kind] = value.to_le_bytes();
        match (kind, index) {
            (DEVICE, 0) => self.reply(&DEVICE_DESCRIPTOR),
            (CONFIGURATION, 0) => self.reply(&CONFIGURATION_DESCRIPTOR),
            (STRING, 0) => self.reply(&LANGUAGES),
            (STRING, SERIAL_NUMBER) => self.reply_with_text(serial_number()),
            (STRING, _) => match string(index) {
                Some(text) => self.reply_with_text(text.bytes()),
                None => Answer::Refused,
            },
            _ => Answer::Refused,
        }
    }

    fn reply(&mut self, bytes: &[u8]) -> Answer {
        let mut count = 0;
        for (slot, &byte) in self.reply.iter_mut().zip(bytes) {
            *slot = byte;
            count += 1;
        }
        Answer::Reply(count)
    }

    /// A string descriptor: UTF-16.
    fn reply_with_text(&mut self, text: impl Iterator<Item = u8>) -> Answer {
        let mut count = 2;
        for (slot, byte) in self
            .reply
            .as_chunks_mut::<2>()
            .0
            .iter_mut()
            .skip(1)
            .zip(text)
        {
            *slot = [byte, 0];
            count += 2;
        }
        if let Some(head) = self.reply.first_chunk_mut() {
            *head = [count as u8, STRING];
        }
        Answer::Reply(count)
    }
}

/// What a request is answered with.
enum Answer {
    /// So many bytes of the reply.
    Reply(usize),
    /// Seven bytes come first.
    LineCoding,
    Done(Option<Outcome>),
    Refused,
}

/// Standard requests: USB 2.0, table 9-4.
const GET_STATUS: u8 = 0;
const CLEAR_FEATURE: u8 = 1;
const SET_FEATURE: u8 = 3;
const SET_ADDRESS: u8 = 5;
const GET_DESCRIPTOR: u8 = 6;
const GET_CONFIGURATION: u8 = 8;
const SET_CONFIGURATION: u8 = 9;
const GET_INTERFACE: u8 = 10;
const SET_INTERFACE: u8 = 11;

/// Features: USB 2.0, table 9-6.
const ENDPOINT_HALT: u16 = 0;

/// Requests of a serial port: "PSTN Devices" 1.2, table 13.
const SET_LINE_CODING: u8 = 0x20;
const GET_LINE_CODING: u8 = 0x21;
const SET_CONTROL_LINE_STATE: u8 = 0x22;
const SEND_BREAK: u8 = 0x23;

/// A request: USB 2.0, table 9-2.
struct Setup {
    request_type: u8,
    request: u8,
    value: u16,
    index: u16,
    length: u16,
}

impl Setup {
    fn parse(packet: &[u8]) -> Option<Self> {
        let &[request_type, request, v0, v1, i0, i1, l0, l1] = packet else {
            return None;
        };
        Some(Self {
            request_type,
            request,
            value: u16::from_le_bytes([v0, v1]),
            index: u16::from_le_bytes([i0, i1]),
            length: u16::from_le_bytes([l0, l1]),
        })
    }
}

/// The chip's unique id in hexadecimal digits.
fn serial_number() -> impl Iterator<Item = u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    (0..UNIQUE_ID_BYTES).flat_map(|index| {
        // SAFETY: twelve bytes that every chip of the family has.
        let byte = unsafe { UNIQUE_ID.add(index).read() };
        [byte >> 4, byte & 15].map(|digit| DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0'))
    })
}
