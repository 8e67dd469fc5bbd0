//! One line of comma-separated values.

/// Cuts a line into its fields. A field in double quotes may hold commas; a doubled quote in it
/// stands for one. `None` if a quoted field does not end.
pub(super) fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => until_quote(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(fields),
        }
    }
}

/// The field up to its closing quote, and what follows that.
fn until_quote(quoted: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = quoted;
    loop {
        let (text, after) = rest.split_once('"')?;
        field.push_str(text);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Some((field, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_commas_and_quotes() {
        let cut = |line| fields(line).unwrap_or_default();
        assert_eq!(cut("a,,b"), ["a", "", "b"]);
        assert_eq!(cut(""), [""]);
        assert_eq!(cut(r#""a,b",c"#), ["a,b", "c"]);
        assert_eq!(cut(r#""say ""x""","#), [r#"say "x""#, ""]);
        assert_eq!(fields(r#""open"#), None);
        assert_eq!(fields(r#""a"b"#), None);
    }
}
