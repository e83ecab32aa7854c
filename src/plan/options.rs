//! What was asked for, parsed: whom to choose, whom to leave out, who goes first.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{GuardError, PROTECTED, guard};
use crate::directory::Selector;
use crate::journal::ListRecord;
use crate::user_id::UserId;

/// What a plan is made by, beside the rows of files.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Whom the directory names; added to the rows.
    pub selectors: Vec<Selector>,
    /// Never sent; fail-closed.
    pub protect: Vec<ListEntry>,
    /// Never sent, whatever `unprotect` says.
    pub protect_always: Vec<ListEntry>,
    /// Whether `unprotect` may name somebody whom nothing protects (any more).
    pub allow_unused_unprotect: bool,
    /// Whether each user is looked up although there is nobody to compare with.
    pub always_look_up: bool,
    /// Sent although they are protected: the very ids.
    pub unprotect: Vec<UserId>,
    /// Left out.
    pub exclude: Vec<ListEntry>,
    /// Whether the signed-in operator is sent, too, last of all.
    pub include_self: bool,
    /// Which kinds of accounts stay.
    pub account_filter: AccountFilter,
    /// Who goes first; who is named earlier goes earlier.
    pub first: Vec<ListEntry>,
    /// Whether holders of directory roles go before others.
    pub admins_first: bool,
    /// Whether what no id names is looked for by mail address, alias, on-premises name and employee id.
    pub resolve_names: bool,
    /// Whether a selection may find nobody.
    pub allow_empty: bool,
    /// The most users, as a share of the tenant's, for which no number must be confirmed.
    pub max_share: Option<MaxShare>,
}

impl PlanOptions {
    /// Whether a plan can't be made without reading the directory.
    pub fn needs_directory(&self) -> bool {
        let of_directory = |listed: &ListEntry| matches!(listed, ListEntry::Selected(_));
        !self.selectors.is_empty()
            || self.protect.iter().chain(&self.exclude).chain(&self.first).any(of_directory)
            || self.admins_first
            || self.resolve_names
            || self.max_share.is_some()
            || self.account_filter != AccountFilter::default()
    }

    /// Whether there is anybody to look up beside the rows.
    pub(super) fn names_anyone(&self) -> bool {
        let lists = [&self.protect, &self.exclude, &self.first];
        self.needs_directory() || !self.unprotect.is_empty() || lists.iter().any(|list| !list.is_empty())
    }

    /// Whether somebody is to be left out, or to go first, by a list.
    pub fn has_lists(&self) -> bool {
        let lists = [&self.protect, &self.protect_always, &self.exclude, &self.first];
        lists.iter().any(|list| !list.is_empty())
            || self.account_filter != AccountFilter::default()
            || self.admins_first
            || self.resolve_names
    }

    /// Whether a plan can't be made without looking up each user.
    pub(super) fn needs_users(&self) -> bool {
        self.resolve_names || self.account_filter != AccountFilter::default()
    }

    /// Whether something depends on who the users are, so that a look-up that fails ends the plan: a selection, a list, a
    /// kind of accounts. Who goes first because of a role is none of that: who holds roles only informs.
    pub(super) fn depends_on_users(&self) -> bool {
        let lists = [&self.protect, &self.protect_always, &self.exclude, &self.first];
        self.needs_users()
            || !self.selectors.is_empty()
            || !self.unprotect.is_empty()
            || lists.iter().any(|list| !list.is_empty())
    }
}

/// Which kinds of accounts stay in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Guests alone (`Some(true)`), or members alone (`Some(false)`).
    pub guests: Option<bool>,
    /// Enabled accounts alone.
    pub enabled: bool,
}

/// An entry of a list of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListEntry {
    /// One user.
    Id(UserId),
    /// The users in a file.
    File(PathBuf),
    /// Those whom the directory names: `group:…` or `role:…`.
    Selected(Selector),
}

impl ListEntry {
    /// Reads `group:ID`, `role:ID`, an id, or a file's path. `eligible` holds for roles.
    pub fn parse(text: &str, eligible: bool) -> ListEntry {
        let text = text.trim();
        let after_prefix = |prefix: &str| {
            let (head, name) = text.split_once(':')?;
            head.eq_ignore_ascii_case(prefix).then(|| name.trim().to_owned())
        };
        if let Some(name) = after_prefix("group") {
            return ListEntry::Selected(Selector::Group { name, direct: false });
        }
        if let Some(name) = after_prefix("role") {
            return ListEntry::Selected(Selector::Role { name, eligible });
        }
        match UserId::read(text) {
            Ok(user) if user.check().is_ok() => ListEntry::Id(user),
            _ => ListEntry::File(PathBuf::from(text)),
        }
    }
}

impl ListEntry {
    /// Whether it can be read, as far as that shows without the directory.
    ///
    /// # Errors
    /// When a file can't be read in full. `list` is what to call it, such as "protect list".
    pub fn check_readable(&self, list: &'static str) -> Result<(), GuardError> {
        guard::read_members(list, self).map(drop)
    }

    /// What a file holds, as far as that shows without the directory; none for what is no file.
    ///
    /// # Errors
    /// When it can't be read in full.
    pub fn count_entries(&self, list: &'static str) -> Result<Option<ListRecord>, GuardError> {
        let ListEntry::File(path) = self else { return Ok(None) };
        let (_, counts) = guard::read_members(list, self)?;
        Ok(Some(ListRecord {
            list: if list == PROTECTED { "protect" } else { "exclude" }.to_owned(),
            name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            entries: counts.accounts + counts.groups + counts.roles,
            accounts: counts.accounts,
            groups: counts.groups,
            roles: counts.roles,
            in_plan: 0,
            comments: counts.comments,
        }))
    }
}

impl fmt::Display for ListEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListEntry::Id(user) => user.fmt(f),
            ListEntry::File(path) => path.display().fmt(f),
            ListEntry::Selected(selector) => selector.fmt(f),
        }
    }
}

/// A share of a tenant's users, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxShare(f64);

impl MaxShare {
    /// Whether `part` of `whole` is more than this.
    pub fn is_exceeded(self, part: u64, total: u64) -> bool {
        part as f64 > total as f64 * self.0 / 100.0
    }
}

impl FromStr for MaxShare {
    type Err = String;

    fn from_str(text: &str) -> Result<MaxShare, String> {
        let number =
            text.trim().strip_suffix('%').map(str::trim).and_then(|number| number.parse::<f64>().ok());
        match number {
            Some(number) if number > 0.0 && number <= 100.0 => Ok(MaxShare(number)),
            _ => Err("write a percentage, such as 10%".to_owned()),
        }
    }
}

impl fmt::Display for MaxShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}
