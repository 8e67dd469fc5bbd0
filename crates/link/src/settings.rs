//! Speed, character format and lines of a serial port.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Speed and character format of a serial line. Eight data bits, no flow control: no protocol of
/// this project uses anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Line speed in bits per second.
    pub baud: u32,
    /// Parity bit of each character.
    pub parity: Parity,
    /// Stop bits of each character.
    pub stop_bits: StopBits,
}

impl Settings {
    /// `baud`, eight data bits, even parity, one stop bit: what ST's ROM loaders speak (AN3155,
    /// section 2).
    pub const fn even(baud: u32) -> Self {
        Self {
            baud,
            parity: Parity::Even,
            stop_bits: StopBits::One,
        }
    }

    /// `baud`, eight data bits, no parity, one stop bit.
    pub const fn plain(baud: u32) -> Self {
        Self {
            baud,
            parity: Parity::None,
            stop_bits: StopBits::One,
        }
    }

    /// Length of one character on the wire, in bits: start, eight data, parity, stop.
    pub const fn bits_per_character(self) -> u32 {
        let parity = match self.parity {
            Parity::None => 0,
            Parity::Even | Parity::Odd => 1,
        };
        let stop = match self.stop_bits {
            StopBits::One => 1,
            StopBits::Two => 2,
        };
        1 + 8 + parity + stop
    }

    /// How long `count` bytes take on the wire back to back.
    pub fn wire_time(self, count: usize) -> Duration {
        let bits = count as u64 * u64::from(self.bits_per_character());
        Duration::from_nanos(bits * 1_000_000_000 / u64::from(self.baud.max(1)))
    }

    /// How long a link may take to accept `count` bytes: what [`Link::send`](crate::Link::send)
    /// promises.
    #[cfg(feature = "os")]
    pub(crate) fn send_limit(self, count: usize) -> Duration {
        self.wire_time(count) * 2 + Duration::from_secs(1)
    }
}

impl fmt::Display for Settings {
    /// As people write it: `115200 8E1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        let stop = match self.stop_bits {
            StopBits::One => 1,
            StopBits::Two => 2,
        };
        write!(f, "{} 8{parity}{stop}", self.baud)
    }
}

/// The text is not `BAUD FORMAT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a speed and a format such as `115200 8E1`")]
pub struct ParseSettingsError(String);

impl FromStr for Settings {
    type Err = ParseSettingsError;

    /// Reads what [`Display`](fmt::Display) writes: `115200 8E1`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseSettingsError(text.to_owned());
        let (baud, format) = text.split_once(' ').ok_or_else(error)?;
        let baud = baud.parse().ok().filter(|&baud| baud > 0);
        let (parity, stop_bits) = match format.to_ascii_uppercase().as_bytes() {
            [b'8', parity, stop] => (
                match parity {
                    b'N' => Parity::None,
                    b'E' => Parity::Even,
                    b'O' => Parity::Odd,
                    _ => return Err(error()),
                },
                match stop {
                    b'1' => StopBits::One,
                    b'2' => StopBits::Two,
                    _ => return Err(error()),
                },
            ),
            _ => return Err(error()),
        };
        Ok(Self {
            baud: baud.ok_or_else(error)?,
            parity,
            stop_bits,
        })
    }
}

/// The parity bit of a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    #[default]
    None,
    /// The number of ones, parity bit included, is even.
    Even,
    /// The number of ones, parity bit included, is odd.
    Odd,
}

/// How many stop bits end a character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopBits {
    /// One stop bit.
    #[default]
    One,
    /// Two stop bits.
    Two,
}

/// A wire of the port beside its data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Line {
    /// Data Terminal Ready.
    Dtr,
    /// Request To Send.
    Rts,
    /// The transmit line held low.
    Break,
    /// A GPIO line of this computer: a chip (`gpiochip0`) and a line on it. See
    /// [`WithGpio`](crate::WithGpio).
    Gpio {
        /// The chip's name below `/dev`; `sysfs` for the numbers that `/sys/class/gpio` counts by.
        chip: String,
        /// The line's offset on the chip, or its name there (`GPIO17`).
        line: String,
    },
}

impl fmt::Display for Line {
    /// As reset sequences write it: `dtr`, `rts`, `brk`, `gpio:gpiochip0/17`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dtr => f.write_str("dtr"),
            Self::Rts => f.write_str("rts"),
            Self::Break => f.write_str("brk"),
            Self::Gpio { chip, line } => write!(f, "gpio:{chip}/{line}"),
        }
    }
}

