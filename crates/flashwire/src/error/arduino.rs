//! What can go wrong with the bootloaders of Arduino boards.

use flashwire_client::stk500::{self, Reading};
use flashwire_link::LinkError;

use super::Problem;
use super::hint::{self, Exit, Hint};
use super::problem::link_hint;

impl From<stk500::Error> for Problem {
    /// A link that failed during a conversation is a failed link.
    fn from(error: stk500::Error) -> Self {
        match error {
            stk500::Error::Link(LinkError::Cancelled) => Self::Cancelled,
            stk500::Error::Link(error) => Self::Link(error),
            error => Self::Stk500(error),
        }
    }
}

/// What is wrong, without the values that are facts of their own.
pub(super) fn sentence(error: &stk500::Error) -> String {
    match error {
        stk500::Error::NoAnswer { .. } => "no Arduino bootloader answered".to_owned(),
        stk500::Error::WrongAnswer { reading, .. } => match reading {
            Reading::Echo => "no board answered: what was sent came back",
            Reading::LineLow => "no board answered: the line from it is held low",
            Reading::Refusals => {
                "what answered is programmer firmware that runs, and not the bootloader"
            }
            Reading::Babble => "what answered is not a bootloader: a program is talking",
            _ => "what answered makes no sense",
        }
        .to_owned(),
        stk500::Error::OtherPart { signature } => {
            let whole = error.to_string();
            let what = whole.split_once(": ").map_or("", |(_, what)| what);
            format!("the board's chip is none that can be written here: {what} ({signature})")
        }
        _ => error.to_string(),
    }
}

/// What is known beyond the sentence.
pub(super) fn fact(error: &stk500::Error) -> Option<String> {
    match error {
        stk500::Error::NoAnswer { .. } => Some(error.to_string()),
        stk500::Error::WrongAnswer { baud, sample, .. } => {
            let bytes: Vec<String> = sample.iter().map(|byte| format!("{byte:02X}")).collect();
            let bytes = bytes.join(" ");
            Some(format!(
                "sent Get Synchronization at {baud} baud, received {bytes}"
            ))
        }
        _ => None,
    }
}

/// Which row of the table it is.
pub(super) fn hint_of(error: &stk500::Error) -> &'static Hint {
    match error {
        stk500::Error::NoAnswer { .. } => &ARDUINO_NO_ANSWER,
        stk500::Error::WrongAnswer { reading, .. } => match reading {
            Reading::Echo | Reading::LineLow => &ARDUINO_WIRING,
            Reading::Refusals => &ARDUINO_PROGRAMMER,
            _ => &ARDUINO_BABBLE,
        },
        stk500::Error::OtherPart { .. } | stk500::Error::Isp => &ARDUINO_CHIP,
        stk500::Error::Timeout { .. } | stk500::Error::Malformed { .. } => &ARDUINO_SILENT,
        stk500::Error::BootSection { .. } => &BOOT_SECTION,
        stk500::Error::Link(error) => link_hint(error),
        _ => &hint::DEFECT,
    }
}

pub(super) static ARDUINO_NO_ANSWER: Hint = Hint {
    code: "arduino-no-answer",
    exit: Exit::Silent,
    likely: "another port, a board without a bootloader, or one whose reset the port does not reach",
    remedy: "`flashwire list` shows the ports; close the Arduino IDE's monitor; without auto-reset press \
             the board's reset as the command starts",
    text: "\
An Arduino's bootloader runs for a second after a reset. Opening the port pulses DTR, which resets
the board through a capacitor; then the bootloader is asked for synchronisation, at 115200 baud
(Uno, Nano since 2018) and 57600 baud (older Nanos, most copies). Nothing came back.

  * the wrong port: unplug the board and see which one disappears from `flashwire list`;
  * no auto-reset (a Pro Mini on three wires, a board with a capacitor or a cut trace against it):
    press reset, let go, and start the command within a second, with --reset none;
  * no bootloader: the chip was written through its ISP header. Burn one with the Arduino IDE;
  * a board of another kind: Leonardo, Micro and Mega have other bootloaders;
  * something on pins 0 and 1 of the board: they are the serial line. Take it off;
  * another speed: -b BAUD.

`flashwire doctor -p {port}` looks at the port itself.\n",
};

