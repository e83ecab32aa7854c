//! What `report --merge` refuses to merge, and the reasons that it gives.

use super::*;

/// Joins what must not be joined: nothing is written.
#[track_caller]
fn refused(ctx: &TestContext, folders: &[PathBuf], says: &str) {
    let done = ctx.join("all", folders);
    done.exits(2);
    assert!(done.stderr.contains(says), "{says:?} is not in: {}", done.stderr);
    assert!(!ctx.dir.path().join("all").exists(), "something was written");
}

#[test]
fn unrelated_runs_are_refused() {
    let ctx = TestContext::new("");
    let input = ctx.users(12);
    let [one, two] = <[PathBuf; 2]>::try_from(ctx.shards(&input, 2, &[])).unwrap();
    let join = |folders: &[&PathBuf], says: &str| {
        refused(&ctx, &folders.iter().map(|folder| (*folder).clone()).collect::<Vec<_>>(), says);
    };
    join(&[&one, &one], "is given twice");
    let around = one.join("..").join(one.file_name().unwrap());
    join(&[&one, &around], "is given twice");
    let copy = ctx.dir.path().join("copy");
    copy_folder(&one, &copy);
    join(&[&one, &copy], "have the same run");
    let again = ctx.shard(&input, "1/2", &[]).1;
    join(&[&one, &again, &two], "are both shard 1/2");
    let third = ctx.shard(&input, "3/3", &[]).1;
    join(&[&one, &third], "the number of shards: 1/2 and 3/3");
    let other = ctx.input("other.txt", "zoe@contoso.com\n");
    let elsewhere = ctx.shard(&other, "2/2", &[]).1;
    join(&[&one, &elsewhere], "the SHA-256 of their input files");
    let fewer = ctx.shard(&input, "2/2", &["--max-rows", "5"]).1;
    join(&[&one, &fewer], "the number of input rows: 12 and 5");
    let case = ctx.shard(&input, "2/2", &["--case-id", "INC-2"]).1;
    join(&[&one, &case], "their case ID");
    let before = ctx.run_folders();
    ctx.run(&input, &[]).exits(0);
    let whole = ctx.run_folders().into_iter().find(|folder| !before.contains(folder)).unwrap();
    join(&[&one, &whole], "is not a shard");
    join(&[&one, &ctx.dir.path().to_owned()], "is not a run folder");
    // All that goes together goes.
    ctx.join("all", &[one, two]).exits(0);
}

#[test]
fn a_drill_is_not_merged_with_a_run() {
    let ctx = TestContext::new("");
    let input = ctx.users(6);
    let one = ctx.shard(&input, "1/2", &[]).1;
    ctx.finish(ctx.command_without_token("drill").arg(&input).args(["--shard", "2/2", "-o", "none"]))
        .exits(0);
    let drill = ctx.run_folders().into_iter().find(|folder| *folder != one).unwrap();
    refused(&ctx, &[one, drill], "one of them is a drill");
}

#[test]
fn altered_evidence_is_refused() {
    let ctx = TestContext::new("");
    let parts = ctx.shards(&ctx.users(12), 2, &[]);
    for name in ["run.json", "plan.csv", "journal.jsonl", "report.csv", "summary.json"] {
        let path = parts[1].join(name);
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&text[..], b"\n"].concat()).unwrap();
        refused(&ctx, &parts, &format!("{name} does not match the folder's manifest"));
        std::fs::write(&path, text).unwrap();
    }
    let manifest = parts[1].join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("report.csv", "record.csv")).unwrap();
    refused(&ctx, &parts, "it does not list report.csv");
    let id = read_json(&parts[1], "run.json")["id"].as_str().unwrap().to_owned();
    std::fs::write(&manifest, text.replace(&id, "00000000")).unwrap();
    refused(&ctx, &parts, "it is for run 00000000");
    std::fs::write(&manifest, "{}").unwrap();
    refused(&ctx, &parts, "can't read");
    std::fs::remove_file(&manifest).unwrap();
    refused(&ctx, &parts, "has no manifest");
    std::fs::write(&manifest, text).unwrap();
    ctx.join("all", &parts).exits(0);
}

#[test]
fn an_unfinished_run_is_refused() {
    let ctx = TestContext::new("");
    let parts = ctx.shards(&ctx.users(12), 2, &[]);
    // As after a kill: the journal has no end, and its reports were made again.
    let journal = parts[0].join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let cut: Vec<&str> = text.lines().filter(|line| !line.contains(r#""event":"ended""#)).collect();
    std::fs::write(&journal, cut.join("\n") + "\n").unwrap();
    ctx.finish(ctx.command("report").arg(&parts[0])).exits(0);
    refused(&ctx, &parts, "the run has not ended");
    ctx.finish(ctx.command("resume").arg(&parts[0])).exits(0);
    ctx.join("all", &parts).exits(0);
}

#[test]
fn shards_of_different_inputs_are_refused() {
    let ctx = TestContext::new("");
    // The same file, split by two columns: some rows are in both parts, some in none.
    let rows: String = (0..30).map(|n| format!("a{n}@x.com,b{n}@x.com\n")).collect();
    let input = ctx.input("two.csv", format!("old,new\n{rows}"));
    let one = ctx.shard(&input, "1/2", &["--column", "old"]).1;
    let two = ctx.shard(&input, "2/2", &["--column", "new"]).1;
    let done = ctx.join("all", &[one, two]);
    done.exits(2);
    let whole = done.stderr.contains("shards are here") && done.stderr.contains("of the input's 30 rows");
    assert!(whole || done.stderr.contains("of the input is in"), "{}", done.stderr);
    assert!(!ctx.dir.path().join("all/manifest.json").exists());
}

#[test]
fn other_files_are_not_overwritten() {
    let ctx = TestContext::new("");
    let parts = ctx.shards(&ctx.users(6), 2, &[]);
    let out = ctx.dir.path().join("all");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("report.csv"), "mine").unwrap();
    for target in ["all", parts[0].to_str().unwrap()] {
        let done = ctx.join(target, &parts);
        done.exits(2);
        assert!(done.stderr.contains("has other files"), "{}", done.stderr);
    }
    assert_eq!(std::fs::read(out.join("report.csv")).unwrap(), b"mine");
    let done = ctx.finish(ctx.command("report").args(&parts));
    done.exits(2);
    assert!(done.stderr.contains("--merge OUT merges"), "{}", done.stderr);
}
