//! A serprog programmer for SPI chips.
//!
//! The wire protocol is [`flashwire_protocol::serprog`]. Nothing is collected before it is used:
//! bytes of an O_SPIOP go to the bus as they come and come from the bus as they are sent, so its
//! lengths are limited by nothing here. Answers of commands that were sent in one go are packed
//! together.
//!
//! What is refused is swallowed whole, so that its data is not taken for commands. There is no
//! time-out between bytes: a host that was stopped for a minute goes on where it was, and what
//! would come after a time-out could be page data that looks like commands. Whoever owns the wire
//! calls [`reset`](Device::reset) when the port is opened or closed; on a wire that cannot tell, a
//! host fills a half-sent command up with NOPs, which as zeros make no length longer, and then asks
//! with SYNCNOPs.
//!
//! The buses that are not SPI, full duplex (S_SPI_MODE) and held chip selects (S_CS_MODE) are not
//! here: they are missing in the command map and refused.

mod answers;

use flashwire_protocol::crc32::Crc32;
use flashwire_protocol::serprog::extension::{
    CHECK_BYTES, Capabilities, LONGEST_RANGE_BYTES, Program, RECOVERY_SYNCNOPS, Range,
};
use flashwire_protocol::serprog::{
    ACK, BusTypes, CommandMap, INTERFACE_VERSION, NAK, Opcode, ProgrammerName, Request,
    SYNC_ANSWER, U24, WRITE_LIMIT_SLACK_BYTES,
};
use flashwire_protocol::spinor::{Head, PAGE_BYTES, instruction, status};

use crate::{Board, Device, Moment};
use answers::Answers;

/// The commands of every programmer made of this.
const COMMANDS: CommandMap = CommandMap::of(&[
    Opcode::Nop,
    Opcode::QIface,
    Opcode::QCmdMap,
    Opcode::QPgmName,
    Opcode::QSerBuf,
    Opcode::QBusType,
    Opcode::QWrnMaxLen,
    Opcode::SyncNop,
    Opcode::QRdnMaxLen,
    Opcode::SBusType,
    Opcode::OSpiOp,
    Opcode::SSpiFreq,
    Opcode::SPinState,
    Opcode::SSpiCs,
]);

/// How much of a range is read in one go, in bytes: long enough to keep the bus busy, short enough
/// to look after the wire in between.
const CHUNK_BYTES: usize = 64;

/// How much of a short answer is read in one go, in bytes: most are a status or an identification.
const SHORT_BYTES: usize = 8;

/// Longest head of an extension, in bytes.
const HEAD_BYTES: usize = Head::CAPACITY;

/// What a programmer says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its name.
    pub name: ProgrammerName,
    /// How much the host may send without waiting for answers, in bytes; 0xFFFF where the wire
    /// holds the host up by itself. Q_SERBUF.
    pub serial_buffer_bytes: u16,
    /// Most bytes that one O_SPIOP sends, up to [`U24::UNLIMITED`]; flashrom's five bytes more are
    /// taken too. Q_WRNMAXLEN.
    pub max_send_bytes: u32,
    /// Most bytes that one O_SPIOP receives, up to [`U24::UNLIMITED`]. Q_RDNMAXLEN.
    pub max_receive_bytes: u32,
    /// How many chip select lines the board has.
    pub chip_selects: u8,
    /// SPI clock until the host sets another one, in Hz.
    pub spi_hz: u32,
    /// Whether it has this project's extensions.
    pub extensions: bool,
}

impl Config {
    /// A programmer on a wire with flow control: no limits, one chip select, extensions.
    pub const fn unlimited(name: &str, spi_hz: u32) -> Self {
        Self {
            name: ProgrammerName::new(name),
            serial_buffer_bytes: u16::MAX,
            max_send_bytes: U24::UNLIMITED,
            max_receive_bytes: U24::UNLIMITED,
            chip_selects: 1,
            spi_hz,
            extensions: true,
        }
    }

    fn commands(&self) -> CommandMap {
        if self.extensions {
            COMMANDS
                .with(Opcode::XQuery)
                .with(Opcode::XCrc)
                .with(Opcode::XBlank)
                .with(Opcode::XProgram)
        } else {
            COMMANDS
        }
    }

    /// The command that a byte stands for here. One that is not in the map but in the document is
    /// known too: it has to be swallowed whole.
    fn opcode(&self, code: u8) -> Option<Opcode> {
        let opcode = Opcode::try_from(code).ok()?;
        (self.extensions || !opcode.is_extension()).then_some(opcode)
    }
}

