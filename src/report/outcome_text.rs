//! The outcomes in plain words: what each one means, and what to do about it.

use crate::outcome::Outcome;
use crate::text::sanitize::sanitize_truncated;

/// Why something stopped, short enough for one line of several, and safe to show. The advice comes after the last dash
/// and is kept.
pub(super) fn shorten_sentence(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches('.');
    match sentence.rsplit_once(" — ") {
        Some((what, advice)) => {
            format!("{} — {}", sanitize_truncated(what, 160), sanitize_truncated(advice, 240))
        }
        None => sanitize_truncated(sentence, 500),
    }
}

/// What the outcome means, in a few words.
pub fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Revoked => "signed out: Graph confirmed it",
        Outcome::AcceptedNoEffect => {
            "guest: Graph accepted the request, but the user's home tenant holds the sessions"
        }
        Outcome::NotFound => "no such user in this tenant",
        Outcome::Forbidden => "not permitted for this user",
        Outcome::Rejected => "refused by Graph",
        Outcome::ThrottledOut => "still throttled when the run ended",
        Outcome::Failed => "server or network error, no retries left",
        Outcome::InDoubt => "sent, but the answer is not known",
        Outcome::NotAttempted => "not sent: the run ended first",
        Outcome::Protected => "on the protect list: skipped",
        Outcome::Excluded => "left out by a filter",
        Outcome::Duplicate => "the same user is on an earlier line",
        Outcome::Invalid => "the row has no valid user ID",
    }
}

/// What to do about an outcome that is not done. `None` if there is nothing to do.
pub fn next_step(outcome: Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::AcceptedNoEffect => {
            "Ask the user's home tenant to revoke the sessions, or block the guest account in this tenant."
        }
        Outcome::NotFound => {
            "Check the ID and the tenant. A deleted user has nothing left to revoke: --accept not_found counts \
             them as done."
        }
        Outcome::Forbidden => {
            "Check the app's permission and the operator's role: signing out an administrator takes a higher \
             role. Then resume the run."
        }
        Outcome::Rejected => {
            "Read the code and the detail of each row, correct it in remaining.csv, and run that file."
        }
        Outcome::ThrottledOut => "Resume the run later, or with a later deadline.",
        Outcome::Failed => "Resume the run. If it fails again, give the request IDs to Microsoft support.",
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
