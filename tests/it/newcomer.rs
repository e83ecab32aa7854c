//! Each way to sign in, set up as docs/sign-in.md describes it: a green `doctor`, then a run with the same flags and
//! variables.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::ctx::TestContext;
use entra_revoke::simulator::TokenKind;
use serde_json::Value;

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
const SECRET: &str = "fake-secret-CANARY-71aa";
const JOB: &str = "fake-job-token-CANARY-5b1e";
const CONNECTION: &str = "c0ffee00-0000-4000-8000-000000000001";
const HOUR: Duration = Duration::from_secs(3600);

/// The environment that names tenant and app.
const NAMED: [(&str, &str); 2] = [("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", APP)];

/// A file of the fixtures.
fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/certificates");
    folder.join(name).to_str().unwrap().to_owned()
}

/// A tenant that takes nothing but what is set up right. The app knows either a certificate or an issuer.
fn tenant() -> TestContext {
    knowing(&format!(
        "[token.federated]\nissuer = 'https://issuer.contoso.example'\ngithub_token = '{JOB}'\n\
         pipelines_token = '{JOB}'\nservice_connection = '{CONNECTION}'"
    ))
}

fn knowing(proofs: &str) -> TestContext {
    TestContext::new(&format!(
        "accept_any_token = false\n[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\nsecret = '{SECRET}'\n\
         {proofs}\n[token.device]\ninterval = 0.1\npolls_before_approval = 1\n"
    ))
}

/// `doctor` says that a run would start, and a run with the same set-up does, signed in in this way.
#[track_caller]
fn goes_well(ctx: &TestContext, word: &str, set_up: impl Fn(&mut Command)) {
    goes_well_as(ctx, word, word, set_up);
}

/// The same, where the evidence names the service behind that way.
#[track_caller]
fn goes_well_as(ctx: &TestContext, word: &str, recorded: &str, set_up: impl Fn(&mut Command)) {
    let root = ctx.simulator.url();
    let command = |verb: &str| {
        let mut command = ctx.command_without_token(verb);
        command.args(["--graph-url", &root, "--authority-url", &root]);
        set_up(&mut command);
        command
    };
    let done = ctx.finish(command("doctor").args(["-o", "json"]));
    done.exits(0);
    let json: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(json["would_run"], true);
    for check in json["checks"].as_array().unwrap() {
        assert!(matches!(check["status"].as_str(), Some("ok" | "info" | "warning")), "{word}: {check:#}");
    }
    let credential = json["checks"].as_array().unwrap().iter().find(|check| check["check"] == "credential");
    let found = credential.unwrap()["finding"].as_str().unwrap();
    assert!(found.starts_with(&format!("{word}: got a token in ")), "{found}");
    assert_eq!(ctx.stats().revocations, 0);

    let input = ctx.input("leavers.txt", "ann@contoso.com\nbob@contoso.com\n");
    ctx.finish(command("run").arg("--yes").arg(input)).exits(0);
    assert_eq!(ctx.stats().revocations, 2);
    assert_eq!(ctx.run_folder().summary()["operator"]["auth"], recorded);
}

#[test]
fn sign_in_with_a_ready_token_works() {
    let ctx = tenant();
    let token = ctx.simulator.mint_token(TokenKind::App, HOUR);
    goes_well(&ctx, "token", |command| {
        command.env("ENTRA_REVOKE_TOKEN", &token);
    });
}

#[test]
fn the_detected_sign_in_is_shown() {
    let ctx = tenant();
    let token = ctx.simulator.mint_token(TokenKind::App, HOUR);
    let input = ctx.input("leavers.txt", "ann@contoso.com\n");
    let run = |args: &[&str]| {
        let mut command = ctx.command_without_token("run");
        command.env("ENTRA_REVOKE_TOKEN", &token).args(["--yes", "--graph-url", &ctx.simulator.url()]);
        ctx.finish(command.args(args).arg(&input))
    };
    let left_over = run(&[]);
    assert!(left_over.exits(0).stderr.contains("\nSigning in with token.\n"), "{left_over:?}");
    let named = run(&["--auth", "token"]);
    assert!(!named.exits(0).stderr.contains("Signing in"), "{named:?}");
}

