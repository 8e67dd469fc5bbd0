//! STM32 loaders on I2C, beyond what every command does on every bench (`stm32_commands`): which
//! commands are chosen, how long frames are, what is known before it is read.

use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::stm32::{
    Bootloader, Command, Error, FrameLimits, Interface, Options, Parts, Pipeline, Target,
};
use flashwire_link::{BusFault, Deadline, Instant, LineChange, Link, LinkError, Settings};
use flashwire_plan::{FlashDevice, Image, Options as PlanOptions, execute, needs, plan, survey};
use flashwire_sim::stm32::PARTS;
use flashwire_tests::bench::{Bench, noise};

/// All benches on a bus, by name.
fn names() -> impl Iterator<Item = &'static str> {
    let on_i2c = PARTS.iter().filter(|part| part.loader.i2c.is_some());
    on_i2c.map(|part| part.name)
}

fn nothing(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// An image as programs are: code, a hole, constants, an odd end.
fn image(start: u64) -> Image {
    let mut bytes = noise(5000, 3);
    bytes[1024..3000].fill(0xFF);
    Image::from_binary(bytes, Some(start)).unwrap()
}

/// Plans and carries out the writing of an image, with verification.
fn write(target: &mut Target, image: &Image) {
    let options = PlanOptions::default();
    let geometry = target.geometry().clone();
    let needs = needs(&geometry, image, &options).unwrap();
    let current = survey(target, &needs, image, &mut |_| ControlFlow::Continue(())).unwrap();
    let plan = plan(&geometry, image, &current, &options).unwrap();
    execute(&plan, target, &mut |_| ControlFlow::Continue(())).unwrap();
}

#[test]
fn an_image_is_written_verified_and_read_back_on_every_bench_and_its_neighbours_stay() {
    for name in names() {
        let bench = Bench::open(&format!("{name},bus=i2c,hold-limit-ms=5000"));
        let old = noise(8192, 7);
        bench.fill_flash(&old);
        let mut target = bench.target(Options::default());
        let image = image(target.geometry().range.start);
        write(&mut target, &image);
        let expected = &image.segments()[0].data;
        let mut found = vec![0; expected.len()];
        let start = target.geometry().range.start;
        target.read(start, &mut found, &mut nothing).unwrap();
        assert!(found == *expected, "{name}");
        assert!(bench.flash()[5000..8192] == old[5000..], "{name}");
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}

#[test]
fn commands_that_hold_the_clock_are_only_used_where_there_are_no_others() {
    for name in names() {
        let bench = Bench::open(&format!("{name},bus=i2c,hold-limit-ms=5000"));
        let version = bench.chip().part().loader.i2c.unwrap().version;
        let mut target = bench.target(Options::default());
        bench.take_sends();
        let image = image(target.geometry().range.start);
        write(&mut target, &image);
        let sent = bench.take_sends();
        let said = |command: Command| sent.iter().any(|frame| frame[..] == command.opcode());
        let gentle = version >= 0x11;
        assert_eq!(said(Command::NoStretchWriteMemory), gentle, "{name}");
        assert_eq!(said(Command::NoStretchErase), gentle, "{name}");
        assert_eq!(said(Command::WriteMemory), !gentle, "{name}");
        assert_eq!(said(Command::ExtendedErase), !gentle, "{name}");
    }
}

/// With No-Stretch commands the bus is free for others, and any controller's patience is enough.
#[test]
fn a_loader_that_says_busy_never_holds_the_clock_for_a_millisecond() {
    for name in names() {
        let bench = Bench::open(&format!("{name},bus=i2c,i2c-version=1.2,hold-limit-ms=1"));
        let mut target = bench.target(Options::default());
        let image = image(target.geometry().range.start);
        write(&mut target, &image);
        assert_eq!(bench.complaints(), [""; 0], "{name}");
    }
}

#[test]
fn pages_are_erased_one_by_one_where_the_clock_is_held_meanwhile() {
    let bench = Bench::open("stm32f072rb,bus=i2c");
    let target = bench.target(Options::default());
    let mut loader = target.into_loader();
    assert_eq!(loader.erase_list_pages(), 1);
    bench.take_sends();
    loader.erase(&[5], Duration::from_secs(1)).unwrap();
    let sent = bench.take_sends();
    assert_eq!(sent, [&[0x44, 0xBB][..], &[0, 0, 0], &[0, 5, 5]]);
}

#[test]
fn nothing_is_said_ahead_of_its_answer() {
    let bench = Bench::open("stm32g071rb,bus=i2c");
    let options = Options {
        pipeline: Pipeline::Full,
        ..Options::default()
    };
    let mut target = bench.target(options);
    let image = image(target.geometry().range.start);
    write(&mut target, &image);
    let mut loader = target.into_loader();
    assert_eq!(loader.pipeline(), Pipeline::Off);
    assert!(!loader.pipeline_fell_back());
    loader.get_version().unwrap();
    assert_eq!(bench.complaints(), [""; 0]);
}

#[test]
fn no_frame_is_longer_than_the_adapter_does() {
    for name in names() {
        for (rx, tx) in [(20, 66), (250, 254), (64, 258)] {
            let bench = Bench::open(&format!("{name},bus=i2c,hold-limit-ms=5000"));
            let old = noise(8192, 7);
            bench.fill_flash(&old);
            let frame = FrameLimits::new(rx, tx).unwrap();
            let mut target = bench.target(Options {
                frame,
                ..Options::default()
            });
            assert!(target.can_write(), "{name}");
            let image = image(target.geometry().range.start);
            write(&mut target, &image);
            let longest = bench.take_sends().iter().map(Vec::len).max();
            assert!(longest <= Some(tx), "{name}, {rx}:{tx}: {longest:?}");
            assert!(bench.longest_read() <= rx, "{name}, {rx}:{tx}");
            assert!(bench.flash()[..5000] == *image.segments()[0].data, "{name}");
            assert_eq!(bench.complaints(), [""; 0], "{name}, {rx}:{tx}");
        }
    }
}

#[test]
fn frames_that_hold_no_program_unit_are_known_before_anything_is_erased() {
    let bench = Bench::open("stm32h743zi,bus=i2c");
    let target = bench.target(Options {
        frame: FrameLimits::new(256, 33).unwrap(),
        ..Options::default()
    });
    assert!(!target.can_write());
}

/// On I2C a NACK leaves no doubt where the loader is: no silence is needed.
#[test]
fn refusals_cost_no_time() {
    let bench = Bench::open("stm32g071rb,bus=i2c");
    let mut loader = bench.loader(Options::default());
    loader.synchronise().unwrap();
    loader.get().unwrap();
    let begun = bench.now();
    let mut word = [0; 4];
    for _ in 0..10 {
        let refused = loader.read_memory(0x9000_0000, &mut word);
        assert!(matches!(refused, Err(Error::Nack { .. })), "{refused:?}");
        loader.read_memory(0x0800_0000, &mut word).unwrap();
    }
    assert!(bench.now() - begun < Duration::from_millis(100));
}

/// Loaders wait up to 2200 ms for the rest of a command and then reset the chip (AN2606, table 230).
/// Whoever talks before that may be taken for the rest.
#[test]
fn after_a_command_that_broke_off_the_bus_is_silent_for_longer_than_any_loader_waits() {
    let bench = Bench::open("stm32g071rb,bus=i2c,faults=arb@30:out");
    let mut loader = bench.loader(Options::default());
    loader.synchronise().unwrap();
    let mut word = [0; 4];
    let broken = (0..10).find_map(|_| loader.read_memory(0x0800_0000, &mut word).err());
    assert!(matches!(broken, Some(Error::Bus { .. })), "{broken:?}");
    let begun = bench.now();
    bench.take_sends();
    loader.read_memory(0x0800_0000, &mut word).unwrap();
    assert!(bench.now() - begun > Duration::from_millis(2200));
    // The first that is said asks only, and what had broken off is not taken up.
    assert_eq!(bench.take_sends()[0], Command::GetVersion.opcode());
}

/// A loader of version 2.0 that lists any number of commands, on a bus on which a read of the wrong
/// length hangs it until it has reset the chip.
struct Lister {
    now: Duration,
    count: u8,
    answers: Vec<Vec<u8>>,
    hangs_until: Duration,
}

impl Lister {
    const TIMEOUT: Duration = Duration::from_millis(1000);

    fn hang(&mut self) -> LinkError {
        if self.hangs_until <= self.now {
            self.hangs_until = self.now + Self::TIMEOUT;
        }
        self.answers.clear();
        self.now += Duration::from_millis(100);
        BusFault::ClockHeld.into()
    }
}

impl Link for Lister {
    fn name(&self) -> &str {
        "lister"
    }

    fn now(&self) -> Instant {
        Instant::from_open(self.now)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        if self.now < self.hangs_until || !self.answers.is_empty() {
            return Err(self.hang());
        }
        let body = match bytes {
            [0x00, 0xFF] => {
                let mut body = vec![self.count, 0x20];
                body.extend(0..self.count);
                body
            }
            [0x01, 0xFE] => vec![0x20],
            other => panic!("{other:02X?}"),
        };
        self.answers = vec![vec![0x79], body, vec![0x79]];
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8], _: Deadline) -> Result<usize, LinkError> {
        if self.now < self.hangs_until || self.answers.is_empty() {
            return Err(self.hang());
        }
        let answer = self.answers.remove(0);
        if buffer.len() > answer.len() {
            return Err(self.hang());
        }
        buffer.copy_from_slice(&answer[..buffer.len()]);
        if buffer.len() < answer.len() {
            // The host has what it asked for; it is the next transfer that finds the loader hanging.
            self.hang();
        }
        Ok(buffer.len())
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.now += duration;
        Ok(())
    }

    fn configure(&mut self, _: Settings) -> Result<(), LinkError> {
        Ok(())
    }

    fn settings(&self) -> Settings {
        Settings::plain(100_000)
    }

    fn lines(&mut self, _: &[LineChange]) -> Result<(), LinkError> {
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        Ok(())
    }

    fn real_time(&self) -> bool {
        false
    }
}

#[test]
fn a_list_of_any_length_is_learnt_from_a_loader_of_version_2() {
    for count in [1, 11, 14, 15, 16, 18, 40] {
        let link = Lister {
            now: Duration::ZERO,
            count,
            answers: Vec::new(),
            hangs_until: Duration::ZERO,
        };
        let options = Options {
            interface: Interface::I2C,
            ..Options::default()
        };
        let mut loader = Bootloader::new(Box::new(link), options);
        loader.synchronise().unwrap();
        let answer = loader.get().unwrap();
        assert_eq!(answer.version, 0x20);
        assert_eq!(answer.commands.codes().count(), usize::from(count));
    }
}

#[test]
fn a_board_that_is_in_reset_is_waited_for() {
    let bench = Bench::open("stm32h743zi,bus=i2c");
    let now = bench.look().now();
    bench.chip_mut().reset(now);
    let mut loader = bench.loader(Options::default());
    loader.synchronise().unwrap();
    loader.identify(&Parts::built_in()).unwrap();
}

#[test]
fn nobody_at_the_address_is_told_after_half_a_second() {
    let bench = Bench::open("stm32h743zi,bus=i2c,address=0x39");
    let mut loader = bench.loader(Options::default());
    let absent = loader.synchronise();
    assert!(matches!(absent, Err(Error::NoDevice { .. })), "{absent:?}");
    assert!(bench.now() < Duration::from_millis(600));
}
