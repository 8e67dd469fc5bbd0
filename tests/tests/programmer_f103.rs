//! The STM32F103 programmer's image, executed: what it is, what its pins do, and that nothing that
//! happens on the cable makes it lose or invent a byte.

use std::collections::BTreeMap;

use flashwire_emulator::Time;
use flashwire_emulator::chip::{Config, DoubleBuffering, Drive, Pin, Port as Gpio};
use flashwire_emulator::host::{Fault, HostConfig};
use flashwire_sim::nor;
use flashwire_tests::programmer::{Build, Programmer};

const BUILDS: [Build; 2] = [Build::DoubleBuffered, Build::SingleBuffered];

const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
const SYNCNOP: u8 = 0x10;

fn chip() -> nor::Chip {
    let part = nor::find("w25q80bv").expect("a part of the bench");
    let mut chip = nor::Chip::new(part, nor::Options::default());
    for (index, byte) in chip.memory_mut().iter_mut().enumerate() {
        *byte = (index as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0];
    }
    chip
}

fn programmer(build: Build) -> Programmer {
    Programmer::new(build, Config::default(), HostConfig::default(), chip())
}

/// A command and its answer; the bytes travel together.
fn command(programmer: &mut Programmer, bytes: &[u8], answer_bytes: usize) -> Vec<u8> {
    programmer
        .exchange(bytes, answer_bytes)
        .unwrap_or_else(|error| panic!("{bytes:02x?}: {error}"))
}

/// Asks for an answer that nothing else gives.
fn is_in_sync(programmer: &mut Programmer) -> bool {
    let answer = programmer.exchange(&[SYNCNOP, 0x00, SYNCNOP, 0x01], 8);
    answer.is_ok_and(|answer| answer == [NAK, ACK, ACK, NAK, ACK, ACK, 1, 0])
}

/// Reads and checks 300 bytes at an odd address: a full packet or two, and a short one.
fn reads_rightly(programmer: &mut Programmer) {
    let read = programmer.spi(&[0x03, 0x01, 0x23, 0x45], 300);
    let expected = programmer.chip.chip().memory()[0x12345..][..300].to_vec();
    assert_eq!(read, expected);
}

/// Nothing restarted it, and it did nothing that silicon answers in its own way.
fn has_run_through(programmer: &Programmer) {
    let machine = &programmer.board.machine;
    assert_eq!(machine.resets(), 1, "resets");
    assert_eq!(machine.chip().complaints(), [], "complaints");
}

#[test]
fn it_is_a_serial_port_with_the_number_of_its_chip() {
    for build in BUILDS {
        let programmer = programmer(build);
        let descriptors = &programmer.device.descriptors;
        assert_eq!(
            (descriptors.vendor(), descriptors.product()),
            (0x0483, 0x5740)
        );
        let strings: Vec<_> = descriptors.strings.iter().flatten().collect();
        // The emulated chip's unique id, in hexadecimal digits.
        let id: String = Config::default()
            .unique_id
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        assert_eq!(
            strings,
            ["flashwire", "serprog SPI programmer", id.as_str()]
        );
        has_run_through(&programmer);
    }
}

#[test]
fn it_answers_what_it_is() {
    for build in BUILDS {
        let mut programmer = programmer(build);
        assert_eq!(command(&mut programmer, &[0x01], 3), [ACK, 1, 0]);
        assert_eq!(
            command(&mut programmer, &[0x03], 17),
            *b"\x06flashwire-f103\0\0"
        );
        assert_eq!(
            command(&mut programmer, &[0x04], 3),
            [ACK, 0xFF, 0xFF],
            "flow control"
        );
        assert_eq!(command(&mut programmer, &[0x05], 2), [ACK, 8], "SPI");
        let map = command(&mut programmer, &[0x02], 33);
        let commands: Vec<usize> = (0..256)
            .filter(|n| map[1 + n / 8] >> (n % 8) & 1 != 0)
            .collect();
        // Nothing of the parallel buses; our own four commands from 0x80 on.
        assert_eq!(
            commands,
            [
                0, 1, 2, 3, 4, 5, 8, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x80, 0x81, 0x82,
                0x83
            ]
        );
        assert_eq!(
            command(&mut programmer, &[0x12, 0x01], 1),
            [NAK],
            "no parallel bus"
        );
        assert_eq!(
            command(&mut programmer, &[0x42], 1),
            [NAK],
            "no such command"
        );
        has_run_through(&programmer);
    }
}

