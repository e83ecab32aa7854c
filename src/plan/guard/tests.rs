//! Lists without a directory: what can't be compared is refused.

use super::*;
use crate::directory::Directory;
use crate::plan::world::PlanContext;
use crate::plan::{ListEntry, Operator, PlanError, PlanOptions};

const BOB: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const EVE: &str = "11111111-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

fn check(guard: &mut Guard, id: &str, also: &[&str]) -> Result<Option<Outcome>, GuardError> {
    let ids: Vec<UserId> = std::iter::once(&id).chain(also).map(|text| text.parse().unwrap()).collect();
    let named = GuardedId { ids: &ids, perhaps: &[], says_me: id == "me" };
    Ok(guard.check(named)?.map(|left_out| left_out.outcome))
}

/// Reads lists without any directory.
fn read(wishes: PlanOptions, operator: &[&str]) -> Result<Guard, PlanError> {
    let operator = operator.iter().map(|id| id.parse().unwrap()).collect();
    let signed = Operator { operator, ..Operator::default() };
    let world = PlanContext::<Directory>::unasked(None, false, Default::default());
    let loaded = Guard::load(&wishes, &signed, &world, &|_| {});
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    Ok(runtime.block_on(loaded)?.guard)
}

fn protect(entries: &[&str]) -> PlanOptions {
    PlanOptions { protect: listed(entries), ..PlanOptions::default() }
}

fn refused(wishes: PlanOptions) -> GuardError {
    match read(wishes, &[]) {
        Err(PlanError::Guard(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn listed(entries: &[&str]) -> Vec<ListEntry> {
    entries.iter().map(|text| ListEntry::read(text, false)).collect()
}

fn protecting(entries: &[&str]) -> Guard {
    read(protect(entries), &[]).unwrap()
}

#[test]
fn a_listed_id_is_known_in_any_spelling_and_cell() {
    let mut guard = protecting(&["Bob@contoso.com"]);
    assert_eq!(check(&mut guard, "bob@CONTOSO.com", &[]).unwrap(), Some(Outcome::Protected));
    assert_eq!(check(&mut guard, BOB, &["bob@contoso.com"]).unwrap(), Some(Outcome::Protected));
    assert_eq!(check(&mut guard, "eve@contoso.com", &[]).unwrap(), None);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let mut guard = protecting(&["bob@contoso.com"]);
    assert!(matches!(check(&mut guard, EVE, &[]), Err(GuardError::Incomparable { .. })));
    let mut guard = protecting(&[BOB]);
    assert!(matches!(check(&mut guard, "eve@contoso.com", &[]), Err(GuardError::Incomparable { .. })));
    assert_eq!(check(&mut guard, "eve@contoso.com", &[EVE]).unwrap(), None);
}

#[test]
fn me_passes_no_list_and_stands_on_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("protect.csv");
    std::fs::write(&path, format!("id,userPrincipalName\n{BOB},bob@contoso.com\n")).unwrap();
    let mut guard = protecting(&[&path.display().to_string()]);
    assert!(matches!(check(&mut guard, "me", &[]), Err(GuardError::IncomparableMe { .. })));
    assert_eq!(check(&mut Guard::default(), "me", &[]).unwrap(), None);
    assert!(matches!(refused(protect(&["me"])), GuardError::Me { .. }));
}

#[test]
fn a_list_of_mail_addresses_protects_nobody_and_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("protect.csv");
    std::fs::write(&path, "Name,Mail\nBob,bob@contoso.com\n").unwrap();
    let why = refused(protect(&[&path.display().to_string()]));
    assert!(matches!(why, GuardError::Mail { .. }), "{why}");
}

#[test]
fn a_list_that_cannot_be_read_in_full_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("protect.txt");
    std::fs::write(&path, "bob@contoso.com\nnobody\n").unwrap();
    let why = refused(protect(&[&path.display().to_string()]));
    assert!(matches!(why, GuardError::Line { line: 2, .. }), "{why}");
    let missing = dir.path().join("gone.txt").display().to_string();
    assert!(matches!(refused(protect(&[&missing])), GuardError::Unreadable { .. }));
}

#[test]
fn the_operator_is_protected_unless_they_ask() {
    let own = ["op@contoso.com", BOB, "me"];
    let mut guard = read(PlanOptions::default(), &own).unwrap();
    assert_eq!(check(&mut guard, "OP@contoso.com", &[]).unwrap(), Some(Outcome::Protected));
    assert_eq!(check(&mut guard, EVE, &[BOB]).unwrap(), Some(Outcome::Protected));
    assert_eq!(check(&mut guard, EVE, &[]).unwrap(), None);
    assert_eq!(check(&mut guard, "me", &[]).unwrap(), None);
    let mut guard = read(PlanOptions { include_self: true, ..PlanOptions::default() }, &own).unwrap();
    assert_eq!(check(&mut guard, BOB, &[]).unwrap(), None);
    let unprotect = vec!["op@contoso.com".parse().unwrap()];
    let mut guard = read(PlanOptions { unprotect, ..PlanOptions::default() }, &own).unwrap();
    assert_eq!(check(&mut guard, BOB, &[]).unwrap(), None);
    assert!(guard.unprotected(&[BOB.parse().unwrap()]).is_some());
}

#[test]
fn the_very_id_takes_protection_away_on_every_list() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("protect.csv");
    std::fs::write(&path, format!("id,userPrincipalName\n{BOB},bob@contoso.com\n")).unwrap();
    let path = path.display().to_string();
    let unprotect =
        |id: &str, entries: &[&str]| PlanOptions { unprotect: vec![id.parse().unwrap()], ..protect(entries) };
    let mut guard = read(unprotect("bob@contoso.com", &[BOB, &path]), &[]).unwrap();
    assert_eq!(check(&mut guard, BOB, &["bob@contoso.com"]).unwrap(), None);
    let why = refused(unprotect("eve@contoso.com", &[BOB, &path]));
    assert!(matches!(why, GuardError::NotProtected { .. }), "{why}");
    let mut exclude = unprotect("bob@contoso.com", &[&path]);
    exclude.exclude = listed(&[&path]);
    let mut guard = read(exclude, &[]).unwrap();
    assert_eq!(check(&mut guard, BOB, &[]).unwrap(), Some(Outcome::Excluded));
}
