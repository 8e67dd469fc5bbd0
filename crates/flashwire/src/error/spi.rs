//! What can go wrong with serprog programmers, the chips behind them, and the layouts of those.

use std::error::Error as StdError;

use flashwire_client::{nfd, serprog, spinor};
use flashwire_link::LinkError;
use flashwire_plan::LayoutError;

use super::Problem;
use super::hint::{self, Exit, Hint};

impl From<serprog::Error> for Problem {
    /// A link that failed during a conversation is a failed link.
    fn from(error: serprog::Error) -> Self {
        match error {
            serprog::Error::Link(LinkError::Cancelled) => Self::Cancelled,
            serprog::Error::Link(error) => Self::Link(error),
            error => Self::Serprog(error),
        }
    }
}

impl From<spinor::Error> for Problem {
    /// What its controller did is the controller's problem, not the chip's.
    fn from(error: spinor::Error) -> Self {
        match error {
            spinor::Error::Controller(error) => of_controller(error),
            error => Self::Chip(error),
        }
    }
}

/// What a SPI controller failed with.
fn of_controller(error: Box<dyn StdError + Send + Sync>) -> Problem {
    match error.downcast::<serprog::Error>() {
        Ok(error) => (*error).into(),
        Err(error) => match error.downcast::<LinkError>() {
            Ok(error) => serprog::Error::Link(*error).into(),
            Err(error) => Problem::Defect(error),
        },
    }
}

/// What a [`FlashDevice`](flashwire_plan::FlashDevice) behind a programmer failed with.
pub(super) fn of_device(error: Box<dyn StdError + Send + Sync>) -> Problem {
    match error.downcast::<spinor::Error>() {
        Ok(error) => (*error).into(),
        Err(error) => match error.downcast::<nfd::Error>() {
            Ok(error) => (*error).into(),
            Err(error) => of_controller(error),
        },
    }
}

/// What is wrong with a programmer, without its values where those are facts of their own.
pub(super) fn serprog_sentence(error: &serprog::Error) -> String {
    match error {
        serprog::Error::NoAnswer { .. } => "no serprog programmer answered".to_owned(),
        serprog::Error::WrongAnswer { .. } => {
            "what answered is not a serprog programmer".to_owned()
        }
        serprog::Error::Version { version } => {
            format!("the programmer is of another kind: it speaks serprog version {version}, not 1")
        }
        serprog::Error::NoSpi => "the programmer is of no use here: it has no SPI bus".to_owned(),
        serprog::Error::Unsupported { opcode } => {
            format!("the programmer cannot do this: it has no command {opcode:?}")
        }
        _ => error.to_string(),
    }
}

