//! `doctor` and the protect list: which accounts should be on it, and whether it can be resolved.

use serde_json::Value;

use crate::ctx::TestContext;
use crate::selecting::desk::ALL;

const TENANT: &str = r#"
[directory]
generate = { users = 60, seed = 3 }
"#;

/// What doctor finds of the protection, with its exit code.
fn protection(args: &[&str]) -> (Option<i32>, Value) {
    let ctx = TestContext::new(&format!("{ALL}{TENANT}"));
    let mut command = ctx.command_without_token("doctor");
    command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
    command.envs([("AZURE_TENANT_ID", "contoso.com"), ("AZURE_CLIENT_SECRET", "fake-secret")]);
    command.env("AZURE_CLIENT_ID", "5a1e0000-0000-4000-8000-0000000000a1");
    let done = ctx.finish(command.args(["-o", "json"]).args(args));
    let found: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    let checks = found["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["check"] == "protection").unwrap().clone();
    assert_eq!(ctx.stats().revocations, 0);
    (done.code, check)
}

#[test]
fn emergency_accounts_are_suggested_without_a_protect_list() {
    let (code, check) = protection(&[]);
    assert_eq!((code, &check["status"]), (Some(0), &"warning".into()), "{check}");
    let details = check["details"].as_array().unwrap();
    assert_eq!(details.len(), 2, "{check}");
    assert!(details[0].as_str().unwrap().starts_with("emergency1@"), "{check}");
    assert!(check["advice"].as_str().unwrap().starts_with("--protect emergency1@"), "{check}");
}

#[test]
fn an_unresolvable_protect_list_fails_the_check() {
    let (code, check) = protection(&["--protect", "role:Global Administrator"]);
    assert_eq!((code, &check["status"]), (Some(0), &"ok".into()), "{check}");
    let (code, check) = protection(&["--protect", "group:No such group"]);
    assert_eq!((code, &check["status"]), (Some(2), &"failed".into()), "{check}");
    assert!(check["finding"].as_str().unwrap().contains("No such group"), "{check}");
}
