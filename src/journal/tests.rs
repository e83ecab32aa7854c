//! Reads the journal back from any contents that a disk may have.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};

use proptest::prelude::*;
use uuid::Uuid;

use super::{FORMAT, Journal, JournalIndex, RunFolder, fingerprint};
use crate::event::{
    AnswerEvidence, AnsweredEvent, BeganEvent, Event, EventScope, SentEvent, SettledEvent, StopReason,
    TargetNo, ThrottledEvent,
};
use crate::files::Dir;
use crate::outcome::{AcceptedOutcomes, Outcome};

const USERS: TargetNo = 5;
const PLAN: &str = "00aa";

fn user(target: TargetNo) -> String {
    // Characters that JSON escapes are part of it.
    format!("\"ü\\{target}\"@contoso.com")
}

fn fingerprints() -> Vec<u32> {
    (1..=USERS).map(|target| fingerprint(&user(target))).collect()
}

fn read(bytes: &[u8]) -> Result<JournalIndex, super::JournalReadError> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("journal.jsonl"), bytes).unwrap();
    JournalIndex::read(&Dir::open(dir.path()).unwrap(), &fingerprints(), PLAN)
}

fn began() -> Event {
    Event::Began(BeganEvent {
        at: crate::dispatch::now(),
        format: FORMAT,
        run: "ab12cd34".to_owned(),
        plan_sha256: PLAN.to_owned(),
        targets: USERS,
        resumed: false,
        operator: None,
        apps: Vec::new(),
        approved: None,
        drill: false,
        confirmed: Vec::new(),
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop::sample::select(vec![
        Outcome::Revoked,
        Outcome::Revoked,
        Outcome::AcceptedNoEffect,
        Outcome::NotFound,
        Outcome::Failed,
        Outcome::InDoubt,
        Outcome::ThrottledOut,
    ])
}

fn event() -> impl Strategy<Value = Event> {
    let at = crate::dispatch::now();
    let target = 1..=USERS;
    let evidence = || AnswerEvidence { detail: "a\nb\u{0}\"c\"".to_owned(), ..AnswerEvidence::default() };
    prop_oneof![
        4 => (target.clone(), 1..9u32).prop_map(move |(target, attempt)| Event::Sent(SentEvent {
            at, target, user: user(target), attempt, client_request_id: Uuid::nil(), app_id: None,
        })),
        2 => (target.clone(), 1..9u32, outcome()).prop_map(move |(target, attempt, outcome)| {
            // An answer that settles nothing never says `revoked`.
            let outcome = if outcome == Outcome::Revoked { Outcome::Failed } else { outcome };
            Event::Answered(AnsweredEvent { at, target, user: user(target), attempt, outcome, throttled_ms: 0, client_request_id: None, evidence: evidence() })
        }),
        4 => (target, 1..9u32, outcome()).prop_map(move |(target, attempts, outcome)| {
            Event::Settled(Box::new(SettledEvent {
                at, target, user: user(target), outcome, evidence: evidence(), attempts,
                throttled_ms: 7, first_sent_at: Some(at), client_request_id: None,
            }))
        }),
        1 => Just(Event::Throttled(ThrottledEvent {
            at, until: at, retry_after_ms: None, event_scope: EventScope::default(), scope: None, information: None,
        })),
        1 => Just(Event::Stopping { at, why: StopReason::Interrupted, tenant: None }),
        1 => Just(Event::Ended { at }),
        1 => Just(began()),
    ]
}

/// Journals as the program writes them, each line with its event.
fn journal() -> impl Strategy<Value = Vec<(Event, Vec<u8>)>> {
    prop::collection::vec(event(), 0..40).prop_map(|events| {
        let line = |event: Event| {
            let mut line = serde_json::to_vec(&event).unwrap();
            line.push(b'\n');
            (event, line)
        };
        std::iter::once(began()).chain(events).map(line).collect()
    })
}

fn text(lines: &[(Event, Vec<u8>)]) -> Vec<u8> {
    lines.iter().flat_map(|(_, line)| line.clone()).collect()
}

/// The outcome of each target after these events, computed in the simplest way.
fn expected_outcomes<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Outcome> {
    let mut words = vec![Outcome::NotAttempted; USERS as usize];
    for event in events {
        let (target, outcome) = match event {
            Event::Sent(sent) => (sent.target, Outcome::InDoubt),
            Event::Answered(answered) => (answered.target, answered.outcome),
            Event::Settled(settled) => (settled.target, settled.outcome),
            _ => continue,
        };
        let word = &mut words[target as usize - 1];
        if *word != Outcome::Revoked {
            *word = outcome;
        }
    }
    words
}

fn indexed_outcomes(index: &JournalIndex) -> Vec<Outcome> {
    (1..=USERS).map(|target| index.outcome(target)).collect()
}

fn recorded_as_revoked(lines: &[(Event, Vec<u8>)]) -> BTreeSet<TargetNo> {
    let revoked = lines.iter().filter_map(|(event, _)| match event {
        Event::Settled(settled) if settled.outcome == Outcome::Revoked => Some(settled.target),
        _ => None,
    });
    revoked.collect()
}

fn indexed_as_revoked(index: &JournalIndex) -> BTreeSet<TargetNo> {
    (1..=USERS).filter(|target| index.outcome(*target) == Outcome::Revoked).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn arbitrary_bytes_never_panic_and_revoke_nobody(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        if let Ok(index) = read(&bytes) {
            prop_assert_eq!(index.outstanding(&AcceptedOutcomes::default()).count(), USERS as usize);
            for target in 0..=USERS + 1 {
                index.target_state(target).unwrap();
            }
        }
    }

    #[test]
    fn truncated_journal_reads_its_complete_lines(lines in journal(), cut in any::<prop::sample::Index>()) {
        let text = text(&lines);
        let cut = cut.index(text.len() + 1);
        let mut end = 0;
        let complete: Vec<_> = lines.iter().take_while(|(_, line)| { end += line.len(); end <= cut }).collect();
        let index = read(&text[..cut]).unwrap();
        prop_assert_eq!(indexed_outcomes(&index), expected_outcomes(complete.iter().map(|(event, _)| event)));
        prop_assert_eq!(index.damaged, 0);
        for target in 1..=USERS {
            prop_assert_eq!(index.target_state(target).unwrap().outcome, index.outcome(target));
        }
    }

    #[test]
    fn done_and_outstanding_targets_partition_the_plan(lines in journal(), accepts in any::<bool>()) {
        let index = read(&text(&lines)).unwrap();
        let accepted: AcceptedOutcomes = accepts.then_some(Outcome::NotFound).into_iter().collect();
        let outstanding: BTreeSet<TargetNo> = index.outstanding(&accepted).collect();
        let settled: BTreeSet<TargetNo> = (1..=USERS).filter(|target| accepted.is_done(index.outcome(*target))).collect();
        prop_assert!(outstanding.is_disjoint(&settled));
        prop_assert_eq!(outstanding.union(&settled).copied().collect::<Vec<_>>(), (1..=USERS).collect::<Vec<_>>());
    }

    #[test]
    fn damaged_byte_never_adds_a_revoked_target(
        lines in journal(),
        at in any::<prop::sample::Index>(),
        damage in prop::collection::vec(any::<u8>(), 1..40),
        replaces in any::<bool>(),
    ) {
        let mut bytes = text(&lines);
        let at = at.index(bytes.len());
        let end = if replaces { (at + damage.len()).min(bytes.len()) } else { at };
        bytes.splice(at..end, damage);
        // A journal is refused as a whole if its damage makes it one of another plan or of a newer format.
        if let Ok(index) = read(&bytes) {
            prop_assert!(indexed_as_revoked(&index).is_subset(&recorded_as_revoked(&lines)));
            for target in 1..=USERS {
                index.target_state(target).unwrap();
            }
        }
    }

    #[test]
    fn resumed_journal_appends_after_last_complete_line(
        lines in journal(),
        cut in any::<prop::sample::Index>(),
        garbage in prop::collection::vec(any::<u8>().prop_filter("one line", |byte| *byte != b'\n'), 0..40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let text = text(&lines);
        let mut torn = text[..cut.index(text.len() + 1)].to_vec();
        torn.extend_from_slice(&garbage);
        fs::write(&path, &torn).unwrap();
        let whole = torn.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);

        // The file that makes it a run folder.
        fs::write(dir.path().join("run.json"), "{}").unwrap();
        let run = RunFolder::open(dir.path()).unwrap();
        let folder = run.dir();
        let before = JournalIndex::read(folder, &fingerprints(), PLAN).unwrap();
        let known = indexed_outcomes(&before);
        let mut journal = before.into_journal(&run).unwrap();
        journal.append(&began()).unwrap();
        journal.close().unwrap();
        let now = fs::read(&path).unwrap();
        prop_assert!(now.starts_with(&torn[..whole]));
        let added: Event = serde_json::from_slice(&now[whole..]).unwrap();
        prop_assert!(matches!(added, Event::Began(_)) && now.ends_with(b"\n"));
        let after = JournalIndex::read(folder, &fingerprints(), PLAN).unwrap();
        prop_assert_eq!(indexed_outcomes(&after), known);
        prop_assert_eq!((after.complete_bytes, after.ended_at), (now.len() as u64, None));
    }
}

#[test]
fn a_flush_that_fails_leaves_whole_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    fs::write(&path, "").unwrap();
    // A handle that can't write acts as a full disk.
    let mut journal = Journal::new(OpenOptions::new().read(true).open(&path).unwrap(), 0).unwrap();
    journal.append(&began()).unwrap();
    journal.flush().unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"");
    // The collected lines are dropped, and are not written again without the caller's knowledge.
    journal.flush().unwrap();
    assert_eq!(*journal.synced().borrow().as_ref().unwrap(), 0);
}