/// What the bytes are that come next, or what is being done.
enum State {
    /// An opcode.
    Idle,
    /// Fields of a command.
    Fields {
        opcode: Opcode,
        fields: [u8; Request::LONGEST_FIELDS],
        filled: u8,
    },
    /// Data of a refused command; its NAK follows.
    Swallowing { left: u32 },
    /// Data of an O_SPIOP.
    Sending { left: u32, receive: u32 },
    /// An O_SPIOP answers.
    Receiving { left: u32 },
    /// The head of an X_CRC or X_BLANK.
    Head {
        measure: Measure,
        range: Range,
        filled: u8,
    },
    /// A range is being read.
    Measuring { measure: Measure, left: u32 },
    /// Head and data of an X_PROGRAM.
    Page {
        program: Program,
        filled: u16,
        check: Crc32,
    },
    /// The check value of an X_PROGRAM.
    Check {
        program: Program,
        computed: u32,
        received: [u8; CHECK_BYTES],
        filled: u8,
    },
    /// The chip has to become ready for the page of an X_PROGRAM.
    Waiting { page_bytes: u16, deadline: Moment },
    /// Nothing is believed until enough SYNCNOPs came in a row.
    Lost { syncnops: u8 },
}

/// What is found out about a range.
#[derive(Clone, Copy)]
enum Measure {
    /// Its CRC-32.
    Crc(Crc32),
    /// How many bytes from its start are blank.
    Blank(u32),
}

impl Measure {
    const fn value(self) -> u32 {
        match self {
            Self::Crc(crc) => crc.value(),
            Self::Blank(count) => count,
        }
    }
}

/// A serprog programmer: the device's side of the protocol on a board.
pub struct Programmer<B> {
    board: B,
    config: Config,
    state: State,
    answers: Answers,
    /// Head and data of an X_PROGRAM, head of an X_CRC or X_BLANK.
    page: [u8; HEAD_BYTES + PAGE_BYTES],
    line: u8,
    outputs_driven: bool,
    now: Moment,
}

impl<B: Board> Programmer<B> {
    /// A programmer on `board`, which sets the SPI clock and leaves the pins alone.
    pub fn new(mut board: B, config: Config) -> Self {
        board.set_clock(config.spi_hz);
        let now = board.now();
        Self {
            board,
            config,
            state: State::Idle,
            answers: Answers::new(),
            page: [0; HEAD_BYTES + PAGE_BYTES],
            line: 0,
            outputs_driven: false,
            now,
        }
    }

    /// The board.
    pub fn board(&self) -> &B {
        &self.board
    }

    /// The board, for its owner's own use between calls.
    pub fn board_mut(&mut self) -> &mut B {
        &mut self.board
    }

    /// Whether a byte begins a command that this programmer runs.
    pub(crate) fn begins_command(&self, code: u8) -> bool {
        Opcode::try_from(code).is_ok_and(|opcode| self.config.commands().has(opcode))
    }

    /// Whether a command is under way: its bytes are not complete or its answer is not fetched.
    pub fn is_busy(&self) -> bool {
        !matches!(self.state, State::Idle | State::Lost { .. })
    }

