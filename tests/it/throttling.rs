//! 429s: every form of `Retry-After` is waited out, none costs a retry, and only the deadline ends the waiting.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::ctx::{CommandResult, TestContext, user_list};
use entra_revoke::simulator::Ledger;
use jiff::Timestamp;
use serde_json::Value;

/// No request came during a wait, and each user was revoked exactly once.
#[track_caller]
fn patient_and_complete(ledger: &Ledger, count: usize) {
    assert_eq!(ledger.stats.early, 0, "{:?}", ledger.violations);
    assert_eq!(ledger.users.len(), count);
    assert!(ledger.users.iter().all(|user| user.effects == 1), "{:#?}", ledger.users);
}

fn time(line: &Value, field: &str) -> Timestamp {
    let text = line[field].as_str().expect("a time");
    text.parse().expect("a time in RFC 3339")
}

/// Does the same for each of them at once: what takes time here is waiting.
fn each<T: Copy + Send + Sync>(cases: &[T], run: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| run(*case));
        }
    });
}

#[test]
fn every_form_of_retry_after_is_honoured() {
    each(&["integer", "decimal", "date", "rfc850", "asctime", "joined", "lines"], |form| {
        // One more than the bucket holds; the next token is there after a second.
        let ctx = TestContext::new(&format!(
            "[quota]\nretry_after = '{form}'\napp = {{ limit = 10, window = '10s' }}\n"
        ));
        let input = ctx.input("users.txt", user_list(11));
        ctx.run(&input, &["--retries", "0", "-j", "32"]).exits(0);
        patient_and_complete(&ctx.ledger(), 11);
        let journal = ctx.run_folder().journal();
        let throttled: Vec<&Value> = journal.iter().filter(|line| line["event"] == "throttled").collect();
        assert!(!throttled.is_empty(), "{form}");
        for line in throttled {
            let told = line["retry_after_ms"].as_u64().unwrap_or_else(|| panic!("{form}: {line}"));
            let until = time(line, "until").as_millisecond() - time(line, "at").as_millisecond();
            assert!(until.unsigned_abs() + 5 >= told, "{form}: {line}");
            assert!(form == "decimal" || told % 1000 == 0, "{form}: {line}");
        }
    });
}

/// `Retry-After` as a fault's: the one 429 there is, so that the wait is known.
fn one_429(retry_after: &str, header_case: &str) -> (TestContext, CommandResult) {
    let ctx = TestContext::new(&format!(
        "header_case = '{header_case}'\n\
         [[fault]]\nmatch = 'u00@*'\nanswer = 429\ntimes = 1\nretry_after = '{retry_after}'\n"
    ));
    let input = ctx.input("users.txt", user_list(6));
    // One job, so that each request after the 429 comes after the wait.
    let done = ctx.run(&input, &["--retries", "0", "-j", "1"]);
    (ctx, done)
}

#[test]
fn no_request_is_sent_during_a_wait() {
    let cases = [
        ("1", "title", 1.0),
        ("1", "lowercase", 1.0),
        ("0.7", "title", 0.7),
        ("0.1, 0.8", "title", 0.8),
        ("0.8, Sun, 06 Nov 1994 08:49:37 GMT", "title", 0.8),
        ("0.0004", "title", 0.0),
        ("", "title", 0.3),
        ("soon", "title", 0.3),
    ];
    each(&cases, |(retry_after, header_case, least)| {
        let (ctx, done) = one_429(retry_after, header_case);
        done.exits(0);
        let ledger = ctx.ledger();
        patient_and_complete(&ledger, 6);
        let told = ledger.user("u00@contoso.com").unwrap();
        assert_eq!(told.requests, 2);
        for other in ledger.users.iter().filter(|user| user.id != told.id) {
            let gap = other.first_s - told.first_s;
            assert!(gap >= least, "{retry_after:?}: {} came after {gap} s", other.id);
        }
        let row = ctx.run_folder().row("u00@contoso.com");
        assert_eq!([&row["outcome"], &row["attempts"]], ["revoked", "2"]);
        let waited: f64 = row["throttled_ms"].parse().unwrap();
        assert!(waited >= least * 1000.0 - 1.0, "{retry_after:?}: {waited} ms");
        assert_eq!(ctx.run_folder().row("u03@contoso.com")["throttled_ms"], "0");
    });
}

