//! Signing in: an app's secret, ready tokens, renewal, and every way in which it fails.

mod plain_server;
mod stage;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entra_revoke::simulator::TokenKind;
use stage::{Done, Stage};

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
const SECRET: &str = "fake-secret-CANARY-77aa";

/// The token endpoint of one app, and Graph, which takes only its tokens.
fn app_only(more: &str) -> Stage {
    let (top, tables) = match more.split_once("[[") {
        Some((top, tables)) => (top, format!("[[{tables}")),
        None => (more, String::new()),
    };
    Stage::new(&format!(
        "accept_any_token = false\n\
         token = {{ tenant = '{TENANT}', client_id = '{APP}', secret = '{SECRET}' {top} }}\n{tables}"
    ))
}

/// `run` as that app.
fn as_app(stage: &Stage, input: &Path) -> Command {
    as_app_at(stage, &stage.simulator.url(), input)
}

/// `run` as the app against another authority.
fn as_app_at(stage: &Stage, authority: &str, input: &Path) -> Command {
    let mut command = stage.bare("run");
    command.env("AZURE_TENANT_ID", TENANT).env("AZURE_CLIENT_ID", APP).env("AZURE_CLIENT_SECRET", SECRET);
    command.args(["--graph-url", &stage.simulator.url(), "--authority-url", authority, "--yes"]).arg(input);
    command
}

fn with_token(stage: &Stage, token: &str, input: &Path) -> Command {
    let mut command = stage.command("run");
    command.env("ENTRA_REVOKE_TOKEN", token).arg(input);
    command
}

fn users(stage: &Stage, count: usize) -> std::path::PathBuf {
    let users: String = (0..count).map(|n| format!("u{n:02}@contoso.com\n")).collect();
    stage.input("users.txt", users)
}

/// It ended with exit code 4 before anything was sent, and said these things.
#[track_caller]
fn refused(stage: &Stage, done: &Done, says: &[&str]) {
    done.exits(4);
    for words in says {
        assert!(done.stderr.contains(words), "{words:?} is not in: {}", done.stderr);
    }
    assert!(!done.stderr.contains(SECRET), "{}", done.stderr);
    assert_eq!(stage.stats().revocations, 0);
    assert!(stage.folders().is_empty(), "a run folder was made for nothing");
}

#[test]
fn an_app_signs_in_with_its_secret() {
    let stage = app_only("");
    let input = users(&stage, 5);
    stage.finish(&mut as_app(&stage, &input)).exits(0);
    let stats = stage.stats();
    assert_eq!((stats.token_requests, stats.tokens_issued, stats.bad_auth), (1, 1, 0));
    let summary = stage.folder().summary();
    assert_eq!(summary["operator"]["auth"], "client-secret");
    assert_eq!(summary["operator"]["app_id"], APP);
    assert_eq!(summary["tenant_id"], TENANT);
}

#[test]
fn flags_name_the_app_as_well_as_the_environment_does() {
    let stage = app_only("");
    let input = users(&stage, 1);
    let mut command = stage.bare("run");
    command.env("AZURE_CLIENT_SECRET", SECRET).args(["--tenant", TENANT, "--app-id", APP, "--yes"]);
    command.args(["--graph-url", &stage.simulator.url(), "--authority-url", &stage.simulator.url()]);
    stage.finish(command.arg(&input)).exits(0);
}

#[test]
fn a_secret_with_odd_characters_arrives_whole() {
    let odd = "a+b c&d=e%25~ü'\"";
    let stage = Stage::new(&format!("accept_any_token = false\n[token]\nsecret = '''{odd}'''\n"));
    let input = users(&stage, 1);
    stage.finish(as_app(&stage, &input).env("AZURE_CLIENT_SECRET", odd)).exits(0);
}

#[test]
fn a_short_lived_token_is_renewed_while_the_run_goes_on() {
    let stage = app_only(", lifetime = '2s'");
    let input = users(&stage, 50);
    stage.finish(as_app(&stage, &input).args(["--rate", "20/s", "--burst", "1"])).exits(0);
    let ledger = stage.ledger();
    assert!(ledger.stats.tokens_issued >= 2, "{:?}", ledger.stats);
    assert!(ledger.users.iter().all(|user| user.effects == 1));
    let renewed = stage.folder().journal().iter().filter(|line| line["event"] == "renewed").count();
    assert_eq!(renewed as u64, ledger.stats.tokens_issued - 1);
}

