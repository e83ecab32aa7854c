//! Secrets appear in no file, no output, no log line and no argument.
#![cfg(unix)]

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::ctx::{CommandResult, TOKEN, TestContext};
use crate::support::plain_server::serve_requests;
use crate::support::secret_leak::{assert_no_leak, contains_secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entra_revoke::simulator::TokenKind;

const SECRET: &str = "fake-secret-CANARY-41d0";

#[test]
fn the_leak_search_finds_encoded_secrets() {
    for text in [SECRET.to_owned(), STANDARD.encode(format!("app:{SECRET};")), STANDARD.encode(SECRET)] {
        assert!(contains_secret(format!("a {text} b").as_bytes(), SECRET), "{text}");
    }
    assert!(!contains_secret(b"fake-secret-CANARY", SECRET));
}

const FAULTS: &str = "[[fault]]\nmatch = 'b@*'\nanswer = 503\ntimes = 1\n\
                      [[fault]]\nmatch = 'c@*'\nanswer = 'reset-before'\n\
                      [[fault]]\nmatch = 'd@*'\nanswer = 'revoke-token'\nfirst = 1\n";
const USERS: &str = "a@contoso.com\nb@contoso.com\nc@contoso.com\nd@contoso.com\n";

/// The loudest logs there are, to a file or to standard error.
fn loudly<'a>(command: &'a mut Command, format: &str, file: bool) -> &'a mut Command {
    command.args(["-vvv", "--log-format", format, "--retries", "1"]);
    if file {
        command.args(["--log-file", "run.log"]);
    }
    command
}

#[test]
fn a_ready_token_does_not_leak() {
    for (format, file) in [("json", true), ("text", true), ("json", false), ("text", false)] {
        let ctx = TestContext::new(FAULTS);
        let input = ctx.input("users.txt", USERS);
        let mut command = ctx.command("run");
        // The token is refused in the middle: the failing sign-in is logged, too.
        let done = ctx.finish(loudly(command.arg(&input), format, file));
        done.exits(4);
        assert_no_leak(&ctx, &done, TOKEN, None);
        let folder = ctx.run_folder();
        let mut command = ctx.command("resume");
        let done =
            ctx.finish(loudly(command.env("ENTRA_REVOKE_TOKEN", SECRET).arg(&folder.path), format, file));
        done.exits(3);
        assert_no_leak(&ctx, &done, SECRET, None);
    }
}

#[test]
fn a_secret_given_as_a_path_does_not_leak() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", USERS);
    let token = format!("eyJhbGciOiJub25lIn0.{SECRET}.c2ln");
    let secret = format!("abc8Q~{SECRET}0123456789");
    for (flag, value) in [("--token-file", &token), ("--client-secret-file", &secret)] {
        let mut command = ctx.command_without_token("run");
        command.arg(&input).args(["--yes", "--graph-url", &ctx.simulator.url()]);
        command.args(["--authority-url", &ctx.simulator.url(), "--tenant", "contoso.com"]);
        let done = ctx.finish(command.args(["--client-id", "app-1", flag, value]));
        assert!(matches!(done.code, Some(2 | 4)), "{done:?}");
        assert!(done.stderr.contains("it may be the secret itself"), "{}", done.stderr);
        assert!(!contains_secret(done.stderr.as_bytes(), SECRET), "{}", done.stderr);
    }
}

#[test]
fn a_token_from_a_file_does_not_leak() {
    let ctx = TestContext::new(FAULTS);
    let input = ctx.input("users.txt", USERS);
    let token = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    let file = ctx.input("token.txt", &token);
    let mut command = ctx.command_without_token("run");
    command.args(["--yes", "--graph-url", &ctx.simulator.url()]).arg("--token-file").arg(&file);
    let done = ctx.finish(loudly(command.arg(&input), "json", true));
    done.exits(4);
    assert_no_leak(&ctx, &done, &token, Some(&file));
    let signature = token.rsplit('.').next().unwrap();
    assert_no_leak(&ctx, &done, signature, Some(&file));
}

