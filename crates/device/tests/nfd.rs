//! The nfd programmer answers as the original sketch, byte for byte, and never hangs.

use flashwire_device::nfd::{Pins, Programmer};
use flashwire_device::{Board, Device, Moment};

/// A bus with one small chip: enough of it to see what a programmer does. Time passes with every
/// byte on the bus.
struct ChipBoard {
    memory: Vec<u8>,
    status: [u8; 3],
    /// Whether there is a chip; without one the bus reads all ones.
    present: bool,
    /// Microseconds that each write or erase takes.
    work_micros: u32,
    busy_until: u32,
    micros: u32,
    sent: Vec<u8>,
    /// Status writes that arrived while the chip was busy and were ignored.
    ignored_while_busy: usize,
    pins: Vec<(u8, Option<bool>)>,
    chip_select: u8,
}

impl ChipBoard {
    fn new() -> Self {
        Self {
            memory: vec![0xFF; 64 * 1024],
            status: [0; 3],
            present: true,
            work_micros: 700,
            busy_until: 0,
            micros: 0,
            sent: Vec::new(),
            ignored_while_busy: 0,
            pins: Vec::new(),
            chip_select: 10,
        }
    }

    fn is_busy(&self) -> bool {
        self.micros < self.busy_until
    }

    fn address(&self) -> usize {
        u32::from_be_bytes([0, self.sent[1], self.sent[2], self.sent[3]]) as usize
    }
}

impl Board for ChipBoard {
    fn now(&self) -> Moment {
        Moment::from_micros(self.micros)
    }

    fn select(&mut self, _line: u8) {
        self.sent.clear();
    }

    fn deselect(&mut self) {
        let sent = std::mem::take(&mut self.sent);
        let Some(&instruction) = sent.first() else {
            return;
        };
        if matches!(instruction, 0x05 | 0x35 | 0x15 | 0x03 | 0x9F) || !self.present {
            return;
        }
        if self.is_busy() {
            self.ignored_while_busy += 1;
            return;
        }
        let is_enabled = self.status[0] & 2 != 0;
        self.sent = sent;
        match instruction {
            0x06 => {
                self.status[0] |= 2;
                return;
            }
            _ if !is_enabled => return,
            0x02 => {
                let address = self.address();
                for (cell, byte) in self.memory[address..].iter_mut().zip(&self.sent[4..]) {
                    *cell &= byte;
                }
            }
            0x20 => {
                let address = self.address();
                self.memory[address..address + 4096].fill(0xFF);
            }
            0xC7 => self.memory.fill(0xFF),
            0x01 => self.status[0] = self.sent[1],
            0x31 => self.status[1] = self.sent[1],
            other => panic!("instruction {other:#04x}"),
        }
        self.status[0] &= !2;
        self.busy_until = self.micros + self.work_micros;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.micros += bytes.len() as u32;
        self.sent.extend(bytes);
    }

    fn start_read(&mut self, _count: u32) {}

    fn finish_read(&mut self, out: &mut [u8]) {
        self.micros += out.len() as u32;
        let busy = u8::from(self.is_busy());
        for (index, byte) in out.iter_mut().enumerate() {
            *byte = match self.sent[0] {
                _ if !self.present => 0xFF,
                0x05 => self.status[0] | busy,
                0x35 => self.status[1],
                0x15 => self.status[2],
                0x9F => [0xEF, 0x40, 0x14][index],
                0x03 => self.memory[self.address() + index],
                other => panic!("instruction {other:#04x}"),
            };
        }
    }

    fn set_clock(&mut self, hz: u32) -> u32 {
        hz
    }

    fn set_outputs(&mut self, _driven: bool) {}
}

impl Pins for ChipBoard {
    fn choose_chip_select(&mut self, pin: u8) {
        self.chip_select = pin;
    }

    fn drive(&mut self, pin: u8, level: Option<bool>) {
        self.pins.push((pin, level));
    }
}

