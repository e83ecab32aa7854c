use std::time::{Duration, Instant};

use entra_revoke::directory::{ResolvedId, UserReadScope};
use entra_revoke::simulator::TokenKind;

use crate::directory::contoso::{ANN, GONE, NOBODY, READS, TENANT, desk, person};
use crate::selecting::desk::DirectoryFixture;

#[test]
fn ids_and_names_of_every_kind_are_resolved() {
    let found = desk().resolve(&[
        &ANN.to_uppercase(),
        "ANN@contoso.example",
        "o'neil+x@contoso.example",
        "eve_partner.example#EXT#@contoso.example",
        "$pecial@contoso.example",
        NOBODY,
        "nobody@contoso.example",
        GONE,
        "ann.obrien@contoso.example",
    ]);
    let ann = person(&found[0]);
    assert_eq!(found[0], found[1], "one person by two names");
    assert_eq!((ann.id.to_string().as_str(), ann.upn.as_deref()), (ANN, Some("Ann@contoso.example")));
    assert_eq!(ann.name.as_deref(), Some("Ann O'Brien"));
    assert_eq!((ann.guest, ann.enabled, ann.synced), (Some(false), Some(true), Some(true)));
    let neil = person(&found[2]);
    assert_eq!((neil.guest, neil.enabled, neil.synced), (Some(false), Some(false), Some(false)));
    assert_eq!(person(&found[3]).guest, Some(true));
    assert_eq!(person(&found[4]).upn.as_deref(), Some("$pecial@contoso.example"));
    assert_eq!(found[5..7], [ResolvedId::Missing, ResolvedId::Missing]);
    assert_eq!(found[7], ResolvedId::Deleted(Some(GONE.parse().unwrap())));
    assert_eq!(found[8], ResolvedId::Missing, "a mail address is no key");
}

#[test]
fn a_single_id_is_resolved() {
    let desk = desk();
    for id in [ANN, "ann@contoso.example", "$pecial@contoso.example"] {
        person(&desk.resolve(&[id])[0]);
    }
    assert!(desk.resolve(&[]).is_empty());
}

#[test]
fn hundreds_of_ids_are_resolved_in_few_requests() {
    let desk =
        DirectoryFixture::new(&format!("{READS}[directory]\ngenerate = {{ users = 600, seed = 7 }}\n"));
    let names: Vec<String> = {
        let (_, all) = desk.read(&entra_revoke::directory::Selector::AllUsers).unwrap();
        all.iter()
            .enumerate()
            .map(|(n, person)| match n % 2 {
                0 => person.id.to_string(),
                _ => person.upn.as_deref().unwrap().to_owned(),
            })
            .collect()
    };
    let (units, requests) = (desk.stats().resource_units, desk.stats().requests);
    let began = Instant::now();
    let found = desk.resolve(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(found.iter().all(|one| matches!(one, ResolvedId::User(_))));
    assert!(desk.stats().resource_units - units <= 42, "{}", desk.stats().resource_units - units);
    assert!(desk.stats().requests - requests <= 3, "{}", desk.stats().requests - requests);
}

#[test]
fn basic_permission_hides_guest_and_enabled() {
    let basic = format!("[token]\nroles = ['User.RevokeSessions.All', 'User.ReadBasic.All']\n{TENANT}");
    let desk = DirectoryFixture::telling(&basic, TokenKind::App);
    assert_eq!(desk.directory.user_reads(), UserReadScope::Basic);
    let found = desk.resolve(&[ANN, "bob@contoso.example", NOBODY]);
    let ann = person(&found[0]);
    assert_eq!((ann.name.as_deref(), ann.guest, ann.enabled), (Some("Ann O'Brien"), None, None));
    assert_eq!(found[2], ResolvedId::Missing);
}

#[test]
fn a_missing_permission_is_named() {
    let desk = DirectoryFixture::new(&format!("[token]\nroles = ['User.RevokeSessions.All']\n{TENANT}"));
    for ids in [&[ANN][..], &[ANN, "bob@contoso.example"]] {
        let failed = desk.try_resolve(ids).unwrap_err();
        assert!(failed.is_forbidden() && failed.to_string().contains("User.Read.All"), "{failed}");
    }
}

#[test]
fn me_is_the_signed_in_user() {
    let toml = format!(
        "[token]\nuser_id = '{ANN}'\nuser_principal_name = 'Ann@contoso.example'\n\
         scopes = ['User.RevokeSessions.All', 'User.Read.All']\n{TENANT}"
    );
    let desk = DirectoryFixture::telling(&toml, TokenKind::User);
    let found = desk.resolve(&["me", ANN]);
    assert_eq!(person(&found[0]), person(&found[1]));
}