    /// Takes bytes from the front of `bytes` as the state wants them; returns how many. None means
    /// that nothing more can be taken now.
    fn advance(&mut self, bytes: &[u8]) -> usize {
        let Some((&first, _)) = bytes.split_first() else {
            return 0;
        };
        match &mut self.state {
            State::Idle => match self.config.opcode(first) {
                // Whatever a command answers at once must fit before it is begun.
                Some(opcode) if self.answers.room() > opcode.answer_bytes() => {
                    if opcode.field_bytes() == 0 {
                        self.execute(opcode, &[]);
                    } else {
                        self.state = State::Fields {
                            opcode,
                            fields: [0; Request::LONGEST_FIELDS],
                            filled: 0,
                        };
                    }
                    1
                }
                None if self.answers.room() > 0 => {
                    self.answers.push(NAK);
                    1
                }
                _ => 0,
            },
            State::Fields {
                opcode,
                fields,
                filled,
            } => {
                let field_bytes = opcode.field_bytes();
                if *filled == 0
                    && let Some(fields) = bytes.get(..usize::from(field_bytes))
                {
                    let opcode = *opcode;
                    self.execute(opcode, fields);
                    return fields.len();
                }
                let missing = fields.get_mut(usize::from(*filled)..usize::from(field_bytes));
                let taken = copy(missing.unwrap_or_default(), bytes);
                *filled += taken as u8;
                if *filled >= field_bytes {
                    let (opcode, fields) = (*opcode, *fields);
                    self.execute(opcode, &fields);
                }
                taken
            }
            State::Swallowing { left } => {
                let data = front(bytes, *left);
                *left -= data.len() as u32;
                if *left == 0 {
                    self.answer(NAK);
                }
                data.len()
            }
            State::Sending { left, receive } => {
                let data = front(bytes, *left);
                *left -= data.len() as u32;
                let (left, receive) = (*left, *receive);
                self.board.write(data);
                if left == 0 {
                    self.start_receiving(receive);
                }
                data.len()
            }
            State::Head {
                measure,
                range,
                filled,
            } => {
                let missing = usize::from(*filled)..usize::from(range.head_bytes);
                let missing = self.page.get_mut(missing).unwrap_or_default();
                let taken = copy(missing, bytes);
                *filled += taken as u8;
                if *filled >= range.head_bytes {
                    let (measure, range) = (*measure, *range);
                    self.start_measuring(measure, range);
                }
                taken
            }
            State::Page {
                program,
                filled,
                check,
            } => {
                let page_bytes = program.head_bytes as u16 + program.data_bytes;
                let data = front(bytes, u32::from(page_bytes.saturating_sub(*filled)));
                let missing = self.page.get_mut(usize::from(*filled)..);
                copy(missing.unwrap_or_default(), data);
                check.update(data);
                *filled += data.len() as u16;
                if *filled >= page_bytes {
                    self.state = State::Check {
                        program: *program,
                        computed: check.value(),
                        received: [0; CHECK_BYTES],
                        filled: 0,
                    };
                }
                data.len()
            }
            State::Check {
                program,
                computed,
                received,
                filled,
            } => {
                let missing = received.get_mut(usize::from(*filled)..);
                let taken = copy(missing.unwrap_or_default(), bytes);
                *filled += taken as u8;
                if usize::from(*filled) >= CHECK_BYTES {
                    let fits = u32::from_le_bytes(*received) == *computed;
                    let program = *program;
                    self.start_waiting(program, fits);
                }
                taken
            }
            State::Lost { .. } if self.answers.room() <= Opcode::SyncNop.answer_bytes() => 0,
            State::Lost { syncnops } => {
                *syncnops = if first == Opcode::SyncNop.code() {
                    syncnops.saturating_add(1)
                } else {
                    0
                };
                if *syncnops >= RECOVERY_SYNCNOPS {
                    self.execute(Opcode::SyncNop, &[]);
                }
                1
            }
            State::Receiving { .. } | State::Measuring { .. } | State::Waiting { .. } => 0,
        }
    }

    /// Begins a command whose fields are complete, and ends it if that is all.
    fn execute(&mut self, opcode: Opcode, fields: &[u8]) {
        let Some(request) = Request::decode(opcode, fields) else {
            return self.answer(NAK);
        };
        match request {
            Request::Nop => self.answer(ACK),
            Request::SyncNop => {
                self.answers.extend(&SYNC_ANSWER);
                self.state = State::Idle;
            }
            Request::QIface => self.answer_with(&INTERFACE_VERSION.to_le_bytes()),
            Request::QCmdMap => self.answer_with(self.config.commands().as_bytes()),
            Request::QPgmName => {
                let name = self.config.name;
                self.answer_with(name.as_bytes());
            }
            Request::QSerBuf => self.answer_with(&self.config.serial_buffer_bytes.to_le_bytes()),
            Request::QBusType => self.answer_with(&[BusTypes::SPI.bits()]),
            Request::QWrnMaxLen => {
                self.answer_with(&U24::from_limit(self.config.max_send_bytes).to_le_bytes());
            }
            Request::QRdnMaxLen => {
                self.answer_with(&U24::from_limit(self.config.max_receive_bytes).to_le_bytes());
            }
            Request::SBusType { buses } => self.answer(if buses.contains(BusTypes::SPI) {
                ACK
            } else {
                NAK
            }),
            Request::OSpiOp { send, receive } => self.start_sending(send.get(), receive.get()),
            Request::SSpiFreq { spi_hz: 0 } => self.answer(NAK),
            Request::SSpiFreq { spi_hz } => {
                let spi_hz = self.board.set_clock(spi_hz);
                self.answer_with(&spi_hz.to_le_bytes());
            }
            Request::SPinState { drive } => {
                self.drive_outputs(drive);
                self.answer(ACK);
            }
            Request::SSpiCs { line } if line < self.config.chip_selects => {
                self.line = line;
                self.answer(ACK);
            }
            Request::XQuery => {
                let capabilities = Capabilities {
                    head_bytes: HEAD_BYTES as u8,
                    data_bytes: PAGE_BYTES as u16,
                };
                self.answer_with(&capabilities.to_bytes());
            }
            Request::XCrc(range) => self.start_head(Measure::Crc(Crc32::new()), range),
            Request::XBlank(range) => self.start_head(Measure::Blank(0), range),
            Request::XProgram(program) => {
                let mut check = Crc32::new();
                check.update(&[opcode.code()]);
                check.update(front(fields, u32::from(opcode.field_bytes())));
                let head_bytes = usize::from(program.head_bytes);
                let data_bytes = usize::from(program.data_bytes);
                if (1..=HEAD_BYTES).contains(&head_bytes) && (1..=PAGE_BYTES).contains(&data_bytes)
                {
                    self.state = State::Page {
                        program,
                        filled: 0,
                        check,
                    };
                } else {
                    self.lose_track();
                }
            }
            refused => self.refuse(refused.data_bytes()),
        }
    }