/// What is wrong with a chip, likewise.
pub(super) fn chip_sentence(error: &spinor::Error) -> String {
    match error {
        spinor::Error::AllOnes => "no chip answers: all that it says is 0xFF".to_owned(),
        spinor::Error::AllZeros => "no chip answers: all that it says is 0x00".to_owned(),
        spinor::Error::Unstable { first, second } => format!(
            "the chip does not say the same each time: {}, then {}",
            hex(first),
            hex(second)
        ),
        spinor::Error::UnknownChip { id } => format!(
            "the chip is not known: no table has the id {}, and it does not describe itself (SFDP)",
            hex(id)
        ),
        spinor::Error::Ambiguous { names } => format!(
            "the chip can be one of {} parts: they have the same id, and differ in what matters",
            names.len()
        ),
        spinor::Error::StaysBusy { what, waited } => format!(
            "the chip stays busy: {:.1} s after {what} it is not ready",
            waited.as_secs_f32()
        ),
        spinor::Error::StatusLocked { wanted, found } => format!(
            "the chip's status register is locked: {wanted:#04x} was written, it stays {found:#04x}"
        ),
        spinor::Error::Damaged {
            address,
            wanted,
            found,
        } => format!(
            "a write was disturbed: {found:#04x} is at {address:#010x} where {wanted:#04x} was to be"
        ),
        _ => error.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.join(" ")
}

/// What is known beyond the sentence.
pub(super) fn fact(problem: &Problem) -> Option<String> {
    match problem {
        Problem::Serprog(error @ serprog::Error::NoAnswer { .. }) => Some(error.to_string()),
        Problem::Serprog(serprog::Error::WrongAnswer { sample }) => {
            Some(format!("sent SYNCNOP, received {}", hex(sample)))
        }
        Problem::Chip(spinor::Error::Ambiguous { names }) => Some(names.join(", ")),
        Problem::Unsteady { differing, times } => {
            let spans: Vec<String> = differing
                .places
                .iter()
                .map(|place| match place.end - place.start {
                    1 => format!("{:#010x}", place.start),
                    _ => format!("{:#010x}..{:#010x}", place.start, place.end),
                })
                .collect();
            let shown: u64 = differing.places.iter().map(|p| p.end - p.start).sum();
            let more = if shown < differing.bytes {
                ", and more"
            } else {
                ""
            };
            Some(format!("of {times} readings: {}{more}", spans.join(", ")))
        }
        _ => None,
    }
}

/// What to try, where that is made of the problem's own values.
pub(super) fn remedy(problem: &Problem) -> Option<String> {
    match problem {
        Problem::Chip(spinor::Error::Ambiguous { names }) => {
            let model = names.first().and_then(|name| name.split_once(' '));
            let model = model.map_or("NAME", |(_, model)| model);
            Some(format!(
                "read what is printed on the chip, then for instance --chip \"{model}\""
            ))
        }
        Problem::LowVoltage { volts, model, .. } => Some(format!(
            "an adapter for {volts} between programmer and chip, then --chip \"{model}\""
        )),
        Problem::ImageSize {
            image_bytes,
            flash_bytes,
        } if image_bytes < flash_bytes => Some(
            "--address 0 writes it at the start and leaves the rest as it is; --region NAME writes \
             a region; or make the file as large as the chip"
                .to_owned(),
        ),
        Problem::RegionSize {
            address,
            region_bytes,
            file_bytes,
            ..
        } if file_bytes < region_bytes => Some(format!(
            "--address {address:#x} instead of --region writes it there and leaves the rest of the \
             region as it is; or make the file as large as the region"
        )),
        _ => None,
    }
}

pub(super) fn serprog_hint(error: &serprog::Error) -> &'static Hint {
    match error {
        serprog::Error::NoAnswer { .. } => &SERPROG_NO_ANSWER,
        serprog::Error::WrongAnswer { .. } => &SERPROG_BABBLE,
        serprog::Error::Version { .. } | serprog::Error::NoSpi => &SERPROG_UNSUITABLE,
        serprog::Error::Unsupported { .. } | serprog::Error::Refused { .. } => &SERPROG_REFUSED,
        serprog::Error::Timeout { .. } => &SERPROG_SILENT,
        serprog::Error::Unexpected { .. }
        | serprog::Error::OutOfStep
        | serprog::Error::LostSync => &SERPROG_OUT_OF_STEP,
        serprog::Error::Link(error) => super::problem::link_hint(error),
        _ => &hint::DEFECT,
    }
}

pub(super) fn chip_hint(error: &spinor::Error) -> &'static Hint {
    match error {
        spinor::Error::AllOnes => &CHIP_ALL_ONES,
        spinor::Error::AllZeros => &CHIP_ALL_ZEROS,
        spinor::Error::Unstable { .. } => &CHIP_UNSTABLE,
        spinor::Error::UnknownChip { .. } => &CHIP_UNKNOWN,
        spinor::Error::Ambiguous { .. } => &CHIP_AMBIGUOUS,
        spinor::Error::NoSuchPart { .. } => &CHIP_NAME_UNKNOWN,
        spinor::Error::OtherPart { .. } => &CHIP_OTHER,
        spinor::Error::StaysBusy { .. } => &CHIP_BUSY,
        spinor::Error::Gone => &CHIP_GONE,
        spinor::Error::Damaged { .. } | spinor::Error::Disturbed { .. } => &CHIP_DISTURBED,
        spinor::Error::StatusLocked { .. } => &CHIP_LOCKED,
        spinor::Error::ControllerLimit { .. } => &SERPROG_UNSUITABLE,
        _ => &hint::DEFECT,
    }
}

pub(super) fn layout_hint(error: &LayoutError) -> &'static Hint {
    match error {
        LayoutError::UnknownRegion { .. } | LayoutError::Overlap { .. } => &REGION_UNKNOWN,
        LayoutError::Outside { .. } => &LAYOUT_OUTSIDE,
        LayoutError::NoDescriptor | LayoutError::NoFmap => &LAYOUT_NONE,
        _ => &LAYOUT_BAD,
    }
}

