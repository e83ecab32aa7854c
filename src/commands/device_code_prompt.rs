//! Asks a person to sign in with a browser. The prompt goes to standard error, also with `-o none`, because otherwise
//! the run would wait in silence.

use crate::console;
use crate::identity::{Prompt, Prompter};

/// A prompter that writes to standard error.
pub(super) fn stderr_prompter() -> Prompter {
    Prompter::new(|prompt| console::print_status(&prompt_text(prompt)))
}

fn prompt_text(prompt: &Prompt) -> String {
    let Prompt { address, code, expires_in, reason: why } = prompt;
    let minutes = expires_in.as_secs().div_ceil(60);
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    let to_do = format!("To sign in, open {address} and enter the code {code} (valid for {minutes} {unit})");
    match why {
        None => to_do,
        Some(why) => format!(
            "You need to sign in again: {why}\n{to_do}\nUntil then the current token is used as long as it is \
             valid. Earlier codes no longer work."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn prompt(seconds: u64, why: Option<&str>) -> Prompt {
        Prompt {
            address: "https://microsoft.com/devicelogin".to_owned(),
            code: "ABCD-EFGH".to_owned(),
            expires_in: Duration::from_secs(seconds),
            reason: why.map(str::to_owned),
        }
    }

    #[test]
    fn prompt_shows_address_code_and_validity() {
        assert_eq!(
            prompt_text(&prompt(900, None)),
            "To sign in, open https://microsoft.com/devicelogin and enter the code ABCD-EFGH (valid for 15 \
             minutes)"
        );
        assert!(prompt_text(&prompt(30, None)).ends_with("(valid for 1 minute)"));
        let again = prompt_text(&prompt(900, Some("AADSTS50173: revoked")));
        assert!(again.contains("sign in again: AADSTS50173: revoked\nTo sign in, open"), "{again}");
    }
}
