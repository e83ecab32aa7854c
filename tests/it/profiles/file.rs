//! What the config file may contain, and the messages about what it may not.

use super::*;

/// Reads this as a config file.
fn list(ctx: &TestContext, toml: impl AsRef<[u8]>) -> CommandResult {
    config(ctx, "c.toml", toml);
    ctx.finish(ctx.command_without_token("profiles").args(["list", "--config", "c.toml"]))
}

/// A run with this config file is refused with these words.
#[track_caller]
fn wrong(ctx: &TestContext, toml: impl AsRef<[u8]>, says: &[&str]) {
    config(ctx, "c.toml", toml);
    let done = ctx.finish(run(ctx).args(["--config", "c.toml", "--profile", "c"]));
    refused(ctx, &done, &[&["c.toml"], says].concat());
    assert!(!done.stderr.contains("CANARY"), "{}", done.stderr);
}

#[test]
fn unknown_keys_are_reported_with_line_and_suggestion() {
    let ctx = tenant();
    for (toml, says) in [
        ("[profile.c]\n\ntennant = 'x'\n", "line 3: unknown key tennant in profile c: did you mean tenant?"),
        ("[profile.c]\nsertificate-file = 'x'\n", "did you mean certificate_file?"),
        ("[profile.c]\nAZURE_TENANT_ID = 'x'\n", "did you mean tenant?"),
        ("[profile.c]\nazure_client_certificate_path = 'x'\n", "did you mean certificate_file?"),
        ("[profile.c]\nmaxusers = 1\n", "did you mean max_users?"),
        ("[profile.c]\nyes = true\n", "only allowed on the command line (--yes)"),
        ("[profile.c]\ngraph-url = 'x'\n", "only allowed on the command line (--graph-url)"),
        ("[profile.c]\nweather = 'fine'\n", "the keys are tenant, cloud,"),
        ("[profile.c]\nnetwork = { timeout = '3s' }\n", "unknown key network"),
        (
            "default-profil = 'c'\n[profile.c]\n",
            "line 1: unknown key default-profil at the top level: did you",
        ),
        ("tenant = 'x'\n[profile.c]\n", "below [profile.NAME]"),
        ("[profiles.c]\n", "did you mean profile?"),
        ("[contoso]\n", "begin it with [profile.contoso]"),
        ("[profile.c]\n\"a\\u001b[2J\" = 1\n", "\\u{1b}"),
        ("[profile.c]\nclient_id = 'a'\nclient-id = 'b'\n", "line 3: client_id occurs twice"),
        ("[profile.none]\n", "can't be named none"),
        ("[profile.'a b']\n", "is not a valid profile name"),
        ("profile = 3\n", "profile must be a table, not a number"),
        ("[profile]\nc = 3\n", "profile.c must be a table, not a number"),
        ("default_profile = 'd'\n[profile.c]\n", "default_profile: there is no profile d"),
        (
            "default_profile = ['c']\n[profile.c]\n",
            "default_profile must be the name of a profile, not a list",
        ),
    ] {
        wrong(&ctx, toml, &[says]);
    }
}

#[test]
fn invalid_values_are_reported_with_valid_ones() {
    let ctx = tenant();
    for (key, value, says) in [
        (
            "tenant",
            "3",
            &["it must be text in quotes, not a number", "tenant = \"contoso.onmicrosoft.com\""][..],
        ),
        ("tenant", "' '", &["it is empty"]),
        ("cloud", "'mars'", &["'mars'", "usgov-dod"]),
        ("auth", "'magic'", &["'magic'", "client-secret"]),
        ("protect", "[1]", &["not a number", "break-glass.csv"]),
        ("protect", "true", &["a list of texts, not true or false"]),
        ("jobs", "0", &["minimum 1"]),
        ("jobs", "99999999", &["too large"]),
        ("jobs", "'64'", &["it must be a whole number, not text", "jobs = 64"]),
        ("retries", "-1", &["minimum 0"]),
        ("retries", "1.5", &["it must be a whole number, not a number with a decimal point"]),
        ("burst", "0", &["minimum 1"]),
        ("rate", "'fast'", &["'fast'", "20/s"]),
        ("rate", "20", &["not a number", "rate = \"20/s\""]),
        ("deadline", "'soon'", &["'soon'"]),
        ("timeout", "'0s'", &["'0s'"]),
        ("halt", "'10%'", &["fail=10%"]),
        ("accept", "'not_found,gone'", &["'gone'"]),
        ("case_id", "1979-05-27", &["not a date"]),
    ] {
        let says = [&["line 2: ", key, " in profile c"], says].concat();
        wrong(&ctx, format!("[profile.c]\n{key} = {value}\n"), &says);
    }
}

