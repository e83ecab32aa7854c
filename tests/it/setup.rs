//! `doctor --setup`: its commands are valid bash and ask for exactly one permission. They run with an `az`, an
//! `openssl` and a `curl` that only record their arguments.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::ctx::TestContext;
use regex::Regex;
use serde_json::Value;

const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";
const APP_ROLE: &str = "77f3a031-c388-4f99-b373-dc68676a979e";
const SCOPE: &str = "fc30e98b-8810-4501-81f5-c20a3196387b";

/// What the fakes answer: made-up ids in every place.
const ANSWER: &str = r#"{"@odata.context":"x","id":"0b1ec7e0-0000-4000-8000-000000000001","appId":"a9910000-0000-4000-8000-000000000002","secretText":"made-up-CANARY"}"#;

const WAYS: [&str; 8] = [
    "auto",
    "client-secret",
    "certificate",
    "workload-identity",
    "managed-identity",
    "azure-cli",
    "azure-developer-cli",
    "device-code",
];

fn script(ctx: &TestContext, args: &[&str]) -> String {
    let done = ctx.finish(ctx.command_without_token("doctor").arg("--setup").args(args));
    done.exits(0);
    assert!(done.stderr.is_empty(), "{}", done.stderr);
    done.stdout
}

/// Writes a program of a few lines.
fn program(dir: &Path, name: &str, lines: &str) {
    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/bash\n{lines}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a script with the fakes and gives what it printed and the requests' bodies.
fn play(ctx: &TestContext, script: &str, with_az: bool) -> (String, Vec<(String, Value)>) {
    let bin = ctx.dir.path().join("bin");
    let log = ctx.dir.path().join("requests");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(&log, "").unwrap();
    let record = format!(
        "for word in \"$@\"; do printf '%s\\n' \"$word\"; done >> {log}; echo @@ >> {log}; [ \"$1\" = cloud ] || echo '{ANSWER}'",
        log = log.display()
    );
    for name in ["bash", "grep", "head", "cut", "cat", "rm", "date", "sleep"] {
        let found =
            ["/bin", "/usr/bin"].map(|dir| Path::new(dir).join(name)).into_iter().find(|path| path.exists());
        let _ = std::os::unix::fs::symlink(found.unwrap(), bin.join(name));
    }
    if with_az {
        program(&bin, "az", &record);
    }
    program(&bin, "azd", &record);
    // The token comes by standard input, never by an argument.
    let curl = format!("cat > {}.config\n{record}", log.display());
    program(&bin, "curl", &curl);
    program(&bin, "entra-revoke", "true");
    program(
        &bin,
        "openssl",
        "while [ $# -gt 0 ]; do case $1 in -keyout | -out) echo \"fake $1\" > \"$2\" ;; base64) echo QUJD ;; esac; shift; done",
    );
    let file = ctx.input("setup.sh", script);
    let mut bash = Command::new("/bin/bash");
    bash.arg(&file).current_dir(ctx.dir.path()).env_clear().env("PATH", &bin).env("PAUSE", "0");
    bash.env("TOKEN", "made-up-CANARY").env("PRINCIPAL", "9919c19a-0000-4000-8000-000000000003");
    let output = bash.stdin(Stdio::null()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{script}\n{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let log = std::fs::read_to_string(log).unwrap();
    assert!(!log.contains("CANARY"), "a token in an argument: {log}");
    (printed, log.split("@@\n").filter_map(request).collect())
}

/// The address and the body of a request, out of a program's arguments.
fn request(words: &str) -> Option<(String, Value)> {
    let words: Vec<&str> = words.lines().collect();
    let after = |names: &[&str]| words.iter().position(|word| names.contains(word)).map(|at| words[at + 1]);
    let url = words.iter().find(|word| word.starts_with("https://") && word.contains("/v1.0/"))?;
    let body = after(&["--body", "--data"]).map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
    Some(((*url).to_owned(), body))
}

/// Every ID that is not made up.
fn ids(requests: &[(String, Value)]) -> BTreeSet<String> {
    let guid = Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    let text: String = requests.iter().map(|(url, body)| format!("{url} {body}\n")).collect();
    let real =
        |id: &&str| !["0b1ec7e0", "a9910000", "9919c19a"].iter().any(|made_up| id.starts_with(made_up));
    guid.find_iter(&text).map(|id| id.as_str()).filter(real).map(str::to_owned).collect()
}

#[test]
fn every_script_is_valid_bash() {
    let ctx = TestContext::new("");
    for auth in WAYS.into_iter().chain(["token"]) {
        for cloud in ["global", "usgov", "usgov-dod", "china"] {
            let script = script(&ctx, &["--auth", auth, "--cloud", cloud]);
            let file = ctx.input("setup.sh", &script);
            let checked = Command::new("bash").arg("-n").arg(file).output().unwrap();
            assert!(checked.status.success(), "{auth}: {}", String::from_utf8_lossy(&checked.stderr));
        }
    }
}

#[test]
fn exactly_one_permission_is_asked_for() {
    for auth in WAYS {
        for with_az in [true, false] {
            let ctx = TestContext::new("");
            let script = script(&ctx, &["--auth", auth]);
            if auth.starts_with("azure") {
                if with_az {
                    assert!(play(&ctx, &script, true).1.is_empty(), "{auth} registers nothing");
                }
                continue;
            }
            let (printed, requests) = play(&ctx, &script, with_az);
            let permission = if auth == "device-code" { SCOPE } else { APP_ROLE };
            let expected = BTreeSet::from([GRAPH_APP.to_owned(), permission.to_owned()]);
            assert_eq!(ids(&requests), expected, "{auth}: {requests:#?}");
            assert!(requests.iter().all(|(url, _)| url.starts_with("https://graph.microsoft.com/v1.0/")));
            check_consent(auth, &requests);
            assert!(printed.contains("export AZURE_TENANT_ID=0b1ec7e0"), "{printed}");
            assert!(printed.contains("$env:AZURE_TENANT_ID = '0b1ec7e0"), "{printed}");
            assert!(printed.contains("entra-revoke doctor "), "{printed}");
        }
    }
}

/// The registration names the one permission, and consent is given to it and to no other.
fn check_consent(auth: &str, requests: &[(String, Value)]) {
    let to = |end: &str| -> Vec<&Value> {
        requests.iter().filter(|(url, _)| url.ends_with(end)).map(|(_, body)| body).collect()
    };
    if auth == "managed-identity" {
        let consent = to("/appRoleAssignedTo");
        assert!(to("/applications").is_empty() && consent.len() == 1, "{requests:#?}");
        assert_eq!(consent[0]["principalId"], "9919c19a-0000-4000-8000-000000000003");
        return;
    }
    let made = to("/applications");
    assert_eq!(made.len(), 1);
    let kind = if auth == "device-code" { "Scope" } else { "Role" };
    let permission = if auth == "device-code" { SCOPE } else { APP_ROLE };
    let access = serde_json::json!([
        {"resourceAppId": GRAPH_APP, "resourceAccess": [{"id": permission, "type": kind}]}
    ]);
    assert_eq!(made[0]["requiredResourceAccess"], access);
    if auth == "device-code" {
        assert_eq!(to("/oauth2PermissionGrants")[0]["scope"], "User.RevokeSessions.All");
        assert_eq!(made[0]["isFallbackPublicClient"], true);
        assert!(to("/appRoleAssignments").is_empty());
    } else {
        assert_eq!(to("/appRoleAssignments").len(), 1);
        assert_eq!(to("/appRoleAssignments")[0]["appRoleId"], APP_ROLE);
        assert!(to("/oauth2PermissionGrants").is_empty());
    }
}

#[test]
fn the_key_stays_local_and_the_secret_is_not_shown() {
    let ctx = TestContext::new("");
    let (printed, requests) = play(&ctx, &script(&ctx, &["--auth", "certificate"]), true);
    let made = &requests.iter().find(|(url, _)| url.ends_with("/applications")).unwrap().1;
    assert_eq!(made["keyCredentials"][0]["key"], "QUJD");
    assert!(printed.contains("--certificate-file entra-revoke.pem"), "{printed}");
    let pem = std::fs::read_to_string(ctx.dir.path().join("entra-revoke.pem")).unwrap();
    assert_eq!(pem, "fake -keyout\nfake -out\n");
    let mode = |name: &str| std::fs::metadata(ctx.dir.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("entra-revoke.pem") & 0o077, 0, "others can read the key");

    let (printed, requests) = play(&ctx, &script(&ctx, &["--auth", "client-secret"]), true);
    assert!(requests.iter().any(|(url, _)| url.ends_with("/addPassword")));
    assert!(!printed.contains("CANARY"), "{printed}");
    let secret = std::fs::read_to_string(ctx.dir.path().join("entra-revoke.secret")).unwrap();
    assert_eq!((secret.trim(), mode("entra-revoke.secret") & 0o077), ("made-up-CANARY", 0));
}

#[test]
fn each_cloud_uses_its_own_addresses() {
    let ctx = TestContext::new("");
    for (cloud, az, graph, audience) in [
        ("usgov", "AzureUSGovernment", "https://graph.microsoft.us", "AzureADTokenExchangeUSGov"),
        ("usgov-dod", "AzureUSGovernment", "https://dod-graph.microsoft.us", "AzureADTokenExchangeUSGov"),
        ("china", "AzureChinaCloud", "https://microsoftgraph.chinacloudapi.cn", "AzureADTokenExchangeChina"),
    ] {
        let script = script(&ctx, &["--auth", "workload-identity", "--cloud", cloud]);
        for words in [az, &format!("GRAPH={graph}\n"), audience, &format!("doctor --cloud {cloud}")] {
            assert!(script.contains(words), "{words:?} is not in {script}");
        }
        let (_, requests) = play(&ctx, &script, false);
        assert!(requests.iter().all(|(url, _)| url.starts_with(graph)), "{requests:?}");
        let trust = requests.iter().find(|(url, _)| url.ends_with("/federatedIdentityCredentials")).unwrap();
        assert_eq!(trust.1["audiences"][0], format!("api://{audience}"));
    }
}
