//! The loader on an I2C bus: AN4221, byte for byte, and what it does to hosts that do not keep to it.

use std::time::Duration;

use flashwire_link::{BusFault, Line, LineChange, Link, LinkError};
use flashwire_sim::stm32::ChipState;
use flashwire_sim::{Bench, BenchError, ComplaintKind, SimLink};

const ACK: u8 = 0x79;
const NACK: u8 = 0x1F;
const BUSY: u8 = 0x76;

/// A host that does one transfer after the other.
struct Host {
    link: SimLink,
}

impl Host {
    fn open(spec: &str) -> Self {
        let link = SimLink::open(&format!("{spec},bus=i2c")).expect("the bench opens");
        Self { link }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.link.send(bytes)
    }

    /// One read transfer; empty if nobody acknowledges.
    fn try_read(&mut self, count: usize) -> Result<Vec<u8>, LinkError> {
        let mut buffer = vec![0; count];
        let deadline = self.link.deadline(Duration::ZERO);
        let read = self.link.recv(&mut buffer, deadline)?;
        buffer.truncate(read);
        Ok(buffer)
    }

    #[track_caller]
    fn read(&mut self, count: usize) -> Vec<u8> {
        self.try_read(count).expect("the bus works")
    }

    /// A write and the answer to it, in one read of its own.
    #[track_caller]
    fn says(&mut self, bytes: &[u8], answer: u8) {
        self.write(bytes).expect("the bus works");
        assert_eq!(self.read(1), [answer], "to {bytes:02X?}");
    }

    /// Reads an acknowledge until it is not BUSY any more; how often it was.
    #[track_caller]
    fn poll(&mut self) -> usize {
        for count in 0..10_000 {
            match self.read(1)[..] {
                [BUSY] => self.wait(1),
                [ACK] => return count,
                ref other => panic!("{other:02X?}"),
            }
        }
        panic!("BUSY for ever");
    }

    fn wait(&mut self, ms: u64) {
        self.link.pause(Duration::from_millis(ms)).expect("passes");
    }

    fn now(&self) -> Duration {
        self.link.now().since_open()
    }

    fn complaints(&self) -> Vec<ComplaintKind> {
        let complaints = self.link.bench().complaints();
        complaints.iter().map(|complaint| complaint.kind).collect()
    }

    #[track_caller]
    fn no_complaints(&self) {
        assert_eq!(self.link.bench().complaints(), []);
    }

    /// Whether the loader is where it waits for a command.
    fn is_well(&mut self) -> bool {
        self.write(&[0x01, 0xFE]).is_ok()
            && self.try_read(1).is_ok_and(|answer| answer == [ACK])
            && {
                let version = self.read(1);
                self.read(1) == [ACK] && version.len() == 1
            }
    }

    /// Writes four bytes to the start of flash with a command.
    #[track_caller]
    fn begin_write(&mut self, opcode: &[u8]) {
        self.says(opcode, ACK);
        self.says(&[0x08, 0x00, 0x00, 0x00, 0x08], ACK);
    }
}

fn is_held(done: Result<impl Sized, LinkError>) -> bool {
    matches!(done, Err(LinkError::Bus(BusFault::ClockHeld)))
}

#[test]
fn it_says_who_it_is_without_having_been_greeted() {
    let mut host = Host::open("stm32h743zi");
    assert_eq!(host.link.name(), "sim:stm32h743zi@0x4e");
    host.says(&[0x01, 0xFE], ACK);
    assert_eq!(host.read(1), [0x11]);
    assert_eq!(host.read(1), [ACK]);
    host.says(&[0x02, 0xFD], ACK);
    assert_eq!(host.read(3), [0x01, 0x04, 0x50]);
    assert_eq!(host.read(1), [ACK]);
    host.no_complaints();
}

