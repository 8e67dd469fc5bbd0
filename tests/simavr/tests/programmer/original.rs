//! The protocol of nfd's sketch, answer by answer, and a client that does what the original does.
//!
//! What is expected is what the original sketch was seen to answer (nfd/spi-flash-programmer,
//! bca76ea of 2024), on this same board.

use std::time::Duration;

use flashwire_link::Link;
use flashwire_protocol::crc32::Crc32;
use flashwire_simavr::Config;
use flashwire_tests::bench::noise;
use flashwire_tests::original::{Failure, Original};

use crate::desk::{Build, Desk, chip, part_with};

const PAGE: usize = 256;

/// How long the longest command takes: the erase of 4 KiB, and the sketch's own waits.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long nothing may come for an answer to be over: much longer than a byte takes.
const SILENCE: Duration = Duration::from_millis(20);

/// A host that types.
struct Terminal {
    desk: Desk,
    link: Box<dyn Link>,
}

impl Terminal {
    /// At a board that has just started, with a W25Q64JV full of noise.
    fn new() -> Self {
        let desk = Desk::with(
            Build::Baud115200,
            Config::default(),
            Some(part_with("w25q64jv")),
        );
        let mut link = desk.open();
        link.pause(Duration::from_millis(50)).unwrap();
        Self { desk, link }
    }

