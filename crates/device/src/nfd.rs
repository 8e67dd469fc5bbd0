//! A programmer that speaks the protocol of nfd's Arduino sketch.
//!
//! The wire protocol is [`flashwire_protocol::nfd`]. Answers are those of the original sketch byte
//! for byte, so that its client works; what differs is what a client cannot see unless the
//! original would have gone wrong:
//!
//! - a chip that does not become ready is answered by `!` after a time, where the sketch hangs;
//! - the second status register is written when the chip is ready for it, where the sketch's write
//!   is ignored;
//! - the fixed waits of 10 ms before each program and erase are gone.
//!
//! One command is worked on at a time: while it runs, or its answer is not fetched, nothing more is
//! taken. There is no time-out between digits, as in the sketch.

mod answer;

use flashwire_protocol::crc32::Crc32;
use flashwire_protocol::nfd::{
    ArgumentReader, Command, ERROR, Fed, HELLO_TEXT, PAGE_BYTES, Protection, RESET_PATTERN,
    SECTOR_BYTES,
};
use flashwire_protocol::spinor::{instruction, status};

use crate::{Board, Device, Moment};
use answer::Answer;

/// Longest work of a chip, in microseconds, before it is given up: a sector erase, whose datasheet
/// maximum is 400 ms (W25Q64JV, section 9.6). The original client waits for three seconds.
const WORK_LIMIT_US: u32 = 2_500_000;
/// Longest chip erase, in microseconds: 400 s, the datasheet maximum of 16 MiB parts with room
/// (W25Q128JV, section 9.6: 200 s).
const CHIP_ERASE_LIMIT_US: u32 = 400_000_000;

/// From a sector's number to that of its first page.
const SECTOR_TO_PAGE_SHIFT: u32 = (SECTOR_BYTES / PAGE_BYTES).trailing_zeros();

/// The pins of an Arduino beyond the bus.
pub trait Pins {
    /// Makes `pin` the chip select; the one before becomes an input.
    fn choose_chip_select(&mut self, pin: u8);

    /// Makes `pin` an output and drives it if a level is given.
    fn drive(&mut self, pin: u8, level: Option<bool>);
}

/// A programmer for one SPI chip.
pub struct Programmer<B> {
    board: B,
    buffer: [u8; PAGE_BYTES],
    machine: Machine,
}

/// The programmer without its board and its page buffer: for who has another use for them besides.
pub(crate) struct Machine {
    help: &'static str,
    state: State,
    answer: Answer,
}

enum State {
    /// The next byte starts a command or is ignored.
    Idle,
    /// Digits of the argument. `value` is what has come of a number, in the sixteen bits that the
    /// sketch keeps of it, or how many bytes have come of the buffer's content.
    Argument {
        command: Command,
        reader: ArgumentReader,
        value: u16,
    },
    /// The chip works; `then` comes after it.
    Busy { deadline: Moment, then: Then },
}

/// What follows when the chip is ready.
#[derive(Clone, Copy)]
enum Then {
    /// The answer, a letter.
    Answer(u8),
    /// The second status register is written; the answer has long been given.
    ClearComplement,
    /// Nothing.
    Nothing,
}