#[test]
fn clocks_round_down_to_what_the_divider_can() {
    let mut programmer = programmer(Build::DoubleBuffered);
    let asked_and_set = [
        (u32::MAX, 36_000_000),
        (36_000_000, 36_000_000),
        (35_999_999, 18_000_000),
        (18_000_000, 18_000_000),
        (17_000_000, 9_000_000),
        (4_500_000, 4_500_000),
        (3_000_000, 2_250_000),
        (1_125_000, 1_125_000),
        (1_000_000, 562_500),
        (281_250, 281_250),
        (1, 281_250),
    ];
    for (asked, set) in asked_and_set {
        assert_eq!(programmer.set_spi_hz(asked), set, "{asked}");
        let start = programmer.now();
        programmer.spi(&[0x03, 0, 0, 0], 64);
        let time = (programmer.now() - start).as_duration().as_secs_f64();
        let on_the_bus = 68.0 * 8.0 / f64::from(set);
        assert!(
            time >= on_the_bus,
            "{set} Hz: {time} s for {on_the_bus} s of clock"
        );
    }
    assert_eq!(command(&mut programmer, &[0x14, 0, 0, 0, 0], 1), [NAK]);
}

#[test]
fn pins_are_let_go_until_they_are_needed_and_when_the_host_says_so() {
    let mut programmer = programmer(Build::DoubleBuffered);
    let pins = [1, 2, 3, 4, 5, 6, 7].map(|number| Pin::new(Gpio::A, number));
    let now = programmer.now();
    for pin in pins {
        programmer.board.machine.chip_mut().watch(pin, now);
    }
    let drive = |programmer: &Programmer, pin| {
        let transitions = programmer.board.machine.chip().transitions(pin);
        transitions.last().expect("the first one at least").drive
    };
    let is_driven = |drive| !matches!(drive, Drive::Float | Drive::Pull(_));
    assert!(
        pins.iter().all(|&pin| !is_driven(drive(&programmer, pin))),
        "at first"
    );
    assert_eq!(command(&mut programmer, &[0x15, 1], 1), [ACK]);
    let driven = pins.map(|pin| is_driven(drive(&programmer, pin)));
    assert_eq!(
        driven,
        [true, true, true, true, true, false, true],
        "MISO is the chip's"
    );
    assert_eq!(command(&mut programmer, &[0x15, 0], 1), [ACK]);
    assert!(
        pins.iter().all(|&pin| !is_driven(drive(&programmer, pin))),
        "released"
    );
    reads_rightly(&mut programmer);
}

#[test]
fn each_chip_select_has_its_chip() {
    let mut programmer = programmer(Build::DoubleBuffered);
    let others: BTreeMap<u8, _> = [(1, 3), (2, 2), (3, 1)]
        .into_iter()
        .map(|(line, pin)| {
            let part = nor::find("m25p80").expect("a part of the bench");
            let mut other = nor::Chip::new(part, nor::Options::default());
            other.memory_mut()[0] = 0xC0 + line;
            (line, programmer.board.clip(Pin::new(Gpio::A, pin), other))
        })
        .collect();
    for line in others.keys().copied() {
        assert_eq!(command(&mut programmer, &[0x16, line], 1), [ACK]);
        assert_eq!(programmer.spi(&[0x03, 0, 0, 0], 1), [0xC0 + line]);
    }
    assert_eq!(command(&mut programmer, &[0x16, 4], 1), [NAK]);
    assert_eq!(command(&mut programmer, &[0x16, 0], 1), [ACK]);
    reads_rightly(&mut programmer);
}

#[test]
fn a_page_is_erased_programmed_and_read_back() {
    for build in BUILDS {
        for double_buffering in [DoubleBuffering::Latched, DoubleBuffering::FirstNaks] {
            let config = Config {
                double_buffering,
                ..Config::default()
            };
            let mut programmer = Programmer::new(build, config, HostConfig::default(), chip());
            let wait = |programmer: &mut Programmer| {
                while programmer.spi(&[0x05], 1)[0] & 1 != 0 {}
            };
            programmer.spi(&[0x06], 0);
            programmer.spi(&[0x20, 0x00, 0x10, 0x00], 0);
            wait(&mut programmer);
            let page: Vec<u8> = (0..=255).rev().collect();
            programmer.spi(&[0x06], 0);
            programmer.spi(&[&[0x02, 0x00, 0x11, 0x00], &page[..]].concat(), 0);
            wait(&mut programmer);
            let sector = programmer.spi(&[0x03, 0x00, 0x10, 0x00], 4096);
            assert_eq!(sector[256..512], page);
            assert!(
                sector[..256]
                    .iter()
                    .chain(&sector[512..])
                    .all(|&byte| byte == 0xFF)
            );
            has_run_through(&programmer);
        }
    }
}