#[test]
fn all_problems_are_reported_together() {
    let ctx = tenant();
    wrong(
        &ctx,
        "[profile.c]\ntennant = 1\njobs = 0\n[profile.d]\ncloud = 'x'\n",
        &["line 2", "line 3", "line 5"],
    );
}

#[test]
fn secrets_are_refused_without_being_shown() {
    let ctx = tenant();
    let jwt = "eyJhbGciOiJub25lIn0.eyJmYWtlIjoiQ0FOQVJZIn0.CANARY";
    let like_entras = format!("abc8Q~CANARY{}", "x".repeat(26));
    for (line, says) in [
        (
            "client_secret = 'CANARY'".to_owned(),
            &["client_secret", "AZURE_CLIENT_SECRET", "client_secret_file"][..],
        ),
        ("client-secret = ['CANARY']".to_owned(), &["client_secret_file"]),
        ("AZURE_CLIENT_SECRET = 'CANARY'".to_owned(), &["client_secret_file"]),
        (
            "Password = 'CANARY'".to_owned(),
            &["AZURE_CLIENT_CERTIFICATE_PASSWORD", "certificate_password_file"],
        ),
        ("certificate_password = 'CANARY'".to_owned(), &["certificate_password_file"]),
        ("token = 'CANARY'".to_owned(), &["ENTRA_REVOKE_TOKEN", "token_file"]),
        ("access_token = 'CANARY'".to_owned(), &["token_file"]),
        ("refresh-token = { x = 'CANARY' }".to_owned(), &["token_file"]),
        ("private_key = 'CANARY'".to_owned(), &["certificate_key_file"]),
        ("auth = { client_secret = 'CANARY' }".to_owned(), &["AZURE_CLIENT_SECRET"]),
        (format!("case_id = '{jwt}'"), &["looks like a token"]),
        (format!("protect = ['x@y.z', '{jwt}']"), &["looks like a token"]),
        (format!("whatever = [[{{ a = 'Bearer {jwt}' }}]]"), &["looks like a token"]),
        (format!("'{jwt}' = 1"), &["(hidden)"]),
        (format!("client_id = '{like_entras}'"), &["looks like an app's secret"]),
        (
            "certificate_file = '''\n-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----'''"
                .to_owned(),
            &["looks like a key or a certificate", "certificate_file"],
        ),
    ] {
        wrong(
            &ctx,
            format!("[profile.c]\n{line}\n"),
            &[&["line 2", "secrets are not allowed"], says].concat(),
        );
        wrong(&ctx, format!("{line}\n[profile.c]\n"), &[&["line 1"], says].concat());
    }
}

#[test]
fn invalid_toml_is_reported_without_its_content() {
    let ctx = tenant();
    for toml in [
        "[profile.c]\nclient_secret = CANARY\n",
        "[profile.c]\nclient_secret = 'CANARY\n",
        "[profile.c]\nclient_secret = \"\\CANARY\"\n",
        "[profile.c]\nclient_secret 'CANARY'\n",
        "[profile.c]\nclient_secret = 'a' CANARY\n",
        "[profile.c]\nclient_secret = 12CANARY\n",
        "x = 1\nx = 'CANARY'\n",
        "\n[profile.c\n",
    ] {
        wrong(&ctx, toml, &["line 2: this is not TOML"]);
    }
}