const HELP: &str = "SPI Flash programmer v1.0\r\nhelp\r\n";

fn programmer() -> Programmer<ChipBoard> {
    Programmer::new(ChipBoard::new(), HELP)
}

/// Sends bytes and fetches all that comes, `step` bytes at a time; bounded by what the longest wait
/// of the programmer needs.
fn exchange_in_steps(
    programmer: &mut Programmer<ChipBoard>,
    mut bytes: &[u8],
    step: usize,
) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut buffer = vec![0; step];
    for _ in 0..2_000_000 {
        let now = programmer.board().now();
        let taken = programmer.receive(now, &bytes[..step.min(bytes.len())]);
        bytes = &bytes[taken..];
        let filled = programmer.transmit(now, &mut buffer);
        answer.extend(&buffer[..filled]);
        if bytes.is_empty() && filled == 0 && programmer.wake_up().is_none() {
            return answer;
        }
    }
    panic!("no end; so far: {}", answer.escape_ascii());
}

fn exchange(programmer: &mut Programmer<ChipBoard>, bytes: &[u8]) -> String {
    String::from_utf8(exchange_in_steps(programmer, bytes, 64)).unwrap()
}

fn fill_command(page: &[u8]) -> Vec<u8> {
    let digits = page.iter().map(|byte| format!("{byte:02x}"));
    format!("s{}", digits.collect::<String>()).into_bytes()
}

#[test]
fn hello_is_greeting_version_line_end_greeting() {
    assert_eq!(
        exchange(&mut programmer(), b">"),
        ">SPI Flash programmer v1.0\r\n>"
    );
    assert_eq!(exchange(&mut programmer(), b"?"), HELP);
}

#[test]
fn the_buffer_holds_deadbeef_after_a_reset() {
    let mut programmer = programmer();
    assert_eq!(exchange(&mut programmer, b"h"), "h08A89683\r\n");
    let dump = exchange(&mut programmer, b"l");
    assert_eq!(dump, format!("l{}\r\n", "DEADBEEF".repeat(64)));
    assert_eq!(dump.len(), 515);
}

#[test]
fn a_page_is_filled_programmed_and_read_back() {
    let mut programmer = programmer();
    let page: Vec<u8> = (0..=255).collect();
    // CRC-32 of the bytes 00 to FF.
    assert_eq!(exchange(&mut programmer, &fill_command(&page)), "s29058C73");
    assert_eq!(exchange(&mut programmer, b"w00000002"), "w");
    assert_eq!(programmer.board().memory[0x200..0x300], page);
    assert_eq!(
        exchange(&mut programmer, b"r00000000"),
        "rFEA8A821",
        "CRC of a blank page"
    );
    assert_eq!(
        exchange(&mut programmer, b"r00000002h"),
        "r29058C73h29058C73\r\n"
    );
}

#[test]
fn erases_answer_when_the_chip_is_ready() {
    let mut programmer = programmer();
    programmer.board_mut().memory.fill(0);
    programmer.board_mut().work_micros = 45_000;
    assert_eq!(exchange(&mut programmer, b"k00000001"), "k");
    assert!(!programmer.board().is_busy());
    assert_eq!(programmer.board().memory[0x0FFF], 0);
    assert!(
        programmer.board().memory[0x1000..0x2000]
            .iter()
            .all(|&byte| byte == 0xFF)
    );
    assert_eq!(programmer.board().memory[0x2000], 0);
    assert_eq!(exchange(&mut programmer, b"n"), "n");
    assert!(programmer.board().memory.iter().all(|&byte| byte == 0xFF));
}

#[test]
fn id_status_and_protection_are_counted_bytes_in_upper_case() {
    let mut programmer = programmer();
    programmer.board_mut().status = [0x1C, 0x41, 0x60];
    assert_eq!(exchange(&mut programmer, b"iyx"), "i03EF4014y031C4160x0200");
}

