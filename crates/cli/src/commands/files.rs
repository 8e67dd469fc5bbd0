//! Files of the commands: `-` is a standard stream, everything else a path.

use std::io::{self, IsTerminal};
use std::path::Path;

use flashwire::files::NewFile;
use flashwire::images::{self, Firmware, LoadOptions};
use flashwire::{Error, Image, Problem};

use crate::args::InputFormat;
use crate::screen::Screen;

/// Whether this is not a file but a standard stream.
pub(crate) fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What messages call a file to be read.
pub(crate) fn name(path: &Path) -> String {
    if is_stream(path) {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

/// What the options say of a firmware file.
pub(crate) fn load_options(format: Option<InputFormat>, address: Option<u64>) -> LoadOptions {
    LoadOptions {
        format: format.map(|format| format.format),
        address,
        family: format.and_then(|format| format.family),
    }
}

/// Reads a firmware file.
pub(crate) fn load(path: &Path, options: LoadOptions) -> Result<Firmware, Error> {
    if !is_stream(path) {
        return images::load(path, options);
    }
    let input = io::stdin();
    if input.is_terminal() {
        let what = "standard input is a terminal: give a file, or pipe one in";
        return Err(Problem::Usage(what.to_owned()).into());
    }
    images::load_stream(input.lock(), &name(path), options)
}

/// Reads a firmware file of which all images are wanted.
pub(crate) fn load_all(path: &Path, options: LoadOptions) -> Result<Vec<Image>, Error> {
    let images = load(path, options)?.images();
    images.map_err(|error| Error::from(error).about(name(path)))
}

/// Where a result goes: a file that has its name only when it is complete, or standard output.
pub(crate) enum Output {
    File(NewFile),
    Stream,
}

impl Output {
    /// Begins the output, so that what speaks against it is found before anything else happens.
    /// `is_text` says whether a terminal could show it.
    pub(crate) fn create(path: &Path, is_text: bool, screen: &Screen) -> Result<Self, Error> {
        if !is_stream(path) {
            return Ok(Self::File(NewFile::create(path)?));
        }
        let usage = |what: &str| Err(Problem::Usage(what.to_owned()).into());
        if screen.writes_json() {
            return usage("data and JSON cannot both go to standard output");
        }
        if !is_text && io::stdout().is_terminal() {
            return usage(
                "binary data does not go to a terminal: give a file, pipe it, or --format hex",
            );
        }
        Ok(Self::Stream)
    }

    /// Writes all of it.
    pub(crate) fn finish(self, content: &[u8], screen: &Screen) -> Result<(), Error> {
        match self {
            Self::File(file) => Ok(file.commit(&[content])?),
            Self::Stream => screen.data(content),
        }
    }
}
