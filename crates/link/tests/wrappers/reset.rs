//! The reset language: what it says, what it does to lines, and what that does to a chip.

use std::time::Duration;

use flashwire_link::reset::{PRESETS, Pin, ResetSpec, Sequence, Step, run};
use flashwire_link::{
    CancelFlag, Deadline, Instant, Interruptible, Line, LineChange, Link, LinkError, Settings,
};

use crate::fake::{FakeLink, ms};

fn parse(text: &str) -> ResetSpec {
    ResetSpec::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// The sequences of the only way that `text` stands for.
fn sequences(text: &str) -> (Sequence, Option<Sequence>) {
    let mut ways = parse(text).ways();
    assert_eq!(ways.len(), 1, "{text}");
    let way = ways.remove(0);
    (way.enter, way.leave)
}

// The electrical truth.

#[test]
fn an_asserted_modem_line_and_a_break_are_low_a_gpio_that_is_on_is_high() {
    let gpio = Line::Gpio {
        chip: "gpiochip0".to_owned(),
        line: "4".to_owned(),
    };
    for (line, inverted, on_for_high) in [
        (Line::Dtr, false, false),
        (Line::Dtr, true, true),
        (Line::Rts, false, false),
        (Line::Rts, true, true),
        (Line::Break, false, false),
        (Line::Break, true, true),
        (gpio.clone(), false, true),
        (gpio, true, false),
    ] {
        let pin = Pin { line, inverted };
        assert_eq!(pin.level(true).on, on_for_high, "{pin:?} high");
        assert_eq!(pin.level(false).on, !on_for_high, "{pin:?} low");
    }
}

/// What a target is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Unknown,
    InReset,
    Bootloader,
    Application,
}

/// The adapter's pins, high or low, as wires see them.
#[derive(Clone, Copy, Debug)]
struct Wires {
    dtr: bool,
    rts: bool,
    tx: bool,
    gpio: bool,
}

/// What is between the adapter and the target: the levels of NRST and BOOT0 from the wires.
type Circuit = fn(Wires) -> (bool, bool);

/// A target behind a circuit.
struct Board {
    circuit: Circuit,
    wires: Wires,
    mode: Mode,
    now: Duration,
}

impl Board {
    /// A port that Linux has just opened: DTR and RTS asserted, so low.
    fn new(circuit: Circuit) -> Self {
        Self {
            circuit,
            wires: Wires {
                dtr: false,
                rts: false,
                tx: true,
                gpio: false,
            },
            mode: Mode::Unknown,
            now: Duration::ZERO,
        }
    }

    /// What the chip does when its pins change. It looks at BOOT0 when NRST rises; NRST rises
    /// slower than BOOT0 falls, because boards have a capacitor at NRST.
    fn react(&mut self) {
        let (nrst, boot0) = (self.circuit)(self.wires);
        self.mode = match (self.mode, nrst, boot0) {
            (_, false, _) => Mode::InReset,
            (Mode::InReset, true, true) => Mode::Bootloader,
            (Mode::InReset, true, false) => Mode::Application,
            (mode, true, _) => mode,
        };
    }
}

impl Link for Board {
    fn name(&self) -> &str {
        "board"
    }

    fn now(&self) -> Instant {
        Instant::from_open(self.now)
    }

    fn send(&mut self, _: &[u8]) -> Result<(), LinkError> {
        Ok(())
    }

    fn recv(&mut self, _: &mut [u8], _: Deadline) -> Result<usize, LinkError> {
        Ok(0)
    }

    fn pause(&mut self, duration: Duration) -> Result<(), LinkError> {
        self.now += duration;
        Ok(())
    }

    fn configure(&mut self, _: Settings) -> Result<(), LinkError> {
        Ok(())
    }

    fn settings(&self) -> Settings {
        Settings::even(115_200)
    }

    fn lines(&mut self, changes: &[LineChange]) -> Result<(), LinkError> {
        for LineChange { line, on } in changes {
            match line {
                Line::Dtr => self.wires.dtr = !on,
                Line::Rts => self.wires.rts = !on,
                Line::Break => self.wires.tx = !on,
                _ => self.wires.gpio = *on,
            }
        }
        self.react();
        Ok(())
    }

    fn discard_input(&mut self) -> Result<(), LinkError> {
        Ok(())
    }

    fn real_time(&self) -> bool {
        false
    }
}

