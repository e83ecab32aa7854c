//! An app that loses its permission or its sign-in during a run is dropped, and the others continue.

use super::*;

#[test]
fn an_app_that_loses_its_permission_is_dropped_and_others_finish() {
    let ctx = tenant(&format!("[[fault]]\napp = '{}'\nbeyond = 20\nanswer = 403\n", APPS[2]));
    config(&ctx, three());
    let done = ctx.finish(run(&ctx, 400).args(["--rate", "600/s"]));
    done.exits(0);
    let lost = format!("warning: app {} stopped, the others continue", APPS[2]);
    assert_eq!(done.stderr.matches(&lost).count(), 1, "{}", done.stderr);
    let folder = ctx.run_folder();
    assert!(folder.rows().iter().all(|row| row["outcome"] == "revoked"));
    let summary = folder.summary();
    assert_eq!((&summary["exit_code"], &summary["stopped"]), (&0.into(), &serde_json::Value::Null));
    let dropped = summary["apps"][2]["dropped"].as_str().unwrap();
    assert!(dropped.contains("permission"), "{dropped}");
    assert!(summary["apps"][0]["dropped"].is_null());
    assert!(done.stdout.contains(&format!("App {} failed during the run", APPS[2])), "{}", done.stdout);
    assert!(folder.text("report.html").contains("failed during the run"));
    assert_eq!(work(&ctx)[2].0, 20);
}

#[test]
fn a_run_stops_if_no_app_has_the_permission() {
    let ctx = tenant("[[fault]]\nanswer = 403\n");
    config(&ctx, three());
    let done = ctx.finish(run(&ctx, 300).args(["--jobs", "4", "--batch-size", "1"]));
    done.exits(4);
    assert!(ctx.run_folder().rows().iter().any(|row| row["outcome"] == "not_attempted"));
    assert!(
        ctx.run_folder().summary()["apps"].as_array().unwrap().iter().all(|app| app["dropped"].is_null())
    );
}
