//! Options as Python's argparse reads them (Python 3.11, `argparse.py`).
//!
//! Long options may be shortened to any beginning that only one has, values follow as the next word
//! or after `=`, short options are bundled, options may stand after other words, and after `--`
//! nothing is an option. A next word that begins with a minus is no value, unless it is a number.

use std::ffi::{OsStr, OsString};

/// An option of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opt {
    /// Its letter, if it has one.
    pub(super) short: Option<char>,
    /// Its word, without minuses; of an option that has a letter only, its name.
    pub(super) long: &'static str,
    /// Whether its word can be given.
    pub(super) has_long: bool,
    /// Whether it takes a value.
    pub(super) takes_value: bool,
}

/// One piece of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// An option, by its word, with its value if it takes one.
    Option(&'static str, Option<OsString>),
    /// A word that is no option.
    Word(OsString),
    /// A word that looks like an option and is none.
    Unknown(OsString),
    /// An option that cannot stand so; reading ends here.
    Wrong(String),
}

/// What a word is by itself.
enum Word {
    Plain,
    Unknown,
    Ambiguous(String),
    /// An option, and what stands in the same word behind it.
    Option(Opt, Option<OsString>),
}

/// Splits a command line into its pieces, in order. After [`Piece::Wrong`] there is none.
pub(super) fn split(words: &[OsString], options: &[Opt]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = words.iter().peekable();
    while let Some(word) = rest.next() {
        if word == "--" {
            pieces.extend(rest.by_ref().cloned().map(Piece::Word));
            break;
        }
        match classify(word, options) {
            Word::Plain => pieces.push(Piece::Word(word.clone())),
            Word::Unknown => pieces.push(Piece::Unknown(word.clone())),
            Word::Ambiguous(what) => {
                pieces.push(Piece::Wrong(what));
                break;
            }
            Word::Option(first, joined) => {
                let is_value = |next: &&OsString| {
                    *next != "--" && matches!(classify(next, options), Word::Plain)
                };
                let next = || rest.next_if(is_value).cloned();
                if let Err(what) = take(first, joined, word, options, next, &mut pieces) {
                    pieces.push(Piece::Wrong(what));
                    break;
                }
            }
        }
    }
    pieces
}

/// Takes an option, and those that are bundled with it. `next` is the next word if it can be a value.
fn take(
    first: Opt,
    joined: Option<OsString>,
    word: &OsStr,
    options: &[Opt],
    next: impl FnOnce() -> Option<OsString>,
    pieces: &mut Vec<Piece>,
) -> Result<(), String> {
    let is_long = word.to_string_lossy().starts_with("--");
    let (mut option, mut joined) = (first, joined);
    loop {
        if option.takes_value {
            let missing = || format!("argument {}: expected one argument", shown(option));
            let value = joined.or_else(next).ok_or_else(missing)?;
            pieces.push(Piece::Option(option.long, Some(value)));
            return Ok(());
        }
        let Some(bundle) = joined else {
            pieces.push(Piece::Option(option.long, None));
            return Ok(());
        };
        let bundle = bundle.to_string_lossy().into_owned();
        let ignored = || {
            let option = shown(option);
            format!("argument {option}: ignored explicit argument '{bundle}'")
        };
        let mut letters = bundle.chars();
        let letter = letters.next().filter(|_| !is_long).ok_or_else(ignored)?;
        let following = by_letter(letter, options).ok_or_else(ignored)?;
        pieces.push(Piece::Option(option.long, None));
        option = following;
        joined = Some(letters.as_str())
            .filter(|left| !left.is_empty())
            .map(OsString::from);
    }
}

fn by_letter(letter: char, options: &[Opt]) -> Option<Opt> {
    options.iter().find(|o| o.short == Some(letter)).copied()
}

/// `-e/--erase`, as argparse's messages have it.
pub(super) fn shown(option: Opt) -> String {
    match option.short {
        Some(letter) if option.has_long => format!("-{letter}/--{}", option.long),
        Some(letter) => format!("-{letter}"),
        None => format!("--{}", option.long),
    }
}

/// What a word is. The order of the questions is argparse's.
fn classify(word: &OsStr, options: &[Opt]) -> Word {
    // Names of files that are no text begin like options only if they do.
    let text = word.to_string_lossy();
    let Some(body) = text.strip_prefix('-').filter(|body| !body.is_empty()) else {
        return Word::Plain;
    };
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(OsString::from(value))),
        None => (&*text, None),
    };
    if let Some(long) = name.strip_prefix("--") {
        let words = options.iter().filter(|option| option.has_long);
        if let Some(exact) = words.clone().find(|option| option.long == long) {
            return Word::Option(*exact, value);
        }
        let like: Vec<&Opt> = words
            .filter(|option| option.long.starts_with(long))
            .collect();
        return match like[..] {
            [] if text.contains(' ') => Word::Plain,
            [] => Word::Unknown,
            [only] => Word::Option(*only, value),
            _ => {
                let names: Vec<String> = like.iter().map(|o| format!("--{}", o.long)).collect();
                let names = names.join(", ");
                Word::Ambiguous(format!("ambiguous option: {text} could match {names}"))
            }
        };
    }
    let mut letters = body.chars();
    let known = letters.next().and_then(|letter| by_letter(letter, options));
    let behind = letters.as_str();
    match known {
        Some(option) if behind.is_empty() => Word::Option(option, None),
        // `-b=9600`, where the whole name is one letter.
        Some(option) if behind.starts_with('=') => Word::Option(option, value),
        Some(option) => Word::Option(option, Some(behind.into())),
        None if is_number(body) || text.contains(' ') => Word::Plain,
        None => Word::Unknown,
    }
}

