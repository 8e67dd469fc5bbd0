//! As much of Rust's lexical structure as it takes to tell code from comments and texts.

/// The source with comments and the content of string and character literals blanked out. Lines
/// stay where they are.
pub(super) fn code_only(source: &str) -> String {
    let mut rest = source;
    let mut code = String::with_capacity(source.len());
    while let Some(c) = rest.chars().next() {
        let (length, blank) = token(rest, code.chars().next_back());
        let (token, after) = rest.split_at(length.max(c.len_utf8()));
        if blank {
            code.extend(token.chars().map(|c| if c == '\n' { c } else { ' ' }));
        } else {
            code.push_str(token);
        }
        rest = after;
    }
    code
}

/// Length in bytes of what `rest` begins with, and whether it is no code. `before` is the
/// character in front of it.
fn token(rest: &str, before: Option<char>) -> (usize, bool) {
    let in_name = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        (rest.find('\n').unwrap_or(rest.len()), true)
    } else if rest.starts_with("/*") {
        (block_comment(rest), true)
    } else if rest.starts_with('"') {
        (quoted(rest, '"'), true)
    } else if let Some(length) = raw_string(rest).filter(|_| !in_name) {
        (length, true)
    } else if rest.starts_with('\'') {
        character(rest).map_or((1, false), |length| (length, true))
    } else {
        (1, false)
    }
}

/// `/* ... */`, which may hold others of its kind.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let step = match rest.as_bytes().get(at..at + 2) {
            Some(b"/*") => {
                depth += 1;
                2
            }
            Some(b"*/") => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// From one quote to the next that no backslash protects.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// `r"..."`, `r#"..."#` and the like; the prefixes `b` and `c` too.
fn raw_string(rest: &str) -> Option<usize> {
    let after_kind = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let after_r = after_kind.strip_prefix('r')?;
    let hashes = after_r.len() - after_r.trim_start_matches('#').len();
    let content = after_r[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = content
        .find(&end)
        .map_or(content.len(), |at| at + end.len());
    Some(rest.len() - content.len() + length)
}

/// `'a'` or `'\n'`; nothing for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut inside = rest.chars().skip(1);
    let first = inside.next()?;
    let is_literal = first == '\\' || inside.next() == Some('\'');
    is_literal.then(|| quoted(rest, '\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of the source, without the blanks.
    fn left(source: &str) -> String {
        code_only(source).split_whitespace().collect()
    }

    #[test]
    fn comments_go_and_lines_stay() {
        assert_eq!(left("a // b\nc /* d /* e */ f */ g"), "acg");
        assert_eq!(code_only("a /* \n\n */ b").lines().count(), 3);
        assert_eq!(left("/// `todo!`\n//! x\nfn"), "fn");
    }

    #[test]
    fn texts_go() {
        assert_eq!(left(r#"f("a \" b", c)"#), "f(,c)");
        assert_eq!(left(r##"f(r#"a " b"#, c)"##), "f(,c)");
        assert_eq!(left(r#"f(br"a\", c)"#), "f(,c)");
        assert_eq!(left(r#"f(b"a", c)"#), "f(b,c)");
        assert_eq!(left("f(\"// no comment\", c)"), "f(,c)");
    }

    #[test]
    fn characters_go_and_lifetimes_stay() {
        assert_eq!(left(r#"f('a', '\'', '\u{41}', '"', x)"#), "f(,,,,x)");
        assert_eq!(
            left("fn f<'a>(x: &'a str) -> &'a str"),
            "fnf<'a>(x:&'astr)->&'astr"
        );
        assert_eq!(left("loop 'outer: {}"), "loop'outer:{}");
    }

    #[test]
    fn names_that_end_in_r_are_no_raw_strings() {
        assert_eq!(left(r#"for"a"b"#), "forb");
    }

    #[test]
    fn an_unfinished_literal_ends_with_the_file() {
        for source in ["\"abc", "r#\"abc\"", "/* abc", "'\\", "ü\"ü"] {
            let _ = code_only(source);
        }
        assert_eq!(left("a \"b"), "a");
    }
}
