//! A line of a GPIO character device.

use gpiocdev::line::Value;
use gpiocdev::{Chip, Request};

/// Who has the line, for `gpioinfo` and for others that want it.
const CONSUMER: &str = "flashwire";

#[derive(Debug)]
pub(super) struct Output(Request);

impl Output {
    /// Makes the line of that offset or name an output with this level.
    pub(super) fn open(chip: &str, line: &str, high: bool) -> Result<Self, String> {
        let chip = Chip::from_name(chip).map_err(|error| chip_trouble(chip, &error))?;
        let offset = match line.parse() {
            Ok(offset) => offset,
            Err(_) => {
                chip.find_line_info(line)
                    .ok_or_else(|| format!("{} has no line of this name", chip.name()))?
                    .offset
            }
        };
        let lines = chip.info().map_err(|error| why(&error))?.num_lines;
        if offset >= lines {
            return Err(format!("{} has {lines} lines, from 0 on", chip.name()));
        }
        // The kernel would only say "busy". Whoever takes it from here on is not told apart.
        let info = chip.line_info(offset).map_err(|error| why(&error))?;
        if info.used {
            return Err(match info.consumer.as_str() {
                "" => "another program or a driver has it".to_owned(),
                consumer => format!("{consumer} has it"),
            });
        }
        Request::builder()
            .on_chip(chip.path())
            .with_consumer(CONSUMER)
            .with_line(offset)
            .as_output(level(high))
            .request()
            .map(Self)
            .map_err(|error| why(&error))
    }

    pub(super) fn set(&self, high: bool) -> Result<(), String> {
        self.0
            .set_lone_value(level(high))
            .map_err(|error| why(&error))
    }
}

fn level(high: bool) -> Value {
    if high { Value::Active } else { Value::Inactive }
}

fn chip_trouble(chip: &str, error: &gpiocdev::Error) -> String {
    match error {
        gpiocdev::Error::Os(errno) => match errno.0 {
            libc::ENOENT => format!("there is no /dev/{chip}"),
            libc::EACCES | libc::EPERM => format!("you may not use /dev/{chip}"),
            _ => why(error),
        },
        gpiocdev::Error::GpioChip(..) => format!("/dev/{chip} is no GPIO chip"),
        _ => why(error),
    }
}

/// What the operating system said, without the name of the call.
fn why(error: &gpiocdev::Error) -> String {
    match error {
        gpiocdev::Error::Uapi(_, source) => source.to_string(),
        error => error.to_string(),
    }
}
