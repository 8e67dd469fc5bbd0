//! What somebody may have meant who wrote a name that there is not.

/// Names that are more than one edit in so many characters away are others, not misspelt ones.
const CHARACTERS_PER_EDIT: usize = 6;

/// The name that begins with `word`, or is spelt nearly like it. `None` if none is.
pub(super) fn nearest<'a>(
    word: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let begun = || names.clone().find(|name| name.starts_with(word));
    let misspelt = || {
        let most = word.len() / CHARACTERS_PER_EDIT;
        names
            .clone()
            .map(|name| (strsim::osa_distance(word, name), name))
            .filter(|(edits, _)| *edits <= most)
            .min_by_key(|(edits, _)| *edits)
            .map(|(_, name)| name)
    };
    if word.is_empty() {
        return None;
    }
    begun().or_else(misspelt)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["uno+w25q80bv", "uno+w25q64jv", "stm32f103cb", "image"];

    #[test]
    fn a_beginning_is_taken_for_the_first_name_that_begins_so() {
        assert_eq!(nearest("uno", NAMES.into_iter()), Some("uno+w25q80bv"));
    }

    #[test]
    fn a_misspelt_name_is_recognised() {
        for (word, meant) in [
            ("uno+w25q46jv", "uno+w25q64jv"),
            ("stm23f103cb", "stm32f103cb"),
            ("imagee", "image"),
        ] {
            assert_eq!(nearest(word, NAMES.into_iter()), Some(meant), "{word}");
        }
    }

    #[test]
    fn other_names_have_nothing_near() {
        for word in ["", "esp32", "speed", "unless"] {
            assert_eq!(nearest(word, NAMES.into_iter()), None, "{word}");
        }
    }
}
