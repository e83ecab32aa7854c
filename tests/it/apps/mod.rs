//! Several apps in one tenant: which of them sign in, how much each sends, and which are left out.

use crate::ctx;

mod contradictions;
mod losing;
mod resuming;
mod sending;
mod signing_in;

use std::path::Path;
use std::process::Command;

use crate::ctx::TestContext;

pub(crate) const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

/// The apps, by the end of their ids; the secret of each is in the file `secret-1` and so on.
pub(crate) const APPS: [&str; 3] = [
    "5a1e0000-0000-4000-8000-0000000000a1",
    "5a1e0000-0000-4000-8000-0000000000a2",
    "5a1e0000-0000-4000-8000-0000000000a3",
];

/// A tenant with three apps, which can only sign in with their secrets. `more` is TOML of tables.
pub(crate) fn tenant(more: &str) -> TestContext {
    let mut toml = "accept_any_token = false\nledger = 'full'\n".to_owned();
    for (number, app) in (1..).zip(APPS) {
        toml.push_str(&format!("[[tenant]]\napp = '{app}'\nsecret = '{}'\n", secret(number)));
    }
    toml.push_str("[[tenant]]\napps = ['5a1e*']\n");
    let ctx = TestContext::new(&format!("{toml}{more}\n[token]\ntenant = '{TENANT}'\n"));
    for number in 1..=3 {
        private(&ctx.input(&format!("secret-{number}"), secret(number)));
    }
    ctx
}

pub(crate) fn secret(number: usize) -> String {
    format!("fake-secret-CANARY-{number}-41bd")
}

/// A profile with the first app, and the two others as further ones.
pub(crate) fn three() -> String {
    format!("{}{}{}", first(), entry(2), entry(3))
}

/// A profile `c` with the first app alone.
pub(crate) fn first() -> String {
    format!("[profile.c]\ntenant = '{TENANT}'\nclient_id = '{}'\nclient_secret_file = 'secret-1'\n", APPS[0])
}

/// A further app of the profile `c`.
pub(crate) fn entry(number: usize) -> String {
    let id = APPS[number - 1];
    format!("[[profile.c.app]]\nclient_id = '{id}'\nclient_secret_file = 'secret-{number}'\n")
}

/// A profile of an app by itself, for `--app`.
pub(crate) fn alone(name: &str, number: usize, more: &str) -> String {
    let id = APPS[number - 1];
    format!("[profile.{name}]\nclient_id = '{id}'\nclient_secret_file = 'secret-{number}'\n{more}\n")
}

/// Writes the config file.
pub(crate) fn config(ctx: &TestContext, toml: impl AsRef<[u8]>) {
    private(&ctx.input("c.toml", toml));
}

/// `run` with the profile `c` over `users` users.
pub(crate) fn run(ctx: &TestContext, users: usize) -> Command {
    let users = ctx.users(users);
    let mut command = verb(ctx, "run");
    command.args(["--profile", "c", "--yes"]).arg(users);
    command
}

/// A verb with the config file, against the simulator.
pub(crate) fn verb(ctx: &TestContext, verb: &str) -> Command {
    let mut command = ctx.command_without_token(verb);
    let url = ctx.simulator.url();
    command.args(["--config", "c.toml", "--graph-url", &url, "--authority-url", &url]);
    command
}

pub(crate) fn private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let _ = path;
}

/// What each app did, in the order of [`APPS`]: revocations that took effect, and 429s.
pub(crate) fn work(ctx: &TestContext) -> [(u64, u64); 3] {
    let callers = ctx.simulator.clients();
    APPS.map(|app| {
        let of: Vec<_> = callers.iter().filter(|caller| caller.app == app).collect();
        (of.iter().map(|caller| caller.effects).sum(), of.iter().map(|caller| caller.throttled).sum())
    })
}
