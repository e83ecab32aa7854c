//! Workload identity federation: a cluster's file, GitHub's and Azure Pipelines' services.

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
    let mut command = ctx.bare("run");
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
    ctx.folder().journal().iter().filter(|line| line["event"] == "renewed").count()
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
    let summary = ctx.folder().summary();
    assert_eq!(summary["operator"]["auth"], "workload-identity");
    assert_eq!(summary["operator"]["app_id"], APP);
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn a_flag_names_the_file_as_well() {
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
    ctx.simulator.change(&change).expect("a change that can be");
}

#[test]
fn a_file_that_is_rotated_is_read_anew() {
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
fn a_file_that_was_not_rotated_ends_the_run() {
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
    let mut resume = ctx.bare("resume");
    let url = ctx.simulator.url();
    resume.args(["--graph-url", &url, "--authority-url", &url]);
    resume.env("AZURE_FEDERATED_TOKEN_FILE", &file).arg(&ctx.folder().path);
    ctx.finish(&mut resume).exits(0);
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn a_token_that_is_over_is_explained() {
    let ctx = ctx("", "", "");
    let input = ctx.users(1);
    let file = ctx.input("token", ctx.simulator.mint_assertion(Duration::ZERO));
    let done = ctx.finish(&mut pod(&ctx, &input, &file));
    ctx.refused(&done, &["AADSTS700024", "clock"]);
}

#[test]
fn a_token_that_the_app_does_not_trust_is_explained() {
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
        pod_stage.simulator.change(&change).unwrap();
        let done = pod_stage.finish(&mut pod(&pod_stage, &input, &file));
        pod_stage.refused(&done, &[code, "no federated credential of the app has this"]);
    }
}

#[test]
fn a_file_that_can_not_be_used_is_named() {
    for (contents, says) in [(None, "No such file"), (Some(" \n"), "it is empty")] {
        let ctx = ctx("", "", "");
        let input = ctx.users(1);
        let file = ctx.dir.path().join("token");
        if let Some(contents) = contents {
            std::fs::write(&file, contents).unwrap();
        }
        let done = ctx.finish(&mut pod(&ctx, &input, &file));
        let says = if cfg!(unix) { says } else { "token" };
        ctx.refused(&done, &["AZURE_FEDERATED_TOKEN_FILE", says]);
    }
}

#[test]
fn jobs_sign_in_with_a_fresh_token_each_time() {
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
        let auth = ctx.folder().summary()["operator"]["auth"].as_str().unwrap().to_owned();
        assert!(auth.contains(word), "{auth}");
        assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
    }
}

#[test]
fn a_service_connection_is_named_by_a_flag_too() {
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
            && done.stderr.contains("service connection's id")
    );
}

#[test]
fn a_busy_service_is_asked_again_and_one_that_refuses_is_not() {
    type Job = fn(&TestContext, &Path) -> Command;
    for (job, word) in [(github as Job, "github"), (pipelines as Job, "pipelines")] {
        let fault = |answer: &str| format!("[[fault]]\nendpoint = '{word}'\ntimes = 1\nanswer = {answer}\n");
        for busy in ["503", "429", "'reset-before'"] {
            let ctx = ctx("", "", &fault(busy));
            let input = ctx.users(1);
            ctx.finish(&mut job(&ctx, &input)).exits(0);
            assert_eq!(ctx.stats().nearby_requests[word], 2, "{word} {busy}");
        }
        for (odd, says) in [("403", "403"), ("'portal'", "no token"), ("302", "302")] {
            let ctx = ctx("", "", &fault(odd));
            let input = ctx.users(1);
            let done = ctx.finish(&mut job(&ctx, &input));
            ctx.refused(&done, &["token service", says]);
            let stats = ctx.stats();
            assert_eq!((stats.nearby_requests[word], stats.redirects_followed), (1, 0), "{word} {odd}");
        }
    }
}

