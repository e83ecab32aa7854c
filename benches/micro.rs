//! Benchmarks of single steps: `cargo bench --bench micro`, or `cargo bench --bench micro -- journal`.
//!
//! They show which step became slower. For the cost of a complete run, see `benches/end_to_end`.

#![allow(clippy::unwrap_used, reason = "a benchmark panics if it can't measure")]

use std::fmt::Write as _;
use std::path::Path;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use entra_revoke::event::{AnswerEvidence, Event, SentEvent, SettledEvent};
use entra_revoke::files::Dir;
use entra_revoke::journal::{Journal, JournalIndex, fingerprint};
use entra_revoke::outcome::Outcome;
use jiff::Timestamp;
use uuid::Uuid;

/// The number of users in benchmarks over many users.
const USERS: u32 = 10_000;

fn main() {
    divan::main();
}

fn user(number: u32) -> String {
    format!("user{number:07}@contoso.com")
}

mod intake {
    use super::*;
    use entra_revoke::intake::{InputSource, IntakeOptions, open};
    use entra_revoke::plan::InputRows;

    /// A file with a header and the rows that `row` makes.
    fn list(folder: &Path, header: &str, row: impl Fn(u32) -> String) -> [InputSource; 1] {
        let mut text = header.to_owned();
        for number in 0..USERS {
            writeln!(text, "{}", row(number)).unwrap();
        }
        let path = folder.join("users");
        std::fs::write(&path, text).unwrap();
        [InputSource::File(path)]
    }

    fn four_column_list(folder: &Path) -> [InputSource; 1] {
        list(folder, "UPN,Name,Department,Notes\n", |number| {
            format!("{},Given Surname {number},Department,Some notes about {number}", user(number))
        })
    }

    fn read(bencher: Bencher, sources: &[InputSource]) {
        bencher
            .counter(ItemsCount::new(USERS))
            .bench_local(|| open(sources, &IntakeOptions::default()).unwrap().map(Result::unwrap).count());
    }

    #[divan::bench]
    fn plain_lines(bencher: Bencher) {
        let folder = tempfile::tempdir().unwrap();
        read(bencher, &list(folder.path(), "", user));
    }

    #[divan::bench]
    fn csv(bencher: Bencher) {
        let folder = tempfile::tempdir().unwrap();
        read(bencher, &four_column_list(folder.path()));
    }

    /// Reads rows as a plan does, with each user once.
    #[divan::bench]
    fn gather(bencher: Bencher) {
        let folder = tempfile::tempdir().unwrap();
        let sources = four_column_list(folder.path());
        bencher.counter(ItemsCount::new(USERS)).bench_local(|| {
            InputRows::read(open(&sources, &IntakeOptions::default()).unwrap()).unwrap().users
        });
    }
}

mod user_id {
    use super::*;
    use entra_revoke::user_id::UserId;

    const IDS: [&str; 4] = [
        "jo@contoso.com",
        "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f",
        "AdeleVance_adatum.com#EXT#@contoso.onmicrosoft.com",
        "$o'brien@contoso.com",
    ];

    #[divan::bench(args = IDS)]
    fn parsed(text: &str) -> UserId {
        black_box(text).parse().unwrap()
    }

    #[divan::bench(args = IDS)]
    fn encoded(bencher: Bencher, text: &str) {
        let id: UserId = text.parse().unwrap();
        bencher.bench(|| black_box(&id).request_path());
    }
}

mod pacer {
    use super::*;
    use entra_revoke::dispatch::{Pacer, PacerDecision, Rate};

    /// All calls for one request that succeeds.
    #[divan::bench]
    fn request(bencher: Bencher) {
        let rate: Rate = "1000000000/s".parse().unwrap();
        let mut pacer = Pacer::new(rate.pace(None, 1.0), u64::MAX);
        bencher.bench_local(|| match pacer.permit(1) {
            PacerDecision::Go(users) => {
                let departure = pacer.depart(users);
                pacer.passed(&departure, Some(0.1))
            }
            _ => false,
        });
    }
}

mod answers {
    use super::*;
    use entra_revoke::dispatch::{Verdict, verdict};
    use entra_revoke::graph::{ErrorBody, HttpResponse, UserReply};

