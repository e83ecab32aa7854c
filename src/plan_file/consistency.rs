//! What a plan file says beside its rows, as far as one part of it tells another.

use std::collections::BTreeSet;

use super::PlanFileHead;
use crate::dispatch::Rate;
use crate::plan::{CountDifference, ListEntry};

impl PlanFileHead {
    /// Whether the parts that say the same thing in two ways agree.
    ///
    /// # Errors
    /// With the first that does not.
    pub(super) fn check_consistency(&self) -> Result<(), CountDifference> {
        self.check_lists()?;
        self.check_expected_time()
    }

    /// The lists that are counted are those that protect: a list that is counted and not read again by `apply` would
    /// protect nobody.
    fn check_lists(&self) -> Result<(), CountDifference> {
        let expected: BTreeSet<String> =
            self.protect.iter().map(|text| list_name(&ListEntry::parse(text, self.eligible))).collect();
        let protect = self.facts.lists.iter().filter(|list| list.list == "protect");
        let found: BTreeSet<String> = protect.map(|list| list.name.clone()).collect();
        let other = self.facts.lists.iter().find(|list| list.list != "protect" && list.list != "exclude");
        if let Some(other) = other {
            return Err(CountDifference::new("facts.lists", "protect or exclude", &other.list));
        }
        match expected == found {
            true => Ok(()),
            false => Err(CountDifference::new("facts.lists", format!("{expected:?} as protect says"), found)),
        }
    }

    /// The time follows from the number of users, where no profile may have set another pace.
    fn check_expected_time(&self) -> Result<(), CountDifference> {
        if self.profile.is_some() || self.version != env!("CARGO_PKG_VERSION") {
            return Ok(());
        }
        let pace = Rate::default().pace(None, 1.0);
        let expected = pace.estimate_time(u64::from(self.counts.targets)).span().map(|span| span.as_secs());
        match expected == self.expected_seconds {
            true => Ok(()),
            false => {
                Err(CountDifference::new("expected_seconds", format!("{expected:?}"), self.expected_seconds))
            }
        }
    }
}

/// What a list is called where it is counted.
fn list_name(listed: &ListEntry) -> String {
    match listed {
        ListEntry::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        ListEntry::Id(_) | ListEntry::Selected(_) => "--protect".to_owned(),
    }
}
