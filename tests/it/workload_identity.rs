//! Workload identity federation: the token file of a cluster, and the token services of GitHub and Azure Pipelines.

use crate::support::plain_server;
use crate::support::secret_leak;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::ctx::{CommandResult, TestContext};

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
const JOB: &str = "fake-job-token-CANARY-5b1e";
const CONNECTION: &str = "c0ffee00-0000-4000-8000-000000000001";
const ISSUER: &str = "https://issuer.contoso.example";

/// An app that trusts one issuer. `token` and `federated` are more of these tables, `tables` what follows.
fn ctx(token: &str, federated: &str, tables: &str) -> TestContext {
    TestContext::new(&format!(
        "accept_any_token = false\n[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\n{token}\n[token.federated]\n\
         issuer = '{ISSUER}'\ngithub_token = '{JOB}'\npipelines_token = '{JOB}'\n\
         service_connection = '{CONNECTION}'\n{federated}\n{tables}"
    ))
}

fn run(ctx: &TestContext, input: &Path) -> Command {
    let mut command = ctx.command_without_token("run");
    let root = ctx.simulator.url();
    command.args(["--graph-url", &root, "--authority-url", &root, "--yes"]).arg(input);
    command
}

/// A pod of Kubernetes, as the webhook sets it up.
fn pod(ctx: &TestContext, input: &Path, file: &Path) -> Command {
    let mut command = run(ctx, input);
    command
        .env("AZURE_TENANT_ID", TENANT)
        .env("AZURE_CLIENT_ID", APP)
        .env("AZURE_FEDERATED_TOKEN_FILE", file);
    command
}

/// A job of GitHub Actions with `id-token: write`.
fn github(ctx: &TestContext, input: &Path) -> Command {
    in_github(ctx, run(ctx, input))
}

fn in_github(ctx: &TestContext, mut command: Command) -> Command {
    let url = format!("{}/_apis/jobs/7/idtoken?api-version=2.0", ctx.simulator.url());
    command.env("GITHUB_ACTIONS", "true").env("ACTIONS_ID_TOKEN_REQUEST_URL", url);
    command.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", JOB);
    command.env("AZURE_TENANT_ID", TENANT).env("AZURE_CLIENT_ID", APP);
    command
}

/// A task of Azure Pipelines with a service connection.
fn pipelines(ctx: &TestContext, input: &Path) -> Command {
    let mut command = run(ctx, input);
    let url =
        format!("{}/contoso/_apis/distributedtask/hubs/build/plans/1/jobs/2/oidctoken", ctx.simulator.url());
    command.env("SYSTEM_OIDCREQUESTURI", url).env("SYSTEM_ACCESSTOKEN", JOB);
    command.env("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", CONNECTION);
    command.env("AZURESUBSCRIPTION_TENANT_ID", TENANT).env("AZURESUBSCRIPTION_CLIENT_ID", APP);
    command
}

fn renewals(ctx: &TestContext) -> usize {
    ctx.run_folder().journal().iter().filter(|line| line["event"] == "renewed").count()
}

