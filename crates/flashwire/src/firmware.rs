//! The firmware that flashwire brings along: what there is, which chip each is for, and how it gets
//! there.
//!
//! The images lie in `images/`, written by `cargo xtask firmware`, and need no compiler here. How an
//! image is installed is its chip's [`Way`]; the steps that only hands can do are told as texts,
//! [before](Bundled::before) and [after](Bundled::after).

use flashwire_client::stm32;
use flashwire_plan::{Format, Image, ParseOptions};

use crate::error::{Error, Problem};
use crate::port::{Method, Place, Port};
use crate::session::{Info, Started, open};

/// An image that flashwire brings along.
#[derive(Debug, PartialEq, Eq)]
pub struct Bundled {
    /// What people call it: `serprog-stm32f103`.
    pub name: &'static str,
    /// What its board becomes; a fragment.
    pub what: &'static str,
    /// The chip that it is for.
    pub chip: Chip,
    /// Line speed that it speaks serprog at, in bits per second; `None` if it is built for USB.
    pub baud: Option<u32>,
    /// What the chip's flash holds from [`Chip::address`] on.
    pub content: &'static [u8],
}

/// A chip that there are images for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chip {
    /// An STM32F103x8 or larger, with 20 KiB of RAM at least.
    Stm32F103,
    /// An ATmega328P or ATmega328 at 16 MHz, on an Arduino Uno or Nano.
    Atmega328P,
}

/// How an image gets into its chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through the bootloader in the ROM of an STM32: [`Session::plan_install`](crate::Session::plan_install).
    Stm32Bootloader,
    /// Through the bootloader of an Arduino board, likewise.
    ArduinoBootloader,
}

/// What the manifest says of an image besides its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// SHA-256 of the content, in hexadecimal digits.
    pub sha256: &'static str,
    /// SHA-256 of all that it is made of, as `cargo xtask firmware` computes it.
    pub source_sha256: &'static str,
}

/// Every image.
pub static ALL: [Bundled; 6] = [
    Bundled {
        name: "serprog-stm32f103",
        what: "serprog programmer for SPI flash chips, over USB",
        chip: Chip::Stm32F103,
        baud: None,
        content: include_bytes!("../images/serprog-stm32f103.bin"),
    },
    Bundled {
        name: "serprog-stm32f103-single-buffered",
        what: "the same programmer, for clones whose double-buffered USB fails",
        chip: Chip::Stm32F103,
        baud: None,
        content: include_bytes!("../images/serprog-stm32f103-single-buffered.bin"),
    },
    Bundled {
        name: "programmer-atmega328p",
        what: "programmer for SPI flash chips, serprog and nfd's protocol at 115200 baud",
        chip: Chip::Atmega328P,
        baud: Some(115_200),
        content: include_bytes!("../images/programmer-atmega328p.bin"),
    },
    Bundled {
        name: "programmer-atmega328p-500k",
        what: "the same programmer, at 500000 baud",
        chip: Chip::Atmega328P,
        baud: Some(500_000),
        content: include_bytes!("../images/programmer-atmega328p-500k.bin"),
    },
    Bundled {
        name: "programmer-atmega328p-1m",
        what: "the same programmer, at 1 M baud",
        chip: Chip::Atmega328P,
        baud: Some(1_000_000),
        content: include_bytes!("../images/programmer-atmega328p-1m.bin"),
    },
    Bundled {
        name: "programmer-atmega328p-2m",
        what: "the same programmer, at 2 M baud",
        chip: Chip::Atmega328P,
        baud: Some(2_000_000),
        content: include_bytes!("../images/programmer-atmega328p-2m.bin"),
    },
];

/// Written by `cargo xtask firmware`: a line of comment, the columns' names, then a line an image:
/// name, chip, bytes, sha256, source_sha256.
const MANIFEST: &str = include_str!("../images/manifest.csv");