/// The lists of AN4221, section 2.1.
#[test]
fn each_version_lists_its_commands() {
    let v1_0 = [
        0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44, 0x63, 0x73, 0x82, 0x92,
    ];
    let v1_1 = [&v1_0[..], &[0x32, 0x45, 0x64, 0x74, 0x83, 0x93]].concat();
    let v1_2 = [&v1_1[..], &[0xA1]].concat();
    let v2_0 = [
        0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44, 0x50, 0x63, 0x73, 0x32, 0x45, 0x64, 0x74, 0xA1,
    ];
    for (key, version, commands) in [
        ("1.0", 0x10, &v1_0[..]),
        ("1.1", 0x11, &v1_1),
        ("1.2", 0x12, &v1_2),
        ("2.0", 0x20, &v2_0),
    ] {
        let mut host = Host::open(&format!("stm32g0b1re,i2c-version={key}"));
        host.says(&[0x00, 0xFF], ACK);
        let expected = [&[commands.len() as u8, version], commands].concat();
        assert_eq!(host.read(expected.len()), expected, "{key}");
        assert_eq!(host.read(1), [ACK]);
        host.no_complaints();
    }
}

#[test]
fn what_is_written_is_read_back_and_erased_in_two_messages() {
    let mut host = Host::open("stm32g0b1re");
    host.begin_write(&[0x31, 0xCE]);
    host.says(&[0x07, 1, 2, 3, 4, 5, 6, 7, 8, 0x0F], ACK);
    host.begin_write(&[0x11, 0xEE]);
    host.says(&[0x08, 0xF7], ACK);
    assert_eq!(host.read(9), [1, 2, 3, 4, 5, 6, 7, 8, 0xFF]);
    host.says(&[0x44, 0xBB], ACK);
    host.says(&[0x00, 0x01, 0x01], ACK);
    host.says(&[0x00, 0x00, 0x00, 0x02, 0x02], ACK);
    assert!(host.link.bench().flash()[..8].iter().all(|&b| b == 0xFF));
    host.no_complaints();
}

#[test]
fn a_command_that_stretches_holds_the_clock_until_it_is_done() {
    let mut host = Host::open("stm32f407vg");
    host.says(&[0x44, 0xBB], ACK);
    host.says(&[0x00, 0x00, 0x00], ACK);
    host.write(&[0x00, 0x00, 0x00]).unwrap();
    let before = host.now();
    assert_eq!(host.read(1), [ACK]);
    let held = host.now() - before;
    // DS8626, table 40: 250 ms for 16 KiB.
    assert!(held >= Duration::from_millis(250), "{held:?}");
    host.no_complaints();
}

#[test]
fn a_no_stretch_command_says_busy_until_it_is_done() {
    let mut host = Host::open("stm32g0b1re");
    host.says(&[0x45, 0xBA], ACK);
    host.says(&[0xFF, 0xFF, 0x00], BUSY);
    // DS13560: 22.1 ms a bank, of which it has two.
    let polls = host.poll();
    assert!((30..60).contains(&polls), "{polls}");
    host.begin_write(&[0x32, 0xCD]);
    host.write(&[0x07, 1, 2, 3, 4, 5, 6, 7, 8, 0x0F]).unwrap();
    host.poll();
    assert_eq!(host.link.bench().flash()[..2], [1, 2]);
    host.no_complaints();
}

/// A host that is faster than the loader: its read is there before the erase begins.
#[test]
fn a_read_that_waits_for_a_no_stretch_command_is_answered_busy_when_its_work_begins() {
    let mut host = Host::open("stm32h743zi,i2c-hz=400000,hold-limit-ms=10");
    host.says(&[0x45, 0xBA], ACK);
    host.write(&[0xFF, 0xFF, 0x00]).expect("taken");
    assert!(host.poll() > 0);
    host.no_complaints();
}

