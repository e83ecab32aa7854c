//! `profiles check`: what would stop a run, told before it is needed.

use super::*;

fn check(stage: &Stage, toml: &str, names: &[&str]) -> Command {
    config(stage, "c.toml", toml);
    let mut command = stage.bare("profiles");
    command.args(["check", "--config", "c.toml"]).args(names);
    command
}

/// It is not good, for this reason, told on one line of its own.
#[track_caller]
fn bad(stage: &Stage, keys: &str, says: &[&str]) {
    let done = stage.finish(&mut check(stage, &format!("[profile.c]\n{keys}"), &[]));
    done.exits(2);
    let told: Vec<&str> = done.stdout.lines().filter(|line| line.starts_with("c: ")).collect();
    assert_eq!(told.len(), 1, "{}", done.stdout);
    for words in says {
        assert!(told[0].contains(words), "{words:?} is not in: {}", done.stdout);
    }
    assert!(!done.stdout.contains(SECRET));
    assert_eq!(stage.stats().requests + stage.stats().token_requests, 0, "nobody is asked");
}

#[test]
fn good_profiles_are_good() {
    let stage = tenant();
    stage.input("leave.txt", "b@contoso.com\n");
    stage.input("boss.csv", "id,userPrincipalName\n,boss@contoso.com\n");
    let keys = "protect = ['boss.csv', 'x@y.z', 'group:Board', 'role:Global Administrator']\nexclude_file = 'leave.txt'\noutput_dir = 'not-yet-there'\n";
    let toml = format!("[profile.c]\n{0}{keys}[profile.d]\n{0}", app());
    let done = stage.finish(&mut check(&stage, &toml, &[]));
    let lists =
        "c: protect list boss.csv: 1 entry, 1 account\nc: exclude list leave.txt: 1 entry, 1 account\n";
    assert_eq!(done.exits(0).stdout, format!("c: good\n{lists}d: good\n"));
    assert_eq!(stage.stats().token_requests, 0);
}

#[test]
fn one_of_several_can_be_checked() {
    let stage = tenant();
    let toml = format!("[profile.good]\n{}[profile.bad]\nauth = 'token'\n", app());
    assert_eq!(stage.finish(&mut check(&stage, &toml, &["good"])).exits(0).stdout, "good: good\n");
    let done = stage.finish(&mut check(&stage, &toml, &[]));
    assert!(
        done.exits(2).stdout.contains("good: good\nbad: --auth token: ENTRA_REVOKE_TOKEN"),
        "{}",
        done.stdout
    );
    let done = stage.finish(check(&stage, &toml, &[]).env("ENTRA_REVOKE_TOKEN", "fake"));
    assert_eq!(done.exits(0).stdout, "good: good\nbad: good\n");
    let done = stage.finish(&mut check(&stage, &toml, &["goood"]));
    assert!(done.exits(2).stderr.contains("did you mean good?"), "{}", done.stderr);
}

#[test]
fn problems_are_told_a_line_each() {
    let stage = tenant();
    let app = app();
    stage.input("half.txt", "boss@contoso.com\nnobody\n");
    stage.input("empty", "");
    stage.input("boss@contoso.csv", "b@contoso.com\n");
    let secret = |file: &str| app.replace("'secret'", &format!("'{file}'"));
    bad(&stage, &secret("gone"), &["client_secret_file: ", "gone"]);
    bad(&stage, &secret("empty"), &["client_secret_file: ", "is empty"]);
    bad(&stage, &secret("."), &["client_secret_file: ", "is a directory"]);
    for (keys, says) in [
        ("protect = 'gone.csv'\n", &["protect: ", "gone.csv"][..]),
        ("protect = 'half.txt'\n", &["protect: ", "half.txt", "line 2"]),
        ("protect = 'me'\n", &["protect: ", "`me`"]),
        ("protect = 'boss@contoso.csv'\n", &["protect: ", "rename the file"]),
        ("exclude_file = 'gone.csv'\n", &["exclude_file: ", "gone.csv"]),
        ("ca_cert = 'gone.pem'\n", &["ca_cert: ", "gone.pem"]),
        ("output_dir = 'half.txt'\n", &["output_dir: ", "is no folder"]),
    ] {
        bad(&stage, &format!("{app}{keys}"), says);
    }
    bad(&stage, "client_secret_file = 'secret'\n", &["the tenant"]);
    bad(&stage, "auth = 'client-secret'\n", &["AZURE_CLIENT_SECRET is not set"]);
    let done =
        stage.finish(check(&stage, &format!("[profile.c]\n{app}"), &[]).env("AZURE_TENANT_ID", OTHER_TENANT));
    assert!(done.exits(2).stdout.contains("c: profile c has tenant"), "{}", done.stdout);
    let done = stage.finish(&mut check(&stage, "# nothing\n", &[]));
    assert!(done.exits(2).stdout.contains("it has no profile"), "{}", done.stdout);
}

#[test]
fn a_secret_from_standard_input_is_not_asked_for() {
    let stage = tenant();
    let toml = format!("[profile.c]\n{}", app().replace("'secret'", "'-'"));
    assert_eq!(stage.finish(&mut check(&stage, &toml, &[])).exits(0).stdout, "c: good\n");
}

#[cfg(unix)]
#[test]
fn what_others_can_read_or_write_is_told() {
    use std::os::unix::fs::PermissionsExt;
    let stage = tenant();
    let mode = |name: &str, mode: u32| {
        let path = stage.dir.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("secret", 0o640);
    bad(&stage, &app(), &["client_secret_file: others can read", "(mode 640)", "chmod 600"]);
    mode("secret", 0o600);
    let toml = format!("[profile.c]\n{}", app());
    let mut command = check(&stage, &toml, &[]);
    mode("c.toml", 0o644);
    assert_eq!(stage.finish(&mut command).exits(0).stdout, "c: good\n", "nothing in it is secret");
    mode("c.toml", 0o646);
    let done = stage.finish(&mut command);
    assert!(
        done.exits(2).stdout.contains("others can write") && done.stdout.contains("chmod go-w"),
        "{}",
        done.stdout
    );
    let done = stage.finish(run(&stage).args(["--config", "c.toml", "--profile", "c"]));
    refused(&stage, &done, &["the config file is not used", "everybody may write", "--insecure-files"]);
    mode("c.toml", 0o664);
    if rustix::process::getgid().as_raw() != 0 {
        let done = stage.finish(run(&stage).args(["--config", "c.toml", "--profile", "c"]));
        assert!(done.exits(0).stderr.contains("warning: others can write"), "{}", done.stderr);
    }
    mode("c.toml", 0o644);
    mode("", 0o777);
    let done = stage.finish(&mut command);
    assert!(done.exits(2).stdout.contains("others can write"), "{}", done.stdout);
    mode("", 0o1777);
    stage.finish(&mut command).exits(0);
}
