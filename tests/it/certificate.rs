//! Sign-in with a certificate: every file format, renewal, and every way in which it fails.

use crate::support::plain_server;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::ctx::{CommandResult, TestContext};
use rcgen::{CertificateParams, DnType, KeyPair};

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
const PASSWORD: &str = "fake-password-CANARY-5d11";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/certificates").join(name)
}

/// A tenant whose one app has this certificate, and Graph, which takes only its tokens.
fn tenant(certificate: &str, more: &str) -> TestContext {
    let (top, tables) = match more.split_once("[[") {
        Some((top, tables)) => (top, format!("[[{tables}")),
        None => (more, String::new()),
    };
    TestContext::new(&format!(
        "accept_any_token = false\n[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\nsecret = 'none-such'\n\
         certificate = '''{certificate}'''\n{top}\n{tables}"
    ))
}

/// The app with the certificate of the fixtures.
fn usual(more: &str) -> TestContext {
    tenant(&fixture("rsa.crt").to_string_lossy(), more)
}

/// A copy of the fixtures, one after the other, that no other account can read.
fn file(ctx: &TestContext, name: &str, fixtures: &[&str]) -> PathBuf {
    let bytes: Vec<u8> =
        fixtures.iter().flat_map(|fixture_name| std::fs::read(fixture(fixture_name)).unwrap()).collect();
    private(ctx, name, bytes)
}

fn private(ctx: &TestContext, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = ctx.input(name, bytes);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    path
}

/// `run` over some users as the app.
fn as_app(ctx: &TestContext, users: usize) -> Command {
    let users: String = (0..users).map(|n| format!("u{n:02}@contoso.com\n")).collect();
    let input = ctx.input("users.txt", users);
    let mut command = ctx.command_without_token("run");
    let url = ctx.simulator.url();
    command.args(["--tenant", TENANT, "--client-id", APP, "--graph-url", &url, "--authority-url", &url]);
    command.arg("--yes").arg(input);
    command
}

fn with(ctx: &TestContext, users: usize, certificate: &Path) -> Command {
    let mut command = as_app(ctx, users);
    command.arg("--certificate-file").arg(certificate);
    command
}

#[track_caller]
fn signed_in(ctx: &TestContext, done: &CommandResult) {
    done.exits(0);
    let ledger = ctx.ledger();
    assert_eq!(ledger.stats.assertions_verified, ledger.stats.tokens_issued);
    assert!(ledger.stats.tokens_issued > 0 && ledger.violations.is_empty(), "{:?}", ledger.violations);
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
    assert_eq!(ctx.run_folder().summary()["operator"]["auth"], "certificate");
}

#[test]
fn every_format_of_certificate_and_key_works() {
    let rsa = &["rsa.crt", "rsa.key"][..];
    for (app, names) in [
        ("rsa.crt", rsa),
        ("rsa.crt", &["rsa-pkcs1.key", "rsa.crt"]),
        ("rsa.crt", &["bags.pem"]),
        ("rsa.crt", &["rsa-encrypted.key", "rsa.crt"]),
        ("rsa.crt", &["ec.crt", "rsa.crt", "rsa.key"]),
        ("ec.crt", &["ec.crt", "ec.key"]),
        ("ec.crt", &["ec-sec1.key", "ec.crt"]),
        ("ec384.crt", &["ec384.crt", "ec384.key"]),
    ] {
        let ctx = tenant(&std::fs::read_to_string(fixture(app)).unwrap(), "");
        // What it is, its content says, not its name.
        let certificate = file(&ctx, "app.dat", names);
        let mut command = with(&ctx, 2, &certificate);
        command.env("AZURE_CLIENT_CERTIFICATE_PASSWORD", PASSWORD);
        signed_in(&ctx, &ctx.finish(&mut command));
    }
}