pub(super) static SERPROG_NO_ANSWER: Hint = Hint {
    code: "serprog-no-answer",
    exit: Exit::Silent,
    likely: "another port, another line speed, or the programmer has no firmware that speaks serprog",
    remedy: "`flashwire list` shows the ports; on a UART the -b that its firmware was built for",
    text: "\
Nothing came back when the programmer was asked to synchronise (SYNCNOP). Behind USB the line
speed does not matter; behind a UART it must be the firmware's (frser-duino: often 115200 or
2000000). Boards with an Arduino bootloader start over when the port is opened, and listen only
after a second or two. A programmer that was left in the middle of a long command is fed until it
answers, so that this is not the reason. ModemManager, which probes new ports, can be.\n",
};

pub(super) static SERPROG_BABBLE: Hint = Hint {
    code: "serprog-babble",
    exit: Exit::Silent,
    likely: "the wrong port, or the wrong -b",
    remedy: "`flashwire list` shows the ports of this computer",
    text: "\
Something answers, but not what a serprog programmer answers to SYNCNOP (0x15 0x06). On a UART a
wrong line speed looks like that, too. Some boards print messages when they start.\n",
};

pub(super) static SERPROG_UNSUITABLE: Hint = Hint {
    code: "serprog-unsuitable",
    exit: Exit::Silent,
    likely: "a programmer for parallel, LPC or FWH chips, or one with very small buffers",
    remedy: "another programmer, or other firmware for this one",
    text: "\
The programmer speaks serprog, but not as SPI flash chips need it: another version of the
protocol, no SPI bus, or buffers too small for the shortest transactions.\n",
};

pub(super) static SERPROG_REFUSED: Hint = Hint {
    code: "serprog-refused",
    exit: Exit::Failed,
    likely: "its firmware does not have what an option asks for",
    remedy: "the same without --spi-hz and --cs",
    text: "\
The programmer refused a command (NAK), or does not list it among its commands. Not all firmwares
can set the SPI clock (S_SPI_FREQ) or select one of several chips (S_SPI_CS).\n",
};

pub(super) static SERPROG_SILENT: Hint = Hint {
    code: "serprog-silent",
    exit: Exit::Failed,
    likely: "the programmer was unplugged or reset, or its firmware hangs",
    remedy: "unplug the programmer and plug it in again, then the same command",
    text: "\
The programmer answered before and does not any more. flashwire has tried to get it back in step
and given up. What the chip holds is what the message says; nothing was sent blindly.\n",
};

pub(super) static SERPROG_OUT_OF_STEP: Hint = Hint {
    code: "serprog-lost-byte",
    exit: Exit::Failed,
    likely: "bytes get lost: a UART without flow control at too high a speed, or bad wiring",
    remedy: "a lower -b, a shorter cable, another USB port; then the same command",
    text: "\
serprog has no checksums and no lengths: when a byte gets lost or doubled, host and programmer
disagree where a command begins. flashwire notices, brings both back in step and tries again; this
often it does not go on, because a damaged command can do what nobody asked for.\n",
};

pub(super) static CHIP_ALL_ONES: Hint = Hint {
    code: "chip-all-ones",
    exit: Exit::Silent,
    likely: "no chip, no supply at the chip, or MISO (the chip's DO) is not connected",
    remedy: "check VCC, GND, CS and DO at the chip; /HOLD and /WP belong to VCC",
    text: "\
The programmer answered, but every byte that it read from the chip is 0xFF: nobody drives the data
line.
  * Is the clip on the chip, the right way round? Pin 1 has a dot.
  * Does the chip have its supply, and the same ground as the programmer?
  * Are CS, CLK, DI and DO where they belong? DO of the chip goes to MISO.
  * /HOLD (or /RESET) low silences a chip: connect it to VCC.
  * On a board that is not powered, the clip may feed the whole board: the supply breaks down.\n",
};

pub(super) static CHIP_ALL_ZEROS: Hint = Hint {
    code: "chip-all-zeros",
    exit: Exit::Silent,
    likely: "MISO is shorted to ground, or another device on the board holds it low",
    remedy: "check DO for a short; on a board, hold that board in reset or take the chip off",
    text: "\
The programmer answered, but every byte that it read from the chip is 0x00: somebody holds the
data line low. Often it is the processor of the board that the chip is on, without its supply: it
loads the lines, or takes the supply of the clip. Hold it in reset, feed the board, or take the
chip off.\n",
};