/// The image with this name.
///
/// # Errors
/// There is none.
pub fn find(name: &str) -> Result<&'static Bundled, Error> {
    let found = ALL.iter().find(|image| image.name == name);
    found.ok_or_else(|| {
        let name = name.to_owned();
        Problem::FirmwareUnknown { name }.into()
    })
}

impl Chip {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stm32F103 => "STM32F103",
            Self::Atmega328P => "ATmega328P",
        }
    }

    /// What programs call it, and the manifest.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Stm32F103 => "stm32f103",
            Self::Atmega328P => "atmega328p",
        }
    }

    /// Where its images begin.
    pub const fn address(self) -> u64 {
        match self {
            // RM0008 rev 21, section 3.3.3.
            Self::Stm32F103 => 0x0800_0000,
            // DS40002061B, "AVR Memories", "In-System Reprogrammable Flash Program Memory".
            Self::Atmega328P => 0,
        }
    }

    /// How its images are installed.
    pub const fn way(self) -> Way {
        match self {
            Self::Stm32F103 => Way::Stm32Bootloader,
            Self::Atmega328P => Way::ArduinoBootloader,
        }
    }
}

impl Way {
    /// What programs call it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Stm32Bootloader => "stm32-bootloader",
            Self::ArduinoBootloader => "arduino-bootloader",
        }
    }

    /// How to talk to it.
    const fn method(self) -> Method {
        match self {
            // The ROM of these chips listens on USART1 alone: AN2606, "STM32F10xxx devices".
            Self::Stm32Bootloader => Method::Stm32,
            Self::ArduinoBootloader => Method::Stk500,
        }
    }
}

/// Product ids of parts that can be an STM32F103: low, medium, high and XL density (RM0008 rev 21,
/// section 31.6.1). Those without USB under the same ids, STM32F101, cannot be told apart.
const F103_IDS: [u16; 4] = [0x412, 0x410, 0x414, 0x430];

impl Bundled {
    /// The image with its addresses, as if it had been read from a file.
    ///
    /// # Errors
    /// None that an image which is not empty gives.
    pub fn image(&self) -> Result<Image, Error> {
        let options = ParseOptions {
            format: Some(Format::Binary),
            address: Some(self.chip.address()),
            ..ParseOptions::default()
        };
        let image = Image::parse(self.content, &options);
        image.map_err(|error| Error::from(error).about(self.name))
    }

    /// Its hashes; `None` if the manifest does not have it.
    pub fn record(&self) -> Option<Record> {
        let mut rows = MANIFEST.lines().map(|line| line.split(','));
        rows.find_map(|mut row| {
            let is_it = row.next() == Some(self.name) && row.next() == Some(self.chip.id());
            let (_bytes, sha256, source_sha256) = (row.next()?, row.next()?, row.next()?);
            is_it.then_some(Record {
                sha256,
                source_sha256,
            })
        })
    }

    /// The port through which its chip's bootloader is reached: one without a method is taken for that.
    ///
    /// # Errors
    /// The port itself says that it leads elsewhere.
    pub fn reach(&self, mut port: Port) -> Result<Port, Error> {
        let wanted = self.chip.way().method();
        if port.method.is_none() && matches!(port.place, Place::Serial(_) | Place::Tcp { .. }) {
            port.method = Some(wanted).filter(|method| *method != Method::default());
        }
        if open::method(&port)? == wanted {
            return Ok(port);
        }
        Err(Problem::FirmwarePort {
            name: self.name.to_owned(),
            port: port.to_string(),
        }
        .into())
    }

    /// Refuses a chip that it is not for, or that it does not fit into.
    ///
    /// # Errors
    /// That.
    pub fn check(&self, info: &Info) -> Result<(), Error> {
        match self.chip {
            Chip::Stm32F103 => self.check_stm32f103(info),
            Chip::Atmega328P => self.check_atmega328p(info),
        }
    }

