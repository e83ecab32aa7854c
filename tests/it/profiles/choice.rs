//! Which profile is used, and from which file.

use super::*;
use serde_json::Value;

#[test]
fn a_run_by_profile_needs_no_other_flag() {
    let ctx = tenant();
    let more = "protect = ['boss@contoso.com']\ncase_id = 'INC-1'\noutput_dir = 'evidence'\nretries = 2\n";
    let file = usual(&ctx, format!("[profile.contoso]\n{}{more}", app().replace("'secret'", "'../secret'")));
    let done = ctx.finish(run(&ctx).args(["--profile", "contoso"]));
    done.exits(0);
    let first = done.stderr.lines().next().unwrap();
    assert_eq!(first, format!("profile contoso, from {}: tenant {TENANT}", file.display()));
    assert_eq!(ctx.stats().effects, 2, "the third is protected");
    let folder = std::fs::read_dir(ctx.dir.path().join("entra-revoke/evidence")).unwrap().next().unwrap();
    let record = std::fs::read_to_string(folder.unwrap().path().join("run.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["profile"]["name"], "contoso");
    assert_eq!(record["profile"]["config"], file.to_str().unwrap());
    assert_eq!((&record["case_id"], &record["settings"]["retries"]), (&"INC-1".into(), &2.into()));
    assert_eq!((&record["tenant"], &record["operator"]["auth"]), (&TENANT.into(), &"client-secret".into()));
}

#[test]
fn the_default_profile_is_used_unless_none_is_given() {
    let ctx = tenant();
    usual(&ctx, format!("default_profile = 'c'\n[profile.c]\n{}", app().replace("'secret'", "'../secret'")));
    let done = ctx.finish(&mut run(&ctx));
    done.exits(0);
    assert!(done.stderr.starts_with("profile c, the default of "), "{}", done.stderr);
    for set in [Some(("ENTRA_REVOKE_PROFILE", "none")), None] {
        let mut command = run(&ctx);
        match set {
            Some((name, value)) => command.env(name, value),
            None => command.args(["--profile", "none"]),
        };
        let done = ctx.finish(&mut command);
        done.exits(4);
        assert!(!done.stderr.contains("profile c"), "{}", done.stderr);
    }
    assert_eq!(ctx.stats().token_requests, 1);
    let silent = ctx.finish(run(&ctx).args(["-o", "none"]));
    assert!(!silent.exits(0).stderr.contains("profile"), "{}", silent.stderr);
}

#[test]
fn without_profiles_nothing_is_printed_about_them() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", "a@contoso.com\n");
    for toml in [None, Some("[profile.c]\nmax_users = 0\n")] {
        if let Some(toml) = toml {
            usual(&ctx, toml);
        }
        let done = ctx.run(&input, &[]);
        assert!(!done.exits(0).stderr.contains("profile"), "{}", done.stderr);
    }
    assert_eq!(ctx.run_folders().len(), 2);
    let record = std::fs::read_to_string(ctx.run_folders()[0].join("run.json")).unwrap();
    assert!(!record.contains("\"profile\""), "{record}");
}

#[test]
fn flags_override_variables() {
    let ctx = tenant();
    let toml = |case: &str| format!("[profile.a]\n{0}case_id = '{case}'\n[profile.b]\n{0}", app());
    let (one, two) = (config(&ctx, "one.toml", toml("one")), config(&ctx, "two.toml", toml("two")));
    for (args, says) in [
        (&["--config", "one.toml", "--profile", "a"][..], ("profile a", &one)),
        (&["--profile", "a"], ("profile a", &two)),
        (&["--config", "one.toml"], ("profile b", &one)),
        (&[], ("profile b", &two)),
    ] {
        let mut command = run(&ctx);
        command.env("ENTRA_REVOKE_CONFIG", "two.toml").env("ENTRA_REVOKE_PROFILE", "b").args(args);
        let done = ctx.finish(&mut command);
        let wanted = format!("{}, from {}", says.0, says.1.display());
        assert!(done.exits(0).stderr.starts_with(&wanted), "{args:?}: {}", done.stderr);
    }
}

#[test]
fn a_named_profile_and_file_must_exist() {
    let ctx = tenant();
    for args in [["--config", "gone.toml"], ["--config", "."]] {
        refused(&ctx, &ctx.finish(run(&ctx).args(args)), &["can't read the config file"]);
    }
    let done = ctx.finish(run(&ctx).env("ENTRA_REVOKE_CONFIG", "gone.toml"));
    refused(&ctx, &done, &["gone.toml", "can't read"]);
    let done = ctx.finish(run(&ctx).args(["--profile", "contoso"]));
    refused(&ctx, &done, &["there is no config file at", "--config"]);
    config(&ctx, "c.toml", format!("[profile.contoso]\n{}[profile.fabrikam]\n", app()));
    let named = |name: &str| ctx.finish(run(&ctx).args(["--config", "c.toml", "--profile", name]));
    refused(&ctx, &named("contosso"), &["no profile contosso: did you mean contoso?"]);
    refused(&ctx, &named("x\u{1b}[2J"), &["contoso, fabrikam", "\\u{1b}"]);
    refused(&ctx, &named(""), &["--profile"]);
    // The flag would have no effect, and its protect list would be missed.
    let done = ctx.finish(run(&ctx).args(["--config", "c.toml"]));
    refused(&ctx, &done, &["without --profile", "default_profile"]);
}

#[test]
fn an_unreadable_file_is_an_error() {
    let ctx = tenant();
    std::fs::create_dir_all(ctx.dir.path().join("entra-revoke/config.toml")).unwrap();
    refused(&ctx, &ctx.finish(&mut run(&ctx)), &["it is a directory"]);
}

#[test]
fn a_drill_uses_a_profile_only_with_a_flag() {
    let ctx = tenant();
    usual(&ctx, "default_profile = 'c'\n[profile.c]\nprotect = ['boss@contoso.com']\ncase_id = 'C-1'\n");
    let drill = |args: &[&str]| {
        let mut command = ctx.command_without_token("drill");
        command.env("ENTRA_REVOKE_PROFILE", "c").env("AZURE_TENANT_ID", OTHER_TENANT);
        ctx.finish(command.arg("users.txt").args(["-o", "json"]).args(args)).exits(0).stdout.clone()
    };
    let summary: Value = serde_json::from_str(&drill(&[])).unwrap();
    assert_eq!((&summary["targets"], &summary["case_id"]), (&3.into(), &Value::Null));
    let summary: Value = serde_json::from_str(&drill(&["--profile", "c"])).unwrap();
    assert_eq!((&summary["targets"], &summary["case_id"]), (&2.into(), &"C-1".into()));
    let done = ctx.finish(ctx.command_without_token("drill").args(["users.txt", "--config", "c.toml"]));
    done.exits(2);
    assert!(done.stderr.contains("--profile"), "{}", done.stderr);
}

#[test]
fn a_run_can_be_resumed_with_any_named_profile() {
    let ctx = tenant();
    ctx.input("users.txt", "a@contoso.com\nb@contoso.com\n");
    let file = usual(&ctx, format!("[profile.c]\n{}", app().replace("'secret'", "'../secret'")));
    let cut = || {
        let done = ctx.finish(run(&ctx).args(["--profile", "c", "--deadline", "0s"]));
        done.exits(5);
        ctx.run_folder().path
    };
    let resume = |folder: &Path, args: &[&str]| {
        let mut command = ctx.command_without_token("resume");
        let url = ctx.simulator.url();
        command.args(["--graph-url", &url, "--authority-url", &url]);
        ctx.finish(command.arg(folder).args(args))
    };
    // How to sign in is not taken from the folder, and no default is.
    let folder = cut();
    resume(&folder, &[]).exits(4);
    assert_eq!(ctx.stats().effects, 0);
    // By flags, whatever the file holds by now.
    std::fs::write(&file, "default_profile = 'broken'\n").unwrap();
    let secret = ctx.dir.path().join("secret");
    let done = resume(&folder, &["--client-secret-file", secret.to_str().unwrap()]);
    assert!(
        done.exits(0).stderr.contains("the profile c, which the run was started with"),
        "{}",
        done.stderr
    );
    assert_eq!(ctx.stats().effects, 2);

    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&file, format!("[profile.c]\n{}", app().replace("'secret'", "'../secret'"))).unwrap();
    let folder = cut();
    let elsewhere = format!("tenant = '{OTHER_TENANT}'\nclient_id = '{APP}'\n");
    let moved =
        format!("[profile.moved]\n{}[profile.other]\n{elsewhere}", app().replace("'secret'", "'moved'"));
    std::fs::write(&file, moved).unwrap();
    std::fs::rename(ctx.dir.path().join("secret"), ctx.dir.path().join("entra-revoke/moved")).unwrap();
    let asked = ctx.stats().token_requests;
    resume(&folder, &[]).exits(4);
    let done = resume(&folder, &["--profile", "other"]);
    assert!(done.exits(2).stderr.contains("can't continue in tenant"), "{}", done.stderr);
    assert_eq!(ctx.stats().token_requests, asked);
    let done = resume(&folder, &["--profile", "moved"]);
    assert!(done.exits(0).stderr.starts_with("profile moved, from "), "{}", done.stderr);
    assert_eq!(ctx.stats().effects, 4);
    let done = resume(&folder, &["--config", "c.toml"]);
    assert!(done.exits(2).stderr.contains("--profile"), "{}", done.stderr);
}
