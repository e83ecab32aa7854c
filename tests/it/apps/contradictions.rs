//! What can't be meant is refused before anybody is asked.

use super::*;

/// A run with this config and these flags is refused with these words.
#[track_caller]
fn refused(ctx: &TestContext, toml: &str, flags: &[&str], says: &str) {
    config(ctx, toml);
    let done = ctx.finish(run(ctx, 3).args(flags));
    done.exits(2);
    assert!(done.stderr.contains(says), "{says:?} is not in: {}", done.stderr);
    assert!(!done.stderr.contains("CANARY"), "{}", done.stderr);
    assert_eq!((ctx.stats().requests, ctx.stats().token_requests), (0, 0));
    assert!(ctx.folders().is_empty());
}

#[test]
fn what_flags_and_profiles_contradict() {
    let ctx = tenant("");
    for (name, more, says) in [
        ("other", "tenant = 'fabrikam.example'", "in the tenant fabrikam.example"),
        ("sky", "cloud = 'usgov'", "in the cloud usgov"),
    ] {
        let toml = format!("{}{}", first(), alone(name, 2, more));
        refused(&ctx, &toml, &["--app", name], says);
    }
    let again = format!("{}{}", first(), alone("again", 1, ""));
    refused(&ctx, &again, &["--app", "again"], "stands there twice");
    refused(&ctx, &again, &["--app", "c"], "stands there twice");
    refused(&ctx, &again, &["--app", "nobody"], "has no profile nobody");
    refused(&ctx, &again, &["--app", "none", "--app", "again"], "give it alone");
    let person = format!("{}[profile.me]\nclient_id = 'x'\nauth = 'device-code'\n", first());
    refused(&ctx, &person, &["--app", "me"], "signs a person in");
    let by_env = format!("{}[profile.env]\nclient_id = 'x'\nauth = 'client-secret'\n", first());
    refused(&ctx, &by_env, &["--app", "env"], "needs client_secret_file");
}

#[test]
fn what_a_config_file_gets_wrong() {
    let ctx = tenant("");
    let begin = "[profile.c]\n[[profile.c.app]]\n";
    for (toml, says) in [
        (
            format!("{begin}tenant = 'x'\n"),
            "line 3: there is no key tenant in app 1 of profile c: an app has those",
        ),
        (format!("{begin}protect = 'x'\n"), "belongs into the profile itself"),
        (format!("{begin}certificat_file = 'x'\n"), "did you mean certificate_file?"),
        (format!("{begin}weather = 'x'\n"), "the keys of an app are client_id,"),
        (format!("{begin}client_id = 'x'\n"), "line 2: app 1 of profile c: nothing says how it signs in"),
        (format!("{begin}auth = 'azure-cli'\n"), "signs a person in"),
        (format!("{begin}client_secret_file = 's'\n"), "it has no client_id"),
        (format!("{begin}client_id = 'x'\nclient_secret_file = '-'\n"), "standard input (-)"),
        (
            format!("{begin}client_id = 'x'\nclient_secret = 'CANARY'\n"),
            "; name a file that holds it: client_secret_file",
        ),
        (
            format!("{begin}client_id = 'x'\nclient-id = 'y'\nidentity = 'z'\n"),
            "client_id stands twice in app 1",
        ),
        ("[profile.c]\napp = 'x'\n".to_owned(), "an app begins with [[profile.c.app]]"),
        ("[profile.c]\napp = [1]\n".to_owned(), "app 1 of profile c is a number"),
        (
            "[[app]]\nclient_id = 'x'\n[profile.c]\n".to_owned(),
            "line 1: there is no key app above all profiles: an app belongs into a profile",
        ),
    ] {
        refused(&ctx, &toml, &[], says);
    }
    refused(&ctx, &format!("{}{}{}", first(), entry(2), entry(2)), &[], "stands there twice");
}

#[test]
fn profiles_check_looks_at_the_apps_too() {
    let ctx = tenant("");
    config(&ctx, three());
    let check = || ctx.finish(ctx.bare("profiles").args(["check", "--config", "c.toml"]));
    check().exits(0);
    std::fs::remove_file(ctx.dir.path().join("secret-3")).unwrap();
    let done = check();
    done.exits(2);
    assert!(done.stdout.contains("c: app 2 of profile c: client_secret_file: "), "{}", done.stdout);
    config(&ctx, format!("{}{}{}", first(), entry(2), entry(2)));
    let done = check();
    done.exits(2);
    assert!(done.stdout.contains("stands there twice"), "{}", done.stdout);
}

#[test]
fn the_same_app_by_another_way_shows_in_its_token() {
    let ctx = tenant("");
    let hour = std::time::Duration::from_secs(3600);
    let kind = entra_revoke::simulator::TokenKind::App;
    private(&ctx.input("token", ctx.simulator.mint_token_for(TENANT, APPS[0], kind, hour)));
    config(&ctx, format!("{}[[profile.c.app]]\ntoken_file = 'token'\n", first()));
    let done = ctx.finish(&mut run(&ctx, 3));
    done.exits(2);
    assert!(done.stderr.contains("is signed in already"), "{}", done.stderr);
    assert_eq!(ctx.stats().revocations, 0);
}

#[test]
fn me_is_no_app() {
    let ctx = tenant("");
    config(&ctx, three());
    let input = ctx.input("me.txt", "me\n");
    let done = ctx.finish(verb(&ctx, "run").args(["--profile", "c", "--yes"]).arg(input));
    done.exits(2);
    assert!(done.stderr.contains("--app none"), "{}", done.stderr);
}
