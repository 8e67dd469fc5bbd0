//! Other people's serprog firmware, with the habits that set it apart.
//!
//! The habits are those of `serprog` firmwares in public repositories, read in their sources; each
//! is a field of [`Quirks`]. This is a second implementation of the protocol beside the one of
//! `flashwire-device` and shares nothing with it but the names of the opcodes.

use std::collections::VecDeque;

use flashwire_device::{Board, Device, Moment};
use flashwire_protocol::serprog::{
    ACK, BusTypes, CommandMap, NAK, Opcode, ProgrammerName, Request, SYNC_ANSWER, U24,
};

use super::SpiBoard;
use super::machine::Machine;
use super::models::{Model, Port};
use crate::{Complaint, ComplaintKind};

/// What sets a firmware apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// A packet holds an opcode or (part of) its parameters, never both: what follows an opcode in
    /// its packet is dropped, and so is what follows the parameters in theirs.
    pub one_command_a_packet: bool,
    /// Unknown opcodes get no answer; else NAK.
    pub ignores_unknown: bool,
    /// NOP gets no answer.
    pub ignores_nop: bool,
    /// S_BUSTYPE takes exactly SPI and nothing more.
    pub spi_bus_only: bool,
    /// An O_SPIOP that is too long is refused at once, and its data taken for commands.
    pub refuses_without_draining: bool,
    /// Q_WRNMAXLEN and Q_RDNMAXLEN, in bytes; `None` if it has neither.
    pub limit_bytes: Option<u32>,
    /// Q_RDNMAXLEN where it differs, in bytes.
    pub read_limit_bytes: Option<u32>,
    /// More than the limit overruns a buffer: it is dead until the power goes.
    pub crashes_beyond_limit: bool,
    /// Q_SERBUF; `None` for what its port suggests.
    pub serial_buffer_bytes: Option<u16>,
    /// It has S_SPI_FREQ.
    pub has_spi_freq: bool,
    /// It has S_PIN_STATE.
    pub has_pin_state: bool,
    /// It has an operation buffer, for O_DELAY.
    pub has_delays: bool,
}

impl Quirks {
    /// None of them.
    pub const NONE: Self = Self {
        one_command_a_packet: false,
        ignores_unknown: false,
        ignores_nop: false,
        spi_bus_only: false,
        refuses_without_draining: false,
        limit_bytes: None,
        read_limit_bytes: None,
        crashes_beyond_limit: false,
        serial_buffer_bytes: None,
        has_spi_freq: true,
        has_pin_state: false,
        has_delays: false,
    };
}

/// Somebody else's firmware on a board.
pub struct Foreign {
    board: SpiBoard,
    quirks: Quirks,
    name: ProgrammerName,
    commands: CommandMap,
    serial_buffer_bytes: u16,
    spi_hz: u32,
    /// The command that is coming in: opcode, then what came of fields and data.
    command: Vec<u8>,
    /// Bytes of a refused command that are still to be dropped before its NAK.
    draining: u32,
    /// Lengths of the packets whose bytes have not all been taken.
    packets: VecDeque<usize>,
    answers: VecDeque<u8>,
    /// Sum of the delays in the operation buffer, and when O_EXEC of them is over.
    delay_us: u32,
    delayed_until: Option<Moment>,
    is_dead: bool,
    complaints: Vec<Complaint>,
}