fn as_app(ctx: &TestContext, input: &Path) -> Command {
    let mut command = ctx.command_without_token("run");
    command.env("AZURE_TENANT_ID", "contoso.com").env("AZURE_CLIENT_ID", "an-app").arg(input);
    command.env("AZURE_CLIENT_SECRET", SECRET);
    command.args(["--yes", "--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
    command
}

#[test]
fn an_app_secret_and_its_tokens_do_not_leak() {
    for (format, file) in [("json", true), ("text", false)] {
        let ctx = TestContext::new(FAULTS);
        let input = ctx.input("users.txt", USERS);
        let done = ctx.finish(loudly(&mut as_app(&ctx, &input), format, file));
        done.exits(3);
        assert_eq!(ctx.stats().tokens_issued, 2);
        assert_no_leak(&ctx, &done, SECRET, None);
        // All of the simulator's tokens begin alike: the header of a JWT.
        let minted = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(1));
        let header = minted.split('.').next().unwrap();
        assert_no_leak(&ctx, &done, header, None);
    }
}

#[test]
fn a_failed_sign_in_does_not_leak_the_secret() {
    for fault in [
        "answer = 401",
        "answer = 'portal'",
        "answer = 429\nretry_after = '600'",
        "answer = 400\nbody = 'html'",
    ] {
        let ctx = TestContext::new(&format!("[[fault]]\nendpoint = 'token'\n{fault}\n"));
        let input = ctx.input("users.txt", USERS);
        let done = ctx.finish(loudly(&mut as_app(&ctx, &input), "json", true));
        done.exits(4);
        assert_no_leak(&ctx, &done, SECRET, None);
    }
}

#[test]
fn an_invalid_token_is_not_quoted() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", USERS);
    let odd = format!("{SECRET} with\u{7}more");
    let done = ctx.finish(ctx.command("run").env("ENTRA_REVOKE_TOKEN", &odd).arg(&input));
    done.exits(4);
    assert_no_leak(&ctx, &done, SECRET, None);
}

#[test]
fn process_arguments_contain_no_secret() {
    type Way = fn(&TestContext, &Path) -> Command;
    let token: Way = |ctx, input| {
        let mut command = ctx.command("run");
        command.env("ENTRA_REVOKE_TOKEN", SECRET).arg(input);
        command
    };
    let person: Way = |ctx, input| as_person(ctx, &ctx.simulator.url(), input);
    let identity: Way = |ctx, input| {
        let mut command = ctx.command_without_token("run");
        command.args(["--yes", "--graph-url", &ctx.simulator.url()]).arg(input);
        command.env("IDENTITY_ENDPOINT", ctx.simulator.url() + "/msi/token").env("IDENTITY_HEADER", SECRET);
        command
    };
    for way in [as_app as Way, token, person, identity] {
        let ctx = TestContext::new("[token.device]\ninterval = 0.1\n[[fault]]\nanswer = 'hang-before'\n");
        let input = ctx.input("users.txt", USERS);
        let arguments = arguments_mid_run(&ctx, &mut way(&ctx, &input));
        if let Some(arguments) = arguments {
            assert!(!arguments.is_empty() && !contains_secret(&arguments, SECRET));
            // What every JWT begins with: the tokens that it got.
            assert!(!arguments.windows(3).any(|part| part == b"eyJ"));
        }
        for (path, bytes) in ctx.all_files() {
            assert!(!contains_secret(&bytes, SECRET), "{} holds the secret", path.display());
        }
    }
}

