//! The parsed options of a plan: which users are selected, left out, or go first.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::{GuardError, PROTECT_LIST, guard};
use crate::directory::Selector;
use crate::journal::ListRecord;
use crate::user_id::UserId;

/// The options of a plan, in addition to the rows of files.
#[derive(Clone, Debug, Default)]
pub struct PlanOptions {
    /// Selections whose users are added to the rows.
    pub selectors: Vec<Selector>,
    /// Users who are never revoked; fails closed.
    pub protect: Vec<ListEntry>,
    /// Users who are never revoked, even if `unprotect` names them.
    pub protect_always: Vec<ListEntry>,
    /// Whether `unprotect` may name a user who is not protected (any more).
    pub allow_unused_unprotect: bool,
    /// Whether each user is looked up even if there is nothing to compare them with.
    pub always_look_up: bool,
    /// Users who are revoked even if they are protected, by their exact IDs.
    pub unprotect: Vec<UserId>,
    /// Users who are left out.
    pub exclude: Vec<ListEntry>,
    /// Whether the signed-in operator is revoked too, after all others.
    pub include_self: bool,
    /// The account types that stay in.
    pub account_filter: AccountFilter,
    /// Users who go first, in the order of the entries.
    pub first: Vec<ListEntry>,
    /// Whether holders of directory roles go before others.
    pub admins_first: bool,
    /// Whether text that is not an ID is looked up as a mail address, alias, on-premises name or employee ID.
    pub resolve_names: bool,
    /// Whether a selection may find no users.
    pub allow_empty: bool,
    /// The maximum share of the tenant's users for which no number must be confirmed.
    pub max_share: Option<MaxShare>,
}

impl PlanOptions {
    /// Whether a plan can't be made without reading the directory.
    pub fn needs_directory(&self) -> bool {
        let of_directory = |listed: &ListEntry| matches!(listed, ListEntry::Selector(_));
        !self.selectors.is_empty()
            || self.protect.iter().chain(&self.exclude).chain(&self.first).any(of_directory)
            || self.admins_first
            || self.resolve_names
            || self.max_share.is_some()
            || self.account_filter != AccountFilter::default()
    }

    /// Whether there is something to look up in addition to the rows.
    pub(super) fn needs_lookups(&self) -> bool {
        let lists = [&self.protect, &self.exclude, &self.first];
        self.needs_directory() || !self.unprotect.is_empty() || lists.iter().any(|list| !list.is_empty())
    }

    /// Whether a list or filter leaves users out, or changes their order.
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

    /// Whether a selection, a list or an account filter depends on who the users are, so that a failed
    /// look-up ends the plan. `--admins-first` does not count, because roles only inform.
    pub(super) fn depends_on_users(&self) -> bool {
        let lists = [&self.protect, &self.protect_always, &self.exclude, &self.first];
        self.needs_users()
            || !self.selectors.is_empty()
            || !self.unprotect.is_empty()
            || lists.iter().any(|list| !list.is_empty())
    }
}

/// The account types that stay in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// Only guests (`Some(true)`), or only members (`Some(false)`).
    pub guests: Option<bool>,
    /// Only enabled accounts.
    pub enabled: bool,
}

/// An entry of a list of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListEntry {
    /// One user.
    Id(UserId),
    /// The users in a file.
    File(PathBuf),
    /// The users of a group or role in the directory: `group:…` or `role:…`.
    Selector(Selector),
}

impl ListEntry {
    /// Parses `group:ID`, `role:ID`, a user ID, or the path of a file. `eligible` applies to roles.
    pub fn parse(text: &str, eligible: bool) -> ListEntry {
        let text = text.trim();
        let after_prefix = |prefix: &str| {
            let (head, name) = text.split_once(':')?;
            head.eq_ignore_ascii_case(prefix).then(|| name.trim().to_owned())
        };
        if let Some(name) = after_prefix("group") {
            return ListEntry::Selector(Selector::Group { name, direct: false });
        }
        if let Some(name) = after_prefix("role") {
            return ListEntry::Selector(Selector::Role { name, eligible });
        }
        match UserId::parse_lenient(text) {
            Ok(user) if user.check().is_ok() => ListEntry::Id(user),
            _ => ListEntry::File(PathBuf::from(text)),
        }
    }
}

impl ListEntry {
    /// Checks that the entry can be read, as far as possible without the directory.
    ///
    /// # Errors
    /// When a file can't be read in full. `list` is the name for the error, such as "protect list".
    pub fn check_readable(&self, list: &'static str) -> Result<(), GuardError> {
        guard::read_members(list, self).map(drop)
    }

    /// Counts the entries of a file, without the directory; `None` if the entry is not a file.
    ///
    /// # Errors
    /// When the file can't be read in full.
    pub fn count_entries(&self, list: &'static str) -> Result<Option<ListRecord>, GuardError> {
        let ListEntry::File(path) = self else { return Ok(None) };
        let (_, counts) = guard::read_members(list, self)?;
        Ok(Some(ListRecord {
            list: if list == PROTECT_LIST { "protect" } else { "exclude" }.to_owned(),
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
            ListEntry::Selector(selector) => selector.fmt(f),
        }
    }
}

/// A share of a tenant's users, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxShare(f64);

impl MaxShare {
    /// Whether `part` is more than this share of `total`.
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