#[test]
fn the_key_can_be_in_a_separate_file() {
    for (certificate, key) in [("rsa.crt", "rsa.key"), ("rsa.cer", "rsa-pkcs1.key"), ("bags.pem", "rsa.key")]
    {
        let ctx = usual("");
        let certificate = file(&ctx, "app.pem", &[certificate]);
        let key = file(&ctx, "app.key", &[key]);
        let mut command = with(&ctx, 1, &certificate);
        signed_in(&ctx, &ctx.finish(command.arg("--certificate-key-file").arg(key)));
    }
}

#[test]
#[cfg(feature = "pfx")]
fn a_pfx_file_is_opened_with_its_password() {
    for name in ["modern.pfx", "legacy.pfx", "chain.pfx"] {
        let ctx = usual("");
        let certificate = file(&ctx, "app.pfx", &[name]);
        let password = private(&ctx, "password.txt", format!("{PASSWORD}\n"));
        let mut command = with(&ctx, 1, &certificate);
        signed_in(&ctx, &ctx.finish(command.arg("--certificate-password-file").arg(password)));
    }
    for name in ["open.pfx", "bare.pfx"] {
        let ctx = usual("");
        let certificate = file(&ctx, "app.pfx", &[name]);
        signed_in(&ctx, &ctx.finish(&mut with(&ctx, 1, &certificate)));
    }
}

