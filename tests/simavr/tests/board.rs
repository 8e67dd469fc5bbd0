//! The board with small programs in it: what it executes, how long bytes take, and that it sees what
//! a program is too slow for or must not do.

use std::time::Duration;

use flashwire_link::{Line, LineChange, Link};
use flashwire_sim::nor;
use flashwire_simavr::{Config, Drive, Machine, Uno};

/// Sets the line to 1 Mbaud and sends back what comes.
const ECHO: &[u8] = &[
    0x02, 0xE0, // ldi r16, 1 << U2X0
    0x00, 0x93, 0xC0, 0x00, // sts UCSR0A, r16
    0x01, 0xE0, // ldi r16, 1
    0x00, 0x93, 0xC4, 0x00, // sts UBRR0L, r16
    0x08, 0xE1, // ldi r16, 1 << RXEN0 | 1 << TXEN0
    0x00, 0x93, 0xC1, 0x00, // sts UCSR0B, r16
    0x00, 0x91, 0xC0, 0x00, // next: lds r16, UCSR0A
    0x07, 0xFF, // sbrs r16, RXC0
    0xFC, 0xCF, // rjmp next
    0x10, 0x91, 0xC6, 0x00, // lds r17, UDR0
    0x10, 0x93, 0xC6, 0x00, // sts UDR0, r17
    0xF7, 0xCF, // rjmp next
];

/// What takes the place of the last jump of [`ECHO`]: 750 cycles, almost five bytes of the line.
const SLOWLY: &[u8] = &[
    0x2A, 0xEF, // ldi r18, 250
    0x2A, 0x95, // wait: dec r18
    0xF1, 0xF7, // brne wait
    0xF4, 0xCF, // rjmp next
];

/// Reads a flash chip's identification at 4 MHz and sends its three bytes.
const JEDEC: &[u8] = &[
    0x02, 0xE0, // ldi r16, 1 << U2X0
    0x00, 0x93, 0xC0, 0x00, // sts UCSR0A, r16
    0x01, 0xE0, // ldi r16, 1
    0x00, 0x93, 0xC4, 0x00, // sts UBRR0L, r16
    0x08, 0xE0, // ldi r16, 1 << TXEN0
    0x00, 0x93, 0xC1, 0x00, // sts UCSR0B, r16
    0x2A, 0x9A, // sbi PORTB, 2
    0x0C, 0xE2, // ldi r16, 1 << 2 | 1 << 3 | 1 << 5
    0x04, 0xB9, // out DDRB, r16
    0x00, 0xE5, // ldi r16, 1 << SPE | 1 << MSTR
    0x0C, 0xBD, // out SPCR, r16
    0x2A, 0x98, // cbi PORTB, 2
    0x0F, 0xE9, // ldi r16, 0x9F
    0x0E, 0xBD, // out SPDR, r16
    0x13, 0xE0, // ldi r17, 3
    0x0D, 0xB5, // opcode: in r16, SPSR
    0x07, 0xFF, // sbrs r16, SPIF
    0xFD, 0xCF, // rjmp opcode
    0x0E, 0xB5, // in r16, SPDR
    0x0E, 0xBD, // out SPDR, r16
    0x0D, 0xB5, // data: in r16, SPSR
    0x07, 0xFF, // sbrs r16, SPIF
    0xFD, 0xCF, // rjmp data
    0x0E, 0xB5, // in r16, SPDR
    0x00, 0x93, 0xC6, 0x00, // sts UDR0, r16
    0x00, 0x91, 0xC0, 0x00, // sent: lds r16, UCSR0A
    0x06, 0xFF, // sbrs r16, TXC0
    0xFC, 0xCF, // rjmp sent
    0x00, 0x93, 0xC0, 0x00, // sts UCSR0A, r16
    0x1A, 0x95, // dec r17
    0x11, 0xF4, // brne more
    0x2A, 0x9A, // sbi PORTB, 2
    0xFF, 0xCF, // end: rjmp end
    0x0E, 0xBD, // more: out SPDR, r16
    0xEE, 0xCF, // rjmp data
];

