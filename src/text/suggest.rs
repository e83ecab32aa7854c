//! Suggestions for misspelled words.

/// How similar two words must be, from 0 to 1, to count as a typo.
const MIN_SIMILARITY: f64 = 0.6;

/// The most similar known word, if one is similar enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(word, known);
    let best = known.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= MIN_SIMILARITY).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_known() {
        let known = ["tenant", "client_id", "cloud"];
        for (word, meant) in [
            ("tennant", Some("tenant")),
            ("cleint_id", Some("client_id")),
            ("clientid", Some("client_id")),
            ("weather", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
        assert_eq!(nearest("tenant", []), None);
    }
}
