//! The serprog programmer as a host sees it: bytes in, bytes out, transactions on the bus.

mod board;

use board::{CLOCKS, TestBoard, Transaction, ask, converse};
use flashwire_device::serprog::{Config, Programmer};
use flashwire_device::{Board, Device};
use flashwire_protocol::crc32::Crc32;
use flashwire_protocol::serprog::extension::{Program, Range};
use flashwire_protocol::serprog::{ACK, NAK, Opcode, Request, SYNC_ANSWER, U24};
use proptest::prelude::*;

const SPI_HZ: u32 = 9_000_000;

fn programmer() -> Programmer<TestBoard> {
    with(Config::unlimited("flashwire-test", SPI_HZ))
}

fn with(config: Config) -> Programmer<TestBoard> {
    Programmer::new(TestBoard::default(), config)
}

fn limited() -> Config {
    Config {
        serial_buffer_bytes: 250,
        max_send_bytes: 256,
        max_receive_bytes: 1000,
        chip_selects: 2,
        ..Config::unlimited("flashwire-test", SPI_HZ)
    }
}

/// An O_SPIOP.
fn spi_op(data: &[u8], receive: u32) -> Vec<u8> {
    let header = Request::OSpiOp {
        send: U24::new(data.len() as u32).unwrap(),
        receive: U24::new(receive).unwrap(),
    };
    [header.encode().as_bytes(), data].concat()
}

/// An X_PROGRAM of one page at `address` with a check value that fits.
fn x_program(wait_ms: u16, address: u32, data: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = address.to_be_bytes();
    let head = [0x02, a, b, c];
    let (header, check) = Program::frame(wait_ms, &head, data).unwrap();
    [header.as_bytes(), &head, data, &check].concat()
}

fn range(request: impl Fn(Range) -> Request, head: &[u8], length_bytes: u32) -> Vec<u8> {
    let header = request(Range {
        head_bytes: head.len() as u8,
        length: U24::new(length_bytes).unwrap(),
    });
    [header.encode().as_bytes(), head].concat()
}

/// One of each command, valid and refused ones.
fn one_of_each() -> Vec<Vec<u8>> {
    let mut commands: Vec<Vec<u8>> = vec![
        vec![0x00],
        vec![0x01],
        vec![0x02],
        vec![0x03],
        vec![0x04],
        vec![0x05],
        vec![0x06],
        vec![0x07],
        vec![0x08],
        vec![0x09, 1, 2, 3],
        vec![0x0A, 1, 2, 3, 4, 0, 0],
        vec![0x0B],
        vec![0x0C, 1, 2, 3, 4],
        vec![0x0D, 3, 0, 0, 0, 0, 0, 0xA1, 0xA2, 0xA3],
        vec![0x0E, 1, 0, 0, 0],
        vec![0x0F],
        vec![0x10],
        vec![0x11],
        vec![0x12, 0x08],
        vec![0x12, 0x01],
        vec![0x14, 0x40, 0x54, 0x89, 0x00],
        vec![0x14, 0, 0, 0, 0],
        vec![0x15, 1],
        vec![0x15, 0],
        vec![0x16, 0],
        vec![0x16, 9],
        vec![0x17, 0],
        vec![0x18, 0],
        vec![0x19],
        vec![0xFF],
        vec![0x80],
    ];
    commands.push(spi_op(&[], 0));
    commands.push(spi_op(&[0x06], 0));
    commands.push(spi_op(&[0x9F], 3));
    commands.push(spi_op(&[0x03, 0, 0, 0], 300));
    commands.push(spi_op(&[0x02; 260], 0));
    commands.push(range(Request::XCrc, &[0x03, 0, 0, 0], 200));
    commands.push(range(Request::XBlank, &[0x03, 0, 0, 0], 200));
    commands.push(range(Request::XCrc, &[0xD8, 0, 0, 0], 200));
    commands.push(range(Request::XCrc, &[], 200));
    commands.push(range(Request::XBlank, &[0x03; 20], 200));
    commands.push(x_program(5, 0x100, &[0x5A; 256]));
    commands
}