/// Starts the watchdog with its shortest time, and waits for it.
const WATCHDOG: &[u8] = &[
    0x08, 0xE1, // ldi r16, 1 << WDCE | 1 << WDE
    0x00, 0x93, 0x60, 0x00, // sts WDTCSR, r16
    0x08, 0xE0, // ldi r16, 1 << WDE
    0x00, 0x93, 0x60, 0x00, // sts WDTCSR, r16
    0xFF, 0xCF, // end: rjmp end
];

const BAUD: u32 = 1_000_000;

fn config() -> Config {
    Config {
        baud: BAUD,
        ..Config::default()
    }
}

fn board(program: &[u8]) -> Machine {
    Machine::new(program, config(), None).unwrap()
}

fn run(machine: &mut Machine, time: Duration) {
    machine.run_until(machine.now() + time).unwrap();
}

fn received(machine: &mut Machine) -> Vec<u8> {
    let mut bytes = vec![0; machine.arrived()];
    machine.receive(&mut bytes);
    bytes
}

#[test]
fn bytes_go_out_and_come_back_at_the_speed_of_the_line() {
    let mut machine = board(ECHO);
    run(&mut machine, Duration::from_millis(1));
    let sent: Vec<u8> = (0..=255).collect();
    machine.send(&sent);
    // 256 bytes of 10 us; the last one is there one more later, and a bit of work.
    run(&mut machine, Duration::from_micros(2560));
    assert!(machine.arrived() < 256, "{} are back", machine.arrived());
    run(&mut machine, Duration::from_micros(12));
    assert_eq!(received(&mut machine), sent);
    let report = machine.report();
    assert_eq!(report.complaints, []);
    assert_eq!((report.traffic.read, report.traffic.sent), (256, 256));
    assert_eq!(report.traffic.overruns, 0);
}

#[test]
fn a_program_that_is_too_slow_loses_bytes_and_is_seen() {
    let slowly = [&ECHO[..ECHO.len() - 2], SLOWLY].concat();
    let mut machine = board(&slowly);
    run(&mut machine, Duration::from_millis(1));
    let sent: Vec<u8> = (0..100).collect();
    machine.send(&sent);
    run(&mut machine, Duration::from_millis(10));
    let back = received(&mut machine).len() as u64;
    let overruns = machine.report().traffic.overruns;
    assert!((20..30).contains(&back), "{back} are back");
    assert_eq!(back + overruns, 100);
    // With time between the bytes the same program loses none.
    for byte in 0..20 {
        machine.send(&[byte]);
        run(&mut machine, Duration::from_micros(70));
    }
    assert_eq!(received(&mut machine).len(), 20);
    assert_eq!(machine.report().traffic.overruns, overruns);
}

#[test]
fn a_host_of_another_speed_is_not_understood() {
    let mut machine = board(ECHO);
    machine.set_baud(BAUD / 2);
    run(&mut machine, Duration::from_millis(1));
    machine.send(&[0x00; 10]);
    run(&mut machine, Duration::from_millis(1));
    assert!(machine.report().traffic.framing_errors > 0);
    assert_ne!(received(&mut machine), [0x00; 10]);
}

#[test]
fn a_chip_on_the_spi_answers_if_its_select_is_where_the_program_thinks() {
    let chip = || {
        let part = nor::find("w25q80bv").unwrap();
        nor::Chip::new(part, nor::Options::default())
    };
    for (chip_select, chip, expected) in [
        (10, Some(chip()), [0xEF, 0x40, 0x14]),
        (9, Some(chip()), [0xFF; 3]),
        (10, None, [0xFF; 3]),
    ] {
        let config = Config {
            chip_select,
            ..config()
        };
        let mut machine = Machine::new(JEDEC, config, chip).unwrap();
        run(&mut machine, Duration::from_millis(1));
        assert_eq!(received(&mut machine), expected);
        assert_eq!(machine.drive(10), Drive::High);
        assert_eq!(machine.drive(12), Drive::Released, "MISO is the chip's");
        let report = machine.report();
        assert_eq!(
            (report.complaints.len(), report.chip_complaints.len()),
            (0, 0)
        );
    }
}

