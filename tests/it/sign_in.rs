//! Sign-in with an app's secret and with ready tokens, renewal, and every way in which it fails.

use crate::support::plain_server;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::ctx::TestContext;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entra_revoke::simulator::TokenKind;

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
const SECRET: &str = "fake-secret-CANARY-77aa";

/// The token endpoint of one app, and Graph, which takes only its tokens.
fn app_only(more: &str) -> TestContext {
    let (top, tables) = match more.split_once("[[") {
        Some((top, tables)) => (top, format!("[[{tables}")),
        None => (more, String::new()),
    };
    TestContext::new(&format!(
        "accept_any_token = false\n\
         token = {{ tenant = '{TENANT}', client_id = '{APP}', secret = '{SECRET}' {top} }}\n{tables}"
    ))
}

/// `run` as that app.
fn as_app(ctx: &TestContext, input: &Path) -> Command {
    as_app_at(ctx, &ctx.simulator.url(), input)
}

/// `run` as the app against another authority.
fn as_app_at(ctx: &TestContext, authority: &str, input: &Path) -> Command {
    let mut command = ctx.command_without_token("run");
    command.env("AZURE_TENANT_ID", TENANT).env("AZURE_CLIENT_ID", APP).env("AZURE_CLIENT_SECRET", SECRET);
    command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", authority, "--yes"]).arg(input);
    command
}

fn with_token(ctx: &TestContext, token: &str, input: &Path) -> Command {
    let mut command = ctx.command("run");
    command.env("ENTRA_REVOKE_TOKEN", token).arg(input);
    command
}

#[test]
fn an_app_signs_in_with_its_secret() {
    let ctx = app_only("");
    let input = ctx.users(5);
    ctx.finish(&mut as_app(&ctx, &input)).exits(0);
    let stats = ctx.stats();
    assert_eq!((stats.token_requests, stats.tokens_issued, stats.bad_auth), (1, 1, 0));
    let summary = ctx.run_folder().summary();
    assert_eq!(summary["operator"]["auth"], "client-secret");
    assert_eq!(summary["operator"]["app_id"], APP);
    assert_eq!(summary["tenant_id"], TENANT);
}

#[test]
fn the_app_can_be_set_by_flags() {
    let ctx = app_only("");
    let input = ctx.users(1);
    let mut command = ctx.command_without_token("run");
    command.env("AZURE_CLIENT_SECRET", SECRET).args(["--tenant", TENANT, "--app-id", APP, "--yes"]);
    command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
    ctx.finish(command.arg(&input)).exits(0);
}

/// A secret as files and variables have it: in PowerShell's UTF-16, with a byte order mark, with a line end behind it.
#[test]
fn a_secret_is_read_in_any_encoding() {
    let utf_16 = |mark: &[u8], unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let text = format!("{SECRET}\r\n");
        mark.iter().copied().chain(text.encode_utf16().flat_map(unit)).collect()
    };
    let ctx = app_only("");
    let input = ctx.users(1);
    for bytes in [
        utf_16(b"\xff\xfe", u16::to_le_bytes),
        utf_16(b"\xfe\xff", u16::to_be_bytes),
        utf_16(b"", u16::to_le_bytes),
        format!("\u{feff}{SECRET}\n").into_bytes(),
    ] {
        let file = ctx.input("secret.txt", bytes);
        let mut command = as_app(&ctx, &input);
        command.env_remove("AZURE_CLIENT_SECRET").arg("--client-secret-file").arg(file);
        ctx.finish(&mut command).exits(0);
    }
    for end in ["\n", "\r\n", "\r"] {
        let secret = format!("{SECRET}{end}");
        ctx.finish(as_app(&ctx, &input).env("AZURE_CLIENT_SECRET", secret)).exits(0);
    }
    assert_eq!(ctx.stats().bad_auth, 0);
    let file = ctx.input("secret.txt", b"fake-CANARY-\xe4\n");
    let mut command = as_app(&ctx, &input);
    command.env_remove("AZURE_CLIENT_SECRET").arg("--client-secret-file").arg(file);
    let done = ctx.finish(&mut command);
    done.exits(4);
    assert!(done.stderr.contains("save it as UTF-8") && !done.stderr.contains("CANARY"), "{}", done.stderr);
}

#[test]
fn a_secret_with_special_characters_arrives_unchanged() {
    let odd = "a+b c&d=e%25~ü'\"";
    let ctx = TestContext::new(&format!("accept_any_token = false\n[token]\nsecret = '''{odd}'''\n"));
    let input = ctx.users(1);
    ctx.finish(as_app(&ctx, &input).env("AZURE_CLIENT_SECRET", odd)).exits(0);
}

