//! No protected user is revoked, whatever the rows say. If that is not certain, nothing is revoked.

mod random_lists;
mod whole_lists;
mod workbook;

use std::collections::BTreeSet;
use std::path::Path;

use crate::ctx::{CommandResult, TestContext};
use entra_revoke::intake::{self, InputSource, IntakeOptions};
use entra_revoke::plan::{Draft, InputRows, ListEntry, Operator, PlanOptions};
use proptest::prelude::*;

const BOSS: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const EVE: &str = "11111111-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const HEADER: &str = "id,userPrincipalName\n";

/// Runs these rows with these arguments.
fn run(ctx: &TestContext, rows: &[&str], args: &[&str]) -> CommandResult {
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let input = ctx.input("users.csv", format!("{HEADER}{text}"));
    ctx.run(&input, args)
}

/// Refused as wrong input, with these words; nothing was revoked or begun.
#[track_caller]
fn refused(ctx: &TestContext, done: &CommandResult, says: &str) {
    done.exits(2);
    assert!(done.stderr.contains(says), "{says:?} is not in: {}", done.stderr);
    assert_eq!(ctx.stats().revocations, 0);
    assert!(ctx.run_folders().is_empty());
}

/// Refused in every order of these rows.
#[track_caller]
fn refused_in_any_order(rows: &[String], args: &[&str]) {
    for turn in 0..rows.len() {
        let mut rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        rows.rotate_left(turn);
        let ctx = TestContext::new("");
        let done = run(&ctx, &rows, args);
        refused(&ctx, &done, "contradict each other");
        rows.reverse();
        let done = run(&ctx, &rows, args);
        refused(&ctx, &done, "contradict each other");
    }
}

fn both(ctx: &TestContext) -> String {
    ctx.input("both.csv", format!("{HEADER}{BOSS},boss@contoso.com\n")).display().to_string()
}

#[test]
fn two_names_for_an_id_stop_the_run_if_one_is_protected() {
    let ctx = TestContext::new("");
    let rows = [format!("{BOSS},boss@contoso.com"), format!("{BOSS},eve@contoso.com")];
    for args in [["--protect", "boss@contoso.com"], ["--exclude", "boss@contoso.com"]] {
        refused_in_any_order(&rows, &args);
    }
    let both = both(&ctx);
    let rows = [format!("{EVE},boss@contoso.com"), format!("{EVE},eve@contoso.com")];
    for args in [["--protect", &both], ["--exclude", &both], ["--exclude-file", &both]] {
        refused_in_any_order(&rows, &args);
    }
}

#[test]
fn two_ids_for_a_name_stop_the_run_if_one_is_protected() {
    let rows = [format!("{BOSS},eve@contoso.com"), format!("{EVE},eve@contoso.com")];
    for args in [["--protect", BOSS], ["--exclude", BOSS]] {
        refused_in_any_order(&rows, &args);
    }
    let ctx = TestContext::new("");
    let both = both(&ctx);
    refused_in_any_order(&rows, &["--protect", &both]);
}

#[test]
fn names_in_duplicate_rows_are_compared_with_lists() {
    let rows = [
        format!("{EVE},eve@contoso.com"),
        format!("{EVE},chief@contoso.com"),
        format!("{BOSS},chief@contoso.com"),
    ];
    refused_in_any_order(&rows, &["--protect", BOSS]);
}

#[test]
fn names_in_filtered_rows_are_compared_with_lists() {
    let ctx = TestContext::new("");
    let table =
        format!("id,userPrincipalName,dept\n{EVE},chief@contoso.com,Sales\n{BOSS},chief@contoso.com,Board\n");
    let input = ctx.input("users.csv", table);
    let done = ctx.run(&input, &["--protect", BOSS, "--skip", "dept=Board"]);
    refused(&ctx, &done, "contradict each other");
}

#[test]
fn me_is_refused_with_a_protect_list() {
    let ctx = TestContext::new("");
    let both = both(&ctx);
    let input = ctx.input("me.txt", "eve@contoso.com\nme\n");
    for flag in ["--protect", "--exclude", "--exclude-file"] {
        let done = ctx.run(&input, &[flag, &both]);
        refused(&ctx, &done, "`me` can't be compared");
    }
    for args in [["--protect", "me"], ["--exclude", "me"]] {
        let done = run(&ctx, &["eve@contoso.com,"], &args);
        refused(&ctx, &done, "can't contain `me`");
    }
}

#[test]
fn lists_without_comparable_names_are_refused() {
    let ctx = TestContext::new("");
    let mail = ctx.input("mail.csv", "Name,Mail\nBoss,boss@contoso.com\n").display().to_string();
    for flag in ["--protect", "--exclude-file"] {
        let done = run(&ctx, &[&format!("{EVE},eve@contoso.com")], &[flag, &mail]);
        refused(&ctx, &done, "mail addresses");
    }
    let names = ctx.input("names.txt", "boss@contoso.com\n").display().to_string();
    let objects = ctx.input("objects.txt", format!("{EVE}\n"));
    refused(&ctx, &ctx.run(&objects, &["--protect", &names]), "can't be compared");
    let objects = ctx.input("boss.txt", format!("{BOSS}\n")).display().to_string();
    let names = ctx.input("eve.txt", "eve@contoso.com\n");
    refused(&ctx, &ctx.run(&names, &["--protect", &objects]), "can't be compared");
}

