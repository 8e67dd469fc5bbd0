//! A user's own table of parts.

use std::path::Path;

use flashwire_client::stm32::Parts;

use crate::error::{Error, Problem};
use crate::files;

/// The built-in table of STM32 parts with the rows of a file before it: for parts that are newer
/// than this version, and for clones. The columns are those of the built-in table; see
/// `docs/stm32.md`.
///
/// # Errors
/// The file cannot be read, or the first line that is wrong, by its number.
pub fn load(path: &Path) -> Result<Parts, Error> {
    let text = files::read(path)?;
    let parts = Parts::with_file(&String::from_utf8_lossy(&text));
    Ok(parts.map_err(|source| Problem::Parts {
        path: path.to_owned(),
        source,
    })?)
}
