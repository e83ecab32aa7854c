//! `doctor` and the protect list: whom it should hold, and whether it can be resolved.

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
    let mut command = ctx.bare("doctor");
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
fn without_a_list_the_accounts_for_emergencies_are_suggested() {
    let (code, check) = protection(&[]);
    assert_eq!((code, &check["status"]), (Some(0), &"warning".into()), "{check}");
    let details = check["details"].as_array().unwrap();
    assert_eq!(details.len(), 2, "{check}");
    assert!(details[0].as_str().unwrap().starts_with("emergency1@"), "{check}");
    assert!(check["advice"].as_str().unwrap().starts_with("--protect emergency1@"), "{check}");
}

#[test]
fn a_list_is_resolved_in_full_or_a_run_would_not_start() {
    let (code, check) = protection(&["--protect", "role:Global Administrator"]);
    assert_eq!((code, &check["status"]), (Some(0), &"ok".into()), "{check}");
    let (code, check) = protection(&["--protect", "group:No such group"]);
    assert_eq!((code, &check["status"]), (Some(2), &"failed".into()), "{check}");
    assert!(check["finding"].as_str().unwrap().contains("No such group"), "{check}");
}
