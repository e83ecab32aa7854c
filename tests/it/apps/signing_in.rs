//! All apps sign in before the first request. An app that can't is left out, and the run only fails if none can.

use super::*;

/// Overwrites the secrets of these apps.
fn spoil(ctx: &TestContext, apps: &[usize]) {
    for number in apps {
        ctx.input(&format!("secret-{number}"), "fake-wrong-CANARY-77aa");
    }
}

#[test]
fn an_app_with_a_wrong_secret_does_not_delay_others() {
    for (wrong, sends) in [(3, [true, true, false]), (1, [false, true, true])] {
        let ctx = tenant("");
        config(&ctx, three());
        spoil(&ctx, &[wrong]);
        let done = ctx.finish(&mut run(&ctx, 40));
        done.exits(0);
        let lost = APPS[wrong - 1];
        assert!(done.stderr.contains(&format!("warning: app {lost}")), "{}", done.stderr);
        assert!(done.stderr.contains("is not used: AADSTS7000215"), "{}", done.stderr);
        assert!(!done.stderr.contains("CANARY"), "{}", done.stderr);
        assert_eq!(work(&ctx).map(|(effects, _)| effects > 0), sends);
        let folder = ctx.run_folder();
        let summary = folder.summary();
        let shares = summary["apps"].as_array().unwrap();
        let share = shares.iter().find(|share| share["app_id"] == lost).unwrap();
        assert!(share["left_out"].as_str().unwrap().contains("AADSTS7000215"), "{share}");
        assert!(folder.text("report.html").contains("was not used"));
        if wrong == 1 {
            assert!(done.stderr.contains("replaces the first app"), "{}", done.stderr);
            assert_eq!(summary["operator"]["app_id"], APPS[1]);
        }
    }
}

#[test]
fn nothing_is_sent_if_no_app_can_sign_in() {
    let ctx = tenant("");
    config(&ctx, three());
    spoil(&ctx, &[1, 2, 3]);
    let done = ctx.finish(&mut run(&ctx, 5));
    ctx.assert_sign_in_refused(
        &done,
        &["error: AADSTS7000215", "(app 1 of profile c)", "(app 2 of profile c)"],
    );
}

#[test]
fn an_app_without_permission_is_left_out() {
    let ctx = tenant(&format!("[[tenant]]\napp = '{}'\nroles = ['User.Read.All']\n", APPS[1]));
    config(&ctx, three());
    let done = ctx.finish(&mut run(&ctx, 40));
    done.exits(0);
    assert!(
        done.stderr.contains("is not used: the token does not have permission to revoke sessions"),
        "{}",
        done.stderr
    );
    assert_eq!(work(&ctx).map(|(effects, _)| effects > 0), [true, false, true]);
}

#[test]
fn a_missing_file_only_affects_its_app() {
    let ctx = tenant("");
    config(&ctx, three());
    std::fs::remove_file(ctx.dir.path().join("secret-2")).unwrap();
    let done = ctx.finish(&mut run(&ctx, 10));
    done.exits(0);
    assert!(done.stderr.contains("secret-2"), "{}", done.stderr);
}

#[test]
fn secrets_from_the_environment_are_for_the_first_app() {
    let ctx = tenant("");
    let first = format!("[profile.c]\ntenant = '{TENANT}'\nclient_id = '{}'\n", APPS[0]);
    config(&ctx, format!("{first}{}", entry(2)));
    ctx.finish(run(&ctx, 20).env("AZURE_CLIENT_SECRET", secret(1))).exits(0);
    let [one, two, _] = work(&ctx).map(|(effects, _)| effects);
    assert!(one > 0 && two > 0);
}

#[test]
fn an_app_of_another_tenant_never_replaces_the_first_app() {
    // A ready token says nothing of the tenant by name, and the first app can't sign in.
    let ctx = tenant("");
    let token = ctx.simulator.mint_token_for(
        "99999999-1c1b-4ff4-9ab1-1a2b3c4d5e6f",
        APPS[1],
        entra_revoke::simulator::TokenKind::App,
        std::time::Duration::from_secs(3600),
    );
    private(&ctx.input("token", token));
    let named = first().replace(TENANT, "contoso.example");
    config(&ctx, format!("{named}[[profile.c.app]]\ntoken_file = 'token'\n"));
    spoil(&ctx, &[1]);
    let done = ctx.finish(&mut run(&ctx, 5));
    assert!(done.stderr.contains("there is no tenant contoso.example"), "{}", done.stderr);
    assert_eq!((done.code, ctx.stats().revocations), (Some(4), 0));
}

#[test]
fn doctor_checks_each_app() {
    let ctx = tenant("");
    config(&ctx, three());
    let done = ctx.finish(verb(&ctx, "doctor").args(["--profile", "c"]));
    done.exits(0);
    for words in [&format!("{} (app 1 of profile c)", APPS[1]), "3 apps", "60.0/s"] {
        assert!(done.stdout.contains(words), "{words:?} is not in {}", done.stdout);
    }
    spoil(&ctx, &[3]);
    let done = ctx.finish(verb(&ctx, "doctor").args(["--profile", "c", "-o", "json"]));
    done.exits(0);
    let found: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let apps = found["checks"].as_array().unwrap().iter().filter(|check| check["check"] == "app");
    let states: Vec<_> = apps.map(|check| check["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["ok", "failed"]);
}