impl Foreign {
    pub(super) fn new(mut board: SpiBoard, model: &Model, quirks: Quirks) -> Self {
        let mut commands = CommandMap::of(&[
            Opcode::Nop,
            Opcode::QIface,
            Opcode::QCmdMap,
            Opcode::QPgmName,
            Opcode::QSerBuf,
            Opcode::QBusType,
            Opcode::SyncNop,
            Opcode::SBusType,
            Opcode::OSpiOp,
        ]);
        let also: [(bool, &[Opcode]); 4] = [
            (quirks.has_spi_freq, &[Opcode::SSpiFreq]),
            (quirks.has_pin_state, &[Opcode::SPinState]),
            (
                quirks.limit_bytes.is_some(),
                &[Opcode::QWrnMaxLen, Opcode::QRdnMaxLen],
            ),
            (
                quirks.has_delays,
                &[Opcode::QOpBuf, Opcode::OInit, Opcode::ODelay, Opcode::OExec],
            ),
        ];
        for (has, opcodes) in also {
            for &opcode in opcodes.iter().filter(|_| has) {
                commands = commands.with(opcode);
            }
        }
        board.set_clock(model.spi_hz);
        board.set_outputs(true);
        let suggested = match model.port {
            Port::Usb { .. } => u16::MAX,
            Port::Uart { ring_bytes, .. } => u16::try_from(ring_bytes - 4).unwrap_or(u16::MAX),
        };
        Self {
            board,
            quirks,
            name: ProgrammerName::new(model.programmer_name),
            commands,
            serial_buffer_bytes: quirks.serial_buffer_bytes.unwrap_or(suggested),
            spi_hz: model.spi_hz,
            command: Vec::new(),
            draining: 0,
            packets: VecDeque::new(),
            answers: VecDeque::new(),
            delay_us: 0,
            delayed_until: None,
            is_dead: false,
            complaints: Vec::new(),
        }
    }

    /// Takes one byte; whether it completed an opcode or a command.
    fn take(&mut self, byte: u8) -> bool {
        if self.draining > 0 {
            self.draining -= 1;
            if self.draining == 0 {
                self.answers.push_back(NAK);
            }
            return false;
        }
        self.command.push(byte);
        let Ok(opcode) = Opcode::try_from(self.command[0]) else {
            return self.refuse_unknown();
        };
        if !self.commands.has(opcode) {
            return self.refuse_unknown();
        }
        let Some(request) = Request::decode(opcode, &self.command[1..]) else {
            return self.command.len() == 1;
        };
        let whole = 1 + usize::from(opcode.field_bytes()) + request.data_bytes() as usize;
        if let Request::OSpiOp { send, receive } = request
            && self.is_too_long(send, receive)
        {
            return true;
        }
        if self.command.len() == whole {
            let command = std::mem::take(&mut self.command);
            let data = &command[1 + usize::from(opcode.field_bytes())..];
            self.run(request, data);
            return true;
        }
        self.command.len() == 1
    }

    fn refuse_unknown(&mut self) -> bool {
        self.command.clear();
        if !self.quirks.ignores_unknown {
            self.answers.push_back(NAK);
        }
        true
    }

    /// Refuses an O_SPIOP that is too long, in this firmware's way.
    fn is_too_long(&mut self, send: U24, receive: U24) -> bool {
        let limit = self.quirks.limit_bytes.unwrap_or(U24::UNLIMITED);
        let read_limit = self.quirks.read_limit_bytes.unwrap_or(limit);
        let (send, receive) = (send.get(), receive.get());
        if self.quirks.crashes_beyond_limit {
            if send > limit && self.command.len() as u32 > limit + 7 {
                self.is_dead = true;
                self.complaints.push(Complaint {
                    at: self.board.now(),
                    kind: ComplaintKind::Limit,
                    detail: format!("an O_SPIOP of {send} bytes overruns {limit}"),
                });
                return true;
            }
            return false;
        }
        if send <= limit && receive <= read_limit {
            return false;
        }
        self.command.clear();
        if self.quirks.refuses_without_draining || send == 0 {
            self.answers.push_back(NAK);
        } else {
            self.draining = send;
        }
        true
    }