    fn check_atmega328p(&self, info: &Info) -> Result<(), Error> {
        let name = self.name.to_owned();
        let part = info.part.clone();
        // Of its kin none is opened as an Arduino.
        if info.arduino.is_none() {
            let chip = self.chip.name();
            return Err(Problem::FirmwareChip { name, chip, part }.into());
        }
        let (needed, there) = (self.content.len() as u64, info.flash.end - info.flash.start);
        if needed > there {
            return Err(Problem::FirmwareSpace {
                name,
                part,
                memory: "flash",
                needed,
                there,
            }
            .into());
        }
        Ok(())
    }

    fn check_stm32f103(&self, info: &Info) -> Result<(), Error> {
        let name = self.name.to_owned();
        let part = info.part.clone();
        let Some(stm32) = info.stm32.as_ref().filter(|stm32| {
            let id = stm32.product_id;
            F103_IDS.contains(&id)
        }) else {
            let chip = self.chip.name();
            return Err(Problem::FirmwareChip { name, chip, part }.into());
        };
        let too_small = |memory, needed: u64, there: u64| {
            Err(Problem::FirmwareSpace {
                name: name.clone(),
                part: part.clone(),
                memory,
                needed,
                there,
            }
            .into())
        };
        let flash = info.flash.end - info.flash.start;
        if flash < self.content.len() as u64 {
            return too_small("flash", self.content.len() as u64, flash);
        }
        // The stack begins at the end of the RAM that it was linked for: the first word of the vector
        // table (ARMv7-M Architecture Reference Manual, B1.5.3).
        let stack = self.content.first_chunk().copied().map(u32::from_le_bytes);
        let needed = u64::from(stack.unwrap_or_default());
        match &stm32.free_ram {
            Some(ram) if ram.end < needed => {
                too_small("RAM", needed - RAM_START, ram.end - RAM_START)
            }
            _ => Ok(()),
        }
    }

    /// What to do by hand so that it can be installed; a sentence each.
    pub fn before(&self) -> &'static [&'static str] {
        match self.chip {
            Chip::Stm32F103 => &[
                "Wire a 3.3 V serial adapter to the board: RX to PA9, TX to PA10, GND to G, and 3.3 V \
                 to 3.3 if nothing else feeds the board.",
                "Put the BOOT0 jumper to 1 and press reset.",
            ],
            Chip::Atmega328P => &[
                "Connect the board by its USB socket. Nothing may be at its pins 0 and 1.",
                "If a flash chip is wired to a board of 5 V, take it off: it needs 3.3 V \
                 (docs/programmer-arduino.md).",
            ],
        }
    }

    /// What to do by hand once it is installed and started so, and what the computer shows then; a
    /// sentence each. `at` is the port that it was installed through, `system` the computer's operating
    /// system, as in [`std::env::consts::OS`].
    pub fn after(&self, started: Started, at: &Port, system: &str) -> Vec<String> {
        let port = usb_port(system);
        match self.chip {
            Chip::Stm32F103 => vec![
                match started {
                    // The lines have BOOT0, and have let go of it.
                    Started::Reset => "Take the adapter off.".to_owned(),
                    _ => "Put the BOOT0 jumper back to 0, and take the adapter off.".to_owned(),
                },
                format!(
                    "Connect the board's USB to the computer: a serial port appears, {} (`flashwire \
                     list` shows it).",
                    port.appears
                ),
                format!(
                    "With a flash chip wired to it: flashwire info -p serprog:{}",
                    port.example
                ),
            ],
            Chip::Atmega328P => {
                let port = match (&at.place, self.baud) {
                    // A bench with a chip at its pins is another bench.
                    (Place::Bench(_), _) => "sim:uno+w25q80bv".to_owned(),
                    (place, Some(open::DEFAULT_BAUD) | None) => format!("serprog:{place}"),
                    (place, Some(baud)) => format!("serprog:{place} -b {baud}"),
                };
                vec![format!(
                    "With a flash chip wired to it: flashwire info -p {port}"
                )]
            }
        }
    }

    /// The same error, with what to try in the words of somebody who installs this.
    #[must_use]
    pub fn advise(&self, error: Error) -> Error {
        let Problem::Stm32(problem) = error.problem() else {
            return error;
        };
        match problem {
            stm32::Error::NoAnswer { .. } => error.with_remedy(
                "BOOT0 jumper to 1, then press reset; adapter's RX at PA9, its TX at PA10, GND at G (the \
                 board's own USB socket is not the way in)",
            ),
            stm32::Error::WrongAnswer { .. } => error.with_remedy(
                "BOOT0 jumper to 1, then press reset; and see that {port} is the adapter at PA9 and PA10, \
                 not a programmer that runs already: `flashwire list`",
            ),
            _ => error,
        }
    }
}