/// The process's arguments while a request waits for its answer, where the system shows them.
fn arguments_mid_run(ctx: &TestContext, command: &mut Command) -> Option<Vec<u8>> {
    let mut run = ctx.start(command);
    let began = Instant::now();
    while ctx.stats().in_flight == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing was revoked");
        std::thread::yield_now();
    }
    let arguments = std::fs::read(format!("/proc/{}/cmdline", run.id()));
    run.kill().expect("the run is still there");
    run.wait().expect("the run ends");
    arguments.ok()
}

/// One answer with a body in JSON and one more header.
fn json(status: &str, header: &str, body: &serde_json::Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status}\r\nrequest-id: 0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f\r\n{header}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_token_quoted_by_graph_does_not_leak() {
    for status in ["400 Bad Request", "429 Too Many Requests", "503 Service Unavailable", "401 Unauthorized"]
    {
        let (root, seen) = serve_requests(move |_, seen| {
            let bearer = seen.header("authorization");
            let token = bearer.trim_start_matches("Bearer ");
            assert!(token.contains("CANARY"));
            let pad = "x".repeat(280);
            let body = serde_json::json!({"error": {
                "code": token,
                "message": format!("no: '{bearer}' {pad} {bearer}"),
            }});
            json(status, &format!("x-ms-ags-diagnostic: {bearer}\r\nx-ms-throttle-scope: {token}"), &body)
        });
        let ctx = TestContext::new("");
        let input = ctx.input("users.txt", USERS);
        let mut command = ctx.command_without_token("run");
        command.env("ENTRA_REVOKE_TOKEN", TOKEN).arg(&input).args(["--yes", "--graph-url", &root]);
        command.args(["--deadline", "2s", "-o", "jsonl"]);
        let done = ctx.finish(loudly(&mut command, "json", true));
        assert_ne!(done.code, Some(0));
        assert!(!seen.lock().unwrap().is_empty());
        assert_no_leak(&ctx, &done, TOKEN, None);
    }
}

#[test]
fn a_secret_quoted_by_the_authority_does_not_leak() {
    for secret in [SECRET, "fake+secret/CANARY=41 d0~"] {
        let (root, seen) = serve_requests(|_, seen| {
            let sent = seen.body.split('&').find_map(|part| part.strip_prefix("client_secret=")).unwrap();
            let plain = sent.replace('+', " ");
            let plain = percent_encoding::percent_decode_str(&plain).decode_utf8().unwrap();
            let body = serde_json::json!({
                "error": "invalid_client",
                "error_description":
                    format!("AADSTS7000215: wrong secret '{plain}', sent as {sent} in {}", seen.body),
            });
            json("401 Unauthorized", "x-quoted: yes", &body)
        });
        let ctx = TestContext::new("");
        let input = ctx.input("users.txt", USERS);
        let mut command = ctx.command_without_token("run");
        command.env("AZURE_TENANT_ID", "contoso.com").env("AZURE_CLIENT_ID", "an-app").arg(&input);
        command.env("AZURE_CLIENT_SECRET", secret);
        command.args(["--yes", "--graph-url", &ctx.simulator.url(), "--authority-url", &root]);
        let done = ctx.finish(loudly(&mut command, "json", true));
        done.exits(4);
        assert!(done.stderr.contains("AADSTS7000215"), "{}", done.stderr);
        assert!(!seen.lock().unwrap().is_empty());
        assert_no_leak(&ctx, &done, secret, None);
        // As a form has it.
        let form = secret.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D").replace(' ', "+");
        assert_no_leak(&ctx, &done, &form.replace('~', "%7E"), None);
    }
}

/// A fake certificate or key.
fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/certificates").join(name)
}

const PASSWORD: &str = "fake-password-CANARY-5d11";

/// Some lines of the private key's PEM, and parts of its DER in hex.
fn key_parts() -> Vec<String> {
    let pem = std::fs::read_to_string(fixture("rsa.key")).expect("the fake key");
    let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = STANDARD.decode(lines.concat()).expect("base64");
    let parts = der.chunks(32).skip(1).step_by(8).map(hex::encode);
    lines.iter().step_by(5).map(|line| (*line).to_owned()).chain(parts).collect()
}

