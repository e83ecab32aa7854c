//! Flags go before the environment, that before the profile; and nobody is led into another tenant by what was left
//! over in the environment.

use super::*;
use serde_json::Value;

/// Runs with the profile `c` of these keys, as the default or by name.
fn with(stage: &Stage, keys: &str, args: &[&str]) -> Command {
    config(stage, "c.toml", format!("default_profile = 'c'\n[profile.c]\n{}{keys}", app()));
    let mut command = run(stage);
    command.args(["--config", "c.toml"]).args(args);
    command
}

fn record(stage: &Stage) -> Value {
    let folder = stage.folders().pop().expect("a run folder");
    serde_json::from_str(&std::fs::read_to_string(folder.join("run.json")).unwrap()).unwrap()
}

#[test]
fn flags_go_before_the_profile() {
    let stage = tenant();
    let keys = "jobs = 3\nrate = '600/m'\nburst = 7\nretries = 1\ndeadline = '1h'\nhalt = 'fail=9'\nmax_users = 1\n\
                accept = 'not_found,forbidden'\ntimeout = '9s'\ncase_id = 'P'\noutput_dir = 'elsewhere'\n";
    let done = stage.finish(&mut with(&stage, keys, &["--output-dir", "runs"]));
    done.exits(5);
    let had = &record(&stage)["settings"];
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
    std::fs::remove_dir_all(stage.dir.path().join("runs")).unwrap();
    let flags = ["-j", "4", "--rate", "500/s", "--retries", "2", "--deadline", "2h", "--halt", "fail=8"];
    let more = ["--max-users", "9", "--accept", "rejected", "--timeout", "8s", "--case-id", "F"];
    stage.finish(with(&stage, keys, &flags).args(more).args(["--output-dir", "runs"])).exits(0);
    let had = record(&stage);
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
fn lists_of_people_are_added_up() {
    let stage = tenant();
    stage.input("leave.txt", "b@contoso.com\n");
    let keys = "protect = ['boss@contoso.com']\nexclude_file = 'leave.txt'\n";
    stage.finish(&mut with(&stage, keys, &["--protect", "x@contoso.com"])).exits(0);
    let outcomes = stage.folder().outcomes();
    assert_eq!(outcomes["boss@contoso.com"], "protected");
    assert_eq!(outcomes["b@contoso.com"], "excluded");
    assert_eq!(outcomes["a@contoso.com"], "revoked");
}

#[test]
fn a_list_that_can_not_be_read_stops_the_run() {
    let stage = tenant();
    stage.input("half.txt", "boss@contoso.com\nnobody\n");
    for (keys, says) in [
        ("protect = 'gone.csv'\n", &["protect list", "gone.csv"][..]),
        ("protect = 'half.txt'\n", &["line 2"]),
    ] {
        let done = stage.finish(&mut with(&stage, keys, &[]));
        done.exits(2);
        for words in says {
            assert!(done.stderr.contains(words), "{words:?} is not in: {}", done.stderr);
        }
        // Files are read before anybody signs in.
        assert_eq!(stage.stats().requests + stage.stats().token_requests, 0);
        assert!(stage.folders().is_empty());
    }
}

#[test]
fn paths_start_from_the_config_file_or_from_the_home() {
    let stage = tenant();
    let folder = stage.dir.path().join("team");
    std::fs::create_dir(&folder).unwrap();
    stage.input("team/here.txt", "boss@contoso.com\n");
    stage.input("home.txt", "b@contoso.com\n");
    let keys = app().replace("'secret'", "'../secret'");
    config(&stage, "team/c.toml", format!("[profile.c]\n{keys}protect = ['here.txt', '~/home.txt']\n"));
    stage.finish(run(&stage).args(["--config", "team/c.toml", "--profile", "c"])).exits(0);
    assert_eq!(stage.stats().effects, 1);
    let secret = record(&stage)["settings"]["client_secret_file"].as_str().unwrap().to_owned();
    assert!(Path::new(&secret).is_absolute(), "{secret}");
}

#[test]
fn a_named_profile_and_another_tenant_in_the_environment_stop_the_run() {
    let stage = tenant();
    for (variable, theirs, flag, ours) in [
        ("AZURE_TENANT_ID", OTHER_TENANT, "--tenant", TENANT),
        ("AZURE_CLIENT_ID", "other-app", "--client-id", APP),
    ] {
        let named = |value: &str, args: &[&str]| {
            let mut command = with(&stage, "", &["--profile", "c"]);
            stage.finish(command.env(variable, value).args(args))
        };
        refused(&stage, &named(theirs, &[]), &["profile c", variable, theirs, ours, flag]);
        let mut by_variable = with(&stage, "", &[]);
        by_variable.env(variable, theirs).env("ENTRA_REVOKE_PROFILE", "c");
        refused(&stage, &stage.finish(&mut by_variable), &[variable]);
        // A flag settles it, and the same in both is no contradiction; nor is nothing.
        let dry = ["--dry-run"];
        named(theirs, &[&dry[..], &[flag, theirs]].concat()).exits(0);
        named(theirs, &[&dry[..], &[flag, ours]].concat()).exits(0);
        named(&ours.to_uppercase(), &dry).exits(0);
        named(" ", &dry).exits(0);
    }
}

#[test]
fn the_environment_goes_before_the_default_profile_and_that_is_told() {
    let stage = tenant();
    let done = stage.finish(with(&stage, "", &[]).env("AZURE_TENANT_ID", OTHER_TENANT));
    done.exits(4);
    let warning =
        format!("warning: AZURE_TENANT_ID is {OTHER_TENANT} and goes before the tenant of the default");
    assert!(done.stderr.contains(&warning), "{}", done.stderr);
    assert!(done.stderr.contains(&format!(": tenant {OTHER_TENANT}\n")), "{}", done.stderr);
    assert_eq!(stage.stats().revocations, 0);
}

#[test]
fn an_empty_flag_is_no_missing_flag() {
    let stage = tenant();
    for flag in ["--tenant", "--client-id", "--profile"] {
        refused(&stage, &stage.finish(&mut with(&stage, "", &[flag, " "])), &[flag, "empty"]);
    }
}

#[test]
fn what_a_profile_signs_in_with_is_meant_and_a_flag_is_meant_instead() {
    let stage = tenant();
    // A secret of another app and a token of another person are around.
    let around = [("AZURE_CLIENT_SECRET", "fake-other-secret"), ("ENTRA_REVOKE_TOKEN", "fake-other-token")];
    let mut command = with(&stage, "auth = 'client-secret'\n", &[]);
    stage.finish(command.envs(around)).exits(0);
    assert_eq!(stage.stats().bad_auth, 0);
    stage.input("wrong", "fake-wrong-secret");
    let done = stage.finish(&mut with(&stage, "", &["--client-secret-file", "wrong"]));
    assert!(done.exits(4).stderr.contains("AADSTS7000215"), "{}", done.stderr);
    // The way of the flag, and not the profile's beside it.
    let done = stage.finish(&mut with(&stage, "auth = 'client-secret'\n", &["--token-file", "gone"]));
    assert!(done.exits(4).stderr.contains("--token-file gone"), "{}", done.stderr);
    let done = stage.finish(&mut with(&stage, "", &["--auth", "token"]));
    assert!(done.exits(4).stderr.contains("ENTRA_REVOKE_TOKEN is not set"), "{}", done.stderr);
}

#[test]
fn the_cloud_of_the_profile_is_used() {
    let stage = Stage::new(&format!("[token]\ntenant = '{TENANT}'\n"));
    stage.input("users.txt", "a@contoso.com\n");
    config(&stage, "c.toml", "[profile.c]\ncloud = 'USGov'\n");
    let token = stage
        .simulator
        .mint_token(entra_revoke::simulator::TokenKind::App, std::time::Duration::from_secs(600));
    let named = |args: &[&str]| {
        let mut command = run(&stage);
        command.env("ENTRA_REVOKE_TOKEN", &token).args(["--config", "c.toml", "--profile", "c"]);
        stage.finish(command.args(args))
    };
    let done = named(&[]);
    assert!(done.exits(4).stderr.contains(": cloud usgov\n"), "{}", done.stderr);
    assert_eq!(stage.stats().revocations, 0, "the token is for the global cloud");
    named(&["--cloud", "global"]).exits(0);
}
