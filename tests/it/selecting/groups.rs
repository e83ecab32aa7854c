//! Members of groups.

use entra_revoke::directory::{DirectoryError, Selector};

use crate::selecting::desk::{ALL, DirectoryFixture, group, only};

const FINANCE: &str = "5a1e0000-0000-4000-8000-00000000f1a0";

/// Finance holds Payroll, which holds Finance again; a device and an app are in it, too.
const GROUPS: &str = r#"
[[directory.user]]
upn = "ada@contoso.example"
name = "Ada"
[[directory.user]]
upn = "bo@contoso.example"
enabled = false
synced = true
[[directory.user]]
upn = "gil_fabrikam.com#EXT#@contoso.example"
[[directory.user]]
upn = "zoe@contoso.example"
[[directory.group]]
name = "Finance"
id = "5a1e0000-0000-4000-8000-00000000f1a0"
members = ["ada@contoso.example", "group:Payroll", "device:laptop", "app:bot"]
[[directory.group]]
name = "Payroll"
members = ["bo@contoso.example", "ada@contoso.example", "gil_fabrikam.com#EXT#@contoso.example", "group:Finance"]
[[directory.group]]
name = "Children's #1 + more & 100%"
members = ["zoe@contoso.example"]
[[directory.group]]
name = "Empty"
[[directory.group]]
name = "Twins"
[[directory.group]]
name = "Twins"
[[directory.group]]
name = "Secret"
hidden = true
members = ["zoe@contoso.example"]
"#;

fn direct(name: &str) -> Selector {
    Selector::Group { name: name.to_owned(), direct: true }
}

#[test]
fn nested_groups_with_cycles_give_each_member_once() {
    let desk = DirectoryFixture::new(&format!("{ALL}{GROUPS}"));
    let (people, all) = desk.read(&group("finance")).unwrap();
    assert_eq!(people.name(), format!("group Finance ({FINANCE})"));
    assert_eq!((people.expected(), people.missing(), all.len()), (Some(3), 0, 3));
    assert_eq!(desk.names(&group(FINANCE)), ["ada", "bo", "gil_fabrikam.com#EXT#"]);
    assert_eq!(desk.names(&direct("Finance")), ["ada"]);
    let bo = all.iter().find(|person| person.upn.as_deref() == Some("bo@contoso.example")).unwrap();
    assert_eq!((bo.guest, bo.enabled, bo.synced), (Some(false), Some(false), Some(true)));
    let gil = all.iter().find(|person| person.guest == Some(true)).unwrap();
    assert_eq!((gil.enabled, gil.synced), (Some(true), Some(false)));
    let ada = all.iter().find(|person| person.name.as_deref() == Some("Ada"));
    assert!(ada.is_some(), "{all:?}");
}

#[test]
fn group_names_are_encoded_in_the_url() {
    let desk = DirectoryFixture::new(&format!("{ALL}{GROUPS}"));
    assert_eq!(desk.names(&group("Children's #1 + more & 100%")), ["zoe"]);
    assert_eq!(desk.names(&group("Empty")), Vec::<String>::new());
}

#[test]
fn unknown_and_ambiguous_group_names_are_refused() {
    let desk = DirectoryFixture::new(&format!("{ALL}{GROUPS}"));
    for none in
        ["Finance' or displayName eq 'Payroll", "Fin", "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f", "a@b.c"]
    {
        let error = desk.refusal(&group(none));
        assert!(matches!(error, DirectoryError::NotFound { .. }), "{error}");
        assert_eq!(
            (error.to_string(), error.exit_code()),
            (format!("there is no group {none} in this tenant"), 2)
        );
    }
    match desk.refusal(&group("Twins")) {
        DirectoryError::Ambiguous { what, candidates } => {
            assert_eq!((what.as_str(), candidates.len()), ("group Twins", 2));
            assert!(
                candidates.iter().all(|one| one.starts_with("Twins (") && one.len() == 44),
                "{candidates:?}"
            );
        }
        other => panic!("{other}"),
    }
}

#[test]
fn groups_with_the_same_name_are_counted_over_all_pages() {
    let twins = "[[directory.group]]\nname = \"Twins\"\n".repeat(23);
    let desk = DirectoryFixture::new(&format!("{ALL}{twins}[directory.paging]\nmost = 5\nempty_every = 2\n"));
    match desk.refusal(&group("twins")) {
        DirectoryError::Ambiguous { candidates, .. } => {
            assert_eq!((candidates.len(), candidates[20].as_str()), (21, "and 3 more"));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn without_user_permission_only_ids_are_read() {
    let desk = DirectoryFixture::new(&format!("{}{GROUPS}", only(&["GroupMember.Read.All"])));
    let (_, all) = desk.read(&group("Finance")).unwrap();
    assert_eq!(all.len(), 3);
    for person in all {
        assert_eq!(
            (person.upn, person.name, person.guest, person.enabled, person.synced),
            Default::default()
        );
        assert!(!person.id.is_nil());
    }
}

#[test]
fn a_missing_permission_is_named_with_the_group() {
    let desk = DirectoryFixture::new(&format!("{}{GROUPS}", only(&["User.Read.All"])));
    for name in ["Finance", FINANCE] {
        let error = desk.refusal(&group(name));
        assert!(error.is_forbidden() && error.exit_code() == 4, "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("can't read group {name}: ")), "{text}");
        assert!(text.contains("GroupMember.Read.All"), "{text}");
    }
}

#[test]
fn hidden_membership_is_an_error() {
    let error = DirectoryFixture::new(&format!("{ALL}{GROUPS}")).refusal(&group("Secret"));
    assert!(error.is_forbidden() && error.to_string().contains("Member.Read.Hidden"), "{error}");
    let may = only(&["GroupMember.Read.All", "User.Read.All", "Member.Read.Hidden"]);
    assert_eq!(DirectoryFixture::new(&format!("{may}{GROUPS}")).names(&group("Secret")), ["zoe"]);
}

#[test]
fn pages_lose_no_member() {
    let members: Vec<String> = (0..40).map(|n| format!("u{n:02}@contoso.example")).collect();
    let users: String = members.iter().map(|upn| format!("[[directory.user]]\nupn = \"{upn}\"\n")).collect();
    let toml = format!(
        "{ALL}{users}[[directory.group]]\nname = \"Crew\"\nmembers = {members:?}\n[directory.paging]\nmost = 7\n\
         empty_every = 2\nrepeat_across_pages = true\nlose_token_once = true\n"
    );
    let desk = DirectoryFixture::new(&toml);
    let (people, all) = desk.read(&group("Crew")).unwrap();
    assert_eq!((people.expected(), people.missing()), (Some(40), 0));
    assert!(all.len() > 40, "the simulator repeats some");
    assert_eq!(desk.names(&group("Crew")).len(), 40);
}

#[test]
fn a_next_page_on_another_host_is_not_requested() {
    let members: Vec<String> = (0..9).map(|n| format!("u{n:02}@contoso.example")).collect();
    let users: String = members.iter().map(|upn| format!("[[directory.user]]\nupn = \"{upn}\"\n")).collect();
    let toml = format!(
        "{ALL}{users}[[directory.group]]\nname = \"Crew\"\nmembers = {members:?}\n[directory.paging]\nmost = 4\n\
         foreign_next_link = \"http://127.0.0.1:9/\"\n"
    );
    let error = DirectoryFixture::new(&toml).refusal(&group("Crew"));
    assert!(matches!(error, DirectoryError::Untrusted { .. }), "{error}");
}
