//! Defaults from a file: `flashwire.toml`.
//!
//! ```toml
//! port = "/dev/ttyUSB0"
//! baud = 230400          # or "max"
//! reset = "dtr=nrst,rts=boot0"
//! address = 0x08004000
//! pipeline = "address"
//! ```
//!
//! Every key is optional, and a key that is not known is an error: a typing mistake that is passed
//! over in silence would cost more than it saves. The project's file stands above the user's; what
//! stands above both (options, the environment) is the caller's business.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::number;

/// The defaults that one file gives, or several [joined](Self::or).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// A port string.
    pub port: Option<String>,
    /// A line speed in bits per second, or `max`.
    pub baud: Option<String>,
    /// A reset wiring.
    pub reset: Option<String>,
    /// Where raw binaries go.
    pub address: Option<u64>,
    /// How far commands are sent ahead of their answers.
    pub pipeline: Option<String>,
}

/// What is wrong with a file of defaults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ConfigError {
    /// The line in question, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl Config {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = |span: Range<usize>, what: String| {
            let before = &text.as_bytes()[..span.start.min(text.len())];
            let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
            ConfigError { line, what }
        };
        let table = DeTable::parse(text)
            .map_err(|e| wrong(e.span().unwrap_or(0..0), e.message().to_owned()))?;
        let mut config = Self::default();
        for (key, value) in table.into_inner() {
            let name = key.get_ref().as_ref();
            let word = string(value.get_ref()).map(str::to_owned);
            let number = number(value.get_ref());
            let set = match name {
                "port" => place(&mut config.port, word),
                "baud" => place(&mut config.baud, word.or(number.map(|n| n.to_string()))),
                "reset" => place(&mut config.reset, word),
                "address" => place(&mut config.address, number),
                "pipeline" => place(&mut config.pipeline, word),
                _ => {
                    let what = format!("`{name}` is no key; known are {KEYS}");
                    return Err(wrong(key.span(), what));
                }
            };
            if !set {
                let what = format!("`{name}` cannot have this value");
                return Err(wrong(value.span(), what));
            }
        }
        Ok(config)
    }

    /// These defaults, and those of `lower` where these have none.
    pub fn or(self, lower: Self) -> Self {
        Self {
            port: self.port.or(lower.port),
            baud: self.baud.or(lower.baud),
            reset: self.reset.or(lower.reset),
            address: self.address.or(lower.address),
            pipeline: self.pipeline.or(lower.pipeline),
        }
    }
}

const KEYS: &str = "port, baud, reset, address and pipeline";

fn place<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
    *slot = value;
    slot.is_some()
}

fn string<'a>(value: &'a DeValue<'_>) -> Option<&'a str> {
    match value {
        DeValue::String(text) => Some(text),
        _ => None,
    }
}

/// A TOML integer, or one of our own spellings (`"16k"`) in a string.
fn number(value: &DeValue<'_>) -> Option<u64> {
    match value {
        DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        DeValue::String(text) => number::parse(text).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let text = "port = '/dev/ttyUSB0'\nbaud = 230400\nreset = 'none'\naddress = 0x0800_4000\npipeline = 'off'\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.port.as_deref(), Some("/dev/ttyUSB0"));
        assert_eq!(config.baud.as_deref(), Some("230400"));
        assert_eq!(config.reset.as_deref(), Some("none"));
        assert_eq!(config.address, Some(0x0800_4000));
        assert_eq!(config.pipeline.as_deref(), Some("off"));
        assert_eq!(
            Config::parse("baud = 'max'").unwrap().baud.as_deref(),
            Some("max")
        );
        assert_eq!(
            Config::parse("address = '16k'").unwrap().address,
            Some(16 << 10)
        );
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let what = |text| Config::parse(text).unwrap_err();
        assert_eq!(
            what("# first\nbuad = 9600").to_string(),
            format!("line 2: `buad` is no key; known are {KEYS}")
        );
        assert_eq!(
            what("\n\nport = 5").to_string(),
            "line 3: `port` cannot have this value"
        );
        assert_eq!(what("address = -1").line, 1);
        assert_eq!(what("baud = 1\nbaud = 2").line, 2);
        assert_eq!(what("port = 'a'\n= 5").line, 2);
    }

    #[test]
    fn the_upper_file_wins_key_by_key() {
        let upper = Config::parse("baud = 9600").unwrap();
        let lower = Config::parse("baud = 1200\nreset = 'none'").unwrap();
        let both = upper.or(lower);
        assert_eq!(both.baud.as_deref(), Some("9600"));
        assert_eq!(both.reset.as_deref(), Some("none"));
    }
}
