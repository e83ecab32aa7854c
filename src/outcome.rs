//! The outcome of one row: one word, and what the word means for the exit code.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The outcome of one target (or, from [`Outcome::Protected`] on, the reason why a row did not become one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Graph itself answered 2xx: the sessions are revoked.
    Revoked,
    /// Graph answered 2xx, but the user is external: their home tenant holds the sessions, and nothing was revoked.
    AcceptedNoEffect,
    /// 404 `Request_ResourceNotFound`: no such user.
    NotFound,
    /// 403: the app or its operator may not revoke this user.
    Forbidden,
    /// Another 4xx, which a retry can't fix.
    Rejected,
    /// Still throttled (429) when the run had to end.
    ThrottledOut,
    /// 5xx or a network error, and no retries were left: the request was not, or may not have been, carried out.
    Failed,
    /// The request was sent, but the answer is not known: a timeout on the last try, or a crash.
    InDoubt,
    /// The run ended before this target's turn.
    NotAttempted,
    /// On the protect list: never revoked.
    Protected,
    /// Left out by a filter: never revoked.
    Excluded,
    /// The same user is on an earlier line.
    Duplicate,
    /// The row does not have a valid user ID.
    Invalid,
}

/// What an outcome counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeClass {
    /// The job is done for this user.
    Done,
    /// It is not done; `--accept` may count the word as done.
    NotDone,
    /// Left out on purpose.
    LeftOut,
}

impl Outcome {
    /// All words, in the order in which tables show them.
    pub const ALL: [Outcome; 13] = [
        Outcome::Revoked,
        Outcome::AcceptedNoEffect,
        Outcome::NotFound,
        Outcome::Forbidden,
        Outcome::Rejected,
        Outcome::ThrottledOut,
        Outcome::Failed,
        Outcome::InDoubt,
        Outcome::NotAttempted,
        Outcome::Protected,
        Outcome::Excluded,
        Outcome::Duplicate,
        Outcome::Invalid,
    ];

    /// The word for reports and flags.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Revoked => "revoked",
            Outcome::AcceptedNoEffect => "accepted_no_effect",
            Outcome::NotFound => "not_found",
            Outcome::Forbidden => "forbidden",
            Outcome::Rejected => "rejected",
            Outcome::ThrottledOut => "throttled_out",
            Outcome::Failed => "failed",
            Outcome::InDoubt => "in_doubt",
            Outcome::NotAttempted => "not_attempted",
            Outcome::Protected => "protected",
            Outcome::Excluded => "excluded",
            Outcome::Duplicate => "duplicate",
            Outcome::Invalid => "invalid",
        }
    }

    /// What the outcome counts as without `--accept`.
    pub fn class(self) -> OutcomeClass {
        match self {
            Outcome::Revoked => OutcomeClass::Done,
            Outcome::Protected | Outcome::Excluded | Outcome::Duplicate => OutcomeClass::LeftOut,
            _ => OutcomeClass::NotDone,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that is not an outcome.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid outcome '{0}' (possible values: {list})", list = Outcome::ALL.map(Outcome::word).join(", "))]
pub struct UnknownOutcome(String);

impl FromStr for Outcome {
    type Err = UnknownOutcome;

    fn from_str(word: &str) -> Result<Self, UnknownOutcome> {
        let same = |outcome: &Outcome| outcome.word() == word.trim().to_ascii_lowercase().replace('-', "_");
        Outcome::ALL.into_iter().find(same).ok_or_else(|| UnknownOutcome(word.to_owned()))
    }
}

/// The outcomes that count as done in addition to `revoked` (`--accept`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AcceptedOutcomes(BTreeSet<Outcome>);

impl AcceptedOutcomes {
    /// What `outcome` counts as, if the accepted outcomes count as done.
    pub fn standing(&self, outcome: Outcome) -> OutcomeClass {
        match outcome.class() {
            OutcomeClass::NotDone if self.0.contains(&outcome) => OutcomeClass::Done,
            standing => standing,
        }
    }

    /// Whether nothing is left to do for a row with this outcome.
    pub fn is_done(&self, outcome: Outcome) -> bool {
        self.standing(outcome) != OutcomeClass::NotDone
    }

    /// The accepted outcomes.
    pub fn outcomes(&self) -> impl Iterator<Item = Outcome> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Outcome> for AcceptedOutcomes {
    fn from_iter<I: IntoIterator<Item = Outcome>>(words: I) -> Self {
        AcceptedOutcomes(words.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_there_and_back() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.word().parse(), Ok(outcome));
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("\"{outcome}\""));
        }
        assert!("done".parse::<Outcome>().unwrap_err().to_string().contains("throttled_out"));
    }

    #[test]
    fn accepting_turns_not_done_into_done_and_nothing_else() {
        let accepted: AcceptedOutcomes = [Outcome::NotFound, Outcome::Duplicate].into_iter().collect();
        assert_eq!(accepted.standing(Outcome::NotFound), OutcomeClass::Done);
        assert_eq!(accepted.standing(Outcome::Duplicate), OutcomeClass::LeftOut);
        assert_eq!(accepted.standing(Outcome::Forbidden), OutcomeClass::NotDone);
        assert!(!accepted.is_done(Outcome::Invalid));
    }
}
