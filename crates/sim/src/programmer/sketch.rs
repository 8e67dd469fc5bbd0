//! nfd's sketch on an Arduino Uno, as it behaves.
//!
//! This is a second implementation of the protocol beside the one of `flashwire-device`, written
//! from what the sketch was seen to do, faults and all (repository nfd/spi-flash-programmer, commits
//! 3df69c7 of 2018 to bca76ea of 2024). What a client has to live with:
//!
//! - A command is worked on before the next byte is looked at. Meanwhile 63 bytes find room in the
//!   receive ring of the Arduino core; what comes beyond is lost.
//! - A chip that never becomes ready, or is not there, leaves it polling until the board is reset.
//! - Page numbers keep 16 bits and sector numbers 12; the rest is dropped without a word.
//! - `w`, `k` and `n` answer whatever the chip did.
//! - `p` and `u` answer before they work, and the write of the second status register goes to a chip
//!   that is still busy with the first one.

use std::collections::VecDeque;
use std::time::Duration;

use flashwire_device::nfd::Pins;
use flashwire_device::{Board, Device, Moment};
use flashwire_link::Instant;
use flashwire_protocol::crc32::Crc32;
use flashwire_protocol::nfd::{
    Command, ERROR, LINE_END, PAGE_BYTES, RESET_PATTERN, VERSION_TEXT, digit_value, digits,
};
use flashwire_protocol::spinor::{instruction, status};

use super::SpiBoard;
use super::machine::Machine;
use crate::{Complaint, ComplaintKind};

/// The transmit ring of the Arduino core, in bytes: 64, one of which stays free. `Serial.write`
/// waits while it is full.
const TRANSMIT_RING_BYTES: usize = 63;

/// Wait after each WREN that a program or erase follows, in the sketch.
const ENABLE_WAIT: Duration = Duration::from_millis(10);
/// Wait after a program and a chip erase, before the first poll.
const SETTLE_WAIT: Duration = Duration::from_millis(1);

/// What looking at a byte takes: `loop`, `Serial.read`, the digit. An assumption; it only has to be
/// well under the 85 us of a character.
const CHARACTER_TIME: Duration = Duration::from_micros(6);
/// What `SPI.transfer` takes beyond its eight clocks. With [`CRC_BYTE_TIME`] it makes 2.5 ms for the
/// command that reads a page: the sketch in simavr gave the CRCs of 248 pages a second to a client
/// that waits for each, 1.55 ms of each going to the 18 characters.
const TRANSFER_TIME: Duration = Duration::from_nanos(1400);
/// What the CRC takes for each byte.
const CRC_BYTE_TIME: Duration = Duration::from_nanos(7200);

/// When a sketch was published: what it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// Without the id, chip select and output commands.
    Of2018,
    /// With them.
    Of2019,
    /// The newest; on the wire the same.
    #[default]
    Of2024,
}

impl Edition {
    /// The command that a byte begins.
    fn command(self, byte: u8) -> Option<Command> {
        let command = Command::from_letter(byte)?;
        let of_2019 = [Command::JedecId, Command::ChipSelect, Command::Output];
        (self != Self::Of2018 || !of_2019.contains(&command)).then_some(command)
    }
}

/// A command whose digits are being read.
struct Argument {
    command: Command,
    digits_left: usize,
    value: u32,
}

/// What the sketch does next while it looks at no byte.
enum Step {
    /// An instruction to the chip.
    Send(Vec<u8>),
    /// The write of a status register: bits to set and to clear.
    Status { register: usize, set: u8, clear: u8 },
    /// `delay`.
    Wait(Duration),
    /// Polls until the chip is ready.
    Poll,
    /// `Serial.write` of one byte.
    Answer(u8),
}

/// The sketch on its board.
pub struct Sketch {
    board: SpiBoard,
    edition: Edition,
    buffer: [u8; PAGE_BYTES],
    argument: Option<Argument>,
    steps: VecDeque<Step>,
    /// The transmit ring, and what waits for room in it: each byte from when on it is there.
    answers: VecDeque<(Instant, u8)>,
    /// It polls a chip that will never become ready: whether that was connected.
    stuck: Option<bool>,
    complaints: Vec<Complaint>,
}

