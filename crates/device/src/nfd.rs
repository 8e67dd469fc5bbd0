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

/// Longest page program, in microseconds, before the chip is given up. Datasheet maxima lie at 3 ms
/// (W25Q64JV, section 9.6) and 5 ms (MX25L6436E, AC characteristics).
const PROGRAM_LIMIT_US: u32 = 100_000;
/// Longest sector erase, in microseconds. The datasheet maximum is 400 ms (W25Q64JV, section 9.6);
/// the original client waits for three seconds.
const ERASE_LIMIT_US: u32 = 2_500_000;
/// Longest status register write, in microseconds. 15 ms at most (W25Q64JV, section 9.6), 40 ms on
/// older parts.
const STATUS_LIMIT_US: u32 = 200_000;
/// Longest chip erase, in microseconds: 400 s, the datasheet maximum of 16 MiB parts with room
/// (W25Q128JV, section 9.6: 200 s).
const CHIP_ERASE_LIMIT_US: u32 = 400_000_000;

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
    machine: Machine,
}

/// The programmer without its board: for who has another use for the board besides.
pub(crate) struct Machine {
    help: &'static str,
    buffer: [u8; PAGE_BYTES],
    state: State,
    answer: Answer,
    now: Moment,
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
    /// The answer to this command.
    Answer(Command),
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
        let machine = Machine::new(board.now(), help);
        Self { board, machine }
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
    /// A machine fresh from reset. The bus is its owner's to drive.
    pub(crate) fn new(now: Moment, help: &'static str) -> Self {
        let mut machine = Self {
            help,
            buffer: [0; PAGE_BYTES],
            state: State::Idle,
            answer: Answer::NONE,
            now,
        };
        machine.reset(now);
        machine
    }

    /// What a reset makes of it.
    pub(crate) fn reset(&mut self, now: Moment) {
        self.now = now;
        self.state = State::Idle;
        self.answer = Answer::NONE;
        for pattern in self.buffer.chunks_exact_mut(RESET_PATTERN.len()) {
            pattern.copy_from_slice(&RESET_PATTERN);
        }
    }

    /// As [`Device::receive`].
    pub(crate) fn receive(
        &mut self,
        board: &mut (impl Board + Pins),
        now: Moment,
        bytes: &[u8],
    ) -> usize {
        self.now = now;
        self.work(board);
        let mut taken = 0;
        for &byte in bytes {
            if matches!(self.state, State::Busy { .. }) || !self.answer.is_sent() {
                break;
            }
            self.take(board, byte);
            taken += 1;
        }
        taken
    }

    /// As [`Device::transmit`].
    pub(crate) fn transmit(
        &mut self,
        board: &mut impl Board,
        now: Moment,
        buffer: &mut [u8],
    ) -> usize {
        self.now = now;
        // An answer that comes before its work is sent before anything else happens.
        if self.answer.is_sent() {
            self.work(board);
        }
        self.answer.take(&self.buffer, buffer)
    }

    /// As [`Device::wake_up`].
    pub(crate) fn wake_up(&self) -> Option<Moment> {
        matches!(self.state, State::Busy { .. }).then_some(self.now)
    }

