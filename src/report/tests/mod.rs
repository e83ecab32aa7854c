//! Tests of all reports together: from a run folder to its files.

mod fixture;
mod property;

use std::fs;

use fixture::{FixtureLine, FixtureRun};
use serde_json::json;

use super::summary_text;
use crate::event::StopReason;
use crate::outcome::Outcome;
use crate::text::digest::sha256_of_file;

const ANN: &str = "ann@contoso.com";
const BOB: &str = "bob@contoso.com";
const EVE: &str = "eve@contoso.com";

/// Three users, a duplicate and a row without a valid ID. All targets are revoked except `remaining`.
fn mixed_run(left: &[(&str, Outcome)]) -> FixtureRun {
    let lines = [
        FixtureLine::target(ANN, &[ANN, "=HYPERLINK(1)"]),
        FixtureLine::target(BOB, &[BOB, "Sales"]),
        FixtureLine::left_out(ANN, Outcome::Duplicate, &["ANN@contoso.com", "again"]),
        FixtureLine::left_out("=cmd|x", Outcome::Invalid, &["=cmd|x", "+1"]),
        FixtureLine::target(EVE, &[EVE, " lead, \"quoted\"\nsecond line "]),
    ];
    let mut run = FixtureRun::new(&["upn", "note"], &lines);
    for user in [ANN, BOB, EVE] {
        run.add_sent(user);
        let outcome =
            left.iter().find(|(who, _)| *who == user).map_or(Outcome::Revoked, |(_, outcome)| *outcome);
        run.add_settled(user, outcome, "");
    }
    run.add_ended();
    run
}

