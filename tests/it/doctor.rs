//! `doctor`: its findings in all kinds of setups, and that it is right about whether a run would start.

use crate::support::plain_server;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::ctx::{CommandResult, TOKEN, TestContext};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entra_revoke::simulator::TokenKind;
use serde_json::Value;

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
/// The tenant of tokens that the simulator mints.
const DEFAULT_TENANT: &str = "11111111-2222-4333-8444-555555555555";
const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
const SECRET: &str = "fake-secret-CANARY-77aa";

/// The environment of an app with its secret.
const APP_SIGNS_IN: [(&str, &str); 3] =
    [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", APP), ("AZURE_CLIENT_SECRET", SECRET)];

/// A verb against the simulator, without any credential.
fn verb(ctx: &TestContext, verb: &str) -> Command {
    let mut command = ctx.command_without_token(verb);
    command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
    command
}

fn as_app(ctx: &TestContext) -> Command {
    let mut command = verb(ctx, "doctor");
    command.envs(APP_SIGNS_IN);
    command
}

fn with_token(ctx: &TestContext, token: &str) -> Command {
    let mut command = verb(ctx, "doctor");
    command.env("ENTRA_REVOKE_TOKEN", token);
    command
}

/// What doctor found, as JSON, with its exit code.
fn examine(ctx: &TestContext, command: &mut Command) -> (i32, Value) {
    let done = ctx.finish(command.args(["-o", "json"]));
    let json: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    let code = done.code.unwrap();
    assert_eq!(
        (json["exit_code"].as_i64(), json["would_run"].as_bool()),
        (Some(code.into()), Some(code == 0))
    );
    assert_eq!(ctx.stats().revocations, 0);
    (code, json)
}

/// One check's finding.
#[track_caller]
fn check<'a>(json: &'a Value, name: &str) -> &'a Value {
    let all = json["checks"].as_array().unwrap();
    let found: Vec<&Value> = all.iter().filter(|check| check["check"] == name).collect();
    assert_eq!(found.len(), 1, "{name} in {json:#}");
    found[0]
}

/// Asserts how a check ended and what it says, its advice and details included.
#[track_caller]
fn says(json: &Value, name: &str, status: &str, words: &[&str]) {
    let found = check(json, name);
    assert_eq!(found["status"], status, "{found:#}");
    let text = found.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {found:#}");
    }
}

#[test]
fn a_valid_setup_passes_all_checks() {
    let ctx = TestContext::new(&format!("[token]\ntenant = '{TENANT}'\nsecret = '{SECRET}'\n"));
    let (code, json) = examine(&ctx, &mut as_app(&ctx));
    assert_eq!(code, 0, "{json:#}");
    for check in json["checks"].as_array().unwrap() {
        assert!(matches!(check["status"].as_str(), Some("ok" | "info")), "{check:#}");
        assert!(check.get("advice").is_none(), "{check:#}");
    }
    says(
        &json,
        "credential",
        "ok",
        &["client-secret: got a token in", "skipped token", "ENTRA_REVOKE_TOKEN"],
    );
    says(&json, "tenant", "ok", &[TENANT]);
    says(&json, "identity", "ok", &[APP, "without a user"]);
    says(&json, "permission", "ok", &["User.RevokeSessions.All"]);
    says(&json, "audience", "ok", &["https://graph.microsoft.com"]);
    assert!(ctx.run_folders().is_empty() && ctx.all_files().is_empty(), "{:?}", ctx.all_files());
    let ledger = ctx.ledger();
    assert!(ledger.users.is_empty(), "doctor asked for a user: {:?}", ledger.users);
}