impl<B: Board + Pins> Programmer<B> {
    /// A programmer on `board`, with its bus driven. `help` is the answer to
    /// [`Command::Help`]: the version text, then whatever is worth saying, lines ended by CR LF.
    pub fn new(mut board: B, help: &'static str) -> Self {
        board.set_outputs(true);
        let mut buffer = [0; PAGE_BYTES];
        fill_afresh(&mut buffer);
        Self {
            board,
            buffer,
            machine: Machine::new(help),
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
}

impl Machine {
    /// A machine fresh from reset. The bus is its owner's to drive, and the buffer to
    /// [fill](fill_afresh).
    pub(crate) const fn new(help: &'static str) -> Self {
        Self {
            help,
            state: State::Idle,
            answer: Answer::new(),
        }
    }

    /// What a reset makes of it.
    pub(crate) fn reset(&mut self) {
        self.state = State::Idle;
        self.answer.clear();
    }

    /// As [`Device::receive`], with a buffer of [`PAGE_BYTES`].
    pub(crate) fn receive(
        &mut self,
        board: &mut (impl Board + Pins),
        buffer: &mut [u8],
        bytes: &[u8],
    ) -> usize {
        self.work(board);
        let mut taken = 0;
        for &byte in bytes {
            if self.is_working() || !self.answer.is_sent() {
                break;
            }
            self.take(board, buffer, byte);
            taken += 1;
        }
        taken
    }

    /// As [`Device::transmit`].
    pub(crate) fn transmit(
        &mut self,
        board: &mut impl Board,
        buffer: &[u8],
        out: &mut [u8],
    ) -> usize {
        // An answer that comes before its work is sent before anything else happens.
        if self.answer.is_sent() {
            self.work(board);
        }
        self.answer.take(buffer, out)
    }

    /// Whether the chip works: then there is something to do at any moment.
    pub(crate) fn is_working(&self) -> bool {
        matches!(self.state, State::Busy { .. })
    }

    /// Takes one byte; the state is not [`State::Busy`] and there is no answer under way.
    fn take(&mut self, board: &mut (impl Board + Pins), buffer: &mut [u8], byte: u8) {
        match &mut self.state {
            State::Idle => {
                let Some(command) = Command::from_letter(byte) else {
                    return;
                };
                let reader = ArgumentReader::new(command);
                if reader.is_complete() {
                    self.run(board, buffer, command, 0);
                } else {
                    self.state = State::Argument {
                        command,
                        reader,
                        value: 0,
                    };
                }
            }
            State::Argument {
                command,
                reader,
                value,
            } => match reader.feed(byte) {
                Fed::More => {}
                Fed::Byte(byte) | Fed::Last(byte) => {
                    if let Command::Fill = command {
                        if let Some(slot) = buffer.get_mut(usize::from(*value)) {
                            *slot = byte;
                        }
                        *value += 1;
                    } else {
                        *value = *value << 8 | u16::from(byte);
                    }
                    if reader.is_complete() {
                        let (command, value) = (*command, *value);
                        self.state = State::Idle;
                        self.run(board, buffer, command, value);
                    }
                }
                Fed::Bad => {
                    self.state = State::Idle;
                    self.answer.letter(ERROR);
                }
            },
            State::Busy { .. } => {}
        }
    }

    fn run(
        &mut self,
        board: &mut (impl Board + Pins),
        buffer: &mut [u8],
        command: Command,
        argument: u16,
    ) {
        // Sixteen bits of a page number, twelve of a sector number, as in the sketch: a client that
        // asks for more finds the wrong page by its CRC there and here.
        let page = match command {
            Command::EraseSector => argument << SECTOR_TO_PAGE_SHIFT,
            _ => argument,
        };
        let [high, low] = page.to_be_bytes();
        let letter = command.letter();
        match command {
            Command::Hello => self.answer.text(HELLO_TEXT),
            Command::Help => self.answer.text(self.help),
            Command::Dump => self.answer.dump(),
            Command::ReadPage => {
                ask(board, &[instruction::READ, high, low, 0], buffer);
                self.answer_crc(board, buffer, command);
            }
            Command::BufferCrc | Command::Fill => self.answer_crc(board, buffer, command),
            Command::ProgramPage => {
                change(board, [instruction::PP, high, low, 0], 4, buffer);
                self.wait(board, WORK_LIMIT_US, Then::Answer(letter));
            }
            Command::EraseSector => {
                change(board, [instruction::SE, high, low, 0], 4, &[]);
                self.wait(board, WORK_LIMIT_US, Then::Answer(letter));
            }
            Command::EraseChip => {
                change(board, [instruction::CE, 0, 0, 0], 1, &[]);
                self.wait(board, CHIP_ERASE_LIMIT_US, Then::Answer(letter));
            }
            Command::JedecId => {
                let mut bytes = [3, 0, 0, 0];
                let [_, id @ ..] = &mut bytes;
                ask(board, &[instruction::RDID], id);
                self.answer.bytes(letter, bytes, 4);
            }
            Command::Status | Command::Protection => {
                let first = register(board, instruction::RDSR);
                let second = register(board, instruction::RDSR2);
                let third = register(board, instruction::RDSR3);
                let Protection { registers, memory } = Protection::judge([first, second, third]);
                if let Command::Status = command {
                    self.answer.bytes(letter, [3, first, second, third], 4);
                } else {
                    self.answer.bytes(letter, [registers, memory, 0, 0], 2);
                }
            }
            Command::Protect | Command::Unprotect => {
                let block_protect = status::BP0 | status::BP1 | status::BP2;
                let mut first = register(board, instruction::RDSR) & !block_protect;
                if let Command::Protect = command {
                    first |= block_protect;
                }
                change(board, [instruction::WRSR, first, 0, 0], 2, &[]);
                self.answer.letter(letter);
                self.wait(board, WORK_LIMIT_US, Then::ClearComplement);
            }
            Command::ChipSelect => {
                board.choose_chip_select(low);
                self.answer.letter(letter);
            }
            Command::Output => {
                let level = (low >> 4 != 0).then_some(low & 0x0F != 0);
                board.drive(high, level);
                self.answer.letter(letter);
            }
        }
    }

    #[inline(never)]
    fn answer_crc(&mut self, board: &impl Board, buffer: &[u8], command: Command) {
        let mut crc = Crc32::new();
        board.sum_up(&mut crc, buffer);
        self.answer.crc(command, crc.value());
    }

    #[inline(never)]
    fn wait(&mut self, board: &impl Board, limit_us: u32, then: Then) {
        let deadline = board.now().plus_micros(limit_us);
        self.state = State::Busy { deadline, then };
    }

    /// Looks once whether the chip is ready, and goes on if it is or its time is over.
    #[inline(never)]
    fn work(&mut self, board: &mut impl Board) {
        let State::Busy { deadline, then } = self.state else {
            return;
        };
        let is_busy = register(board, instruction::RDSR) & status::WIP != 0;
        if is_busy && !board.now().has_reached(deadline) {
            return;
        }
        self.state = State::Idle;
        match then {
            Then::Answer(letter) => self.answer.letter(if is_busy { ERROR } else { letter }),
            Then::ClearComplement if !is_busy => {
                let second = register(board, instruction::RDSR2) & !status::winbond::CMP;
                change(board, [instruction::WRSR2, second, 0, 0], 2, &[]);
                self.wait(board, WORK_LIMIT_US, Then::Nothing);
            }
            Then::ClearComplement | Then::Nothing => {}
        }
    }
}

impl<B: Board + Pins> Device for Programmer<B> {
    fn receive(&mut self, _: Moment, bytes: &[u8]) -> usize {
        let Self {
            board,
            buffer,
            machine,
        } = self;
        machine.receive(board, buffer, bytes)
    }

    fn transmit(&mut self, _: Moment, out: &mut [u8]) -> usize {
        let Self {
            board,
            buffer,
            machine,
        } = self;
        machine.transmit(board, buffer, out)
    }

    fn wake_up(&self) -> Option<Moment> {
        self.machine.is_working().then(|| self.board.now())
    }

    fn reset(&mut self, _: Moment) {
        self.board.deselect();
        fill_afresh(&mut self.buffer);
        self.machine.reset();
    }
}

/// Makes of a page buffer what a reset makes of it.
pub(crate) fn fill_afresh(buffer: &mut [u8]) {
    for pattern in buffer.chunks_exact_mut(RESET_PATTERN.len()) {
        pattern.copy_from_slice(&RESET_PATTERN);
    }
}

/// Sends an instruction that changes the chip, the first `len` bytes of `head`, after the one that
/// allows it.
#[inline(never)]
fn change(board: &mut impl Board, head: [u8; 4], len: u8, data: &[u8]) {
    board.select(0);
    board.write(&[instruction::WREN]);
    board.deselect();
    board.select(0);
    board.write(head.get(..usize::from(len)).unwrap_or_default());
    board.write(data);
    board.deselect();
}

#[inline(never)]
fn ask(board: &mut impl Board, head: &[u8], answer: &mut [u8]) {
    board.select(0);
    board.write(head);
    board.start_read(answer.len() as u32);
    board.finish_read(answer);
    board.deselect();
}

#[inline(never)]
fn register(board: &mut impl Board, instruction: u8) -> u8 {
    let mut register = [0];
    ask(board, &[instruction], &mut register);
    register[0]
}
