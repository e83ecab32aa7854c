//! All direct and indirect reports of a manager.

use entra_revoke::directory::{DirectoryError, Selector};

use crate::selecting::desk::{ALL, DirectoryFixture, only};

/// Ada manages bo and $cy, bo manages di, and di manages ada.
const PEOPLE: &str = r#"
[[directory.user]]
upn = "ada@contoso.example"
manager = "di@contoso.example"
[[directory.user]]
upn = "bo@contoso.example"
manager = "ada@contoso.example"
[[directory.user]]
upn = "$cy@contoso.example"
manager = "ada@contoso.example"
[[directory.user]]
upn = "di@contoso.example"
manager = "bo@contoso.example"
[[directory.user]]
upn = "ed@contoso.example"
"#;

fn reports(user: &str) -> Selector {
    Selector::ReportsOf(user.parse().unwrap())
}

#[test]
fn reports_are_found_at_any_depth_and_in_cycles() {
    let desk = DirectoryFixture::new(&format!("{ALL}{PEOPLE}"));
    assert_eq!(desk.names(&reports("Ada@contoso.example")), ["$cy", "bo", "di"]);
    assert_eq!(desk.names(&reports("bo@contoso.example")), ["$cy", "ada", "di"]);
    assert_eq!(desk.names(&reports("$cy@contoso.example")), Vec::<String>::new());
}

#[test]
fn all_reports_are_read_over_pages_and_batches() {
    let mut people = "[[directory.user]]\nupn = \"top@contoso.example\"\n".to_owned();
    for n in 0..30 {
        people.push_str(&format!(
            "[[directory.user]]\nupn = \"m{n:02}@contoso.example\"\nmanager = \"top@contoso.example\"\n\
             [[directory.user]]\nupn = \"w{n:02}@contoso.example\"\nmanager = \"m{n:02}@contoso.example\"\n"
        ));
    }
    let desk = DirectoryFixture::new(&format!(
        "{ALL}{people}[directory.paging]\nmost = 7\nrepeat_across_pages = true\n"
    ));
    let (_, all) = desk.read(&reports("top@contoso.example")).unwrap();
    assert_eq!(all.len(), 60, "each once");
    assert_eq!(desk.names(&reports("top@contoso.example")).len(), 60);
}

#[test]
fn an_unknown_manager_is_an_error() {
    let desk = DirectoryFixture::new(&format!("{ALL}{PEOPLE}"));
    let error = desk.refusal(&reports("nobody@contoso.example"));
    assert!(matches!(error, DirectoryError::NotFound { .. }), "{error}");
    assert_eq!(error.to_string(), "there is no user nobody@contoso.example in this tenant");
    let desk = DirectoryFixture::new(&format!("{}{PEOPLE}", only(&["GroupMember.Read.All"])));
    let error = desk.refusal(&reports("ada@contoso.example"));
    assert!(error.is_forbidden() && error.to_string().contains("User.Read.All"), "{error}");
}
