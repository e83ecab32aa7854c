//! The containers in `docs/scale.md`: the scripts of its YAML run here, with a folder as the volume.

use std::process::{Command, Stdio};

use yaml_rust2::{Yaml, YamlLoader};

use super::*;

/// The documents of all YAML blocks of the page.
fn yaml() -> Vec<Yaml> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scale.md");
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(|block| YamlLoader::load_from_str(block).unwrap()).collect()
}

/// The container of the document of this kind; of the one without a kind, where none is named.
fn container(kind: Option<&str>) -> Yaml {
    let of_kind = |one: &Yaml| one["kind"].as_str() == kind;
    let document = yaml().into_iter().find(of_kind).expect("the page has it");
    let template = if kind.is_some() {
        &document["spec"]["template"]["spec"]
    } else {
        &document["properties"]["template"]
    };
    template["containers"][0].clone()
}

/// Runs a container's command, with one variable, as a pod does: the volume is the context's folder, Graph the simulator.
fn pod(ctx: &TestContext, container: &Yaml, (name, value): (&str, u32)) -> CommandResult {
    let url = ctx.simulator.url();
    let script = container["args"][0].as_str().unwrap();
    let script = script.replace("/evidence", ctx.dir.path().to_str().unwrap());
    let script = ["run", "resume"].iter().fold(script, |script, verb| {
        let verb = format!("entra-revoke {verb}");
        script.replace(&verb, &format!("{verb} --graph-url {url} --authority-url {url}"))
    });
    let words: Vec<&str> =
        container["command"].as_vec().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let bin = Path::new(env!("CARGO_BIN_EXE_entra-revoke")).parent().unwrap();
    let mut command = Command::new(words[0]);
    crate::support::env::remove_sign_in_variables(&mut command);
    command.args(&words[1..]).arg(script).env(name, value.to_string()).current_dir(ctx.dir.path());
    command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).env("HOME", ctx.dir.path());
    command
        .env("PATH", format!("{}:{}", bin.display(), crate::support::env::system_path().to_str().unwrap()));
    CommandResult::from(command.stdin(Stdio::null()).output().unwrap())
}

#[test]
fn pods_split_the_input_and_restarted_pods_resume() {
    for (kind, variable, first) in [(Some("Job"), "JOB_COMPLETION_INDEX", 0), (None, "SHARD_NUMBER", 1)] {
        let ctx = TestContext::new("[[fault]]\nmatch = 'u03*'\nanswer = 404\ntimes = 1\n");
        std::fs::create_dir(ctx.dir.path().join("input")).unwrap();
        ctx.input("input/leavers.csv", (0..24).map(|n| format!("u{n:02}@contoso.com\n")).collect::<String>());
        ctx.input(
            "input/break-glass.csv",
            "id,userPrincipalName\n0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f,u07@contoso.com\n",
        );
        let container = container(kind);
        for number in first..first + 4 {
            let mut done = pod(&ctx, &container, (variable, number));
            if done.code == Some(3) {
                done = pod(&ctx, &container, (variable, number));
                assert!(done.stderr.contains("resuming run"), "{done:?}");
            }
            done.exits(0);
            // One that comes again although all is done has nothing to do.
            pod(&ctx, &container, (variable, number)).exits(0);
        }
        let folders: Vec<PathBuf> =
            (1..=4).map(|n| only_folder(&ctx.dir.path().join(format!("shard-{n}")))).collect();
        ctx.join("all", &folders).exits(0);
        let rows = ctx::RunDir { path: ctx.dir.path().join("all") }.rows();
        let lines: Vec<&str> = rows.iter().map(|row| row["line"].as_str()).collect();
        assert_eq!(lines, (1..=24).map(|n| n.to_string()).collect::<Vec<_>>());
        let revoked = rows.iter().filter(|row| row["outcome"] == "revoked").count();
        assert_eq!((revoked, ctx.sent().contains_key("u07@contoso.com")), (23, false));
    }
}

fn only_folder(parent: &Path) -> PathBuf {
    let mut entries = std::fs::read_dir(parent).unwrap();
    let folder = entries.next().unwrap().unwrap().path();
    assert!(entries.next().is_none(), "two runs of one shard in {}", parent.display());
    folder
}

#[test]
fn the_jobs_settings_are_consistent() {
    let job = yaml().into_iter().find(|one| one["kind"].as_str() == Some("Job")).unwrap();
    let spec = &job["spec"];
    let script = spec["template"]["spec"]["containers"][0]["args"][0].as_str().unwrap().to_owned();
    let pods = spec["completions"].as_i64().unwrap();
    assert!(script.contains(&format!("\"$shard/{pods}\"")), "{script}");
    assert_eq!(spec["completionMode"].as_str(), Some("Indexed"));
    let codes = &spec["podFailurePolicy"]["rules"][0]["onExitCodes"];
    assert_eq!(codes["containerName"], spec["template"]["spec"]["containers"][0]["name"]);
    let volumes = spec["template"]["spec"]["volumes"].as_vec().unwrap();
    for mount in spec["template"]["spec"]["containers"][0]["volumeMounts"].as_vec().unwrap() {
        assert!(volumes.iter().any(|volume| volume["name"] == mount["name"]), "{mount:?}");
    }
}