#[test]
fn dtr_resets_the_board_and_what_comes_meanwhile_is_the_boot_loaders() {
    let config = Config {
        boot: Duration::from_millis(50),
        ..config()
    };
    let uno = Uno::new(Machine::new(ECHO, config, None).unwrap());
    let mut link = uno.open(BAUD);
    assert_eq!(uno.machine().report().pulses, 1);
    let mut buffer = [0; 4];
    link.send(b"no").unwrap();
    let deadline = link.deadline(Duration::from_millis(60));
    assert_eq!(link.recv(&mut buffer, deadline).unwrap(), 0);
    link.send(b"yes").unwrap();
    let deadline = link.deadline(Duration::from_millis(10));
    assert_eq!(link.recv_all(&mut buffer[..3], deadline).unwrap(), 3);
    assert_eq!(&buffer[..3], b"yes");

    let dtr = |on| {
        [LineChange {
            line: Line::Dtr,
            on,
        }]
    };
    link.lines(&dtr(false)).unwrap();
    assert_eq!(
        uno.machine().report().pulses,
        1,
        "the edge that does nothing"
    );
    link.lines(&dtr(true)).unwrap();
    assert_eq!(uno.machine().report().pulses, 2);
    link.send(b"no").unwrap();
    let deadline = link.deadline(Duration::from_millis(60));
    assert_eq!(link.recv(&mut buffer, deadline).unwrap(), 0);
    assert_eq!(uno.machine().report().traffic.missed, 4);
    assert_eq!(uno.machine().report().watchdog_resets, 0);
}

#[test]
fn a_watchdog_that_bites_is_counted() {
    let mut machine = board(WATCHDOG);
    run(&mut machine, Duration::from_millis(100));
    // 16 ms each.
    assert_eq!(machine.report().watchdog_resets, 6);
    assert_eq!(machine.report().pulses, 0);
}

#[test]
fn an_opcode_that_there_is_not_is_a_complaint() {
    let mut machine = board(&[0x01, 0x00, 0xFE, 0xCF]);
    // Whether it goes on after that is simavr's choice.
    let _ = machine.run_until(Duration::from_micros(10));
    let complaints = machine.report().complaints;
    assert!(
        complaints
            .iter()
            .any(|complaint| complaint.text.contains("Invalid Opcode")),
        "{complaints:?}"
    );
}

#[test]
fn a_program_that_writes_beyond_the_memory_halts() {
    let beyond = [
        0x00, 0x93, 0x00, 0xFF, // sts 0xFF00, r16
        0xFF, 0xCF, // end: rjmp end
    ];
    let mut machine = board(&beyond);
    let halt = machine.run_until(Duration::from_millis(1)).unwrap_err();
    assert!(halt.to_string().contains("crashed"), "{halt}");
    assert!(
        halt.why.contains("Invalid write") || halt.why.contains("crashed"),
        "{halt}"
    );
}

#[test]
fn eeprom_and_flash_are_not_changed_unseen() {
    let forbidden = [
        0x02, 0xE0, // ldi r16, 1 << EEPE
        0x0F, 0xBB, // out EECR, r16
        0x01, 0xE0, // ldi r16, 1 << SELFPRGEN
        0x07, 0xBF, // out SPMCSR, r16
        0xFF, 0xCF, // end: rjmp end
    ];
    let mut machine = board(&forbidden);
    run(&mut machine, Duration::from_micros(10));
    let complaints = machine.report().complaints;
    let texts: Vec<_> = complaints
        .iter()
        .map(|complaint| complaint.text.as_str())
        .collect();
    assert_eq!(
        texts,
        ["the EEPROM is written", "the program changes its own flash"]
    );
}

#[test]
fn every_run_takes_the_same_cycles() {
    let cycles = || {
        let uno = Uno::new(board(ECHO));
        let mut link = uno.open(BAUD);
        link.pause(Duration::from_millis(1)).unwrap();
        let mut buffer = [0; 8];
        let mut times = Vec::new();
        for round in 0..20 {
            link.send(&[round; 8]).unwrap();
            let deadline = link.deadline(Duration::from_millis(10));
            assert_eq!(link.recv_all(&mut buffer, deadline).unwrap(), 8);
            assert_eq!(buffer, [round; 8]);
            times.push(uno.machine().cycles());
        }
        times
    };
    assert_eq!(cycles(), cycles());
}
