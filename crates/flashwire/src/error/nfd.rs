//! What can go wrong with programmers that speak the protocol of nfd's sketch.

use flashwire_client::nfd;
use flashwire_link::LinkError;

use super::Problem;
use super::hint::{self, Exit, Hint};

impl From<nfd::Error> for Problem {
    /// A link that failed is a failed link, and what the chip did is the chip's problem.
    fn from(error: nfd::Error) -> Self {
        match error {
            nfd::Error::Link(LinkError::Cancelled) => Self::Cancelled,
            nfd::Error::Link(error) => Self::Link(error),
            nfd::Error::Chip(error) => error.into(),
            error => Self::Nfd(error),
        }
    }
}

/// What is wrong, without its values where those are facts of their own.
pub(super) fn sentence(error: &nfd::Error) -> String {
    match error {
        nfd::Error::NoAnswer { .. } => "no programmer with nfd's sketch answered".to_owned(),
        nfd::Error::WrongAnswer { .. } => {
            "what answered is not a programmer with nfd's sketch".to_owned()
        }
        nfd::Error::Unsupported { command } => format!(
            "the programmer's firmware is too old: it has no command {}",
            char::from(command.letter())
        ),
        nfd::Error::Hung { command, .. } => format!(
            "the programmer hangs: no answer since {}",
            char::from(command.letter())
        ),
        nfd::Error::UnknownChip { .. } => "it is not known what the chip is".to_owned(),
        nfd::Error::Ignored { what, address } => format!(
            "the chip does not let itself be {what}: at {address:#010x} it is as it was, though the \
             programmer says it is done"
        ),
        _ => error.to_string(),
    }
}

/// What is known beyond the sentence.
pub(super) fn fact(error: &nfd::Error) -> Option<String> {
    match error {
        nfd::Error::NoAnswer { .. } => Some(error.to_string()),
        nfd::Error::WrongAnswer { sample } => {
            Some(format!("sent >, received {}", sample.escape_ascii()))
        }
        nfd::Error::Hung { waited, .. } => Some(format!(
            "it was waited for {:.1} s, and it does not answer > either",
            waited.as_secs_f32()
        )),
        nfd::Error::UnknownChip { id: None } => {
            Some("the firmware is older than the question for the chip's id".to_owned())
        }
        nfd::Error::UnknownChip { id: Some(id) } => Some(format!(
            "its id is {:02X} {:02X} {:02X}, which no table has",
            id[0], id[1], id[2]
        )),
        _ => None,
    }
}

pub(super) fn hint_of(error: &nfd::Error) -> &'static Hint {
    match error {
        nfd::Error::NoAnswer { .. } => &NO_ANSWER,
        nfd::Error::WrongAnswer { .. } => &BABBLE,
        nfd::Error::Unsupported { .. } => &UNSUPPORTED,
        nfd::Error::PinTaken { .. } => &hint::USAGE,
        nfd::Error::Timeout { .. } | nfd::Error::LostSync => &SILENT,
        nfd::Error::Refused { .. }
        | nfd::Error::Unexpected { .. }
        | nfd::Error::Checksum { .. }
        | nfd::Error::OutOfStep => &LOST_BYTE,
        nfd::Error::Hung { .. } => &HUNG,
        nfd::Error::BeyondReach { .. } => &REACH,
        nfd::Error::Unsuitable { .. } => &UNSUITABLE,
        nfd::Error::UnknownChip { .. } => &CHIP_UNKNOWN,
        nfd::Error::Ignored { .. } => &CHIP_IGNORES,
        nfd::Error::ProtectionStays { .. } | nfd::Error::ProtectionUnknown => &PROTECTION,
        nfd::Error::Link(error) => super::problem::link_hint(error),
        _ => &hint::DEFECT,
    }
}

pub(super) static NO_ANSWER: Hint = Hint {
    code: "nfd-no-answer",
    exit: Exit::Silent,
    likely: "another port, another line speed, a board without the sketch, or one that hangs",
    remedy: "press reset; `flashwire list` shows the ports, `flashwire doctor -p {port}` listens",
    text: "\
Nothing came back when the programmer was greeted (`>`), several times, and again after DTR
was dropped, which resets most Arduinos. Boards start over when the port is opened and answer
a second or two later; that is waited for. The sketch talks at 115200 baud. Without a chip its
commands never end: then only the reset button helps. A board with other firmware, serprog for
instance, needs another method: `flashwire doctor` tries both. ModemManager, which probes new
ports, can be the reason, too.\n",
};

pub(super) static BABBLE: Hint = Hint {
    code: "nfd-babble",
    exit: Exit::Silent,
    likely: "the wrong port, another firmware, or the wrong -b",
    remedy: "`flashwire doctor -p {port}` says what is there",
    text: "\
Something answers, but not with the greeting of nfd's sketch (`>`, a text, `>`). A serprog
programmer answers, too, but in its own way: serprog: before the port instead of nfd:. A wrong
line speed looks like nonsense.\n",
};

pub(super) static UNSUPPORTED: Hint = Hint {
    code: "nfd-unsupported",
    exit: Exit::Failed,
    likely: "a sketch from before 2019, which cannot choose its pins",
    remedy: "a newer sketch, or `flashwire firmware install`; or the same without --cs and --pin",
    text: "\
The sketch of 2018 has neither chip select (`*`) nor outputs (`o`), nor the question for the
chip's id (`i`). All editions call themselves v1.0, so flashwire finds out by trying. Its chip
select is pin 10.\n",
};

