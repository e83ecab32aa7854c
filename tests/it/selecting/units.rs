//! Administrative units.

use entra_revoke::directory::{DirectoryError, Selector};

use crate::selecting::desk::{ALL, DirectoryFixture, only};

const UNITS: &str = r#"
[[directory.user]]
upn = "ada@contoso.example"
[[directory.user]]
upn = "bo@contoso.example"
[[directory.group]]
name = "Crew"
members = ["bo@contoso.example"]
[[directory.unit]]
name = "Oslo"
id = "5a1e0000-0000-4000-8000-0000000005a0"
members = ["ada@contoso.example", "group:Crew", "device:laptop"]
[[directory.unit]]
name = "Hidden"
hidden = true
members = ["ada@contoso.example"]
"#;

fn unit(name: &str) -> Selector {
    Selector::Unit(name.to_owned())
}

#[test]
fn a_unit_excludes_members_of_its_groups() {
    let desk = DirectoryFixture::new(&format!("{ALL}{UNITS}"));
    assert_eq!(desk.names(&unit("oslo")), ["ada"]);
    let (people, all) = desk.read(&unit("5a1e0000-0000-4000-8000-0000000005a0")).unwrap();
    assert_eq!(people.name(), "administrative unit Oslo (5a1e0000-0000-4000-8000-0000000005a0)");
    assert_eq!((people.expected(), people.missing(), all.len()), (Some(1), 0, 1));
}

#[test]
fn unknown_and_hidden_units_are_refused() {
    let desk = DirectoryFixture::new(&format!("{ALL}{UNITS}"));
    assert!(matches!(desk.refusal(&unit("Bergen")), DirectoryError::NotFound { .. }));
    let error = desk.refusal(&unit("Hidden"));
    assert!(error.is_forbidden() && error.to_string().contains("Member.Read.Hidden"), "{error}");
    let error = DirectoryFixture::new(&format!("{}{UNITS}", only(&["User.Read.All"])))
        .refusal(&unit("Oslo"))
        .to_string();
    assert!(error.starts_with("can't read administrative unit Oslo: "), "{error}");
    assert!(error.contains("AdministrativeUnit.Read.All"), "{error}");
}