/// A 403 that says `TooManyRequests` and how long to wait is not a refusal, alone or in a batch, and does not count as a try.
#[test]
fn a_throttling_403_is_waited_out() {
    each(&["1", "20"], |size| {
        let ctx = TestContext::new(
            "[[fault]]\nmatch = 'u00@*'\nanswer = 403\ncode = 'TooManyRequests'\ntimes = 2\nretry_after = '0.4'\n\
             [[fault]]\nmatch = 'u05@*'\nanswer = 403\ncode = 'TooManyRequests'\n",
        );
        let input = ctx.input("users.txt", user_list(6));
        let done = ctx.run(&input, &["--retries", "0", "-j", "1", "--batch-size", size]);
        done.exits(3);
        let folder = ctx.run_folder();
        let row = folder.row("u00@contoso.com");
        assert_eq!([&row["outcome"], &row["attempts"]], ["revoked", "3"]);
        assert!(row["throttled_ms"].parse::<f64>().unwrap() >= 800.0, "{row:?}");
        let row = folder.row("u05@contoso.com");
        assert_eq!([&row["outcome"], &row["attempts"]], ["forbidden", "1"], "the body alone says nothing");
    });
}

#[test]
fn after_the_wait_one_probe_goes_first() {
    // The first to come is throttled for 0.6 s, its second request takes a while: until its answer, no other request may come.
    let ctx = TestContext::new(
        "[[fault]]\nmatch = 'u00@*'\nanswer = 429\ntimes = 1\nretry_after = '0.6'\n\
         [[fault]]\nmatch = 'u00@*'\nanswer = 'delay'\ndelay = '500ms'\n",
    );
    let input = ctx.input("users.txt", user_list(6));
    // A slow pace, so that most have not left when the 429 comes.
    ctx.run(&input, &["-j", "16", "--rate", "5/s", "--burst", "1"]).exits(0);
    let ledger = ctx.ledger();
    patient_and_complete(&ledger, 6);
    let probe = ledger.user("u00@contoso.com").unwrap();
    assert_eq!(probe.requests, 2);
    let behind = ledger.users.iter().filter(|user| user.first_s > probe.first_s + 0.6);
    let first_behind = behind.map(|user| user.first_s).fold(f64::INFINITY, f64::min);
    assert!(first_behind >= probe.last_s + 0.5, "{first_behind} against the probe's {}", probe.last_s);
}

#[test]
fn resume_sends_one_request_first_after_a_wait_beyond_max_wait() {
    let ctx = TestContext::new("[[fault]]\nanswer = 429\nretry_after = '7200'\n");
    let input = ctx.users(30);
    ctx.run(&input, &["--batch-size", "1"]).exits(3);
    let before = ctx.stats().revocations;
    let done = ctx.finish(ctx.command("resume").arg(ctx.run_folder().path));
    done.exits(3);
    assert_eq!(ctx.stats().revocations - before, 1, "{}", done.stderr);
    assert!(!done.stderr.contains("for another"), "it says that it waits: {}", done.stderr);
    ctx.simulator.change_config("fault = []").unwrap();
    ctx.finish(ctx.command("resume").arg(ctx.run_folder().path)).exits(0);
}

#[test]
fn a_throttled_probe_closes_the_gate_again() {
    let ctx = TestContext::new("[[fault]]\nmatch = 'u00@*'\nanswer = 429\ntimes = 2\nretry_after = '0.2'\n");
    let input = ctx.input("users.txt", user_list(4));
    ctx.run(&input, &["--retries", "0", "-j", "1"]).exits(0);
    let ledger = ctx.ledger();
    patient_and_complete(&ledger, 4);
    assert_eq!(ledger.stats.throttled, 2);
    let row = ctx.run_folder().row("u00@contoso.com");
    assert_eq!([&row["outcome"], &row["attempts"]], ["revoked", "3"]);
    assert!(row["throttled_ms"].parse::<u64>().unwrap() >= 400, "{row:#?}");
    assert!(ctx.run_folder().summary()["throttled"].as_u64().unwrap() >= 2);
}

#[test]
fn every_quota_style_lets_all_users_through() {
    let cases = [
        ("token-bucket", "decimal", "documented"),
        ("fixed-window", "one", "identifier"),
        ("fixed-window", "decimal", "unknown"),
        ("strict-bucket", "missing", "documented"),
        ("strict-bucket", "integer", "documented"),
    ];
    each(&cases, |(style, retry_after, body)| {
        let ctx = TestContext::new(&format!(
            "[quota]\nretry_after = '{retry_after}'\nbody = '{body}'\n\
             app = {{ limit = 20, window = '1s', style = '{style}' }}\n"
        ));
        let input = ctx.input("users.txt", user_list(30));
        ctx.run(&input, &["--retries", "0", "-j", "4"]).exits(0);
        let ledger = ctx.ledger();
        patient_and_complete(&ledger, 30);
        let told: BTreeSet<String> =
            ctx.run_folder().rows().iter().map(|row| row["outcome"].clone()).collect();
        assert_eq!(told, ["revoked".to_owned()].into(), "{style}, {retry_after}");
        let requests: u64 = ledger.users.iter().map(|user| user.requests).sum();
        let attempts = ctx.run_folder().summary()["attempts"].as_u64();
        assert_eq!(attempts, Some(requests), "{style}, {retry_after}");
    });
}

