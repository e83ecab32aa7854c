//! Confirmations before the first request, limits that refuse, and plans that are written, approved and applied.
#![cfg(unix)]

use crate::ctx;

mod apply;
mod approvers;
mod caps;
mod facts;
mod file;
mod question;
mod quoting;

use std::path::Path;
use std::process::Command;

use crate::ctx::TestContext;

/// What a sign-in that reads all it needs may do.
const ROLES: &str = "[token]\nroles = ['User.RevokeSessions.All', 'User.Read.All', 'GroupMember.Read.All', \
                     'RoleManagement.Read.Directory', 'Organization.Read.All', 'Application.Read.All']\n";

/// A small tenant: four Global Administrators, a guest, one disabled, one synced.
const TENANT: &str = "[directory]\norganization = 'Contoso Ltd'\n\
    [[directory.user]]\nupn = 'ann@contoso.com'\nname = 'Ann'\n\
    [[directory.user]]\nupn = 'bob@contoso.com'\nsynced = true\n\
    [[directory.user]]\nupn = 'cyd@contoso.com'\nenabled = false\n\
    [[directory.user]]\nupn = 'gus_fabrikam.com#EXT#@contoso.com'\ntype = 'Guest'\n\
    [[directory.user]]\nupn = 'root1@contoso.com'\n\
    [[directory.user]]\nupn = 'root2@contoso.com'\n\
    [[directory.user]]\nupn = 'root3@contoso.com'\n\
    [[directory.user]]\nupn = 'root4@contoso.com'\n\
    [[directory.role]]\nname = 'Global Administrator'\n\
    active = ['root1@contoso.com', 'root2@contoso.com', 'root3@contoso.com', 'root4@contoso.com']\n\
    [[directory.group]]\nname = 'Finance'\nmembers = ['ann@contoso.com', 'bob@contoso.com']\n";

/// A context with that tenant.
fn tenant() -> TestContext {
    TestContext::new(&format!("{ROLES}{TENANT}"))
}

/// A verb against the context, with a ready token, and nothing that answers the question.
fn verb(ctx: &TestContext, verb: &str) -> Command {
    let mut command = ctx.command_without_token(verb);
    command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN);
    command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
    command
}

/// Runs a verb to its end.
fn finish(ctx: &TestContext, name: &str, file: &Path, args: &[&str]) -> ctx::CommandResult {
    ctx.finish(verb(ctx, name).arg(file).args(args))
}

/// Nothing was revoked, and no run was begun.
#[track_caller]
fn nothing_sent(ctx: &TestContext) {
    assert_eq!(ctx.stats().revocations, 0);
    assert!(ctx.run_folders().is_empty(), "a run folder was made for nothing");
}

/// Lines of users of Contoso.
fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name}@contoso.com\n")).collect()
}
