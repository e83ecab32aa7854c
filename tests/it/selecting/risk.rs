//! Users at risk.

use entra_revoke::directory::{RiskLevel, Selector};

use crate::selecting::desk::{ALL, DirectoryFixture, only};

const RISKY: &str = r#"
[[directory.user]]
upn = "ada@contoso.example"
name = "Ada"
[[directory.user]]
upn = "bo@contoso.example"
[[directory.user]]
upn = "cy@contoso.example"
[[directory.user]]
upn = "di@contoso.example"
[[directory.user]]
upn = "gone@contoso.example"
deleted = true
[[directory.risky]]
user = "ada@contoso.example"
level = "high"
[[directory.risky]]
user = "bo@contoso.example"
level = "high"
state = "confirmedCompromised"
[[directory.risky]]
user = "cy@contoso.example"
level = "medium"
[[directory.risky]]
user = "di@contoso.example"
level = "high"
state = "remediated"
[[directory.risky]]
user = "gone@contoso.example"
level = "high"
"#;

#[test]
fn active_risk_is_selected_at_the_given_levels() {
    let desk = DirectoryFixture::new(&format!("{ALL}{RISKY}"));
    let high = Selector::Risky(vec![RiskLevel::High]);
    let (people, all) = desk.read(&high).unwrap();
    assert_eq!(people.name(), "users at risk (high)");
    let names: Vec<&str> = all.iter().filter_map(|person| person.upn.as_deref()).collect();
    assert_eq!(names, ["ada@contoso.example", "bo@contoso.example"]);
    assert_eq!((all[0].guest, all[0].enabled, all[0].synced), (None, None, None), "that is not told here");
    let both = Selector::Risky(vec![RiskLevel::Medium, RiskLevel::High]);
    assert_eq!(desk.names(&both), ["ada", "bo", "cy"]);
}

#[test]
fn risk_needs_a_permission_and_a_licence() {
    let desk = DirectoryFixture::new(&format!("{}{RISKY}", only(&["User.Read.All"])));
    let error = desk.refusal(&Selector::Risky(vec![RiskLevel::Low]));
    assert!(error.is_forbidden(), "{error}");
    let error = error.to_string();
    assert!(error.starts_with("can't read users at risk (low): "), "{error}");
    assert!(error.contains("IdentityRiskyUser.Read.All (and a licence of Entra ID P2)"), "{error}");
}