#[test]
fn the_text_output_is_aligned_and_ends_with_the_verdict() {
    let ctx = TestContext::new("");
    let done = ctx.finish(&mut as_app(&ctx));
    done.exits(0);
    assert!(done.stdout.ends_with("\nA run would start.\n"), "{}", done.stdout);
    let starts: Vec<&str> = done.stdout.lines().take(3).map(|line| &line[..22]).collect();
    assert_eq!(starts, ["ok    version         ", "ok    roots           ", "ok    proxy           "]);
    assert!(!done.stdout.contains('\u{1b}') && done.stderr.is_empty(), "{done:?}");
    let done = ctx.finish(&mut verb(&ctx, "doctor"));
    done.exits(4);
    assert!(done.stdout.contains("\nFAIL  credential "), "{}", done.stdout);
    assert!(done.stdout.contains("→ to set one up"), "{}", done.stdout);
    assert!(done.stdout.contains("\nskip  tenant, audience, identity, "), "{}", done.stdout);
    assert!(done.stdout.ends_with("\nA run would not start: 1 problem.\n"), "{}", done.stdout);
}

/// Set-ups: what is wrong, the simulator's configuration, further arguments, the environment, and the exit code.
type SetUp =
    (&'static str, &'static str, &'static [&'static str], &'static [(&'static str, &'static str)], i32);

const NO_TENANT: [(&str, &str); 2] = [("AZURE_CLIENT_ID", APP), ("AZURE_CLIENT_SECRET", SECRET)];
const READY: [(&str, &str); 1] = [("ENTRA_REVOKE_TOKEN", TOKEN)];

/// Here doctor is stricter than a run, which leaves such a token to Graph.
const NONE_LISTED: &str = "no permission listed";

const SET_UPS: [SetUp; 16] = [
    ("nothing", "", &[], &APP_SIGNS_IN, 0),
    ("nothing, with a token", "", &[], &READY, 0),
    (
        "nothing that stops: too many permissions",
        "token = { roles = ['User.ReadWrite.All'] }",
        &[],
        &APP_SIGNS_IN,
        0,
    ),
    (NONE_LISTED, "token = { roles = [] }", &[], &APP_SIGNS_IN, 4),
    ("nothing that stops: the clock", "clock_ahead = -4000", &[], &APP_SIGNS_IN, 0),
    ("no credential", "", &[], &[], 4),
    ("no tenant", "", &[], &NO_TENANT, 4),
    ("the secret", "token = { secret = 'another' }", &[], &APP_SIGNS_IN, 4),
    ("the tenant", "token = { tenant = 'another' }", &[], &APP_SIGNS_IN, 4),
    ("the app", "token = { client_id = 'another' }", &[], &APP_SIGNS_IN, 4),
    ("the permission", "token = { roles = ['User.Read.All'] }", &[], &APP_SIGNS_IN, 4),
    ("the cloud", "", &["--cloud", "china"], &[], 4),
    ("the token's file", "", &["--token-file", "missing.txt"], &[], 4),
    ("two ways", "", &["--token-file", "a.txt", "--client-secret-file", "b.txt"], &APP_SIGNS_IN, 2),
    ("the roots", "", &["--ca-cert", "missing.pem"], &APP_SIGNS_IN, 2),
    ("the folder", "", &["--output-dir", "users.txt"], &APP_SIGNS_IN, 1),
];

#[test]
fn doctor_is_right_about_whether_a_run_would_start() {
    std::thread::scope(|scope| {
        for set_up in &SET_UPS {
            scope.spawn(|| compare(set_up));
        }
    });
}

#[test]
fn standard_input_can_hold_only_one_secret() {
    let ctx = TestContext::new("");
    let twice = ["--token-file", "-", "--client-secret-file", "-"];
    for name in ["doctor", "run"] {
        let mut command = verb(&ctx, name);
        command.args(twice).args((name == "run").then_some("users.txt"));
        let done = ctx.finish(&mut command);
        done.exits(2);
        let says = "--token-file and --client-secret-file both come from standard input";
        assert!(done.stderr.contains(says), "{done:?}");
    }
}

/// Doctor's exit code is the one that is told, and a run sends something where that is 0, and but for one row only there.
fn compare((wrong, simulator, args, vars, code): &SetUp) {
    let ctx = TestContext::new(simulator);
    let input = ctx.input("users.txt", "ann@contoso.com\n");
    let mut vars = vars.to_vec();
    let minted = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    if *wrong == "the cloud" {
        vars.push(("ENTRA_REVOKE_TOKEN", &minted));
    }
    let (found, json) = examine(&ctx, verb(&ctx, "doctor").envs(vars.clone()).args(*args));
    assert_eq!(found, *code, "{wrong}: {json:#}");
    let ran = ctx.finish(verb(&ctx, "run").envs(vars).args(*args).arg("--yes").arg(&input));
    let started = ctx.stats().revocations > 0;
    assert_eq!(started, *code == 0 || *wrong == NONE_LISTED, "{wrong}: {ran:?}");
    if !started {
        ran.exits(*code);
    }
}