#[test]
fn a_short_lived_token_is_renewed_during_the_run() {
    let ctx = app_only(", lifetime = '2s'");
    let input = ctx.users(50);
    ctx.finish(as_app(&ctx, &input).args(["--rate", "20/s", "--burst", "1"])).exits(0);
    let ledger = ctx.ledger();
    assert!(ledger.stats.tokens_issued >= 2, "{:?}", ledger.stats);
    assert!(ledger.users.iter().all(|user| user.effects == 1));
    let renewed = ctx.run_folder().journal().iter().filter(|line| line["event"] == "renewed").count();
    assert_eq!(renewed as u64, ledger.stats.tokens_issued - 1);
}

#[test]
fn a_401_is_answered_with_one_new_token() {
    let ctx = app_only("[[fault]]\nanswer = 'revoke-token'\nfirst = 1\n");
    let input = ctx.users(30);
    ctx.finish(as_app(&ctx, &input).args(["--retries", "0"])).exits(0);
    let ledger = ctx.ledger();
    assert_eq!(ledger.stats.tokens_issued, 2, "one for all, however many were refused");
    assert!(ledger.users.iter().all(|user| user.effects == 1));
}

#[test]
fn a_refused_new_token_ends_the_run() {
    let ctx = app_only("[[fault]]\nanswer = 'expired-token'\n");
    let input = ctx.users(10);
    let done = ctx.finish(as_app(&ctx, &input).args(["-j", "1"]));
    done.exits(4);
    assert!(done.stdout.contains("Graph refused a new access token"), "{}", done.stdout);
    let stats = ctx.stats();
    assert_eq!((stats.tokens_issued, stats.revocations), (2, 2), "one user, with each token once");
    let folder = ctx.run_folder();
    assert_eq!(folder.summary()["stopped"]["reason"], "sign_in");
    assert_eq!(folder.text("remaining.csv").lines().count(), 11, "nobody is done");

    ctx.simulator.change_config("fault = []").unwrap();
    let mut resume = ctx.command("resume");
    resume.env_remove("ENTRA_REVOKE_TOKEN").env("AZURE_CLIENT_SECRET", SECRET).arg(&folder.path);
    ctx.finish(&mut resume).exits(0);
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn without_expires_in_the_tokens_own_expiry_counts() {
    let end = jiff::Timestamp::now().as_second() + 3600;
    let claims = URL_SAFE_NO_PAD.encode(serde_json::json!({ "exp": end }).to_string());
    let body = format!(r#"{{"token_type":"Bearer","access_token":"e30.{claims}.c2ln"}}"#);
    let (authority, seen) = plain_server::serve(move |_| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    let ctx = TestContext::new("");
    let input = ctx.users(3);
    ctx.finish(&mut as_app_at(&ctx, &authority, &input)).exits(0);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn a_flag_for_another_sign_in_is_refused() {
    let ctx = TestContext::new("");
    let input = ctx.users(1);
    let secret = ctx.input("secret.txt", "fake");
    for auth in ["managed-identity", "certificate", "token", "device-code"] {
        let mut command = ctx.command_without_token("run");
        command.args(["--graph-url", &ctx.simulator.url(), "--yes", "--auth", auth]).arg(&input);
        let done = ctx.finish(command.arg("--client-secret-file").arg(&secret));
        done.exits(2);
        let says = format!("--auth {auth} does not use --client-secret-file");
        assert!(done.stderr.contains(&says), "{}", done.stderr);
        assert_eq!(ctx.stats().requests, 0);
    }
}

#[test]
fn a_rate_above_the_quota_is_warned_about() {
    let ctx = TestContext::new("");
    let input = ctx.users(1);
    let told = |args: &[&str]| ctx.run(&input, args).exits(0).stderr.contains("warning: pace:");
    assert!(told(&["--rate", "50/s"]));
    assert!(!told(&["--rate", "20/s"]) && !told(&[]));
}

#[test]
fn a_long_wait_at_sign_in_is_reported() {
    let ctx = app_only("[[fault]]\nendpoint = 'token'\nanswer = 429\nretry_after = '300'\n");
    let input = ctx.users(1);
    let done = ctx.finish(&mut as_app(&ctx, &input));
    ctx.assert_sign_in_refused(&done, &["429", "300 s", "retry after"]);
}

#[test]
fn a_claims_challenge_is_answered_once() {
    let ctx = app_only("[[fault]]\nanswer = 'challenge'\n");
    let input = ctx.users(8);
    ctx.finish(as_app(&ctx, &input).args(["--retries", "0"])).exits(0);
    let ledger = ctx.ledger();
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
fn challenge_claims_are_sent_to_the_token_endpoint() {
    let (authority, seen) = plain_server::serve(|number| issue(&format!("fake-{number}"), "3600"));
    let ctx = TestContext::new("[[fault]]\nanswer = 'challenge'\n");
    let input = ctx.users(1);
    ctx.finish(&mut as_app_at(&ctx, &authority, &input)).exits(0);
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
fn a_token_without_an_expiry_is_refused() {
    for life in ["0", "\"0\"", "-5", "\"soon\"", "null"] {
        let (authority, seen) = plain_server::serve(move |_| issue("fake", life));
        let ctx = TestContext::new("");
        let input = ctx.users(1);
        let done = ctx.finish(&mut as_app_at(&ctx, &authority, &input));
        ctx.assert_sign_in_refused(&done, &["token endpoint"]);
        assert_eq!(seen.lock().unwrap().len(), 1, "{life}");
    }
}

#[test]
fn a_busy_token_endpoint_is_retried() {
    for fault in [
        "answer = 429\nretry_after = '1'",
        "answer = 503",
        "answer = 522",
        "answer = 'reset-before'",
        "answer = 'hang-before'",
    ] {
        let ctx = app_only(&format!("[[fault]]\nendpoint = 'token'\ntimes = 1\n{fault}\n"));
        let input = ctx.users(1);
        let began = Instant::now();
        ctx.finish(as_app(&ctx, &input).args(["--timeout", "500ms"])).exits(0);
        assert!(began.elapsed() >= Duration::from_secs(1), "{fault}");
        assert_eq!(ctx.stats().token_requests, 2, "{fault}");
    }
}

#[test]
fn an_unusable_token_endpoint_is_named() {
    for (fault, says) in [
        ("answer = 429\nretry_after = '600'", "429"),
        ("answer = 'portal'", "portal"),
        ("answer = 400\nbody = 'html'", "not how Entra answers"),
        ("answer = 302\nbody = 'html'", "302"),
        ("answer = 403\nbody = 'empty'", "403"),
    ] {
        let ctx = app_only(&format!("[[fault]]\nendpoint = 'token'\n{fault}\n"));
        let input = ctx.users(1);
        let done = ctx.finish(&mut as_app(&ctx, &input));
        ctx.assert_sign_in_refused(&done, &["token endpoint", says]);
        assert_eq!((ctx.stats().token_requests, ctx.stats().redirects_followed), (1, 0), "{fault}");
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
        let ctx = TestContext::new(&format!("[token]\n{token}\n"));
        let input = ctx.users(1);
        let done = ctx.finish(&mut as_app(&ctx, &input));
        ctx.assert_sign_in_refused(&done, &[code, advice]);
        assert_eq!(ctx.stats().token_requests, 1, "{code} is not asked again");
        assert_eq!(
            done.stderr.lines().filter(|line| line.starts_with("error:")).count(),
            1,
            "{}",
            done.stderr
        );
    }
}

#[test]
fn missing_sign_in_settings_are_named() {
    let ctx = TestContext::new("");
    let input = ctx.users(1);
    for (set, says) in [
        (&[][..], &["ENTRA_REVOKE_TOKEN", "--token-file", "AZURE_CLIENT_SECRET"][..]),
        (&[("AZURE_CLIENT_SECRET", SECRET)], &["--tenant"]),
        (&[("AZURE_CLIENT_SECRET", SECRET), ("AZURE_TENANT_ID", TENANT)], &["--client-id"]),
        (
            &[("AZURE_CLIENT_SECRET", SECRET), ("AZURE_TENANT_ID", " "), ("AZURE_CLIENT_ID", APP)],
            &["--tenant"],
        ),
        (&[("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", APP)], &["AZURE_CLIENT_SECRET"]),
        (&[("ENTRA_REVOKE_TOKEN", " ")], &["no sign-in method", "--auth device-code"]),
        (&[("ENTRA_REVOKE_TOKEN", "two words")], &["white space"]),
    ] {
        let mut command = ctx.command_without_token("run");
        command.args(["--graph-url", &ctx.simulator.url(), "--yes"]).arg(&input).envs(set.iter().copied());
        ctx.assert_sign_in_refused(&ctx.finish(&mut command), says);
    }
}

#[test]
fn a_token_for_another_tenant_or_cloud_sends_nothing() {
    let ctx = TestContext::new(&format!("[token]\ntenant = '{TENANT}'\n"));
    let input = ctx.users(1);
    let token = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    let other = "11111111-0000-4000-8000-000000000001";
    let done = ctx.finish(with_token(&ctx, &token, &input).args(["--tenant", other]));
    ctx.assert_sign_in_refused(&done, &[TENANT, other, "nothing was revoked"]);
    let done = ctx.finish(with_token(&ctx, &token, &input).args(["--cloud", "usgov"]));
    ctx.assert_sign_in_refused(&done, &["https://graph.microsoft.com", "--cloud"]);
    let same = TENANT.to_uppercase();
    ctx.finish(with_token(&ctx, &token, &input).args(["--tenant", &same])).exits(0);
}

#[test]
fn me_is_refused_for_an_app() {
    let ctx = TestContext::new("");
    let input = ctx.input("me.txt", "me\n");
    let mint = |kind| ctx.simulator.mint_token(kind, Duration::from_secs(600));
    let done = ctx.finish(&mut with_token(&ctx, &mint(TokenKind::App), &input));
    done.exits(2);
    assert!(done.stderr.contains("`me`") && done.stderr.contains("delegated"), "{}", done.stderr);
    assert_eq!(ctx.stats().revocations, 0);
    ctx.finish(&mut with_token(&ctx, &mint(TokenKind::User), &input)).exits(0);
    let ledger = ctx.ledger();
    assert_eq!((ledger.users.len(), ledger.users[0].effects), (1, 1));
    assert_eq!(ctx.run_folder().row("me")["outcome"], "revoked");
}

#[test]
fn many_refusals_mean_a_missing_permission() {
    let ctx = TestContext::new("deny = ['*']");
    let input = ctx.users(60);
    let done = ctx.run(&input, &["-j", "1"]);
    done.exits(4);
    for words in ["User.RevokeSessions.All", "Helpdesk Administrator", "resume"] {
        assert!(done.stdout.contains(words), "{words:?} is not in: {}", done.stdout);
    }
    // The first twenty, and twenty others.
    assert_eq!(ctx.stats().revocations, 40);
    let words: Vec<String> = ctx.run_folder().rows().iter().map(|row| row["outcome"].clone()).collect();
    assert!(words[..20].iter().all(|word| word == "forbidden") && words[59] == "forbidden");
    assert_eq!(words.iter().filter(|word| *word == "not_attempted").count(), 20);
    // Where there are no others, the twenty are all.
    let small = TestContext::new("deny = ['*']");
    let input = small.users(20);
    small.run(&input, &[]).exits(4);
}

#[test]
fn nineteen_refusals_do_not_stop_the_run() {
    let ctx = TestContext::new("deny = ['*']");
    let input = ctx.users(19);
    ctx.run(&input, &[]).exits(3);
    let deny: Vec<String> = (1..30).map(|n| format!("'u{n:02}@*'")).collect();
    let later = TestContext::new(&format!("deny = [{}]", deny.join(", ")));
    let input = later.users(30);
    later.run(&input, &["-j", "1"]).exits(3);
    assert_eq!(later.stats().revocations, 30, "one success shows that the permission is there");
}

#[test]
fn a_token_without_the_permission_is_refused_by_graph() {
    let ctx = app_only(", roles = ['User.Read.All']");
    let input = ctx.users(25);
    ctx.finish(as_app(&ctx, &input).args(["-j", "1"])).exits(4);
    assert_eq!(ctx.stats().effects, 0);
}

/// Gaps between requests, as the simulator saw them, in seconds.
fn longest_gap(ctx: &TestContext) -> f64 {
    let mut at: Vec<f64> = ctx.ledger().users.iter().map(|user| user.first_s).collect();
    at.sort_by(f64::total_cmp);
    at.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

/// It takes as long as a token lives: a shorter life leaves no time to renew it slowly. A worker that waited for the
/// renewal would wait for all of its 350 ms.
#[test]
fn a_slow_token_endpoint_does_not_delay_users() {
    let ctx = app_only(
        ", lifetime = '3s'[[fault]]\nendpoint = 'token'\nafter = 1\nanswer = 'delay'\ndelay = '350ms'\n",
    );
    let input = ctx.users(64);
    ctx.finish(as_app(&ctx, &input).args(["--rate", "20/s", "--burst", "1", "--retries", "0"])).exits(0);
    let stats = ctx.stats();
    assert_eq!((stats.tokens_issued, stats.bad_auth), (2, 0), "{stats:?}");
    assert!(longest_gap(&ctx) < 0.34, "a worker waited {} s", longest_gap(&ctx));
}

#[test]
fn a_second_challenge_in_a_row_ends_the_run() {
    let ctx = app_only(
        "[[fault]]\nmatch = 'u00@*'\nanswer = 401\n        headers = { WWW-Authenticate = 'Bearer \
         error=insufficient_claims, claims=eyJhY2Nlc3NfdG9rZW4iOnt9fQ' }\n",
    );
    let input = ctx.users(3);
    let done = ctx.finish(as_app(&ctx, &input).args(["-j", "1"]));
    done.exits(4);
    assert!(done.stdout.contains("just answered its challenge"), "{}", done.stdout);
    assert_eq!(ctx.stats().tokens_issued, 2);
}

/// Conditional Access says it with a 403; that says nothing about the user.
#[test]
fn a_403_that_asks_for_claims_is_answered_with_a_new_token() {
    let ctx = app_only(
        "[[fault]]\nanswer = 403\nfirst = 1\n\
        headers = { WWW-Authenticate = 'Bearer error=insufficient_claims, claims=eyJhY2Nlc3NfdG9rZW4iOnt9fQ' }\n",
    );
    let input = ctx.users(3);
    ctx.finish(as_app(&ctx, &input).args(["-j", "1", "--retries", "0"])).exits(0);
    assert_eq!(ctx.stats().tokens_issued, 2);
}

/// A ready token of a tenant, as far as it tells.
fn token_of(tenant: &str) -> String {
    let claims = serde_json::json!({
        "aud": "https://graph.microsoft.com", "tid": tenant, "idtyp": "app", "roles": ["User.RevokeSessions.All"],
    });
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Two domains of the tenant, and whatever else is asked for is another's.
const DOMAINS: &str = "[[tenant]]\nmatch = 'contoso.example'\nid = '0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f'\n\
    [[tenant]]\nmatch = 'contoso.onmicrosoft.example'\nid = '0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f'\n\
    [[tenant]]\nmatch = 'nowhere.example'\nknown = false\n";

#[test]
fn a_domain_is_resolved_by_the_authority() {
    let ctx = TestContext::new(DOMAINS);
    let input = ctx.users(2);
    for (tenant, says) in [
        ("fabrikam.example", "tenant fabrikam.example (which is "),
        ("nowhere.example", "there is no tenant nowhere.example"),
        ("common", "neither a tenant's ID"),
        ("organizations", "neither a tenant's ID"),
        ("consumers", "neither a tenant's ID"),
        ("Contoso", "neither a tenant's ID"),
        ("contoso.example.", "neither a tenant's ID"),
    ] {
        let done = ctx.finish(with_token(&ctx, &token_of(TENANT), &input).args(["--tenant", tenant]));
        ctx.assert_sign_in_refused(&done, &[says]);
        let by_env = ctx.finish(with_token(&ctx, &token_of(TENANT), &input).env("AZURE_TENANT_ID", tenant));
        ctx.assert_sign_in_refused(&by_env, &[says]);
    }
    assert_eq!(ctx.stats().revocations, 0);
    let done = ctx.finish(with_token(&ctx, &token_of(TENANT), &input).args(["--tenant", "Contoso.example"]));
    done.exits(0);
    let record: serde_json::Value = serde_json::from_str(&ctx.run_folder().text("run.json")).unwrap();
    assert_eq!(record["tenant_id"], TENANT);
    // The same run goes on with a token of the tenant, and of no other.
    let resume = |token: &str, tenant: &str| {
        let mut resume = ctx.command("resume");
        resume.env("ENTRA_REVOKE_TOKEN", token).args(["--tenant", tenant]).arg(&ctx.run_folder().path);
        ctx.finish(&mut resume)
    };
    resume(&token_of(TENANT), "contoso.example").exits(0);
}

#[test]
fn a_run_can_only_be_resumed_in_its_own_tenant() {
    let ctx = TestContext::new(&format!("{DOMAINS}[[fault]]\nanswer = 'expired-token'\n"));
    let input = ctx.users(2);
    ctx.finish(with_token(&ctx, &token_of(TENANT), &input).args(["--tenant", "contoso.example"])).exits(4);
    ctx.simulator.change_config("fault = []").unwrap();
    let folder = ctx.run_folder();
    let resume = |tenant: &str| {
        let mut resume = ctx.command("resume");
        resume.env("ENTRA_REVOKE_TOKEN", token_of(tenant)).arg(&folder.path);
        ctx.finish(&mut resume)
    };
    let other = resume("11111111-0000-4000-8000-000000000001");
    other.exits(4);
    assert!(other.stderr.contains("contoso.example"), "{}", other.stderr);
    assert_eq!(ctx.stats().effects, 0);
    resume(TENANT).exits(0);
    assert_eq!(ctx.stats().effects, 2);
}

#[test]
fn the_tenants_domains_are_used_if_the_authority_is_silent() {
    let readable = "[token]\nroles = ['User.RevokeSessions.All', 'Organization.Read.All']\n\
                    [directory]\ndomain = 'contoso.example'\n[[directory.user]]\nupn = 'ann@contoso.example'\n";
    let ctx = TestContext::new(readable);
    let input = ctx.input("users.txt", "ann@contoso.example\n");
    let token = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    let run = |tenant: &str| {
        let mut command = ctx.command_without_token("run");
        command.env("ENTRA_REVOKE_TOKEN", &token).arg(&input).args(["--yes", "--tenant", tenant]);
        // No server listens there.
        command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", "http://127.0.0.1:9"]);
        ctx.finish(&mut command)
    };
    ctx.assert_sign_in_refused(&run("fabrikam.example"), &["but you named tenant fabrikam.example"]);
    run("contoso.example").exits(0);

    let ctx = TestContext::new(
        "[token]\nroles = ['User.RevokeSessions.All']\n[directory]\ndomain = 'contoso.example'\n",
    );
    let input = ctx.users(1);
    for token in [ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(600)), "opaque".to_owned()] {
        let mut command = ctx.command_without_token("run");
        command.env("ENTRA_REVOKE_TOKEN", token).arg(&input).args(["--yes", "--tenant", "contoso.example"]);
        command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", "http://127.0.0.1:9"]);
        ctx.simulator
            .change_config("[[fault]]\nendpoint = 'directory'\nmatch = 'organization*'\nanswer = 403\n")
            .unwrap();
        let done = ctx.finish(&mut command);
        ctx.assert_sign_in_refused(&done, &["it is not known whether contoso.example", "--tenant GUID"]);
    }
}

#[test]
fn an_opaque_token_does_not_prove_the_tenant() {
    let ctx = TestContext::new("[[fault]]\nendpoint = 'directory'\nmatch = 'organization*'\nanswer = 403\n");
    let input = ctx.users(2);
    let done = ctx.run(&input, &["--tenant", TENANT]);
    done.exits(0);
    assert!(done.stderr.contains("neither the token nor Graph says which tenant this is"), "{}", done.stderr);
    let folder = ctx.run_folder();
    let record: serde_json::Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    assert_eq!(
        (&record["tenant"], &record["tenant_id"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    assert_eq!(record["unverified_tenant"], TENANT);
    assert!(!folder.text("report.html").contains(TENANT), "what was only typed is no evidence");
    // Where Graph tells the tenant, it counts.
    let ctx = TestContext::new("[token]\nroles = ['User.RevokeSessions.All', 'Organization.Read.All']\n");
    let input = ctx.users(2);
    ctx.assert_sign_in_refused(&ctx.run(&input, &["--tenant", TENANT]), &[TENANT, "but you named"]);
}

#[test]
fn every_sign_in_refuses_an_invalid_tenant() {
    let ctx = TestContext::new("");
    let input = ctx.users(1);
    for way in [
        &["--auth", "device-code", "--client-id", APP][..],
        &["--auth", "client-secret", "--client-id", APP],
        &[
            "--auth",
            "certificate",
            "--client-id",
            APP,
            "--certificate-file",
            "tests/fixtures/certificates/bags.pem",
        ],
    ] {
        let mut command = ctx.command_without_token("run");
        command.env("AZURE_CLIENT_SECRET", SECRET).args(["--graph-url", &ctx.simulator.url(), "--yes"]);
        command.args(["--authority-url", &ctx.simulator.url(), "--tenant", "organizations"]).arg(&input);
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args(["--output-dir"])
            .arg(ctx.dir.path().join("runs"));
        command.env("AZURE_CLIENT_CERTIFICATE_PASSWORD", "fake-password-CANARY-5d11");
        let done = ctx.finish(command.args(way));
        done.exits(4);
        assert_eq!(ctx.stats().requests, 0, "{way:?}: {}", done.stderr);
    }
}
