//! The tenant, its number of users, the operator and the app's owners.

use entra_revoke::directory::{DirectoryError, Selector, UserReadScope};
use entra_revoke::simulator::TokenKind;

use crate::selecting::desk::{ALL, DirectoryFixture, group, only};

const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";

const TENANT: &str = r#"
client_id = "5a1e0000-0000-4000-8000-0000000000a1"
user_principal_name = "ada@contoso.example"
user_id = "5a1e0000-0000-4000-8000-0000000000ad"
scopes = ["User.RevokeSessions.All", "User.Read"]
[directory]
organization = "Contoso\u001b[2J Ltd"
[[directory.user]]
upn = "ada@contoso.example"
id = "5a1e0000-0000-4000-8000-0000000000ad"
[[directory.user]]
upn = "bo@contoso.example"
enabled = false
[[directory.user]]
upn = "gone@contoso.example"
deleted = true
[[directory.group]]
name = "Crew"
members = ["bo@contoso.example"]
[directory.app]
owners = ["bo@contoso.example", "app:pipeline"]
"#;

#[test]
fn the_tenant_name_is_read_if_permitted() {
    let desk = DirectoryFixture::new(&format!("{ALL}{TENANT}"));
    let facts = desk.wait(desk.directory.organization_facts()).unwrap();
    assert_eq!(facts.name.as_deref(), Some("Contoso\\u{1b}[2J Ltd"), "harmless to show");
    let desk = DirectoryFixture::new(&format!("{}{TENANT}", only(&["User.Read.All"])));
    assert_eq!(desk.wait(desk.directory.organization_facts()).unwrap().name, None);
}

#[test]
fn users_are_counted() {
    let desk = DirectoryFixture::new(&format!("{ALL}{TENANT}"));
    assert_eq!(desk.wait(desk.directory.count_users()).unwrap(), 2);
    let desk = DirectoryFixture::new(&format!("{}{TENANT}", only(&["GroupMember.Read.All"])));
    assert!(desk.wait(desk.directory.count_users()).unwrap_err().is_forbidden());
}

#[test]
fn only_a_user_token_has_a_signed_in_user() {
    let toml = format!("{ALL}{TENANT}");
    let desk = DirectoryFixture::telling(&toml, TokenKind::App);
    assert_eq!(desk.wait(desk.directory.me()).unwrap(), None);
    let desk = DirectoryFixture::telling(&toml, TokenKind::User);
    let me = desk.wait(desk.directory.me()).unwrap().unwrap();
    assert_eq!(me.upn.as_deref(), Some("ada@contoso.example"));
}

#[test]
fn owners_come_from_both_app_objects() {
    let desk = DirectoryFixture::new(&format!("{ALL}{TENANT}"));
    let owners = desk.wait(desk.directory.app_owners(APP)).unwrap();
    let names: Vec<&str> = owners.iter().filter_map(|person| person.upn.as_deref()).collect();
    assert_eq!(names, ["bo@contoso.example"]);
    for unknown in ["0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f", "o'brien')/owners?x=#"] {
        let error = desk.wait(desk.directory.app_owners(unknown)).unwrap_err();
        assert!(matches!(error, DirectoryError::NotFound { .. }), "{error}");
    }
    let desk = DirectoryFixture::new(&format!("{}{TENANT}", only(&["User.Read.All"])));
    assert!(desk.wait(desk.directory.app_owners(APP)).unwrap_err().is_forbidden());
}

#[test]
fn basic_permission_is_enough_to_select() {
    let basic = only(&["User.RevokeSessions.All", "User.ReadBasic.All", "GroupMember.Read.All"]);
    let desk = DirectoryFixture::telling(&format!("{basic}{TENANT}"), TokenKind::App);
    assert_eq!(desk.directory.user_reads(), UserReadScope::Basic);
    for selector in [group("Crew"), Selector::Filter("displayName eq 'bo'".to_owned())] {
        let (_, all) = desk.read(&selector).unwrap();
        assert_eq!(all.len(), 1, "{selector}");
        assert_eq!((all[0].upn.as_deref(), all[0].enabled), (Some("bo@contoso.example"), None));
    }
}
