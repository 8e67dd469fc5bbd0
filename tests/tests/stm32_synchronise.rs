//! Greeting a loader, and bringing back one that was left in the middle of something.

use std::time::Duration;

use flashwire_client::stm32::{Bootloader, Error, Options, Parts, Reading, Synchronised};
use flashwire_link::{Deadline, Instant, LineChange, Link, LinkError, Settings};
use flashwire_protocol::stm32::{ACK, Command, Frame, NACK, SpecialErase, xor};
use flashwire_sim::stm32::{ChipState, PARTS, Phase};
use flashwire_tests::bench::{Bench, noise};

/// A far end that says the same whatever it is told: after each byte, or by itself.
struct Parrot {
    now: Instant,
    settings: Settings,
    /// What it says to each byte that it is sent.
    answer: fn(u8) -> Vec<u8>,
    /// What it says all the time.
    endless: Option<u8>,
    waiting: Vec<u8>,
}

impl Parrot {
    fn loader(answer: fn(u8) -> Vec<u8>, endless: Option<u8>) -> Bootloader {
        let parrot = Self {
            now: Instant::default(),
            settings: Settings::even(115_200),
            answer,
            endless,
            waiting: Vec::new(),
        };
        Bootloader::new(Box::new(parrot), Options::default())
    }
}

impl Link for Parrot {
    fn name(&self) -> &str {
        "parrot"
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.waiting
            .extend(bytes.iter().flat_map(|&byte| (self.answer)(byte)));
        Ok(())
    }

