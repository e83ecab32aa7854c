//! Managed identities: of a virtual machine, of an app in App Service, and of a machine with Azure Arc.

use crate::support::plain_server;
use crate::support::secret_leak;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::ctx::TestContext;

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const CLIENT: &str = "5a1e0000-0000-4000-8000-0000000000a1";
const OBJECT: &str = "5a1e0000-0000-4000-8000-0000000000b2";
const RESOURCE: &str = "/subscriptions/0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f/resourcegroups/soc/providers/Microsoft.ManagedIdentity/userAssignedIdentities/revoker";
const HEADER: &str = "fake-identity-header-CANARY-8d77";

/// A machine with both kinds of identity. `token` and `managed` are more of these tables, `tables` what follows.
fn ctx(token: &str, managed: &str, tables: &str) -> TestContext {
    TestContext::new(&format!(
        "accept_any_token = false\n[token]\ntenant = '{TENANT}'\n{token}\n[managed_identity]\nclient_id = '{CLIENT}'\n\
         object_id = '{OBJECT}'\nresource_id = '{RESOURCE}'\nheader = '{HEADER}'\n{managed}\n{tables}"
    ))
}

fn run(ctx: &TestContext, input: &Path) -> Command {
    let mut command = bare(ctx, input);
    command.args(["--graph-url", &ctx.simulator.url()]);
    command
}

/// `run` without an address of Graph's.
fn bare(ctx: &TestContext, input: &Path) -> Command {
    let mut command = ctx.command_without_token("run");
    command.arg("--yes").arg(input);
    command
}

/// A virtual machine.
fn machine(ctx: &TestContext, input: &Path) -> Command {
    on_machine(ctx, run(ctx, input))
}

fn on_machine(ctx: &TestContext, mut command: Command) -> Command {
    command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", ctx.simulator.url());
    command
}

/// An app of App Service.
fn app(ctx: &TestContext, input: &Path) -> Command {
    in_app(ctx, run(ctx, input))
}

fn in_app(ctx: &TestContext, mut command: Command) -> Command {
    command
        .env("IDENTITY_ENDPOINT", format!("{}/msi/token", ctx.simulator.url()))
        .env("IDENTITY_HEADER", HEADER);
    command
}

#[test]
fn a_machine_signs_in_with_its_own_identity() {
    let ctx = ctx("", "", "");
    let input = ctx.users(3);
    let done = ctx.finish(&mut machine(&ctx, &input));
    done.exits(0);
    assert!(done.stderr.contains("Signing in with managed-identity (not set up: token,"), "{}", done.stderr);
    let stats = ctx.stats();
    // The probe, and the token.
    assert_eq!((stats.nearby_requests["imds"], stats.nearby_tokens["imds"]), (2, 1));
    assert_eq!(stats.token_requests, 0);
    let summary = ctx.run_folder().summary();
    assert_eq!(summary["operator"]["auth"], "managed-identity");
    assert_eq!(summary["tenant_id"], TENANT);
}

#[test]
fn user_assigned_identities_can_be_named_in_three_ways() {
    type Place = fn(&TestContext, &Path) -> Command;
    for place in [machine as Place, app as Place] {
        let object = format!("object:{OBJECT}");
        for identity in [CLIENT, &object, RESOURCE] {
            let ctx = ctx("", "system_assigned = false", "");
            let input = ctx.users(1);
            ctx.finish(place(&ctx, &input).args(["--identity", identity])).exits(0);
            assert_eq!(ctx.run_folder().summary()["operator"]["app_id"], CLIENT, "{identity}");
        }
        // As in Azure Identity's default chain.
        let ctx = ctx("", "system_assigned = false", "");
        let input = ctx.users(1);
        ctx.finish(place(&ctx, &input).env("AZURE_CLIENT_ID", CLIENT)).exits(0);
    }
}

#[test]
fn a_missing_identity_is_reported() {
    let other = "99990000-0000-4000-8000-000000000000";
    let missing = ctx("", "", "");
    let input = missing.users(1);
    let done = missing.finish(machine(&missing, &input).args(["--identity", other]));
    missing
        .assert_sign_in_refused(&done, &["managed-identity", "Identity not found", "assign this identity"]);
    let done = missing.finish(app(&missing, &input).args(["--identity", other]));
    missing
        .assert_sign_in_refused(&done, &["managed identity of the app", "Identity not found", "--identity"]);
    let done = missing.finish(machine(&missing, &input).args(["--identity", "revoker"]));
    missing.assert_sign_in_refused(&done, &["--identity", "object:GUID"]);

    let none = ctx("", "system_assigned = false", "");
    let input = none.users(1);
    let done = none.finish(machine(&none, &input).args(["--auth", "managed-identity"]));
    none.assert_sign_in_refused(&done, &["managed-identity", "a system-assigned identity"]);
    // Where it was not asked for, the next way gets its turn.
    let done = none.finish(&mut machine(&none, &input));
    none.assert_sign_in_refused(
        &done,
        &["no sign-in method", "Identity not found", "azure-cli", "is not on the PATH"],
    );
}