/// Whether what stands behind a minus is a number: digits, with a point at most before the last.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, part)) => (whole.is_empty() || digits(whole)) && digits(part),
        None => digits(text),
    }
}

/// A number as Python's `int(text, 0)` reads it, or `int(text)` without `any_base`: underscores
/// between digits, blanks around it; with any base, `0x`, `0o` and `0b`, and no leading zeros. What is
/// too large for anything is the largest there is.
pub(super) fn python_int(text: &str, any_base: bool) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits, prefixed) = match lower.get(..2) {
        Some("0x") if any_base => (16, &lower[2..], true),
        Some("0o") if any_base => (8, &lower[2..], true),
        Some("0b") if any_base => (2, &lower[2..], true),
        _ => (10, &lower[..], false),
    };
    // An underscore stands between digits, or between the base and them.
    let digits = match digits.strip_prefix('_') {
        Some(digits) if prefixed => digits,
        _ => digits,
    };
    let ends_well = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    let all = !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
    let zeros = any_base && !prefixed && digits.len() > 1 && digits.starts_with('0');
    if !all || !ends_well || zeros && digits.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let number = i128::from_str_radix(&digits, base).unwrap_or(i128::MAX);
    Some(if negative { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn opt(short: char, long: &'static str, takes_value: bool) -> Opt {
        Opt {
            short: Some(short),
            long,
            has_long: true,
            takes_value,
        }
    }

    const OPTIONS: &[Opt] = &[
        opt('e', "erase", false),
        opt('v', "verify", false),
        opt('V', "verbose", false),
        opt('b', "baud", true),
        opt('l', "length", true),
        Opt {
            has_long: false,
            ..opt('d', "device", true)
        },
    ];

    fn pieces(line: &str) -> Vec<Piece> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        split(&words, OPTIONS)
    }

    fn flag(name: &'static str) -> Piece {
        Piece::Option(name, None)
    }

    fn value(name: &'static str, value: &str) -> Piece {
        Piece::Option(name, Some(value.into()))
    }

    fn wrong(line: &str) -> String {
        match pieces(line).pop() {
            Some(Piece::Wrong(what)) => what,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn values_follow_in_four_ways() {
        for line in [
            "-b 9600",
            "-b9600",
            "-b=9600",
            "--baud 9600",
            "--baud=9600",
            "--ba 9600",
        ] {
            assert_eq!(pieces(line), [value("baud", "9600")], "{line}");
        }
    }

    #[test]
    fn letters_are_bundled_and_the_last_may_have_a_value() {
        assert_eq!(
            pieces("-evb9600"),
            [flag("erase"), flag("verify"), value("baud", "9600")]
        );
        assert_eq!(pieces("-eb 9600")[1], value("baud", "9600"));
        assert!(wrong("-ex").contains("ignored explicit argument 'x'"));
        assert!(wrong("--erase=1").contains("ignored explicit argument '1'"));
    }

    #[test]
    fn a_word_is_shortened_to_what_only_one_has() {
        assert_eq!(pieces("--er --verif"), [flag("erase"), flag("verify")]);
        assert_eq!(
            wrong("--ver"),
            "ambiguous option: --ver could match --verify, --verbose"
        );
    }

    #[test]
    fn an_option_of_a_letter_has_no_word() {
        assert_eq!(pieces("-d x -dy")[1], value("device", "y"));
        assert_eq!(pieces("--device x")[0], Piece::Unknown("--device".into()));
        assert_eq!(wrong("-d"), "argument -d: expected one argument");
    }

    #[test]
    fn a_value_does_not_look_like_an_option_unless_it_is_a_number() {
        assert_eq!(wrong("-b -e"), "argument -b/--baud: expected one argument");
        assert_eq!(wrong("-b"), "argument -b/--baud: expected one argument");
        assert_eq!(wrong("-b -x"), "argument -b/--baud: expected one argument");
        assert_eq!(pieces("-l -5"), [value("length", "-5")]);
        assert_eq!(pieces("--length=-e"), [value("length", "-e")]);
    }

    #[test]
    fn words_may_stand_anywhere_and_two_minuses_end_the_options() {
        let word = |text: &str| Piece::Word(text.into());
        assert_eq!(
            pieces("a -e - -- -v"),
            [word("a"), flag("erase"), word("-"), word("-v")]
        );
        assert_eq!(pieces("-x"), [Piece::Unknown("-x".into())]);
        let spaced = [OsString::from("-x y")];
        assert_eq!(split(&spaced, OPTIONS), [word("-x y")]);
    }

    #[test]
    fn numbers_are_those_of_python() {
        let any = |text| python_int(text, true);
        assert_eq!(any("0x0800_0000"), Some(0x0800_0000));
        assert_eq!(any("0X10"), Some(16));
        assert_eq!(any("0o17"), Some(15));
        assert_eq!(any("0b_11"), Some(3));
        assert_eq!(any(" 12 "), Some(12));
        assert_eq!(any("-12"), Some(-12));
        assert_eq!(any("00"), Some(0));
        for bad in [
            "010", "1__0", "_1", "1_", "0x", "", "x", "1k", "0x-1", "+-1",
        ] {
            assert_eq!(any(bad), None, "{bad}");
        }
        assert_eq!(python_int("010", false), Some(10));
        assert_eq!(python_int("0x10", false), None);
        let long = "9".repeat(60);
        assert_eq!(any(&long), Some(i128::MAX));
    }
}
