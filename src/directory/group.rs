//! The members of a group.

use uuid::Uuid;

use super::named_object::{NamedObject, NamedObjectKind};
use super::reader::GraphReader;
use super::user_pager::UserPager;
use super::{Directory, DirectoryError, Permission, odata};

/// How groups are looked up.
const GROUPS: NamedObjectKind = NamedObjectKind {
    noun: "group",
    path: "groups",
    select: "id,displayName,mail,visibility",
    permission: Permission::Groups,
};

/// Finds the group with this ID or this name. A text with an `@` may also be the group's mail address.
pub(super) async fn find(reader: &GraphReader, text: &str) -> Result<NamedObject, DirectoryError> {
    let text = text.trim();
    if let Ok(id) = Uuid::try_parse(text) {
        return GROUPS.find_by_id(reader, id).await;
    }
    let literal = odata::quote(text);
    let mut filter = format!("displayName eq {literal}");
    if text.contains('@') {
        filter.push_str(&format!(" or mail eq {literal}"));
    }
    GROUPS.find_by_filter(reader, text, &filter, &["displayName", "mail"]).await
}

/// The users in a group: only its direct members, or also those of all nested groups.
///
/// Graph itself expands nested groups (`transitiveMembers`,
/// learn.microsoft.com/graph/api/group-list-transitivemembers): that takes one list instead of one request per group,
/// and Graph handles cycles. As all queries with `ConsistencyLevel: eventual`, it answers from an index that may lag a
/// few minutes behind, so a user who joined just now may be missing.
pub(super) fn members(directory: &Directory, what: String, id: Uuid, direct: bool) -> UserPager {
    // Costs: 5 and 3 resource units, one less with $select (learn.microsoft.com/graph/throttling-limits).
    let (relationship, cost) = if direct { ("members", 2) } else { ("transitiveMembers", 4) };
    UserPager::members(directory, what, &format!("groups/{id}/{relationship}"), Permission::Groups, cost)
}