#[test]
fn a_tenant_matches_by_id_and_by_domain() {
    let ctx = TestContext::new("");
    let token = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(6000));
    for (tenant, status, code) in [
        (DEFAULT_TENANT, "ok", 0),
        (TENANT, "failed", 4),
        ("contoso.com", "failed", 4),
        ("organizations", "warning", 0),
    ] {
        let (found, json) = examine(&ctx, with_token(&ctx, &token).args(["--tenant", tenant]));
        assert_eq!(found, code, "{tenant}");
        says(&json, "tenant", status, &["11111111-2222"]);
    }
    // An app's token is for the tenant that its domain stands for.
    let (code, json) = examine(&ctx, as_app(&ctx).args(["--tenant", "contoso.com"]));
    assert_eq!(code, 0);
    says(&json, "tenant", "ok", &["contoso.com is "]);
}

#[test]
fn permissions_are_read_from_the_token() {
    for (roles, status, words, code) in [
        ("['User.Read.All']", "failed", &["User.Read.All", "application permission"][..], 4),
        ("[]", "failed", &["lists no permission", "consent", "doctor --setup"], 4),
        ("['User.RevokeSessions.All', 'Mail.ReadWrite']", "warning", &["Mail.ReadWrite", "is enough"], 0),
        ("['Directory.ReadWrite.All']", "warning", &["Directory.ReadWrite.All"], 0),
    ] {
        let ctx = TestContext::new(&format!("token = {{ roles = {roles} }}"));
        let (found, json) = examine(&ctx, &mut as_app(&ctx));
        assert_eq!(found, code, "{roles}");
        says(&json, "permission", status, words);
    }
}