#[test]
fn a_token_is_renewed_during_the_run() {
    type Place = fn(&TestContext, &Path) -> Command;
    for (place, word) in [(machine as Place, "imds"), (app as Place, "app_service")] {
        for text in [true, false] {
            let ctx = ctx("lifetime = '2500ms'", &format!("times_as_text = {text}"), "");
            let input = ctx.users(45);
            ctx.finish(place(&ctx, &input).args(["--rate", "20/s", "--burst", "1"])).exits(0);
            let stats = ctx.stats();
            assert!(stats.nearby_tokens[word] >= 2, "{word}: {stats:?}");
            assert_eq!(stats.bad_auth, 0);
            // Only the first sign-in looks whether there is such a service.
            let probes = stats.nearby_requests[word] - stats.nearby_tokens[word];
            assert_eq!(probes, u64::from(word == "imds"));
            assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
        }
    }
}

#[test]
fn a_cached_token_that_was_refused_ends_the_run() {
    let ctx = ctx("", "cache = true", "[[fault]]\nanswer = 'revoke-token'\nfirst = 1\n");
    let input = ctx.users(5);
    let done = ctx.finish(machine(&ctx, &input).args(["-j", "1"]));
    done.exits(4);
    assert!(done.stdout.contains("Graph refused"), "{}", done.stdout);
    assert_eq!(ctx.stats().revocations, 2);
}

#[test]
fn a_401_is_answered_with_a_new_token() {
    let ctx = ctx("", "", "[[fault]]\nanswer = 'challenge'\n");
    let input = ctx.users(5);
    ctx.finish(&mut machine(&ctx, &input)).exits(0);
    assert_eq!(ctx.stats().nearby_tokens["imds"], 2);
}

#[test]
fn a_busy_service_is_retried() {
    type Place = fn(&TestContext, &Path) -> Command;
    let places: [(Place, &str, &[&str]); 2] = [
        (machine, "imds", &["429", "410", "404", "500", "'reset-before'"]),
        (app, "app_service", &["429", "503"]),
    ];
    for (place, word, answers) in places {
        for answer in answers {
            // The probe is spared, where there is one.
            let after = u32::from(word == "imds");
            let fault =
                format!("[[fault]]\nendpoint = '{word}'\nafter = {after}\ntimes = 1\nanswer = {answer}\n");
            let ctx = ctx("", "", &fault);
            let input = ctx.users(1);
            ctx.finish(&mut place(&ctx, &input)).exits(0);
            let stats = ctx.stats();
            assert_eq!(stats.nearby_requests[word], u64::from(after) + 2, "{answer}: {stats:?}");
        }
    }
}

#[test]
fn an_unusable_service_is_named() {
    for (answer, says) in [("403", "403"), ("'portal'", "no usable token"), ("302", "302")] {
        let fault = format!("[[fault]]\nendpoint = 'app_service'\nanswer = {answer}\n");
        let ctx = ctx("", "", &fault);
        let input = ctx.users(1);
        let done = ctx.finish(&mut app(&ctx, &input));
        ctx.assert_sign_in_refused(&done, &["managed identity of the app", says]);
        let stats = ctx.stats();
        assert_eq!((stats.nearby_requests["app_service"], stats.redirects_followed), (1, 0));
    }
}

#[test]
fn machines_outside_azure_are_detected() {
    for answer in ["404", "401", "403"] {
        let fault = format!("[[fault]]\nendpoint = 'imds'\nanswer = {answer}\n");
        let ctx = ctx("", "", &fault);
        let input = ctx.users(1);
        let done = ctx.finish(&mut machine(&ctx, &input));
        ctx.assert_sign_in_refused(
            &done,
            &["no sign-in method", answer, "which is not how Azure machines answer"],
        );
        assert_eq!(ctx.stats().nearby_requests["imds"], 1);
    }
}

