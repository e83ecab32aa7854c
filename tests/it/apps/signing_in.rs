//! All apps sign in before anything is sent; one that can't is left out, and only where none can the run ends.

use super::*;

/// Overwrites the secrets of these apps.
fn spoil(ctx: &TestContext, apps: &[usize]) {
    for number in apps {
        ctx.input(&format!("secret-{number}"), "fake-wrong-CANARY-77aa");
    }
}

#[test]
fn one_wrong_secret_holds_up_nobody() {
    for (wrong, sends) in [(3, [true, true, false]), (1, [false, true, true])] {
        let ctx = tenant("");
        config(&ctx, three());
        spoil(&ctx, &[wrong]);
        let done = ctx.finish(&mut run(&ctx, 40));
        done.exits(0);
        let lost = APPS[wrong - 1];
        assert!(done.stderr.contains(&format!("warning: app {lost}")), "{}", done.stderr);
        assert!(done.stderr.contains("is left out: AADSTS7000215"), "{}", done.stderr);
        assert!(!done.stderr.contains("CANARY"), "{}", done.stderr);
        assert_eq!(work(&ctx).map(|(effects, _)| effects > 0), sends);
        let folder = ctx.folder();
        let summary = folder.summary();
        let shares = summary["apps"].as_array().unwrap();
        let share = shares.iter().find(|share| share["app_id"] == lost).unwrap();
        assert!(share["left_out"].as_str().unwrap().contains("AADSTS7000215"), "{share}");
        assert!(folder.text("report.html").contains("took no part"));
        if wrong == 1 {
            assert!(done.stderr.contains("takes the first app's place"), "{}", done.stderr);
            assert_eq!(summary["operator"]["app_id"], APPS[1]);
        }
    }
}

#[test]
fn where_none_can_sign_in_nothing_is_sent() {
    let ctx = tenant("");
    config(&ctx, three());
    spoil(&ctx, &[1, 2, 3]);
    let done = ctx.finish(&mut run(&ctx, 5));
    ctx.refused(&done, &["error: AADSTS7000215", "(app 1 of profile c)", "(app 2 of profile c)"]);
}

#[test]
fn an_app_that_may_not_revoke_is_left_out() {
    let ctx = tenant(&format!("[[tenant]]\napp = '{}'\nroles = ['User.Read.All']\n", APPS[1]));
    config(&ctx, three());
    let done = ctx.finish(&mut run(&ctx, 40));
    done.exits(0);
    assert!(
        done.stderr.contains("is left out: the token does not allow to revoke sessions"),
        "{}",
        done.stderr
    );
    assert_eq!(work(&ctx).map(|(effects, _)| effects > 0), [true, false, true]);
}

#[test]
fn a_missing_file_is_one_apps_trouble() {
    let ctx = tenant("");
    config(&ctx, three());
    std::fs::remove_file(ctx.dir.path().join("secret-2")).unwrap();
    let done = ctx.finish(&mut run(&ctx, 10));
    done.exits(0);
    assert!(done.stderr.contains("secret-2"), "{}", done.stderr);
}

#[test]
fn the_environments_secrets_are_the_first_apps() {
    let ctx = tenant("");
    let first = format!("[profile.c]\ntenant = '{TENANT}'\nclient_id = '{}'\n", APPS[0]);
    config(&ctx, format!("{first}{}", entry(2)));
    ctx.finish(run(&ctx, 20).env("AZURE_CLIENT_SECRET", secret(1))).exits(0);
    let [one, two, _] = work(&ctx).map(|(effects, _)| effects);
    assert!(one > 0 && two > 0);
}

#[test]
fn an_app_of_another_tenant_never_takes_the_first_ones_place() {
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
fn doctor_looks_at_each_app() {
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