impl Sketch {
    pub(super) fn new(mut board: SpiBoard, spi_hz: u32, edition: Edition) -> Self {
        board.set_clock(spi_hz);
        let mut sketch = Self {
            board,
            edition,
            buffer: [0; PAGE_BYTES],
            argument: None,
            steps: VecDeque::new(),
            answers: VecDeque::new(),
            stuck: None,
            complaints: Vec::new(),
        };
        sketch.set_up();
        sketch
    }

    /// What happens after a reset.
    fn set_up(&mut self) {
        for pattern in self.buffer.chunks_exact_mut(RESET_PATTERN.len()) {
            pattern.copy_from_slice(&RESET_PATTERN);
        }
        self.argument = None;
        self.steps.clear();
        self.answers.clear();
        self.stuck = None;
        self.board.set_outputs(true);
    }

    /// Looks at one byte.
    fn take(&mut self, byte: u8) {
        self.board.spend(CHARACTER_TIME);
        let Some(mut argument) = self.argument.take() else {
            if let Some(command) = self.edition.command(byte) {
                self.begin(command);
            }
            return;
        };
        let Some(digit) = digit_value(byte) else {
            self.write(ERROR);
            return;
        };
        argument.value = argument.value << 4 | u32::from(digit);
        argument.digits_left -= 1;
        if argument.command == Command::Fill && argument.digits_left % 2 == 0 {
            let index = PAGE_BYTES - 1 - argument.digits_left / 2;
            self.buffer[index] = argument.value as u8;
        }
        if argument.digits_left == 0 {
            self.run(argument.command, argument.value);
        } else {
            self.argument = Some(argument);
        }
    }

    fn begin(&mut self, command: Command) {
        match command.digits() {
            0 => self.run(command, 0),
            digits_left => {
                self.argument = Some(Argument {
                    command,
                    digits_left,
                    value: 0,
                });
            }
        }
    }

    fn run(&mut self, command: Command, value: u32) {
        let letter = command.letter();
        match command {
            Command::Hello => self.say(&format!(">{VERSION_TEXT}{LINE_END}>")),
            Command::Help => self.say(&help(self.edition)),
            Command::ReadPage => {
                let address = self.cut(value, 16, "page") * PAGE_BYTES as u32;
                let page = self.ask(&at(instruction::READ, address), PAGE_BYTES);
                self.buffer.copy_from_slice(&page);
                self.say_crc(letter);
            }
            Command::Dump => {
                let buffer = self.buffer;
                self.say_bytes(letter, &buffer);
                self.say(LINE_END);
            }
            Command::BufferCrc => {
                self.say_crc(letter);
                self.say(LINE_END);
            }
            Command::Fill => self.say_crc(letter),
            Command::ProgramPage => {
                let address = self.cut(value, 16, "page") * PAGE_BYTES as u32;
                let program = [at(instruction::PP, address).as_slice(), &self.buffer].concat();
                self.change(program);
                self.steps.push_back(Step::Wait(SETTLE_WAIT));
                self.steps.extend([Step::Poll, Step::Answer(letter)]);
            }
            Command::EraseSector => {
                let address = self.cut(value, 12, "sector") * 4096;
                self.change(at(instruction::SE, address).to_vec());
                self.steps.extend([Step::Poll, Step::Answer(letter)]);
            }
            Command::EraseChip => {
                self.change(vec![instruction::CE]);
                self.steps.push_back(Step::Wait(SETTLE_WAIT));
                self.steps.extend([Step::Poll, Step::Answer(letter)]);
            }
            Command::JedecId => {
                let id = self.ask(&[instruction::RDID], 3);
                self.say_bytes(letter, &[&[3], id.as_slice()].concat());
            }
            Command::Status => {
                let registers = [0, 1, 2].map(|register| self.read_register(register));
                self.say_bytes(letter, &[&[3], registers.as_slice()].concat());
            }
            Command::Protection => {
                let registers = [0, 1, 2].map(|register| self.read_register(register));
                self.say_bytes(letter, &protection(registers));
            }
            Command::Protect | Command::Unprotect => {
                self.write(letter);
                let block_protect = status::BP0 | status::BP1 | status::BP2;
                let (set, clear) = match command {
                    Command::Protect => (block_protect, 0),
                    _ => (0, block_protect),
                };
                let first = Step::Status {
                    register: 0,
                    set,
                    clear,
                };
                let second = Step::Status {
                    register: 1,
                    set: 0,
                    clear: status::winbond::CMP,
                };
                for write in [first, second] {
                    self.steps
                        .extend([enable(), Step::Wait(ENABLE_WAIT), write]);
                }
                self.steps.push_back(Step::Poll);
            }
            Command::ChipSelect => {
                self.board.choose_chip_select(value as u8);
                self.write(letter);
            }
            Command::Output => {
                let level = (value & 0xF0 != 0).then_some(value & 0x0F != 0);
                self.board.drive((value >> 8) as u8, level);
                self.write(letter);
            }
        }
    }