#[test]
fn only_an_app_token_fails_without_permissions() {
    let ctx = TestContext::new("");
    for (claims, status, code) in [
        (r#"{"idtyp":"app","tid":"t"}"#, "failed", 4),
        (r#"{"idtyp":"app","roles":[]}"#, "failed", 4),
        (r#"{"roles":[],"tid":"t"}"#, "warning", 0),
        (r#"{"tid":"t"}"#, "info", 0),
    ] {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let (found, json) = examine(&ctx, &mut with_token(&ctx, &token));
        assert_eq!(found, code, "{claims}");
        says(&json, "permission", status, &[]);
    }
}

#[test]
fn directory_roles_show_which_users_can_be_revoked() {
    for (roles, status, words) in [
        ("[]", "warning", &["no directory role", "Helpdesk Administrator"][..]),
        ("['b79fbf4d-3ef9-4689-8143-76b194e85509']", "warning", &["no directory role"]),
        ("['62e90394-69f5-4237-9190-012177145e10']", "ok", &["Global Administrator", "everyone"]),
        ("['729827e3-9c14-49f7-bb1b-9608f156bbb8']", "ok", &["Helpdesk Administrator", "403"]),
    ] {
        let ctx = TestContext::new(&format!("token = {{ directory_roles = {roles} }}"));
        let token = ctx.simulator.mint_token(TokenKind::User, Duration::from_secs(6000));
        let (code, json) = examine(&ctx, &mut with_token(&ctx, &token));
        assert_eq!(code, 0);
        says(&json, "roles", status, words);
        says(&json, "identity", "ok", &["user operator@example.com"]);
        says(&json, "token-end", "info", &["not renewed"]);
    }
}

#[test]
fn an_expired_token_fails_and_an_expiring_one_warns() {
    let ctx = TestContext::new("accept_any_token = false\n");
    let token = ctx.simulator.mint_token(TokenKind::App, Duration::ZERO);
    let (code, json) = examine(&ctx, &mut with_token(&ctx, &token));
    assert_eq!(code, 4);
    says(&json, "token-end", "failed", &["expired", "get a new one"]);
    let input = ctx.input("users.txt", "ann@contoso.com\n");
    ctx.finish(verb(&ctx, "run").env("ENTRA_REVOKE_TOKEN", &token).arg("--yes").arg(input)).exits(4);
    let token = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(100));
    let ctx = TestContext::new("");
    let (code, json) = examine(&ctx, &mut with_token(&ctx, &token));
    assert_eq!(code, 0);
    says(&json, "token-end", "warning", &["resumed"]);
}

#[test]
fn a_wrong_clock_is_reported() {
    for (ahead, status, words) in
        [(-100, "warning", "1m40s ahead of"), (-4000, "failed", "1h06m ahead of"), (100, "warning", "behind")]
    {
        let ctx = TestContext::new(&format!("clock_ahead = {ahead}\n"));
        let (code, json) = examine(&ctx, &mut as_app(&ctx));
        assert_eq!(code, 0, "{json:#}");
        // The last second is a matter of chance.
        let words =
            if status == "warning" { words.split_once(' ').map_or(words, |(_, rest)| rest) } else { words };
        says(&json, "clock", status, &[words, "NTP"]);
        let input = ctx.input("users.txt", "ann@contoso.com\n");
        let run = ctx.finish(verb(&ctx, "run").envs(APP_SIGNS_IN).arg("--yes").arg(input));
        assert!(run.exits(0).stderr.contains("warning: this machine's clock is"), "{}", run.stderr);
    }
}

#[test]
fn a_run_without_the_permission_stops_before_the_first_request() {
    let ctx = TestContext::new("token = { roles = ['User.Read.All'], scopes = ['openid', 'User.Read'] }");
    let input = ctx.input("users.txt", "ann@contoso.com\n");
    let token = ctx.simulator.mint_token(TokenKind::User, Duration::from_secs(600));
    for (name, value, kind) in
        [("AZURE_CLIENT_SECRET", SECRET, "application"), ("ENTRA_REVOKE_TOKEN", token.as_str(), "delegated")]
    {
        let mut run = verb(&ctx, "run");
        run.envs([("AZURE_TENANT_ID", DEFAULT_TENANT), ("AZURE_CLIENT_ID", APP), (name, value)])
            .arg("--yes")
            .arg(&input);
        let run = ctx.finish(&mut run);
        run.exits(4);
        for words in ["User.RevokeSessions.All", "nothing was revoked", "doctor --setup", kind] {
            assert!(run.stderr.contains(words), "{words:?}: {}", run.stderr);
        }
        assert!(ctx.run_folders().is_empty() && ctx.stats().revocations == 0);
    }
}

#[test]
fn a_valid_run_prints_no_warnings() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", "ann@contoso.com\n");
    let mut run = verb(&ctx, "run");
    let run = ctx.finish(run.envs(APP_SIGNS_IN).args(["--yes", "--no-progress"]).arg(&input));
    assert!(!run.exits(0).stderr.contains("warning"), "{}", run.stderr);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "the input, the way, what is not looked up, the run folder: {}", run.stderr);
    assert!(
        lines[2].starts_with(
            "users can't be looked up before the run: the token does not have the permission User.Read.All. "
        ),
        "{}",
        lines[2]
    );
    // The token lists no permission to read users, so none is read.
    assert_eq!((ctx.stats().requests, ctx.stats().reads), (1, 0));
}

#[test]
fn an_untrusted_authority_is_named() {
    let ctx = TestContext::new("tls = true\n");
    let (code, json) = examine(&ctx, &mut as_app(&ctx));
    assert_eq!(code, 4);
    for name in ["graph-tls", "authority-tls"] {
        says(&json, name, "failed", &["not trusted", "'entra-revoke simulator'", "--ca-cert"]);
    }
    says(&json, "graph-name", "ok", &["localhost", "127.0.0.1"]);
    says(&json, "credential", "skipped", &["can't be reached"]);
    assert_eq!(ctx.stats().token_requests, 0, "the secret went through");
    let roots = ctx.input("ca.pem", ctx.simulator.ca_pem().unwrap());
    let (code, json) = examine(&ctx, as_app(&ctx).arg("--ca-cert").arg(&roots));
    assert_eq!(code, 0, "{json:#}");
    says(&json, "graph-tls", "ok", &["issued by 'entra-revoke simulator'"]);
    says(&json, "roots", "ok", &["ca.pem"]);
}

/// A proxy that connects all clients to one address, whatever host they ask for.
fn proxy_to(target: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            std::thread::spawn(move || {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    client.read_exact(&mut byte).unwrap();
                    head.push(byte[0]);
                }
                client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").unwrap();
                let mut server = TcpStream::connect(target).unwrap();
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                let _ = std::io::copy(&mut server, &mut client);
            });
        }
    });
    address
}