    /// Sends a text and returns all that comes back until the board is silent.
    fn ask(&mut self, text: &str) -> String {
        self.link.send(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut buffer = [0; 64];
        let mut wait = PATIENCE;
        loop {
            let deadline = self.link.deadline(wait);
            match self.link.recv(&mut buffer, deadline).unwrap() {
                0 => return String::from_utf8(answer).expect("it speaks ASCII"),
                count => answer.extend(&buffer[..count]),
            }
            wait = SILENCE;
        }
    }

    #[track_caller]
    fn expect(&mut self, text: &str, answer: &str) {
        assert_eq!(self.ask(text), answer, "{text:?}");
    }

    fn page(&self, number: usize) -> Vec<u8> {
        self.desk.memory()[number * PAGE..][..PAGE].to_vec()
    }
}

const HELLO: &str = ">SPI Flash programmer v1.0\r\n>";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn crc(bytes: &[u8]) -> String {
    format!("{:08X}", Crc32::of(bytes))
}

#[test]
fn every_command_is_answered_byte_for_byte() {
    let mut terminal = Terminal::new();
    let page = terminal.page(3);
    terminal.expect(">", HELLO);
    // The buffer after a reset: DE AD BE EF, repeated.
    terminal.expect("h", "h08A89683\r\n");
    terminal.expect("r00000003", &format!("r{}", crc(&page)));
    terminal.expect("l", &format!("l{}\r\n", hex(&page)));
    terminal.expect("h", &format!("h{}\r\n", crc(&page)));
    terminal.expect("i", "i03EF4017");
    let registers = terminal
        .desk
        .uno
        .machine()
        .chip()
        .unwrap()
        .registers()
        .to_vec();
    terminal.expect("y", &format!("y03{}", hex(&registers)));
    terminal.expect("x", "x0000");
    let new = noise(PAGE, 7);
    terminal.expect(&format!("s{}", hex(&new)), &format!("s{}", crc(&new)));
    terminal.expect("k00000001", "k");
    terminal.expect("w00000011", "w");
    assert_eq!(terminal.page(0x11), new);
    assert_eq!(terminal.page(0x10), [0xFF; PAGE]);
    terminal.expect("p", "p");
    terminal.expect("y", &format!("y031C{}", hex(&registers[1..])));
    terminal.expect("x", "x0002");
    terminal.expect("u", "u");
    terminal.expect("x", "x0000");
    terminal.expect("o0711", "o");
    assert_eq!(
        terminal.desk.uno.machine().drive(7),
        flashwire_simavr::Drive::High
    );
    terminal.expect("o0710", "o");
    assert_eq!(
        terminal.desk.uno.machine().drive(7),
        flashwire_simavr::Drive::Low
    );
    terminal.expect("*09", "*");
    terminal.expect("i", "i03FFFFFF");
    terminal.expect("*0a", "*");
    terminal.expect("i", "i03EF4017");
    let help = terminal.ask("?");
    assert!(
        help.starts_with("SPI Flash programmer v1.0\r\n"),
        "{help:?}"
    );
    terminal.desk.is_flawless();
}

#[test]
fn all_of_a_chip_is_erased_by_one_letter() {
    let desk = Desk::with(
        Build::Baud115200,
        Config::default(),
        Some(chip(Default::default())),
    );
    let mut link = desk.open();
    link.pause(Duration::from_millis(50)).unwrap();
    link.send(b"n").unwrap();
    let mut answer = [0];
    // A W25Q80BV: 2 s.
    let deadline = link.deadline(Duration::from_secs(7));
    assert_eq!(link.recv(&mut answer, deadline).unwrap(), 1);
    assert_eq!(answer, *b"n");
    assert!(desk.memory().iter().all(|&byte| byte == 0xFF));
    desk.is_flawless();
}

#[test]
fn digits_are_read_in_either_case_and_answered_in_upper() {
    let mut terminal = Terminal::new();
    let new = noise(PAGE, 8);
    let answer = format!("s{}", crc(&new));
    terminal.expect(&format!("s{}", hex(&new)), &answer);
    terminal.expect(&format!("s{}", hex(&new).to_lowercase()), &answer);
    let page = crc(&terminal.page(0xABC));
    terminal.expect("r00000ABC", &format!("r{page}"));
    terminal.expect("r00000abc", &format!("r{page}"));
    terminal.desk.is_flawless();
}

#[test]
fn what_is_no_command_is_passed_over_in_silence() {
    let mut terminal = Terminal::new();
    for nothing in [
        "\r\n",
        " ",
        "0123456789abcdefABCDEF",
        "R00000000",
        "LHSWKNIYXPU",
        "!@~\x7F",
    ] {
        terminal.expect(nothing, "");
    }
    terminal.expect("\r\n>\r\n", HELLO);
    assert_eq!(
        terminal
            .desk
            .uno
            .machine()
            .chip()
            .unwrap()
            .activity()
            .erases,
        0
    );
    terminal.desk.is_flawless();
}

#[test]
fn a_bad_digit_is_told_at_once_and_the_rest_is_no_argument() {
    let mut terminal = Terminal::new();
    let page = terminal.page(0);
    for bad in [
        "r0000g000",
        "kx0000000",
        "wz",
        "*1g",
        "o071g",
        "r000000 0",
        "r\n",
        "k0000000\r",
    ] {
        terminal.expect(bad, "!");
    }
    // The rest of an argument is read as commands: these digits are none, this letter is.
    terminal.expect("rg0000000h", "!h08A89683\r\n");
    // What came before the bad digit is in the buffer.
    terminal.expect("s0102x", "!");
    let dump = terminal.ask("l");
    assert!(dump.starts_with("l0102BEEF"), "{dump:?}");
    assert_eq!(terminal.page(0), page);
    assert_eq!(
        terminal
            .desk
            .uno
            .machine()
            .chip()
            .unwrap()
            .activity()
            .erases,
        0
    );
    terminal.desk.is_flawless();
}

#[test]
fn a_half_sent_argument_is_waited_for_and_a_line_end_ends_it() {
    let mut terminal = Terminal::new();
    let page = crc(&terminal.page(1));
    for half in ["r", "r0000", "k0000000", "s01", "w0", "*0", "o07"] {
        terminal.expect(half, "");
        terminal.expect("\n", "!");
        terminal.expect(">", HELLO);
    }
    terminal.expect("r0000", "");
    terminal.link.pause(Duration::from_secs(5)).unwrap();
    terminal.expect("0001", &format!("r{page}"));
    terminal.desk.is_flawless();
}

#[test]
fn numbers_of_pages_and_sectors_are_cut_as_the_sketch_cuts_them() {
    let mut terminal = Terminal::new();
    let page = crc(&terminal.page(1));
    terminal.expect("r00010001", &format!("r{page}"));
    terminal.expect("k00001002", "k");
    assert_eq!(terminal.page(0x20), [0xFF; PAGE]);
    assert_ne!(terminal.page(0x1F), [0xFF; PAGE]);
    terminal.desk.is_flawless();
}

#[test]
fn commands_may_be_sent_ahead_while_the_answer_still_comes() {
    let mut terminal = Terminal::new();
    let (first, second) = (terminal.page(0), terminal.page(1));
    let expected = format!(
        "r{}l{}\r\nr{}l{}\r\n",
        crc(&first),
        hex(&first),
        crc(&second),
        hex(&second)
    );
    terminal.expect("r00000000lr00000001l", &expected);
    let new = noise(PAGE, 9);
    terminal.expect("k00000002", "k");
    let write = format!("s{}w00000020r00000020", hex(&new));
    terminal.expect(&write, &format!("s{0}wr{0}", crc(&new)));
    terminal.desk.is_flawless();
}

#[test]
fn the_original_client_does_all_that_it_can() {
    let desk = Desk::with(
        Build::Baud115200,
        Config::default(),
        Some(part_with("w25q64jv")),
    );
    let old = desk.memory();
    let mut client = Original::open(desk.open()).unwrap();
    client.page_sleep = Duration::from_millis(1);
    assert_eq!(client.hello(), "SPI Flash programmer v1.0");
    assert!(client.read(0x1100, 0x900).unwrap() == old[0x1100..0x1A00]);
    let new = noise(0x2000, 2);
    client.write(0x2000, &new).unwrap();
    assert_eq!(client.verify(0x2000, &new), [true; 32]);
    assert!(!client.verify(0x1F00, &new[..PAGE])[0]);
    client.erase(0x3000, 0x1000).unwrap();
    let mut expected = old;
    expected[0x2000..0x3000].copy_from_slice(&new[..0x1000]);
    expected[0x3000..0x4000].fill(0xFF);
    assert!(desk.memory() == expected);
    assert_eq!(client.id().unwrap(), [0xEF, 0x40, 0x17]);
    assert_eq!(client.protection().unwrap(), [0, 0]);
    client.protect(true).unwrap();
    assert_eq!(client.protection().unwrap(), [0, 2]);
    assert_eq!(client.status().unwrap()[0], 0x1C);
    client.protect(false).unwrap();
    assert_eq!(client.status().unwrap()[0], 0x00);
    client.set_output(7, Some(true)).unwrap();
    client.set_chip_select(9).unwrap();
    assert_eq!(client.id().unwrap(), [0xFF; 3], "the chip is at 10");
    desk.is_flawless();
}

#[test]
fn the_original_client_finds_what_a_protected_chip_did_not_take() {
    let desk = Desk::new(Build::Baud115200);
    desk.uno
        .machine_mut()
        .chip_mut()
        .unwrap()
        .set_register(0, 0x1C);
    let old = desk.memory();
    let mut client = Original::open(desk.open()).unwrap();
    client.page_sleep = Duration::from_millis(1);
    let failed = client.write(0, &[0x5A; 0x1000]);
    assert_eq!(failed, Err(Failure::Write { page: 0 }));
    assert!(desk.memory() == old);
}

#[test]
fn without_a_chip_the_original_client_gives_up_and_the_programmer_does_not_hang() {
    let desk = Desk::with(Build::Baud115200, Config::default(), None);
    let mut client = Original::open(desk.open()).unwrap();
    assert_eq!(client.erase(0, 0x1000), Err(Failure::Erase { sector: 0 }));
    assert_eq!(client.id().unwrap(), [0xFF; 3]);
    desk.is_flawless();
}