    /// The bits that the sketch keeps of a number.
    fn cut(&mut self, number: u32, bits: u32, what: &str) -> u32 {
        let kept = number & ((1 << bits) - 1);
        if kept != number {
            self.complaints.push(Complaint {
                at: self.board.now(),
                kind: ComplaintKind::OutOfRange,
                detail: format!("{what} {number:#010x} is taken for {what} {kept:#x}"),
            });
        }
        kept
    }

    /// Begins a change of the chip.
    fn change(&mut self, instruction: Vec<u8>) {
        self.steps
            .extend([enable(), Step::Wait(ENABLE_WAIT), Step::Send(instruction)]);
    }

    /// One transaction in which bytes go out.
    fn send(&mut self, bytes: &[u8]) {
        self.board.select(0);
        self.board.write(bytes);
        self.board.deselect();
        self.board.spend(TRANSFER_TIME * bytes.len() as u32);
    }

    /// One transaction in which `count` bytes come back.
    fn ask(&mut self, head: &[u8], count: usize) -> Vec<u8> {
        let mut answer = vec![0; count];
        self.board.select(0);
        self.board.write(head);
        self.board.start_read(count as u32);
        self.board.finish_read(&mut answer);
        self.board.deselect();
        self.board
            .spend(TRANSFER_TIME * (head.len() + count) as u32);
        answer
    }

    fn read_register(&mut self, register: usize) -> u8 {
        let reads = [instruction::RDSR, instruction::RDSR2, instruction::RDSR3];
        self.ask(&[reads[register]], 1)[0]
    }

    /// `Serial.write` of one byte.
    fn write(&mut self, byte: u8) {
        self.answers.push_back((self.board.now(), byte));
    }

    fn say(&mut self, text: &str) {
        for byte in text.bytes() {
            self.write(byte);
        }
    }

    fn say_bytes(&mut self, letter: u8, bytes: &[u8]) {
        self.write(letter);
        for digit in bytes.iter().flat_map(|&byte| digits(byte)) {
            self.write(digit);
        }
    }

    fn say_crc(&mut self, letter: u8) {
        self.board.spend(CRC_BYTE_TIME * PAGE_BYTES as u32);
        let crc = Crc32::of(&self.buffer);
        self.say_bytes(letter, &crc.to_be_bytes());
    }

    /// Whether it waits for room in its transmit ring.
    fn is_blocked(&self) -> bool {
        self.answers.len() > TRANSMIT_RING_BYTES
    }

