//! Finds the word that was probably meant.

/// Returns the word nearest to what was written, if one is near: at most a third of its letters
/// differ, case aside.
pub(super) fn nearest<'a>(
    written: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace('_', "-");
    let written = plain(written);
    words
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&written, &plain(word)), word))
        .filter(|(distance, word)| *distance <= (word.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let words = ["address", "workers", "idle-timeout", "spent-source"];
        let cases = [
            ("adress", Some("address")),
            ("idle_timeout", Some("idle-timeout")),
            ("Workers", Some("workers")),
            ("spend-source", Some("spent-source")),
            ("colour", None),
            ("", None),
        ];
        for (written, expected) in cases {
            assert_eq!(nearest(written, words), expected, "{written}");
        }
    }
}
