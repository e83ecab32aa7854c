//! The users of a selector, page by page.

use super::named_object::NamedObject;
use super::reader::ReadRequest;
use super::reporting_tree::ReportingTree;
use super::risky_users::RiskyUsers;
use super::role_members::RoleMembers;
use super::user_pager::UserPager;
use super::{
    Directory, DirectoryError, DirectoryUser, Permission, Selector, administrative_unit, group, odata, role,
};

/// This many users may be missing from Graph's count, even if that is more than a tenth.
const TOLERATED_MISSING: u64 = 1;

/// The users of a selector.
#[derive(Debug)]
pub struct UserSelection {
    name: String,
    source: SelectionSource,
    /// Whether there was any user so far.
    has_members: bool,
    /// Whether reading the members needs a permission of its own.
    hidden_membership: bool,
}

/// The source of the users.
#[derive(Debug)]
enum SelectionSource {
    Users(UserPager),
    RoleMembers(RoleMembers),
    Risky(RiskyUsers),
    Reports(ReportingTree),
}

impl Directory {
    /// Starts to read the users of a selector. A group, role or unit is looked up first.
    ///
    /// # Errors
    /// When it does not exist, its name is ambiguous, or a permission is missing.
    pub async fn select_users(&self, selector: &Selector) -> Result<UserSelection, DirectoryError> {
        let reader = &self.reader;
        let plain = |source: SelectionSource| UserSelection::new(selector.to_string(), source);
        Ok(match selector {
            Selector::Group { name, direct } => {
                let found = group::find(reader, name).await?;
                let selector = Selector::Group { name: found.name_with_id(), direct: *direct };
                let members = group::members(self, selector.to_string(), found.id, *direct);
                UserSelection::from_named(&found, &selector, SelectionSource::Users(members))
            }
            Selector::Role { name, eligible } => {
                let found = role::find(reader, name).await?;
                let selector = Selector::Role { name: found.name_with_id(), eligible: *eligible };
                let holders = RoleMembers::new(self, &selector.to_string(), found.id, *eligible);
                UserSelection::from_named(&found, &selector, SelectionSource::RoleMembers(holders))
            }
            Selector::Unit(name) => {
                let found = administrative_unit::find(reader, name).await?;
                let selector = Selector::Unit(found.name_with_id());
                let members = administrative_unit::members(self, selector.to_string(), found.id);
                UserSelection::from_named(&found, &selector, SelectionSource::Users(members))
            }
            Selector::Risky(levels) => {
                plain(SelectionSource::Risky(RiskyUsers::new(reader, &selector.to_string(), levels)))
            }
            Selector::Filter(filter) => plain(SelectionSource::Users(users(self, selector, Some(filter)))),
            Selector::ReportsOf(user) => {
                plain(SelectionSource::Reports(ReportingTree::load(self, user).await?))
            }
            Selector::AllUsers => plain(SelectionSource::Users(users(self, selector, None))),
        })
    }
}

/// The users of the tenant that match a filter, or all users. `$count` and `ConsistencyLevel` are always sent: some
/// filters need both (learn.microsoft.com/graph/aad-advanced-queries), and they change nothing for the others.
fn users(directory: &Directory, selector: &Selector, filter: Option<&str>) -> UserPager {
    let filter = filter.map_or_else(String::new, |text| format!("$filter={}&", odata::encode(text.trim())));
    let url = format!("users?{filter}$count=true&$select={}&$top=999", directory.users.select());
    let what = crate::text::sanitize::sanitize_truncated(&selector.to_string(), 300);
    UserPager::users_only(
        &directory.reader,
        ReadRequest { what, url, eventual: true, permission: Permission::Users, cost: 1 },
    )
}

impl UserSelection {
    fn new(name: String, source: SelectionSource) -> UserSelection {
        let name = crate::text::sanitize::sanitize_line(&name).into_owned();
        UserSelection { name, source, has_members: false, hidden_membership: false }
    }

    fn from_named(found: &NamedObject, selector: &Selector, source: SelectionSource) -> UserSelection {
        UserSelection { hidden_membership: found.hidden, ..UserSelection::new(selector.to_string(), source) }
    }

    /// What was found, in words, with name and ID: `group Finance (0785ef7c-…)`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many users Graph counted with the first page. `None` before that, and if Graph does not count them: for
    /// roles, users at risk and reports.
    pub fn expected(&self) -> Option<u64> {
        match &self.source {
            SelectionSource::Users(users) => users.expected_count(),
            SelectionSource::RoleMembers(_) | SelectionSource::Risky(_) | SelectionSource::Reports(_) => None,
        }
    }

    /// How many users are still missing from Graph's count. After the last page it is usually 0; otherwise a user left
    /// meanwhile, or Graph's index lags.
    pub fn missing(&self) -> u64 {
        match &self.source {
            SelectionSource::Users(users) => users.missing_count(),
            SelectionSource::RoleMembers(_) | SelectionSource::Risky(_) | SelectionSource::Reports(_) => 0,
        }
    }

    /// The next users. A user may come again on a later page, and a page may be empty. `None` after the last page.
    ///
    /// # Errors
    /// When a page can't be read. Then the earlier pages must not be used either, because users are missing.
    pub async fn next_page(&mut self) -> Result<Option<Vec<DirectoryUser>>, DirectoryError> {
        let page = match &mut self.source {
            SelectionSource::Users(users) => users.next().await,
            SelectionSource::RoleMembers(holders) => holders.next().await,
            SelectionSource::Risky(risky) => risky.next().await,
            SelectionSource::Reports(reports) => reports.next().await,
        }?;
        match &page {
            Some(people) => self.has_members |= !people.is_empty(),
            None => self.check_complete()?,
        }
        Ok(page)
    }

    /// Checks after the last page whether the list is complete.
    fn check_complete(&self) -> Result<(), DirectoryError> {
        // Without this permission, Graph does not return hidden members, and does not say so
        // (learn.microsoft.com/graph/permissions-reference, Member.Read.Hidden).
        if self.hidden_membership && !self.has_members {
            return Err(DirectoryError::Forbidden {
                what: self.name.clone(),
                permission: Permission::HiddenMembers,
                detail: "its membership is hidden, and Graph returned no members".to_owned(),
            });
        }
        let (expected, missing) = (self.expected().unwrap_or_default(), self.missing());
        let came = expected.saturating_sub(missing);
        if missing > 0 {
            tracing::warn!("{}: Graph counted {expected} users but returned {came}", self.name);
        }
        // Users who leave meanwhile and a lagging index explain a few missing users, but a list that breaks off loses
        // many.
        if missing > TOLERATED_MISSING.max(expected / 10) {
            return Err(DirectoryError::Untrusted {
                what: self.name.clone(),
                reason: format!("Graph counted {expected} users but returned {came}: the list is incomplete"),
            });
        }
        Ok(())
    }
}