    fn recv(&mut self, buffer: &mut [u8], deadline: Deadline) -> Result<usize, LinkError> {
        if let Some(byte) = self.endless {
            // One character each, for ever.
            self.now = self.now + self.settings.wire_time(1);
            buffer[0] = byte;
            return Ok(1);
        }
        let count = buffer.len().min(self.waiting.len());
        if count == 0 {
            self.now = self.now.max(deadline.moment());
        }
        for (to, from) in buffer.iter_mut().zip(self.waiting.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.now = self.now + duration;
        Ok(())
    }

    fn configure(&mut self, settings: Settings) -> Result<(), LinkError> {
        self.settings = settings;
        Ok(())
    }

    fn settings(&self) -> Settings {
        self.settings
    }

    fn lines(&mut self, _: &[LineChange]) -> Result<(), LinkError> {
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        self.waiting.clear();
        Ok(())
    }
}

fn reading(answer: fn(u8) -> Vec<u8>, endless: Option<u8>) -> Reading {
    let mut loader = Parrot::loader(answer, endless);
    let error = loader.synchronise().unwrap_err();
    assert!(loader.link_mut().now().since_open() < Duration::from_secs(2));
    match error {
        Error::WrongAnswer { reading, sample } => {
            assert!(!sample.is_empty());
            reading
        }
        other => panic!("{other}"),
    }
}

#[test]
fn wrong_answers_are_told_apart() {
    assert_eq!(reading(|byte| vec![byte], None), Reading::Echo);
    assert_eq!(reading(|_| vec![0, 0], None), Reading::LineLow);
    assert_eq!(reading(|_| vec![], Some(0)), Reading::LineLow);
    assert_eq!(reading(|_| vec![0xFC, 0x1E], None), Reading::Garbage);
    assert_eq!(reading(|_| b"ready.\r\n> ".to_vec(), None), Reading::Babble);
    assert_eq!(reading(|_| vec![], Some(b'x')), Reading::Babble);
}

#[test]
fn silence_is_given_up_on_after_a_second() {
    let mut loader = Parrot::loader(|_| vec![], None);
    let error = loader.synchronise().unwrap_err();
    let Error::NoAnswer { tries: 2, waited } = error else {
        panic!("{error}")
    };
    assert!((Duration::from_millis(1000)..Duration::from_millis(1100)).contains(&waited));
}

#[test]
fn a_stray_zero_before_the_answer_is_skipped() {
    let mut loader = Parrot::loader(|_| vec![0, 0, ACK], None);
    assert_eq!(loader.synchronise().unwrap(), Synchronised::Fresh);
}

#[test]
fn an_acknowledgement_too_many_does_no_harm() {
    // The L412's loader 13.1: 0x7F is acknowledged twice.
    let mut loader = Parrot::loader(
        |byte| match byte {
            0x7F => vec![ACK, ACK],
            0xFF => vec![ACK, 2, 0x31, 0x00, 0x44, ACK],
            _ => vec![],
        },
        None,
    );
    loader.synchronise().unwrap();
    let answer = loader.get().unwrap();
    assert_eq!(answer.version, 0x31);
    assert!(answer.commands.contains(Command::ExtendedErase));
}

#[test]
fn a_loader_that_was_greeted_before_is_taken_up() {
    for part in &PARTS {
        let bench = Bench::open(part.name);
        bench.loader(Options::default()).synchronise().unwrap();
        let mut second = bench.loader(Options::default());
        assert_eq!(second.synchronise().unwrap(), Synchronised::Already);
        second.get().unwrap();
        assert_eq!(bench.complaints(), [""; 0]);
    }
}

#[test]
fn a_lost_acknowledgement_of_the_greeting_is_got_over() {
    let bench = Bench::open("stm32f103c8,faults=drop@0:in");
    let mut loader = bench.loader(Options::default());
    let greeted = loader
        .synchronise()
        .or_else(|_| loader.resume().map(|()| Synchronised::Already));
    assert_eq!(greeted.unwrap(), Synchronised::Already);
    loader.get().unwrap();
}

#[test]
fn resuming_needs_no_greeting() {
    let bench = Bench::open("stm32f103c8");
    bench.loader(Options::default()).synchronise().unwrap();
    let mut second = bench.loader(Options::default());
    bench.take_sends();
    second.resume().unwrap();
    let sent = bench.take_sends().concat();
    assert!(!sent.contains(&0x7F), "{sent:02X?}");
    second.identify(&Parts::built_in()).unwrap();
}

#[test]
fn resuming_with_nobody_there_ends() {
    let mut loader = Parrot::loader(|_| vec![], None);
    let error = loader.resume().unwrap_err();
    assert!(matches!(error, Error::LostSync { .. }), "{error}");
    assert!(loader.link_mut().now().since_open() < Duration::from_millis(2500));
    let error = loader.resume_at_length().unwrap_err();
    assert!(matches!(error, Error::LostSync { .. }), "{error}");
    assert!(loader.link_mut().now().since_open() < Duration::from_secs(18));
    let mut loader = Parrot::loader(|_| vec![], Some(b'x'));
    assert!(loader.resume().is_err());
    assert!(loader.link_mut().now().since_open() < Duration::from_secs(60));
    assert!(matches!(loader.get().unwrap_err(), Error::NotSynchronised));
}

#[test]
fn a_command_before_the_greeting_is_refused() {
    let bench = Bench::open("stm32f103c8");
    let mut loader = bench.loader(Options::default());
    assert!(matches!(loader.get().unwrap_err(), Error::NotSynchronised));
    assert_eq!(bench.take_sends(), [[0; 0]; 0]);
}

#[test]
fn the_highest_speed_that_works_is_found() {
    for (most, found) in [(460_800, 460_800), (250_000, 230_400), (115_200, 115_200)] {
        let bench = Bench::open(&format!("stm32f103c8,max-baud={most}"));
        let mut loader = bench.loader(Options::default());
        let button = bench.clone();
        let mut presses = 0;
        let speed = loader
            .find_highest_speed(&flashwire_client::stm32::SPEEDS, 0x0800_0000, &mut |_| {
                presses += 1;
                button.press_reset();
                Ok(())
            })
            .unwrap();
        assert_eq!(speed, found);
        assert_eq!(loader.settings().baud, found);
        assert!(presses >= 2);
        loader.get().unwrap();
    }
    let bench = Bench::open("stm32f103c8,max-baud=9600");
    let mut loader = bench.loader(Options::default());
    let error = loader
        .find_highest_speed(&[115_200, 230_400], 0x0800_0000, &mut |_| Ok(()))
        .unwrap_err();
    assert!(matches!(error, Error::NoSpeed), "{error}");
}

/// Everything that a resynchronisation must leave alone, and must lead to.
struct Before {
    flash: Vec<u8>,
    options: Vec<u32>,
}

impl Before {
    fn of(bench: &Bench) -> Self {
        Self {
            flash: bench.flash(),
            options: bench.chip().memory().options.cells().to_vec(),
        }
    }

