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
mod packets;

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
static COMMANDS: CommandMap = CommandMap::of(&[
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

/// Those of one that has this project's extensions.
static EXTENDED_COMMANDS: CommandMap = COMMANDS
    .with(Opcode::XQuery)
    .with(Opcode::XCrc)
    .with(Opcode::XBlank)
    .with(Opcode::XProgram);

/// How much of a range is read in one go, in bytes: long enough to keep the bus busy, short enough
/// to look after the wire in between.
const CHUNK_BYTES: u32 = 64;

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

    fn commands(&self) -> &'static CommandMap {
        if self.extensions {
            &EXTENDED_COMMANDS
        } else {
            &COMMANDS
        }
    }

    /// The command that a byte stands for here. One that is not in the map but in the document is
    /// known too: it has to be swallowed whole.
    fn opcode(&self, code: u8) -> Option<Opcode> {
        let opcode = Opcode::try_from(code).ok()?;
        (self.extensions || !opcode.is_extension()).then_some(opcode)
    }
}

/// What the bytes are that come next, or what is being done. How many of them or how much of it is
/// left is in [`Programmer::left`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// An opcode.
    Idle,
    /// Fields of a command.
    Fields,
    /// Data of a refused command; its NAK follows.
    Swallowing,
    /// Data of an O_SPIOP.
    Sending,
    /// An O_SPIOP answers.
    Receiving,
    /// The head of an X_CRC or X_BLANK.
    Head,
    /// A range is being read.
    Measuring,
    /// Head, data and check value of an X_PROGRAM.
    Page,
    /// The chip has to become ready for the page of an X_PROGRAM.
    Waiting,
    /// Nothing is believed until enough SYNCNOPs came in a row.
    Lost,
}

/// A serprog programmer: the device's side of the protocol on a board.
///
/// What belongs to a command lies side by side and not in the variants of its state: an AVR would
/// spend a third more code on moving it in and out.
pub struct Programmer<B> {
    state: State,
    /// The command under way.
    opcode: Opcode,
    /// How many SYNCNOPs came in a row, while lost.
    syncnops: u8,
    line: u8,
    outputs_driven: bool,
    /// How many bytes are gathered.
    filled: u16,
    /// Length of head and data of the X_PROGRAM under way, in bytes.
    page_bytes: u16,
    /// How many bytes are missing, to come from or to go to the host, or to be measured.
    left: u32,
    /// How many bytes the O_SPIOP under way receives; of a range, how many were blank so far.
    count: u32,
    /// Of an X_PROGRAM from its opcode on, or of a range.
    crc: Crc32,
    /// Until when the chip has to be ready.
    deadline: Moment,
    board: B,
    config: Config,
    answers: Answers,
    /// Fields; head of an X_CRC or X_BLANK, then the bytes that are measured; head, data and check
    /// value of an X_PROGRAM.
    gathered: [u8; HEAD_BYTES + PAGE_BYTES + CHECK_BYTES],
}

