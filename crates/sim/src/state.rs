//! The text of state files: lines of `key: value`; `#` begins a comment.

/// The values of `keys`, each of its last line.
///
/// # Errors
/// The number of a line that is neither a comment nor one of these keys.
pub(crate) fn values<'a, const COUNT: usize>(
    text: &'a str,
    keys: [&str; COUNT],
) -> Result<[Option<&'a str>; COUNT], usize> {
    let mut values = [None; COUNT];
    for (number, line) in (1_usize..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once(':').ok_or(number)?;
        let index = keys.iter().position(|known| *known == key).ok_or(number)?;
        values[index] = Some(value.trim());
    }
    Ok(values)
}
