//! Flags and profiles that contradict each other are refused before the first request.

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
    assert!(ctx.run_folders().is_empty());
}

#[test]
fn contradictory_flags_and_profiles_are_refused() {
    let ctx = tenant("");
    for (name, more, says) in [
        ("other", "tenant = 'fabrikam.example'", "in the tenant fabrikam.example"),
        ("sky", "cloud = 'usgov'", "in the cloud usgov"),
    ] {
        let toml = format!("{}{}", first(), alone(name, 2, more));
        refused(&ctx, &toml, &["--app", name], says);
    }
    let again = format!("{}{}", first(), alone("again", 1, ""));
    refused(&ctx, &again, &["--app", "again"], "app listed twice");
    refused(&ctx, &again, &["--app", "c"], "app listed twice");
    refused(&ctx, &again, &["--app", "nobody"], "has no profile nobody");
    refused(&ctx, &again, &["--app", "none", "--app", "again"], "use it alone");
    let person = format!("{}[profile.me]\nclient_id = 'x'\nauth = 'device-code'\n", first());
    refused(&ctx, &person, &["--app", "me"], "signs in a user");
    let by_env = format!("{}[profile.env]\nclient_id = 'x'\nauth = 'client-secret'\n", first());
    refused(&ctx, &by_env, &["--app", "env"], "needs client_secret_file");
}

#[test]
fn invalid_apps_in_a_config_file_are_refused() {
    let ctx = tenant("");
    let begin = "[profile.c]\n[[profile.c.app]]\n";
    for (toml, says) in [
        (
            format!("{begin}tenant = 'x'\n"),
            "line 3: unknown key tenant in app 1 of profile c: an app uses the tenant",
        ),
        (format!("{begin}protect = 'x'\n"), "belongs in the profile itself"),
        (format!("{begin}certificat_file = 'x'\n"), "did you mean certificate_file?"),
        (format!("{begin}weather = 'x'\n"), "the keys of an app are client_id,"),
        (format!("{begin}client_id = 'x'\n"), "line 2: app 1 of profile c: it has no sign-in method"),
        (format!("{begin}auth = 'azure-cli'\n"), "signs in a user"),
        (format!("{begin}client_secret_file = 's'\n"), "it has no client_id"),
        (format!("{begin}client_id = 'x'\nclient_secret_file = '-'\n"), "standard input (-)"),
        (
            format!("{begin}client_id = 'x'\nclient_secret = 'CANARY'\n"),
            "; put it in a file and set client_secret_file",
        ),
        (
            format!("{begin}client_id = 'x'\nclient-id = 'y'\nidentity = 'z'\n"),
            "client_id occurs twice in app 1",
        ),
        (
            "[profile.c]\napp = 'x'\n".to_owned(),
            "a list of tables, not text: begin each app with [[profile.c.app]]",
        ),
        ("[profile.c]\napp = [1]\n".to_owned(), "app 1 of profile c must be a table, not a number"),
        (
            "[[app]]\nclient_id = 'x'\n[profile.c]\n".to_owned(),
            "line 1: unknown key app at the top level: an app belongs in a profile",
        ),
    ] {
        refused(&ctx, &toml, &[], says);
    }
    refused(&ctx, &format!("{}{}{}", first(), entry(2), entry(2)), &[], "app listed twice");
}

#[test]
fn profiles_check_checks_every_app() {
    let ctx = tenant("");
    config(&ctx, three());
    let check = || ctx.finish(ctx.command_without_token("profiles").args(["check", "--config", "c.toml"]));
    check().exits(0);
    std::fs::remove_file(ctx.dir.path().join("secret-3")).unwrap();
    let done = check();
    done.exits(2);
    assert!(done.stdout.contains("c: app 2 of profile c: client_secret_file: "), "{}", done.stdout);
    config(&ctx, format!("{}{}{}", first(), entry(2), entry(2)));
    let done = check();
    done.exits(2);
    assert!(done.stdout.contains("app listed twice"), "{}", done.stdout);
}

#[test]
fn an_app_with_two_sign_ins_is_refused_by_its_token() {
    let ctx = tenant("");
    let hour = std::time::Duration::from_secs(3600);
    let kind = entra_revoke::simulator::TokenKind::App;
    private(&ctx.input("token", ctx.simulator.mint_token_for(TENANT, APPS[0], kind, hour)));
    config(&ctx, format!("{}[[profile.c.app]]\ntoken_file = 'token'\n", first()));
    let done = ctx.finish(&mut run(&ctx, 3));
    done.exits(2);
    assert!(done.stderr.contains("is already signed in"), "{}", done.stderr);
    assert_eq!(ctx.stats().revocations, 0);
}

#[test]
fn me_is_refused_with_several_apps() {
    let ctx = tenant("");
    config(&ctx, three());
    let input = ctx.input("me.txt", "me\n");
    let done = ctx.finish(verb(&ctx, "run").args(["--profile", "c", "--yes"]).arg(input));
    done.exits(2);
    assert!(done.stderr.contains("--app none"), "{}", done.stderr);
}