impl<B: Board> Programmer<B> {
    /// A programmer on `board`, which sets the SPI clock and leaves the pins alone.
    pub fn new(mut board: B, config: Config) -> Self {
        board.set_clock(config.spi_hz);
        Self {
            state: State::Idle,
            opcode: Opcode::Nop,
            syncnops: 0,
            line: 0,
            outputs_driven: false,
            filled: 0,
            page_bytes: 0,
            left: 0,
            count: 0,
            crc: Crc32::new(),
            deadline: Moment::default(),
            board,
            config,
            answers: Answers::new(),
            gathered: [0; HEAD_BYTES + PAGE_BYTES + CHECK_BYTES],
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
        self.config.commands().has_code(code)
    }

    /// The board, and memory for a page, which serprog does not use between commands.
    pub(crate) fn board_and_page(&mut self) -> (&mut B, &mut [u8]) {
        let page = front_mut(&mut self.gathered, PAGE_BYTES as u32);
        (&mut self.board, page)
    }

    /// Whether a command is under way: its bytes are not complete or its answer is not fetched.
    pub fn is_busy(&self) -> bool {
        !matches!(self.state, State::Idle | State::Lost)
    }

    /// Takes bytes from the front of `bytes` as the state wants them; returns how many. None means
    /// that nothing more can be taken now.
    fn advance(&mut self, bytes: &[u8]) -> usize {
        let Some(&first) = bytes.first() else {
            return 0;
        };
        match self.state {
            State::Idle => usize::from(self.begin(first)),
            State::Lost => usize::from(self.listen(first)),
            State::Receiving | State::Measuring | State::Waiting => 0,
            State::Fields | State::Swallowing | State::Sending | State::Head | State::Page => {
                let data = front(bytes, self.left);
                self.left -= data.len() as u32;
                match self.state {
                    State::Swallowing => {}
                    State::Sending => self.board.write(data),
                    State::Page => {
                        self.board.sum_up(&mut self.crc, data);
                        self.gather(data);
                    }
                    _ => self.gather(data),
                }
                if self.left == 0 {
                    self.complete();
                }
                data.len()
            }
        }
    }

    /// Begins the command of an opcode, if whatever it answers at once fits.
    fn begin(&mut self, code: u8) -> bool {
        let opcode = self.config.opcode(code);
        if self.answers.room() <= opcode.map_or(0, Opcode::answer_bytes) {
            return false;
        }
        match opcode {
            Some(opcode) => {
                self.opcode = opcode;
                self.gather_next(State::Fields, opcode.field_bytes().into());
                if self.left == 0 {
                    self.execute();
                }
            }
            None => self.answers.push(NAK),
        }
        true
    }

    /// Counts SYNCNOPs in a row and takes the last one that is needed for a command again.
    fn listen(&mut self, code: u8) -> bool {
        if self.answers.room() <= Opcode::SyncNop.answer_bytes() {
            return false;
        }
        self.syncnops += 1;
        if code != Opcode::SyncNop.code() {
            self.syncnops = 0;
        }
        if self.syncnops >= RECOVERY_SYNCNOPS {
            self.state = State::Idle;
            self.begin(code);
        }
        true
    }

    /// Makes room for `count` bytes to gather.
    fn gather_next(&mut self, state: State, count: u16) {
        self.state = state;
        self.filled = 0;
        self.left = count.into();
    }

    fn gather(&mut self, data: &[u8]) {
        let start = usize::from(self.filled);
        if let Some(slots) = self.gathered.get_mut(start..start + data.len()) {
            slots.copy_from_slice(data);
        }
        self.filled += data.len() as u16;
    }

    /// Goes on when nothing is missing any more.
    fn complete(&mut self) {
        match self.state {
            State::Fields => self.execute(),
            State::Swallowing => self.answer(NAK),
            State::Sending => self.start_receiving(),
            State::Head => self.start_measuring(),
            State::Page => self.start_waiting(),
            _ => {}
        }
    }

    /// Begins a command whose fields are complete, and ends it if that is all.
    fn execute(&mut self) {
        let Some(fields) = self.gathered.first_chunk() else {
            return;
        };
        match Request::from_fields(self.opcode, fields) {
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
            Request::XCrc(range) | Request::XBlank(range) => self.start_head(range),
            Request::XProgram(program) => self.start_page(program),
            Request::OWriteN { length, .. } => self.refuse(length.get()),
            _ => self.answer(NAK),
        }
    }

    /// Whether an O_SPIOP is within the limits.
    #[inline]
    fn takes(&self, send: u32, receive: u32) -> bool {
        let config = &self.config;
        let max_send = config
            .max_send_bytes
            .saturating_add(WRITE_LIMIT_SLACK_BYTES);
        send <= max_send && receive <= config.max_receive_bytes
    }

    fn start_sending(&mut self, send: u32, receive: u32) {
        if !self.takes(send, receive) {
            return self.refuse(send);
        }
        self.count = receive;
        self.select();
        self.left = send;
        self.state = State::Sending;
        if send == 0 {
            self.start_receiving();
        }
    }

    fn start_receiving(&mut self) {
        self.answers.push(ACK);
        self.left = self.count;
        self.state = State::Receiving;
        if self.left > 0 {
            self.board.start_read(self.left);
        }
        // Short answers are packed with those of the commands around them.
        if self.left <= u32::from(self.answers.room()) {
            loop {
                let mut chunk = [0; SHORT_BYTES];
                let filled = self.receive_into(&mut chunk);
                self.answers.extend(chunk.get(..filled).unwrap_or_default());
                if self.state == State::Idle {
                    break;
                }
            }
        }
    }

    /// Reads what is left of an O_SPIOP's answer into `out`, as far as it goes.
    fn receive_into(&mut self, out: &mut [u8]) -> usize {
        if self.state != State::Receiving {
            return 0;
        }
        let out = front_mut(out, self.left);
        self.left -= out.len() as u32;
        self.board.finish_read(out);
        if self.left == 0 {
            self.board.deselect();
            self.state = State::Idle;
        }
        out.len()
    }

    fn start_head(&mut self, range: Range) {
        if is_head(range.head_bytes) && range.length.get() <= LONGEST_RANGE_BYTES {
            self.count = range.length.get();
            self.gather_next(State::Head, range.head_bytes.into());
        } else {
            self.refuse(range.head_bytes.into());
        }
    }

    fn start_measuring(&mut self) {
        // Only reads: a stream that lost a byte must not change the chip by this command.
        if !matches!(
            self.gathered[0],
            instruction::READ
                | instruction::FAST_READ
                | instruction::READ_4B
                | instruction::FAST_READ_4B
        ) {
            return self.answer(NAK);
        }
        self.answers.push(ACK);
        self.select();
        self.write_gathered(self.filled);
        self.left = self.count;
        self.board.start_read(self.left);
        self.count = 0;
        self.crc = Crc32::new();
        self.state = State::Measuring;
    }

    /// Reads the next bit of a range; at its end answers what was found out.
    #[inline(never)]
    fn measure(&mut self) {
        let chunk = front_mut(&mut self.gathered, self.left.min(CHUNK_BYTES));
        self.left -= chunk.len() as u32;
        self.board.finish_read(chunk);
        let mut is_done = self.left == 0;
        let value = if self.opcode == Opcode::XCrc {
            self.board.sum_up(&mut self.crc, chunk);
            self.crc.value()
        } else {
            for &byte in &*chunk {
                if byte != 0xFF {
                    is_done = true;
                    break;
                }
                self.count += 1;
            }
            self.count
        };
        if is_done {
            self.board.deselect();
            self.answers.extend(&value.to_le_bytes());
            self.state = State::Idle;
        }
    }

    fn start_page(&mut self, program: Program) {
        let fits = (1..=PAGE_BYTES as u16).contains(&program.data_bytes);
        if !fits || !is_head(program.head_bytes) {
            return self.lose_track();
        }
        self.crc = Crc32::new();
        let fields = front(&self.gathered, self.filled.into());
        self.board.sum_up(&mut self.crc, &[self.opcode.code()]);
        self.board.sum_up(&mut self.crc, fields);
        self.deadline = Moment::from_micros(0).plus_millis(program.wait_ms);
        self.page_bytes = u16::from(program.head_bytes) + program.data_bytes;
        self.gather_next(State::Page, self.page_bytes + CHECK_BYTES as u16);
    }

    fn start_waiting(&mut self) {
        let programs = matches!(self.gathered[0], instruction::PP | instruction::PP_4B);
        if !programs || self.crc != Crc32::CHECKED {
            return self.lose_track();
        }
        self.deadline = self.board.now().plus_micros(self.deadline.micros());
        self.state = State::Waiting;
        self.try_program();
    }

    /// Asks the chip whether it is ready, and if so programs the page.
    #[inline(never)]
    fn try_program(&mut self) {
        self.select();
        self.board.write(&[instruction::RDSR]);
        self.board.start_read(1);
        let mut status = [0; 1];
        self.board.finish_read(&mut status);
        self.board.deselect();
        if status[0] & status::WIP == 0 {
            self.select();
            self.board.write(&[instruction::WREN]);
            self.board.deselect();
            self.select();
            self.write_gathered(self.page_bytes);
            self.board.deselect();
            self.answer(ACK);
        } else if self.board.now().has_reached(self.deadline) {
            self.lose_track();
        }
    }

    /// Goes on with what needs no bytes.
    #[inline(always)]
    fn work(&mut self) {
        match self.state {
            State::Measuring => self.measure(),
            State::Waiting => self.try_program(),
            _ => {}
        }
    }

    fn select(&mut self) {
        self.drive_outputs(true);
        self.board.select(self.line);
    }

    fn write_gathered(&mut self, count: u16) {
        self.board.write(front(&self.gathered, count.into()));
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
        self.left = data_bytes;
        self.state = State::Swallowing;
        if data_bytes == 0 {
            self.answer(NAK);
        }
    }

    /// Refuses an X_PROGRAM and everything after it: see [`RECOVERY_SYNCNOPS`].
    fn lose_track(&mut self) {
        self.answer(NAK);
        self.state = State::Lost;
        self.syncnops = 0;
    }
}

impl<B: Board> Device for Programmer<B> {
    fn receive(&mut self, _: Moment, bytes: &[u8]) -> usize {
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

    fn transmit(&mut self, _: Moment, buffer: &mut [u8]) -> usize {
        self.work();
        let filled = self.answers.take(buffer);
        let spare = buffer.get_mut(filled..).unwrap_or_default();
        filled + self.receive_into(spare)
    }

    fn wake_up(&self) -> Option<Moment> {
        matches!(self.state, State::Measuring | State::Waiting).then(|| self.board.now())
    }

    fn reset(&mut self, _: Moment) {
        self.board.deselect();
        self.state = State::Idle;
        self.answers.clear();
        self.line = 0;
        self.board.set_clock(self.config.spi_hz);
        self.drive_outputs(false);
    }
}

/// Whether a head of an extension may be so long.
fn is_head(head_bytes: u8) -> bool {
    (1..=HEAD_BYTES as u8).contains(&head_bytes)
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

/// Copies as many bytes as both have.
fn copy(into: &mut [u8], from: &[u8]) {
    for (slot, &byte) in into.iter_mut().zip(from) {
        *slot = byte;
    }
}