#[test]
fn a_missing_service_is_not_waited_for() {
    let ctx = ctx("", "", "[[fault]]\nendpoint = 'imds'\nanswer = 'hang-before'\n");
    let input = ctx.users(1);
    let done = ctx.finish(&mut machine(&ctx, &input));
    ctx.assert_sign_in_refused(&done, &["no sign-in method", "no answer from 127.0.0.1"]);
    assert_eq!(ctx.stats().nearby_requests["imds"], 1);
}

#[test]
fn unsupported_environments_are_named() {
    let ctx = ctx("", "", "");
    let input = ctx.users(1);
    let url = format!("{}/msi/token", ctx.simulator.url());
    for (variables, place) in [
        (&["IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT"][..], "Service Fabric"),
        (&["MSI_ENDPOINT"], "Cloud Shell"),
        (&["MSI_ENDPOINT", "MSI_SECRET"], "Azure Machine Learning"),
    ] {
        let mut command = run(&ctx, &input);
        command.envs(variables.iter().map(|name| (*name, &url))).args(["--auth", "managed-identity"]);
        ctx.assert_sign_in_refused(
            &ctx.finish(&mut command),
            &["--auth managed-identity", place, "not supported"],
        );
    }
    let mut command = machine(&ctx, &input);
    command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://imds.example");
    ctx.assert_sign_in_refused(
        &ctx.finish(&mut command),
        &["AZURE_POD_IDENTITY_AUTHORITY_HOST", "unencrypted"],
    );
    assert!(ctx.stats().nearby_requests.is_empty());
}

#[test]
fn identity_requests_never_use_a_proxy() {
    let (proxy, seen) = plain_server::serve(|_| plain_server::response("200 OK"));
    type Place = fn(&TestContext, Command) -> Command;
    for place in [on_machine as Place, in_app as Place] {
        let services = ctx("", "", "");
        // With a Graph that speaks TLS nothing keeps plain HTTP from the proxies of the environment but the client.
        let graph = TestContext::new("tls = true");
        let ca = graph.input("ca.pem", graph.simulator.ca_pem().unwrap());
        let input = services.users(1);
        let mut command = place(&services, bare(&services, &input));
        command.args(["--graph-url", &graph.simulator.url()]).arg("--ca-cert").arg(ca);
        command.env("HTTP_PROXY", &proxy).env("http_proxy", &proxy);
        services.finish(&mut command).exits(0);
        assert!(seen.lock().unwrap().is_empty());
    }
}

#[test]
fn app_service_secrets_do_not_leak() {
    let echo =
        format!("[[fault]]\nendpoint = 'app_service'\nfirst = 1\nanswer = 403\nmessage = 'no: {HEADER}'\n");
    let ctx = ctx("", "", &echo);
    let input = ctx.users(2);
    let minted = ctx.simulator.mint_token(entra_revoke::simulator::TokenKind::App, Duration::from_secs(1));
    for code in [4, 0] {
        let done = ctx.finish(secret_leak::with_verbose_log(&mut app(&ctx, &input)));
        done.exits(code);
        secret_leak::assert_no_leak(&ctx, &done, HEADER, None);
        // All of the simulator's tokens begin alike: the header of a JWT.
        secret_leak::assert_no_leak(&ctx, &done, minted.split('.').next().unwrap(), None);
    }
}

/// Azure Arc: its keys stand in one folder of the system's, which only administrators may make.
#[cfg(target_os = "linux")]
mod arc {
    use super::*;

    const FOLDER: &str = "/var/opt/azcmagent/tokens";
    const KEY: &str = "fake-arc-key-CANARY-2b90-";

    /// The folder, unless it can't be had here.
    #[allow(clippy::print_stderr)]
    fn folder() -> bool {
        let made = std::fs::create_dir_all(FOLDER).and_then(|()| {
            let probe = format!("{FOLDER}/probe-{}", std::process::id());
            std::fs::write(&probe, "").and_then(|()| std::fs::remove_file(probe))
        });
        if let Err(error) = &made {
            eprintln!("Azure Arc is not tested: {FOLDER}: {error}");
        }
        made.is_ok()
    }

    fn machine_with_arc(token: &str, tables: &str) -> TestContext {
        ctx(token, &format!("arc_folder = '{FOLDER}'\narc_key = '{KEY}'"), tables)
    }

    fn arc(ctx: &TestContext, input: &Path) -> Command {
        let mut command = run(ctx, input);
        let root = ctx.simulator.url();
        command
            .env("IDENTITY_ENDPOINT", format!("{root}/metadata/identity/oauth2/token"))
            .env("IMDS_ENDPOINT", root);
        command
    }

