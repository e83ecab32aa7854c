//! The members of a group.

use uuid::Uuid;

use super::named_object::{NamedObject, NamedObjectKind};
use super::reader::GraphReader;
use super::user_pager::UserPager;
use super::{Directory, DirectoryError, Permission, odata};

/// Groups, as they are looked up.
const GROUPS: NamedObjectKind = NamedObjectKind {
    noun: "group",
    path: "groups",
    select: "id,displayName,mail,visibility",
    permission: Permission::Groups,
};

/// The group with this id, or of this name; a text with an `@` may also be its mail address.
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

/// The users in a group: its own ones, or with those of all groups in it.
///
/// Graph itself goes down the groups (`transitiveMembers`, learn.microsoft.com/graph/api/group-list-transitivemembers):
/// one list instead of a request per group, and cycles are its business. It answers from an index that may lag a few
/// minutes behind a change of membership, as all queries with `ConsistencyLevel: eventual` do; who joined just now may
/// be missing.
pub(super) fn members(directory: &Directory, what: String, id: Uuid, direct: bool) -> UserPager {
    // Costs: learn.microsoft.com/graph/throttling-limits, 5 and 3 resource units, one less with $select.
    let (relationship, cost) = if direct { ("members", 2) } else { ("transitiveMembers", 4) };
    UserPager::members(directory, what, &format!("groups/{id}/{relationship}"), Permission::Groups, cost)
}