    fn start_sending(&mut self, send: u32, receive: u32) {
        let max_send = self
            .config
            .max_send_bytes
            .saturating_add(WRITE_LIMIT_SLACK_BYTES);
        if send > max_send || receive > self.config.max_receive_bytes {
            return self.refuse(send);
        }
        self.drive_outputs(true);
        self.board.select(self.line);
        if send == 0 {
            self.start_receiving(receive);
        } else {
            self.state = State::Sending {
                left: send,
                receive,
            };
        }
    }

    fn start_receiving(&mut self, receive: u32) {
        self.answers.push(ACK);
        if receive > 0 {
            self.board.start_read(receive);
        }
        self.state = State::Receiving { left: receive };
        // Short answers are packed with those of the commands around them.
        if receive <= u32::from(self.answers.room()) {
            self.receive_into_answers(receive);
        }
    }

    fn receive_into_answers(&mut self, receive: u32) {
        let mut left = receive;
        while left > 0 {
            let mut chunk = [0; SHORT_BYTES];
            let chunk = front_mut(&mut chunk, left);
            self.board.finish_read(chunk);
            self.answers.extend(chunk);
            left -= chunk.len() as u32;
        }
        self.board.deselect();
        self.state = State::Idle;
    }

    /// Reads what is left of an O_SPIOP's answer into `out`, as far as it goes.
    fn receive_into(&mut self, out: &mut [u8]) -> usize {
        let State::Receiving { left } = &mut self.state else {
            return 0;
        };
        let out = front_mut(out, *left);
        *left -= out.len() as u32;
        let left = *left;
        self.board.finish_read(out);
        if left == 0 {
            self.board.deselect();
            self.state = State::Idle;
        }
        out.len()
    }

    fn start_head(&mut self, measure: Measure, range: Range) {
        let head_fits = (1..=HEAD_BYTES).contains(&usize::from(range.head_bytes));
        if head_fits && range.length.get() <= LONGEST_RANGE_BYTES {
            self.state = State::Head {
                measure,
                range,
                filled: 0,
            };
        } else {
            self.refuse(u32::from(range.head_bytes));
        }
    }

    fn start_measuring(&mut self, measure: Measure, range: Range) {
        // Only reads: a stream that lost a byte must not change the chip by this command.
        let reads = [
            instruction::READ,
            instruction::FAST_READ,
            instruction::READ_4B,
            instruction::FAST_READ_4B,
        ];
        let first = self.page.first();
        if !first.is_some_and(|first| reads.contains(first)) {
            return self.answer(NAK);
        }
        self.answers.push(ACK);
        self.drive_outputs(true);
        self.board.select(self.line);
        self.board
            .write(front(&self.page, u32::from(range.head_bytes)));
        let left = range.length.get();
        self.board.start_read(left);
        self.state = State::Measuring { measure, left };
    }

    /// Reads the next bit of a range; at its end answers what was found out.
    #[inline(never)]
    fn measure(&mut self) {
        let State::Measuring { measure, left } = &mut self.state else {
            return;
        };
        let mut chunk = [0; CHUNK_BYTES];
        let chunk = front_mut(&mut chunk, *left);
        *left -= chunk.len() as u32;
        self.board.finish_read(chunk);
        let mut done = *left == 0;
        match measure {
            Measure::Crc(crc) => crc.update(chunk),
            Measure::Blank(count) => {
                let blank = chunk.iter().take_while(|&&byte| byte == 0xFF).count();
                *count += blank as u32;
                done |= blank < chunk.len();
            }
        }
        if done {
            let value = measure.value();
            self.board.deselect();
            self.answers.extend(&value.to_le_bytes());
            self.state = State::Idle;
        }
    }

