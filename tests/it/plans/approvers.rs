//! The two-person rule: without a valid signature of an approver who is not the sender, nothing is revoked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aws_lc_rs::digest::{SHA512, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entra_revoke::simulator::TokenKind;

use super::apply::{plan, read, refused, remake};
use super::{ROLES, TENANT, finish, nothing_sent, tenant, verb};
use crate::ctx::{CommandResult, TestContext};

/// An SSH key, made from one number.
struct Key(Ed25519KeyPair);

impl Key {
    fn new(seed: u8) -> Key {
        Key(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn public(&self) -> Vec<u8> {
        strings(&[b"ssh-ed25519", self.0.public_key().as_ref()])
    }

    /// The type and the key, as they stand on a line.
    fn line(&self) -> String {
        format!("ssh-ed25519 {}", STANDARD.encode(self.public()))
    }

    /// Signs a file as `ssh-keygen -Y sign` does, into the file next to it.
    fn sign(&self, path: &Path, namespace: &str) {
        let hash = digest(&SHA512, &std::fs::read(path).unwrap());
        let data =
            [&b"SSHSIG"[..], &strings(&[namespace.as_bytes(), b"", b"sha512", hash.as_ref()])].concat();
        let signature = strings(&[b"ssh-ed25519", self.0.sign(&data).as_ref()]);
        let parts = strings(&[&self.public(), namespace.as_bytes(), b"", b"sha512", &signature]);
        let armored = STANDARD.encode([&b"SSHSIG\0\0\0\x01"[..], &parts].concat());
        let text = format!("-----BEGIN SSH SIGNATURE-----\n{armored}\n-----END SSH SIGNATURE-----\n");
        std::fs::write(signature_of(path), text).unwrap();
    }
}

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&(part.len() as u32).to_be_bytes()[..], part].concat()).collect()
}

fn signature_of(path: &Path) -> PathBuf {
    path.with_extension("json.sig")
}

const APPROVERS: [&str; 2] = ["--approvers", "approvers"];

#[test]
fn a_signed_plan_is_applied() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &[]);
    let key = Key::new(1);
    ctx.input("approvers", format!("# two\nzoe@contoso.com namespaces=\"entra-*\" {} Zoe\n", key.line()));
    refused(&ctx, &path, &APPROVERS, 2, "does not exist");
    // The approver looks first.
    let done = finish(&ctx, "apply", &path, &["--dry-run", "--approvers", "approvers"]);
    assert!(
        done.exits(0).stderr.contains("apply would stop here: the plan is not approved"),
        "{}",
        done.stderr
    );
    key.sign(&path, "entra-revoke");
    let done = finish(&ctx, "apply", &path, &["--yes", "--approvers", "approvers"]);
    done.exits(0);
    assert!(done.stderr.contains("approved by zoe@contoso.com (SHA256:"), "{}", done.stderr);
    let summary = ctx.run_folder().summary();
    assert_eq!(summary["plan_file"]["approved_by"]["principals"], "zoe@contoso.com");
    assert_eq!(ctx.stats().effects, 1);
}

#[test]
fn a_world_writable_approver_list_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &[]);
    let key = Key::new(1);
    let list = ctx.input("approvers", format!("zoe@contoso.com {}\n", key.line()));
    key.sign(&path, "entra-revoke");
    std::fs::set_permissions(&list, std::fs::Permissions::from_mode(0o666)).unwrap();
    refused(&ctx, &path, &APPROVERS, 2, "everyone may write to the file");
    std::fs::set_permissions(&list, std::fs::Permissions::from_mode(0o600)).unwrap();
    // A pipe in the signature's place is not waited for.
    let signature = format!("{}.sig", path.display());
    std::fs::remove_file(&signature).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, signature.as_str(), rustix::fs::Mode::RUSR).unwrap();
    refused(&ctx, &path, &APPROVERS, 2, "name a regular file");
}

