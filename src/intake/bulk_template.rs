//! The parts of Microsoft's bulk templates that are not users: the version line and the row of examples.

use super::cell::{trim, unquote};

/// The maximum length of a version, in bytes: 32 digits could be an object ID.
const MAX_VERSION_CHARS: usize = 16;

/// Whether the text is the version of a template: `version:v1.0`.
pub(super) fn is_version(text: &str) -> bool {
    let text = trim(unquote(text));
    let Some((word, number)) = text.split_once(':') else { return false };
    let number = number.trim_start();
    let number = number.strip_prefix(['v', 'V']).unwrap_or(number);
    word.trim_end().eq_ignore_ascii_case("version")
        && number.starts_with(|c: char| c.is_ascii_digit())
        && number.len() <= MAX_VERSION_CHARS
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// "Example" in the languages of the admin center.
const EXAMPLES: [&str; 14] = [
    "example",
    "beispiel",
    "exemple",
    "ejemplo",
    "esempio",
    "exemplo",
    "voorbeeld",
    "exempel",
    "eksempel",
    "esimerkki",
    "przykład",
    "příklad",
    "пример",
    "例",
];

/// Whether the text begins like an example row: `Example: chris@contoso.com`.
pub(super) fn is_example(text: &str) -> bool {
    let text = trim(unquote(text));
    let word = text.split_once([':', '：']).map(|(word, _)| word.trim_end().to_lowercase());
    word.is_some_and(|word| EXAMPLES.contains(&word.as_str()))
}

/// Whether the columns are those of a template: `User name [userPrincipalName] Required`.
pub(super) fn has_columns(columns: &[String]) -> bool {
    let is_one = |column: &String| {
        let name = trim(column);
        let required = name.len().checked_sub("required".len()).and_then(|at| name.split_at_checked(at));
        required.is_some_and(|(before, word)| {
            word.eq_ignore_ascii_case("required") && before.trim_end().ends_with(']')
        })
    };
    columns.iter().any(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microsofts_template_rows_are_recognised() {
        assert!(is_version("\"version:v1.0\"") && is_version("Version: V2") && is_version("version:1.0"));
        assert!(!is_version("version:ann@contoso.com") && !is_version("version:") && !is_version("v1.0"));
        assert!(!is_version("version: see ann@contoso.com") && !is_version("version: 1 of 2"));
        assert!(!is_version(&format!("version:{}", "1".repeat(32))));
        assert!(
            is_example("Example: Chris Green") && is_example("EXAMPLE :x") && is_example("Beispiel: Chris")
        );
        assert!(!is_example("example@example.com") && !is_example("Examples of users"));
        assert!(has_columns(&["Name".into(), "Email address to invite [inviteeEmail] Required".into()]));
        assert!(!has_columns(&["UPN".into(), "Training required".into()]));
    }
}
