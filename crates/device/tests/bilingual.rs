//! The programmer that speaks two languages keeps to the one that its host begins with.

mod chip;

use chip::ChipBoard;
use flashwire_device::bilingual::{Language, Programmer, SILENCE_MS};
use flashwire_device::serprog::Config;
use flashwire_device::{Board, Device};
use flashwire_protocol::serprog::{ACK, NAK, Request, SYNC_ANSWER, U24};

const HELP: &str = "SPI Flash programmer v1.0\r\nhelp\r\n";
const SYNCNOP: u8 = 0x10;

/// Just reset.
fn fresh() -> Programmer<ChipBoard> {
    let config = Config::unlimited("flashwire-test", 8_000_000);
    Programmer::new(ChipBoard::new(), config, HELP)
}

/// Reset some time ago.
fn ready() -> Programmer<ChipBoard> {
    let mut programmer = fresh();
    wait_ms(&mut programmer, SILENCE_MS);
    programmer
}

fn wait_ms(programmer: &mut Programmer<ChipBoard>, ms: u16) {
    programmer.board_mut().micros += u32::from(ms) * 1000;
}

/// Sends bytes and fetches all that comes; bounded by what a chip erase needs.
fn exchange(programmer: &mut Programmer<ChipBoard>, mut bytes: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut buffer = [0; 64];
    for _ in 0..100_000 {
        let now = programmer.board().now();
        let taken = programmer.receive(now, bytes);
        bytes = &bytes[taken..];
        let now = programmer.board().now();
        let filled = programmer.transmit(now, &mut buffer);
        answer.extend(&buffer[..filled]);
        if bytes.is_empty() && filled == 0 && programmer.wake_up().is_none() {
            break;
        }
    }
    answer
}

fn spi_op(data: &[u8], receive: u32) -> Vec<u8> {
    let header = Request::OSpiOp {
        send: U24::new(data.len() as u32).unwrap(),
        receive: U24::new(receive).unwrap(),
    };
    [header.encode().as_bytes(), data].concat()
}

/// What a host sends to program a page, after it has greeted the programmer.
fn write_page(page: &[u8]) -> Vec<u8> {
    let program = [&[0x02, 0, 1, 0], page].concat();
    [
        vec![SYNCNOP],
        spi_op(&[0x06], 0),
        spi_op(&program, 0),
        spi_op(&[0x05], 1),
    ]
    .concat()
}

/// How often an erase or a write of a status register was sent to the chip.
fn changes_beside_programs(programmer: &Programmer<ChipBoard>) -> usize {
    let sent = programmer.board().instructions.iter();
    sent.filter(|instruction| matches!(instruction, 0x20 | 0x52 | 0xD8 | 0xC7 | 0x60 | 0x01 | 0x31))
        .count()
}

#[test]
fn the_first_command_decides_until_the_next_reset() {
    let mut programmer = ready();
    assert_eq!(programmer.language(), None);
    assert_eq!(
        exchange(&mut programmer, b">"),
        b">SPI Flash programmer v1.0\r\n>"
    );
    assert_eq!(programmer.language(), Some(Language::Nfd));
    assert_eq!(exchange(&mut programmer, &[SYNCNOP, 0x00]), b"");
    assert_eq!(exchange(&mut programmer, b"i"), b"i03EF4014");

    let now = programmer.board().now();
    programmer.reset(now);
    wait_ms(&mut programmer, SILENCE_MS);
    assert_eq!(programmer.language(), None);
    assert_eq!(exchange(&mut programmer, &[SYNCNOP]), SYNC_ANSWER);
    assert_eq!(programmer.language(), Some(Language::Serprog));
    let chip_id = exchange(&mut programmer, &spi_op(&[0x9F], 3));
    assert_eq!(chip_id, [ACK, 0xEF, 0x40, 0x14]);
}

#[test]
fn each_command_of_either_language_can_be_the_first() {
    for letter in *b">?rlhswkniyxpu*o" {
        let mut programmer = ready();
        exchange(&mut programmer, &[letter]);
        assert_eq!(programmer.language(), Some(Language::Nfd), "{letter:?}");
    }
    for opcode in [
        0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x08, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x80,
    ] {
        let mut programmer = ready();
        exchange(&mut programmer, &[opcode]);
        assert_eq!(
            programmer.language(),
            Some(Language::Serprog),
            "{opcode:#04x}"
        );
    }
}

#[test]
fn what_is_no_command_decides_nothing_and_draws_no_answer() {
    let mut programmer = ready();
    assert_eq!(exchange(&mut programmer, b"\r\n 09afAFRWKAT!\xFF\x7F"), b"");
    assert_eq!(programmer.language(), None);
    assert_eq!(
        exchange(&mut programmer, b"\n>"),
        b">SPI Flash programmer v1.0\r\n>"
    );
}

