//! Flags override the environment, and the environment overrides the profile. Leftover variables in the environment
//! never lead to another tenant.

use super::*;
use serde_json::Value;

/// Runs with the profile `c` of these keys, as the default or by name.
fn with(ctx: &TestContext, keys: &str, args: &[&str]) -> Command {
    config(ctx, "c.toml", format!("default_profile = 'c'\n[profile.c]\n{}{keys}", app()));
    let mut command = run(ctx);
    command.args(["--config", "c.toml"]).args(args);
    command
}

fn record(ctx: &TestContext) -> Value {
    let folder = ctx.run_folders().pop().expect("a run folder");
    serde_json::from_str(&std::fs::read_to_string(folder.join("run.json")).unwrap()).unwrap()
}

#[test]
fn flags_override_the_profile() {
    let ctx = tenant();
    let keys = "jobs = 3\nrate = '600/m'\nburst = 7\nretries = 1\ndeadline = '1h'\nhalt = 'fail=9'\nmax_users = 1\n\
                accept = 'not_found,forbidden'\ntimeout = '9s'\ncase_id = 'P'\noutput_dir = 'elsewhere'\n";
    let done = ctx.finish(&mut with(&ctx, keys, &["--output-dir", "runs"]));
    done.exits(5);
    let had = &record(&ctx)["settings"];
    for (key, value) in [
        ("jobs", 3.into()),
        ("rate", "600/m".into()),
        ("burst", 7.into()),
        ("retries", 1.into()),
        ("deadline_ms", 3_600_000.into()),
        ("halt", "fail=9".into()),
        ("max_users", 1.into()),
        ("accept", serde_json::json!(["not_found", "forbidden"])),
        ("timeout_ms", 9000.into()),
        ("client_id", APP.into()),
    ] {
        assert_eq!(had[key], value, "{key}");
    }
    std::fs::remove_dir_all(ctx.dir.path().join("runs")).unwrap();
    let flags = ["-j", "4", "--rate", "500/s", "--retries", "2", "--deadline", "2h", "--halt", "fail=8"];
    let more = ["--max-users", "9", "--accept", "rejected", "--timeout", "8s", "--case-id", "F"];
    ctx.finish(with(&ctx, keys, &flags).args(more).args(["--output-dir", "runs"])).exits(0);
    let had = record(&ctx);
    assert_eq!(had["case_id"], "F");
    for (key, value) in [
        ("jobs", 4.into()),
        ("rate", "500/s".into()),
        ("burst", Value::Null),
        ("retries", 2.into()),
        ("deadline_ms", 7_200_000.into()),
        ("halt", "fail=8".into()),
        ("max_users", 9.into()),
        ("accept", serde_json::json!(["rejected"])),
        ("timeout_ms", 8000.into()),
    ] {
        assert_eq!(had["settings"][key], value, "{key}");
    }
}

#[test]
fn protect_lists_are_combined() {
    let ctx = tenant();
    ctx.input("leave.txt", "b@contoso.com\n");
    let keys = "protect = ['boss@contoso.com']\nexclude_file = 'leave.txt'\n";
    ctx.finish(&mut with(&ctx, keys, &["--protect", "x@contoso.com"])).exits(0);
    let outcomes = ctx.run_folder().outcomes();
    assert_eq!(outcomes["boss@contoso.com"], "protected");
    assert_eq!(outcomes["b@contoso.com"], "excluded");
    assert_eq!(outcomes["a@contoso.com"], "revoked");
}

#[test]
fn a_list_that_can_not_be_read_stops_the_run() {
    let ctx = tenant();
    ctx.input("half.txt", "boss@contoso.com\nnobody\n");
    for (keys, says) in [
        ("protect = 'gone.csv'\n", &["protect list", "gone.csv"][..]),
        ("protect = 'half.txt'\n", &["line 2"]),
    ] {
        let done = ctx.finish(&mut with(&ctx, keys, &[]));
        done.exits(2);
        for words in says {
            assert!(done.stderr.contains(words), "{words:?} is not in: {}", done.stderr);
        }
        // Files are read before anybody signs in.
        assert_eq!(ctx.stats().requests + ctx.stats().token_requests, 0);
        assert!(ctx.run_folders().is_empty());
    }
}

#[test]
fn paths_are_relative_to_the_config_file_or_home() {
    let ctx = tenant();
    let folder = ctx.dir.path().join("team");
    std::fs::create_dir(&folder).unwrap();
    ctx.input("team/here.txt", "boss@contoso.com\n");
    ctx.input("home.txt", "b@contoso.com\n");
    let keys = app().replace("'secret'", "'../secret'");
    config(&ctx, "team/c.toml", format!("[profile.c]\n{keys}protect = ['here.txt', '~/home.txt']\n"));
    ctx.finish(run(&ctx).args(["--config", "team/c.toml", "--profile", "c"])).exits(0);
    assert_eq!(ctx.stats().effects, 1);
    let secret = record(&ctx)["settings"]["client_secret_file"].as_str().unwrap().to_owned();
    assert!(Path::new(&secret).is_absolute(), "{secret}");
}