#[test]
fn a_fault_of_any_data_transaction_of_a_job_changes_nothing() {
    for build in BUILDS {
        for fault in [Fault::LostHandshake, Fault::GarbledData] {
            // The job: a synchronisation, a read of several packets, a write that changes nothing.
            let mut programmer = programmer(build);
            for position in 0..40 {
                programmer.board.host.inject(position, fault);
                assert!(
                    is_in_sync(&mut programmer),
                    "{build:?} {fault:?} {position}"
                );
                reads_rightly(&mut programmer);
                let long = programmer.spi(&[[0x03, 0, 0, 0].as_slice(), &[0; 300]].concat(), 129);
                assert_eq!(long, programmer.chip.chip().memory()[300..][..129]);
                assert!(
                    is_in_sync(&mut programmer),
                    "{build:?} {fault:?} {position}"
                );
            }
            has_run_through(&programmer);
        }
    }
}

/// Every command, complete.
fn every_command() -> Vec<Vec<u8>> {
    let mut commands: Vec<Vec<u8>> = (0x00..=0x18)
        .filter(|code| ![0x13, 0x14].contains(code))
        .map(|code| {
            let fields = match code {
                0x09 => 3,
                0x0A | 0x0D => 6,
                0x0C | 0x0E => 4,
                0x12 | 0x15..=0x18 => 1,
                _ => 0,
            };
            [vec![code], vec![0; fields]].concat()
        })
        .collect();
    commands.push(vec![0x14, 0x40, 0x54, 0x89, 0x00]);
    commands.push(vec![0x13, 4, 0, 0, 200, 0, 0, 0x03, 0, 0, 0]);
    commands.push([vec![0x13, 70, 0, 0, 0, 0, 0, 0x03], vec![0; 69]].concat());
    commands.push(vec![0x80]);
    commands.push(vec![0x81, 4, 200, 0, 0, 0x03, 0, 0, 0]);
    commands.push(vec![0x82, 4, 200, 0, 0, 0x03, 0, 0, 0]);
    commands
}

#[test]
fn after_every_truncation_of_every_command_the_host_finds_back() {
    for build in BUILDS {
        let mut programmer = programmer(build);
        for command in every_command() {
            for length in 1..=command.len() {
                programmer.port.write(&command[..length]);
                // What a client does: NOPs fill the command up, then it asks.
                programmer.port.write(&[0x00; 520]);
                programmer.pass_with_traffic(Time::from_millis(40));
                programmer.port.read();
                assert!(
                    is_in_sync(&mut programmer),
                    "{build:?}: {:02x?}",
                    &command[..length]
                );
            }
        }
        reads_rightly(&mut programmer);
        has_run_through(&programmer);
    }
}

#[test]
fn a_port_that_is_closed_in_the_middle_of_a_command_opens_as_new() {
    for build in BUILDS {
        let mut programmer = programmer(build);
        for command in every_command() {
            let half = command.len().div_ceil(2);
            programmer.port.write(&command[..half]);
            programmer.pass_with_traffic(Time::from_millis(2));
            programmer.close();
            programmer.pass(Time::from_millis(1));
            programmer.open();
            assert!(
                is_in_sync(&mut programmer),
                "{build:?}: {:02x?}",
                &command[..half]
            );
            reads_rightly(&mut programmer);
            has_run_through(&programmer);
        }
    }
}

#[test]
fn a_read_that_nobody_fetches_is_gone_when_the_port_is_opened_again() {
    for build in BUILDS {
        let mut programmer = programmer(build);
        for fetched in [0, 1, 63, 64, 65, 128, 500] {
            let command = [0x13, 4, 0, 0, 0, 0x10, 0, 0x03, 0, 0, 0];
            programmer
                .exchange(&command, fetched)
                .expect("the first of it");
            // The host reads no more: the port is closed.
            programmer.close();
            programmer.pass(Time::from_millis(5));
            programmer.open();
            assert!(is_in_sync(&mut programmer), "{build:?}: {fetched}");
            reads_rightly(&mut programmer);
            has_run_through(&programmer);
        }
    }
}