    fn start_waiting(&mut self, program: Program, check_fits: bool) {
        let programs = [instruction::PP, instruction::PP_4B];
        let first = self.page.first();
        if check_fits && first.is_some_and(|first| programs.contains(first)) {
            self.state = State::Waiting {
                page_bytes: u16::from(program.head_bytes) + program.data_bytes,
                deadline: self.board.now().plus_millis(program.wait_ms),
            };
            self.drive_outputs(true);
            self.try_program();
        } else {
            self.lose_track();
        }
    }

    /// Asks the chip whether it is ready, and if so programs the page.
    #[inline(never)]
    fn try_program(&mut self) {
        let State::Waiting {
            page_bytes,
            deadline,
        } = self.state
        else {
            return;
        };
        let board = &mut self.board;
        board.select(self.line);
        board.write(&[instruction::RDSR]);
        board.start_read(1);
        let mut status = [0; 1];
        board.finish_read(&mut status);
        board.deselect();
        if status[0] & status::WIP == 0 {
            board.select(self.line);
            board.write(&[instruction::WREN]);
            board.deselect();
            board.select(self.line);
            board.write(front(&self.page, u32::from(page_bytes)));
            board.deselect();
            self.answer(ACK);
        } else if board.now().has_reached(deadline) {
            self.lose_track();
        }
    }

    /// Goes on with what needs no bytes.
    #[inline(always)]
    fn work(&mut self) {
        match self.state {
            State::Measuring { .. } => self.measure(),
            State::Waiting { .. } => self.try_program(),
            _ => {}
        }
    }

    fn drive_outputs(&mut self, driven: bool) {
        if self.outputs_driven != driven {
            self.outputs_driven = driven;
            self.board.set_outputs(driven);
        }
    }

    /// Ends a command with one byte.
    fn answer(&mut self, byte: u8) {
        self.answers.push(byte);
        self.state = State::Idle;
    }

    /// Ends a command with ACK and data.
    fn answer_with(&mut self, data: &[u8]) {
        self.answers.push(ACK);
        self.answers.extend(data);
        self.state = State::Idle;
    }

    /// Refuses a command of which `data_bytes` are still to come.
    fn refuse(&mut self, data_bytes: u32) {
        if data_bytes == 0 {
            self.answer(NAK);
        } else {
            self.state = State::Swallowing { left: data_bytes };
        }
    }

    /// Refuses an X_PROGRAM and everything after it: see [`RECOVERY_SYNCNOPS`].
    fn lose_track(&mut self) {
        self.answers.push(NAK);
        self.state = State::Lost { syncnops: 0 };
    }
}

impl<B: Board> Device for Programmer<B> {
    fn receive(&mut self, now: Moment, bytes: &[u8]) -> usize {
        self.now = now;
        self.work();
        let mut rest = bytes;
        loop {
            let taken = self.advance(rest);
            if taken == 0 {
                return bytes.len() - rest.len();
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    fn transmit(&mut self, now: Moment, buffer: &mut [u8]) -> usize {
        self.now = now;
        self.work();
        let filled = self.answers.take(buffer);
        let spare = buffer.get_mut(filled..).unwrap_or_default();
        filled + self.receive_into(spare)
    }

    fn wake_up(&self) -> Option<Moment> {
        matches!(self.state, State::Measuring { .. } | State::Waiting { .. }).then_some(self.now)
    }

    fn reset(&mut self, now: Moment) {
        self.now = now;
        self.board.deselect();
        self.state = State::Idle;
        self.answers.clear();
        self.line = 0;
        self.board.set_clock(self.config.spi_hz);
        self.drive_outputs(false);
    }
}

/// The first `count` of `bytes`, or all of them if there are fewer.
fn front(bytes: &[u8], count: u32) -> &[u8] {
    // A `usize` has 16 bits on an AVR.
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    bytes.get(..count).unwrap_or(bytes)
}

/// As [`front`].
fn front_mut(bytes: &mut [u8], count: u32) -> &mut [u8] {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let count = bytes.len().min(count);
    bytes.get_mut(..count).unwrap_or_default()
}

/// Copies as many bytes as both have; returns how many.
fn copy(into: &mut [u8], from: &[u8]) -> usize {
    let mut copied = 0;
    for (slot, &byte) in into.iter_mut().zip(from) {
        *slot = byte;
        copied += 1;
    }
    copied
}