/// Where the RAM of every STM32F1 begins: RM0008 rev 21, section 3.3.
const RAM_START: u64 = 0x2000_0000;

/// How a system calls the serial port of a USB device.
struct UsbPort {
    /// What appears.
    appears: &'static str,
    /// What to type.
    example: &'static str,
}

fn usb_port(system: &str) -> UsbPort {
    match system {
        "windows" => UsbPort {
            appears: "COM3 or another number",
            example: "COM3",
        },
        "macos" => UsbPort {
            appears: "/dev/cu.usbmodem with a number",
            example: "/dev/cu.usbmodem1",
        },
        _ => UsbPort {
            appears: "/dev/ttyACM0 or the next number",
            example: "/dev/ttyACM0",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{OpenOptions, Session};
    use crate::watch::Unwatched;

    /// What a bench says of itself.
    fn info(bench: &str) -> Info {
        let port = format!("sim:{bench}").parse().unwrap();
        let mut session = Session::open(OpenOptions::new(port), &mut Unwatched).unwrap();
        session.info()
    }

    fn refusal(image: &Bundled, info: &Info) -> (&'static str, String) {
        let error = image.check(info).unwrap_err();
        assert_eq!(error.exit(), crate::Exit::Refused);
        (error.hint().code, error.to_string())
    }

    #[test]
    fn the_manifest_is_about_these_images_and_no_others_for_their_chips() {
        let rows: Vec<Vec<&str>> = MANIFEST
            .lines()
            .skip(2)
            .map(|line| line.split(',').collect())
            .collect();
        let known: Vec<&str> = ALL.iter().map(|image| image.chip.id()).collect();
        let of_known_chips: Vec<&str> = rows
            .iter()
            .filter(|row| known.contains(&row[1]))
            .map(|row| row[0])
            .collect();
        let names: Vec<&str> = ALL.iter().map(|image| image.name).collect();
        assert_eq!(of_known_chips, names);
        for image in &ALL {
            let row = rows.iter().find(|row| row[0] == image.name).unwrap();
            assert_eq!(row[2], image.content.len().to_string());
            let record = image.record().unwrap();
            assert_eq!(record.sha256.len(), 64);
            assert_eq!(record.source_sha256.len(), 64);
        }
    }

    #[test]
    fn an_image_lies_where_its_chip_starts() {
        for image in &ALL {
            let placed = image.image().unwrap();
            assert_eq!(placed.range().start, image.chip.address());
            assert_eq!(placed.total_bytes(), image.content.len() as u64);
            if image.chip == Chip::Stm32F103 {
                let table = crate::images::vector_table(&placed);
                assert_eq!(table, Some(image.chip.address()), "{}", image.name);
            }
        }
    }

    #[test]
    fn f103_of_all_sizes_are_taken_and_other_parts_refused() {
        for bench in ["stm32f103c8", "stm32f103cb", "stm32f103rc", "stm32f103ve"] {
            for image in ALL.iter().filter(|image| image.chip == Chip::Stm32F103) {
                image.check(&info(bench)).unwrap();
            }
        }
        for bench in ["stm32f072rb", "stm32f407vg", "stm32h743zi"] {
            let (code, sentence) = refusal(&ALL[0], &info(bench));
            assert_eq!(code, "firmware-chip");
            assert!(sentence.contains("STM32F103"), "{sentence}");
        }
        let mut chip = info("stm32f103cb");
        chip.stm32 = None;
        assert_eq!(refusal(&ALL[0], &chip).0, "firmware-chip");
    }

    #[test]
    fn a_part_with_too_little_flash_or_ram_is_refused() {
        let mut small = info("stm32f103c8");
        small.flash.end = small.flash.start + ALL[0].content.len() as u64 - 1;
        let (code, sentence) = refusal(&ALL[0], &small);
        assert_eq!(code, "firmware-space");
        assert!(sentence.contains("flash"), "{sentence}");

        // Low density: 10 KiB of RAM.
        let mut low = info("stm32f103c8");
        if let Some(stm32) = &mut low.stm32 {
            stm32.product_id = 0x412;
            stm32.free_ram = Some(0x2000_0200..0x2000_2800);
        }
        let (code, sentence) = refusal(&ALL[0], &low);
        assert_eq!(code, "firmware-space");
        assert!(
            sentence.contains("RAM") && sentence.contains("20480"),
            "{sentence}"
        );
    }

    #[test]
    fn ports_with_another_method_are_refused_before_they_are_opened() {
        for port in [
            "serprog:/dev/ttyACM0",
            "stm32-i2c:/dev/i2c-1@0x39",
            "sim:serprog+w25q80bv",
        ] {
            let error = ALL[0].reach(port.parse().unwrap()).unwrap_err();
            assert_eq!(error.hint().code, "firmware-port", "{port}");
        }
        for port in [
            "/dev/ttyUSB0",
            "stm32:COM3",
            "tcp:board:4000",
            "sim:stm32f103c8",
        ] {
            let port: Port = port.parse().unwrap();
            assert_eq!(ALL[0].reach(port.clone()).unwrap(), port);
        }
    }

    #[test]
    fn an_arduino_is_reached_through_its_bootloader_whatever_the_port_is_called() {
        let arduino = find("programmer-atmega328p").unwrap();
        for (port, reached) in [
            ("/dev/ttyUSB0", "stk500:/dev/ttyUSB0"),
            ("COM5", "stk500:COM5"),
            ("tcp:lab:4000", "stk500:tcp:lab:4000"),
            ("stk500:/dev/ttyACM0", "stk500:/dev/ttyACM0"),
            ("sim:arduino-uno", "sim:arduino-uno"),
        ] {
            let port = arduino.reach(port.parse().unwrap()).unwrap();
            assert_eq!(port.to_string(), reached);
        }
        for port in [
            "serprog:/dev/ttyUSB0",
            "stm32:COM5",
            "sim:stm32f103cb",
            "sim:uno+w25q80bv",
        ] {
            let error = arduino.reach(port.parse().unwrap()).unwrap_err();
            assert_eq!(error.hint().code, "firmware-port", "{port}");
        }
        for bench in [
            "arduino-uno",
            "arduino-nano-old",
            "arduino-uno,signature=1E9514",
        ] {
            arduino.check(&info(bench)).unwrap();
        }
        assert_eq!(refusal(arduino, &info("stm32f103cb")).0, "firmware-chip");
        let mut small = info("arduino-uno");
        small.flash.end = arduino.content.len() as u64 - 1;
        assert_eq!(refusal(arduino, &small).0, "firmware-space");
    }

    #[test]
    fn every_system_has_its_name_for_the_port() {
        for (system, port) in [
            ("linux", "serprog:/dev/ttyACM0"),
            ("macos", "serprog:/dev/cu.usbmodem"),
            ("windows", "serprog:COM3"),
        ] {
            let steps = ALL[0]
                .after(Started::Reset, &"/dev/ttyUSB0".parse().unwrap(), system)
                .join("\n");
            assert!(steps.contains(port), "{system}: {steps}");
            assert!(!steps.contains("BOOT0"), "the lines have it: {steps}");
        }
    }
}