    fn check(&self, bench: &Bench, what: &str) {
        assert!(self.flash == bench.flash(), "{what}: the flash has changed");
        assert_eq!(
            self.options,
            bench.chip().memory().options.cells(),
            "{what}"
        );
        let state = bench.chip().state();
        let idle = matches!(
            state,
            ChipState::Loader {
                phase: Phase::Opcode,
                taken: 0,
                busy: false,
                ..
            }
        );
        assert!(idle, "{what}: {state:?}");
    }
}

/// A command as its frames: each is sent when the one before is acknowledged.
fn conversations(data: &[u8]) -> Vec<(String, Vec<Vec<u8>>)> {
    let address = 0x0800_0400;
    let word = |word| Frame::word(word).as_bytes().to_vec();
    let frame = |frame: Option<Frame>| frame.unwrap().as_bytes().to_vec();
    let pages: Vec<u16> = (3..403).collect();
    let few: Vec<u8> = (3..203).collect();
    let bodies = [
        (Command::Get, vec![]),
        (Command::GetVersion, vec![]),
        (Command::GetId, vec![]),
        (
            Command::ReadMemory,
            vec![word(address), frame(Frame::byte_count(0x6E))],
        ),
        (Command::Go, vec![word(address)]),
        (
            Command::WriteMemory,
            vec![word(address), frame(Frame::data(data))],
        ),
        (Command::Erase, vec![frame(Frame::erase(&few))]),
        (
            Command::Erase,
            vec![Frame::global_erase().as_bytes().to_vec()],
        ),
        (
            Command::ExtendedErase,
            vec![frame(Frame::extended_erase(&pages))],
        ),
        (
            Command::ExtendedErase,
            vec![Frame::special_erase(SpecialErase::Mass).as_bytes().to_vec()],
        ),
        (
            Command::WriteProtect,
            vec![frame(Frame::sectors(&[0, 1, 2, 3]))],
        ),
        (Command::WriteUnprotect, vec![]),
        (Command::ReadoutProtect, vec![]),
        (Command::ReadoutUnprotect, vec![]),
        (
            Command::GetChecksum,
            vec![
                word(address),
                word(0x400),
                word(0x04C1_1DB7),
                word(0xFFFF_FFFF),
            ],
        ),
    ];
    bodies
        .into_iter()
        .map(|(command, body)| {
            let mut frames = vec![command.opcode().to_vec()];
            frames.extend(body);
            (command.to_string(), frames)
        })
        .collect()
}

/// Says the beginning of a conversation, `cut` bytes of it, to a loader that has been greeted.
/// False if the loader does not have the command.
fn say(link: &mut dyn Link, frames: &[Vec<u8>], cut: usize) -> bool {
    let mut left = cut;
    for frame in frames {
        let part = &frame[..frame.len().min(left)];
        link.send(part).unwrap();
        left -= part.len();
        link.pause(link.settings().wire_time(part.len() + 1))
            .unwrap();
        if part.len() < frame.len() {
            break;
        }
        let mut answer = [0];
        let deadline = link.deadline(Duration::from_secs(1));
        assert_eq!(link.recv(&mut answer, deadline).unwrap(), 1);
        if answer == [NACK] {
            return false;
        }
    }
    true
}

fn greeted(part: &str, content: &[u8]) -> Bench {
    let bench = Bench::open(part);
    bench.fill_flash(content);
    bench.loader(Options::default()).synchronise().unwrap();
    bench
}

/// Contents whose blocks are cut anywhere.
fn contents() -> Vec<Vec<u8>> {
    vec![
        vec![0x00; 256],
        vec![0xFF; 256],
        [0x00, 0xBF].repeat(128),
        (0..=255).collect(),
    ]
}

/// A client that knows nothing of what the loader is in the middle of: another process was killed.
/// Whatever it was, nothing is erased, written or protected, and the loader is idle in the end.
#[test]
fn a_strange_loader_is_brought_back_from_every_state() {
    let (mut states, mut unlucky) = (0, 0);
    for part in ["stm32f103c8", "stm32g0b1re"] {
        let content = noise(0x2000, 1);
        for (n, data) in contents().iter().enumerate() {
            for (name, frames) in conversations(data) {
                let writes = name.starts_with("Write Memory");
                if n > 0 && !writes {
                    continue;
                }
                let all: usize = frames.iter().map(Vec::len).sum();
                for (cut, greet) in (0..all).flat_map(|cut| [(cut, false), (cut, true)]) {
                    let bench = greeted(part, &content);
                    if !say(&mut *bench.link(), &frames, cut) {
                        break;
                    }
                    states += 1;
                    if filler_completes(&frames, cut, greet) {
                        unlucky += 1;
                        continue;
                    }
                    let before = Before::of(&bench);
                    let mut loader = bench.loader(Options::default());
                    let what = format!("{part}, {name}, {cut} bytes, greeting {greet}");
                    if !greet || loader.synchronise().is_err() {
                        let resumed = match loader.resume() {
                            // 7F 7F was taken for the count of a list of 32,640 pages.
                            Err(Error::LostSync { .. }) if greet => loader.resume_at_length(),
                            resumed => resumed,
                        };
                        resumed.unwrap_or_else(|error| panic!("{what}: {error}"));
                    }
                    before.check(&bench, &what);
                    loader
                        .get()
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                }
            }
        }
    }
    assert!(states > 5000, "{states}");
    assert!(unlucky * 200 < states, "{unlucky} of {states}");
}

/// Whether the loader has all but some bytes of a frame whose checksum the filler happens to get
/// right. Whatever is sent there is one such state in 256: the sum of what was taken decides, and
/// nobody but the sender knows it.
fn filler_completes(frames: &[Vec<u8>], cut: usize, greet: bool) -> bool {
    let mut taken = cut;
    for frame in frames {
        if taken >= frame.len() {
            taken -= frame.len();
            continue;
        }
        let opening = if greet {
            [0x7F, 0x7F, 0xFB]
        } else {
            [0xFF, 0xFF, 0xFB]
        };
        let filler = opening.into_iter().chain(std::iter::repeat(0xFE));
        let begun = frame[..taken].iter().copied();
        let whole: Vec<u8> = begun.chain(filler).take(frame.len()).collect();
        return taken > 0 && frame.len() > 2 && xor(&whole) == 0;
    }
    false
}

/// One command of a client, and whether its first data byte is a count that stands alone.
type Say = fn(&mut Bootloader, &[u8]) -> Result<(), Error>;

fn commands() -> Vec<(&'static str, Say)> {
    const ADDRESS: u32 = 0x0800_0400;
    vec![
        ("Get", |l, _| l.get().map(drop)),
        ("Get Version", |l, _| l.get_version().map(drop)),
        ("Get ID", |l, _| l.get_id().map(drop)),
        ("Read Memory", |l, _| l.read_memory(ADDRESS, &mut [0; 0x6E])),
        ("Go", |l, _| l.go(0x0800_0800)),
        ("Write Memory", |l, data| l.write_memory(ADDRESS, data)),
        ("Erase", |l, _| {
            let pages: Vec<u16> = (3..203).collect();
            l.erase(&pages, Duration::from_secs(60))
        }),
        ("special erase", |l, _| {
            l.special_erase(SpecialErase::Mass, Duration::from_secs(60))
        }),
        ("Write Protect", |l, _| l.write_protect(&[0, 1, 2, 3])),
        ("Write Unprotect", |l, _| l.write_unprotect()),
        ("Readout Protect", |l, _| l.readout_protect()),
        ("Readout Unprotect", |l, _| {
            l.readout_unprotect(Duration::from_secs(60)).map(drop)
        }),
        ("Get Checksum", |l, _| {
            if l.prove_checksum(ADDRESS, &noise(0x2000, 1)[0x400..0x500])? {
                l.checksum(ADDRESS..ADDRESS + 0x400)?;
            }
            Ok(())
        }),
    ]
}

/// A client whose own command lost its tail, or one byte, on the way: it knows what the loader is
/// in the middle of, and brings it back without exception.
#[test]
fn a_broken_command_is_cleaned_up_whatever_was_lost_of_it() {
    for part in ["stm32f103c8", "stm32g0b1re"] {
        let content = noise(0x2000, 1);
        for (n, data) in contents().iter().enumerate() {
            for (name, command) in commands() {
                let writes = name == "Write Memory";
                if n > 0 && !writes {
                    continue;
                }
                let bench = greeted(part, &content);
                let mut loader = bench.loader(Options::default());
                loader.resume().unwrap();
                loader.get().unwrap();
                bench.take_sends();
                let _ = command(&mut loader, data);
                let all = bench.take_sends().concat().len() as u64;

                let tails = (0..all).map(|k| k..u64::MAX);
                let single = (0..all).map(|k| k..k + 1);
                for lost in tails.chain(single) {
                    // A lost count makes the loader take the data for one: a shorter frame whose
                    // checksum may be right. No client can help that.
                    if writes && lost == (7..8) {
                        continue;
                    }
                    let bench = greeted(part, &content);
                    let mut loader = bench.loader(Options::default());
                    loader.resume().unwrap();
                    loader.get().unwrap();
                    let before = Before::of(&bench);
                    let what = format!("{part}, {name}, content {n}, {lost:?}");
                    bench.lose(lost);
                    let failed = command(&mut loader, data);
                    bench.lose(0..0);
                    if name != "Get Checksum" {
                        assert!(failed.is_err(), "{what}");
                    }
                    loader
                        .get()
                        .unwrap_or_else(|error| panic!("{what}: {error}"));
                    before.check(&bench, &what);
                }
            }
        }
    }
}