#[test]
fn sign_in_with_a_secret_works() {
    let ctx = tenant();
    let file = ctx.input("app.secret", format!("{SECRET}\n"));
    goes_well(&ctx, "client-secret", |command| {
        command.envs(NAMED).arg("--client-secret-file").arg(&file);
    });
}

#[test]
fn sign_in_with_a_certificate_works() {
    let (certificate, key) = (fixture("rsa.crt"), fixture("rsa.key"));
    goes_well(&knowing(&format!("certificate = '''{certificate}'''")), "certificate", |command| {
        command.args(["--tenant", TENANT, "--client-id", APP]);
        command.args(["--certificate-file", &certificate, "--certificate-key-file", &key]);
    });
}

#[test]
fn sign_in_in_kubernetes_works() {
    let ctx = tenant();
    let file = ctx.input("token", ctx.simulator.mint_assertion(Duration::from_secs(600)));
    goes_well(&ctx, "workload-identity", |command| {
        command.envs(NAMED).env("AZURE_FEDERATED_TOKEN_FILE", &file);
    });
}

#[test]
fn sign_in_in_github_actions_works() {
    let ctx = tenant();
    let url = ctx.simulator.url() + "/_apis/jobs/7/idtoken?api-version=2.0";
    goes_well_as(&ctx, "workload-identity", "github-actions", |command| {
        command.envs(NAMED).env("ACTIONS_ID_TOKEN_REQUEST_URL", &url);
        command.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", JOB);
    });
}

#[test]
fn sign_in_in_azure_pipelines_works() {
    let ctx = tenant();
    let url = ctx.simulator.url() + "/contoso/_apis/distributedtask/hubs/build/plans/1/jobs/2/oidctoken";
    goes_well_as(&ctx, "workload-identity", "azure-pipelines", |command| {
        command.envs(NAMED).env("SYSTEM_OIDCREQUESTURI", &url).env("SYSTEM_ACCESSTOKEN", JOB);
        command.args(["--service-connection", CONNECTION]);
    });
}

#[test]
fn sign_in_on_a_virtual_machine_works() {
    let ctx = tenant();
    let root = ctx.simulator.url();
    goes_well(&ctx, "managed-identity", |command| {
        command.args(["--auth", "managed-identity"]).env("AZURE_POD_IDENTITY_AUTHORITY_HOST", &root);
    });
}

#[test]
fn sign_in_in_app_service_works() {
    let ctx = tenant();
    let endpoint = ctx.simulator.url() + "/msi/token";
    goes_well(&ctx, "managed-identity", |command| {
        command.env("IDENTITY_ENDPOINT", &endpoint).env("IDENTITY_HEADER", "fake-header-CANARY-8d77");
    });
}

#[test]
fn sign_in_with_a_device_code_works() {
    goes_well(&tenant(), "device-code", |command| {
        command.envs(NAMED).args(["--auth", "device-code"]);
    });
}

#[cfg(unix)]
mod tools {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program on the PATH that prints a token in this form.
    fn with(program: &str, word: &str, printed: fn(&str) -> String) {
        let ctx = tenant();
        let text = printed(&ctx.simulator.mint_token(TokenKind::App, HOUR));
        let path = ctx.input(program, format!("#!/bin/sh\necho '{text}'\n"));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        let folders = format!("{}:/usr/bin:/bin", ctx.dir.path().display());
        goes_well(&ctx, word, |command| {
            // It is not run from the current folder.
            let elsewhere = ctx.dir.path().join("work");
            std::fs::create_dir_all(&elsewhere).unwrap();
            command.env("PATH", &folders).args(["--auth", word, "--tenant", TENANT]);
            command.current_dir(elsewhere).arg("--output-dir").arg(ctx.dir.path().join("runs"));
        });
    }

    #[test]
    fn sign_in_with_az_works() {
        with("az", "azure-cli", |token| format!("{{\"accessToken\":\"{token}\",\"expires_on\":4102444800}}"));
    }

    #[test]
    fn sign_in_with_azd_works() {
        let printed =
            |token: &str| format!("{{\"token\":\"{token}\",\"expiresOn\":\"2099-01-01T00:00:00Z\"}}");
        with("azd", "azure-developer-cli", printed);
    }
}
