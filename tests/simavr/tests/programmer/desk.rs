//! A programmer on the desk, with a flash chip clipped to it.

use std::fs;
use std::path::{Path, PathBuf};

use flashwire_client::{serprog, spinor};
use flashwire_link::Link;
use flashwire_sim::nor;
use flashwire_simavr::{Config, Machine, Uno};
use flashwire_tests::bench::noise;

/// Size of the chip that is clipped to it: a W25Q80BV.
pub(crate) const CHIP_BYTES: usize = 1 << 20;

/// The deepest that the stack may get, in bytes.
pub(crate) const STACK_BYTES: usize = 256;

/// An image of the programmer, by the speed of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// The one that is installed unless another is asked for.
    Baud115200,
    Baud500k,
    Baud1M,
    Baud2M,
}

impl Build {
    pub(crate) const ALL: [Self; 4] =
        [Self::Baud115200, Self::Baud500k, Self::Baud1M, Self::Baud2M];

    /// Its committed image.
    pub(crate) fn image(self) -> PathBuf {
        let name = match self {
            Self::Baud115200 => "programmer-atmega328p.bin",
            Self::Baud500k => "programmer-atmega328p-500k.bin",
            Self::Baud1M => "programmer-atmega328p-1m.bin",
            Self::Baud2M => "programmer-atmega328p-2m.bin",
        };
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/flashwire/images");
        Path::new(folder).join(name)
    }

    /// Speed of the host's port.
    pub(crate) fn baud(self) -> u32 {
        match self {
            Self::Baud115200 => 115_200,
            Self::Baud500k => 500_000,
            Self::Baud1M => 1_000_000,
            Self::Baud2M => 2_000_000,
        }
    }
}

/// A chip that holds noise.
pub(crate) fn chip(pace: nor::Pace) -> nor::Chip {
    let part = nor::find("w25q80bv").expect("the bench has it");
    let mut chip = nor::Chip::new(part, nor::Options { pace, seed: 1 });
    chip.memory_mut().copy_from_slice(&noise(CHIP_BYTES, 1));
    chip
}

/// Another chip that holds noise in its first [`CHIP_BYTES`].
pub(crate) fn part_with(name: &str) -> nor::Chip {
    let part = nor::find(name).expect("the bench has it");
    let mut chip = nor::Chip::new(part, nor::Options::default());
    chip.memory_mut()[..CHIP_BYTES].copy_from_slice(&noise(CHIP_BYTES, 1));
    chip
}

/// A programmer and what is around it.
pub(crate) struct Desk {
    pub(crate) uno: Uno,
    build: Build,
}

impl Desk {
    /// A programmer with a W25Q80BV that is as fast as its datasheet's typical one, and holds noise.
    pub(crate) fn new(build: Build) -> Self {
        Self::with(build, Config::default(), Some(chip(nor::Pace::Typical)))
    }

    pub(crate) fn with(build: Build, config: Config, chip: Option<nor::Chip>) -> Self {
        let path = build.image();
        let image = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let machine = Machine::new(&image, config, chip).expect("it fits");
        Self {
            uno: Uno::new(machine),
            build,
        }
    }

    /// Opens the port, which resets the board.
    pub(crate) fn open(&self) -> Box<dyn Link> {
        Box::new(self.uno.open(self.build.baud()))
    }

    /// Our client of its serprog.
    pub(crate) fn serprog(&self) -> serprog::Client {
        let options = serprog::Options::default();
        serprog::Client::open(self.open(), options).expect("the programmer answers")
    }

    /// The chip as our client of serprog finds it.
    pub(crate) fn chip(&self) -> spinor::Chip {
        let options = spinor::Options::default();
        let client = Box::new(self.serprog());
        spinor::Chip::open(client, &spinor::Parts::built_in(), options).expect("the chip answers")
    }

    /// What the chip holds.
    pub(crate) fn memory(&self) -> Vec<u8> {
        let machine = self.uno.machine();
        machine.chip().expect("there is a chip").memory().to_vec()
    }

    /// Puts something into the chip.
    pub(crate) fn fill(&self, content: &[u8]) {
        let mut machine = self.uno.machine_mut();
        let chip = machine.chip_mut().expect("there is a chip");
        chip.memory_mut()[..content.len()].copy_from_slice(content);
    }

    /// Checks that nothing happened that silicon would suffer in silence.
    #[track_caller]
    pub(crate) fn is_flawless(&self) {
        let report = self.uno.machine().report();
        assert_eq!(report.complaints, []);
        assert_eq!(report.chip_complaints, [""; 0]);
        let traffic = report.traffic;
        assert_eq!((traffic.overruns, traffic.framing_errors), (0, 0));
        assert_eq!(report.watchdog_resets, 0);
        assert!(
            report.stack_bytes <= STACK_BYTES,
            "{} bytes of stack",
            report.stack_bytes
        );
        assert!(report.untouched_bytes > 0, "the stack met the variables");
    }
}