#[test]
fn a_tls_intercepting_proxy_is_named() {
    let ctx =
        TestContext::new("tls = true\ntls_names = ['graph.microsoft.com', 'login.microsoftonline.com']\n");
    let proxy = proxy_to(ctx.simulator.addr());
    let behind = || {
        let mut command = ctx.command_without_token("doctor");
        command.envs(APP_SIGNS_IN).env("HTTPS_PROXY", format!("http://user:CANARY@{proxy}"));
        command
    };
    let (code, json) = examine(&ctx, &mut behind());
    assert_eq!(code, 4);
    says(&json, "proxy", "ok", &[&format!("http://{proxy}")]);
    says(&json, "authority-name", "info", &["the proxy resolves it"]);
    says(&json, "graph-tls", "failed", &["TLS is intercepted", "'entra-revoke simulator'", "--ca-cert"]);
    assert_eq!(ctx.stats().token_requests, 0, "the secret went through");
    let roots = ctx.input("ca.pem", ctx.simulator.ca_pem().unwrap());
    let (code, json) = examine(&ctx, behind().arg("--ca-cert").arg(&roots));
    assert_eq!(code, 0, "{json:#}");
    for name in ["graph-tls", "authority-tls"] {
        says(&json, name, "warning", &["intercepted by 'entra-revoke simulator'", "reads the access token"]);
    }
    assert!(!json.to_string().contains("CANARY"), "{json:#}");
}