#[test]
fn windows_encodings_are_read_and_others_refused() {
    let ctx = tenant();
    let toml = format!("\u{feff}default_profile = 'c'\r\n[profile.c]\r\n{}", app().replace('\n', "\r\n"));
    list(&ctx, &toml).exits(0);
    ctx.finish(run(&ctx).args(["--config", "c.toml"])).exits(0);
    let ctx = tenant();
    let utf16: Vec<u8> = toml.encode_utf16().flat_map(u16::to_le_bytes).collect();
    wrong(&ctx, utf16, &["UTF-16", "save it as UTF-8"]);
    wrong(&ctx, b"[profile.c]\ncase_id = '\xe4'\n", &["not UTF-8"]);
    wrong(&ctx, "\u{feff}\r\n[profile.c]\r\nx = 1\r\n", &["line 3"]);
    wrong(&ctx, "#".repeat(2 << 20), &["too long"]);
}

#[test]
fn every_key_corresponds_to_a_flag_of_run() {
    let ctx = tenant();
    let done = list(&ctx, "[profile.c]\nweather = 1\n");
    let (_, keys) = done.stderr.split_once("the keys are ").unwrap();
    let (keys, _) =
        keys.split_once(" (and approvers for `apply`)").expect("the key that is only for `apply`");
    let help = ctx.finish(ctx.command_without_token("run").arg("--help")).stdout;
    let keys: Vec<&str> = keys.trim().split(", ").collect();
    assert!(keys.len() > 20);
    assert!(ctx.finish(ctx.command_without_token("apply").arg("--help")).stdout.contains("--approvers "));
    for key in keys {
        assert!(help.contains(&format!("--{} ", key.replace('_', "-"))), "{key} is not a flag");
        assert!(
            std::fs::read_to_string("docs/profiles.md").unwrap().contains(&format!("| `{key}` |")),
            "{key}"
        );
    }
}

#[test]
fn documented_examples_are_valid() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/profiles.md")).unwrap();
    let blocks: Vec<&str> =
        text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 2);
    let ctx = tenant();
    for block in blocks {
        let done = list(&ctx, block);
        done.exits(0);
        let names = block.lines().filter_map(|line| line.strip_prefix("[profile.")?.strip_suffix(']'));
        for name in names.filter(|name| !name.contains('.')) {
            assert!(done.stdout.contains(name), "{name}: {}", done.stdout);
        }
    }
}

#[test]
fn profiles_list_shows_all_profiles() {
    let ctx = tenant();
    let toml = format!(
        "default_profile = 'contoso'\n[profile.fabrikam]\nauth = 'managed-identity'\ncloud = 'dod'\n\
         [profile.contoso]\n{}protect = ['a@b.c', 'x.csv']\n",
        app()
    );
    let done = list(&ctx, &toml);
    let rows: Vec<Vec<&str>> =
        done.exits(0).stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["name", "tenant", "cloud", "auth", "protect"]);
    assert_eq!(rows[2], ["fabrikam", "-", "usgov-dod", "managed-identity", "0"]);
    assert_eq!(rows[3], ["*", "contoso", TENANT, "-", "client-secret", "2"]);
    let json =
        ctx.finish(ctx.command_without_token("profiles").args(["list", "-o", "json", "--config", "c.toml"]));
    let json: serde_json::Value = serde_json::from_str(&json.exits(0).stdout).unwrap();
    assert_eq!(json["default_profile"], "contoso");
    assert_eq!(json["profiles"][1]["tenant"], TENANT);
    assert_eq!(json["profiles"][1]["default"], true);
    assert_eq!(json["profiles"][0]["auth"], "managed-identity");
    let done = ctx.finish(ctx.command_without_token("profiles").arg("list"));
    assert!(done.exits(2).stderr.contains("there is no config file at"), "{}", done.stderr);
    let done = ctx.finish(&mut ctx.command_without_token("profiles"));
    assert!(done.exits(2).stderr.contains("check"), "{}", done.stderr);
}