#[test]
fn synced_count_excludes_unsynced_lines() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let mut journal = Journal::new(fs::File::create(&path).unwrap(), 0).unwrap();
    let end = journal.append(&began()).unwrap();
    let synced = journal.synced();
    assert_eq!(*synced.borrow().as_ref().unwrap(), 0);
    journal.flush().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), end);
    journal.close().unwrap();
    assert_eq!(*synced.borrow().as_ref().unwrap(), end);
}

/// A pipe can be written to but not synced, which acts as a failing `fsync`.
#[cfg(unix)]
#[test]
fn a_sync_that_fails_is_told_and_ends_the_syncing() {
    let (reader, writer) = std::io::pipe().unwrap();
    let file = std::fs::File::from(std::os::fd::OwnedFd::from(writer));
    let mut journal = Journal::new(file, 0).unwrap();
    let synced = journal.synced();
    journal.append(&began()).unwrap();
    journal.flush().unwrap();
    journal.request_sync();
    let error = journal.close().unwrap_err();
    assert!(error.to_string().contains("can't write the journal"), "{error}");
    assert!(synced.borrow().is_err());
    drop(reader);
}

/// What is left of a wait, in seconds, if the journal has these times (in seconds since 1970).
fn remaining(at: i64, until: i64, retry_after: Option<u64>, now: i64) -> Option<u64> {
    let time = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap();
    let event = Event::Throttled(ThrottledEvent {
        at: time(at),
        until: time(until),
        retry_after_ms: retry_after.map(|seconds| seconds.saturating_mul(1_000)),
        event_scope: EventScope::default(),
        scope: None,
        information: None,
    });
    let mut lines = Vec::new();
    for event in [began(), event] {
        lines.extend(serde_json::to_vec(&event).unwrap());
        lines.push(b'\n');
    }
    let index = read(&lines).unwrap();
    let closings = index.throttle_waits.get(&None)?;
    closings.iter().filter_map(|closing| closing.remaining(time(now))).max().map(|left| left.as_secs())
}