#[test]
fn unreachable_hosts_are_named_quickly() {
    let ctx = TestContext::new("");
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let dead = format!("http://{dead}");
    let began = Instant::now();
    let mut command = ctx.command_without_token("doctor");
    command.envs(APP_SIGNS_IN).args(["--graph-url", &dead, "--authority-url", &dead]);
    let (code, json) = examine(&ctx, &mut command);
    assert_eq!(code, 4);
    says(&json, "graph-tls", "failed", &["can't be reached", "firewall"]);
    says(&json, "clock", "skipped", &[]);
    says(&json, "credential", "skipped", &["authority"]);
    // With a token, the authority is not needed; Graph is.
    let mut command = ctx.command_without_token("doctor");
    command.env("ENTRA_REVOKE_TOKEN", TOKEN).args([
        "--graph-url",
        &ctx.simulator.url(),
        "--authority-url",
        &dead,
    ]);
    let (code, json) = examine(&ctx, &mut command);
    assert_eq!(code, 0);
    says(&json, "authority-tls", "warning", &["does not need it"]);
    let mut command = ctx.command_without_token("doctor");
    command.envs(APP_SIGNS_IN).args(["--graph-url", &dead, "--authority-url", &ctx.simulator.url()]);
    assert_eq!(examine(&ctx, &mut command).0, 1);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_answer_that_is_not_from_graph_is_reported() {
    let ctx = TestContext::new("");
    let answer = |head: &str| format!("HTTP/1.1 {head}\r\ncontent-length: 2\r\n\r\n{{}}");
    let html = "content-type: text/html";
    for (head, status) in [
        (format!("200 OK\r\n{html}"), "warning"),
        (format!("302 Found\r\nlocation: https://portal.example/\r\n{html}"), "warning"),
        ("204 No Content".to_owned(), "warning"),
        ("200 OK\r\ncontent-type: application/json; odata.metadata=minimal".to_owned(), "info"),
        (format!("503 Service Unavailable\r\nrequest-id: 1\r\n{html}"), "info"),
    ] {
        let (root, _) = plain_server::serve({
            let answer = answer(&head);
            move |_| answer.clone()
        });
        let mut command = ctx.command_without_token("doctor");
        command.env("ENTRA_REVOKE_TOKEN", TOKEN).args(["--graph-url", &root]);
        let (code, json) = examine(&ctx, command.args(["--authority-url", &ctx.simulator.url()]));
        assert_eq!(code, 0, "{head}");
        says(&json, "graph-tls", status, &["answers in"]);
        if status == "warning" {
            says(
                &json,
                "graph-tls",
                status,
                &["not as Graph", "a portal or proxy answers instead", &head[..3], "browser"],
            );
        }
        says(&json, "authority-tls", "info", &[]);
    }
}

#[test]
fn a_silent_server_is_not_waited_for() {
    let ctx = TestContext::new("");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let began = Instant::now();
    let mut command = ctx.command_without_token("doctor");
    command.envs(APP_SIGNS_IN).args(["--graph-url", &url, "--authority-url", &url, "--timeout", "300ms"]);
    let (code, json) = examine(&ctx, &mut command);
    assert_eq!(code, 4);
    says(&json, "graph-tls", "failed", &["within the timeout"]);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn an_unresolvable_name_is_reported() {
    let ctx = TestContext::new("");
    // Too long for DNS, so no server is asked.
    let nobody = format!("https://{}.example", "x".repeat(64));
    let mut command = ctx.command_without_token("doctor");
    command.env("ENTRA_REVOKE_TOKEN", TOKEN).args(["--graph-url", &nobody]);
    let (code, json) = examine(&ctx, command.args(["--authority-url", &ctx.simulator.url()]));
    assert_eq!(code, 1);
    says(&json, "graph-name", "failed", &["xxx.example", "DNS"]);
    says(&json, "graph-tls", "skipped", &[]);
}

#[test]
fn a_busy_token_endpoint_is_not_waited_for() {
    let ctx = TestContext::new("[[fault]]\nendpoint = 'token'\nanswer = 429\nretry_after = '600'\n");
    let (code, json) = examine(&ctx, &mut as_app(&ctx));
    assert_eq!(code, 4);
    says(&json, "credential", "failed", &["429"]);
}

#[test]
#[cfg(unix)]
fn an_unwritable_folder_fails_the_check() {
    use std::os::unix::fs::PermissionsExt;
    let ctx = TestContext::new("");
    let closed = ctx.dir.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o500)).unwrap();
    if std::fs::write(closed.join("probe"), "").is_ok() {
        eprintln!("not tried: this user may write anywhere");
        return;
    }
    let (code, json) = examine(&ctx, as_app(&ctx).args(["--output-dir", "closed/runs"]));
    assert_eq!(code, 1);
    says(&json, "run-folder", "failed", &["closed", "--output-dir"]);
}

#[test]
fn rates_above_the_quota_are_reported() {
    let ctx = TestContext::new("");
    let (_, json) = examine(&ctx, as_app(&ctx).args(["--rate", "50/s", "-j", "8"]));
    says(&json, "pace", "warning", &["50.0/s", "jobs 8", "--rate auto"]);
}

#[test]
fn secrets_and_tokens_do_not_leak() {
    for format in ["json", "text"] {
        for wrong in ["", "token = { secret = 'another' }"] {
            let ctx = TestContext::new(wrong);
            let done = ctx.finish(as_app(&ctx).args(["-vvv", "--log-format", format]));
            let token = ctx.simulator.mint_token(TokenKind::User, Duration::from_secs(600));
            let ready = ctx.finish(with_token(&ctx, &token).args(["-vvv", "--log-format", format]));
            for CommandResult { stdout, stderr, .. } in [&done, &ready] {
                let all = format!("{stdout}{stderr}");
                assert!(!all.contains("CANARY") && !all.contains("eyJ") && !all.contains(&token), "{all}");
            }
            assert!(ctx.all_files().is_empty());
        }
    }
}
