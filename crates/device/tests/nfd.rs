//! The nfd programmer answers as the original sketch, byte for byte, and never hangs.

mod chip;

use chip::ChipBoard;
use flashwire_device::nfd::Programmer;
use flashwire_device::{Board, Device};

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
