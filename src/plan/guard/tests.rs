//! Lists without a directory: IDs that can't be compared are refused.

use super::*;
use crate::directory::Directory;
use crate::plan::context::PlanContext;
use crate::plan::{ListEntry, Operator, PlanError, PlanOptions};

const BOB: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const EVE: &str = "11111111-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

fn check(guard: &mut Guard, id: &str, also: &[&str]) -> Result<Option<Outcome>, GuardError> {
    let ids: Vec<UserId> = std::iter::once(&id).chain(also).map(|text| text.parse().unwrap()).collect();
    let named = RowIds { ids: &ids, possible_ids: &[], is_me: id == "me" };
    Ok(guard.check(named)?.map(|left_out| left_out.outcome))
}

/// Loads a guard without a directory.
fn load_guard(options: PlanOptions, operator: &[&str]) -> Result<Guard, PlanError> {
    let operator = operator.iter().map(|id| id.parse().unwrap()).collect();
    let signed = Operator { user_ids: operator, ..Operator::default() };
    let context = PlanContext::<Directory>::without_lookup(None, false, Default::default());
    let loaded = Guard::load(&options, &signed, &context, &|_| {});
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    Ok(runtime.block_on(loaded)?.guard)
}

fn protect_options(entries: &[&str]) -> PlanOptions {
    PlanOptions { protect: list_entries(entries), ..PlanOptions::default() }
}

fn expect_guard_error(options: PlanOptions) -> GuardError {
    match load_guard(options, &[]) {
        Err(PlanError::Guard(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn list_entries(entries: &[&str]) -> Vec<ListEntry> {
    entries.iter().map(|text| ListEntry::parse(text, false)).collect()
}

fn guard_protecting(entries: &[&str]) -> Guard {
    load_guard(protect_options(entries), &[]).unwrap()
}

#[test]
fn listed_id_matches_in_any_spelling() {
    let mut guard = guard_protecting(&["Bob@contoso.com"]);
    assert_eq!(check(&mut guard, "bob@CONTOSO.com", &[]).unwrap(), Some(Outcome::Protected));
    assert_eq!(check(&mut guard, BOB, &["bob@contoso.com"]).unwrap(), Some(Outcome::Protected));
    assert_eq!(check(&mut guard, "eve@contoso.com", &[]).unwrap(), None);
}

#[test]
fn incomparable_ids_are_refused() {
    let mut guard = guard_protecting(&["bob@contoso.com"]);
    assert!(matches!(check(&mut guard, EVE, &[]), Err(GuardError::Incomparable { .. })));
    let mut guard = guard_protecting(&[BOB]);
    assert!(matches!(check(&mut guard, "eve@contoso.com", &[]), Err(GuardError::Incomparable { .. })));
    assert_eq!(check(&mut guard, "eve@contoso.com", &[EVE]).unwrap(), None);
}

#[test]
fn me_is_refused_with_and_on_lists() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("protect.csv");
    std::fs::write(&path, format!("id,userPrincipalName\n{BOB},bob@contoso.com\n")).unwrap();
    let mut guard = guard_protecting(&[&path.display().to_string()]);
    assert!(matches!(check(&mut guard, "me", &[]), Err(GuardError::IncomparableMe { .. })));
    assert_eq!(check(&mut Guard::default(), "me", &[]).unwrap(), None);
    assert!(matches!(expect_guard_error(protect_options(&["me"])), GuardError::Me { .. }));
}

#[test]
fn a_list_of_mail_addresses_protects_nobody_and_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("protect.csv");
    std::fs::write(&path, "Name,Mail\nBob,bob@contoso.com\n").unwrap();
    let why = expect_guard_error(protect_options(&[&path.display().to_string()]));
    assert!(matches!(why, GuardError::MailAddresses { .. }), "{why}");
}

#[test]
fn a_list_that_cannot_be_read_in_full_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("protect.txt");
    std::fs::write(&path, "bob@contoso.com\nnobody\n").unwrap();
    let why = expect_guard_error(protect_options(&[&path.display().to_string()]));
    assert!(matches!(why, GuardError::InvalidLine { line: 2, .. }), "{why}");
    let missing = dir.path().join("gone.txt").display().to_string();
    assert!(matches!(expect_guard_error(protect_options(&[&missing])), GuardError::Unreadable { .. }));
}

#[test]
fn operator_is_protected_unless_included() {
    let own = ["op@contoso.com", BOB, "me"];
    let mut guard = load_guard(PlanOptions::default(), &own).unwrap();
    assert_eq!(check(&mut guard, "OP@contoso.com", &[]).unwrap(), Some(Outcome::Protected));
    assert_eq!(check(&mut guard, EVE, &[BOB]).unwrap(), Some(Outcome::Protected));
    assert_eq!(check(&mut guard, EVE, &[]).unwrap(), None);
    assert_eq!(check(&mut guard, "me", &[]).unwrap(), None);
    let mut guard = load_guard(PlanOptions { include_self: true, ..PlanOptions::default() }, &own).unwrap();
    assert_eq!(check(&mut guard, BOB, &[]).unwrap(), None);
    let unprotect = vec!["op@contoso.com".parse().unwrap()];
    let mut guard = load_guard(PlanOptions { unprotect, ..PlanOptions::default() }, &own).unwrap();
    assert_eq!(check(&mut guard, BOB, &[]).unwrap(), None);
    assert!(guard.unprotected_reasons(&[BOB.parse().unwrap()]).is_some());
}

#[test]
fn unprotect_removes_id_from_every_list() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("protect.csv");
    std::fs::write(&path, format!("id,userPrincipalName\n{BOB},bob@contoso.com\n")).unwrap();
    let path = path.display().to_string();
    let unprotect = |id: &str, entries: &[&str]| PlanOptions {
        unprotect: vec![id.parse().unwrap()],
        ..protect_options(entries)
    };
    let mut guard = load_guard(unprotect("bob@contoso.com", &[BOB, &path]), &[]).unwrap();
    assert_eq!(check(&mut guard, BOB, &["bob@contoso.com"]).unwrap(), None);
    let why = expect_guard_error(unprotect("eve@contoso.com", &[BOB, &path]));
    assert!(matches!(why, GuardError::NotProtected { .. }), "{why}");
    let mut exclude = unprotect("bob@contoso.com", &[&path]);
    exclude.exclude = list_entries(&[&path]);
    let mut guard = load_guard(exclude, &[]).unwrap();
    assert_eq!(check(&mut guard, BOB, &[]).unwrap(), Some(Outcome::Excluded));
}