#[test]
fn a_pod_signs_in_with_its_file() {
    let ctx = ctx("", "", "");
    let input = ctx.users(3);
    let file = ctx.input("token", ctx.simulator.mint_assertion(Duration::from_secs(600)));
    let done = ctx.finish(&mut pod(&ctx, &input, &file));
    done.exits(0);
    assert!(
        done.stderr.contains("Signing in with workload-identity (not set up: token, client-secret"),
        "{}",
        done.stderr
    );
    let summary = ctx.run_folder().summary();
    assert_eq!(summary["operator"]["auth"], "workload-identity");
    assert_eq!(summary["operator"]["app_id"], APP);
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn the_token_file_can_be_given_by_flag() {
    let ctx = ctx("", "", "");
    let input = ctx.users(1);
    let file = ctx.input("token", ctx.simulator.mint_assertion(Duration::from_secs(600)));
    let mut command = run(&ctx, &input);
    command.args(["--tenant", TENANT, "--client-id", APP]).arg("--federated-token-file").arg(file);
    // A flag is meant, whatever else is there.
    ctx.finish(command.env("AZURE_CLIENT_SECRET", "fake")).exits(0);
}

/// From now on the app trusts another subject: what was made before is refused.
fn trust_another(ctx: &TestContext) {
    let federated = format!("issuer = '{ISSUER}'\nsubject = 'system:serviceaccount:soc:another'");
    let change = format!(
        "[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\nlifetime = '1s'\n[token.federated]\n{federated}"
    );
    ctx.simulator.change_config(&change).expect("a change that can be");
}

#[test]
fn a_rotated_token_file_is_read_again() {
    let ctx = ctx("lifetime = '1s'", "", "");
    let input = ctx.users(60);
    let file = ctx.input("token", ctx.simulator.mint_assertion(Duration::from_secs(600)));
    let mut command = pod(&ctx, &input, &file);
    let started = ctx.start(command.args(["--rate", "30/s", "--burst", "1"]));
    ctx.until(|ctx| ctx.stats().effects > 0);
    trust_another(&ctx);
    // As the kubelet does: another file takes the name.
    let fresh = ctx.input("fresh", format!("{}\n", ctx.simulator.mint_assertion(Duration::from_secs(600))));
    std::fs::rename(fresh, &file).unwrap();
    CommandResult::from(started.wait_with_output().unwrap()).exits(0);
    assert!(renewals(&ctx) >= 1);
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn an_outdated_token_file_ends_the_run() {
    let ctx = ctx("lifetime = '1s'", "", "");
    let input = ctx.users(60);
    let file = ctx.input("token", ctx.simulator.mint_assertion(Duration::from_secs(600)));
    let mut command = pod(&ctx, &input, &file);
    let started = ctx.start(command.args(["--rate", "20/s", "--burst", "1"]));
    ctx.until(|ctx| ctx.stats().effects > 0);
    trust_another(&ctx);
    let done = CommandResult::from(started.wait_with_output().unwrap());
    done.exits(4);
    assert!(done.stdout.contains("AADSTS700213"), "{}", done.stdout);
    let effects = ctx.stats().effects;
    assert!(effects > 0 && effects < 60, "{effects}");
    // Fresh again, `resume` goes on where it ended.
    std::fs::write(&file, ctx.simulator.mint_assertion(Duration::from_secs(600))).unwrap();
    let mut resume = ctx.command_without_token("resume");
    let url = ctx.simulator.url();
    resume.args(["--graph-url", &url, "--authority-url", &url]);
    resume.env("AZURE_FEDERATED_TOKEN_FILE", &file).arg(&ctx.run_folder().path);
    ctx.finish(&mut resume).exits(0);
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn an_expired_token_is_explained() {
    let ctx = ctx("", "", "");
    let input = ctx.users(1);
    let file = ctx.input("token", ctx.simulator.mint_assertion(Duration::ZERO));
    let done = ctx.finish(&mut pod(&ctx, &input, &file));
    ctx.assert_sign_in_refused(&done, &["AADSTS700024", "clock"]);
}

#[test]
fn an_untrusted_token_is_explained() {
    for (app_trusts, code) in [
        ("issuer = 'https://other.example'", "AADSTS700211"),
        ("subject = 'system:serviceaccount:other:other'", "AADSTS700213"),
        ("audience = 'api://other'", "AADSTS700212"),
    ] {
        let pod_stage = ctx("", "", "");
        let input = pod_stage.users(1);
        let file = pod_stage.input("token", pod_stage.simulator.mint_assertion(Duration::from_secs(600)));
        let mut federated = format!("issuer = '{ISSUER}'\n");
        if app_trusts.starts_with("issuer") {
            federated.clear();
        }
        let change = format!(
            "[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\n[token.federated]\n{federated}{app_trusts}"
        );
        pod_stage.simulator.change_config(&change).unwrap();
        let done = pod_stage.finish(&mut pod(&pod_stage, &input, &file));
        pod_stage.assert_sign_in_refused(&done, &[code, "no federated credential of the app has this"]);
    }
}

#[test]
fn an_unusable_token_file_is_named() {
    for (contents, says) in [(None, "No such file"), (Some(" \n"), "it is empty")] {
        let ctx = ctx("", "", "");
        let input = ctx.users(1);
        let file = ctx.dir.path().join("token");
        if let Some(contents) = contents {
            std::fs::write(&file, contents).unwrap();
        }
        let done = ctx.finish(&mut pod(&ctx, &input, &file));
        let says = if cfg!(unix) { says } else { "token" };
        ctx.assert_sign_in_refused(&done, &["AZURE_FEDERATED_TOKEN_FILE", says]);
    }
}

#[test]
fn jobs_use_a_new_token_for_each_sign_in() {
    type Job = fn(&TestContext, &Path) -> Command;
    for (job, word) in [(github as Job, "github"), (pipelines as Job, "pipelines")] {
        // The job's tokens live for a moment only: one is asked for at each renewal.
        let ctx = ctx("lifetime = '1s'", "lifetime = '1s'", "");
        let input = ctx.users(30);
        let mut command = job(&ctx, &input);
        ctx.finish(command.args(["--rate", "20/s", "--burst", "1"])).exits(0);
        let stats = ctx.stats();
        assert!(stats.tokens_issued >= 2, "{word}: {stats:?}");
        assert_eq!(stats.nearby_tokens[word], stats.tokens_issued, "{word}");
        assert_eq!(renewals(&ctx) as u64, stats.tokens_issued - 1, "{word}");
        assert_eq!((stats.redirects_followed, stats.bad_auth), (0, 0), "{word}");
        let auth = ctx.run_folder().summary()["operator"]["auth"].as_str().unwrap().to_owned();
        assert!(auth.contains(word), "{auth}");
        assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
    }
}

#[test]
fn the_service_connection_can_be_given_by_flag() {
    let ctx = ctx("", "", "");
    let input = ctx.users(1);
    let mut command = pipelines(&ctx, &input);
    command.env_remove("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID").args(["--service-connection", CONNECTION]);
    // The cluster's file is not meant then.
    ctx.finish(command.env("AZURE_FEDERATED_TOKEN_FILE", "/nonexistent")).exits(0);
    let mut command = pipelines(&ctx, &input);
    let done = ctx.finish(command.args(["--service-connection", "another"]));
    done.exits(4);
    assert!(
        done.stderr.contains("No service connection found")
            && done.stderr.contains("ID of the service connection")
    );
}

#[test]
fn a_busy_service_is_retried_and_a_refusal_is_not() {
    type Job = fn(&TestContext, &Path) -> Command;
    for (job, word) in [(github as Job, "github"), (pipelines as Job, "pipelines")] {
        let fault = |answer: &str| format!("[[fault]]\nendpoint = '{word}'\ntimes = 1\nanswer = {answer}\n");
        for busy in ["503", "429", "'reset-before'"] {
            let ctx = ctx("", "", &fault(busy));
            let input = ctx.users(1);
            ctx.finish(&mut job(&ctx, &input)).exits(0);
            assert_eq!(ctx.stats().nearby_requests[word], 2, "{word} {busy}");
        }
        for (odd, says) in [("403", "403"), ("'portal'", "no usable token"), ("302", "302")] {
            let ctx = ctx("", "", &fault(odd));
            let input = ctx.users(1);
            let done = ctx.finish(&mut job(&ctx, &input));
            ctx.assert_sign_in_refused(&done, &["token service", says]);
            let stats = ctx.stats();
            assert_eq!((stats.nearby_requests[word], stats.redirects_followed), (1, 0), "{word} {odd}");
        }
    }
}

#[test]
fn missing_job_settings_are_named() {
    let ctx = ctx("", "", "");
    let input = ctx.users(1);
    let wrong = |mut command: Command| {
        command.args(["--auth", "workload-identity"]);
        command
    };
    let mut command = wrong(github(&ctx, &input));
    command.env_remove("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    ctx.assert_sign_in_refused(&ctx.finish(&mut command), &["--auth workload-identity", "id-token: write"]);
    let mut command = wrong(github(&ctx, &input));
    command.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another");
    ctx.assert_sign_in_refused(&ctx.finish(&mut command), &["GitHub", "401", "id-token: write"]);
    let mut command = wrong(github(&ctx, &input));
    ctx.assert_sign_in_refused(&ctx.finish(command.env_remove("AZURE_CLIENT_ID")), &["--client-id"]);
    let mut command = wrong(pipelines(&ctx, &input));
    ctx.assert_sign_in_refused(
        &ctx.finish(command.env_remove("SYSTEM_ACCESSTOKEN")),
        &["SYSTEM_ACCESSTOKEN", "env"],
    );
    let mut command = wrong(pipelines(&ctx, &input));
    command.env("SYSTEM_ACCESSTOKEN", "another");
    ctx.assert_sign_in_refused(&ctx.finish(&mut command), &["Azure Pipelines", "401", "System.AccessToken"]);
    let mut command = wrong(pipelines(&ctx, &input));
    command.env_remove("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID");
    ctx.assert_sign_in_refused(&ctx.finish(&mut command), &["--service-connection"]);
    let far = "http://tokens.example/idtoken";
    let mut command = wrong(github(&ctx, &input));
    command.env("ACTIONS_ID_TOKEN_REQUEST_URL", far);
    ctx.assert_sign_in_refused(&ctx.finish(&mut command), &["ACTIONS_ID_TOKEN_REQUEST_URL", "unencrypted"]);
    assert_eq!(ctx.stats().redirects_followed, 0);
}

#[test]
fn the_audience_depends_on_the_cloud() {
    for (cloud, audience) in [
        ("global", "api://AzureADTokenExchange"),
        ("usgov", "api://AzureADTokenExchangeUSGov"),
        ("usgov-dod", "api://AzureADTokenExchangeUSGov"),
        ("china", "api://AzureADTokenExchangeChina"),
    ] {
        let ctx = ctx("", &format!("audience = '{audience}'"), "");
        let input = ctx.users(1);
        ctx.finish(github(&ctx, &input).args(["--cloud", cloud])).exits(0);
    }
}

#[test]
fn job_token_requests_never_use_a_proxy_in_clear_text() {
    let (proxy, seen) = plain_server::serve(|_| plain_server::response("200 OK"));
    let services = ctx("", "", "");
    // With a Graph that speaks TLS nothing keeps plain HTTP from the proxies of the environment but the client.
    let graph = TestContext::new("tls = true");
    let ca = graph.input("ca.pem", graph.simulator.ca_pem().unwrap());
    let input = services.users(1);
    let root = graph.simulator.url();
    let mut command = services.command_without_token("run");
    command.args(["--graph-url", &root, "--authority-url", &root, "--yes", "--ca-cert"]).arg(ca).arg(&input);
    let mut command = in_github(&services, command);
    command.env("HTTP_PROXY", &proxy).env("http_proxy", &proxy);
    services.finish(&mut command).exits(0);
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn workload_secrets_do_not_leak() {
    let faults = "[[fault]]\nanswer = 503\ntimes = 1\nmatch = 'u00@*'\n";
    let shown = ctx("", "", faults);
    let input = shown.users(2);
    let assertion = shown.simulator.mint_assertion(Duration::from_secs(600));
    let file = shown.input("token", &assertion);
    let done = shown.finish(secret_leak::with_verbose_log(&mut pod(&shown, &input, &file)));
    done.exits(0);
    secret_leak::assert_no_leak(&shown, &done, &assertion, Some(&file));
    secret_leak::assert_no_leak(&shown, &done, assertion.rsplit('.').next().unwrap(), Some(&file));

    type Job = fn(&TestContext, &Path) -> Command;
    for (job, word) in [(github as Job, "github"), (pipelines as Job, "pipelines")] {
        // Refusals that say back what they got, by the service and by Entra.
        let echo = format!(
            "[[fault]]\nendpoint = '{word}'\nfirst = 1\nanswer = 403\nmessage = 'no: Bearer {JOB}'\n\
             [[fault]]\nendpoint = 'token'\nfirst = 1\nanswer = 400\nmessage = 'no'\n"
        );
        let ctx = ctx("", "", &echo);
        let input = ctx.users(2);
        for code in [4, 4, 0] {
            let done = ctx.finish(secret_leak::with_verbose_log(&mut job(&ctx, &input)));
            done.exits(code);
            secret_leak::assert_no_leak(&ctx, &done, JOB, None);
            // What begins like a JWT of the job's service.
            secret_leak::assert_no_leak(&ctx, &done, &assertion[..40], None);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn process_arguments_contain_no_workload_secret() {
    let ctx = ctx("", "", "[[fault]]\nanswer = 'hang-before'\n");
    let input = ctx.users(1);
    let mut started = ctx.start(&mut github(&ctx, &input));
    ctx.until(|ctx| ctx.stats().in_flight > 0);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", started.id())).unwrap();
    started.kill().unwrap();
    started.wait().unwrap();
    assert!(!arguments.is_empty() && !secret_leak::contains_secret(&arguments, JOB));
}