/// The certificate with its key in PFX, or in PEM with a password.
fn with_certificate(ctx: &TestContext, input: &Path, root: &str, file: &str) -> Command {
    let mut command = ctx.command_without_token("run");
    command.env("AZURE_TENANT_ID", "contoso.com").env("AZURE_CLIENT_ID", "an-app").arg(input);
    command.env("AZURE_CLIENT_CERTIFICATE_PATH", fixture(file));
    command.env("AZURE_CLIENT_CERTIFICATE_PASSWORD", PASSWORD);
    command.args(["--yes", "--graph-url", &ctx.simulator.url(), "--authority-url", root]);
    command
}

#[track_caller]
fn shows_no_certificate(ctx: &TestContext, done: &CommandResult) {
    assert_no_leak(ctx, done, PASSWORD, None);
    for part in key_parts() {
        assert_no_leak(ctx, done, &part, None);
    }
    // Every assertion begins like this: {"alg":
    for text in [&done.stdout, &done.stderr] {
        assert!(!text.contains("eyJhbGciOi"), "{text}");
    }
    for (path, bytes) in ctx.all_files() {
        let found = bytes.windows(10).any(|window| window == b"eyJhbGciOi");
        assert!(!found, "{} holds an assertion or a token", path.display());
    }
}

#[test]
fn a_certificates_key_and_password_do_not_leak() {
    let certificate = fixture("rsa.crt");
    let good = format!("{FAULTS}[token]\ncertificate = '{}'\n", certificate.display());
    let other = format!("[token]\ncertificate = '{}'\n", fixture("ec.crt").display());
    let file = if cfg!(feature = "pfx") { "modern.pfx" } else { "bags.pem" };
    for (config, format, log, code) in
        [(&good, "json", true, 3), (&good, "text", false, 3), (&other, "json", true, 4)]
    {
        let ctx = TestContext::new(config);
        let input = ctx.input("users.txt", USERS);
        let mut command = with_certificate(&ctx, &input, &ctx.simulator.url(), file);
        let done = ctx.finish(loudly(&mut command, format, log));
        done.exits(code);
        shows_no_certificate(&ctx, &done);
    }
}

#[test]
fn an_unusable_certificate_file_is_not_quoted() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", USERS);
    for name in ["rsa.key", "rsa-encrypted-3des.key", "rsa-encrypted-old.key", "legacy.pfx"] {
        let mut command = with_certificate(&ctx, &input, &ctx.simulator.url(), name);
        command.env("AZURE_CLIENT_CERTIFICATE_PASSWORD", format!("{PASSWORD}x"));
        let done = ctx.finish(loudly(&mut command, "json", true));
        done.exits(4);
        shows_no_certificate(&ctx, &done);
    }
}

#[test]
fn an_assertion_quoted_by_the_authority_does_not_leak() {
    let (root, seen) = serve_requests(|_, seen| {
        let sent = seen.body.split('&').find_map(|part| part.strip_prefix("client_assertion=")).unwrap();
        let plain = percent_encoding::percent_decode_str(sent).decode_utf8().unwrap();
        assert!(plain.starts_with("eyJhbGciOi"), "{plain}");
        let description = format!("AADSTS700027: {plain}, sent as {sent} in {}", seen.body);
        json(
            "401 Unauthorized",
            "x-quoted: yes",
            &serde_json::json!({
                "error": "invalid_client", "error_description": description,
            }),
        )
    });
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", USERS);
    let mut command = with_certificate(&ctx, &input, &root, "bags.pem");
    let done = ctx.finish(loudly(&mut command, "json", true));
    done.exits(4);
    assert!(done.stderr.contains("AADSTS700027") && done.stderr.contains("[secret]"), "{}", done.stderr);
    assert_eq!(seen.lock().unwrap().len(), 1);
    shows_no_certificate(&ctx, &done);
}