#[test]
fn letters_are_refused_in_serprog_and_the_chip_does_not_see_them() {
    let mut programmer = ready();
    exchange(&mut programmer, &[SYNCNOP]);
    let letters = b">?rlhswkniyxpu*o";
    assert_eq!(exchange(&mut programmer, letters), vec![NAK; letters.len()]);
    assert_eq!(programmer.board().instructions, []);
}

/// Each byte in turn is lost on the way to a programmer that would erase the chip at a letter of
/// the page.
#[test]
fn a_byte_lost_from_a_page_write_erases_nothing() {
    let letters = b">?rlhswkniyxpu*o";
    let of_letters: Vec<u8> = letters.iter().copied().cycle().take(256).collect();
    for page in [vec![b'n'; 256], of_letters] {
        let job = write_page(&page);
        for lost in 0..job.len() {
            let mut programmer = ready();
            programmer.board_mut().memory.fill(0x55);
            let mut sent = job.clone();
            sent.remove(lost);
            // What the host sends next, and what it sends to get into step again.
            sent.extend(write_page(&page));
            sent.extend([[0x00; 600].as_slice(), &[SYNCNOP; 4]].concat());
            exchange(&mut programmer, &sent);
            assert_eq!(changes_beside_programs(&programmer), 0, "byte {lost}");
            let erased = programmer
                .board()
                .memory
                .iter()
                .any(|&byte| byte & !0x55 != 0);
            assert!(!erased, "byte {lost}");
        }
    }
}

/// The host goes on with its page and does not know of the reset.
#[test]
fn what_is_left_of_a_page_after_a_reset_is_not_listened_to() {
    let job = write_page(&[b'n'; 256]);
    for cut in 0..job.len() {
        let mut programmer = ready();
        programmer.board_mut().memory.fill(0x55);
        exchange(&mut programmer, &job[..cut]);
        let now = programmer.board().now();
        programmer.reset(now);
        for byte in &job[cut..] {
            // 87 us a byte at 115200 baud, and now and then a pause between two frames of USB.
            programmer.board_mut().micros += if cut % 64 == 0 { 2000 } else { 87 };
            let now = programmer.board().now();
            assert_eq!(programmer.receive(now, &[*byte]), 1);
        }
        assert_eq!(programmer.language(), None, "cut at {cut}");
        assert_eq!(changes_beside_programs(&programmer), 0, "cut at {cut}");
        wait_ms(&mut programmer, SILENCE_MS);
        assert_eq!(exchange(&mut programmer, &[SYNCNOP]), SYNC_ANSWER);
    }
}

#[test]
fn silence_is_waited_for_after_a_reset_and_the_wait_ends_by_itself() {
    let mut programmer = fresh();
    let start = programmer.board().now();
    assert_eq!(
        programmer.wake_up(),
        Some(start.plus_millis(SILENCE_MS)),
        "the owner is to come back"
    );
    assert_eq!(programmer.receive(start, b">"), 1);
    assert_eq!(programmer.language(), None);
    wait_ms(&mut programmer, SILENCE_MS);
    let now = programmer.board().now();
    assert_eq!(programmer.transmit(now, &mut []), 0);
    assert_eq!(programmer.wake_up(), None);
    // However long ago: the clock has gone round meanwhile.
    programmer.board_mut().micros = start.micros();
    assert_eq!(exchange(&mut programmer, b"h"), b"h08A89683\r\n");
}

#[test]
fn pins_are_let_go_by_a_reset_and_driven_by_the_first_job() {
    let mut programmer = ready();
    assert!(!programmer.board().outputs);
    exchange(&mut programmer, b">");
    assert!(programmer.board().outputs, "as the sketch does");
    let now = programmer.board().now();
    programmer.reset(now);
    assert!(!programmer.board().outputs);
    wait_ms(&mut programmer, SILENCE_MS);
    exchange(&mut programmer, &[SYNCNOP]);
    assert!(!programmer.board().outputs, "a host has only asked");
    exchange(&mut programmer, &spi_op(&[0x9F], 3));
    assert!(programmer.board().outputs);
}

#[test]
fn a_reset_in_the_middle_forgets_buffer_and_argument() {
    let mut programmer = ready();
    exchange(&mut programmer, b"s0011223344k0000");
    let now = programmer.board().now();
    programmer.reset(now);
    wait_ms(&mut programmer, SILENCE_MS);
    assert_eq!(exchange(&mut programmer, b"0000h"), b"h08A89683\r\n");
}
