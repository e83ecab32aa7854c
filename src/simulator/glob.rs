//! Patterns for user IDs: `*` matches any text, `?` matches one character, and case is ignored.

/// A compiled pattern. Matching does not allocate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob(Box<[char]>);

impl Glob {
    /// Compiles a pattern. Every text is a valid pattern.
    pub(super) fn new(pattern: &str) -> Glob {
        Glob(pattern.to_lowercase().chars().collect())
    }

    /// Whether the whole of `id` matches. `id` must be in lower case, as `Account::key` is.
    pub(super) fn matches(&self, id: &str) -> bool {
        let mut at = 0;
        let mut rest = id.chars();
        // Where to resume after a mismatch: the position behind the last `*`, and the text that it has not consumed
        // yet.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            match (self.0.get(at), rest.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    at += 1;
                    rest = before.clone();
                    retry = Some((at, before));
                }
                (Some(&p), Some(c)) if p == '?' || p == c => at += 1,
                _ => {
                    let Some((resume, text)) = retry.as_mut() else { return false };
                    if text.next().is_none() {
                        return false;
                    }
                    at = *resume;
                    rest = text.clone();
                }
            }
        }
    }
}

/// Compiles each of `patterns`.
pub(super) fn compile(patterns: &[String]) -> Vec<Glob> {
    patterns.iter().map(|pattern| Glob::new(pattern)).collect()
}

/// Whether any of `globs` matches `id`.
pub(super) fn matches_any(globs: &[Glob], id: &str) -> bool {
    globs.iter().any(|glob| glob.matches(id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks() {
        let yes = [
            ("*", ""),
            ("gone-*", "gone-1@x.com"),
            ("*@X.com", "a@x.com"),
            ("a?c", "abc"),
            ("a*b*c", "a1b2b3c"),
        ];
        let no = [("gone-*", "agone-1"), ("a?c", "ac"), ("", "a"), ("a*b", "abc"), ("?", "")];
        for (pattern, id) in yes {
            assert!(Glob::new(pattern).matches(id), "{pattern} {id}");
        }
        for (pattern, id) in no {
            assert!(!Glob::new(pattern).matches(id), "{pattern} {id}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_regular_expression(pattern in "[ab*?]{0,8}", id in "[ab]{0,10}") {
            let rule = format!("^{}$", pattern.replace('*', ".*").replace('?', "."));
            let expected = regex::Regex::new(&rule).unwrap().is_match(&id);
            prop_assert_eq!(Glob::new(&pattern).matches(&id), expected);
        }
    }
}
