//! The state file of a chip's bench: what outlives power beside the memory.
//!
//! The form is that of [`state`]. Version 1 has the part and the status registers, in
//! hexadecimal.

use super::{Chip, Part};
use crate::state;

const PART: &str = "part";
const STATUS: &str = "status";

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
    /// Not as many values as the part has registers.
    #[error("the status registers are not {0} hexadecimal values")]
    Registers(usize),
}

/// The state of a part with these stored registers.
pub(super) fn write(part: &Part, registers: &[u8]) -> String {
    let values: Vec<String> = registers
        .iter()
        .map(|value| format!("{value:02x}"))
        .collect();
    let protected = part.protection.range(registers, part.size_bytes);
    let comment = if protected.is_empty() {
        "nothing is protected".to_owned()
    } else {
        format!(
            "{:#x} to {:#x} are protected",
            protected.start,
            protected.end - 1
        )
    };
    format!(
        "# {comment}\n{PART}: {}\n{STATUS}: {}\n",
        part.name,
        values.join(" ")
    )
}

/// Gives a chip the registers that a state tells of.
///
/// # Errors
/// All of [`StateSyntax`].
pub(crate) fn restore(chip: &mut Chip, text: &str) -> Result<(), StateSyntax> {
    let part = chip.part();
    let [name, status] = state::values(text, [PART, STATUS]).map_err(StateSyntax::Line)?;
    let name = name.ok_or(StateSyntax::Missing(PART))?;
    if name != part.name {
        return Err(StateSyntax::OtherPart(name.to_owned()));
    }
    let count = part.status.registers.len();
    let values: Option<Vec<u8>> = status
        .ok_or(StateSyntax::Missing(STATUS))?
        .split_whitespace()
        .map(|value| u8::from_str_radix(value, 16).ok())
        .collect();
    let values = values.filter(|values| values.len() == count);
    for (register, value) in values
        .ok_or(StateSyntax::Registers(count))?
        .into_iter()
        .enumerate()
    {
        chip.set_register(register, value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Options, find};
    use super::*;

    fn chip() -> Chip {
        Chip::new(find("w25q64jv").unwrap(), Options::default())
    }

    #[test]
    fn a_state_gives_the_registers_back() {
        let mut chip = chip();
        chip.set_register(0, 0x24);
        chip.set_register(1, 0x42);
        let text = chip.state();
        assert_eq!(
            text,
            "# 0x20000 to 0x7fffff are protected\npart: w25q64jv\nstatus: 24 42 60\n"
        );
        let mut other = self::chip();
        restore(&mut other, &text).unwrap();
        assert_eq!(other.registers(), [0x24, 0x42, 0x60]);
    }

    #[test]
    fn texts_that_are_no_state_of_the_part_are_refused() {
        let refused = |text: &str| restore(&mut chip(), text).unwrap_err();
        assert_eq!(refused(""), StateSyntax::Missing(PART));
        assert_eq!(refused("part: w25q64jv"), StateSyntax::Missing(STATUS));
        assert_eq!(
            refused("part: m25p80\nstatus: 0"),
            StateSyntax::OtherPart("m25p80".to_owned())
        );
        assert_eq!(
            refused("part: w25q64jv\nstatus: 0 0"),
            StateSyntax::Registers(3)
        );
        assert_eq!(
            refused("part: w25q64jv\nstatus: 0 0 x"),
            StateSyntax::Registers(3)
        );
        assert_eq!(refused("# a\nother: 1"), StateSyntax::Line(2));
    }
}
