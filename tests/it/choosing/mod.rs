//! Which users are revoked: files, selections, lists and the directory together, with the binary, counted in the
//! simulator's ledger.

mod bombs;
mod cases;
mod columns;
mod formats;
mod lists;
mod property;
mod refused;
mod rows;
mod sheets;
mod workbook;

use std::collections::BTreeSet;

use crate::ctx::TestContext;

/// The permissions of a run that resolves all users.
pub(crate) const READS: &str = r#"[token]
roles = ["User.RevokeSessions.All", "User.Read.All", "GroupMember.Read.All", "RoleManagement.Read.Directory",
    "Application.Read.All"]
"#;

/// The object id of a made-up user.
pub(crate) fn object(n: u8) -> String {
    format!("7b9f3c1e-0000-4000-8000-0000000000{n:02x}")
}

/// The user principal name of one.
pub(crate) fn upn(n: u8) -> String {
    format!("user{n}@contoso.example")
}

/// A directory of `count` users; every third is a guest by type.
pub(crate) fn directory(users: u8) -> String {
    let mut toml = format!("{READS}[directory]\ndomain = \"contoso.example\"\n");
    for n in 0..users {
        let kind = if n % 3 == 0 { "Guest" } else { "Member" };
        toml.push_str(&format!(
            "[[directory.user]]\nupn = {:?}\nid = {:?}\nname = \"User {n}\"\ntype = {kind:?}\n",
            upn(n),
            object(n)
        ));
    }
    toml
}

/// A group with these members, which may be other groups.
pub(crate) fn group(name: &str, members: &[String]) -> String {
    format!("[[directory.group]]\nname = {name:?}\nmembers = {members:?}\n")
}

/// All users for whom a POST was sent, by principal name.
pub(crate) fn sent(ctx: &TestContext) -> BTreeSet<String> {
    ctx.ledger().users.into_iter().filter(|user| user.requests > 0).map(|user| user.id).collect()
}

/// These users' names.
pub(crate) fn names(numbers: impl IntoIterator<Item = u8>) -> BTreeSet<String> {
    numbers.into_iter().map(upn).collect()
}