#[test]
fn other_signatures_are_refused() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &[]);
    let (key, other) = (Key::new(1), Key::new(2));
    ctx.input("approvers", format!("zoe@contoso.com {}\n", key.line()));
    other.sign(&path, "entra-revoke");
    refused(&ctx, &path, &APPROVERS, 2, "which is not on the list of approvers");
    key.sign(&path, "git");
    refused(&ctx, &path, &APPROVERS, 2, "-n entra-revoke");
    // Of the plan as it was before.
    key.sign(&path, "entra-revoke");
    remake(&path, |plan| plan["case_id"] = "INC-2".into());
    refused(&ctx, &path, &APPROVERS, 2, "is not a valid signature of this plan");
    key.sign(&path, "entra-revoke");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n")).unwrap();
    refused(&ctx, &path, &APPROVERS, 2, "is not a valid signature of this plan");
    std::fs::write(&path, text).unwrap();
    for (line, says) in [
        ("zoe@contoso.com valid-before=\"20200101Z\" KEY", "it has expired"),
        ("zoe@contoso.com valid-after=\"29990101Z\" KEY", "it is not valid yet"),
        ("zoe@contoso.com namespaces=\"git\" KEY", "its namespaces do not allow it"),
        ("zoe@contoso.com cert-authority KEY", "line 1: it names a certificate authority"),
        ("# nobody", "is empty"),
        ("zoe@contoso.com", "line 1: it does not have the form"),
    ] {
        ctx.input("approvers", line.replace("KEY", &key.line()));
        refused(&ctx, &path, &APPROVERS, 2, says);
    }
    // Each list that is named must hold the key.
    ctx.input("approvers", format!("zoe@contoso.com {}\n", key.line()));
    ctx.input("more", format!("yan@contoso.com {}\n", other.line()));
    refused(&ctx, &path, &["--approvers", "approvers", "--approvers", "more"], 2, "list of approvers more");
    refused(&ctx, &path, &["--approvers", "missing"], 2, "can't read the list of approvers missing");
}

/// A tenant in which a person signs in, and that person's token.
fn person() -> (TestContext, String) {
    let scopes = "[token]\nscopes = ['User.RevokeSessions.All', 'User.Read.All']\n\
                  user_principal_name = 'ann@contoso.com'\n";
    let ctx = TestContext::new(&format!(
        "{scopes}{}",
        TENANT.replace("name = 'Ann'", "name = 'Ann'\nmail = 'ann.lee@mail.example'")
    ));
    let token = ctx.simulator.mint_token(TokenKind::User, Duration::from_secs(600));
    (ctx, token)
}

fn by(ctx: &TestContext, token: &str, name: &str, args: &[&str]) -> CommandResult {
    let mut command = verb(ctx, name);
    ctx.finish(command.env("ENTRA_REVOKE_TOKEN", token).args(args))
}

#[test]
fn the_sender_cannot_be_the_approver() {
    let (ctx, token) = person();
    ctx.input("users.txt", "bob@contoso.com\n");
    by(&ctx, &token, "plan", &["users.txt"]).exits(0);
    let path = ctx.dir.path().join("plan.json");
    let id = {
        ctx.input("ann.txt", "ann@contoso.com\ncyd@contoso.com\n");
        by(&ctx, &token, "plan", &["ann.txt", "--plan-file", "ann.json", "--include-self"]).exits(0);
        read(&ctx.dir.path().join("ann.json"))["rows"][0]["user_id"].as_str().unwrap().to_owned()
    };
    let key = Key::new(1);
    key.sign(&path, "entra-revoke");
    let apply = || by(&ctx, &token, "apply", &["plan.json", "--yes", "--approvers", "approvers"]);
    for own in
        ["Ann@Contoso.com", "*@contoso.com", "ann.lee@mail.example", &id, "zoe@contoso.com,ann@contoso.com"]
    {
        ctx.input("approvers", format!("{own} {}\n", key.line()));
        let done = apply();
        done.exits(2);
        assert!(done.stderr.contains("not approved by a second person"), "{own}: {}", done.stderr);
        nothing_sent(&ctx);
    }
    // A key that another line gives to the sender is the sender's, whatever the first line says.
    let lines = format!("zoe@contoso.com {0}\nann@contoso.com namespaces=\"git\" {0}\n", key.line());
    ctx.input("approvers", lines);
    apply().exits(2);
    nothing_sent(&ctx);
    ctx.input("approvers", format!("zoe@contoso.com {}\n", key.line()));
    apply().exits(0);
    assert_eq!(ctx.stats().effects, 1);
}

