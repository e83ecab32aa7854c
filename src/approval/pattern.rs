//! Lists of patterns as OpenSSH has them (`PATTERNS` in ssh_config(5)).

/// Whether a list of patterns with commas between fits the text. One that begins with `!` and fits decides against it.
pub(super) fn list_fits(list: &str, text: &str) -> bool {
    let mut fits = false;
    for pattern in list.split(',').map(str::trim) {
        match pattern.strip_prefix('!') {
            Some(not) if pattern_fits(not.as_bytes(), text.as_bytes()) => return false,
            Some(_) => {}
            None => fits |= pattern_fits(pattern.as_bytes(), text.as_bytes()),
        }
    }
    fits
}

/// `*` is any text, `?` any byte. Takes time in proportion to both lengths, whatever the pattern.
fn pattern_fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    // Where the last `*` stands, and how far it has reached.
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
            assert_eq!(list_fits(list, text), fits, "{list} {text}");
        }
    }
}