/// The text names no line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a line: dtr, rts, brk or gpio:CHIP/LINE")]
pub struct ParseLineError(String);

impl FromStr for Line {
    type Err = ParseLineError;

    /// Reads what [`Display`](fmt::Display) writes; `DTR` is `dtr`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseLineError(text.to_owned());
        match text.to_ascii_lowercase().as_str() {
            "dtr" => return Ok(Self::Dtr),
            "rts" => return Ok(Self::Rts),
            "brk" | "break" => return Ok(Self::Break),
            _ => {}
        }
        let gpio = text.strip_prefix("gpio:").ok_or_else(error)?;
        let (chip, line) = gpio.rsplit_once('/').ok_or_else(error)?;
        // `gpio:/dev/gpiochip0/17` names the same chip.
        let chip = chip.strip_prefix("/dev/").unwrap_or(chip);
        if !is_name(chip) || !is_name(line) {
            return Err(error());
        }
        Ok(Self::Gpio {
            chip: chip.to_owned(),
            line: line.to_owned(),
        })
    }
}

/// Whether the reset language can hold it: nothing in it separates or joins there.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !text.is_empty() && text.chars().all(plain)
}

/// One line and the state it is to have.
///
/// `true` asserts a modem line: the operating system's own meaning. A TTL adapter drives its DTR
/// and RTS pins *low* when they are asserted. For a GPIO line `true` is electrically high.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineChange {
    /// Which line.
    pub line: Line,
    /// Asserted (modem lines), sending break, or high (GPIO).
    pub on: bool,
}

impl LineChange {
    /// The change that gives `line` the state `on`.
    pub const fn new(line: Line, on: bool) -> Self {
        Self { line, on }
    }
}

impl fmt::Display for LineChange {
    /// As reset sequences write it: `+dtr`, `-gpio:gpiochip0/17`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.on { '+' } else { '-' }, self.line)
    }
}

impl FromStr for LineChange {
    type Err = ParseLineError;

    /// Reads what [`Display`](fmt::Display) writes: a sign and a line.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (on, line) = match text.as_bytes().first() {
            Some(b'+') => (true, &text[1..]),
            Some(b'-') => (false, &text[1..]),
            _ => return Err(ParseLineError(text.to_owned())),
        };
        Ok(Self::new(line.parse()?, on))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_what_they_write() {
        for settings in [Settings::even(115_200), Settings::plain(9600)] {
            assert_eq!(settings.to_string().parse(), Ok(settings));
        }
        let odd = Settings {
            baud: 4_500_000,
            parity: Parity::Odd,
            stop_bits: StopBits::Two,
        };
        assert_eq!("4500000 8o2".parse(), Ok(odd));
    }

    #[test]
    fn what_is_no_setting_is_refused_with_its_text() {
        for text in [
            "",
            "115200",
            "0 8N1",
            "fast 8N1",
            "9600 7E1",
            "9600 8X1",
            "9600 8E15",
        ] {
            let error = text.parse::<Settings>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }

    #[test]
    fn a_character_at_8e1_has_eleven_bits() {
        assert_eq!(Settings::even(115_200).bits_per_character(), 11);
        assert_eq!(Settings::plain(115_200).bits_per_character(), 10);
        // 256 * 11 / 115200 s
        assert_eq!(Settings::even(115_200).wire_time(256).as_micros(), 24_444);
    }

    #[test]
    fn line_changes_read_back_what_they_write() {
        for text in [
            "+dtr",
            "-rts",
            "+brk",
            "-gpio:gpiochip0/17",
            "+gpio:gpiochip4/SPI_CE1-N.0",
            "-gpio:sysfs/529",
        ] {
            assert_eq!(text.parse::<LineChange>().unwrap().to_string(), text);
        }
        let gpio: LineChange = "+gpio:/dev/gpiochip1/3".parse().unwrap();
        assert_eq!(gpio.to_string(), "+gpio:gpiochip1/3");
    }

    #[test]
    fn what_is_no_line_is_refused_with_its_text() {
        for text in [
            "dtr",
            "+cts",
            "+gpio:17",
            "-gpio:a/b/1",
            "+gpio:gpiochip0/",
            "+gpio:gpiochip0/a b",
            "+gpio:gpiochip0/a=b",
            "+",
        ] {
            assert!(text.parse::<LineChange>().is_err(), "{text}");
        }
    }
}
