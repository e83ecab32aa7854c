//! `resume` signs in with the apps that flags and profiles name, and with none that only the run's folder names.

use super::*;

/// A run of which half is left, and its folder.
fn half(stage: &Stage) -> String {
    config(stage, format!("{}{}", three(), alone("third", 3, "")));
    stage.finish(run(stage, 60).args(["--halt", "fail=20"])).exits(5);
    stage.simulator.reset();
    stage.simulator.change("fault = []").unwrap();
    stage.folder().path.to_string_lossy().into_owned()
}

/// The first half fails.
const FAILING: &str = "[[fault]]\nmatch = '*'\nanswer = 400\nbeyond = 20\n";

fn resume(stage: &Stage, folder: &str) -> Command {
    let mut command = stage.bare("resume");
    let url = stage.simulator.url();
    command.args([folder, "--graph-url", &url, "--authority-url", &url]);
    command
}

#[test]
fn a_run_goes_on_with_the_apps_that_it_had() {
    let stage = tenant(FAILING);
    let folder = half(&stage);
    stage.finish(resume(&stage, &folder).args(["--profile", "c", "--config", "c.toml"])).exits(0);
    let work = work(&stage).map(|(effects, _)| effects);
    assert!(work.iter().all(|effects| *effects > 0), "{work:?}");
    assert_eq!(work.iter().sum::<u64>(), 40);
    let began: Vec<_> =
        stage.folder().journal().into_iter().filter(|line| line["event"] == "began").collect();
    assert_eq!((began.len(), &began[1]["apps"]), (2, &serde_json::json!(APPS)));
}

#[test]
fn it_goes_on_with_fewer_or_others() {
    for (flags, sends) in [
        (&["--app", "none", "--profile", "c"][..], [true, false, false]),
        (&["--app", "third", "--profile", "c"], [true, false, true]),
    ] {
        let stage = tenant(FAILING);
        let folder = half(&stage);
        stage.finish(resume(&stage, &folder).args(["--config", "c.toml"]).args(flags)).exits(0);
        let work = work(&stage).map(|(effects, _)| effects);
        assert_eq!(work.map(|effects| effects > 0), sends, "{flags:?}");
        // Who was answered by whom is known of both halves.
        let rows = stage.folder().rows();
        assert!(rows.iter().all(|row| APPS.contains(&row["app_id"].as_str())), "{rows:#?}");
        let shares = stage.folder().summary()["apps"].clone();
        let users: u64 =
            shares.as_array().unwrap().iter().map(|share| share["users"].as_u64().unwrap()).sum();
        assert_eq!(users, 60);
    }
}