#[test]
fn a_host_that_stops_reading_for_seconds_gets_the_rest() {
    for build in BUILDS {
        let mut programmer = programmer(build);
        programmer
            .port
            .write(&[0x13, 4, 0, 0, 0, 0x10, 0, 0x03, 0, 0, 0]);
        let host = &mut programmer.board.host;
        let machine = &mut programmer.board.machine;
        while programmer.port.unsent() > 0 {
            host.pump_out(machine, &mut programmer.port)
                .expect("it takes it");
        }
        programmer.pass(Time::from_millis(3000));
        let answer = programmer.exchange(&[], 1 + 4096).expect("all of it");
        assert_eq!(answer[0], ACK);
        assert_eq!(answer[1..], programmer.chip.chip().memory()[..4096]);
        assert!(is_in_sync(&mut programmer));
        has_run_through(&programmer);
    }
}

#[test]
fn a_suspended_bus_goes_on_where_it_was() {
    for build in BUILDS {
        let mut programmer = programmer(build);
        // Half a command before, half after.
        programmer
            .exchange(&[0x13, 4, 0, 0, 100], 0)
            .expect("it takes it");
        let board = &mut programmer.board;
        board
            .host
            .suspend(&mut board.machine, Time::from_millis(500))
            .expect("it sleeps");
        board.host.resume(&mut board.machine).expect("it wakes");
        let answer = programmer
            .exchange(&[0, 0, 0x03, 0, 0, 0], 101)
            .expect("all of it");
        assert_eq!(answer[1..], programmer.chip.chip().memory()[..100]);
        assert!(is_in_sync(&mut programmer));
        has_run_through(&programmer);
    }
}

#[test]
fn a_reset_of_the_bus_or_a_pulled_plug_in_the_middle_of_a_transfer_leaves_a_fresh_port() {
    for build in BUILDS {
        for plug_is_pulled in [false, true] {
            for fetched in [0, 64, 200, 1000] {
                let mut programmer = programmer(build);
                let command = [0x13, 4, 0, 0, 0, 0x10, 0, 0x03, 0, 0, 0];
                programmer
                    .exchange(&command, fetched)
                    .expect("the first of it");
                let board = &mut programmer.board;
                if plug_is_pulled {
                    let time = Time::from_millis(50);
                    board
                        .host
                        .unplug(&mut board.machine, time)
                        .expect("it runs on");
                }
                let (device, port) = board.plug_in(Time::from_millis(3000)).expect("it is back");
                assert_eq!(device, programmer.device);
                programmer.port = port;
                assert!(
                    is_in_sync(&mut programmer),
                    "{build:?} {plug_is_pulled} {fetched}"
                );
                reads_rightly(&mut programmer);
                has_run_through(&programmer);
            }
        }
    }
}

#[test]
fn lights_say_what_is_done() {
    let mut programmer = programmer(Build::DoubleBuffered);
    let light = Pin::new(Gpio::A, 0);
    let now = programmer.now();
    programmer.board.machine.chip_mut().watch(light, now);
    programmer.pass(Time::from_millis(1));
    let drives = |programmer: &Programmer| -> Vec<Drive> {
        let transitions = programmer.board.machine.chip().transitions(light);
        transitions
            .iter()
            .map(|transition| transition.drive)
            .collect()
    };
    assert_eq!(
        drives(&programmer),
        [Drive::Push(true)],
        "READY: nothing to do"
    );
    reads_rightly(&mut programmer);
    programmer.pass(Time::from_millis(1));
    let drives = drives(&programmer);
    assert!(drives.contains(&Drive::Push(false)), "BUSY: a command");
    assert_eq!(drives.last(), Some(&Drive::Push(true)), "READY again");
}

#[test]
fn without_a_crystal_it_blinks_and_is_no_usb_device() {
    let config = Config {
        crystal_hz: None,
        ..Config::default()
    };
    let image = Build::DoubleBuffered.image();
    let mut board = flashwire_emulator::Board::new(config, HostConfig::default(), &image)
        .expect("the image fits");
    let light = Pin::new(Gpio::A, 0);
    let now = board.machine.now();
    board.machine.chip_mut().watch(light, now);
    board
        .machine
        .run_for(Time::from_millis(3200))
        .expect("it runs");
    let changes = board.machine.chip().transitions(light).len();
    assert!((4..=8).contains(&changes), "{changes} changes in 3.2 s");
    assert!(board.plug_in(Time::from_millis(500)).is_err());
}
