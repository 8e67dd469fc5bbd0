//! Short options as getopt(3) of the GNU C library reads them.
//!
//! Options may be bundled (`-vb9600`), their values may follow at once or as the next word, whatever
//! that looks like, and they may stand after other words, until `--`. With `POSIXLY_CORRECT` in the
//! environment the first other word ends them, as getopt has it.

use std::ffi::OsString;

/// One piece of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// An option without a value.
    Flag(char),
    /// An option with its value.
    Value(char, OsString),
    /// A word that is no option.
    Word(OsString),
    /// A letter that is no option.
    Unknown(char),
    /// An option whose value is missing.
    Missing(char),
}

/// Splits a command line. `options` are the letters, each followed by `:` if it takes a value.
///
/// Words come where they stand, not after all options.
pub(super) fn split(words: &[OsString], options: &str, posix: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        // Names of files that are no text may stand alone, not behind their option's letter.
        let text = word.to_string_lossy();
        match text.strip_prefix('-') {
            Some("-") => {
                pieces.extend(rest.by_ref().cloned().map(Piece::Word));
            }
            Some(letters) if !letters.is_empty() => {
                split_letters(letters, options, &mut rest, &mut pieces);
            }
            _ => {
                pieces.push(Piece::Word(word.clone()));
                if posix {
                    pieces.extend(rest.by_ref().cloned().map(Piece::Word));
                }
            }
        }
    }
    pieces
}

/// Splits what stands behind one `-`.
fn split_letters<'a>(
    letters: &str,
    options: &str,
    rest: &mut impl Iterator<Item = &'a OsString>,
    pieces: &mut Vec<Piece>,
) {
    for (at, letter) in letters.char_indices() {
        let known = options.find(letter).filter(|_| letter != ':');
        let Some(known) = known else {
            pieces.push(Piece::Unknown(letter));
            continue;
        };
        if !options[known + 1..].starts_with(':') {
            pieces.push(Piece::Flag(letter));
            continue;
        }
        let value = match &letters[at + letter.len_utf8()..] {
            "" => rest.next().cloned(),
            value => Some(value.into()),
        };
        pieces.push(match value {
            Some(value) => Piece::Value(letter, value),
            None => Piece::Missing(letter),
        });
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str = "b:vw:i:";

    fn pieces(line: &str) -> Vec<Piece> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        split(&words, OPTIONS, false)
    }

    fn value(letter: char, value: &str) -> Piece {
        Piece::Value(letter, value.into())
    }

    #[test]
    fn options_are_bundled_and_their_values_follow_in_either_way() {
        use Piece::Flag;
        assert_eq!(pieces("-vb9600"), [Flag('v'), value('b', "9600")]);
        assert_eq!(
            pieces("-vvb 9600"),
            [Flag('v'), Flag('v'), value('b', "9600")]
        );
    }

    #[test]
    fn a_value_may_look_like_an_option() {
        assert_eq!(pieces("-i -rts,dtr"), [value('i', "-rts,dtr")]);
        assert_eq!(pieces("-w -"), [value('w', "-")]);
        assert_eq!(pieces("-w --"), [value('w', "--")]);
    }

    #[test]
    fn options_may_stand_after_words_until_two_minuses() {
        let word = |text: &str| Piece::Word(text.into());
        assert_eq!(
            pieces("port -v - -- -v"),
            [word("port"), Piece::Flag('v'), word("-"), word("-v")]
        );
        let words = ["port".into(), "-v".into()];
        assert_eq!(split(&words, OPTIONS, true), [word("port"), word("-v")]);
    }

    #[test]
    fn what_is_no_option_and_what_lacks_a_value_is_named() {
        assert_eq!(pieces("-xv"), [Piece::Unknown('x'), Piece::Flag('v')]);
        assert_eq!(pieces("-b"), [Piece::Missing('b')]);
        assert_eq!(pieces("-:"), [Piece::Unknown(':')]);
        assert_eq!(
            pieces("--help"),
            "-help".chars().map(Piece::Unknown).collect::<Vec<_>>()
        );
    }
}
