//! Counts over the rows of a report.

use std::collections::BTreeMap;

use super::row::ReportRow;
use crate::journal::OutcomeCounts;
use crate::outcome::{Accepted, Outcome, OutcomeClass};

/// What the rows add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    accepted: Accepted,
    /// Rows of the input.
    pub rows: u64,
    /// Rows that are targets.
    pub targets: u64,
    /// Rows by word; every word is there, also with zero.
    pub outcomes: OutcomeCounts,
    /// Rows that are done, the accepted words among them.
    pub done: u64,
    /// Rows that are not done.
    pub not_done: u64,
    /// Rows that were left out on purpose.
    pub left_out: u64,
    /// Requests sent.
    pub attempts: u64,
    /// Time that targets waited because of 429s, added up, in milliseconds.
    pub throttled_ms: u64,
    /// Users for whom an app was answered last, by its id, in the order of ids.
    pub by_app: BTreeMap<String, u64>,
}

impl Totals {
    /// Nothing yet, under these accepted words.
    pub fn new(accepted: &Accepted) -> Totals {
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

    /// Takes a row in, and says what it counts as.
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
