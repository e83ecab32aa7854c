//! `resume` signs in with the apps that flags and profiles name. The run's folder alone names none.

use super::*;

/// A run of which half is left, and its folder.
fn half(ctx: &TestContext) -> String {
    config(ctx, format!("{}{}", three(), alone("third", 3, "")));
    ctx.finish(run(ctx, 60).args(["--halt", "fail=20"])).exits(5);
    ctx.simulator.reset();
    ctx.simulator.change_config("fault = []").unwrap();
    ctx.run_folder().path.to_string_lossy().into_owned()
}

/// The first half fails.
const FAILING: &str = "[[fault]]\nmatch = '*'\nanswer = 400\nbeyond = 20\n";

fn resume(ctx: &TestContext, folder: &str) -> Command {
    let mut command = ctx.command_without_token("resume");
    let url = ctx.simulator.url();
    command.args([folder, "--graph-url", &url, "--authority-url", &url]);
    command
}

#[test]
fn a_run_is_resumed_with_the_same_apps() {
    let ctx = tenant(FAILING);
    let folder = half(&ctx);
    ctx.finish(resume(&ctx, &folder).args(["--profile", "c", "--config", "c.toml"])).exits(0);
    let work = work(&ctx).map(|(effects, _)| effects);
    assert!(work.iter().all(|effects| *effects > 0), "{work:?}");
    assert_eq!(work.iter().sum::<u64>(), 40);
    let began: Vec<_> =
        ctx.run_folder().journal().into_iter().filter(|line| line["event"] == "began").collect();
    assert_eq!((began.len(), &began[1]["apps"]), (2, &serde_json::json!(APPS)));
}

#[test]
fn a_run_is_resumed_with_fewer_or_other_apps() {
    for (flags, sends) in [
        (&["--app", "none", "--profile", "c"][..], [true, false, false]),
        (&["--app", "third", "--profile", "c"], [true, false, true]),
    ] {
        let ctx = tenant(FAILING);
        let folder = half(&ctx);
        ctx.finish(resume(&ctx, &folder).args(["--config", "c.toml"]).args(flags)).exits(0);
        let work = work(&ctx).map(|(effects, _)| effects);
        assert_eq!(work.map(|effects| effects > 0), sends, "{flags:?}");
        // Who was answered by whom is known of both halves.
        let rows = ctx.run_folder().rows();
        assert!(rows.iter().all(|row| APPS.contains(&row["app_id"].as_str())), "{rows:#?}");
        let shares = ctx.run_folder().summary()["apps"].clone();
        let users: u64 =
            shares.as_array().unwrap().iter().map(|share| share["users"].as_u64().unwrap()).sum();
        assert_eq!(users, 60);
    }
}