    #[test]
    fn arc_requests_use_a_new_key_each_time() {
        if !folder() {
            return;
        }
        let ctx = machine_with_arc("lifetime = '2500ms'", "");
        let input = ctx.users(45);
        ctx.finish(arc(&ctx, &input).args(["--rate", "20/s", "--burst", "1"])).exits(0);
        let stats = ctx.stats();
        assert!(stats.nearby_tokens["arc"] >= 2, "{stats:?}");
        assert_eq!(stats.nearby_requests["arc"], 2 * stats.nearby_tokens["arc"]);
        assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
    }

    #[test]
    fn a_busy_arc_agent_is_retried_and_a_refusal_is_not() {
        if !folder() {
            return;
        }
        let ctx = machine_with_arc("", "[[fault]]\nendpoint = 'arc'\nanswer = 503\nfirst = 1\n");
        let input = ctx.users(1);
        ctx.finish(&mut arc(&ctx, &input)).exits(0);
        let ctx = machine_with_arc("", "[[fault]]\nendpoint = 'arc'\nanswer = 403\nafter = 1\n");
        let input = ctx.users(1);
        ctx.assert_sign_in_refused(
            &ctx.finish(&mut arc(&ctx, &input)),
            &["Azure Arc's agent", "403", "azcmagent"],
        );
    }

    #[test]
    fn arc_key_does_not_leak() {
        if !folder() {
            return;
        }
        let ctx = machine_with_arc("", "");
        let input = ctx.users(1);
        let done = ctx.finish(secret_leak::with_verbose_log(&mut arc(&ctx, &input)));
        done.exits(0);
        secret_leak::assert_no_leak(&ctx, &done, KEY, None);
        // An agent that says back what it got.
        let key = format!("{FOLDER}/echo-{}.key", std::process::id());
        std::fs::write(&key, KEY).unwrap();
        let realm = key.clone();
        let (root, seen) = plain_server::serve_requests(move |number, seen| match number {
            0 => format!(
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm={realm}\r\ncontent-length: 0\r\n\r\n"
            ),
            _ => {
                let body = format!("no: {}", seen.header("authorization"));
                format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
        });
        let mut command = arc(&ctx, &input);
        command.env("IDENTITY_ENDPOINT", format!("{root}/metadata/identity/oauth2/token"));
        let done = ctx.finish(secret_leak::with_verbose_log(&mut command));
        std::fs::remove_file(key).unwrap();
        done.exits(4);
        assert_eq!(seen.lock().unwrap()[1].header("authorization"), format!("Basic {KEY}"));
        assert!(done.stderr.contains("no: Basic [secret]"), "{}", done.stderr);
        secret_leak::assert_no_leak(&ctx, &done, KEY, None);
    }

    #[test]
    fn a_fake_arc_agent_cannot_read_other_files() {
        let secret = "fake-file-CANARY-6612";
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("shadow.key");
        std::fs::write(&file, secret).unwrap();
        for named in [file.display().to_string(), format!("{FOLDER}/../../../..{}", file.display())] {
            let realm = named.clone();
            let (root, seen) = plain_server::serve(move |_| {
                format!(
                    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm={realm}\r\ncontent-length: 0\r\n\r\n"
                )
            });
            let ctx = ctx("", "", "");
            let input = ctx.users(1);
            let mut command = run(&ctx, &input);
            command
                .env("IDENTITY_ENDPOINT", format!("{root}/metadata/identity/oauth2/token"))
                .env("IMDS_ENDPOINT", &root);
            let done = ctx.finish(&mut command);
            ctx.assert_sign_in_refused(&done, &["not a key of the agent", "nothing was read"]);
            let seen = seen.lock().unwrap();
            assert!(seen.len() == 1 && !format!("{seen:?}").contains(secret), "{seen:?}");
        }
    }

    #[test]
    fn arc_refuses_other_identities() {
        let ctx = machine_with_arc("", "");
        let input = ctx.users(1);
        let done = ctx.finish(arc(&ctx, &input).args(["--identity", CLIENT]));
        ctx.assert_sign_in_refused(&done, &["Azure Arc", "only has the machine's own identity"]);
        let mut far = arc(&ctx, &input);
        far.env("IDENTITY_ENDPOINT", "http://10.0.0.1/token");
        ctx.assert_sign_in_refused(&ctx.finish(&mut far), &["IDENTITY_ENDPOINT", "unencrypted"]);
        assert!(ctx.stats().nearby_requests.is_empty());
    }
}