/// Each circuit, and the specification that is for it.
const CIRCUITS: [(&str, Circuit); 11] = [
    ("direct", |wires| (wires.dtr, wires.rts)),
    ("swapped", |wires| (wires.rts, wires.dtr)),
    ("boot0-inverted", |wires| (wires.dtr, !wires.rts)),
    ("swapped-boot0-inverted", |wires| (wires.rts, !wires.dtr)),
    ("reset-inverted", |wires| (!wires.dtr, wires.rts)),
    ("swapped-reset-inverted", |wires| (!wires.rts, wires.dtr)),
    // Independent inverters, and the two-transistor circuit: NRST is pulled low only while RTS is
    // low and DTR is high.
    ("dtr=!nrst,rts=!boot0", |wires| (!wires.dtr, !wires.rts)),
    ("one-click", |wires| (wires.rts || !wires.dtr, !wires.rts)),
    ("swapped-inverted", |wires| {
        (wires.dtr || !wires.rts, !wires.dtr)
    }),
    ("brk=nrst,dtr=boot0", |wires| (wires.tx, wires.dtr)),
    ("gpio:gpiochip0/4=boot0,rts=nrst", |wires| {
        (wires.rts, wires.gpio)
    }),
];

#[test]
fn each_wiring_gets_its_board_into_the_bootloader_and_back() {
    for (spec, circuit) in CIRCUITS {
        let (enter, leave) = sequences(spec);
        let mut board = Board::new(circuit);
        // Twice: the second time from where the first one left the lines.
        for _ in 0..2 {
            run(&mut board, &enter).unwrap();
            assert_eq!(board.mode, Mode::Bootloader, "{spec}: {enter}");
            run(&mut board, leave.as_ref().unwrap()).unwrap();
            assert_eq!(board.mode, Mode::Application, "{spec}: {leave:?}");
        }
    }
}

#[test]
fn leaving_works_without_having_entered() {
    for (spec, circuit) in CIRCUITS {
        let (_, leave) = sequences(spec);
        let mut board = Board::new(circuit);
        run(&mut board, leave.as_ref().unwrap()).unwrap();
        assert_eq!(board.mode, Mode::Application, "{spec}: {leave:?}");
    }
}

#[test]
fn the_boot_pin_stays_high_in_the_bootloader() {
    for (spec, circuit) in CIRCUITS {
        let (enter, _) = sequences(spec);
        let mut board = Board::new(circuit);
        run(&mut board, &enter).unwrap();
        let (nrst, boot0) = circuit(board.wires);
        assert!(nrst && boot0, "{spec}: {:?}", board.wires);
    }
}

#[test]
fn auto_finds_every_known_board_and_tries_nothing_twice() {
    let ways = parse("auto").ways();
    for (index, way) in ways.iter().enumerate() {
        assert!(
            ways[..index].iter().all(|other| other.enter != way.enter),
            "{}",
            way.spec
        );
    }
    let modem_only = CIRCUITS
        .iter()
        .filter(|(spec, _)| !spec.contains("gpio") && !spec.contains("brk"));
    for (name, circuit) in modem_only {
        let mut board = Board::new(*circuit);
        let found = ways.iter().any(|way| {
            run(&mut board, &way.enter).unwrap();
            board.mode == Mode::Bootloader
        });
        assert!(found, "{name}");
    }
}

#[test]
fn a_capacitor_at_dtr_resets_with_the_preset_direct_too() {
    // NRST sees only the falling edge: any `lines` that makes DTR fall is a whole pulse.
    let (enter, _) = sequences("direct");
    let falls = enter.steps().iter().any(|step| {
        matches!(step, Step::Set(changes) if changes.contains(&LineChange::new(Line::Dtr, true)))
    });
    assert!(falls, "{enter}");
    // BOOT0, if it is wired at all, is high before or with that edge.
    assert!(enter.to_string().starts_with("-rts&+dtr"), "{enter}");
}

// The language.

#[test]
fn a_wiring_is_this_sequence() {
    let (enter, leave) = sequences("dtr=nrst,rts=boot0");
    assert_eq!(enter.to_string(), "-rts&+dtr,100ms,-dtr,100ms");
    assert_eq!(leave.unwrap().to_string(), "-rts&+dtr,100ms,+rts,10ms,-dtr");
    // The circuit of the design's example.
    let (enter, leave) = sequences("one-click");
    assert_eq!(enter.to_string(), "+rts&-dtr,100ms,+dtr,100ms");
    assert_eq!(leave.unwrap().to_string(), "+rts&-dtr,100ms,-rts,10ms,+dtr");
}