#[test]
fn protections_are_set_and_removed_in_their_own_messages() {
    let mut host = Host::open("stm32h743zi");
    host.says(&[0x64, 0x9B], ACK);
    host.says(&[0x01, 0xFE], ACK);
    host.write(&[0x00, 0x05, 0x05]).unwrap();
    host.poll();
    // It resets the chip: nobody is there for a while.
    assert!(matches!(
        host.write(&[0x01, 0xFE]),
        Err(LinkError::Bus(BusFault::NoDevice))
    ));
    host.wait(1000);
    assert!(host.is_well());
    assert!(
        host.link
            .bench()
            .chip()
            .unwrap()
            .memory()
            .options
            .is_write_protected(
                &host.link.bench().chip().unwrap().part().options,
                &host.link.bench().chip().unwrap().part().flash,
                5
            )
    );
    host.says(&[0x74, 0x8B], ACK);
    host.poll();
    host.wait(1000);
    host.says(&[0x83, 0x7C], ACK);
    host.poll();
    host.wait(1000);
    host.says(&[0x11, 0xEE], NACK);
    host.says(&[0x93, 0x6C], ACK);
    host.poll();
    host.wait(1000);
    host.says(&[0x11, 0xEE], ACK);
}

/// AN4221, section 2.20: the unit's own polynomial; checked against CRC-32/MPEG-2 of eight FF.
#[test]
fn a_checksum_needs_address_and_size_only() {
    let mut host = Host::open("stm32g0b1re");
    host.begin_write(&[0xA1, 0x5E]);
    host.says(&[0x00, 0x00, 0x00, 0x08, 0x08], ACK);
    host.poll();
    let answer = host.read(5);
    let sum = answer[..4].iter().fold(0, |sum, byte| sum ^ byte);
    assert_eq!(answer[4], sum);
    let mut crc = 0xFFFF_FFFF_u32;
    for _ in 0..64 {
        // Each bit of the data is one.
        let carry = crc >> 31 == 0;
        crc = crc << 1 ^ if carry { 0x04C1_1DB7 } else { 0 };
    }
    assert_eq!(answer[..4], crc.to_be_bytes());
    host.no_complaints();
}

#[test]
fn a_controller_that_gives_up_finds_the_work_done_and_the_loader_reset() {
    let mut host = Host::open("stm32f407vg,hold-limit-ms=25");
    host.link
        .bench_mut()
        .chip_mut()
        .unwrap()
        .memory_mut()
        .flash_mut()[0] = 0x00;
    host.says(&[0x44, 0xBB], ACK);
    host.says(&[0x00, 0x00, 0x00], ACK);
    host.write(&[0x00, 0x00, 0x00]).unwrap();
    assert!(is_held(host.try_read(1)));
    // The bus is not free before it is done.
    assert!(is_held(host.write(&[0x01, 0xFE])));
    host.wait(300);
    assert_eq!(host.link.bench().flash()[0], 0xFF);
    assert!(!host.is_well());
    host.wait(1200);
    assert!(host.is_well());
}

#[test]
fn what_is_said_to_a_loader_that_waits_for_something_else_hangs_it_for_a_second() {
    type Act = fn(&mut Host);
    let cases: [(&str, Act); 7] = [
        ("a frame with too few bytes", |host| {
            host.says(&[0x11, 0xEE], ACK);
            host.write(&[0x08, 0x00]).unwrap();
        }),
        ("a frame with too many bytes", |host| {
            let _ = host.write(&[0x11, 0xEE, 0x08]);
        }),
        ("a read of too few bytes", |host| {
            host.says(&[0x02, 0xFD], ACK);
            host.read(2);
        }),
        ("a read of too many bytes", |host| {
            host.says(&[0x02, 0xFD], ACK);
            let _ = host.try_read(4);
        }),
        ("a read where a frame is due", |host| {
            host.says(&[0x11, 0xEE], ACK);
            let _ = host.try_read(1);
        }),
        ("a write where an answer is to be read", |host| {
            host.write(&[0x02, 0xFD]).unwrap();
            let _ = host.write(&[0x02, 0xFD]);
        }),
        ("a write while BUSY is to be read", |host| {
            host.says(&[0x45, 0xBA], ACK);
            host.says(&[0xFF, 0xFF, 0x00], BUSY);
            let _ = host.write(&[0x01, 0xFE]);
        }),
    ];
    for (what, act) in cases {
        // A controller with no patience, so that the whole second has to be waited for.
        let mut host = Host::open("stm32g0b1re,hold-limit-ms=10");
        act(&mut host);
        assert_eq!(host.complaints(), [ComplaintKind::Framing], "{what}");
        let complaint = host.link.bench().complaints()[0].to_string();
        assert!(complaint.contains(what), "{complaint}");
        host.wait(900);
        assert!(is_held(host.write(&[0x01, 0xFE])), "{what}");
        host.wait(300);
        assert!(host.is_well(), "{what}");
    }
}

