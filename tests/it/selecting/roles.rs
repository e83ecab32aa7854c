//! Holders of roles, and the tenant's administrators.

use entra_revoke::directory::{DirectoryError, GLOBAL_ADMINISTRATOR, Selector};
use uuid::Uuid;

use crate::selecting::desk::{ALL, DirectoryFixture, only};

const ROLES: &str = r#"
[[directory.user]]
upn = "ada@contoso.example"
id = "5a1e0000-0000-4000-8000-0000000000ad"
[[directory.user]]
upn = "bo@contoso.example"
id = "5a1e0000-0000-4000-8000-0000000000b0"
[[directory.user]]
upn = "cy@contoso.example"
id = "5a1e0000-0000-4000-8000-0000000000c1"
[[directory.user]]
upn = "di@contoso.example"
[[directory.user]]
upn = "gone@contoso.example"
deleted = true
[[directory.group]]
name = "Admins"
role_assignable = true
members = ["bo@contoso.example", "group:Admins"]
[[directory.group]]
name = "Standby"
members = ["di@contoso.example"]
[[directory.unit]]
name = "Oslo"
[[directory.role]]
name = "Global Administrator"
active = ["ada@contoso.example", "group:Admins", "app:bot", "gone@contoso.example"]
scoped = [{ who = "cy@contoso.example", unit = "Oslo" }]
eligible = ["group:Standby", "ada@contoso.example"]
[[directory.role]]
name = "User Administrator"
active = ["group:Admins", "bo@contoso.example"]
[[directory.role]]
name = "Keeper of Keys"
template = "5a1e0000-0000-4000-8000-00000000ee01"
[[directory.role]]
name = "Keeper of Keys"
template = "5a1e0000-0000-4000-8000-00000000ee02"
active = ["cy@contoso.example"]
"#;

fn role(name: &str) -> Selector {
    Selector::Role { name: name.to_owned(), eligible: false }
}

fn id(last: u8) -> Uuid {
    Uuid::from_u128(0x5a1e_0000_0000_4000_8000_0000_0000_0000 + u128::from(last))
}

#[test]
fn holders_include_groups_and_unit_scopes() {
    let desk = DirectoryFixture::new(&format!("{ALL}{ROLES}"));
    assert_eq!(desk.names(&role("global administrator")), ["ada", "bo", "cy"]);
    assert_eq!(desk.names(&role(&GLOBAL_ADMINISTRATOR.to_string())), ["ada", "bo", "cy"]);
    let (people, _) = desk.read(&role("User Administrator")).unwrap();
    assert_eq!(people.name(), "role User Administrator (fe930be7-5e62-47db-91af-98c3a49a38b1)");
    assert_eq!((people.expected(), people.missing()), (None, 0));
}

#[test]
fn eligible_holders_are_included_on_request() {
    let desk = DirectoryFixture::new(&format!("{ALL}{ROLES}"));
    let eligible = Selector::Role { name: "Global Administrator".to_owned(), eligible: true };
    assert_eq!(desk.names(&eligible), ["ada", "bo", "cy", "di"]);
    let lacking = only(&["Directory.Read.All"]);
    let desk = DirectoryFixture::new(&format!("{lacking}{ROLES}"));
    assert_eq!(desk.names(&role("Global Administrator")), ["ada", "bo", "cy"]);
    let error = desk.refusal(&eligible).to_string();
    assert!(error.starts_with("can't read role Global Administrator ("), "{error}");
    assert!(error.contains("RoleEligibilitySchedule.Read.Directory"), "{error}");
}

#[test]
fn a_role_without_holders_is_empty() {
    assert_eq!(
        DirectoryFixture::new(&format!("{ALL}{ROLES}")).names(&role("Security Reader")),
        Vec::<String>::new()
    );
}

#[test]
fn a_role_without_a_match_or_with_several_is_refused() {
    let desk = DirectoryFixture::new(&format!("{ALL}{ROLES}"));
    for none in ["Company Administrator", "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f"] {
        let error = desk.refusal(&role(none));
        assert_eq!(error.to_string(), format!("there is no role {none} in this tenant"));
    }
    let DirectoryError::Ambiguous { candidates, .. } = desk.refusal(&role("Keeper of Keys")) else {
        panic!()
    };
    let ids = ["5a1e0000-0000-4000-8000-00000000ee01", "5a1e0000-0000-4000-8000-00000000ee02"];
    assert_eq!(candidates, ids.map(|id| format!("Keeper of Keys ({id})")));
    assert_eq!(desk.names(&role(ids[1])), ["cy"]);
}

#[test]
fn roles_and_their_groups_need_permissions() {
    let desk = DirectoryFixture::new(&format!("{}{ROLES}", only(&["User.Read.All"])));
    let error = desk.refusal(&role("Global Administrator"));
    assert!(error.is_forbidden() && error.to_string().contains("RoleManagement.Read.Directory"), "{error}");
    let desk = DirectoryFixture::new(&format!(
        "{}{ROLES}",
        only(&["RoleManagement.Read.Directory", "User.Read.All"])
    ));
    let error = desk.refusal(&role("Global Administrator")).to_string();
    assert!(error.contains("the members of group") && error.contains("GroupMember.Read.All"), "{error}");
    // Direct holders of a role are known nevertheless.
    let admins = desk.wait(desk.directory.privileged_users()).unwrap();
    assert_eq!(
        (admins.unread_groups, admins.global_administrators.as_slice()),
        (Some("needs GroupMember.Read.All".to_owned()), &[id(0xad)][..])
    );
}

#[test]
fn administrators_are_found_by_their_roles() {
    let desk = DirectoryFixture::new(&format!("{ALL}{ROLES}[directory.paging]\nmost = 3\nempty_every = 3\n"));
    let admins = desk.wait(desk.directory.privileged_users()).unwrap();
    assert_eq!(admins.global_administrators, [id(0xad), id(0xb0)], "cy holds it in a unit only");
    let roles: Vec<(Uuid, String)> =
        admins.roles.iter().map(|(person, roles)| (*person, roles.join(", "))).collect();
    let expected = [
        (id(0xad), "Global Administrator"),
        (id(0xb0), "Global Administrator, User Administrator"),
        (id(0xc1), "Global Administrator, Keeper of Keys"),
    ];
    assert_eq!(roles, expected.map(|(person, roles)| (person, roles.to_owned())));
}
