//! Selections by filter, of all users, and of a manager's reports.

use entra_revoke::directory::{DirectoryError, Selector};

use crate::selecting::desk::{ALL, DirectoryFixture, only};

const USERS: &str = r#"
[[directory.user]]
upn = "ada@contoso.example"
name = "Ada Svensson"
department = "Sales"
job_title = "Trader, senior"
country = "Germany"
company = "Fabrikam"
synced = true
[[directory.user]]
upn = "bo@fabrikam.example"
name = "Bo"
department = "Children's #1"
manager = "ada@contoso.example"
[[directory.user]]
upn = "gil_partner.example#EXT#@contoso.example"
mail = "gil@partner.example"
manager = "bo@fabrikam.example"
[[directory.user]]
upn = "gone@contoso.example"
deleted = true
"#;

fn filter(text: &str) -> Selector {
    Selector::Filter(text.to_owned())
}

#[test]
fn filters_are_sent_to_graph_unchanged() {
    let desk = DirectoryFixture::new(&format!("{ALL}{USERS}"));
    for (text, names) in [
        ("department eq 'sales'", vec!["ada"]),
        ("endsWith(userPrincipalName,'@contoso.example')", vec!["ada", "gil_partner.example#EXT#"]),
        ("country eq 'Germany'", vec!["ada"]),
        ("companyName eq 'Fabrikam'", vec!["ada"]),
        ("startsWith(jobTitle,'Trader')", vec!["ada"]),
        ("startsWith(displayName,'B')", vec!["bo"]),
        ("userType eq 'Guest' and endsWith(mail,'@partner.example')", vec!["gil_partner.example#EXT#"]),
        ("onPremisesSyncEnabled ne true", vec!["bo", "gil_partner.example#EXT#"]),
        (" department eq 'Children''s #1' ", vec!["bo"]),
        ("userPrincipalName eq 'gil_partner.example#EXT#@contoso.example'", vec!["gil_partner.example#EXT#"]),
        ("department eq 'nowhere'", vec![]),
    ] {
        assert_eq!(desk.names(&filter(text)), names, "{text}");
    }
}

/// What the simulator's filters don't know: times, and properties within properties.
const UNKNOWN_TO_THE_SIMULATOR: [&str; 2] = ["createdDateTime", "onPremisesExtensionAttributes"];

#[test]
fn documented_filters_are_accepted() {
    let text = include_str!("../../../docs/selecting.md");
    let rows = text.split("| users | `--users-filter` |").nth(1).unwrap().lines().skip(2);
    let filters: Vec<&str> =
        rows.take_while(|row| row.starts_with('|')).map(|row| row.split('`').nth(1).unwrap()).collect();
    assert_eq!(filters.len(), 10);
    let desk = DirectoryFixture::new(&format!("{ALL}{USERS}"));
    for text in
        filters.iter().filter(|text| !UNKNOWN_TO_THE_SIMULATOR.iter().any(|name| text.starts_with(name)))
    {
        desk.names(&filter(text));
    }
}

#[test]
fn a_refused_filter_is_reported_with_graphs_message() {
    let desk = DirectoryFixture::new(&format!("{ALL}{USERS}"));
    for odd in ["department eq", "shoeSize eq '42'", "department eq 'x' &$top=1"] {
        let error = desk.refusal(&filter(odd));
        assert!(matches!(error, DirectoryError::Refused { .. }), "{error}");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().starts_with(&format!("can't read users with {odd}: ")), "{error}");
    }
}

#[test]
fn all_users_excludes_deleted_users() {
    let desk = DirectoryFixture::new(&format!("{ALL}{USERS}"));
    let (people, all) = desk.read(&Selector::AllUsers).unwrap();
    assert_eq!((people.name(), people.expected(), all.len()), ("all users", Some(3), 3));
    let few = DirectoryFixture::new(&format!("{ALL}{USERS}[directory.paging]\nmost = 1\nempty_every = 2\n"));
    assert_eq!(few.names(&Selector::AllUsers).len(), 3);
}

#[test]
fn reading_users_needs_a_permission() {
    let desk = DirectoryFixture::new(&format!("{}{USERS}", only(&["GroupMember.Read.All"])));
    for selector in [filter("department eq 'Sales'"), Selector::AllUsers] {
        let error = desk.refusal(&selector);
        assert!(error.is_forbidden() && error.to_string().contains("User.Read.All"), "{error}");
        assert!(error.to_string().starts_with(&format!("can't read {selector}: ")), "{error}");
    }
}