#[test]
fn half_a_command_is_waited_for_a_second_and_not_for_ever() {
    let mut host = Host::open("stm32h743zi");
    host.says(&[0x11, 0xEE], ACK);
    host.wait(900);
    host.says(&[0x08, 0x00, 0x00, 0x00, 0x08], ACK);
    host.wait(1200);
    // Reset meanwhile: this is taken for a command.
    host.says(&[0x00, 0xFF], ACK);
}

#[test]
fn an_acknowledge_that_nobody_reads_is_waited_for_a_second_even_where_work_comes_after_it() {
    let mut host = Host::open("stm32g0b1re");
    host.says(&[0xA1, 0x5E], ACK);
    host.says(&[0x08, 0x00, 0x00, 0x00, 0x08], ACK);
    host.write(&[0x00, 0x00, 0x01, 0x00, 0x01])
        .expect("the bus works");
    host.wait(1200);
    assert!(host.is_well());
}

#[test]
fn only_the_newer_versions_survive_a_bare_scan() {
    for (version, hangs) in [("1.0", true), ("1.1", true), ("1.2", false)] {
        let spec = format!("stm32l476rg,i2c-version={version},hold-limit-ms=10");
        for scan in [
            (|host| drop(host.link.send(&[]))) as fn(&mut Host),
            |host| drop(host.try_read(1)),
        ] {
            let mut host = Host::open(&spec);
            scan(&mut host);
            assert_eq!(!host.complaints().is_empty(), hangs, "{version}");
            assert_ne!(host.is_well(), hangs, "{version}");
            host.wait(1200);
            assert!(host.is_well(), "{version}");
        }
    }
}

#[test]
fn each_fault_is_told_as_a_controller_tells_it() {
    let cases = [
        // The address of the second transfer, which is byte 3 of all.
        ("nak@3", None),
        ("nak@1:out", Some(BusFault::NotAcknowledged)),
        ("arb@1", Some(BusFault::ArbitrationLost)),
        ("hold@2", Some(BusFault::ClockHeld)),
    ];
    for (fault, expected) in cases {
        let mut host = Host::open(&format!("stm32h743zi,faults={fault}"));
        let mut done = host.write(&[0x01, 0xFE]).map(|()| Vec::new());
        if done.is_ok() {
            done = host.try_read(1);
        }
        match (done, expected) {
            (Err(LinkError::Bus(found)), Some(expected)) => assert_eq!(found, expected, "{fault}"),
            (Ok(nothing), None) => assert!(nothing.is_empty(), "{fault}"),
            (done, _) => panic!("{fault}: {done:?}"),
        }
        host.wait(1200);
        assert!(host.is_well() || host.is_well(), "{fault}");
    }
    let mut host = Host::open("stm32h743zi,faults=flip@2");
    host.says(&[0x01, 0xFE], NACK);
    let mut host = Host::open("stm32h743zi,faults=cut@2");
    assert!(matches!(host.write(&[0x01, 0xFE]), Err(LinkError::Closed)));
    assert!(matches!(host.try_read(1), Err(LinkError::Closed)));
}

