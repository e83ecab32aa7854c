//! The outcome words in plain words: what each means, and what to do about it.

use crate::outcome::Outcome;
use crate::text::sanitize::sanitize_truncated;

/// Why something stopped, short enough for a line of many, and safe to show. What to do about it stands behind the last
/// dash, and is never what is cut.
pub(super) fn shorten_sentence(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    match sentence.rsplit_once(" — ") {
        Some((what, advice)) => {
            format!("{} — {}", sanitize_truncated(what, 160), sanitize_truncated(advice, 240))
        }
        None => sanitize_truncated(sentence, 500),
    }
}

/// What the word means, in a few words.
pub fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Revoked => "signed out: Graph confirmed it",
        Outcome::AcceptedNoEffect => "external user: Graph said yes, their home tenant keeps the sessions",
        Outcome::NotFound => "no such user in this tenant",
        Outcome::Forbidden => "not permitted for this user",
        Outcome::Rejected => "refused by Graph",
        Outcome::ThrottledOut => "still throttled when the run ended",
        Outcome::Failed => "server or network error, tries spent",
        Outcome::InDoubt => "sent, and no answer known",
        Outcome::NotAttempted => "the run ended before their turn",
        Outcome::Protected => "on the protect list: never sent",
        Outcome::Excluded => "left out by a filter: never sent",
        Outcome::Duplicate => "the same user stands on an earlier line",
        Outcome::Invalid => "the row holds no user id",
    }
}

/// What to do where the word is not done; none where there is nothing to do.
pub fn next_step(outcome: Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::AcceptedNoEffect => {
            "Ask the user's home tenant to revoke the sessions, or block the guest account in this tenant."
        }
        Outcome::NotFound => {
            "Check the id and the tenant. A deleted user has nothing left to revoke: --accept not_found counts \
             them as done."
        }
        Outcome::Forbidden => {
            "Compare the app's permission and the operator's role with the user's: administrators can only be \
             signed out by a higher role. Then resume the run."
        }
        Outcome::Rejected => {
            "Read the code and the detail of each row, correct the input, and run remaining.csv."
        }
        Outcome::ThrottledOut => "Resume the run later, or with a later deadline.",
        Outcome::Failed => "Resume the run. If it fails again, give the request ids to Microsoft's support.",
        Outcome::InDoubt => "Resume the run: revoking twice does no harm.",
        Outcome::NotAttempted => "Resume the run.",
        Outcome::Invalid => "Correct the cell in remaining.csv, and run that file.",
        Outcome::Revoked | Outcome::Protected | Outcome::Excluded | Outcome::Duplicate => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_is_never_cut() {
        let advice = "the tenant does not know this app: check --client-id";
        let brief = shorten_sentence(&format!("sign-in: AADSTS700016: {} — {advice}.", "long ".repeat(100)));
        assert!(brief.starts_with("sign-in: AADSTS700016: long ") && brief.len() < 260, "{brief}");
        assert!(brief.ends_with(&format!("… — {advice}")), "{brief}");
        assert_eq!(shorten_sentence("halted\u{1b}[2J."), "halted\\u{1b}[2J");
    }
}