pub(super) static CHIP_UNSTABLE: Hint = Hint {
    code: "chip-unstable",
    exit: Exit::Silent,
    likely: "long or loose wires, a weak supply, or a clock that is too fast for them",
    remedy: "--spi-hz 1M, shorter wires, 100 nF between VCC and GND at the chip",
    text: "\
The same question to the chip was answered differently twice. Nothing that is read can be believed
so, and nothing is written. Lower the clock first (--spi-hz 1M or 500k): if that helps, it is the
wiring. --repeat-read 3 then reads everything three times and names the bytes that differ.\n",
};

pub(super) static CHIP_UNKNOWN: Hint = Hint {
    code: "chip-unknown",
    exit: Exit::Refused,
    likely: "a chip older than its tables, or one that is no NOR flash",
    remedy: "`flashwire spi chips` lists the parts that are known",
    text: "\
The chip says who it is, but no table knows that id, and it does not describe itself (SFDP,
JESD216): nobody can tell its size and its commands. SPI NAND flash, EEPROMs and AT45 DataFlash
are other things than NOR flash.\n",
};

pub(super) static CHIP_AMBIGUOUS: Hint = Hint {
    code: "chip-ambiguous",
    exit: Exit::Refused,
    likely: "makers reuse ids for chips that differ",
    remedy: "--chip NAME, as printed on the chip",
    text: "\
Several parts have the id that this chip answers, they do not describe themselves, and they differ
in what matters: size, erase units, commands. Read what is printed on the chip and name it with
--chip. `flashwire spi chips` shows how the parts are called. Where such twins differ in nothing
that matters, flashwire does not ask.\n",
};

pub(super) static CHIP_NAME_UNKNOWN: Hint = Hint {
    code: "chip-name-unknown",
    exit: Exit::Usage,
    likely: "the table spells it differently",
    remedy: "`flashwire spi chips` lists all names",
    text: "\
No part of the table is called as --chip says. A name is the model as the table has it, in any
case of letters, or one of several that are joined by `/`. Most chips need no --chip at all.\n",
};

pub(super) static CHIP_OTHER: Hint = Hint {
    code: "chip-other",
    exit: Exit::Refused,
    likely: "another chip than you think",
    remedy: "the same without --chip says what it is",
    text: "\
The chip's id is not that of the part that --chip names. flashwire does not treat a chip as
something that it says it is not.\n",
};

pub(super) static CHIP_BUSY: Hint = Hint {
    code: "chip-busy",
    exit: Exit::Failed,
    likely: "the supply is too weak for erasing and writing, or the chip is worn out",
    remedy: "a stronger supply, then the same command again",
    text: "\
The chip takes far longer than its datasheet allows for the longest. Erasing and writing need more
current than reading: on long wires, or from the pin of a programmer, the voltage may break down
just then.\n",
};

pub(super) static CHIP_GONE: Hint = Hint {
    code: "chip-gone",
    exit: Exit::Failed,
    likely: "the clip slipped off, or the supply was lost",
    remedy: "put it back, then the same command again",
    text: "\
The chip answered before; now every answer is 0xFF. What had been done until then is what the
message says. A second run finds out what is there and does the rest.\n",
};

pub(super) static CHIP_DISTURBED: Hint = Hint {
    code: "chip-disturbed",
    exit: Exit::Failed,
    likely: "a byte got lost or damaged between computer and programmer",
    remedy: "the same command again; then `flashwire verify` of the whole chip",
    text: "\
While the chip was being changed a byte on the line got lost or damaged, so that the programmer
may have done something else than it was told. The place that is named has to be written again; on
a line this bad, compare the whole chip afterwards.\n",
};

pub(super) static CHIP_LOCKED: Hint = Hint {
    code: "chip-locked",
    exit: Exit::Refused,
    likely: "the /WP pin of the chip is low, or its status register is locked for good",
    remedy: "connect /WP to VCC",
    text: "\
The chip did not take what was written into its status register. With the bit SRWD (SRP0) set, the
register can be written only while the /WP pin is high. Some chips can also lock it until the next
power-up, or for ever (SRP1).\n",
};