#[test]
fn only_the_protected_user_is_skipped() {
    for list in [BOSS, "Boss@Contoso.com"] {
        let ctx = TestContext::new("");
        let rows = [format!("{EVE},eve@contoso.com"), format!("{BOSS},boss@contoso.com")];
        run(&ctx, &[&rows[0], &rows[1]], &["--protect", list]).exits(0);
        let folder = ctx.run_folder();
        assert_eq!(folder.row(BOSS)["outcome"], "protected");
        assert_eq!(folder.row(EVE)["outcome"], "revoked");
        let sent: Vec<String> = ctx.ledger().users.into_iter().map(|user| user.id).collect();
        assert_eq!(sent, [EVE]);
    }
}

#[test]
fn an_extra_cell_does_not_hide_a_protected_user() {
    let ctx = TestContext::new("");
    let both = both(&ctx);
    let shifted = format!("{EVE},boss@contoso.com,x");
    run(&ctx, &[&shifted, "22222222-1c1b-4ff4-9ab1-1a2b3c4d5e6f,zoe@contoso.com"], &["--protect", &both])
        .exits(0);
    assert_eq!(ctx.run_folder().row(EVE)["outcome"], "protected");
    assert!(ctx.ledger().user(EVE).is_none());
    // One name with two object ids: the row with a cell too many is not believed, and its user not sent.
    let rows = [format!("{EVE},eve@contoso.com"), format!("{BOSS},eve@contoso.com,x")];
    for rows in [[&rows[0], &rows[1]], [&rows[1], &rows[0]]] {
        let ctx = TestContext::new("");
        let both = self::both(&ctx);
        run(&ctx, &[rows[0], rows[1]], &["--protect", &both]);
        let sent: Vec<String> = ctx.ledger().users.into_iter().map(|user| user.id).collect();
        assert!(!sent.iter().any(|id| id == BOSS || id == "boss@contoso.com"), "{sent:?}");
    }
}

// ── Any rows, any lists ────────────────────────────────────────────────────────────────────────────────────────

/// An object id and a name, either of which may be missing.
type Person = (Option<u8>, Option<u8>);

fn person() -> impl Strategy<Value = Person> {
    let cell = || prop_oneof![1 => Just(None), 4 => (0..5_u8).prop_map(Some)];
    (cell(), cell()).prop_filter("somebody", |(object, name)| object.is_some() || name.is_some())
}

/// Known by both IDs, as a list should name users; sometimes by only one.
fn listed() -> impl Strategy<Value = Person> {
    prop_oneof![5 => (0..5_u8, 0..5_u8).prop_map(|(object, name)| (Some(object), Some(name))), 1 => person()]
}

fn ids(person: Person) -> Vec<String> {
    let object = person.0.map(|n| format!("0000000{n}-1c1b-4ff4-9ab1-1a2b3c4d5e6f"));
    object.into_iter().chain(person.1.map(|n| format!("user{n}@contoso.com"))).collect()
}

fn table(dir: &Path, name: &str, people: &[Person]) -> String {
    let mut text = HEADER.to_owned();
    for person in people {
        let object = ids((person.0, None)).concat();
        text.push_str(&format!("{object},{}\n", ids((None, person.1)).concat()));
    }
    let path = dir.join(name);
    std::fs::write(&path, text).expect("the table is written");
    path.display().to_string()
}

/// All ids that rows connect with these.
fn connected(rows: &[Person], from: &[Person]) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = from.iter().flat_map(|person| ids(*person)).collect();
    loop {
        let before = known.len();
        for row in rows.iter().map(|row| ids(*row)) {
            if row.iter().any(|id| known.contains(id)) {
                known.extend(row);
            }
        }
        if known.len() == before {
            return known;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_user_related_to_a_list_entry_is_revoked(
        rows in prop::collection::vec(person(), 1..6),
        protect in prop::collection::vec(listed(), 0..2),
        exclude in prop::collection::vec(listed(), 0..2),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let list = |name: &str, people: &[Person]| -> Vec<ListEntry> {
            if people.is_empty() { Vec::new() } else { vec![ListEntry::parse(&table(dir.path(), name, people), false)] }
        };
        let wishes = PlanOptions {
            protect: list("protect.csv", &protect),
            exclude: list("exclude.csv", &exclude),
            ..PlanOptions::default()
        };
        let input = table(dir.path(), "users.csv", &rows);
        let intake = intake::open(&[InputSource::File(input.into())], &IntakeOptions::default()).unwrap();
        let listed: Vec<Person> = protect.iter().chain(&exclude).copied().collect();
        let safe = connected(&rows, &listed);
        let gathered = InputRows::read(intake).unwrap();
        let signed = Operator::default();
        let draft = Draft::build(gathered, &wishes, &signed, None);
        let draft = tokio::runtime::Runtime::new().unwrap().block_on(draft);
        if let Ok(draft) = draft {
            let mut sent = Vec::new();
            draft.for_each_row(|row| {
                if row.order().is_some() {
                    sent.push(row.user_id.clone());
                }
                Ok(())
            }).unwrap();
            for user in sent {
                prop_assert!(!safe.contains(&user), "{user} of {rows:?} past {listed:?}");
            }
        } else {
            prop_assert!(!listed.is_empty(), "refused without a list: {rows:?}");
        }
    }
}