#[test]
fn wrong_clock_never_extends_retry_after() {
    const NOW: i64 = 1_800_000_000;
    const YEARS: i64 = 100_000_000;
    assert_eq!(remaining(NOW - 10, NOW + 50, Some(60), NOW), Some(50));
    assert_eq!(remaining(NOW - 70, NOW - 10, Some(60), NOW), None);
    // The clock was years ahead then, or is years behind now.
    assert_eq!(remaining(NOW + YEARS, NOW + YEARS + 60, Some(60), NOW), Some(60));
    assert_eq!(remaining(NOW - YEARS, NOW - YEARS + 60, Some(60), NOW), None);
    // The end that was written is not the wait that Graph asked for.
    assert_eq!(remaining(NOW, NOW + YEARS, Some(60), NOW), Some(60));
    assert_eq!(remaining(NOW, NOW + YEARS, None, NOW), Some(15), "nobody asked for anything");
    assert_eq!(remaining(NOW, NOW + 3, None, NOW), Some(3));
    assert_eq!(remaining(NOW, NOW + 60, Some(u64::MAX), NOW), Some(60));
    assert_eq!(remaining(NOW + 60, NOW, Some(60), NOW), None);
    let longest = 253_402_207_200;
    assert_eq!(remaining(-377_705_023_201, longest, Some(u64::MAX), -377_705_023_201), Some(366 * 86_400));
}