#[test]
fn protecting_answers_first_and_then_writes_both_registers_when_the_chip_takes_them() {
    let mut programmer = programmer();
    programmer.board_mut().status = [0x80, 0x42, 0x00];
    programmer.board_mut().work_micros = 10_000;
    assert_eq!(exchange(&mut programmer, b"p"), "p");
    assert_eq!(
        programmer.board().status,
        [0x9C, 0x02, 0x00],
        "BP0-2 set, CMP cleared"
    );
    assert_eq!(exchange(&mut programmer, b"u"), "u");
    assert_eq!(programmer.board().status, [0x80, 0x02, 0x00]);
    assert_eq!(
        programmer.board().ignored_while_busy,
        0,
        "the sketch's own fault is not repeated"
    );
}

#[test]
fn pins_are_chosen_and_driven() {
    let mut programmer = programmer();
    assert_eq!(exchange(&mut programmer, b"*09o0A00o0810o0711"), "*ooo");
    assert_eq!(programmer.board().chip_select, 9);
    let pins = [(10, None), (8, Some(false)), (7, Some(true))];
    assert_eq!(programmer.board().pins, pins);
}

#[test]
fn what_starts_no_command_is_ignored_and_case_matters_for_letters_only() {
    let mut programmer = programmer();
    assert_eq!(
        exchange(&mut programmer, b"\r\n 0123456789abcdefABCDEFRWK"),
        ""
    );
    assert_eq!(
        exchange(&mut programmer, b"k0000000f"),
        exchange(&mut programmer, b"k0000000F")
    );
}

#[test]
fn a_bad_digit_drops_the_command_and_is_consumed() {
    let mut programmer = programmer();
    programmer.board_mut().memory.fill(0);
    assert_eq!(
        exchange(&mut programmer, b"k0000g000"),
        "!",
        "the rest are digits: no commands"
    );
    assert_eq!(
        exchange(&mut programmer, b"s0102k>"),
        "!>SPI Flash programmer v1.0\r\n>"
    );
    assert!(
        programmer.board().memory.iter().all(|&byte| byte == 0),
        "no erase was run"
    );
    let dump = exchange(&mut programmer, b"l");
    assert!(
        dump.starts_with("l0102BEEF"),
        "bytes before the bad digit stay: {dump}"
    );
}

#[test]
fn a_chip_that_never_gets_ready_is_an_error_and_not_a_hang() {
    for command in [&b"w00000000"[..], b"k00000000"] {
        let mut programmer = programmer();
        programmer.board_mut().present = false;
        assert_eq!(exchange(&mut programmer, command), "!");
        let waited = programmer.board().now().micros();
        assert!(
            waited < 3_000_000,
            "the original client waits for three seconds: {waited} us"
        );
        programmer.board_mut().present = true;
        assert_eq!(
            exchange(&mut programmer, b"i"),
            "i03EF4014",
            "and it goes on"
        );
    }
}

#[test]
fn how_the_bytes_are_cut_changes_nothing() {
    let mut job = fill_command(&[0xA5; 256]);
    job.extend(b"w00000003r00000003l?yx>i\nk00000000h");
    let whole = exchange_in_steps(&mut programmer(), &job, 4096);
    for step in [1, 2, 3, 7, 63, 64, 515] {
        let cut = exchange_in_steps(&mut programmer(), &job, step);
        assert_eq!(
            cut.escape_ascii().to_string(),
            whole.escape_ascii().to_string(),
            "{step}"
        );
    }
}

#[test]
fn a_reset_forgets_half_a_command() {
    let mut programmer = programmer();
    programmer.board_mut().memory.fill(0);
    let now = programmer.board().now();
    assert_eq!(programmer.receive(now, b"k000000"), 7);
    programmer.reset(now);
    assert_eq!(
        exchange(&mut programmer, b"00>"),
        ">SPI Flash programmer v1.0\r\n>"
    );
    assert!(programmer.board().memory.iter().all(|&byte| byte == 0));
}