    const TRUE: &str =
        r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean","value":true}"#;
    const THROTTLED: &str = r#"{"error":{"code":"TooManyRequests","message":"Please retry again later.","innerError":{"code":"429","date":"2026-11-22T20:00:00","message":"Please retry after","request-id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301","status":"429"}}}"#;

    #[divan::bench(args = [TRUE, THROTTLED])]
    fn body(text: &str) -> ErrorBody {
        ErrorBody::read(black_box(text).as_bytes())
    }

    #[divan::bench(args = [(200, TRUE), (429, THROTTLED)])]
    fn judge(bencher: Bencher, (status, text): (u16, &str)) {
        let reply = UserReply::Response(Box::new(HttpResponse {
            status,
            body: ErrorBody::read(text.as_bytes()),
            ..HttpResponse::default()
        }));
        bencher.bench(|| -> Verdict { verdict(black_box(&reply)) });
    }

    #[divan::bench]
    fn evidence(bencher: Bencher) {
        let response = HttpResponse {
            status: 200,
            body: ErrorBody::Truth(true),
            request_id: Some("3f2504e0-4f89-41d3-9a0c-0305e82c3301".to_owned()),
            date: Some("Sun, 22 Nov 2026 20:00:00 GMT".to_owned()),
            ..HttpResponse::default()
        };
        let reply = UserReply::Response(Box::new(response));
        bencher.bench(|| black_box(&reply).evidence());
    }
}

mod journal {
    use super::*;

    fn sent(target: u32) -> Event {
        let at = "2026-11-22T20:00:00.123Z".parse().unwrap();
        Event::Sent(SentEvent {
            at,
            target,
            user: user(target),
            attempt: 1,
            client_request_id: Uuid::from_u128(7),
            app_id: None,
        })
    }

    fn settled(target: u32) -> Event {
        let at: Timestamp = "2026-11-22T20:00:00.456Z".parse().unwrap();
        Event::Settled(Box::new(SettledEvent {
            at,
            target,
            user: user(target),
            outcome: Outcome::Revoked,
            evidence: AnswerEvidence {
                http_status: Some(200),
                request_id: Some(Uuid::from_u128(8).to_string()),
                server_date: Some("Sun, 22 Nov 2026 20:00:00 GMT".to_owned()),
                ..AnswerEvidence::default()
            },
            attempts: 1,
            throttled_ms: 0,
            first_sent_at: Some(at),
            client_request_id: Some(Uuid::from_u128(7)),
        }))
    }

    /// Encodes a line without writing it, for the two kinds that every user has.
    #[divan::bench(args = ["sent", "settled"])]
    fn encoded(bencher: Bencher, kind: &str) {
        let event = if kind == "sent" { sent(1) } else { settled(1) };
        let mut line = Vec::with_capacity(1 << 10);
        bencher.bench_local(|| {
            line.clear();
            serde_json::to_writer(&mut line, black_box(&event)).unwrap();
        });
    }

    /// One turn of the dispatcher: several `sent` lines and one write.
    #[divan::bench(args = [1, 16, 64])]
    fn append_and_write(bencher: Bencher, lines: u32) {
        let folder = tempfile::tempdir().unwrap();
        let mut journal =
            Journal::new(std::fs::File::create(folder.path().join("journal.jsonl")).unwrap(), 0).unwrap();
        let events: Vec<Event> = (1..=lines).map(sent).collect();
        bencher.counter(ItemsCount::new(lines)).bench_local(|| {
            for event in &events {
                journal.append(event).unwrap();
            }
            journal.flush().unwrap();
        });
    }

    /// The first pass over a complete journal, for a report or to resume.
    #[divan::bench]
    fn read_back(bencher: Bencher) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::new(std::fs::File::create(&path).unwrap(), 0).unwrap();
        for target in 1..=USERS {
            journal.append(&sent(target)).unwrap();
            journal.append(&settled(target)).unwrap();
        }
        journal.close().unwrap();
        let marks: Vec<u32> = (1..=USERS).map(|target| fingerprint(&user(target))).collect();
        let dir = Dir::open(folder.path()).unwrap();
        bencher
            .counter(ItemsCount::new(USERS))
            .bench_local(|| JournalIndex::read(&dir, &marks, "").unwrap().attempts(1));
    }
}