#[test]
fn a_tenant_quota_throttles() {
    let ctx = TestContext::new("[quota]\nretry_after = 'decimal'\ntenant = { limit = 10, window = '1s' }\n");
    let input = ctx.input("users.txt", user_list(16));
    ctx.run(&input, &["--retries", "0"]).exits(0);
    patient_and_complete(&ctx.ledger(), 16);
    let journal = ctx.run_folder().journal();
    let throttled = journal.iter().find(|line| line["event"] == "throttled").expect("a 429");
    assert!(throttled["scope"].as_str().unwrap().starts_with("Tenant/Write/"), "{throttled}");
    assert_eq!(throttled["information"], "WriteLimitExceeded");
}

#[test]
fn only_the_deadline_ends_throttling() {
    let ctx = TestContext::new("[[fault]]\nmatch = 'u00@*'\nanswer = 429\nretry_after = '30'\n");
    let input = ctx.input("users.txt", user_list(3));
    let done = ctx.run(&input, &["-j", "1", "--deadline", "2s"]);
    done.exits(5);
    let folder = ctx.run_folder();
    let rows = folder.rows();
    let words: Vec<&str> = rows.iter().map(|row| row["outcome"].as_str()).collect();
    assert_eq!(words, ["throttled_out", "not_attempted", "not_attempted"]);
    assert_eq!([&rows[0]["http_status"], &rows[0]["attempts"]], ["429", "1"]);
    assert_eq!([&rows[1]["http_status"], &rows[1]["attempts"], &rows[1]["first_sent_at"]], ["", "0", ""]);
    assert_eq!(ctx.stats().revocations, 1);
    assert_eq!(folder.summary()["stopped"]["reason"], "deadline");
    assert!(folder.summary()["duration_ms"].as_u64().unwrap() < 2_500, "it waited for nothing");
    let remaining = folder.text("remaining.csv");
    assert_eq!(remaining.lines().count(), 4, "{remaining}");
}

#[test]
fn a_deadline_between_two_waits_ends_the_run() {
    let ctx = TestContext::new("[[fault]]\nanswer = 429\nretry_after = '0.3'\n");
    let input = ctx.input("users.txt", user_list(5));
    ctx.run(&input, &["--deadline", "1s"]).exits(5);
    let folder = ctx.run_folder();
    for row in folder.rows() {
        let word = if row["attempts"] == "0" { "not_attempted" } else { "throttled_out" };
        assert_eq!(row["outcome"], word, "{row:#?}");
        assert!(word == "not_attempted" || row["throttled_ms"] != "0", "{row:#?}");
    }
    assert_eq!(ctx.stats().early, 0);
    assert_eq!(ctx.stats().effects, 0);
}

#[test]
fn an_unreached_deadline_has_no_effect() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", user_list(5));
    ctx.run(&input, &["--deadline", "1m"]).exits(0);
    assert_eq!(ctx.run_folder().summary()["stopped"], Value::Null);
}

/// A run against a Graph that never has room; how long it took.
fn never_served(retry_after: &str, deadline: &str) -> (TestContext, Duration) {
    let ctx = TestContext::new(&format!("[[fault]]\nanswer = 429\nretry_after = '{retry_after}'\n"));
    let input = ctx.input("users.txt", user_list(5));
    let began = Instant::now();
    ctx.run(&input, &["--deadline", deadline]).exits(5);
    let took = began.elapsed();
    let folder = ctx.run_folder();
    assert_eq!(folder.summary()["stopped"]["reason"], "deadline");
    assert!(ctx.stats().effects == 0 && ctx.stats().early == 0);
    (ctx, took)
}

#[test]
fn only_a_known_wait_ends_a_run_before_its_deadline() {
    each(&[("1", "7s", 5900, 11_000), ("3600", "60s", 0, 20_000)], |(retry_after, deadline, least, most)| {
        let (_stage, took) = never_served(retry_after, deadline);
        let span = Duration::from_millis(least)..Duration::from_millis(most);
        assert!(span.contains(&took), "Retry-After: {retry_after}, --deadline {deadline}: {took:?}");
    });
}