#[test]
fn a_401_is_answered_with_one_new_token() {
    let stage = app_only("[[fault]]\nanswer = 'revoke-token'\nfirst = 1\n");
    let input = users(&stage, 30);
    stage.finish(as_app(&stage, &input).args(["--retries", "0"])).exits(0);
    let ledger = stage.ledger();
    assert_eq!(ledger.stats.tokens_issued, 2, "one for all, however many were refused");
    assert!(ledger.users.iter().all(|user| user.effects == 1));
}

#[test]
fn a_new_token_that_is_refused_as_well_ends_the_run() {
    let stage = app_only("[[fault]]\nanswer = 'expired-token'\n");
    let input = users(&stage, 10);
    let done = stage.finish(as_app(&stage, &input).args(["-j", "1"]));
    done.exits(4);
    assert!(done.stdout.contains("Graph refused a fresh access token"), "{}", done.stdout);
    let stats = stage.stats();
    assert_eq!((stats.tokens_issued, stats.revocations), (2, 2), "one user, with each token once");
    let folder = stage.folder();
    assert_eq!(folder.summary()["stopped"]["reason"], "sign_in");
    assert_eq!(folder.text("remaining.csv").lines().count(), 11, "nobody is done");

    stage.simulator.change("fault = []").unwrap();
    let mut resume = stage.command("resume");
    resume.env_remove("ENTRA_REVOKE_TOKEN").env("AZURE_CLIENT_SECRET", SECRET).arg(&folder.path);
    stage.finish(&mut resume).exits(0);
    assert!(stage.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn a_ready_token_that_is_refused_ends_the_run() {
    let stage = Stage::new("[[fault]]\nmatch = 'u03@*'\nanswer = 'revoke-token'\nfirst = 1\n");
    let input = users(&stage, 6);
    let done = stage.run(&input, &["-j", "1"]);
    done.exits(4);
    let folder = stage.folder();
    let sentence = folder.summary()["stopped"]["sentence"].as_str().unwrap().to_owned();
    assert!(sentence.contains("get a new one"), "{sentence}");
    let words: Vec<String> = folder.rows().iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(words[..3], ["revoked", "revoked", "revoked"]);
    assert_eq!(words[4..], ["not_attempted", "not_attempted"]);

    let resumed =
        stage.finish(stage.command("resume").env("ENTRA_REVOKE_TOKEN", "another").arg(&folder.path));
    resumed.exits(0);
    assert!(stage.ledger().users.iter().all(|user| user.effects == 1));
}

/// Waits for the simulator to have seen something.
fn until(stage: &Stage, seen: impl Fn(&Stage) -> bool) {
    let began = Instant::now();
    while !seen(stage) {
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", stage.stats());
        std::thread::yield_now();
    }
}

#[test]
fn a_token_file_that_was_rewritten_is_read_again_at_a_401() {
    let stage = Stage::new("accept_any_token = false\n");
    let mint = || stage.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    let file = stage.input("token.txt", format!("{}\n", mint()));
    let input = users(&stage, 60);
    let mut command = stage.bare("run");
    command.args(["--graph-url", &stage.simulator.url(), "--yes", "--rate", "30/s", "--burst", "1"]);
    let run = stage.start(command.arg("--token-file").arg(&file).arg(&input));
    until(&stage, |stage| stage.stats().effects > 0);
    std::fs::write(&file, format!("Bearer {}\r\n", mint())).unwrap();
    stage.simulator.change("[[fault]]\nanswer = 'revoke-token'\nfirst = 1\n").unwrap();
    Done::from(run.wait_with_output().unwrap()).exits(0);
    let ledger = stage.ledger();
    assert!(ledger.stats.answers["401"] >= 1, "{:?}", ledger.stats);
    assert!(ledger.users.len() == 60 && ledger.users.iter().all(|user| user.effects == 1));
}

#[test]
fn a_token_file_rewritten_for_another_tenant_ends_the_run() {
    let stage = Stage::new("");
    let of = |tenant: &str| {
        let claims = serde_json::json!({ "tid": tenant, "roles": ["User.RevokeSessions.All"] });
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    };
    let file = stage.input("token.txt", of(TENANT));
    let input = users(&stage, 60);
    let mut command = stage.bare("run");
    command.args(["--graph-url", &stage.simulator.url(), "--yes", "--rate", "30/s", "--burst", "1"]);
    let run = stage.start(command.arg("--token-file").arg(&file).arg(&input));
    until(&stage, |stage| stage.stats().effects > 0);
    std::fs::write(&file, of("11111111-0000-4000-8000-000000000001")).unwrap();
    stage.simulator.change("[[fault]]\nanswer = 'expired-token'\n").unwrap();
    until(&stage, |stage| stage.ledger().stats.answers.contains_key("401"));
    stage.simulator.change("fault = []\n").unwrap();
    let effects = stage.stats().effects;
    let done = Done::from(run.wait_with_output().unwrap());
    done.exits(4);
    assert!(done.stdout.contains("11111111-0000-4000-8000-000000000001"), "{}", done.stdout);
    assert_eq!(stage.stats().effects, effects, "somebody was sent with another tenant's token");
}

/// A user's token, as far as it tells.
fn person(upn: &str) -> String {
    let claims =
        serde_json::json!({ "tid": TENANT, "upn": upn, "oid": upn, "scp": "User.RevokeSessions.All" });
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[test]
fn me_stays_whoever_began_the_run() {
    let stage = Stage::new("[[fault]]\nanswer = 'expired-token'\n");
    let input = stage.input("users.txt", "ann@contoso.com\nme\n");
    stage.finish(&mut with_token(&stage, &person("operator@contoso.com"), &input)).exits(4);
    stage.simulator.change("fault = []").unwrap();
    let folder = stage.folder();
    let resume = |token: &str| {
        let mut resume = stage.command("resume");
        stage.finish(resume.env("ENTRA_REVOKE_TOKEN", token).arg(&folder.path))
    };
    for other in [person("mallory@contoso.com"), "opaque".to_owned()] {
        let done = resume(&other);
        done.exits(2);
        assert!(done.stderr.contains("operator@contoso.com, who began the run"), "{}", done.stderr);
        assert_eq!(stage.stats().effects, 0);
    }
    resume(&person("Operator@contoso.com")).exits(0);
    let began = folder.journal().into_iter().filter(|line| line["event"] == "began");
    let operators: Vec<String> = began.map(|line| line["operator"].as_str().unwrap().to_owned()).collect();
    assert_eq!(operators, ["token as operator@contoso.com", "token as Operator@contoso.com"]);
}

#[test]
fn a_token_answer_without_a_life_goes_by_the_token() {
    let end = jiff::Timestamp::now().as_second() + 3600;
    let claims = URL_SAFE_NO_PAD.encode(serde_json::json!({ "exp": end }).to_string());
    let body = format!(r#"{{"token_type":"Bearer","access_token":"e30.{claims}.c2ln"}}"#);
    let (authority, seen) = plain_server::serve(move |_| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    let stage = Stage::new("");
    let input = users(&stage, 3);
    stage.finish(&mut as_app_at(&stage, &authority, &input)).exits(0);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn a_flag_of_another_way_is_not_passed_over() {
    let stage = Stage::new("");
    let input = users(&stage, 1);
    let secret = stage.input("secret.txt", "fake");
    for auth in ["managed-identity", "certificate", "token", "device-code"] {
        let mut command = stage.bare("run");
        command.args(["--graph-url", &stage.simulator.url(), "--yes", "--auth", auth]).arg(&input);
        let done = stage.finish(command.arg("--client-secret-file").arg(&secret));
        done.exits(2);
        let says = format!("--auth {auth} makes no use of --client-secret-file");
        assert!(done.stderr.contains(&says), "{}", done.stderr);
        assert_eq!(stage.stats().requests, 0);
    }
}

#[test]
fn a_rate_above_the_quota_is_told_before_anything_is_sent() {
    let stage = Stage::new("");
    let input = users(&stage, 1);
    let told = |args: &[&str]| stage.run(&input, args).exits(0).stderr.contains("warning: pace:");
    assert!(told(&["--rate", "50/s"]));
    assert!(!told(&["--rate", "20/s"]) && !told(&[]));
}

#[test]
fn a_long_wait_at_sign_in_is_told() {
    let stage = app_only("[[fault]]\nendpoint = 'token'\nanswer = 429\nretry_after = '300'\n");
    let input = users(&stage, 1);
    let done = stage.finish(&mut as_app(&stage, &input));
    refused(&stage, &done, &["429", "300 s", "try again then"]);
}

#[test]
fn a_token_file_that_can_not_be_used_is_named() {
    let stage = Stage::new("");
    let input = users(&stage, 1);
    for (contents, says) in
        [(None, "missing.txt"), (Some("  \n"), "it is empty"), (Some("two words\n"), "white space")]
    {
        let file = match contents {
            None => stage.dir.path().join("missing.txt"),
            Some(contents) => stage.input("token.txt", contents),
        };
        let mut command = stage.bare("run");
        command.args(["--graph-url", &stage.simulator.url(), "--yes"]).arg(&input);
        let done = stage.finish(command.arg("--token-file").arg(&file));
        refused(&stage, &done, &["--token-file", says]);
        assert!(!done.stderr.contains("two words"), "{}", done.stderr);
    }
}

#[test]
fn a_claims_challenge_is_answered_once() {
    let stage = app_only("[[fault]]\nanswer = 'challenge'\n");
    let input = users(&stage, 8);
    stage.finish(as_app(&stage, &input).args(["--retries", "0"])).exits(0);
    let ledger = stage.ledger();
    assert_eq!(ledger.stats.tokens_issued, 2);
    assert!(ledger.users.iter().all(|user| user.effects == 1));
}

/// A token endpoint of the test's own.
fn issue(token: &str, expires_in: &str) -> String {
    let body = format!(r#"{{"token_type":"Bearer","expires_in":{expires_in},"access_token":"{token}"}}"#);
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn the_claims_of_a_challenge_reach_the_token_endpoint() {
    let (authority, seen) = plain_server::serve(|number| issue(&format!("fake-{number}"), "3600"));
    let stage = Stage::new("[[fault]]\nanswer = 'challenge'\n");
    let input = users(&stage, 1);
    stage.finish(&mut as_app_at(&stage, &authority, &input)).exits(0);
    let forms: Vec<String> = seen.lock().unwrap().iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(forms.len(), 2);
    let field = |form: &str, name: &str| {
        let value = form.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        value.map(|value| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
    };
    assert_eq!(field(&forms[0], "claims"), None);
    assert_eq!(field(&forms[0], "scope").as_deref(), Some("https://graph.microsoft.com/.default"));
    let claims: serde_json::Value = serde_json::from_str(&field(&forms[1], "claims").unwrap()).unwrap();
    assert_eq!(claims["access_token"]["nbf"]["essential"], true);
}

#[test]
fn a_token_without_a_life_is_no_token() {
    for life in ["0", "\"0\"", "-5", "\"soon\"", "null"] {
        let (authority, seen) = plain_server::serve(move |_| issue("fake", life));
        let stage = Stage::new("");
        let input = users(&stage, 1);
        let done = stage.finish(&mut as_app_at(&stage, &authority, &input));
        refused(&stage, &done, &["token endpoint"]);
        assert_eq!(seen.lock().unwrap().len(), 1, "{life}");
    }
}

#[test]
fn a_busy_token_endpoint_is_asked_again() {
    for fault in [
        "answer = 429\nretry_after = '1'",
        "answer = 503",
        "answer = 'reset-before'",
        "answer = 'hang-before'",
    ] {
        let stage = app_only(&format!("[[fault]]\nendpoint = 'token'\ntimes = 1\n{fault}\n"));
        let input = users(&stage, 1);
        let began = Instant::now();
        stage.finish(as_app(&stage, &input).args(["--timeout", "500ms"])).exits(0);
        assert!(began.elapsed() >= Duration::from_secs(1), "{fault}");
        assert_eq!(stage.stats().token_requests, 2, "{fault}");
    }
}

#[test]
fn a_token_endpoint_that_is_of_no_use_is_named() {
    for (fault, says) in [
        ("answer = 429\nretry_after = '600'", "429"),
        ("answer = 'portal'", "portal"),
        ("answer = 400\nbody = 'html'", "not as Entra does"),
        ("answer = 302\nbody = 'html'", "302"),
        ("answer = 403\nbody = 'empty'", "403"),
    ] {
        let stage = app_only(&format!("[[fault]]\nendpoint = 'token'\n{fault}\n"));
        let input = users(&stage, 1);
        let done = stage.finish(&mut as_app(&stage, &input));
        refused(&stage, &done, &["token endpoint", says]);
        assert_eq!((stage.stats().token_requests, stage.stats().redirects_followed), (1, 0), "{fault}");
    }
}

#[test]
fn refusals_come_with_advice() {
    for (token, code, advice) in [
        (format!("secret = '{SECRET}x'"), "AADSTS7000215", "the secret's value"),
        ("secret_expired = true".to_owned(), "AADSTS7000222", "make a new one"),
        ("tenant = 'elsewhere.example'".to_owned(), "AADSTS90002", "--tenant"),
        ("client_id = 'another'".to_owned(), "AADSTS700016", "--client-id"),
    ] {
        let stage = Stage::new(&format!("[token]\n{token}\n"));
        let input = users(&stage, 1);
        let done = stage.finish(&mut as_app(&stage, &input));
        refused(&stage, &done, &[code, advice]);
        assert_eq!(stage.stats().token_requests, 1, "{code} is not asked again");
        assert_eq!(
            done.stderr.lines().filter(|line| line.starts_with("error:")).count(),
            1,
            "{}",
            done.stderr
        );
    }
}

#[test]
fn missing_pieces_are_named() {
    let stage = Stage::new("");
    let input = users(&stage, 1);
    for (set, says) in [
        (&[][..], &["ENTRA_REVOKE_TOKEN", "--token-file", "AZURE_CLIENT_SECRET"][..]),
        (&[("AZURE_CLIENT_SECRET", SECRET)], &["--tenant"]),
        (&[("AZURE_CLIENT_SECRET", SECRET), ("AZURE_TENANT_ID", TENANT)], &["--client-id"]),
        (
            &[("AZURE_CLIENT_SECRET", SECRET), ("AZURE_TENANT_ID", " "), ("AZURE_CLIENT_ID", APP)],
            &["--tenant"],
        ),
        (&[("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", APP)], &["AZURE_CLIENT_SECRET"]),
        (&[("ENTRA_REVOKE_TOKEN", " ")], &["no way to sign in", "--auth device-code"]),
        (&[("ENTRA_REVOKE_TOKEN", "two words")], &["white space"]),
    ] {
        let mut command = stage.bare("run");
        command.args(["--graph-url", &stage.simulator.url(), "--yes"]).arg(&input).envs(set.iter().copied());
        refused(&stage, &stage.finish(&mut command), says);
    }
}

#[test]
fn a_token_for_another_tenant_or_cloud_sends_nothing() {
    let stage = Stage::new(&format!("[token]\ntenant = '{TENANT}'\n"));
    let input = users(&stage, 1);
    let token = stage.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    let other = "11111111-0000-4000-8000-000000000001";
    let done = stage.finish(with_token(&stage, &token, &input).args(["--tenant", other]));
    refused(&stage, &done, &[TENANT, other, "nothing was sent"]);
    let done = stage.finish(with_token(&stage, &token, &input).args(["--cloud", "usgov"]));
    refused(&stage, &done, &["https://graph.microsoft.com", "--cloud"]);
    let same = TENANT.to_uppercase();
    stage.finish(with_token(&stage, &token, &input).args(["--tenant", &same])).exits(0);
}

#[test]
fn me_is_for_people() {
    let stage = Stage::new("");
    let input = stage.input("me.txt", "me\n");
    let mint = |kind| stage.simulator.mint_token(kind, Duration::from_secs(600));
    let done = stage.finish(&mut with_token(&stage, &mint(TokenKind::App), &input));
    done.exits(2);
    assert!(done.stderr.contains("`me`") && done.stderr.contains("delegated"), "{}", done.stderr);
    assert_eq!(stage.stats().revocations, 0);
    stage.finish(&mut with_token(&stage, &mint(TokenKind::User), &input)).exits(0);
    let ledger = stage.ledger();
    assert_eq!((ledger.users.len(), ledger.users[0].effects), (1, 1));
    assert_eq!(stage.folder().row("me")["outcome"], "revoked");
}

#[test]
fn twenty_refusals_in_a_row_mean_a_missing_permission() {
    let stage = Stage::new("deny = ['*']");
    let input = users(&stage, 40);
    let done = stage.run(&input, &["-j", "1"]);
    done.exits(4);
    for words in ["User.RevokeSessions.All", "Helpdesk Administrator", "resume"] {
        assert!(done.stdout.contains(words), "{words:?} is not in: {}", done.stdout);
    }
    assert_eq!(stage.stats().revocations, 20);
    let words: Vec<String> = stage.folder().rows().iter().map(|row| row["outcome"].clone()).collect();
    assert!(words[..20].iter().all(|word| word == "forbidden"));
    assert!(words[20..].iter().all(|word| word == "not_attempted"));
}

#[test]
fn nineteen_refusals_mean_nineteen_refusals() {
    let stage = Stage::new("deny = ['*']");
    let input = users(&stage, 19);
    stage.run(&input, &[]).exits(3);
    let deny: Vec<String> = (1..30).map(|n| format!("'u{n:02}@*'")).collect();
    let later = Stage::new(&format!("deny = [{}]", deny.join(", ")));
    let input = users(&later, 30);
    later.run(&input, &["-j", "1"]).exits(3);
    assert_eq!(later.stats().revocations, 30, "one success shows that the permission is there");
}

#[test]
fn a_token_without_the_permission_is_refused_by_graph() {
    let stage = app_only(", roles = ['User.Read.All']");
    let input = users(&stage, 25);
    stage.finish(as_app(&stage, &input).args(["-j", "1"])).exits(4);
    assert_eq!(stage.stats().effects, 0);
}

/// Gaps between requests, as the simulator saw them, in seconds.
fn longest_gap(stage: &Stage) -> f64 {
    let mut at: Vec<f64> = stage.ledger().users.iter().map(|user| user.first_s).collect();
    at.sort_by(f64::total_cmp);
    at.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

/// It takes as long as a token lives: a shorter life leaves no time to renew it slowly. A worker that waited for the
/// renewal would wait for all of its 350 ms.
#[test]
fn a_slow_token_endpoint_holds_up_nobody() {
    let stage = app_only(
        ", lifetime = '3s'[[fault]]\nendpoint = 'token'\nafter = 1\nanswer = 'delay'\ndelay = '350ms'\n",
    );
    let input = users(&stage, 64);
    stage.finish(as_app(&stage, &input).args(["--rate", "20/s", "--burst", "1", "--retries", "0"])).exits(0);
    let stats = stage.stats();
    assert_eq!((stats.tokens_issued, stats.bad_auth), (2, 0), "{stats:?}");
    assert!(longest_gap(&stage) < 0.34, "a worker waited {} s", longest_gap(&stage));
}

/// A ready token in its usual form that ends at an instant, from an issuer of the test's own.
fn token_until(ends: jiff::Timestamp) -> String {
    use base64::Engine;
    let claims = serde_json::json!({
        "aud": "https://graph.microsoft.com", "tid": TENANT, "idtyp": "app",
        "roles": ["User.RevokeSessions.All"], "exp": ends.as_second(),
    });
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", encode("{\"alg\":\"none\"}"), encode(&claims.to_string()), encode("fake-signature"))
}

fn from_now(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)
}

#[test]
fn a_token_that_is_over_sends_nothing() {
    let stage = Stage::new("");
    let input = users(&stage, 2);
    let ends = from_now(-301);
    let file = stage.input("token.txt", token_until(ends));
    let mut by_file = stage.bare("run");
    by_file.args(["--graph-url", &stage.simulator.url(), "--yes", "--token-file"]).arg(&file).arg(&input);
    for command in [&mut with_token(&stage, &token_until(ends), &input), &mut by_file] {
        let when = ends.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        refused(
            &stage,
            &stage.finish(command),
            &["the access token ended at", &when, "nothing was sent", "new one"],
        );
    }
    assert_eq!(stage.stats().requests, 0);
    // Clocks differ: so long after its end Graph itself is asked.
    stage.finish(&mut with_token(&stage, &token_until(from_now(-290)), &input)).exits(0);
}

#[test]
fn a_token_that_ends_before_the_run_is_told_of_before_it_begins() {
    let stage = Stage::new("");
    let input = users(&stage, 60);
    let run = |ends: i64, rate: &str| {
        stage.finish(
            with_token(&stage, &token_until(from_now(ends)), &input)
                .args(["--rate", rate, "--halt", "fail=1"]),
        )
    };
    let done = run(-100, "2000/s");
    assert!(done.stderr.contains("warning: the access token ends at"), "{}", done.stderr);
    assert!(done.stderr.contains("`resume` goes on with a new token"), "{}", done.stderr);
    let done = run(60, "1000/s");
    assert!(!done.stderr.contains("warning: the access token"), "{}", done.stderr);
}

/// The simulator refuses the token at its end, as Graph does; it says the same in `exp`.
#[test]
fn a_ready_token_that_ends_mid_run_stops_it_cleanly_and_resumes() {
    let stage = Stage::new("accept_any_token = false\n");
    let input = users(&stage, 200);
    let mint = |seconds| stage.simulator.mint_token(TokenKind::App, Duration::from_secs(seconds));
    let mut command = with_token(&stage, &mint(2), &input);
    let done = stage.finish(command.args(["--rate", "40/s", "--burst", "1"]));
    done.exits(4);
    assert!(done.stderr.contains("warning: the access token ends at"), "{}", done.stderr);
    assert!(done.stdout.contains("no longer accepts the access token: it ended at"), "{}", done.stdout);
    assert!(
        done.stdout.contains("get a new one") && done.stdout.contains("entra-revoke resume"),
        "{}",
        done.stdout
    );
    let folder = stage.folder();
    let left = folder.rows().iter().filter(|row| row["outcome"] != "revoked").count();
    assert!((80..190).contains(&left), "{left}");
    // Again over: nothing is lost by trying.
    let mut resume = stage.command("resume");
    resume.env("ENTRA_REVOKE_TOKEN", token_until(from_now(-3600))).arg(&folder.path);
    stage.finish(&mut resume).exits(4);
    let mut resume = stage.command("resume");
    resume.env("ENTRA_REVOKE_TOKEN", mint(600)).arg(&folder.path).args(["--rate", "1000/s"]);
    stage.finish(&mut resume).exits(0);
    let ledger = stage.ledger();
    assert!(ledger.users.len() == 200 && ledger.users.iter().all(|user| user.effects == 1));
}

#[test]
fn a_token_comes_by_standard_input() {
    use std::io::Write;
    let stage = Stage::new("accept_any_token = false\n");
    let input = users(&stage, 2);
    let mut command = stage.bare("run");
    command.args(["--graph-url", &stage.simulator.url(), "--yes", "--token-file", "-"]).arg(&input);
    let mut run = stage.start(command.stdin(std::process::Stdio::piped()));
    let token = stage.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    run.stdin.take().unwrap().write_all(format!("{token}\n").as_bytes()).unwrap();
    Done::from(run.wait_with_output().unwrap()).exits(0);
    assert_eq!(stage.ledger().stats.effects, 2);
}

#[test]
fn standard_input_is_for_users_or_for_the_token() {
    let stage = Stage::new("");
    let mut command = stage.bare("run");
    command.args(["-", "--graph-url", &stage.simulator.url(), "--yes", "--token-file", "-"]);
    let done = stage.finish(&mut command);
    done.exits(2);
    assert!(
        done.stderr.contains("--token-file") && done.stderr.contains("standard input"),
        "{}",
        done.stderr
    );
}

/// Nobody can ask the giver of a ready token for claims.
#[test]
fn a_challenge_that_a_ready_token_can_not_answer_says_so() {
    let stage = Stage::new("[[fault]]\nanswer = 'challenge'\n");
    let input = users(&stage, 3);
    let done = stage.run(&input, &[]);
    done.exits(4);
    assert!(
        done.stdout.contains("claims challenge") && done.stdout.contains("sign in again"),
        "{}",
        done.stdout
    );
}

#[test]
fn a_second_challenge_in_a_row_ends_the_run() {
    let stage = app_only(
        "[[fault]]\nmatch = 'u00@*'\nanswer = 401\n        headers = { WWW-Authenticate = 'Bearer error=insufficient_claims, claims=eyJhY2Nlc3NfdG9rZW4iOnt9fQ' }\n",
    );
    let input = users(&stage, 3);
    let done = stage.finish(as_app(&stage, &input).args(["-j", "1"]));
    done.exits(4);
    assert!(done.stdout.contains("just answered its challenge"), "{}", done.stdout);
    assert_eq!(stage.stats().tokens_issued, 2);
}

/// Conditional Access says it with a 403; that is no word about the user.
#[test]
fn a_403_that_asks_for_claims_is_answered_with_a_new_token() {
    let stage = app_only(
        "[[fault]]\nanswer = 403\nfirst = 1\n\
        headers = { WWW-Authenticate = 'Bearer error=insufficient_claims, claims=eyJhY2Nlc3NfdG9rZW4iOnt9fQ' }\n",
    );
    let input = users(&stage, 3);
    stage.finish(as_app(&stage, &input).args(["-j", "1", "--retries", "0"])).exits(0);
    assert_eq!(stage.stats().tokens_issued, 2);
}