#[test]
fn the_start_of_a_flashrom_session_is_answered_to_the_byte() {
    let mut programmer = programmer();
    // Eight NOPs, two SYNCNOPs, Q_IFACE, Q_CMDMAP, Q_BUSTYPE, S_BUSTYPE, Q_WRNMAXLEN, Q_RDNMAXLEN,
    // S_BUSTYPE, Q_PGMNAME, Q_SERBUF, S_PIN_STATE: the order of flashrom 1.3.
    let input = [
        0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x10, 0x01, 0x02, 0x05, 0x12, 0x08, 0x08, 0x11, 0x12, 0x08,
        0x03, 0x04, 0x15, 0x01,
    ];
    let mut expected = vec![0x06; 8];
    expected.extend([0x15, 0x06, 0x15, 0x06]);
    expected.extend([0x06, 0x01, 0x00]);
    expected.push(0x06);
    expected.extend([0x3F, 0x01, 0x7F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0x0F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0x06, 0x08]);
    expected.push(0x06);
    expected.extend([0x06, 0, 0, 0]);
    expected.extend([0x06, 0, 0, 0]);
    expected.push(0x06);
    expected.extend(b"\x06flashwire-test\0\0");
    expected.extend([0x06, 0xFF, 0xFF]);
    expected.push(0x06);
    assert_eq!(ask(&mut programmer, &input), expected);
    assert!(programmer.board().outputs);
}

#[test]
fn an_spi_operation_is_one_transaction() {
    let mut programmer = programmer();
    let answers = ask(&mut programmer, &spi_op(&[0x9F], 3));
    assert_eq!(answers, [ACK, 0xEF, 0x40, 0x17]);
    assert_eq!(
        programmer.board().log,
        [Transaction {
            line: 0,
            sent: vec![0x9F],
            read: 3
        }]
    );
}

#[test]
fn empty_spi_operations_select_and_deselect() {
    let mut programmer = programmer();
    assert_eq!(ask(&mut programmer, &spi_op(&[], 0)), [ACK]);
    assert_eq!(ask(&mut programmer, &spi_op(&[], 2)), [ACK, 0, 1]);
    let log = &programmer.board().log;
    assert_eq!(log.len(), 2);
    assert_eq!((log[0].sent.len(), log[0].read), (0, 0));
    assert_eq!((log[1].sent.len(), log[1].read), (0, 2));
}