    fn run(&mut self, request: Request, data: &[u8]) {
        let limit = self.quirks.limit_bytes.unwrap_or(U24::UNLIMITED);
        let read_limit = self.quirks.read_limit_bytes.unwrap_or(limit);
        match request {
            Request::Nop => {
                if !self.quirks.ignores_nop {
                    self.answers.push_back(ACK);
                }
            }
            Request::SyncNop => self.answers.extend(SYNC_ANSWER),
            Request::QIface => self.answers.extend([ACK, 1, 0]),
            Request::QCmdMap => {
                let commands = self.commands;
                self.acknowledge(commands.as_bytes());
            }
            Request::QPgmName => {
                let name = self.name;
                self.acknowledge(name.as_bytes());
            }
            Request::QSerBuf => self.acknowledge(&self.serial_buffer_bytes.to_le_bytes()),
            Request::QBusType => self.acknowledge(&[BusTypes::SPI.bits()]),
            Request::QOpBuf => self.acknowledge(&300u16.to_le_bytes()),
            Request::QWrnMaxLen => self.acknowledge(&U24::from_limit(limit).to_le_bytes()),
            Request::QRdnMaxLen => self.acknowledge(&U24::from_limit(read_limit).to_le_bytes()),
            Request::SBusType { buses } => {
                let takes = if self.quirks.spi_bus_only {
                    buses == BusTypes::SPI
                } else {
                    buses.contains(BusTypes::SPI)
                };
                self.answers.push_back(if takes { ACK } else { NAK });
            }
            Request::SSpiFreq { spi_hz: 0 } => self.answers.push_back(NAK),
            Request::SSpiFreq { spi_hz } => {
                let spi_hz = self.board.set_clock(spi_hz);
                self.acknowledge(&spi_hz.to_le_bytes());
            }
            Request::SPinState { drive } => {
                self.board.set_outputs(drive);
                self.acknowledge(&[]);
            }
            Request::OInit => {
                self.delay_us = 0;
                self.acknowledge(&[]);
            }
            Request::ODelay { delay_us } => {
                self.delay_us = self.delay_us.saturating_add(delay_us);
                self.acknowledge(&[]);
            }
            Request::OExec => {
                let delay_us = std::mem::take(&mut self.delay_us);
                self.delayed_until = Some(Board::now(&self.board).plus_micros(delay_us));
            }
            Request::OSpiOp { receive, .. } => {
                self.board.select(0);
                self.board.write(data);
                self.board.start_read(receive.get());
                let mut received = vec![0; receive.get() as usize];
                self.board.finish_read(&mut received);
                self.board.deselect();
                self.acknowledge(&received);
            }
            _ => self.answers.push_back(NAK),
        }
    }

    fn acknowledge(&mut self, data: &[u8]) {
        self.answers.push_back(ACK);
        self.answers.extend(data);
    }

    /// Ends a delay that is over.
    fn wait(&mut self, now: Moment) {
        if self
            .delayed_until
            .take_if(|until| now.has_reached(*until))
            .is_some()
        {
            self.answers.push_back(ACK);
        }
    }
}

impl Device for Foreign {
    fn receive(&mut self, now: Moment, bytes: &[u8]) -> usize {
        self.wait(now);
        if self.is_dead {
            return bytes.len();
        }
        // They answer one command before they look at the next.
        if !self.answers.is_empty() || self.delayed_until.is_some() {
            return 0;
        }
        let mut taken = 0;
        for &byte in bytes {
            taken += 1;
            let complete = self.take(byte);
            let rest = self.packets.front_mut();
            let packet_over = rest.is_none_or(|rest| {
                *rest = rest.saturating_sub(1);
                *rest == 0
            });
            if packet_over {
                self.packets.pop_front();
            } else if complete && self.quirks.one_command_a_packet {
                // The rest of the packet is never looked at.
                let dropped = self.packets.pop_front().unwrap_or(0);
                taken = (taken + dropped).min(bytes.len());
                break;
            }
            if complete && (!self.answers.is_empty() || self.is_dead) {
                break;
            }
        }
        taken
    }

    fn transmit(&mut self, now: Moment, buffer: &mut [u8]) -> usize {
        self.wait(now);
        let count = buffer.len().min(self.answers.len());
        for (slot, byte) in buffer.iter_mut().zip(self.answers.drain(..count)) {
            *slot = byte;
        }
        count
    }

    fn wake_up(&self) -> Option<Moment> {
        self.delayed_until
    }

    fn reset(&mut self, _now: Moment) {
        // None of them takes notice; a USB stack drops what it has not delivered.
        self.packets.clear();
        self.answers.clear();
    }
}

impl Machine for Foreign {
    fn board(&self) -> &SpiBoard {
        &self.board
    }

    fn board_mut(&mut self) -> &mut SpiBoard {
        &mut self.board
    }

    fn packet_begins(&mut self, length: usize) {
        self.packets.push_back(length);
    }

    fn revive(&mut self) {
        self.command.clear();
        self.draining = 0;
        self.delay_us = 0;
        self.delayed_until = None;
        self.is_dead = false;
        self.board.set_clock(self.spi_hz);
    }

    fn take_complaints(&mut self) -> Vec<Complaint> {
        std::mem::take(&mut self.complaints)
    }
}
