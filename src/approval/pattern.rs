//! Pattern lists as in OpenSSH (`PATTERNS` in ssh_config(5)).

/// Whether a comma-separated list of patterns matches the text. If a pattern with `!` matches, the list does
/// not.
pub(super) fn matches_list(list: &str, text: &str) -> bool {
    let mut fits = false;
    for pattern in list.split(',').map(str::trim) {
        match pattern.strip_prefix('!') {
            Some(not) if matches_pattern(not.as_bytes(), text.as_bytes()) => return false,
            Some(_) => {}
            None => fits |= matches_pattern(pattern.as_bytes(), text.as_bytes()),
        }
    }
    fits
}

/// Whether a pattern matches: `*` is any text, `?` any byte. The time is at most proportional to the product
/// of both lengths, so no pattern takes exponential time.
fn matches_pattern(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    // The position of the last `*`, and how much of the text it covers.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[read] => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((place, reached)) => {
                    star = Some((place, reached + 1));
                    (at, read) = (place + 1, reached + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_openssh_has_them() {
        for (list, text, fits) in [
            ("ann@contoso.com", "ann@contoso.com", true),
            ("ann@contoso.com", "jann@contoso.com", false),
            ("*@contoso.com", "ann@contoso.com", true),
            ("*@contoso.com,!ann@contoso.com", "ann@contoso.com", false),
            ("!ann@contoso.com", "bob@contoso.com", false),
            ("a?n@*", "ann@x", true),
            ("*", "", true),
            ("", "a", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
        ] {
            assert_eq!(matches_list(list, text), fits, "{list} {text}");
        }
    }
}
