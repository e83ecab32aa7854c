//! Checks that the parts of a plan file other than its rows agree with one another.

use std::collections::BTreeSet;

use super::PlanFileHead;
use crate::dispatch::Rate;
use crate::plan::{FieldMismatch, ListEntry};

impl PlanFileHead {
    /// Checks that values that occur in two forms agree.
    ///
    /// # Errors
    /// With the first difference.
    pub(super) fn check_consistency(&self) -> Result<(), FieldMismatch> {
        self.check_lists()?;
        self.check_expected_time()
    }

    /// The protect lists that are counted must be those in `protect`. `apply` reads only those again, so any
    /// other list would protect no one.
    fn check_lists(&self) -> Result<(), FieldMismatch> {
        let expected: BTreeSet<String> =
            self.protect.iter().map(|text| list_name(&ListEntry::parse(text, self.eligible))).collect();
        let protect = self.facts.lists.iter().filter(|list| list.list == "protect");
        let found: BTreeSet<String> = protect.map(|list| list.name.clone()).collect();
        let other = self.facts.lists.iter().find(|list| list.list != "protect" && list.list != "exclude");
        if let Some(other) = other {
            return Err(FieldMismatch::new("facts.lists", "protect or exclude", &other.list));
        }
        match expected == found {
            true => Ok(()),
            false => Err(FieldMismatch::new("facts.lists", format!("{expected:?} as in protect"), found)),
        }
    }

    /// The expected time must follow from the number of users. With a profile, the pace may be different.
    fn check_expected_time(&self) -> Result<(), FieldMismatch> {
        if self.profile.is_some() || self.version != env!("CARGO_PKG_VERSION") {
            return Ok(());
        }
        let pace = Rate::default().pace(None, 1.0);
        let expected = pace.estimate_time(u64::from(self.counts.targets)).span().map(|span| span.as_secs());
        match expected == self.expected_seconds {
            true => Ok(()),
            false => {
                Err(FieldMismatch::new("expected_seconds", format!("{expected:?}"), self.expected_seconds))
            }
        }
    }
}

/// The name under which a list is counted.
fn list_name(listed: &ListEntry) -> String {
    match listed {
        ListEntry::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        ListEntry::Id(_) | ListEntry::Selector(_) => "--protect".to_owned(),
    }
}
