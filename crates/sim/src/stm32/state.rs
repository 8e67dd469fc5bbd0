//! The state file of an STM32 bench: what outlives power beside the flash.
//!
//! The form is that of [`state`]. Version 1 has the part and the value of each cell
//! of its option bytes, in hexadecimal.

use super::options::{Options, ReadProtection};
use super::part::Part;
use crate::state;

const PART: &str = "part";
const OPTIONS: &str = "options";

/// Why a text is no state of a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateSyntax {
    /// A line that is neither `key: value` of a known key nor a comment.
    #[error("line {0} is not understood")]
    Line(usize),
    /// A key is not there.
    #[error("no line \"{0}:\"")]
    Missing(&'static str),
    /// It belongs to another part.
    #[error("it belongs to {0}")]
    OtherPart(String),
    /// Not as many option cells as the part has.
    #[error("the option bytes are not {0} hexadecimal values")]
    Options(usize),
}

/// The state of a chip.
pub(super) fn write(part: &Part, options: &Options) -> String {
    let cells: Vec<String> = options
        .cells()
        .iter()
        .map(|cell| format!("{cell:x}"))
        .collect();
    let level = match options.read_protection(&part.options) {
        ReadProtection::Level0 => 0,
        ReadProtection::Level1 => 1,
        ReadProtection::Level2 => 2,
    };
    let units = part.flash.bank_units() * part.flash.banks;
    let protected = (0..units)
        .filter(|unit| options.is_write_protected(&part.options, &part.flash, *unit))
        .count();
    format!(
        "# read protection level {level}, {protected} of {units} erase units write protected\n\
         {PART}: {}\n{OPTIONS}: {}\n",
        part.name,
        cells.join(" ")
    )
}

/// The option bytes of a part as a state tells them.
///
/// # Errors
/// All of [`StateSyntax`].
pub(crate) fn read(part: &Part, text: &str) -> Result<Options, StateSyntax> {
    let [name, options] = state::values(text, [PART, OPTIONS]).map_err(StateSyntax::Line)?;
    let name = name.ok_or(StateSyntax::Missing(PART))?;
    if name != part.name {
        return Err(StateSyntax::OtherPart(name.to_owned()));
    }
    options
        .ok_or(StateSyntax::Missing(OPTIONS))?
        .split_whitespace()
        .map(|cell| u32::from_str_radix(cell, 16).ok())
        .collect::<Option<Vec<u32>>>()
        .and_then(|cells| Options::from_cells(&part.options, cells))
        .ok_or(StateSyntax::Options(part.options.factory.len()))
}