#[test]
fn process_arguments_contain_no_certificate_password_or_key() {
    let ctx = TestContext::new("[[fault]]\nanswer = 'hang-before'\n");
    let input = ctx.input("users.txt", USERS);
    let mut command = with_certificate(&ctx, &input, &ctx.simulator.url(), "bags.pem");
    let mut run = ctx.start(&mut command);
    let began = Instant::now();
    while ctx.stats().in_flight == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing was revoked");
        std::thread::yield_now();
    }
    let arguments = std::fs::read(format!("/proc/{}/cmdline", run.id()));
    run.kill().unwrap();
    run.wait().unwrap();
    if let Ok(arguments) = arguments {
        assert!(!arguments.is_empty() && !contains_secret(&arguments, PASSWORD));
        assert!(key_parts().iter().all(|part| !contains_secret(&arguments, part)));
    }
}

/// `run` by a device code; the simulator's device codes and refresh tokens all begin alike.
fn as_person(ctx: &TestContext, authority: &str, input: &Path) -> Command {
    let mut command = ctx.command_without_token("run");
    command.args(["--auth", "device-code", "--tenant", "contoso.com", "--client-id", "an-app", "--yes"]);
    command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", authority]).arg(input);
    command
}

#[test]
fn device_code_tokens_do_not_leak() {
    for (format, file) in [("json", true), ("text", false)] {
        let faults = format!("{FAULTS}[token]\nlifetime = '2s'\n[token.device]\ninterval = 0.1\n");
        let ctx = TestContext::new(&format!(
            "{faults}[[fault]]\nendpoint = 'token'\nafter = 2\ntimes = 1\nanswer = 429\nretry_after = '0'\n"
        ));
        let input = ctx.input("users.txt", format!("{USERS}me\n"));
        let mut command = as_person(&ctx, &ctx.simulator.url(), &input);
        let done = ctx.finish(loudly(&mut command, format, file));
        assert!(done.stderr.contains("To sign in, open"), "{}", done.stderr);
        assert!(ctx.stats().tokens_issued >= 2, "{:?}", ctx.stats());
        let minted = ctx.simulator.mint_token(TokenKind::User, Duration::from_secs(1));
        let header = minted.split('.').next().unwrap();
        for secret in ["fake-device-code-", "fake-refresh-token-", header] {
            assert_no_leak(&ctx, &done, secret, None);
        }
    }
}

/// The authority says back what it got, in every refusal.
#[test]
fn device_code_tokens_quoted_by_the_authority_do_not_leak() {
    let tokens = AtomicUsize::new(0);
    let (root, seen) = serve_requests(move |_, seen| {
        let echo = |error: &str| {
            let body = serde_json::json!({
                "error": error,
                "error_description": format!("AADSTS50173: got {} and \
                 {}", seen.body, seen.body.replace("%2D", "-")),
            });
            json("400 Bad Request", "x-quoted: yes", &body)
        };
        if seen.line.contains("/devicecode") {
            return json(
                "200 OK",
                "x-code: yes",
                &serde_json::json!({
                    "device_code": "fake-device-CANARY-0001", "user_code": "ABCD-EFGH", "interval": 0.1,
                    "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900,
                }),
            );
        }
        if !seen.line.contains("/token") {
            let tenant = "https://login.microsoftonline.com/0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
            return json(
                "200 OK",
                "x-openid: yes",
                &serde_json::json!({
                    "issuer": format!("{tenant}/v2.0"), "token_endpoint": format!("{tenant}/oauth2/v2.0/token"),
                }),
            );
        }
        match tokens.fetch_add(1, Ordering::Relaxed) + 1 {
            1 => echo("authorization_pending"),
            2 => json(
                "200 OK",
                "x-token: yes",
                &serde_json::json!({
                    "access_token": "fake-access-CANARY-0002", "refresh_token": "fake-refresh-CANARY-0003",
                    "expires_in": 1, "token_type": "Bearer",
                }),
            ),
            3 => echo("invalid_grant"),
            _ => echo("authorization_declined_by_nobody"),
        }
    });
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", (0..60).map(|n| format!("u{n}@contoso.com\n")).collect::<String>());
    let mut command = as_person(&ctx, &root, &input);
    command.args(["--rate", "20/s", "--burst", "1"]);
    let done = ctx.finish(loudly(&mut command, "json", true));
    done.exits(4);
    assert!(done.stderr.contains("You need to sign in again: AADSTS50173"), "{}", done.stderr);
    let seen = seen.lock().unwrap();
    assert!(
        seen.iter().any(
            |seen| seen.body.contains("refresh%5Ftoken=fake") || seen.body.contains("refresh_token=fake")
        )
    );
    for secret in ["fake-device-CANARY-0001", "fake-access-CANARY-0002", "fake-refresh-CANARY-0003"] {
        assert_no_leak(&ctx, &done, secret, None);
    }
}

