//! `--halt`: when a run stops because of failures.

use std::fmt;
use std::str::FromStr;

use crate::event::StopReason;
use crate::outcome::{AcceptedOutcomes, Outcome, OutcomeClass};

/// A percentage counts from this many settled users on, so that a few early failures do not stop a run.
const MIN_SETTLED: u64 = 20;

/// `--halt fail=N` or `--halt fail=N%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HaltRule {
    /// This many users are not done.
    Count(u64),
    /// This percentage of the settled users is not done.
    Percent(f64),
}

/// The text is not a valid halt rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid halt rule '{0}' (examples: fail=10, fail=10%)")]
pub struct InvalidHalt(String);

impl FromStr for HaltRule {
    type Err = InvalidHalt;

    fn from_str(text: &str) -> Result<Self, InvalidHalt> {
        let invalid = || InvalidHalt(text.to_owned());
        // GNU parallel writes `soon,fail=…` for this behavior.
        let rule = text.trim().strip_prefix("soon,").unwrap_or(text.trim());
        let number = rule.strip_prefix("fail=").ok_or_else(invalid)?;
        match number.strip_suffix('%') {
            Some(percent) => match percent.parse::<f64>() {
                Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(HaltRule::Percent(percent)),
                _ => Err(invalid()),
            },
            None => match number.parse() {
                Ok(count) if count > 0 => Ok(HaltRule::Count(count)),
                _ => Err(invalid()),
            },
        }
    }
}

impl fmt::Display for HaltRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HaltRule::Count(count) => write!(f, "fail={count}"),
            HaltRule::Percent(percent) => write!(f, "fail={percent}%"),
        }
    }
}

/// Counts outcomes as they settle.
#[derive(Debug)]
pub(super) struct FailureThreshold {
    rule: Option<HaltRule>,
    accepted: AcceptedOutcomes,
    planned: u64,
    settled: u64,
    failed: u64,
}

impl FailureThreshold {
    pub(super) fn new(rule: Option<HaltRule>, accepted: AcceptedOutcomes, planned: u64) -> FailureThreshold {
        FailureThreshold { rule, accepted, planned, settled: 0, failed: 0 }
    }

    /// Counts an outcome. Returns why the run must stop, if it must.
    pub(super) fn settled(&mut self, outcome: Outcome) -> Option<StopReason> {
        self.settled += 1;
        if self.accepted.standing(outcome) == OutcomeClass::NotDone {
            self.failed += 1;
        }
        self.rule.filter(|rule| self.trips(*rule)).map(|rule| StopReason::Halt {
            detail: format!("{} of {} users so far are not done (--halt {rule})", self.failed, self.settled),
        })
    }

    fn trips(&self, rule: HaltRule) -> bool {
        match rule {
            HaltRule::Count(count) => self.failed >= count,
            HaltRule::Percent(percent) => {
                let share = |of: u64| self.failed as f64 * 100.0 >= percent * of as f64;
                self.failed > 0
                    && ((self.settled >= MIN_SETTLED && share(self.settled)) || share(self.planned))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(rule: &str, planned: u64) -> FailureThreshold {
        let accepted = [Outcome::NotFound].into_iter().collect();
        FailureThreshold::new(Some(rule.parse().unwrap()), accepted, planned)
    }

    /// The number of outcomes after which the run stops.
    fn stops_after(
        mut watch: FailureThreshold,
        outcomes: impl Iterator<Item = Outcome>,
    ) -> Option<(usize, StopReason)> {
        outcomes.enumerate().find_map(|(at, outcome)| watch.settled(outcome).map(|stop| (at + 1, stop)))
    }

    #[test]
    fn counts_and_shares() {
        let mixed = || (0..100).map(|n| if n % 4 == 3 { Outcome::Failed } else { Outcome::Revoked });
        assert_eq!(stops_after(watch("fail=3", 100), mixed()).unwrap().0, 12);
        assert_eq!(stops_after(watch("soon,fail=25%", 100), mixed()).unwrap().0, 20);
        assert_eq!(stops_after(watch("fail=26%", 100), mixed()), None);
        let all_fail = std::iter::repeat(Outcome::Failed);
        assert_eq!(stops_after(watch("fail=50%", 10), all_fail).unwrap().0, 5);
    }

    #[test]
    fn accepted_words_are_no_failures() {
        let gone = std::iter::repeat_n(Outcome::NotFound, 100);
        assert_eq!(stops_after(watch("fail=1", 100), gone), None);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for wrong in ["", "fail", "fail=0", "fail=0%", "fail=101%", "fail=-1", "success=1", "10%"] {
            assert!(wrong.parse::<HaltRule>().is_err(), "{wrong}");
        }
        assert_eq!("fail=2.5%".parse::<HaltRule>().unwrap().to_string(), "fail=2.5%");
    }
}
