//! Real bootloaders of Arduino boards, executed: the writer installs the programmer through them, by
//! the chip's own self-programming, and what they start answers.
//!
//! They come from Debian's `arduino-core-avr`, under the GPL; none of it is in the repository.

use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use flashwire_client::serprog;
use flashwire_client::stk500::{Bootloader, Loader, Options, Target};
use flashwire_plan::{FlashDevice, Image, Options as PlanOptions, execute, needs, plan, survey};
use flashwire_sim::nor;
use flashwire_simavr::{Config, Machine, Uno};
use flashwire_tests::bench::noise;

const FOLDER: &str = "/usr/share/arduino/hardware/arduino/avr/bootloaders";
const PROGRAMMER: &[u8] =
    include_bytes!("../../../crates/flashwire/images/programmer-atmega328p.bin");

/// A loader, where the chip begins with it, and how fast it is.
struct Board {
    file: &'static str,
    begins_at: u32,
    loader: Loader,
    baud: u32,
}

/// Where Debian's build of optiboot begins, and how far it is moved down: it is 20 bytes longer than
/// its section of 512, so that it would run out of the flash. All its jumps are relative.
const OPTIBOOT: (u32, u32) = (0x7E00, 0x200);

/// What is not code in its file: the version, for tools to read.
const VERSION_WORD: u32 = 0x7FFE;

/// ATmegaBOOT begins where `boards.txt` has it (fuse 0xDA).
const BOARDS: [Board; 2] = [
    Board {
        file: "optiboot/optiboot_atmega328.hex",
        begins_at: OPTIBOOT.0 - OPTIBOOT.1,
        loader: Loader::Optiboot { major: 4, minor: 4 },
        baud: 115_200,
    },
    Board {
        file: "atmega/ATmegaBOOT_168_atmega328.hex",
        begins_at: 0x7800,
        loader: Loader::AtmegaBoot,
        baud: 57_600,
    },
];

impl Board {
    /// With nothing in its flash but the loader, and a chip at its pins.
    fn uno(&self) -> Uno {
        let path = format!("{FOLDER}/{}", self.file);
        let text = fs::read_to_string(path).expect("Debian's arduino-core-avr");
        let image = match self.loader {
            Loader::Optiboot { .. } => moved(&text),
            _ => text,
        };
        let config = Config {
            begins_at: self.begins_at,
            ..Config::default()
        };
        let part = nor::find("w25q80bv").expect("a part of the bench");
        let chip = nor::Chip::new(part, nor::Options::default());
        Uno::new(Machine::new(image.as_bytes(), config, Some(chip)).expect("a board"))
    }

    fn open(&self, uno: &Uno) -> Target {
        let link = Box::new(uno.open(115_200));
        let loader = Bootloader::connect(link, Options::default()).expect("a bootloader");
        let identity = loader.identity();
        assert_eq!((identity.loader, identity.baud), (self.loader, self.baud));
        assert_eq!(identity.part.name, "ATmega328P");
        Target::new(loader)
    }
}

/// An Intel HEX file without the version, its data moved down.
fn moved(text: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        let digits = line.strip_prefix(':').expect("a record");
        let byte = |n: usize| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).expect("digits");
        let mut record: Vec<u8> = (0..digits.len() / 2 - 1).map(byte).collect();
        let address = u32::from(u16::from_be_bytes([record[1], record[2]]));
        if record[3] == 0x00 {
            if address == VERSION_WORD {
                continue;
            }
            let [.., high, low] = (address - OPTIBOOT.1).to_be_bytes();
            record[1..3].copy_from_slice(&[high, low]);
        }
        let sum = record
            .iter()
            .fold(0_u8, |sum, byte| sum.wrapping_sub(*byte));
        record.push(sum);
        let digits: String = record.iter().map(|byte| format!("{byte:02X}")).collect();
        lines.push_str(&format!(":{digits}\n"));
    }
    lines
}

/// Writes content to the start of the flash, as flashwire does.
fn write(target: &mut Target, content: &[u8]) {
    let image = Image::from_binary(content.to_vec(), Some(0)).expect("an image");
    let options = PlanOptions::default();
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    let needs = needs(target.geometry(), &image, &options).expect("it fits");
    let current = survey(target, &needs, &image, go_on).expect("it is read");
    let plan = plan(target.geometry(), &image, &current, &options).expect("a plan");
    let report = execute(&plan, target, go_on).expect("it is written");
    assert!(report.verified);
}

#[test]
#[ignore = "needs Debian's arduino-core-avr"]
fn the_programmer_is_installed_and_answers() {
    for board in &BOARDS {
        let uno = board.uno();
        let loader_code = uno.machine().flash()[board.begins_at as usize..].to_vec();
        let mut target = board.open(&uno);
        write(&mut target, PROGRAMMER);
        assert_eq!(uno.machine().flash()[..PROGRAMMER.len()], *PROGRAMMER);
        assert_eq!(
            uno.machine().flash()[board.begins_at as usize..0x8000],
            loader_code[..0x8000 - board.begins_at as usize],
            "the loader is as it was"
        );
        target.loader_mut().leave().expect("the loader listens");
        // Opening the port resets the board: the loader has it for a second once more.
        let link = Box::new(uno.open(115_200));
        let client = serprog::Client::open(link, serprog::Options::default());
        let client = client.expect("the programmer runs");
        let name = client.identity().name.as_ref().expect("a name");
        assert!(name.as_str().starts_with("flashwire"), "{}", name.as_str());
    }
}

#[test]
#[ignore = "needs Debian's arduino-core-avr"]
fn old_content_is_replaced_page_by_page_and_no_byte_comes_too_soon() {
    for board in &BOARDS {
        let uno = board.uno();
        let mut target = board.open(&uno);
        let overruns = |uno: &Uno| uno.machine().report().traffic.overruns;
        let before = overruns(&uno);
        let [old, new] = [(6000, 1), (3000, 2)].map(|(bytes, seed)| {
            // A program that stays where it is: rjmp .-2
            [&[0xFF, 0xCF], &noise(bytes - 2, seed)[..]].concat()
        });
        write(&mut target, &old);
        // After a pause in which the loader has gone, and come back.
        let pause = Duration::from_secs(3);
        target
            .loader_mut()
            .link_mut()
            .pause(pause)
            .expect("a pause");
        write(&mut target, &new);
        assert_eq!(uno.machine().flash()[..3000], new);
        assert_eq!(uno.machine().flash()[3000..6000], old[3000..]);
        assert_eq!(overruns(&uno), before, "{}", board.file);
    }
}