#[test]
fn secrets_from_files_and_standard_input_do_not_leak() {
    use std::io::Write;
    for (flag, secret) in [("--token-file", TOKEN), ("--client-secret-file", SECRET)] {
        for by_stdin in [false, true] {
            let ctx = TestContext::new(FAULTS);
            let input = ctx.input("users.txt", USERS);
            let file = (!by_stdin).then(|| ctx.input("secret.txt", secret));
            let mut command = ctx.command_without_token("run");
            command
                .env("AZURE_TENANT_ID", "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f")
                .env("AZURE_CLIENT_ID", "an-app")
                .arg(&input);
            command.args(["--yes", "--graph-url", &ctx.simulator.url()]);
            command.args(["--authority-url", &ctx.simulator.url(), flag]);
            command.arg(file.as_deref().unwrap_or(Path::new("-"))).stdin(std::process::Stdio::piped());
            let mut run = ctx.start(loudly(&mut command, "json", true));
            run.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
            let done = CommandResult::from(run.wait_with_output().unwrap());
            assert!(matches!(done.code, Some(3 | 4)), "{done:?}");
            assert!(ctx.stats().revocations > 0, "{done:?}");
            assert_no_leak(&ctx, &done, secret, file.as_deref());
        }
    }
}

/// The kernel writes no core of a process that may not be dumped, and shows its environment to root alone.
#[cfg(target_os = "linux")]
#[test]
fn other_processes_cannot_read_the_memory() {
    let ctx = TestContext::new("[[fault]]\nanswer = 'hang-before'\n");
    let input = ctx.input("users.txt", USERS);
    let mut run = ctx.start(&mut as_app(&ctx, &input));
    let began = Instant::now();
    while ctx.stats().in_flight == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing was revoked");
        std::thread::yield_now();
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", run.id())).unwrap();
    let environment = std::fs::read(format!("/proc/{}/environ", run.id()));
    let owner = std::os::unix::fs::MetadataExt::uid(
        &std::fs::metadata(format!("/proc/{}/environ", run.id())).unwrap(),
    );
    run.kill().unwrap();
    run.wait().unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(cores.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{cores}");
    assert_eq!(owner, 0, "its files belong to root");
    let root = rustix::process::geteuid().is_root();
    assert!(root || environment.is_err());
}

/// A path that is not a regular file. The program must read it although its memory is private.
#[test]
fn a_token_can_come_from_process_substitution() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", USERS);
    let mut command = Command::new("bash");
    let run = format!(
        "{} run {} --yes --graph-url {} --token-file <(echo {TOKEN})",
        env!("CARGO_BIN_EXE_entra-revoke"),
        input.display(),
        ctx.simulator.url()
    );
    command.args(["-c", &run]).current_dir(ctx.dir.path());
    ctx.finish(&mut command).exits(0);
}
