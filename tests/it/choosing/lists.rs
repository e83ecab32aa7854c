//! Users on a list are not revoked, whichever name they have there. A list that can't be resolved stops the run.

use super::{READS, directory, group, names, object, sent, upn};
use crate::ctx::TestContext;

#[test]
fn a_listed_user_is_recognized_by_any_name() {
    let toml = directory(9)
        + &group("Inner", &[upn(3)])
        + &group("Glass", &["group:Inner".into()])
        + "[[directory.role]]\nname = \"Global Administrator\"\nactive = [\"user4@contoso.example\"]\n";
    let ctx = TestContext::new(&toml);
    let glass = ctx.input("glass.txt", format!("{}\ngroup:Glass\n", upn(2)));
    let ids: String = (0..7).map(|n| format!("{}\n", object(n))).collect();
    let input = ctx.input("users.txt", ids);
    let protect = glass.display().to_string();
    let args = ["--protect", &upn(1), "--protect", &protect, "--protect", "role:Global Administrator"];
    ctx.run(&input, &args).exits(0);
    assert_eq!(sent(&ctx), names([0, 5, 6]));
    let detail = |n: u8| ctx.run_folder().row(&object(n))["detail"].clone();
    assert_eq!(
        (detail(1), detail(2)),
        ("on the protect list".into(), "on the protect list (glass.txt)".into())
    );
    assert!(detail(3).contains("group Glass"), "{}", detail(3));
    assert!(detail(4).starts_with("protected: role Global Administrator"), "{}", detail(4));
}

#[test]
fn a_list_that_cannot_be_resolved_stops_the_run() {
    let ctx = TestContext::new(&directory(3));
    let input = ctx.input("users.txt", upn(1));
    let excluded: [&[&str]; 5] = [
        &["--protect", "gone@contoso.example"],
        &["--exclude", "gone@contoso.example"],
        &["--protect", "group:Gone"],
        &["--exclude-group", "Gone"],
        &["--exclude-role", "Nobody at all"],
    ];
    for args in excluded {
        let done = ctx.run(&input, args);
        done.exits(2);
        assert!(
            done.stderr.to_lowercase().contains("gone") || done.stderr.contains("Nobody at all"),
            "{}",
            done.stderr
        );
    }
    // A list that can't be read is refused too.
    let less = READS.replace("\"GroupMember.Read.All\", ", "");
    let ctx = TestContext::new(&(directory(3).replace(READS, &less) + &group("Glass", &[upn(1)])));
    let input = ctx.input("users.txt", upn(2));
    let done = ctx.run(&input, &["--protect", "group:Glass"]);
    done.exits(2);
    assert!(done.stderr.contains("GroupMember.Read.All"), "{}", done.stderr);
    assert!(sent(&ctx).is_empty() && ctx.run_folders().is_empty());
}

#[test]
fn an_app_owner_is_skipped_unless_unprotected_by_id() {
    let toml = directory(4) + "[directory.app]\nowners = [\"user1@contoso.example\"]\n";
    let ctx = TestContext::new(&toml);
    let input = ctx.input("users.txt", format!("{}\n{}\n", upn(1), upn(2)));
    let run = |args: &[&str]| {
        let mut run = ctx.command("run");
        run.env_remove("ENTRA_REVOKE_TOKEN").env("AZURE_CLIENT_SECRET", "a-secret-that-opens-nothing");
        run.args(["--tenant", "d5111d51-0000-4000-8000-000000000001"]);
        run.args(["--client-id", "d5111d51-0000-4000-8000-0000000000a1"]);
        ctx.finish(run.arg(&input).args(args))
    };
    let done = run(&[]);
    done.exits(0);
    assert_eq!(sent(&ctx), names([2]), "{}", done.stderr);
    assert!(ctx.run_folder().row(&object(1))["detail"].contains("owner of the app"));
    let done = run(&["--unprotect", &upn(3)]);
    done.exits(2);
    assert!(done.stderr.contains("this ID is not protected"), "{}", done.stderr);
    run(&["--unprotect", &upn(1), "--output-dir", "again"]).exits(0);
    assert_eq!(sent(&ctx), names([1, 2]));
}