#[test]
fn a_wiring_of_one_pin_moves_that_one() {
    let (enter, leave) = sequences("dtr=nrst");
    assert_eq!(enter.to_string(), "+dtr,100ms,-dtr,100ms");
    assert_eq!(leave.unwrap().to_string(), "+dtr,100ms,-dtr");
    let (enter, leave) = sequences("rts=!boot0");
    assert_eq!(enter.to_string(), "+rts");
    assert_eq!(leave.unwrap().to_string(), "-rts");
}

#[test]
fn a_sequence_is_its_steps() {
    let (enter, leave) = sequences("seq:-dtr,+rts,100ms,+dtr");
    assert_eq!(
        enter.steps(),
        [
            Step::Set(vec![LineChange::new(Line::Dtr, false)]),
            Step::Set(vec![LineChange::new(Line::Rts, true)]),
            Step::Wait(ms(100)),
            Step::Set(vec![LineChange::new(Line::Dtr, true)]),
        ]
    );
    assert_eq!(leave, None);
    assert_eq!(enter.duration(), ms(100));
}

#[test]
fn a_sequence_can_join_changes_wait_in_other_units_and_leave() {
    let (enter, leave) =
        sequences("seq: -dtr & +rts , 500us, +gpio:gpiochip0/17 : 1s, -gpio:gpiochip0/17");
    assert_eq!(enter.to_string(), "-dtr&+rts,500us,+gpio:gpiochip0/17");
    assert_eq!(leave.unwrap().to_string(), "1000ms,-gpio:gpiochip0/17");
}

#[test]
fn a_break_is_sent_for_a_quarter_of_a_second() {
    for text in ["brk", "seq:brk"] {
        let (enter, _) = sequences(text);
        assert_eq!(enter.to_string(), "+brk,250ms,-brk");
    }
}

#[test]
fn none_is_no_way() {
    assert_eq!(parse("none"), ResetSpec::None);
    assert!(parse("none").ways().is_empty());
}

#[test]
fn specifications_read_back_what_they_write() {
    let texts = [
        "none",
        "auto",
        "dtr=nrst,rts=boot0",
        "rts=!nrst,gpio:gpiochip1/3=!boot0",
        "seq:-dtr&+rts,100ms,+dtr",
        "seq:+brk,250ms,-brk:+dtr,1500us,-dtr",
    ];
    for text in texts {
        assert_eq!(parse(text).to_string(), text);
    }
    for way in parse("auto").ways() {
        assert_eq!(parse(&way.spec.to_string()), way.spec);
    }
}