#[test]
fn long_operations_stream_both_ways() {
    let mut programmer = programmer();
    programmer.board_mut().memory = (0..100_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
    let memory = programmer.board().memory.clone();
    let answers = ask(&mut programmer, &spi_op(&[0x03, 0, 0, 0], 100_000));
    assert_eq!(answers[0], ACK);
    assert!(answers[1..] == memory, "the content differs");

    let long = vec![0x77; 70_000];
    assert_eq!(ask(&mut programmer, &spi_op(&long, 0)), [ACK]);
    assert!(programmer.board().log[1].sent == long);
}

#[test]
fn a_long_answer_fills_every_packet_but_the_last() {
    let mut programmer = programmer();
    let input = spi_op(&[0x03, 0, 0, 0], 1000);
    let now = programmer.board().now();
    assert_eq!(programmer.receive(now, &input), input.len());
    let mut sizes = Vec::new();
    let mut packet = [0; 64];
    while let Some(size) = Some(programmer.transmit(now, &mut packet)).filter(|&size| size > 0) {
        sizes.push(size);
    }
    assert_eq!(sizes, [vec![64; 15], vec![1001 - 15 * 64]].concat());
}

#[test]
fn answers_of_commands_sent_together_are_packed_together() {
    let mut programmer = programmer();
    let input = [spi_op(&[0x06], 0), spi_op(&[0x05], 1), vec![0x10]].concat();
    let now = programmer.board().now();
    assert_eq!(programmer.receive(now, &input), input.len());
    let mut packet = [0; 64];
    assert_eq!(programmer.transmit(now, &mut packet), 1 + 2 + 2);
    assert_eq!(packet[..5], [ACK, ACK, 0, NAK, ACK]);
}

#[test]
fn a_host_that_does_not_fetch_answers_is_held_up_and_loses_none() {
    let mut programmer = programmer();
    let input = [0x03; 100];
    let now = programmer.board().now();
    let taken = programmer.receive(now, &input);
    // Three names of 17 bytes fit into a packet; the fourth is not begun.
    assert_eq!(taken, 3);
    assert_eq!(programmer.receive(now, &input[taken..]), 0);
    let answers = ask(&mut programmer, &input[taken..]);
    assert_eq!(answers.len(), 100 * 17);
}

#[test]
fn input_chopped_anywhere_gives_the_same_answers_and_transactions() {
    let mut input: Vec<u8> = one_of_each().concat();
    input.extend(one_of_each().concat());
    let mut whole = with(limited());
    let (expected, left) = converse(&mut whole, &input, input.len(), 4096);
    assert_eq!(left, 0);
    assert!(expected.len() > 2 * 400, "{}", expected.len());
    for split in 0..=input.len() {
        let mut programmer = with(limited());
        let (mut answers, _) = converse(&mut programmer, &input[..split], split.max(1), 64);
        answers.extend(converse(&mut programmer, &input[split..], input.len(), 64).0);
        assert!(answers == expected, "split at {split}");
        assert!(
            programmer.board().log == whole.board().log,
            "split at {split}"
        );
        assert!(programmer.board().misuse.is_empty());
    }
    for chunk in 1..70 {
        for packet in [1, 2, 63, 64] {
            let mut programmer = with(limited());
            let (answers, _) = converse(&mut programmer, &input, chunk, packet);
            assert!(
                answers == expected,
                "chunks of {chunk}, packets of {packet}"
            );
        }
    }
}

#[test]
fn every_truncated_command_is_ended_by_as_many_nops_as_bytes_are_missing() {
    for command in one_of_each() {
        for length in 0..command.len() {
            let mut programmer = with(limited());
            ask(&mut programmer, &command[..length]);
            // NOPs are zeros: where they fall into a length they make it no longer than it was.
            let missing = vec![Opcode::Nop.code(); command.len() - length];
            ask(&mut programmer, &missing);
            // A refused X_PROGRAM wants four SYNCNOPs, everything else one.
            let answers = ask(&mut programmer, &[Opcode::SyncNop.code(); 4]);
            assert!(
                answers.ends_with(&SYNC_ANSWER),
                "{command:02X?} cut at {length}"
            );
            assert_eq!(ask(&mut programmer, &[0x10]), SYNC_ANSWER);
            assert_eq!(ask(&mut programmer, &[0x00]), [ACK]);
            assert!(programmer.board().misuse.is_empty());
        }
    }
}

#[test]
fn every_truncated_command_is_ended_by_syncnops_alone_if_there_are_enough() {
    for command in one_of_each() {
        for length in 0..command.len() {
            let mut programmer = with(limited());
            ask(&mut programmer, &command[..length]);
            // They may fall into a length: then it is 0x101010 at most, and what it wants too.
            let mut sent = 0;
            let mut answers = Vec::new();
            while !answers.ends_with(&SYNC_ANSWER) {
                assert!(sent < 0x11_0000, "{command:02X?} cut at {length}");
                answers = ask(&mut programmer, &[Opcode::SyncNop.code(); 4096]);
                sent += 4096;
            }
            assert_eq!(ask(&mut programmer, &[0x00]), [ACK]);
            assert!(programmer.board().misuse.is_empty());
        }
    }
}

#[test]
fn whatever_is_refused_is_swallowed_whole() {
    let refused = [
        vec![0x06],
        vec![0x07],
        vec![0x09, 0x13, 0x13, 0x13],
        vec![0x0A, 0x13, 0x13, 0x13, 0x13, 0x13, 0x13],
        vec![0x0B],
        vec![0x0C, 0x13, 0x13, 0x13, 0x13],
        vec![0x0D, 4, 0, 0, 0x13, 0x13, 0x13, 0x13, 0x13, 0x13, 0x13],
        vec![0x0D, 0, 0, 0, 0x13, 0x13, 0x13],
        vec![0x0E, 0x13, 0x13, 0x13, 0x13],
        vec![0x0F],
        vec![0x12, 0x07],
        vec![0x14, 0, 0, 0, 0],
        vec![0x16, 2],
        vec![0x17, 1],
        vec![0x18, 1],
        spi_op(&[0x13; 262], 0),
        spi_op(&[0x13; 10], 1001),
        spi_op(&[], 1001),
        range(Request::XCrc, &[0x20, 0x13, 0x13, 0x13], 4),
        range(Request::XBlank, &[0x13; 9], 4),
        range(Request::XBlank, &[], 4),
        range(Request::XCrc, &[0x03, 0x13, 0x13, 0x13], (1 << 20) + 1),
    ];
    for command in refused {
        let mut programmer = with(limited());
        let answers = ask(&mut programmer, &[command.as_slice(), &[0x00]].concat());
        assert_eq!(answers, [NAK, ACK], "{command:02X?}");
        assert_eq!(programmer.board().log, []);
    }
}

#[test]
fn flashroms_five_bytes_more_than_the_limit_are_taken() {
    let mut programmer = with(limited());
    assert_eq!(ask(&mut programmer, &[0x08]), [ACK, 0x00, 0x01, 0x00]);
    assert_eq!(ask(&mut programmer, &[0x11]), [ACK, 0xE8, 0x03, 0x00]);
    let page = [0x12; 261];
    assert_eq!(ask(&mut programmer, &spi_op(&page, 0)), [ACK]);
    assert_eq!(programmer.board().log[0].sent, page);
    let answers = ask(&mut programmer, &spi_op(&[0x03, 0, 0, 0], 1000));
    assert_eq!(answers.len(), 1001);
}

#[test]
fn clock_line_and_pins_are_set_and_told() {
    let mut programmer = with(limited());
    assert_eq!(programmer.board().spi_hz, SPI_HZ);
    let set = |hz: u32| [&[0x14], hz.to_le_bytes().as_slice()].concat();
    for (wanted, got) in [
        (50_000_000, CLOCKS[0]),
        (17_999_999, CLOCKS[1]),
        (1, CLOCKS[2]),
    ] {
        let answers = ask(&mut programmer, &set(wanted));
        assert_eq!(answers, [&[ACK], got.to_le_bytes().as_slice()].concat());
        assert_eq!(programmer.board().spi_hz, got);
    }
    assert!(!programmer.board().outputs);
    assert_eq!(ask(&mut programmer, &[0x15, 0xFF]), [ACK]);
    assert!(programmer.board().outputs);
    assert_eq!(ask(&mut programmer, &[0x15, 0x00]), [ACK]);
    assert!(!programmer.board().outputs);
    assert_eq!(ask(&mut programmer, &[0x16, 1]), [ACK]);
    ask(&mut programmer, &spi_op(&[0x06], 0));
    assert_eq!(programmer.board().log[0].line, 1);
    assert!(programmer.board().outputs, "an operation drives the pins");
}

#[test]
fn a_reset_in_the_middle_of_anything_leaves_a_fresh_programmer() {
    for command in one_of_each() {
        for length in 0..=command.len() {
            let mut programmer = with(limited());
            ask(&mut programmer, &[0x14, 0xFF, 0xFF, 0xFF, 0x00, 0x16, 1]);
            let now = programmer.board().now();
            programmer.receive(now, &command[..length]);
            programmer.reset(now);
            assert!(programmer.wake_up().is_none() && !programmer.is_busy());
            assert!(!programmer.board().outputs);
            assert_eq!(programmer.board().spi_hz, SPI_HZ);
            let before = programmer.board().log.len();
            assert_eq!(ask(&mut programmer, &[0x10]), SYNC_ANSWER);
            assert_eq!(ask(&mut programmer, &spi_op(&[0x06], 0)), [ACK]);
            assert_eq!(programmer.board().log.len(), before + 1);
            assert_eq!(programmer.board().log[before].line, 0);
            assert!(programmer.board().misuse.is_empty());
        }
    }
}

#[test]
fn without_extensions_they_are_neither_listed_nor_known() {
    let mut programmer = with(Config {
        extensions: false,
        ..limited()
    });
    let map = ask(&mut programmer, &[0x02]);
    assert_eq!(map[1 + 16], 0);
    // Unknown codes have unknown lengths: each byte is a command of its own.
    assert_eq!(
        ask(&mut programmer, &[0x80, 0x81, 0x83, 0x00]),
        [NAK, NAK, NAK, ACK]
    );
}

#[test]
fn a_crc_is_that_of_what_a_read_would_have_answered() {
    let mut programmer = programmer();
    programmer.board_mut().memory = (0..5000u32).map(|i| ((i * 31) >> 2) as u8).collect();
    let memory = programmer.board().memory.clone();
    for (start, length) in [(0, 5000), (17, 1), (100, 64), (100, 65), (0, 0)] {
        let [_, a, b, c] = (start as u32).to_be_bytes();
        for head in [vec![0x03, a, b, c], vec![0x0B, a, b, c, 0]] {
            let answers = ask(&mut programmer, &range(Request::XCrc, &head, length as u32));
            let expected = Crc32::of(&memory[start..start + length]).to_le_bytes();
            assert_eq!(answers, [&[ACK], expected.as_slice()].concat());
            assert_eq!(programmer.board().log.last().unwrap().sent, head);
        }
    }
}

#[test]
fn a_blank_check_counts_blank_bytes_and_stops_at_the_first_other() {
    let mut programmer = programmer();
    programmer.board_mut().memory = vec![0xFF; 5000];
    let blank = range(Request::XBlank, &[0x03, 0, 0, 0], 5000);
    let told = |count: u32| [&[ACK], count.to_le_bytes().as_slice()].concat();
    assert_eq!(ask(&mut programmer, &blank), told(5000));
    assert_eq!(programmer.board().log[0].read, 5000);
    for (first, read) in [(0, 64), (63, 64), (64, 128), (777, 832), (4999, 5000)] {
        programmer.board_mut().memory = vec![0xFF; 5000];
        programmer.board_mut().memory[first] = 0xFE;
        assert_eq!(ask(&mut programmer, &blank), told(first as u32));
        assert_eq!(programmer.board().log.last().unwrap().read, read);
    }
    let nothing = range(Request::XBlank, &[0x03, 0, 0, 0], 0);
    assert_eq!(ask(&mut programmer, &nothing), told(0));
}

#[test]
fn a_range_is_read_in_small_steps_that_the_owner_asks_for() {
    let mut programmer = programmer();
    let now = programmer.board().now();
    let command = range(Request::XCrc, &[0x03, 0, 0, 0], 6400);
    programmer.receive(now, &command);
    let mut steps = 0;
    while let Some(moment) = programmer.wake_up() {
        assert!(programmer.board().now().has_reached(moment), "at once");
        programmer.transmit(now, &mut []);
        steps += 1;
    }
    assert_eq!(steps, 100);
    assert_eq!(programmer.transmit(now, &mut [0; 64]), 5);
}

#[test]
fn a_page_is_programmed_once_the_chip_is_ready() {
    let mut programmer = programmer();
    programmer.board_mut().busy_polls = 7;
    let pages = [(0x100, [0xA5; 256]), (0x200, [0x5A; 256])];
    let run = pages.map(|(address, data)| x_program(100, address, &data));
    assert_eq!(ask(&mut programmer, &run.concat()), [ACK, ACK]);
    let sent = programmer
        .board()
        .log
        .iter()
        .map(|transaction| transaction.sent.clone());
    let sent: Vec<_> = sent.collect();
    let programmed = |address: u8, byte| [vec![0x02, 0, address, 0], vec![byte; 256]].concat();
    let polls = vec![vec![0x05]; 8];
    let expected = [
        vec![vec![0x05], vec![0x06], programmed(1, 0xA5)],
        polls,
        vec![vec![0x06], programmed(2, 0x5A)],
    ];
    assert_eq!(sent, expected.concat());
}

#[test]
fn a_chip_that_stays_busy_ends_the_run_in_time() {
    let mut programmer = programmer();
    programmer.board_mut().busy_polls = u32::MAX;
    let run = [
        x_program(50, 0x100, &[1; 256]),
        x_program(50, 0x200, &[2; 256]),
        x_program(50, 0x300, &[3; 256]),
        vec![0x00, 0x01, 0x02],
    ];
    let start = programmer.board().now();
    // The first page finds the chip ready; the second never does, and ends everything after it.
    assert_eq!(ask(&mut programmer, &run.concat()), [ACK, NAK]);
    let took_us = programmer.board().now().micros_since(start);
    assert!((50_000..52_000).contains(&took_us), "{took_us}");
    let programs = programmer.board().log.iter();
    assert_eq!(
        programs
            .filter(|transaction| transaction.sent[0] == 0x02)
            .count(),
        1
    );
    assert_eq!(ask(&mut programmer, &[0x10, 0x10, 0x10]), []);
    assert_eq!(ask(&mut programmer, &[0x10]), SYNC_ANSWER);
    assert_eq!(ask(&mut programmer, &[0x10]), SYNC_ANSWER);
}

#[test]
fn only_syncnops_in_a_row_end_the_silence_after_a_broken_program_command() {
    let mut programmer = programmer();
    let mut broken = x_program(50, 0x100, &[1; 256]);
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(ask(&mut programmer, &broken), [NAK]);
    let noise = [0x10, 0x10, 0x10, 0x00, 0x10, 0x10, 0x10, 0x13, 0x02];
    assert_eq!(ask(&mut programmer, &noise), []);
    assert_eq!(ask(&mut programmer, &[0x10; 6]), [SYNC_ANSWER; 3].concat());
    assert_eq!(programmer.board().log, []);
}

#[test]
fn the_end_of_the_silence_is_told_even_to_a_host_that_fetches_late() {
    let mut programmer = programmer();
    let mut broken = x_program(50, 0x100, &[1; 256]);
    *broken.last_mut().unwrap() ^= 1;
    // So many answers wait that two more bytes do not fit.
    let input = [[0x00; 62].as_slice(), &broken, &[0x10; 4]].concat();
    let now = programmer.board().now();
    let taken = programmer.receive(now, &input);
    let answers = ask(&mut programmer, &input[taken..]);
    assert_eq!(answers[61..], [ACK, NAK, NAK, ACK]);
}

#[test]
fn a_program_command_with_wrong_fields_or_instruction_changes_nothing() {
    let close = |bytes: Vec<u8>| {
        let check = Crc32::of(&bytes).to_le_bytes();
        [bytes.as_slice(), &check].concat()
    };
    let with_head = |head: &[u8], data: &[u8]| {
        let (header, check) = Program::frame(5, head, data).unwrap();
        [header.as_bytes(), head, data, &check].concat()
    };
    let wrong = [
        with_head(&[], &[0; 16]),
        with_head(&[0x02; 9], &[0; 16]),
        with_head(&[0x02, 0, 0, 0], &[]),
        with_head(&[0x02, 0, 0, 0], &[0; 257]),
        // A chip erase, a sector erase and a status write are no page programs.
        with_head(&[0xC7], &[0]),
        with_head(&[0x20, 0, 0, 0], &[0]),
        with_head(&[0x01], &[0]),
        close(vec![0x83, 0, 0, 0, 0, 0]),
    ];
    for command in wrong {
        let mut programmer = programmer();
        assert_eq!(ask(&mut programmer, &command), [NAK], "{command:02X?}");
        assert_eq!(programmer.board().log, []);
        assert_eq!(ask(&mut programmer, &[0x10; 4]), SYNC_ANSWER);
    }
}

#[test]
fn a_lost_doubled_or_flipped_byte_never_programs_what_was_not_sent() {
    // Data from 0x20 up: it cannot be taken for plain serprog commands when an opcode is lost,
    // which no check value could prevent.
    let data = |seed: u8| {
        (0..64)
            .map(move |i: u8| 0x20 + (i * 3 + seed) % 0x5F)
            .collect::<Vec<_>>()
    };
    let pages: Vec<_> = (0..3)
        .map(|page| x_program(1000, 0x212100 + (page << 8), &data(page as u8)))
        .collect();
    let run = pages.concat();
    let intended: Vec<_> = pages
        .iter()
        .map(|page| page[6..page.len() - 4].to_vec())
        .collect();
    let damaged = |kind: u8, at: usize| {
        let mut stream = run.clone();
        match kind {
            0 => drop(stream.remove(at)),
            1 => stream.insert(at, stream[at]),
            bit => stream[at] ^= 1 << (bit - 2),
        }
        stream
    };
    let mut complete = 0;
    for at in 0..run.len() {
        for kind in 0..10 {
            let mut programmer = programmer();
            programmer.board_mut().busy_polls = 2;
            ask(&mut programmer, &damaged(kind, at));
            let sent = programmer
                .board()
                .log
                .iter()
                .map(|transaction| &transaction.sent);
            let programmed: Vec<_> = sent.filter(|sent| sent[0] == 0x02).collect();
            assert!(
                programmed.iter().all(|page| intended.contains(page)),
                "{kind} at {at}"
            );
            complete += usize::from(programmed.len() == 3);
        }
    }
    // Doubling one of two equal neighbours or a trailing byte is no damage to the pages.
    assert!(complete < run.len() / 4, "{complete}");
}

/// Bytes that look like serprog more often than noise does.
fn plausible_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => 0u8..0x1A,
        1 => 0x80u8..0x84,
        4 => Just(0u8),
        2 => any::<u8>(),
    ];
    proptest::collection::vec(byte, 0..600)
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_misuse_the_board_or_stay_busy_after_a_reset(
        input in plausible_bytes(),
        chunk in 1usize..100,
        packet in 1usize..70,
    ) {
        let mut programmer = with(limited());
        let (first, left) = converse(&mut programmer, &input, chunk, packet);
        prop_assert!(left == 0);
        prop_assert!(programmer.board().misuse.is_empty(), "{:?}", programmer.board().misuse);
        // The same input gives the same answers, however it is cut.
        let mut again = with(limited());
        let (second, _) = converse(&mut again, &input, input.len().max(1), 64);
        prop_assert!(first == second);
        let now = programmer.board().now();
        programmer.reset(now);
        prop_assert_eq!(ask(&mut programmer, &[0x10]), SYNC_ANSWER);
    }
}

#[test]
fn the_state_fits_the_ram_of_an_atmega328p() {
    // 2 KiB of RAM less a receive ring of 256 bytes and the stack; pointers are wider here.
    assert!(
        size_of::<Programmer<()>>() <= 512,
        "{}",
        size_of::<Programmer<()>>()
    );
}