    /// Takes one byte; the state is not [`State::Busy`] and there is no answer under way.
    fn take(&mut self, board: &mut (impl Board + Pins), byte: u8) {
        match &mut self.state {
            State::Idle => {
                let Some(command) = Command::from_letter(byte) else {
                    return;
                };
                let reader = ArgumentReader::new(command);
                if reader.is_complete() {
                    self.run(board, command, 0);
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
                        if let Some(slot) = self.buffer.get_mut(usize::from(*value)) {
                            *slot = byte;
                        }
                        *value += 1;
                    } else {
                        *value = *value << 8 | u16::from(byte);
                    }
                    if reader.is_complete() {
                        let (command, value) = (*command, *value);
                        self.state = State::Idle;
                        self.run(board, command, value);
                    }
                }
                Fed::Bad => {
                    self.state = State::Idle;
                    self.answer = Answer::letter(ERROR);
                }
            },
            State::Busy { .. } => {}
        }
    }

    fn run(&mut self, board: &mut (impl Board + Pins), command: Command, argument: u16) {
        // Sixteen bits of a page number, twelve of a sector number, as in the sketch: a client that
        // asks for more finds the wrong page by its CRC there and here.
        let page = match command {
            Command::EraseSector => argument * (SECTOR_BYTES / PAGE_BYTES) as u16,
            _ => argument,
        };
        let [high, low] = page.to_be_bytes();
        let at_page = |instruction| [instruction, high, low, 0];
        match command {
            Command::Hello => self.answer = Answer::text(HELLO_TEXT),
            Command::Help => self.answer = Answer::text(self.help),
            Command::Dump => self.answer = Answer::dump(),
            Command::ReadPage => {
                ask(board, &at_page(instruction::READ), &mut self.buffer);
                self.answer_crc(command);
            }
            Command::BufferCrc | Command::Fill => self.answer_crc(command),
            Command::ProgramPage => {
                change(board, &at_page(instruction::PP), &self.buffer);
                self.wait(board, PROGRAM_LIMIT_US, Then::Answer(command));
            }
            Command::EraseSector => {
                change(board, &at_page(instruction::SE), &[]);
                self.wait(board, ERASE_LIMIT_US, Then::Answer(command));
            }
            Command::EraseChip => {
                change(board, &[instruction::CE], &[]);
                self.wait(board, CHIP_ERASE_LIMIT_US, Then::Answer(command));
            }
            Command::JedecId => {
                let mut content = [3, 0, 0, 0];
                let [_, id @ ..] = &mut content;
                ask(board, &[instruction::RDID], id);
                self.answer = Answer::bytes(command, content, 4);
            }
            Command::Status => {
                let [first, second, third] = status_registers(board);
                self.answer = Answer::bytes(command, [3, first, second, third], 4);
            }
            Command::Protection => {
                let Protection { registers, memory } = Protection::judge(status_registers(board));
                self.answer = Answer::bytes(command, [registers, memory, 0, 0], 2);
            }
            Command::Protect | Command::Unprotect => {
                let block_protect = status::BP0 | status::BP1 | status::BP2;
                let [first, ..] = status_registers(board);
                let first = match command {
                    Command::Protect => first | block_protect,
                    _ => first & !block_protect,
                };
                change(board, &[instruction::WRSR, first], &[]);
                self.answer = Answer::letter(command.letter());
                self.wait(board, STATUS_LIMIT_US, Then::ClearComplement);
            }
            Command::ChipSelect => {
                board.choose_chip_select(low);
                self.answer = Answer::letter(command.letter());
            }
            Command::Output => {
                let level = (low >> 4 != 0).then_some(low & 0x0F != 0);
                board.drive(high, level);
                self.answer = Answer::letter(command.letter());
            }
        }
    }

    fn answer_crc(&mut self, command: Command) {
        let crc = Crc32::of(&self.buffer);
        self.answer = Answer::crc(command, crc);
    }

    fn wait(&mut self, board: &impl Board, limit_us: u32, then: Then) {
        let deadline = board.now().plus_micros(limit_us);
        self.state = State::Busy { deadline, then };
    }

    /// Looks once whether the chip is ready, and goes on if it is or its time is over.
    fn work(&mut self, board: &mut impl Board) {
        let State::Busy { deadline, then } = self.state else {
            return;
        };
        let [first, second, _] = status_registers(board);
        let is_busy = first & status::WIP != 0;
        if is_busy && !board.now().has_reached(deadline) {
            return;
        }
        self.state = State::Idle;
        match then {
            Then::Answer(_) if is_busy => self.answer = Answer::letter(ERROR),
            Then::Answer(command) => self.answer = Answer::letter(command.letter()),
            Then::ClearComplement if !is_busy => {
                let second = second & !status::winbond::CMP;
                change(board, &[instruction::WRSR2, second], &[]);
                self.wait(board, STATUS_LIMIT_US, Then::Nothing);
            }
            Then::ClearComplement | Then::Nothing => {}
        }
    }
}

impl<B: Board + Pins> Device for Programmer<B> {
    fn receive(&mut self, now: Moment, bytes: &[u8]) -> usize {
        self.machine.receive(&mut self.board, now, bytes)
    }

    fn transmit(&mut self, now: Moment, buffer: &mut [u8]) -> usize {
        self.machine.transmit(&mut self.board, now, buffer)
    }

    fn wake_up(&self) -> Option<Moment> {
        self.machine.wake_up()
    }

    fn reset(&mut self, now: Moment) {
        self.board.deselect();
        self.machine.reset(now);
    }
}

/// Sends an instruction that changes the chip, after the one that allows it.
fn change(board: &mut impl Board, head: &[u8], data: &[u8]) {
    board.select(0);
    board.write(&[instruction::WREN]);
    board.deselect();
    board.select(0);
    board.write(head);
    board.write(data);
    board.deselect();
}

fn ask(board: &mut impl Board, head: &[u8], answer: &mut [u8]) {
    board.select(0);
    board.write(head);
    board.start_read(answer.len() as u32);
    board.finish_read(answer);
    board.deselect();
}

fn status_registers(board: &mut impl Board) -> [u8; 3] {
    let mut registers = [instruction::RDSR, instruction::RDSR2, instruction::RDSR3];
    for register in &mut registers {
        let instruction = *register;
        ask(board, &[instruction], core::slice::from_mut(register));
    }
    registers
}