#[test]
fn every_row_is_reported_once_in_input_order() {
    let run = mixed_run(&[(BOB, Outcome::Forbidden)]);
    let summary = run.report();
    assert_eq!(run.column("line"), ["2", "3", "4", "5", "6"]);
    assert_eq!(run.column("outcome"), ["revoked", "forbidden", "duplicate", "invalid", "revoked"]);
    assert_eq!(run.column("user_id"), [ANN, BOB, ANN, "", EVE]);
    assert_eq!(run.column("http_status"), ["200", "403", "", "", "200"]);
    assert_eq!(run.column("settled_at")[..3], ["2026-11-22T03:00:00.250Z", "2026-11-22T03:00:00.250Z", ""]);
    assert_eq!(run.column("case_id"), ["IR-2026-11"; 5]);
    let header = &run.csv("report.csv")[0];
    let own = super::COLUMNS.len();
    assert_eq!(header[..own], super::COLUMNS);
    assert_eq!(header[own..], ["upn", "note"]);
    let lines: Vec<u64> = run.objects().iter().map(|row| row["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6]);
    assert_eq!((summary.rows, summary.targets, summary.attempts), (5, 3, 3));
    assert_eq!((summary.done, summary.not_done, summary.left_out, summary.exit_code), (2, 2, 1, 3));
    assert_eq!(summary.headline(), "2 of 4 users signed out; 2 not done; 1 row left out");
}

#[test]
fn formulas_are_neutralized_in_csv_and_exact_in_jsonl() {
    let run = mixed_run(&[(ANN, Outcome::Failed)]);
    run.report();
    assert_eq!(run.column("note")[0], "'=HYPERLINK(1)");
    assert_eq!(run.column("input")[3], "'=cmd|x");
    let objects = run.objects();
    assert_eq!(objects[0]["input_columns"]["note"], "=HYPERLINK(1)");
    assert_eq!(objects[4]["input_columns"]["note"], " lead, \"quoted\"\nsecond line ");
    assert_eq!(
        run.csv("remaining.csv"),
        [["upn", "note"], [ANN, "=HYPERLINK(1)"], ["=cmd|x", "+1"]].map(|row| row.to_vec())
    );
}

#[test]
fn json_rows_are_typed_and_have_server_request_ids() {
    let run = mixed_run(&[]);
    run.report();
    let rows = run.objects();
    assert_eq!(rows[0]["http_status"], 200);
    assert_eq!(rows[0]["throttled_ms"], 40);
    assert_eq!(rows[0]["server_date"], "Sun, 22 Nov 2026 03:00:00 GMT");
    assert!(rows[0]["ags_diagnostic"].as_str().unwrap().contains("North Europe"));
    assert_eq!(rows[3]["user_id"], json!(null));
    assert_eq!(rows[3]["http_status"], json!(null));
    for column in super::COLUMNS {
        assert!(rows[0].get(column).is_some(), "{column}");
    }
}

#[test]
fn lists_and_several_inputs_get_a_column_of_ids() {
    let lines = [FixtureLine::target(ANN, &[]), FixtureLine::left_out("nobody", Outcome::Invalid, &[])];
    let run = FixtureRun::new(&[], &lines);
    run.report();
    assert_eq!(run.text("remaining.csv"), "user_id\nann@contoso.com\nnobody\n");
    let mut run = mixed_run(&[(BOB, Outcome::Failed)]);
    run.record.inputs.push(run.record.inputs[0].clone());
    run.report();
    assert_eq!(run.csv("remaining.csv")[..2], [["user_id", "upn", "note"], [BOB, BOB, "Sales"]]);
}

#[test]
fn remaining_csv_of_a_complete_run_is_a_header_only() {
    let mut run = FixtureRun::new(&["upn"], &[FixtureLine::target(ANN, &[ANN])]);
    run.add_sent(ANN);
    run.add_settled(ANN, Outcome::Revoked, "");
    run.add_ended();
    let summary = run.report();
    assert!(summary.complete);
    assert_eq!((summary.exit_code, summary.remaining), (0, 0));
    assert_eq!(summary.headline(), "The user is signed out");
    assert_eq!(run.text("remaining.csv"), "upn\n");
    assert!(run.text("report.html").contains("sheet head tone-done"));
}

#[test]
fn killed_run_reports_requests_in_doubt() {
    let lines = [ANN, BOB, EVE].map(|user| FixtureLine::target(user, &[]));
    let mut run = FixtureRun::new(&[], &lines);
    run.add_sent(EVE);
    run.add_settled(EVE, Outcome::Revoked, "");
    run.add_sent(BOB);
    run.add_raw("not json\n");
    run.add_raw("{\"event\":\"settled\",\"at\":\"2026-11");
    let summary = run.report();
    assert_eq!(run.column("outcome"), ["not_attempted", "in_doubt", "revoked"]);
    assert!(run.column("detail")[1].contains("interrupted"));
    assert_eq!((summary.ended_at, summary.exit_code, summary.damaged_lines), (None, 3, 1));
    assert_eq!(run.csv("remaining.csv").len(), 3);
    assert!(run.text("report.html").contains("The journal has no end"));
}

#[test]
fn accepted_words_count_as_done_and_are_never_green() {
    let run = mixed_run(&[(BOB, Outcome::NotFound)]).accepting(&[Outcome::NotFound, Outcome::Invalid]);
    let summary = run.report();
    assert!(summary.complete);
    assert_eq!((summary.done, summary.not_done, summary.exit_code, summary.remaining), (4, 0, 0, 0));
    assert_eq!(summary.headline(), "2 of 4 users signed out; 2 accepted as done; 1 row left out");
    assert!(run.text("report.html").contains("sheet head tone-out"));
}

#[test]
fn input_columns_named_like_report_columns_are_renamed() {
    let run = FixtureRun::new(&["Outcome", "x", "x"], &[FixtureLine::target(ANN, &["a", "b", "c"])]);
    run.report();
    assert_eq!(run.csv("report.csv")[0][super::COLUMNS.len()..], ["Outcome (2)", "x", "x (2)"]);
    assert_eq!(run.objects()[0]["input_columns"], json!({ "Outcome": "a", "x": "b", "x (2)": "c" }));
    assert_eq!(run.csv("remaining.csv"), [["Outcome", "x", "x"], ["a", "b", "c"]]);
}

#[test]
fn html_report_escapes_hostile_text() {
    let script = "<script>alert(1)</script>\u{1b}[31m\u{202e}";
    let lines =
        [FixtureLine::left_out(script, Outcome::Invalid, &[script]), FixtureLine::target(ANN, &[ANN])];
    let mut run = FixtureRun::new(&["upn"], &lines);
    run.record.case_id = Some(script.to_owned());
    run.record.inputs[0].name = script.to_owned();
    run.add_settled(ANN, Outcome::Rejected, script);
    run.add_stopping(StopReason::Halt { detail: script.to_owned() });
    run.add_ended();
    let summary = run.report();
    let page = run.text("report.html");
    assert!(!page.contains("<script"));
    assert!(page.contains("&#60;script&#62;alert(1)") || page.contains("&lt;script&gt;alert(1)"));
    assert!(!page.chars().any(|c| c != '\n' && crate::text::sanitize::needs_escape(c)));
    assert!(page.contains("default-src 'none'"));
    let text = summary_text(&summary, run.folder.path(), &[script.to_owned()], None);
    assert!(!text.chars().any(|c| c != '\n' && crate::text::sanitize::needs_escape(c)));
}

#[test]
fn a_stopped_run_says_why() {
    let mut run = mixed_run(&[(BOB, Outcome::Forbidden)]);
    run.add_stopping(StopReason::Halt { detail: "4 of 10 failed".to_owned() });
    let summary = run.report();
    assert_eq!(summary.exit_code, 5);
    let read: serde_json::Value = serde_json::from_str(&run.text("summary.json")).unwrap();
    assert_eq!(read["stopped"]["reason"], "halt");
    assert_eq!(read["stopped"]["sentence"], "halted: 4 of 10 failed");
    assert_eq!(read["outcomes"].as_object().unwrap().len(), 13);
    assert_eq!(read["inputs"][0]["sha256"], "ab".repeat(32));
    let text = summary_text(&summary, run.folder.path(), &["entra-revoke resume x".to_owned()], None);
    assert!(text.contains("  revoked    2   40.0%  signed out"), "{text}");
    assert!(text.contains("Stopped early: halted: 4 of 10 failed.\n"), "{text}");
    assert!(text.ends_with("Next:\n  entra-revoke resume x\n"), "{text}");
}

#[test]
fn html_report_of_a_drill_says_drill() {
    let mut run = mixed_run(&[]);
    run.record.drill = Some(json!({}));
    let summary = run.report();
    assert!(run.text("report.html").contains("<strong>DRILL: no tenant was touched</strong>"));
    assert!(!run.text("report.html").contains("sheet head tone-done"));
    assert!(
        summary_text(&summary, run.folder.path(), &[], None).starts_with("DRILL: no tenant was touched.\n")
    );
}

#[test]
fn the_page_shows_the_first_rows_and_counts_the_rest() {
    let users: Vec<String> = (0..2_050).map(|number| format!("u{number}@contoso.com")).collect();
    let lines: Vec<FixtureLine> = users.iter().map(|user| FixtureLine::target(user, &[])).collect();
    let run = FixtureRun::new(&[], &lines);
    run.report();
    let page = run.text("report.html");
    assert!(page.contains("u1999@") && !page.contains("u2000@"));
    assert!(page.contains("50 more are not shown here"));
    assert_eq!(run.csv("report.csv").len(), 2_051);
}

#[test]
fn manifest_matches_files_and_reports_are_reproducible() {
    let run = mixed_run(&[(BOB, Outcome::InDoubt)]);
    run.report();
    let manifest: serde_json::Value = serde_json::from_str(&run.text("manifest.json")).unwrap();
    let files = manifest["files"].as_array().unwrap();
    assert_eq!(files.len(), 8);
    for file in files {
        let path = run.folder.file(file["name"].as_str().unwrap());
        assert_eq!(file["sha256"], sha256_of_file(&path).unwrap());
        assert_eq!(file["bytes"], fs::metadata(&path).unwrap().len());
    }
    let before = run.text("manifest.json");
    run.report();
    assert_eq!(run.text("manifest.json"), before);
}

#[test]
fn a_report_that_cannot_be_written_is_named() {
    let run = mixed_run(&[]);
    run.report();
    fs::remove_file(run.folder.file("report.jsonl")).unwrap();
    fs::create_dir(run.folder.file("report.jsonl")).unwrap();
    let index = crate::journal::JournalIndex::read(run.folder.dir(), &[], &run.record.plan.sha256).unwrap();
    let error = super::write(&run.folder, &run.record, &index).unwrap_err();
    assert!(error.to_string().contains("report.jsonl: "), "{error}");
    assert!(!run.folder.file("manifest.json").exists());
}
