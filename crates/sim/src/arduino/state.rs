//! The state file of an Arduino's bench: which board it belongs to, and nothing else, for all that
//! outlives power on it is the flash.

use super::Model;
use crate::state;

const BOARD: &str = "board";

/// Why a text is no state of a board.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateSyntax {
    /// A line that is neither `key: value` of a known key nor a comment.
    #[error("line {0} is not understood")]
    Line(usize),
    /// A key is not there.
    #[error("no line \"{0}:\"")]
    Missing(&'static str),
    /// It belongs to another board.
    #[error("it belongs to {0}")]
    OtherBoard(String),
}

/// The state of a board.
pub(super) fn write(model: &Model) -> String {
    format!("{BOARD}: {}\n", model.name)
}

/// Makes sure that a state is one of this board.
///
/// # Errors
/// All of [`StateSyntax`].
pub(crate) fn check(model: &Model, text: &str) -> Result<(), StateSyntax> {
    let [board] = state::values(text, [BOARD]).map_err(StateSyntax::Line)?;
    match board.ok_or(StateSyntax::Missing(BOARD))? {
        board if board == model.name => Ok(()),
        other => Err(StateSyntax::OtherBoard(other.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::find;
    use super::*;

    #[test]
    fn a_state_is_read_by_its_own_board_alone() {
        let [uno, nano] = ["arduino-uno", "arduino-nano-old"].map(|name| find(name).unwrap());
        assert_eq!(check(uno, &write(uno)), Ok(()));
        let other = StateSyntax::OtherBoard("arduino-nano-old".to_owned());
        assert_eq!(check(uno, &write(nano)), Err(other));
        assert_eq!(check(uno, "# x\n"), Err(StateSyntax::Missing("board")));
        assert_eq!(check(uno, "fuse: 1\n"), Err(StateSyntax::Line(1)));
    }
}