#[test]
fn a_named_profile_conflicts_with_another_tenant_in_the_environment() {
    let ctx = tenant();
    for (variable, theirs, flag, ours) in [
        ("AZURE_TENANT_ID", OTHER_TENANT, "--tenant", TENANT),
        ("AZURE_CLIENT_ID", "other-app", "--client-id", APP),
    ] {
        let named = |value: &str, args: &[&str]| {
            let mut command = with(&ctx, "", &["--profile", "c"]);
            ctx.finish(command.env(variable, value).args(args))
        };
        refused(&ctx, &named(theirs, &[]), &["profile c", variable, theirs, ours, flag]);
        let mut by_variable = with(&ctx, "", &[]);
        by_variable.env(variable, theirs).env("ENTRA_REVOKE_PROFILE", "c");
        refused(&ctx, &ctx.finish(&mut by_variable), &[variable]);
        // A flag decides it. The same value in both is not a contradiction, and neither is none.
        let dry = ["--dry-run"];
        named(theirs, &[&dry[..], &[flag, theirs]].concat()).exits(0);
        named(theirs, &[&dry[..], &[flag, ours]].concat()).exits(0);
        named(&ours.to_uppercase(), &dry).exits(0);
        named(" ", &dry).exits(0);
    }
}

#[test]
fn the_environment_overrides_the_default_profile_with_a_warning() {
    let ctx = tenant();
    let done = ctx.finish(with(&ctx, "", &[]).env("AZURE_TENANT_ID", OTHER_TENANT));
    done.exits(4);
    let warning =
        format!("warning: AZURE_TENANT_ID is {OTHER_TENANT} and overrides the tenant of the default");
    assert!(done.stderr.contains(&warning), "{}", done.stderr);
    assert!(done.stderr.contains(&format!(": tenant {OTHER_TENANT}\n")), "{}", done.stderr);
    assert_eq!(ctx.stats().revocations, 0);
}

#[test]
fn an_empty_flag_is_refused() {
    let ctx = tenant();
    for flag in ["--tenant", "--client-id", "--profile"] {
        refused(&ctx, &ctx.finish(&mut with(&ctx, "", &[flag, " "])), &[flag, "empty"]);
    }
}

#[test]
fn sign_in_of_a_profile_overrides_the_environment() {
    let ctx = tenant();
    // A secret of another app and a token of another person are around.
    let around = [("AZURE_CLIENT_SECRET", "fake-other-secret"), ("ENTRA_REVOKE_TOKEN", "fake-other-token")];
    let mut command = with(&ctx, "auth = 'client-secret'\n", &[]);
    ctx.finish(command.envs(around)).exits(0);
    assert_eq!(ctx.stats().bad_auth, 0);
    ctx.input("wrong", "fake-wrong-secret");
    let done = ctx.finish(&mut with(&ctx, "", &["--client-secret-file", "wrong"]));
    assert!(done.exits(4).stderr.contains("AADSTS7000215"), "{}", done.stderr);
    // The sign-in method of the flag, not the profile's.
    let done = ctx.finish(&mut with(&ctx, "auth = 'client-secret'\n", &["--token-file", "gone"]));
    assert!(done.exits(4).stderr.contains("--token-file gone"), "{}", done.stderr);
    let done = ctx.finish(&mut with(&ctx, "", &["--auth", "token"]));
    assert!(done.exits(4).stderr.contains("neither ENTRA_REVOKE_TOKEN nor"), "{}", done.stderr);
}

#[test]
fn the_profiles_cloud_is_used() {
    let ctx = TestContext::new(&format!("[token]\ntenant = '{TENANT}'\n"));
    ctx.input("users.txt", "a@contoso.com\n");
    config(&ctx, "c.toml", "[profile.c]\ncloud = 'USGov'\n");
    let token = ctx
        .simulator
        .mint_token(entra_revoke::simulator::TokenKind::App, std::time::Duration::from_secs(600));
    let named = |args: &[&str]| {
        let mut command = run(&ctx);
        command.env("ENTRA_REVOKE_TOKEN", &token).args(["--config", "c.toml", "--profile", "c"]);
        ctx.finish(command.args(args))
    };
    let done = named(&[]);
    assert!(done.exits(4).stderr.contains(": cloud usgov\n"), "{}", done.stderr);
    assert_eq!(ctx.stats().revocations, 0, "the token is for the global cloud");
    named(&["--cloud", "global"]).exits(0);
}