#[test]
fn nobody_answers_at_another_address_or_while_an_application_runs() {
    let mut host = Host::open("stm32h743zi,address=0x39");
    assert!(matches!(
        host.write(&[0x01, 0xFE]),
        Err(LinkError::Bus(BusFault::NoDevice))
    ));
    let before = host.now();
    let mut byte = [0];
    let deadline = host.link.deadline(Duration::from_millis(20));
    assert_eq!(host.link.recv(&mut byte, deadline).unwrap(), 0);
    let waited = host.now() - before;
    assert!(waited >= Duration::from_millis(20) && waited < Duration::from_millis(21));
    let mut host = Host::open("stm32h743zi,boot0=low");
    assert!(host.write(&[0x01, 0xFE]).is_err());
}

#[test]
fn a_loader_can_be_busy_for_ever_or_stretch_where_it_should_not() {
    let mut host = Host::open("stm32g0b1re");
    host.link.bench_mut().chip_mut().unwrap().set_stuck(true);
    host.says(&[0x45, 0xBA], ACK);
    host.write(&[0xFF, 0xFF, 0x00]).unwrap();
    host.wait(3_600_000);
    assert_eq!(host.read(1), [BUSY]);

    let mut host = Host::open("stm32g0b1re");
    let chip = host.link.bench_mut().chip_mut().unwrap();
    chip.set_stretches_always(true);
    host.says(&[0x45, 0xBA], ACK);
    host.says(&[0xFF, 0xFF, 0x00], ACK);
}

#[test]
fn gpio_lines_of_the_host_reach_the_pins() {
    let spec = "stm32h743zi,boot0=low,wiring=gpio4=nrst+gpio17=boot0";
    let mut host = Host::open(spec);
    let gpio = |line: &str, on| {
        let line = Line::Gpio {
            chip: "gpiochip0".to_owned(),
            line: line.to_owned(),
        };
        LineChange::new(line, on)
    };
    let state = |host: &Host| host.link.bench().chip().unwrap().state();
    assert!(!matches!(state(&host), ChipState::Loader { .. }));
    host.link
        .lines(&[gpio("17", true), gpio("4", false)])
        .unwrap();
    host.wait(10);
    assert_eq!(state(&host), ChipState::Reset);
    host.link.lines(&[gpio("4", true)]).unwrap();
    host.wait(1000);
    assert!(host.is_well());
    let error = host.link.lines(&[gpio("32", true)]).unwrap_err();
    assert!(error.to_string().contains("0 to 31"), "{error}");
    host.link
        .lines(&[LineChange::new(Line::Dtr, true)])
        .unwrap();
    assert_eq!(host.link.take_warnings(), ["a bench has no line dtr"]);
}

#[test]
fn a_bus_that_is_too_fast_is_held_against_the_host() {
    let mut host = Host::open("stm32h743zi,i2c-hz=1000000");
    let before = host.now();
    host.says(&[0x01, 0xFE], ACK);
    // Three bytes out, two in, and what the loader holds the clock for.
    let took = (host.now() - before).as_micros();
    assert!((45..=45 + 60).contains(&took), "{took}");
    assert_eq!(host.complaints(), [ComplaintKind::Limit; 2]);
}

#[test]
fn what_no_such_bench_can_be_is_refused() {
    assert!(matches!(
        Bench::open("stm32f103cb,bus=i2c"),
        Err(BenchError::NoI2c { .. })
    ));
    for spec in [
        "stm32h743zi,bus=i2c,faults=drop@1",
        "stm32h743zi,faults=nak@1",
    ] {
        assert!(matches!(Bench::open(spec), Err(BenchError::OtherFault(_))));
    }
    for value in [
        "bus=spi",
        "address=0x78",
        "i2c-version=1.3",
        "hold-limit-ms=x",
        "i2c-hz=0",
        "i2c-hz=5000001",
    ] {
        let opened = Bench::open(&format!("stm32h743zi,{value}"));
        assert!(matches!(opened, Err(BenchError::Value { .. })), "{value}");
    }
    let bench = Bench::open("stm32h743zi,address=0x39").unwrap();
    assert_eq!((bench.method(), bench.address()), ("stm32", None));
    let bench = Bench::open("stm32h743zi,bus=i2c").unwrap();
    assert_eq!((bench.method(), bench.address()), ("stm32-i2c", Some(0x4E)));
}
