//! Counts of the rows of a report.

use std::collections::BTreeMap;

use super::row::ReportRow;
use crate::journal::OutcomeCounts;
use crate::outcome::{AcceptedOutcomes, Outcome, OutcomeClass};

/// The totals of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    accepted: AcceptedOutcomes,
    /// The number of rows of the input.
    pub rows: u64,
    /// The number of rows that are targets.
    pub targets: u64,
    /// The number of rows by outcome. Every outcome is present, even if its count is zero.
    pub outcomes: OutcomeCounts,
    /// The number of rows that are done, including accepted outcomes.
    pub done: u64,
    /// The number of rows that are not done.
    pub not_done: u64,
    /// The number of rows that were left out on purpose.
    pub left_out: u64,
    /// The number of requests.
    pub attempts: u64,
    /// The total time that targets waited because of 429s, in milliseconds.
    pub throttled_ms: u64,
    /// The number of users by the ID of the app that got the last answer.
    pub by_app: BTreeMap<String, u64>,
}

impl Totals {
    /// Empty totals, with these accepted outcomes.
    pub fn new(accepted: &AcceptedOutcomes) -> Totals {
        Totals {
            accepted: accepted.clone(),
            rows: 0,
            targets: 0,
            outcomes: Outcome::ALL.into_iter().map(|outcome| (outcome, 0)).collect(),
            done: 0,
            not_done: 0,
            left_out: 0,
            attempts: 0,
            throttled_ms: 0,
            by_app: BTreeMap::new(),
        }
    }

    /// Adds a row, and returns its class.
    pub fn add(&mut self, row: &ReportRow<'_>) -> OutcomeClass {
        let class = self.accepted.standing(row.outcome);
        self.rows += 1;
        self.targets += u64::from(row.outcome < Outcome::Protected);
        *self.outcomes.entry(row.outcome).or_default() += 1;
        match class {
            OutcomeClass::Done => self.done += 1,
            OutcomeClass::NotDone => self.not_done += 1,
            OutcomeClass::LeftOut => self.left_out += 1,
        }
        self.attempts += u64::from(row.attempts);
        self.throttled_ms = self.throttled_ms.saturating_add(row.throttled_ms);
        if let Some(app) = row.app_id {
            match self.by_app.get_mut(app) {
                Some(users) => *users += 1,
                None => drop(self.by_app.insert(app.to_owned(), 1)),
            }
        }
        class
    }
}