    /// Goes on with the steps of a command, as far as they take no time.
    fn go_on(&mut self, now: Moment) {
        let connected = self.board.chip().is_connected();
        if self.stuck == Some(connected) {
            return;
        }
        self.stuck = None;
        while !self.is_blocked()
            && now.has_reached(Board::now(&self.board))
            && let Some(step) = self.steps.pop_front()
        {
            match step {
                Step::Send(bytes) => self.send(&bytes),
                Step::Status {
                    register,
                    set,
                    clear,
                } => {
                    let writes = [instruction::WRSR, instruction::WRSR2];
                    let value = self.read_register(register) & !clear | set;
                    self.send(&[writes[register], value]);
                }
                Step::Wait(duration) => self.board.spend(duration),
                Step::Poll if self.read_register(0) & status::WIP != 0 => {
                    self.steps.push_front(Step::Poll);
                    // The polls in between would find nothing else. A chip that is not there is
                    // busy for ever: only a reset helps.
                    match self.board.chip().busy_until() {
                        Some(until) => self.board.set_now(until),
                        None => {
                            self.stuck = Some(connected);
                            return;
                        }
                    }
                }
                Step::Poll => {}
                Step::Answer(byte) => self.write(byte),
            }
        }
    }
}

fn enable() -> Step {
    Step::Send(vec![instruction::WREN])
}

/// An instruction with three bytes of address.
fn at(instruction: u8, address: u32) -> [u8; 4] {
    let [_, a, b, c] = address.to_be_bytes();
    [instruction, a, b, c]
}

/// What `x` answers: the lock of the status registers, and how much of the memory is protected.
fn protection([first, second, third]: [u8; 3]) -> [u8; 2] {
    let registers = if second & 0x01 != 0 { 0x02 } else { 0x00 };
    let covered = match first & 0x1C {
        0x00 => 0x00,
        0x1C => 0x02,
        _ => 0x01,
    };
    let complement = second & 0x40 != 0;
    let memory = match (third & 0x04 != 0, complement) {
        (true, _) => 0x01,
        (false, true) => 0x02 - covered,
        (false, false) => covered,
    };
    [registers, memory]
}

/// What `?` answers. The first line is the sketch's; the others say the same in words of our own.
fn help(edition: Edition) -> String {
    let mut lines = vec![
        VERSION_TEXT,
        "commands:",
        " > : hello",
        " ? : this text",
        " rPPPPPPPP : page to buffer",
        " l : buffer as hexadecimal",
        " h : CRC of the buffer",
        " s... : 512 digits to the buffer",
        " wPPPPPPPP : buffer to page",
        " kSSSSSSSS : erase a sector",
        " n : erase the chip",
        " y : status registers",
        " x : protection",
        " p : protect",
        " u : unprotect",
    ];
    if edition != Edition::Of2018 {
        lines.extend([" i : id", " *NN : chip select pin", " oNNYZ : output pin"]);
    }
    lines.iter().flat_map(|line| [*line, LINE_END]).collect()
}

impl Device for Sketch {
    fn receive(&mut self, now: Moment, bytes: &[u8]) -> usize {
        self.go_on(now);
        let free =
            self.steps.is_empty() && !self.is_blocked() && now.has_reached(Board::now(&self.board));
        match bytes.first() {
            Some(&byte) if free => {
                self.take(byte);
                1
            }
            _ => 0,
        }
    }

    fn transmit(&mut self, now: Moment, _buffer: &mut [u8]) -> usize {
        self.go_on(now);
        // The interrupt sends.
        0
    }

    fn wake_up(&self) -> Option<Moment> {
        // When the board is free again its owner comes back by itself.
        None
    }

    fn reset(&mut self, _now: Moment) {
        self.set_up();
    }
}

impl Machine for Sketch {
    fn board(&self) -> &SpiBoard {
        &self.board
    }

    fn board_mut(&mut self) -> &mut SpiBoard {
        &mut self.board
    }

    fn interrupt(&mut self) -> Option<(Instant, u8)> {
        self.answers.pop_front()
    }

    fn take_complaints(&mut self) -> Vec<Complaint> {
        std::mem::take(&mut self.complaints)
    }
}