#[test]
fn a_job_that_lacks_something_is_told_what() {
    let ctx = ctx("", "", "");
    let input = ctx.users(1);
    let wrong = |mut command: Command| {
        command.args(["--auth", "workload-identity"]);
        command
    };
    let mut command = wrong(github(&ctx, &input));
    command.env_remove("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    ctx.refused(&ctx.finish(&mut command), &["--auth workload-identity", "id-token: write"]);
    let mut command = wrong(github(&ctx, &input));
    command.env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another");
    ctx.refused(&ctx.finish(&mut command), &["GitHub", "401", "id-token: write"]);
    let mut command = wrong(github(&ctx, &input));
    ctx.refused(&ctx.finish(command.env_remove("AZURE_CLIENT_ID")), &["--client-id"]);
    let mut command = wrong(pipelines(&ctx, &input));
    ctx.refused(&ctx.finish(command.env_remove("SYSTEM_ACCESSTOKEN")), &["SYSTEM_ACCESSTOKEN", "env"]);
    let mut command = wrong(pipelines(&ctx, &input));
    command.env("SYSTEM_ACCESSTOKEN", "another");
    ctx.refused(&ctx.finish(&mut command), &["Azure Pipelines", "401", "System.AccessToken"]);
    let mut command = wrong(pipelines(&ctx, &input));
    command.env_remove("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID");
    ctx.refused(&ctx.finish(&mut command), &["--service-connection"]);
    let far = "http://tokens.example/idtoken";
    let mut command = wrong(github(&ctx, &input));
    command.env("ACTIONS_ID_TOKEN_REQUEST_URL", far);
    ctx.refused(&ctx.finish(&mut command), &["ACTIONS_ID_TOKEN_REQUEST_URL", "in the clear"]);
    assert_eq!(ctx.stats().redirects_followed, 0);
}

#[test]
fn the_audience_is_the_clouds_own() {
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
fn no_proxy_gets_to_see_a_job_token_in_the_clear() {
    let (proxy, seen) = plain_server::serve(|_| plain_server::response("200 OK"));
    let services = ctx("", "", "");
    // With a Graph that speaks TLS nothing keeps plain HTTP from the proxies of the environment but the client.
    let graph = TestContext::new("tls = true");
    let ca = graph.input("ca.pem", graph.simulator.ca_pem().unwrap());
    let input = services.users(1);
    let root = graph.simulator.url();
    let mut command = services.bare("run");
    command.args(["--graph-url", &root, "--authority-url", &root, "--yes", "--ca-cert"]).arg(ca).arg(&input);
    let mut command = in_github(&services, command);
    command.env("HTTP_PROXY", &proxy).env("http_proxy", &proxy);
    services.finish(&mut command).exits(0);
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn no_secret_of_a_workload_shows_anywhere() {
    let faults = "[[fault]]\nanswer = 503\ntimes = 1\nmatch = 'u00@*'\n";
    let shown = ctx("", "", faults);
    let input = shown.users(2);
    let assertion = shown.simulator.mint_assertion(Duration::from_secs(600));
    let file = shown.input("token", &assertion);
    let done = shown.finish(secret_leak::loudly(&mut pod(&shown, &input, &file)));
    done.exits(0);
    secret_leak::shows_nothing(&shown, &done, &assertion, Some(&file));
    secret_leak::shows_nothing(&shown, &done, assertion.rsplit('.').next().unwrap(), Some(&file));

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
            let done = ctx.finish(secret_leak::loudly(&mut job(&ctx, &input)));
            done.exits(code);
            secret_leak::shows_nothing(&ctx, &done, JOB, None);
            // What begins like a JWT of the job's service.
            secret_leak::shows_nothing(&ctx, &done, &assertion[..40], None);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_argument_holds_a_workloads_secret() {
    let ctx = ctx("", "", "[[fault]]\nanswer = 'hang-before'\n");
    let input = ctx.users(1);
    let mut started = ctx.start(&mut github(&ctx, &input));
    ctx.until(|ctx| ctx.stats().in_flight > 0);
    let arguments = std::fs::read(format!("/proc/{}/cmdline", started.id())).unwrap();
    started.kill().unwrap();
    started.wait().unwrap();
    assert!(!arguments.is_empty() && !secret_leak::holds(&arguments, JOB));
}
