//! Each request goes to the app that may send next. Each app keeps to its own quota, and all together to the tenant's.

use super::*;

#[test]
fn three_apps_use_three_quotas_and_exceed_none() {
    let ctx =
        tenant("[quota]\napp = { limit = 1000, window = '1s' }\ntenant = { limit = 3000, window = '1s' }\n");
    config(&ctx, three());
    let done = ctx.finish(run(&ctx, 3_100).args(["--rate", "400/s", "--burst", "400", "--batch-size", "20"]));
    done.exits(0);
    let work = work(&ctx);
    assert_eq!(work.iter().map(|(effects, _)| effects).sum::<u64>(), 3_100, "{work:?}");
    assert!(work.iter().all(|(effects, throttled)| *effects > 500 && *throttled == 0), "{work:?}");
    let callers = ctx.simulator.clients();
    assert!(callers.iter().all(|caller| caller.max_requests_in_window <= 1_000), "{callers:?}");
    // Together they are quicker than one could be: it would take 6.75 s for 2,700 at 400 a second.
    let took = |caller: &entra_revoke::simulator::ClientReport| caller.last_s - caller.first_s;
    assert!(callers.iter().map(took).all(|seconds| seconds < 6.0), "{callers:?}");
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));

    let folder = ctx.run_folder();
    let rows = folder.rows();
    for ((app, (effects, _)), share) in
        APPS.iter().zip(work).zip(folder.summary()["apps"].as_array().unwrap())
    {
        assert_eq!(rows.iter().filter(|row| row["app_id"] == *app).count() as u64, effects);
        assert_eq!((&share["app_id"], &share["users"]), (&(*app).into(), &effects.into()));
        assert!(done.stdout.contains(&format!("  app {app}  ")), "{}", done.stdout);
    }
    let began = &folder.journal()[0];
    assert_eq!(began["apps"], serde_json::json!(APPS));
    let record: serde_json::Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    assert_eq!(record["operator"]["app_id"], APPS[0]);
    let ids: Vec<_> = record["apps"].as_array().unwrap().iter().map(|app| app["app_id"].clone()).collect();
    assert_eq!(ids, APPS);
    assert_eq!(record["apps"][2]["auth"], "client-secret");
    assert!(folder.text("report.html").contains("Users by app"));
    let files = ctx.all_files();
    let kept = |path: &Path| path.starts_with(ctx.dir.path().join("runs"));
    for (path, bytes) in files.iter().filter(|(path, _)| kept(path)) {
        assert!(!String::from_utf8_lossy(bytes).contains("CANARY"), "{}", path.display());
    }
}

#[test]
fn the_tenant_quota_throttles_all_apps() {
    let ctx = tenant(
        "[quota]\napp = { limit = 9000, window = '150s' }\ntenant = { limit = 50, window = '500ms' }\n",
    );
    config(&ctx, three());
    ctx.finish(run(&ctx, 150).args(["--rate", "2000/s", "--batch-size", "20"])).exits(0);
    let ledger = ctx.ledger();
    assert!(ledger.users.iter().all(|user| user.effects == 1));
    assert!(ledger.stats.throttled > 0 && ledger.stats.early == 0, "{:?}", ledger.stats);
    let journal = ctx.run_folder().journal();
    let closed: Vec<_> = journal.iter().filter(|line| line["event"] == "throttled").collect();
    assert!(!closed.is_empty());
    assert!(closed.iter().all(|line| line.get("app_id").is_none()), "{closed:#?}");
}

#[test]
fn a_single_app_is_named_in_every_row() {
    let ctx = tenant("");
    config(&ctx, first());
    let done = ctx.finish(run(&ctx, 3).args(["-o", "csv"]));
    done.exits(0);
    assert!(ctx.run_folder().rows().iter().all(|row| row["app_id"] == APPS[0]));
    assert!(ctx::read_csv(&done.stdout).iter().all(|row| row["app_id"] == APPS[0]), "{}", done.stdout);
    assert!(!done.stderr.contains("  app "), "{}", done.stderr);
}

#[test]
fn apps_can_be_given_on_the_command_line() {
    let ctx = tenant("");
    // In place of the profile's own further app.
    config(&ctx, format!("{}{}{}", first(), entry(2), alone("third", 3, "")));
    ctx.finish(run(&ctx, 30).args(["--app", "third"])).exits(0);
    let [one, two, three] = work(&ctx).map(|(effects, _)| effects);
    assert!(one > 0 && two == 0 && three > 0, "{one} {two} {three}");
    ctx.simulator.reset();
    ctx.finish(run(&ctx, 30).args(["--app", "none"])).exits(0);
    assert_eq!(work(&ctx).map(|(effects, _)| effects), [30, 0, 0]);
}

#[test]
fn a_plan_can_be_applied_by_several_apps() {
    let ctx = tenant("");
    config(&ctx, three());
    let users = ctx.users(30);
    ctx.finish(verb(&ctx, "plan").args(["--profile", "c"]).arg(users)).exits(0);
    ctx.finish(verb(&ctx, "apply").args(["plan.json", "--profile", "c", "--yes"])).exits(0);
    assert!(work(&ctx).iter().all(|(effects, _)| *effects > 0), "{:?}", work(&ctx));
}

#[test]
fn a_drill_splits_users_over_three_apps() {
    let ctx = tenant("");
    let mut drill = ctx.command_without_token("drill");
    drill.args(["--users", "90", "--apps", "3", "--latency", "1ms", "--batch-size", "1", "--max-users", "9"]);
    ctx.finish(&mut drill).exits(5);
    let folder = ctx.run_folder();
    let apps = |summary: &serde_json::Value| {
        let shares = summary["apps"].as_array().unwrap().clone();
        shares.iter().map(|share| share["users"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    ctx.finish(ctx.command_without_token("resume").arg(&folder.path).args(["--max-users", "90"])).exits(0);
    let users = apps(&folder.summary());
    assert!(users.len() == 3 && users.iter().all(|users| *users > 10), "{users:?}");
    assert_eq!(users.iter().sum::<u64>(), 90);
}
