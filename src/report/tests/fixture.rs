//! A run folder made by hand: a plan, a journal, and their record.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::event::{
    AnswerEvidence, AnsweredEvent, BeganEvent, Event, SentEvent, SettledEvent, StopReason, TargetNo,
};
use crate::journal::{FORMAT, JournalIndex, RunFolder, RunLock, RunRecord, fingerprint};
use crate::outcome::{AcceptedOutcomes, Outcome};
use crate::report::{self, Summary};
use crate::text::digest::sha256_of_file;

/// A row of the plan.
pub(super) struct FixtureLine {
    pub(super) input: String,
    /// Its outcome and detail, if it is left out.
    pub(super) left_out: Option<(Outcome, String)>,
    pub(super) cells: Vec<String>,
}

impl FixtureLine {
    pub(super) fn target(input: &str, cells: &[&str]) -> FixtureLine {
        FixtureLine { input: input.to_owned(), left_out: None, cells: strings(cells) }
    }

    pub(super) fn left_out(input: &str, outcome: Outcome, cells: &[&str]) -> FixtureLine {
        FixtureLine {
            left_out: Some((outcome, format!("why {outcome}"))),
            ..FixtureLine::target(input, cells)
        }
    }
}

/// A run folder and its contents.
pub(super) struct FixtureRun {
    _dir: TempDir,
    _lock: RunLock,
    pub(super) folder: RunFolder,
    pub(super) record: RunRecord,
    users: Vec<String>,
    journal: String,
}

pub(super) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub(super) fn at(millis: i64) -> Timestamp {
    let start: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
    start + SignedDuration::from_millis(millis)
}

impl FixtureRun {
    /// Writes `run.json` and `plan.csv`. Targets are sent in the reverse order of the input, so that a test fails if
    /// the two are mixed up.
    pub(super) fn new(columns: &[&str], lines: &[FixtureLine]) -> FixtureRun {
        let dir = tempfile::tempdir().unwrap();
        let (folder, lock) = RunFolder::create(dir.path(), at(0), "ab12cd34").unwrap();
        let targets = lines.iter().filter(|line| line.left_out.is_none()).count();
        let mut users = vec![String::new(); targets];
        let mut order = targets;
        let mut plan = csv::Writer::from_path(folder.plan_path()).unwrap();
        let own = ["order", "line", "input", "user_id", "left_out", "detail", "external", "priority"];
        plan.write_record(own.iter().chain(columns)).unwrap();
        for (number, line) in lines.iter().enumerate() {
            let number = (number + 2).to_string();
            let (place, user, word, detail) = match &line.left_out {
                None => {
                    users[order - 1].clone_from(&line.input);
                    order -= 1;
                    ((order + 1).to_string(), line.input.as_str(), "", "")
                }
                Some((Outcome::Invalid, detail)) => (String::new(), "", "invalid", detail.as_str()),
                Some((word, detail)) => (String::new(), line.input.as_str(), word.word(), detail.as_str()),
            };
            for field in [&place, &number, &line.input, user, word, detail, "", ""] {
                plan.write_field(field).unwrap();
            }
            plan.write_record(&line.cells).unwrap();
        }
        plan.flush().unwrap();
        let record = record(&folder.plan_path(), columns, lines.len(), targets);
        fs::write(folder.file("run.json"), serde_json::to_vec(&record).unwrap()).unwrap();
        let mut run = FixtureRun { _dir: dir, _lock: lock, folder, record, users, journal: String::new() };
        run.add_event(&Event::Began(BeganEvent {
            at: at(0),
            format: FORMAT,
            run: "ab12cd34".to_owned(),
            plan_sha256: run.record.plan.sha256.clone(),
            targets: targets as u32,
            resumed: false,
            operator: None,
            apps: Vec::new(),
            approved: None,
            drill: false,
            confirmed: Vec::new(),
        }));
        run
    }

    pub(super) fn accepting(mut self, words: &[Outcome]) -> FixtureRun {
        self.record.settings.accept = words.iter().copied().collect::<AcceptedOutcomes>();
        self
    }

    pub(super) fn add_event(&mut self, event: &Event) {
        self.journal.push_str(&serde_json::to_string(event).unwrap());
        self.journal.push('\n');
    }

    pub(super) fn add_raw(&mut self, text: &str) {
        self.journal.push_str(text);
    }

    fn target_no(&self, user: &str) -> TargetNo {
        self.users.iter().position(|known| known == user).unwrap() as TargetNo + 1
    }

    pub(super) fn add_sent(&mut self, user: &str) {
        let event = Event::Sent(SentEvent {
            at: at(100),
            target: self.target_no(user),
            user: user.to_owned(),
            attempt: 1,
            client_request_id: Uuid::from_u128(7),
            app_id: None,
        });
        self.add_event(&event);
    }