#[test]
fn presets_are_found_by_each_of_their_names() {
    let mut names = Vec::new();
    for preset in PRESETS {
        for name in [preset.name].iter().chain(preset.aliases) {
            assert_eq!(
                parse(name),
                ResetSpec::Wiring(preset.wiring.clone()),
                "{name}"
            );
            names.push(*name);
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name is given twice");
    assert_eq!(parse("stm32loader").to_string(), "dtr=nrst,rts=boot0");
}

#[test]
fn an_error_says_what_and_where() {
    for (text, column, message) in [
        ("", 1, "missing"),
        ("dirct", 1, "`dirct` is no preset"),
        ("dtr=nrst,", 10, "missing"),
        ("dtr=nrst,rts", 10, "`rts` is not LINE=PIN"),
        ("dtr=nsrt", 5, "`nsrt` is no pin"),
        ("dtr=", 5, "is no pin"),
        ("dtr=!", 5, "`!` is no pin"),
        ("cts=nrst", 1, "`cts` is no line"),
        ("dtr=nrst, gpio:4=boot0", 11, "`gpio:4` is no line"),
        ("dtr=nrst,rts=reset", 14, "nrst is driven by two lines"),
        ("dtr=nrst,dtr=boot0", 10, "dtr drives two pins"),
        ("seq:", 5, "missing"),
        ("seq:-dtr,,+dtr", 10, "missing"),
        ("seq:-dtr,dtr", 10, "`dtr` is no step"),
        ("seq:-dtr,+xyz", 11, "`xyz` is no line"),
        ("seq:-dtr,100", 10, "`100` is no step"),
        ("seq:-dtr,100min", 10, "`100min` is no step"),
        ("seq:-dtr&100ms", 10, "`100ms` cannot be joined"),
        ("seq:-dtr,61s", 10, "more than 60 s"),
        ("seq:40s,40s", 5, "more than 60 s"),
        ("seq:18446744073709551615s,1s", 5, "more than 60 s"),
        ("seq:+dtr:-dtr:+rts", 15, "at most two sequences"),
        ("seq:é", 5, "`é` is no step"),
        ("é=nrst,dtr=x", 1, "`é` is no line"),
        ("dtr=é,rts=x", 5, "`é` is no pin"),
    ] {
        let error = ResetSpec::parse(text).unwrap_err();
        let sentence = error.to_string();
        assert!(sentence.contains(message), "{text}: {sentence}");
        assert!(sentence.contains(&format!("`{text}`")), "{sentence}");
        assert_eq!(error.column, column, "{text}: {sentence}");
    }
}

// The strings of stm32flash.

fn stm32flash(text: &str) -> (String, Option<String>) {
    let spec = ResetSpec::parse_stm32flash(text).unwrap_or_else(|error| panic!("{error}"));
    let way = spec.ways().remove(0);
    (
        way.enter.to_string(),
        way.leave.map(|leave| leave.to_string()),
    )
}

/// The examples of the manual page of stm32flash 0.7, each with what the page says of it.
#[test]
fn the_strings_of_stm32flash_mean_what_its_manual_page_says() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        stm32flash("4,-5,-3,3:-4,-3,3"),
        (
            "+gpio:sysfs/4,100ms,-gpio:sysfs/5,100ms,-gpio:sysfs/3,100ms,+gpio:sysfs/3".to_owned(),
            some("-gpio:sysfs/4,100ms,-gpio:sysfs/3,100ms,+gpio:sysfs/3"),
        )
    );
    assert_eq!(
        stm32flash("-3&-2,2:3&-2,,,2"),
        (
            "-gpio:sysfs/3,-gpio:sysfs/2,100ms,+gpio:sysfs/2".to_owned(),
            some("+gpio:sysfs/3,-gpio:sysfs/2,100ms,100ms,100ms,+gpio:sysfs/2"),
        )
    );
    assert_eq!(
        stm32flash(",,,,,:rts&-dtr,,,2"),
        (
            "100ms,100ms,100ms,100ms,100ms".to_owned(),
            some("+rts,-dtr,100ms,100ms,100ms,+gpio:sysfs/2"),
        )
    );
    assert_eq!(
        stm32flash("-rts,-dtr,dtr:rts,-dtr,dtr"),
        (
            "-rts,100ms,-dtr,100ms,+dtr".to_owned(),
            some("+rts,100ms,-dtr,100ms,+dtr"),
        )
    );
    assert_eq!(stm32flash("brk,-brk").0, "+brk,250ms,-brk,100ms");
}

#[test]
fn stm32flash_takes_signals_without_delimiters_and_empty_sides() {
    assert_eq!(
        stm32flash("rts-dtr12").0,
        "+rts,-dtr,+gpio:sysfs/12".to_owned()
    );
    assert_eq!(stm32flash("rts:"), ("+rts".to_owned(), None));
    assert_eq!(
        stm32flash(":-dtr"),
        (String::new(), Some("-dtr".to_owned()))
    );
}

#[test]
fn an_error_in_a_string_of_stm32flash_says_what_and_where() {
    for (text, column, message) in [
        ("rts,xyz", 5, "`xyz` is no signal"),
        ("-", 1, "`-` is no signal"),
        ("rts,-,dtr", 5, "`-` is no signal"),
        ("rts;dtr", 4, "`;dtr` is no signal"),
        ("rts:dtr:rts", 9, "at most two sequences"),
        ("é", 1, "`é` is no signal"),
    ] {
        let error = ResetSpec::parse_stm32flash(text).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!(error.column, column, "{text}: {error}");
    }
    let long = ",".repeat(601);
    assert!(ResetSpec::parse_stm32flash(&long).is_err());
}

// Running.

#[test]
fn a_sequence_that_is_interrupted_still_releases_the_target() {
    let (enter, _) = sequences("direct");
    let mut fake = FakeLink::silent();
    let log = fake.log.clone();
    let flag = CancelFlag::new();
    flag.raise();
    fake.claims_real_time = true;
    let mut link = Interruptible::new(fake, flag);
    link.pause(ms(1_000)).unwrap_err();
    log.take();

    let result = run(&mut link, &enter);
    assert!(matches!(result, Err(LinkError::Cancelled)), "{result:?}");
    assert_eq!(
        log.take(),
        [
            "300ms lines -rts +dtr",
            "300ms pause 0ns",
            "300ms lines -dtr",
        ]
    );
}

#[test]
fn a_link_that_ends_ends_the_sequence() {
    let (enter, _) = sequences("direct");
    let mut fake = FakeLink::silent();
    fake.closes_at = Some(ms(50));
    let result = run(&mut fake, &enter);
    assert!(matches!(result, Err(LinkError::Closed)), "{result:?}");
}