#[test]
fn the_certificate_can_be_set_by_environment() {
    let ctx = usual("");
    let certificate = file(&ctx, "app.pem", &["rsa.crt", "rsa-encrypted.key"]);
    let mut command = as_app(&ctx, 1);
    command.env("AZURE_CLIENT_CERTIFICATE_PATH", &certificate);
    command
        .env("AZURE_CLIENT_CERTIFICATE_PASSWORD", PASSWORD)
        .env("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "1");
    let done = ctx.finish(&mut command);
    signed_in(&ctx, &done);
    assert!(done.stderr.contains("with certificate"), "{}", done.stderr);
}

#[test]
fn the_password_can_come_from_standard_input() {
    let ctx = usual("");
    let certificate = file(&ctx, "app.pem", &["rsa.crt", "rsa-encrypted.key"]);
    let password = private(&ctx, "password.txt", PASSWORD);
    let mut command = with(&ctx, 1, &certificate);
    command.args(["--certificate-password-file", "-"]).stdin(std::fs::File::open(password).unwrap());
    signed_in(&ctx, &ctx.finish(&mut command));
}

#[test]
fn standard_input_can_be_used_only_once() {
    let ctx = usual("");
    let secrets = ["--token-file", "--client-secret-file", "--certificate-password-file"];
    for one in secrets {
        let done = ctx.finish(ctx.command_without_token("run").args(["-", "--yes", one, "-"]));
        done.exits(2);
        assert!(done.stderr.contains("standard input") && done.stderr.contains(one), "{}", done.stderr);
        for other in secrets.into_iter().filter(|other| *other != one) {
            let done = ctx.finish(ctx.command_without_token("run").args([
                "users.txt",
                "--yes",
                one,
                "-",
                other,
                "-",
            ]));
            done.exits(2);
            assert!(done.stderr.contains(one) && done.stderr.contains(other), "{}", done.stderr);
        }
    }
    assert_eq!(ctx.stats().token_requests, 0);
}

#[test]
fn each_renewal_uses_a_new_assertion() {
    let ctx = usual("lifetime = '2s'");
    let certificate = file(&ctx, "app.pem", &["ec.crt", "rsa.crt", "rsa.key"]);
    let mut command = with(&ctx, 50, &certificate);
    let done = ctx.finish(command.args(["--rate", "20/s", "--burst", "1"]));
    signed_in(&ctx, &done);
    let ledger = ctx.ledger();
    assert!(ledger.stats.tokens_issued >= 2, "{:?}", ledger.stats);
    assert!(ledger.users.iter().all(|user| user.effects == 1));
}

#[test]
fn each_retry_at_the_token_endpoint_uses_a_new_assertion() {
    // The endpoint looks at the assertion before the fault strikes: one that came twice would show.
    let ctx = usual("[[fault]]\nendpoint = 'token'\ntimes = 1\nanswer = 503\n");
    let certificate = file(&ctx, "app.pem", &["rsa.crt", "rsa.key"]);
    ctx.finish(&mut with(&ctx, 1, &certificate)).exits(0);
    let ledger = ctx.ledger();
    assert_eq!((ledger.stats.token_requests, ledger.stats.assertions_verified), (2, 2));
    assert!(ledger.violations.is_empty(), "{:?}", ledger.violations);
}

/// A token endpoint of the test's own: it refuses once with this code, then gives a token.
fn refuses_once(code: u32) -> (String, Arc<Mutex<Vec<plain_server::ReceivedRequest>>>) {
    plain_server::serve(move |number| {
        let (status, body) = match number {
            0 => (
                "400 Bad Request",
                format!(r#"{{"error":"invalid_request","error_description":"AADSTS{code}: not now"}}"#),
            ),
            _ => ("200 OK", r#"{"token_type":"Bearer","expires_in":3599,"access_token":"fake"}"#.to_owned()),
        };
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    })
}

#[test]
fn a_transient_400_is_retried_and_a_loop_error_is_not() {
    for (code, asked) in [(90_033, 2), (50_196, 1)] {
        let (authority, seen) = refuses_once(code);
        let ctx = TestContext::new("");
        let certificate = file(&ctx, "app.pem", &["rsa.crt", "rsa.key"]);
        let mut command = ctx.command_without_token("run");
        command.args(["--tenant", TENANT, "--client-id", APP, "--yes", "--authority-url", &authority]);
        command.args(["--graph-url", &ctx.simulator.url(), "--certificate-file"]).arg(certificate);
        let done = ctx.finish(command.arg(ctx.input("users.txt", "a@contoso.com\n")));
        let forms: Vec<String> = seen.lock().unwrap().iter().map(|seen| seen.body.clone()).collect();
        assert_eq!(forms.len(), asked, "{code}: {}", done.stderr);
        assert_eq!(done.code, Some(if asked == 2 { 0 } else { 4 }), "{}", done.stderr);
        assert!(forms.first() != forms.get(1), "the same assertion twice");
    }
}

#[test]
fn an_unregistered_certificate_is_refused() {
    let ctx = tenant(&fixture("ec.crt").to_string_lossy(), "");
    let certificate = file(&ctx, "app.pem", &["rsa.crt", "rsa.key"]);
    let done = ctx.finish(&mut with(&ctx, 1, &certificate));
    ctx.assert_sign_in_refused(&done, &["AADSTS700027", "upload this certificate"]);
    assert_eq!(ctx.stats().token_requests, 1, "it is not asked again");
}

#[test]
fn each_unusable_file_has_its_own_error() {
    let ctx = usual("");
    let refused_with = |names: &[&str], password: Option<&str>, says: &[&str]| {
        let certificate = file(&ctx, "app.pem", names);
        let mut command = with(&ctx, 1, &certificate);
        if let Some(password) = password {
            command.env("AZURE_CLIENT_CERTIFICATE_PASSWORD", password);
        }
        let done = ctx.finish(&mut command);
        ctx.assert_sign_in_refused(&done, &[&["--certificate-file", "app.pem"], says].concat());
    };
    refused_with(&["rsa.crt"], None, &["no private key", "--certificate-key-file"]);
    refused_with(&["rsa.key"], None, &["no certificate"]);
    refused_with(&["rsa.crt", "ec.key"], None, &["does not match any of its certificates"]);
    refused_with(&["rsa.crt", "rsa-encrypted.key"], None, &["AZURE_CLIENT_CERTIFICATE_PASSWORD"]);
    refused_with(&["rsa.crt", "rsa-encrypted.key"], Some("fake"), &["the password is wrong"]);
    refused_with(&["rsa.crt", "rsa-encrypted-old.key"], Some(PASSWORD), &["openssl pkey -in"]);
    refused_with(&["ec521.crt", "ec521.key"], None, &["P-384"]);
    refused_with(&["README.md"], None, &["neither PEM nor PFX"]);
    if cfg!(feature = "pfx") {
        refused_with(&["modern.pfx"], Some("fake"), &["the password is wrong"]);
        refused_with(&["modern.pfx"], None, &["AZURE_CLIENT_CERTIFICATE_PASSWORD"]);
    } else {
        refused_with(&["modern.pfx"], Some(PASSWORD), &["openssl pkcs12 -in"]);
    }
    let done = ctx.finish(&mut with(&ctx, 1, Path::new("missing.pem")));
    ctx.assert_sign_in_refused(&done, &["--certificate-file missing.pem"]);
    let certificate = file(&ctx, "app.pem", &["rsa.crt"]);
    let mut command = with(&ctx, 1, &certificate);
    let done = ctx.finish(command.arg("--certificate-key-file").arg(fixture("rsa.crt")));
    ctx.assert_sign_in_refused(&done, &["--certificate-key-file", "no private key"]);
    assert_eq!(ctx.stats().token_requests, 0, "nothing was revoked at all");
}

/// A certificate that is good for these days from now, with its key, in PEM.
fn pair(from: i64, to: i64) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "fake");
    let day = Duration::from_secs(24 * 60 * 60);
    let at = |days: i64| {
        let now = std::time::SystemTime::now();
        let span = day * u32::try_from(days.unsigned_abs()).unwrap();
        (if days < 0 { now - span } else { now + span }).into()
    };
    (params.not_before, params.not_after) = (at(from), at(to));
    let certificate = params.self_signed(&key).unwrap().pem();
    let both = format!("{certificate}{}", key.serialize_pem());
    (certificate, both)
}

#[test]
fn an_expired_or_future_certificate_sends_nothing() {
    for (from, to, says) in [
        (-400, -2, &["expired on", "nothing was revoked", "az ad app credential reset"][..]),
        (2, 400, &["not valid before", "clock"]),
    ] {
        let (certificate, both) = pair(from, to);
        let ctx = tenant(&certificate, "");
        let path = private(&ctx, "app.pem", both);
        let done = ctx.finish(&mut with(&ctx, 1, &path));
        ctx.assert_sign_in_refused(&done, says);
        assert_eq!(ctx.stats().token_requests, 0);
    }
}

#[test]
fn a_certificate_that_expires_soon_is_used_with_a_warning() {
    let (certificate, both) = pair(-300, 20);
    let ctx = tenant(&certificate, "");
    let path = private(&ctx, "app.pem", both);
    let done = ctx.finish(&mut with(&ctx, 1, &path));
    done.exits(0);
    let told: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("warning:")).collect();
    assert!(told.len() == 1 && told[0].contains("app.pem expires in 19 days"), "{}", done.stderr);
}

#[test]
#[cfg(unix)]
fn files_readable_by_others_are_warned_about_once() {
    use std::os::unix::fs::PermissionsExt;
    for (mode, warned) in [(0o644, true), (0o640, true), (0o600, false), (0o400, false)] {
        let ctx = usual("");
        let certificate = file(&ctx, "app.pem", &["rsa.crt", "rsa-encrypted.key"]);
        let password = private(&ctx, "password.txt", PASSWORD);
        for path in [&certificate, &password] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let mut command = with(&ctx, 1, &certificate);
        let done = ctx.finish(command.arg("--certificate-password-file").arg(&password));
        done.exits(0);
        for path in [&certificate, &password] {
            let advice = format!("chmod 600 {}", path.display());
            assert_eq!(
                done.stderr.matches(&advice).count(),
                usize::from(warned),
                "{mode:o}: {}",
                done.stderr
            );
        }
    }
}