pub(super) static ARDUINO_BABBLE: Hint = Hint {
    code: "arduino-babble",
    exit: Exit::Silent,
    likely: "the board was not reset and its sketch talks, or the bootloader has another speed",
    remedy: "press the board's reset as the command starts, or give the bootloader's speed: -b 57600",
    text: "\
Something came back, but nothing that a bootloader says. If it is text, the sketch on the board is
running: the reset by DTR did not reach it, as on boards without auto-reset. Press reset, let go,
and start the command within a second, with --reset none. If it is a few odd bytes, the bootloader
runs at another speed than the two that are tried (115200, 57600): old boards have 19200. Nothing
was written.\n",
};

pub(super) static ARDUINO_PROGRAMMER: Hint = Hint {
    code: "arduino-programmer",
    exit: Exit::Silent,
    likely: "the port does not reset the board (no auto-reset), so that its firmware goes on",
    remedy: "press the board's reset as the command starts; to use it as it is, `serprog:` before the port",
    text: "\
Every byte was refused with NAK (0x15), as serprog programmers do: programmer firmware is running
at this port. If that is what you want, it is there already: `flashwire info -p serprog:PORT`. To
replace it, the bootloader has to run, and it does after a reset only. This board was not reset
when the port was opened: auto-reset is missing or switched off. Press reset, let go, and start
the command within a second, with --reset none. A board of another kind (a Pico, an STM32) takes
its firmware another way.\n",
};

pub(super) static ARDUINO_WIRING: Hint = Hint {
    code: "arduino-wiring",
    exit: Exit::Silent,
    likely: "the adapter is not connected to the board as it should be",
    remedy: "adapter's TX at RX0, its RX at TX1, GND at GND, DTR at the board's DTR",
    text: "\
What came back is what was sent, or a line that is always low. On a board with its own USB socket
this should not happen: a wire at pins 0 or 1 is in the way. On a board with a separate adapter
(Pro Mini): TX of the adapter goes to RXI of the board, RX to TXO, GND to GND, DTR to DTR, and the
board needs power.\n",
};

pub(super) static ARDUINO_CHIP: Hint = Hint {
    code: "arduino-chip",
    exit: Exit::Refused,
    likely: "the board is of another kind than an Uno or Nano with an ATmega328P",
    remedy: "a board with an ATmega328P or ATmega328; for others the Arduino IDE or avrdude",
    text: "\
The bootloader was asked for the chip's signature, and it is none of ATmega328P (1E 95 0F) and
ATmega328 (1E 95 14). Firmware for these does not run on others, and where their bootloaders begin
is not known here, so nothing was written. A signature of 00 00 00 is that of a board which
programs others (ArduinoISP) with nothing connected to it.\n",
};

pub(super) static ARDUINO_SILENT: Hint = Hint {
    code: "arduino-silent",
    exit: Exit::Failed,
    likely: "bytes get lost on the way: a bad cable, a hub, something at pins 0 and 1",
    remedy: "another cable; nothing at pins 0 and 1; then the same command again: the bootloader is \
             still there",
    text: "\
The bootloader answered at first and then no more, or not as it should, and resetting the board
and trying again did not help. Its own memory was not touched, so the board can be written again
at any time. Pages that were being written may be blank: what was on the board may not start any
more.\n",
};

pub(super) static BOOT_SECTION: Hint = Hint {
    code: "boot-section",
    exit: Exit::Refused,
    likely: "the file is a dump of the whole flash, bootloader included, or a sketch for an Uno alone",
    remedy: "the sketch without the bootloader: the Arduino IDE's `.hex`, not its `.with_bootloader.hex`",
    text: "\
The last 2 KiB of an ATmega328P's flash belong to the bootloader on a Nano; on an Uno it is the
last 512 bytes. A loader that begins later cannot be told from a sketch that reaches so far, and a
Nano with a new bootloader starts at 0x7800 all the same. So nothing is written from 0x7800 on:
whoever overwrites a bootloader needs a programmer at the ISP header to get it back. A sketch of
more than 30 KiB for an Uno is for avrdude or the Arduino IDE.\n",
};