pub(super) static NO_RAW_SPI: Hint = Hint {
    code: "nfd-no-raw-spi",
    exit: Exit::Usage,
    likely: "the protocol of nfd's sketch has a few fixed questions for the chip, and no other",
    remedy: "a serprog programmer: `flashwire firmware install` makes one of the same board",
    text: "\
How a chip describes itself (SFDP) can be read only by a programmer that passes any
instruction on. nfd's sketch knows pages, sectors, the id and the status registers. Firmware
that speaks serprog can do it, and is faster.\n",
};

pub(super) static SILENT: Hint = Hint {
    code: "nfd-silent",
    exit: Exit::Failed,
    likely: "the board was unplugged or reset, or bytes get lost",
    remedy: "the same command again; another cable or USB port if it happens again",
    text: "\
The programmer answered before and does not any more, or not so that it can be understood.
flashwire has tried to get it back in step and given up. What the chip holds is what the
message says.\n",
};

pub(super) static LOST_BYTE: Hint = Hint {
    code: "nfd-lost-byte",
    exit: Exit::Failed,
    likely: "bytes get lost or garbled between computer and programmer",
    remedy: "the same command again; a shorter cable or another USB port if it happens again",
    text: "\
An answer was not the one to the command, or its CRC did not fit, several times in a row.
Single faults are got over: what was read is read again, what was not programmed is programmed
again.\n",
};

pub(super) static HUNG: Hint = Hint {
    code: "nfd-hung",
    exit: Exit::Failed,
    likely: "the chip is missing or has no supply: nfd's sketch then waits for it without end",
    remedy: "check the chip and its supply, press reset on the board, then the same command again",
    text: "\
The programmer was told to have the chip erase or program something, and has not said a word
since, not even to a greeting. nfd's sketch waits for the chip without a limit of its own;
where no chip drives the data line, that never ends. Check clip, VCC (3.3 V), GND, and that
/HOLD and /WP are at VCC. The reset button brings the board back; so does opening the port
again on boards that reset then.\n",
};

pub(super) static REACH: Hint = Hint {
    code: "nfd-reach",
    exit: Exit::Refused,
    likely: "the chip is larger than 16 MiB, or the address is wrong",
    remedy: "--address and --length within the first 16 MiB, or a serprog programmer",
    text: "\
The page numbers of nfd's protocol have 16 bits: 16 MiB. The sketch drops the bits above
without a word, so that page 0x10001 would be page 1. flashwire refuses such addresses before
anything is done, and does not take the first 16 MiB of a larger chip for all of it.\n",
};

pub(super) static UNSUITABLE: Hint = Hint {
    code: "nfd-unsuitable",
    exit: Exit::Refused,
    likely: "nfd's sketch programs pages of 256 bytes and erases by 20h and C7h, and nothing else",
    remedy: "a serprog programmer: `flashwire firmware install` makes one of the same board",
    text: "\
Some chips are programmed by single bytes or have other erases. They can be read through nfd's
sketch, but not changed. Nothing was done.\n",
};

pub(super) static CHIP_UNKNOWN: Hint = Hint {
    code: "nfd-chip-unknown",
    exit: Exit::Refused,
    likely: "an old sketch, which cannot ask for the chip's id, or a chip that no table has",
    remedy: "--chip NAME, as printed on the chip; `flashwire spi chips` lists the names",
    text: "\
To change a chip one has to know its size and its erases. nfd's sketch can ask for the id
(from 2019 on), and not for the chip's own description (SFDP); flashwire looks the id up in
its table. Where that says nothing, the chip can be read with --length, and compared with a
file that has addresses or --address. With a sketch that cannot ask, --chip NAME is believed.\n",
};

pub(super) static CHIP_IGNORES: Hint = Hint {
    code: "chip-ignores",
    exit: Exit::Failed,
    likely: "the chip is protected, its supply is too weak, or a 5 V board drives a 3.3 V chip",
    remedy: "`flashwire spi status -p {port}`; /WP at VCC; 3.3 V levels",
    text: "\
The programmer says that it erased or programmed, and reading shows that nothing has changed,
twice. nfd's sketch does not look what the chip made of a command.
  * Protection that the status registers do not show: locks of single blocks, the /WP pin.
  * A supply that breaks down when the chip needs current: reading needs less than writing.
  * A board with 5 V levels: reading may work, and writing not; it damages the chip.
  * Another chip than --chip says.\n",
};

pub(super) static PROTECTION: Hint = Hint {
    code: "nfd-protection",
    exit: Exit::Refused,
    likely: "protection bits that nfd's sketch does not know, a locked register, or the /WP pin",
    remedy: "connect /WP to VCC; a serprog programmer can lift what this one cannot",
    text: "\
nfd's sketch sets or clears BP0 to BP2 and CMP, and asks for three status registers at once.
It was told to, up to three times, and the registers do not show it: other bits protect the
chip (BP3, TB, locks of single blocks), or the register is locked (SRP, /WP). Chips of some
makers take one of its questions for another command and would not hear anything any more;
they are not asked at all. Nothing was erased or written.\n",
};
