//! What the command line, the environment and the files of defaults say together: option above
//! environment above project above user.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use flashwire::config::Config;
use flashwire::{
    CancelFlag, Error, OpenOptions, Parity, Pipeline, Port, Problem, ResetSpec, Speed, files,
    number, parts, places,
};

use crate::args::TargetArgs;
use crate::args::stm32::ParityKind;

/// The defaults of the project and the user.
///
/// # Errors
/// One of the files cannot be read or is wrong.
pub(crate) fn config() -> Result<Config, Error> {
    let project = places::project_config();
    let user = places::user_config().filter(|path| path.is_file());
    let mut config = Config::default();
    for path in [project, user].into_iter().flatten() {
        config = config.or(read_config(&path)?);
    }
    Ok(config)
}

fn read_config(path: &Path) -> Result<Config, Error> {
    let text = files::read(path)?;
    let text = String::from_utf8_lossy(&text);
    let wrong = |source| Problem::Config {
        path: path.to_owned(),
        source,
    };
    Ok(Config::parse(&text).map_err(wrong)?)
}

/// How to reach the target.
///
/// # Errors
/// No port is named anywhere, or a value is wrong.
pub(crate) fn open_options(
    args: &TargetArgs,
    config: &Config,
    cancel: &CancelFlag,
) -> Result<OpenOptions, Error> {
    // An empty FLASHWIRE_PORT is none.
    let named = args.port.as_ref().filter(|port| !port.is_empty());
    let port = named.or(config.port.as_ref()).ok_or(Problem::NoPort)?;
    let port: Port = port.parse().map_err(Problem::from)?;
    let pick =
        |option: &Option<String>, default: &Option<String>| option.clone().or(default.clone());
    let mut options = OpenOptions::new(port);
    let default_baud = match options.port.said.baud {
        Some(_) => &None,
        None => &config.baud,
    };
    if let Some(baud) = pick(&args.baud, default_baud) {
        options.speed = speed(&baud)?;
    }
    if let Some(reset) = pick(&args.reset, &config.reset) {
        options.reset = Some(ResetSpec::from_str(&reset).map_err(Problem::from)?);
    }
    if let Some(pipeline) = pick(&args.pipeline, &config.pipeline) {
        options.pipeline = pipeline_of(&pipeline)?;
    }
    options.resume = args.loader.resume;
    options.parity = args.loader.parity.map(|parity| match parity {
        ParityKind::Even => Parity::Even,
        ParityKind::None => Parity::None,
        ParityKind::Odd => Parity::Odd,
    });
    options.frame = args.loader.frame.unwrap_or_default();
    if let Some(retries) = args.loader.retries {
        options.retries = retries;
    }
    if let Some(path) = &args.loader.parts {
        options.parts = parts::load(path)?;
    }
    let chip = &args.chip;
    options.spi.chip = chip.chip.clone();
    options.spi.spi_hz = chip.spi_hz.or(options.spi.spi_hz);
    options.spi.chip_select = chip.cs.or(options.spi.chip_select);
    options.spi.outputs = chip.pin.clone();
    options.spi.repeat_read = chip.repeat_read.unwrap_or(1);
    options.patience = args.timeout.map(patience).transpose()?;
    if let Some(path) = &args.log {
        let unwritable = |source| files::FileError::Unwritable {
            path: path.clone(),
            source,
        };
        let file = File::create(path).map_err(unwritable)?;
        options.log = Some(Box::new(BufWriter::new(file)));
    }
    options.cancel = cancel.clone();
    Ok(options)
}

/// Slowest and fastest line that is worth a try, in bits per second: below, one page takes longer
/// than any timeout; above, no UART of an STM32 follows.
const BAUDS: std::ops::RangeInclusive<u64> = 300..=20_000_000;

fn speed(text: &str) -> Result<Speed, Error> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let baud = number::parse(text).ok().filter(|baud| BAUDS.contains(baud));
    let what = || {
        let (least, most) = (BAUDS.start(), BAUDS.end());
        Problem::Usage(format!(
            "`{text}` is no baud rate: {least} to {most}, or max"
        ))
    };
    Ok(Speed::Baud(baud.ok_or_else(what)? as u32))
}

fn pipeline_of(text: &str) -> Result<Pipeline, Error> {
    match text {
        "off" => Ok(Pipeline::Off),
        "address" => Ok(Pipeline::Address),
        "full" => Ok(Pipeline::Full),
        _ => Err(Problem::Usage(format!("--pipeline `{text}`: off, address or full")).into()),
    }
}

/// Longest time that somebody wants to wait for a board, in seconds: a day.
const MOST_PATIENCE_S: f64 = 86_400.0;

fn patience(seconds: f64) -> Result<Duration, Error> {
    if (0.0..=MOST_PATIENCE_S).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(Problem::Usage(format!(
            "--timeout {seconds}: seconds, up to {MOST_PATIENCE_S}"
        ))
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::spi::ChipArgs;
    use crate::args::stm32::LoaderArgs;

    fn args(port: Option<&str>, baud: Option<&str>) -> TargetArgs {
        TargetArgs {
            port: port.map(str::to_owned),
            baud: baud.map(str::to_owned),
            reset: None,
            pipeline: None,
            timeout: None,
            yes: false,
            log: None,
            loader: LoaderArgs::default(),
            chip: ChipArgs::default(),
        }
    }

    #[test]
    fn options_stand_above_defaults() {
        let config = Config::parse("port = '/dev/low'\nbaud = 9600\npipeline = 'off'").unwrap();
        let cancel = CancelFlag::new();
        let options = open_options(&args(Some("/dev/high"), None), &config, &cancel).unwrap();
        assert_eq!(options.port.to_string(), "/dev/high");
        assert_eq!(options.speed, Speed::Baud(9600));
        assert_eq!(options.pipeline, Pipeline::Off);
        let options = open_options(&args(None, Some("max")), &config, &cancel).unwrap();
        assert_eq!(options.port.to_string(), "/dev/low");
        assert_eq!(options.speed, Speed::Max);
    }

    #[test]
    fn without_a_port_nothing_is_opened() {
        let error = open_options(&args(None, None), &Config::default(), &CancelFlag::new());
        assert_eq!(error.err().unwrap().hint().code, "no-port");
    }

    #[test]
    fn speeds_that_no_line_has_are_refused() {
        for text in ["0", "299", "20000001", "fast", "115200x", "-1", ""] {
            assert_eq!(speed(text).unwrap_err().hint().code, "usage", "{text}");
        }
        assert_eq!(speed("115200").unwrap(), Speed::Baud(115_200));
    }
}