pub(super) static CHIP_PROTECTED: Hint = Hint {
    code: "chip-protected",
    exit: Exit::Refused,
    likely: "a board's firmware protected its flash, or somebody did on purpose",
    remedy: "the same with --unprotect: it lifts the protection, writes, and sets it again",
    text:
        "\
Protection bits in the chip's status register are set, so that it ignores erasing and writing of
some of its blocks. Nothing was changed.
  flashwire write FILE --unprotect     lifts it for this one job and puts it back at the end
  flashwire spi status                 shows the registers
  flashwire spi unprotect              lifts it for good
Which blocks the bits stand for differs from chip to chip, so all of it is taken to be protected.\n",
};

pub(super) static CHIP_VOLTAGE: Hint = Hint {
    code: "chip-voltage",
    exit: Exit::Refused,
    likely: "most programmers drive 3.3 V, and the chip is made for less",
    remedy: "an adapter for the chip's voltage, then --chip NAME",
    text: "\
The chip is one for a lower supply than the 3.3 V that most programmers drive: too much of it
damages the chip, most easily while it is being erased or written. Take a programmer or an adapter
for its voltage. Name the part with --chip to say that the voltage is right: then it is written.\n",
};

pub(super) static IMAGE_SIZE: Hint = Hint {
    code: "image-size",
    exit: Exit::Refused,
    likely: "the file is for another chip, or only for a part of this one",
    remedy: "a file that is as large as the chip; `flashwire info` says how large that is",
    text: "\
A raw binary without an address is taken for the content of the whole chip, and its size is
another one. Nothing was changed. Choose:
  --address A        it goes to A and leaves the rest as it is (--address 0: to the start)
  --region NAME      it goes to, or is cut from, a region of --layout, --ifd or --fmap
  a file as large as the chip
A file that is too large does not belong on this chip.\n",
};

pub(super) static REGION_SIZE: Hint = Hint {
    code: "region-size",
    exit: Exit::Refused,
    likely: "the file is for another region, or the layout for another image",
    remedy: "a file that is as large as the region",
    text: "\
The file for a region must be as large as the region. For a region without a file of its own, the
file of the command must be as large as the chip, or, where it is the only region, as large as
that.\n",
};

pub(super) static REGION_UNKNOWN: Hint = Hint {
    code: "region-unknown",
    exit: Exit::Usage,
    likely: "a typing mistake, or a layout for another image",
    remedy: "a region that the layout has, each byte once",
    text: "\
--region names something that the layout does not have, or several regions that share bytes, so
that nobody could say what belongs there. Names are taken as they are written in the layout.\n",
};

pub(super) static LAYOUT_OUTSIDE: Hint = Hint {
    code: "layout-outside",
    exit: Exit::Refused,
    likely: "the layout is for a larger chip",
    remedy: "the layout of this chip",
    text: "\
A region of the layout goes beyond the end of the chip. A layout that is for another chip is not
used for this one, not even those of its regions that would fit. Nothing was changed.\n",
};

pub(super) static LAYOUT_NONE: Hint = Hint {
    code: "layout-none",
    exit: Exit::Refused,
    likely: "the chip is blank, or of a board that describes its regions in another way",
    remedy: "--ifd=FILE or --fmap=FILE to take the description from a file, or --layout FILE",
    text: "\
--ifd looks for an Intel flash descriptor at the start, --fmap for a flash map of coreboot
anywhere. There is none. With =FILE they look into a file instead of the chip.\n",
};

pub(super) static LAYOUT_BAD: Hint = Hint {
    code: "layout-bad",
    exit: Exit::File,
    likely: "a typing mistake, or a damaged file",
    remedy: "correct it; a line of a layout file is START:END NAME, both addresses hexadecimal",
    text: "\
A layout file has a line for each region, as flashrom has them:
  00000000:00000fff fd
  00003000:004fffff me
  00500000:007fffff bios
Both addresses are hexadecimal; the second one is that of the last byte. Blank lines and lines
that begin with # say nothing. Each name is there once. Descriptors and flash maps that contradict
themselves are refused, too.\n",
};

pub(super) static READ_UNSTEADY: Hint = Hint {
    code: "read-unsteady",
    exit: Exit::Failed,
    likely: "long or loose wires, a weak supply, or a clock that is too fast for them",
    remedy: "--spi-hz 1M, shorter wires, 100 nF between VCC and GND at the chip",
    text: "\
With --repeat-read everything is read several times, and some bytes were not the same each time.
What was read is not given out, and nothing was changed. Few places that are always the same ones
point to cells that do not hold their content; places all over point to the wiring.\n",
};