    pub(super) fn add_answered(&mut self, user: &str, outcome: Outcome) {
        let event = Event::Answered(AnsweredEvent {
            at: at(150),
            target: self.target_no(user),
            user: user.to_owned(),
            attempt: 1,
            outcome,
            throttled_ms: 0,
            client_request_id: None,
            evidence: evidence(outcome, "will retry"),
        });
        self.add_event(&event);
    }

    pub(super) fn add_settled(&mut self, user: &str, outcome: Outcome, detail: &str) {
        let event = Event::Settled(Box::new(SettledEvent {
            at: at(250),
            target: self.target_no(user),
            user: user.to_owned(),
            outcome,
            evidence: evidence(outcome, detail),
            attempts: 1,
            throttled_ms: 40,
            first_sent_at: Some(at(100)),
            client_request_id: Some(Uuid::from_u128(7)),
        }));
        self.add_event(&event);
    }

    pub(super) fn add_stopping(&mut self, why: StopReason) {
        self.add_event(&Event::Stopping { at: at(900), why, tenant: None });
    }

    pub(super) fn add_ended(&mut self) {
        self.add_event(&Event::Ended { at: at(1_000) });
    }

    /// Writes the journal and makes the reports.
    pub(super) fn report(&self) -> Summary {
        fs::write(self.folder.journal_path(), &self.journal).unwrap();
        let users: Vec<u32> = self.users.iter().map(|user| fingerprint(user)).collect();
        let index = JournalIndex::read(self.folder.dir(), &users, &self.record.plan.sha256).unwrap();
        report::write(&self.folder, &self.record, &index).unwrap()
    }

    pub(super) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.file(name)).unwrap()
    }

    /// The cells of a CSV file, header first.
    pub(super) fn csv(&self, name: &str) -> Vec<Vec<String>> {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).from_path(self.folder.file(name)).unwrap();
        let row =
            |record: csv::Result<csv::StringRecord>| record.unwrap().iter().map(str::to_owned).collect();
        reader.records().map(row).collect()
    }

    /// The objects of `report.jsonl`.
    pub(super) fn objects(&self) -> Vec<serde_json::Value> {
        self.text("report.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A column of `report.csv`, without its header.
    pub(super) fn column(&self, name: &str) -> Vec<String> {
        let rows = self.csv("report.csv");
        let place = rows[0].iter().position(|column| column == name).unwrap();
        rows[1..].iter().map(|row| row[place].clone()).collect()
    }
}

fn evidence(outcome: Outcome, detail: &str) -> AnswerEvidence {
    let (http_status, error_code) = match outcome {
        Outcome::Revoked | Outcome::AcceptedNoEffect => (Some(200), None),
        Outcome::NotFound => (Some(404), Some("Request_ResourceNotFound")),
        Outcome::Forbidden => (Some(403), Some("Authorization_RequestDenied")),
        Outcome::ThrottledOut => (Some(429), Some("TooManyRequests")),
        Outcome::Failed => (Some(503), Some("serviceNotAvailable")),
        _ => (None, None),
    };
    AnswerEvidence {
        http_status,
        error_code: error_code.map(str::to_owned),
        detail: detail.to_owned(),
        request_id: http_status.map(|_| "b5a3c1d2-0000-4000-8000-00000000abcd".to_owned()),
        server_date: http_status.map(|_| "Sun, 22 Nov 2026 03:00:00 GMT".to_owned()),
        diagnostic: http_status.map(|_| "{\"ServerInfo\":{\"DataCenter\":\"North Europe\"}}".to_owned()),
        app_id: None,
    }
}

fn record(plan: &Path, columns: &[&str], rows: usize, targets: usize) -> RunRecord {
    serde_json::from_value(json!({
        "format": FORMAT,
        "id": "ab12cd34",
        "started_at": at(0),
        "version": "0.1.0",
        "case_id": "IR-2026-11",
        "cloud": "global",
        "tenant": "contoso.com",
        "tenant_id": "8a1d6b2e-63a1-4c52-9d51-0c9f5a4f2b11",
        "operator": {
            "auth": "client-secret", "app_id": "1f9a3f0e-2b0e-4f3d-8d52-6a1c2b3d4e5f", "user": null,
            "local_user": "responder", "host": "ir-laptop"
        },
        "inputs": [{ "name": "users.csv", "kind": "csv", "bytes": 4211, "sha256": "ab".repeat(32) }],
        "columns": columns,
        "plan": {
            "rows": rows, "targets": targets, "left_out": {}, "external": 0, "sha256": sha256_of_file(plan).unwrap()
        },
        "settings": {
            "jobs": 8, "rate": "20/s", "burst": null, "retries": 5, "timeout_ms": 30000, "deadline_ms": null,
            "halt": null, "max_users": null, "accept": [], "column": null, "graph_url": null,
            "authority_url": null, "client_id": null, "token_file": null, "ca_cert": null
        }
    }))
    .unwrap()
}