#[test]
fn with_an_app_the_planner_and_the_local_account_count_as_sender() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &[]);
    let key = Key::new(1);
    remake(&path, |plan| plan["made_by"]["user"] = "jo@contoso.com".into());
    key.sign(&path, "entra-revoke");
    for own in ["jo@contoso.com", "sam@contoso.com", "sam"] {
        ctx.input("approvers", format!("{own} {}\n", key.line()));
        let mut command = verb(&ctx, "apply");
        command.env("USER", "sam").arg(&path).args(["--yes", "--approvers", "approvers"]);
        let done = ctx.finish(&mut command);
        done.exits(2);
        assert!(done.stderr.contains("does not name a person"), "{}", done.stderr);
        nothing_sent(&ctx);
    }
}

#[test]
fn approvers_from_the_profile_apply() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &[]);
    let (key, other) = (Key::new(1), Key::new(2));
    ctx.input("own", format!("zoe@contoso.com {}\n", key.line()));
    ctx.input("other", format!("zoe@contoso.com {}\n", other.line()));
    ctx.input("c.toml", "[profile.c]\napprovers = 'own'\n");
    let profile = ["--config", "c.toml", "--profile", "c"];
    refused(&ctx, &path, &profile, 2, "the plan is not approved");
    // A flag takes nothing away.
    other.sign(&path, "entra-revoke");
    refused(
        &ctx,
        &path,
        &[&profile[..], &["--approvers", "other"]].concat(),
        2,
        "is not on the list of approvers",
    );
    // A run without a plan has no approval.
    let input = ctx.dir.path().join("users.txt");
    let done = finish(&ctx, "run", &input, &[&profile[..], &["--yes"]].concat());
    done.exits(2);
    assert!(done.stderr.contains("requires an approver's signature"), "{}", done.stderr);
    nothing_sent(&ctx);
    finish(&ctx, "run", &input, &[&profile[..], &["--dry-run"]].concat()).exits(0);
    key.sign(&path, "entra-revoke");
    finish(&ctx, "apply", &path, &[&profile[..], &["--yes"]].concat()).exits(0);
    assert_eq!(ctx.stats().effects, 1);
}

#[test]
fn signatures_of_ssh_keygen_are_accepted() {
    if Command::new("ssh-keygen").arg("-?").output().is_err() {
        eprintln!("not checked: there is no ssh-keygen here");
        return;
    }
    let ctx = TestContext::new(&format!("{ROLES}{TENANT}"));
    let path = plan(&ctx, &["ann"], &[]);
    let keygen = |args: &[&str]| {
        let done = Command::new("ssh-keygen").args(args).current_dir(ctx.dir.path()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "384"), ("rsa", "2048")] {
        keygen(&["-q", "-t", kind, "-b", bits, "-N", "", "-C", "", "-f", kind]);
        let _ = std::fs::remove_file(signature_of(&path));
        keygen(&["-q", "-Y", "sign", "-f", kind, "-n", "entra-revoke", "plan.json"]);
        let public = std::fs::read_to_string(ctx.dir.path().join(format!("{kind}.pub"))).unwrap();
        ctx.input("approvers", format!("zoe@contoso.com namespaces=\"entra-revoke\" {public}"));
        let done = finish(&ctx, "apply", &path, &["--dry-run", "--approvers", "approvers"]);
        assert!(done.exits(0).stderr.contains("approved by zoe@contoso.com"), "{kind}: {}", done.stderr);
    }
}
