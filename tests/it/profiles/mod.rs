//! Profiles: settings in a config file are used, and an invalid file is not used at all.

mod check;
mod choice;
mod file;
mod insecure;
mod precedence;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ctx::{CommandResult, TestContext};

pub(crate) const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
pub(crate) const OTHER_TENANT: &str = "11111111-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
pub(crate) const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
pub(crate) const SECRET: &str = "fake-secret-CANARY-41bd";

/// A tenant with one app, whose secret is in the file `secret`, and no user but by its tokens.
pub(crate) fn tenant() -> TestContext {
    let ctx = TestContext::new(&format!(
        "accept_any_token = false\ntoken = {{ tenant = '{TENANT}', client_id = '{APP}', secret = '{SECRET}' }}\n"
    ));
    private(&ctx.input("secret", SECRET));
    ctx.input("users.txt", "a@contoso.com\nb@contoso.com\nboss@contoso.com\n");
    ctx
}

/// The keys with which that app signs in.
pub(crate) fn app() -> String {
    format!("tenant = '{TENANT}'\nclient_id = '{APP}'\nclient_secret_file = 'secret'\n")
}

/// Writes a config file into the context's folder.
pub(crate) fn config(ctx: &TestContext, name: &str, toml: impl AsRef<[u8]>) -> PathBuf {
    let path = ctx.input(name, toml);
    private(&path);
    path
}

/// Writes the config file where the program looks for it by itself.
pub(crate) fn usual(ctx: &TestContext, toml: impl AsRef<[u8]>) -> PathBuf {
    std::fs::create_dir_all(ctx.dir.path().join("entra-revoke")).unwrap();
    config(ctx, "entra-revoke/config.toml", toml)
}

fn private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let _ = path;
}

/// `run users.txt` against the simulator, with nothing to sign in with but what a profile says.
pub(crate) fn run(ctx: &TestContext) -> Command {
    let mut command = ctx.command_without_token("run");
    let url = ctx.simulator.url();
    command.args(["users.txt", "--yes", "--graph-url", &url, "--authority-url", &url]);
    command
}

/// Refused as wrong usage, with all these words, and nothing was asked of anybody.
#[track_caller]
pub(crate) fn refused(ctx: &TestContext, done: &CommandResult, says: &[&str]) {
    done.exits(2);
    for words in says {
        assert!(done.stderr.contains(words), "{words:?} is not in: {}", done.stderr);
    }
    assert_eq!((ctx.stats().requests, ctx.stats().token_requests), (0, 0));
    assert!(ctx.run_folders().is_empty());
}
