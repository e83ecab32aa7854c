//! `profiles check` reports what would stop a run, before you need the profile.

use super::*;

fn check(ctx: &TestContext, toml: &str, names: &[&str]) -> Command {
    config(ctx, "c.toml", toml);
    let mut command = ctx.command_without_token("profiles");
    command.args(["check", "--config", "c.toml"]).args(names);
    command
}

/// The profile is not valid, and one line says why.
#[track_caller]
fn bad(ctx: &TestContext, keys: &str, says: &[&str]) {
    let done = ctx.finish(&mut check(ctx, &format!("[profile.c]\n{keys}"), &[]));
    done.exits(2);
    let told: Vec<&str> = done.stdout.lines().filter(|line| line.starts_with("c: ")).collect();
    assert_eq!(told.len(), 1, "{}", done.stdout);
    for words in says {
        assert!(told[0].contains(words), "{words:?} is not in: {}", done.stdout);
    }
    assert!(!done.stdout.contains(SECRET));
    assert_eq!(ctx.stats().requests + ctx.stats().token_requests, 0, "nobody is asked");
}

#[test]
fn valid_profiles_pass_the_check() {
    let ctx = tenant();
    ctx.input("leave.txt", "b@contoso.com\n");
    ctx.input("boss.csv", "id,userPrincipalName\n,boss@contoso.com\n");
    let keys = "protect = ['boss.csv', 'x@y.z', 'group:Board', 'role:Global Administrator']\nexclude_file = 'leave.txt'\noutput_dir = 'not-yet-there'\n";
    let toml = format!("[profile.c]\n{0}{keys}[profile.d]\n{0}", app());
    let done = ctx.finish(&mut check(&ctx, &toml, &[]));
    let lists =
        "c: protect list boss.csv: 1 entry, 1 account\nc: exclude list leave.txt: 1 entry, 1 account\n";
    assert_eq!(done.exits(0).stdout, format!("c: good\n{lists}d: good\n"));
    assert_eq!(ctx.stats().token_requests, 0);
}

#[test]
fn a_single_profile_can_be_checked() {
    let ctx = tenant();
    let toml = format!("[profile.good]\n{}[profile.bad]\nauth = 'token'\n", app());
    assert_eq!(ctx.finish(&mut check(&ctx, &toml, &["good"])).exits(0).stdout, "good: good\n");
    let done = ctx.finish(&mut check(&ctx, &toml, &[]));
    assert!(
        done.exits(2).stdout.contains("good: good\nbad: --auth token: neither ENTRA_REVOKE_TOKEN"),
        "{}",
        done.stdout
    );
    let done = ctx.finish(check(&ctx, &toml, &[]).env("ENTRA_REVOKE_TOKEN", "fake"));
    assert_eq!(done.exits(0).stdout, "good: good\nbad: good\n");
    let done = ctx.finish(&mut check(&ctx, &toml, &["goood"]));
    assert!(done.exits(2).stderr.contains("did you mean good?"), "{}", done.stderr);
}

#[test]
fn each_problem_has_its_own_line() {
    let ctx = tenant();
    let app = app();
    ctx.input("half.txt", "boss@contoso.com\nnobody\n");
    ctx.input("empty", "");
    ctx.input("boss@contoso.csv", "b@contoso.com\n");
    let secret = |file: &str| app.replace("'secret'", &format!("'{file}'"));
    bad(&ctx, &secret("gone"), &["client_secret_file: ", "gone"]);
    bad(&ctx, &secret("empty"), &["client_secret_file: ", "is empty"]);
    bad(&ctx, &secret("."), &["client_secret_file: ", "is a directory"]);
    for (keys, says) in [
        ("protect = 'gone.csv'\n", &["protect: ", "gone.csv"][..]),
        ("protect = 'half.txt'\n", &["protect: ", "half.txt", "line 2"]),
        ("protect = 'me'\n", &["protect: ", "`me`"]),
        ("protect = 'boss@contoso.csv'\n", &["protect: ", "rename the file"]),
        ("exclude_file = 'gone.csv'\n", &["exclude_file: ", "gone.csv"]),
        ("ca_cert = 'gone.pem'\n", &["ca_cert: ", "gone.pem"]),
        ("output_dir = 'half.txt'\n", &["output_dir: ", "is not a folder"]),
    ] {
        bad(&ctx, &format!("{app}{keys}"), says);
    }
    bad(&ctx, "client_secret_file = 'secret'\n", &["the tenant"]);
    bad(&ctx, "auth = 'client-secret'\n", &["neither AZURE_CLIENT_SECRET nor"]);
    let done =
        ctx.finish(check(&ctx, &format!("[profile.c]\n{app}"), &[]).env("AZURE_TENANT_ID", OTHER_TENANT));
    assert!(done.exits(2).stdout.contains("c: profile c has tenant"), "{}", done.stdout);
    let done = ctx.finish(&mut check(&ctx, "# nothing\n", &[]));
    assert!(done.exits(2).stdout.contains("it has no profile"), "{}", done.stdout);
}

#[test]
fn the_check_does_not_read_standard_input() {
    let ctx = tenant();
    let toml = format!("[profile.c]\n{}", app().replace("'secret'", "'-'"));
    assert_eq!(ctx.finish(&mut check(&ctx, &toml, &[])).exits(0).stdout, "c: good\n");
}

#[cfg(unix)]
#[test]
fn files_accessible_to_others_are_reported() {
    use std::os::unix::fs::PermissionsExt;
    let ctx = tenant();
    let mode = |name: &str, mode: u32| {
        let path = ctx.dir.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("secret", 0o640);
    bad(&ctx, &app(), &["client_secret_file: other accounts can read", "(mode 640)", "chmod 600"]);
    mode("secret", 0o600);
    let toml = format!("[profile.c]\n{}", app());
    let mut command = check(&ctx, &toml, &[]);
    mode("c.toml", 0o644);
    assert_eq!(ctx.finish(&mut command).exits(0).stdout, "c: good\n", "nothing in it is secret");
    mode("c.toml", 0o646);
    let done = ctx.finish(&mut command);
    assert!(
        done.exits(2).stdout.contains("other accounts can write") && done.stdout.contains("chmod go-w"),
        "{}",
        done.stdout
    );
    let done = ctx.finish(run(&ctx).args(["--config", "c.toml", "--profile", "c"]));
    refused(&ctx, &done, &["the config file is not used", "everyone may write", "--insecure-files"]);
    mode("c.toml", 0o664);
    if rustix::process::getgid().as_raw() != 0 {
        let done = ctx.finish(run(&ctx).args(["--config", "c.toml", "--profile", "c"]));
        assert!(done.exits(0).stderr.contains("warning: other accounts can write"), "{}", done.stderr);
    }
    mode("c.toml", 0o644);
    mode("", 0o777);
    let done = ctx.finish(&mut command);
    assert!(done.exits(2).stdout.contains("other accounts can write"), "{}", done.stdout);
    mode("", 0o1777);
    ctx.finish(&mut command).exits(0);
}
