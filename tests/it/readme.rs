//! The documents match the program: their commands run, their flags exist, and their tables have the words of the code.
//!
//! A fenced block in the language `console` is run. Lines that begin with `$ ` are commands, the others are their
//! output in order (`…` stands for omitted lines; times, IDs and ports may differ). Blocks that need a tenant, or that
//! are not commands, are in the language `text`.

use crate::support::env;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use entra_revoke::event::StopReason;
use entra_revoke::outcome::{Outcome, OutcomeClass};
use entra_revoke::report::COLUMNS;
use regex::Regex;

const VERBS: [&str; 9] =
    ["run", "drill", "plan", "apply", "resume", "doctor", "report", "profiles", "simulator"];

/// Flags of other programs that the documents name.
const FLAGS_OF_OTHERS: [&str; 31] = [
    "--profile",
    "--bench",
    "--release",
    "--locked",
    "--resource",
    "--data-binary",
    "--no-deps",
    "--open",
    "--lib",
    "--nocapture",
    "--test-threads",
    "--parallel-max",
    "--no-default-features",
    "--api",
    "--api-permissions",
    "--append",
    "--body",
    "--cert",
    "--certificate",
    "--claims-challenge",
    "--id",
    "--method",
    "--name",
    "--parameters",
    "--query",
    "--resource-group",
    "--service-principal",
    "--tenant-id",
    "--url",
    "--username",
    "--yaml",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents, by path and text.
fn documents() -> Vec<(PathBuf, String)> {
    let folders = ["", "docs", "docs/adr", "docs/internals", "samples"];
    let files = folders.into_iter().flat_map(|name| fs::read_dir(root().join(name)).unwrap());
    let mut paths: Vec<PathBuf> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "md"))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The fenced blocks of a language, each with the line on which it begins.
fn blocks(text: &str, language: &str) -> Vec<(usize, Vec<String>)> {
    let mut blocks = Vec::new();
    let mut inside: Option<(bool, usize, Vec<String>)> = None;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut inside) {
            (Some(found), None) => inside = Some((found == language, at + 1, Vec::new())),
            (Some(_), Some(_)) => {
                let (wanted, begins, lines) = inside.take().unwrap();
                if wanted {
                    blocks.push((begins, lines));
                }
            }
            (None, Some((.., lines))) => lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    assert!(inside.is_none(), "a fenced block has no end");
    blocks
}

/// The cells of the first table whose header begins with this word.
fn table(text: &str, header: &str) -> Vec<Vec<String>> {
    let begins = format!("| {header} |");
    let lines = text.lines().skip_while(|line| !line.starts_with(&begins));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<String>> = rows
        .map(|line| {
            let line = line.trim_matches('|').replace("\\|", "\u{1}");
            line.split('|').map(|cell| cell.trim().trim_matches('`').replace('\u{1}', "|")).collect()
        })
        .collect();
    assert!(!rows.is_empty(), "there is no table of {header}");
    rows
}

fn first_cells(rows: &[Vec<String>]) -> Vec<&str> {
    rows.iter().map(|row| row[0].as_str()).collect()
}

#[test]
fn outcome_tables_match_the_code() {
    let name = "docs/outcomes.md";
    let rows = table(&document(name), "outcome");
    assert_eq!(first_cells(&rows), Outcome::ALL.map(Outcome::word), "{name}");
    for (row, outcome) in rows.iter().zip(Outcome::ALL) {
        let counts_as = match outcome.class() {
            OutcomeClass::Done => "done",
            OutcomeClass::NotDone => "not done",
            OutcomeClass::LeftOut => "left out",
        };
        assert_eq!(row[2], counts_as, "{name}: {outcome}");
    }
}

#[test]
fn exit_code_tables_are_complete() {
    let name = "docs/exit-codes.md";
    let rows = table(&document(name), "code");
    assert_eq!(first_cells(&rows), ["0", "1", "2", "3", "4", "5", "130", "143"], "{name}");
    let detail = String::new;
    let stops = [
        StopReason::Runtime { detail: detail() },
        StopReason::SignIn { detail: detail() },
        StopReason::Halt { detail: detail() },
        StopReason::MaxUsers { planned: 2, allowed: 1 },
        StopReason::Interrupted,
        StopReason::Terminated,
    ];
    for (stop, word) in
        stops.iter().zip(["could not go on", "sign-in", "--halt", "--max-users", "interrupted", "terminated"])
    {
        let code = stop.exit_code().to_string();
        let row = rows.iter().find(|row| row[0] == code).unwrap();
        assert!(row[1].contains(word), "{name}: {code} says nothing of {word:?}");
    }
}

#[test]
fn report_columns_are_documented_in_order() {
    let rows = table(&document("docs/run-folder.md").replace("## `plan.csv`", "## plan"), "column");
    assert_eq!(rows.len(), 15, "the plan's columns");
    let text = document("docs/run-folder.md");
    let (_, report) = text.split_once("## `report.csv`").unwrap();
    assert_eq!(first_cells(&table(report, "column")), COLUMNS);
}

#[test]
fn run_folder_files_are_documented() {
    let dir = tempfile::tempdir().unwrap();
    let done = program(dir.path()).args(["drill", "--users", "3", "-o", "none"]).output().unwrap();
    assert!(done.status.success());
    let folder = fs::read_dir(dir.path().join("runs")).unwrap().next().unwrap().unwrap().path();
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.collect();
    let name = "docs/run-folder.md";
    let rows = table(&document(name), "file");
    let told = rows.into_iter().map(|mut row| row.swap_remove(0));
    // It is there only where files were changed.
    let told: BTreeSet<String> = told.filter(|file| file != "manifest-1.json").collect();
    assert_eq!(told, files, "{name}");
    let plan = fs::read_to_string(folder.join("plan.csv")).unwrap();
    let rows = table(&document("docs/run-folder.md"), "column");
    assert_eq!(plan.lines().next().unwrap(), first_cells(&rows).join(","));
}

#[test]
fn documented_flags_exist_and_all_flags_are_documented() {
    let dir = tempfile::tempdir().unwrap();
    let long = Regex::new("--[a-z][a-z-]*[a-z]").unwrap();
    let mut known = BTreeSet::new();
    for verb in VERBS {
        let help = program(dir.path()).args([verb, "--help"]).output().unwrap();
        known.extend(
            long.find_iter(&String::from_utf8_lossy(&help.stdout)).map(|flag| flag.as_str().to_owned()),
        );
    }
    let mut told = BTreeSet::new();
    // That page has the flags of cargo.
    for (path, text) in documents().into_iter().filter(|(path, _)| !path.ends_with("CONTRIBUTING.md")) {
        for flag in long.find_iter(&text).map(|flag| flag.as_str()) {
            let exists = known.contains(flag) || FLAGS_OF_OTHERS.contains(&flag) || flag == "--version";
            assert!(exists, "{}: {flag} does not exist", path.display());
            told.insert(flag.to_owned());
        }
    }
    let untold: Vec<&String> = known.difference(&told).collect();
    assert!(untold.is_empty(), "no document tells of {untold:?}");
}

#[test]
fn documented_simulator_settings_are_valid() {
    let text = document("docs/simulator.md");
    let blocks = blocks(&text, "toml");
    assert_eq!(blocks.len(), 2, "the settings, and a directory");
    let toml = blocks[0].1.join("\n");
    let config = entra_revoke::simulator::Config::from_toml_str(&toml).unwrap();
    assert_eq!(config.faults.len(), 2);
    // The documented default is the default.
    let (defaults, _) = toml.split_once("[[fault]]").unwrap();
    let config = entra_revoke::simulator::Config::from_toml_str(defaults).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", entra_revoke::simulator::Config::default()));

    let directory = entra_revoke::simulator::Config::from_toml_str(&blocks[1].1.join("\n")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let started = runtime.block_on(entra_revoke::simulator::Simulator::start(directory));
    assert!(started.is_ok(), "{:?}", started.err());
}

#[test]
fn documented_yaml_is_valid() {
    let mut read = 0;
    for (path, text) in documents() {
        for (line, block) in blocks(&text, "yaml") {
            let parsed = yaml_rust2::YamlLoader::load_from_str(&block.join("\n"));
            let parsed = parsed.unwrap_or_else(|error| panic!("{}:{line}: {error}", path.display()));
            let says = |one: &yaml_rust2::Yaml| one.as_hash().is_some() || one.as_vec().is_some();
            assert!(parsed.iter().all(says), "{}:{line} says nothing", path.display());
            read += parsed.len();
        }
    }
    assert!(read >= 8, "only {read} were read");
}

#[test]
fn links_are_not_broken() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    for (path, text) in documents() {
        for target in link.captures_iter(&text).map(|found| found.get(1).unwrap().as_str()) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let there = fs::read_to_string(&file);
            let there = there.unwrap_or_else(|_| panic!("{}: {target} leads nowhere", path.display()));
            let heading = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            let found = anchor.is_empty()
                || there.lines().any(|line| line.starts_with('#') && heading(line) == anchor);
            assert!(found, "{}: {target} leads to no heading", path.display());
        }
    }
}

/// Without the config file of the account that runs the tests.
fn homeless(command: &mut Command, dir: &Path) {
    for name in ["HOME", "USERPROFILE", "XDG_CONFIG_HOME", "APPDATA"] {
        command.env(name, dir);
    }
}

/// The binary, in a folder, without this machine's environment.
fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entra-revoke"));
    env::remove_sign_in_variables(&mut command);
    homeless(&mut command, dir);
    command.current_dir(dir);
    command
}

#[cfg(unix)]
mod commands {
    use super::*;
    use std::net::TcpListener;
    use std::process::Stdio;

    /// The port that documents show.
    const PORT: &str = "127.0.0.1:8080";

    #[test]
    fn documented_commands_print_the_documented_output() {
        let mut ran = 0;
        for (path, text) in documents() {
            for (line, block) in blocks(&text, "console") {
                if let Some(missing) = missing_tool(&block) {
                    eprintln!("{}:{line} is not run: there is no {missing} here", path.display());
                    continue;
                }
                check(&format!("{}:{line}", path.display()), &block);
                ran += 1;
            }
        }
        assert!(ran >= 4, "only {ran} blocks ran");
    }

    /// The command lines of the page for incidents.
    fn lines_of_incident() -> Vec<String> {
        let text = document("docs/incident.md");
        let lines: Vec<String> = blocks(&text, "text").into_iter().flat_map(|(_, lines)| lines).collect();
        assert!(lines.iter().all(|line| line.contains("entra-revoke ")), "a line is no command: {lines:#?}");
        lines
    }

    /// Runs a line in a folder, and gives its exit code and what it printed.
    fn sh(dir: &Path, line: &str) -> (Option<i32>, String) {
        let bin = dir.join(".bin");
        fs::create_dir_all(&bin).unwrap();
        let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_entra-revoke"), bin.join("entra-revoke"));
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(dir).env("PATH", path).stdin(Stdio::null());
        env::remove_sign_in_variables(&mut shell);
        homeless(&mut shell, dir);
        let done = shell.env("NO_PROXY", "127.0.0.1").output().unwrap();
        let printed =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        (done.status.code(), printed)
    }

    /// Whom `--protect` names in a drill's tenant: accounts as they are, a role's holders as a drill finds them.
    fn protected(dir: &Path, line: &str) -> Vec<String> {
        let entries = Regex::new(r#"--protect ("[^"]+"|\S+)"#).unwrap();
        let entries = entries.captures_iter(line).map(|found| found[1].trim_matches('"').to_owned());
        let holders = |role: &str| {
            let drill = format!("entra-revoke drill --role '{role}' --dry-run -o csv 2> /dev/null");
            let upn = Regex::new(r"[a-z0-9]+@drill\.example").unwrap();
            let (_, printed) = sh(dir, &drill);
            upn.find_iter(&printed).map(|found| found.as_str().to_owned()).collect::<BTreeSet<_>>()
        };
        let people = entries.flat_map(|entry| match entry.strip_prefix("role:") {
            Some(role) => holders(role).into_iter().collect(),
            None => vec![entry],
        });
        people.collect()
    }

    /// What a run's report says, by user principal name: the outcome, and the object id where it is known.
    fn outcomes(dir: &Path) -> Vec<(String, String, String)> {
        let folder = fs::read_dir(dir.join("runs")).unwrap().next().unwrap().unwrap().path();
        let mut report = csv::Reader::from_path(folder.join("report.csv")).unwrap();
        let headers = report.headers().unwrap().clone();
        let at = |name: &str| headers.iter().position(|header| header == name).unwrap();
        let (name, outcome, id) = (at("user_principal_name"), at("outcome"), at("user_id"));
        let rows = report.records().map(|row| row.unwrap());
        rows.map(|row| (row[name].to_lowercase(), row[outcome].to_owned(), row[id].to_owned())).collect()
    }

    fn journal(dir: &Path) -> String {
        let folder = fs::read_dir(dir.join("runs")).unwrap().next().unwrap().unwrap().path();
        fs::read_to_string(folder.join("journal.jsonl")).unwrap()
    }

    /// Drills a line of the page: it does what it says, and no protected user is sent.
    fn drill(line: &str) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("alice.txt"), "user00012@drill.example\n").unwrap();
        let wanted = protected(dir.path(), line);
        assert_eq!(wanted.is_empty(), !line.contains("--protect"), "{line}");
        let (code, printed) = sh(dir.path(), &line.replace("entra-revoke run", "entra-revoke drill"));
        let guests = ["Guest", "--guests-only"].iter().any(|word| line.contains(word));
        let guests = guests || (line.contains("--all-users") && !line.contains("--members-only"));
        assert_eq!(code, Some(if guests { 3 } else { 0 }), "{line}\n{printed}");
        let (rows, journal) = (outcomes(dir.path()), journal(dir.path()));
        assert!(journal.contains(r#""event":"sent""#), "{line}: nobody was sent");
        for name in &wanted {
            let theirs: Vec<_> = rows.iter().filter(|(upn, ..)| upn == name).collect();
            assert!(!theirs.is_empty(), "{line}: {name} is not even chosen");
            for (_, outcome, id) in theirs {
                assert_eq!(outcome, "protected", "{line}: {name}");
                assert!(!id.is_empty() && !journal.contains(id.as_str()), "{line}: {name} was sent");
            }
        }
    }

    #[test]
    fn commands_of_the_incident_page_work() {
        let lines = lines_of_incident();
        let runs: Vec<&String> = lines.iter().filter(|line| line.contains("entra-revoke run ")).collect();
        assert!(runs.len() >= 10, "two for each of the five situations: {runs:#?}");
        std::thread::scope(|scope| {
            for line in &runs {
                scope.spawn(|| drill(line));
            }
        });
    }

    #[test]
    fn the_incident_page_plans_and_applies() {
        let lines = lines_of_incident();
        let line = |verb: &str| {
            let mut found = lines.iter().filter(|line| line.starts_with(&format!("entra-revoke {verb} ")));
            found.next().unwrap_or_else(|| panic!("the page has no line with {verb}")).clone()
        };
        let (plan, apply) = (line("plan"), line("apply"));
        assert!(apply.ends_with("--expect-sha256 …"), "{apply}");
        // The hash and the number are what `plan` printed; a person types the number.
        let hash = apply.replace('…', "$(sed -n 's/^SHA-256 *//p' said)");
        let number = "$(sed -n 's/^  users *//p' said)";
        let protected = protected(tempfile::tempdir().unwrap().path(), &plan).len();
        assert!(protected > 0, "{plan}");
        let block = format!(
            r#"$ printf '[token]\nroles = ["User.RevokeSessions.All", "User.Read.All", "RoleManagement.Read.Directory"]\n' > app.toml
$ entra-revoke simulator --listen {PORT} --config app.toml --users 300 --domain drill.example &
listening on http://{PORT}
$ ENTRA_REVOKE_TOKEN=any {plan} --graph-url http://{PORT} 2>&1 | tee said
…
Plan     plan.json
$ ENTRA_REVOKE_TOKEN=any {hash} --yes-i-mean {number} --graph-url http://{PORT} --no-progress
$ echo $?
0
$ grep -c ',protected,' runs/*/report.csv
{protected}"#
        );
        let block: Vec<String> = block.lines().map(str::to_owned).collect();
        check("docs/incident.md, plan and apply", &block);
    }

    /// A program that the block needs and this machine does not have.
    fn missing_tool(block: &[String]) -> Option<&'static str> {
        let needed =
            ["curl", "sha256sum"].into_iter().find(|tool| block.iter().any(|line| line.contains(tool)))?;
        Command::new(needed).arg("--version").output().is_err().then_some(needed)
    }

    /// Runs a block in a folder that has the samples, and compares.
    fn check(place: &str, block: &[String]) {
        let dir = tempfile::tempdir().unwrap();
        let samples = dir.path().join("samples");
        fs::create_dir(&samples).unwrap();
        for entry in fs::read_dir(root().join("samples")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), samples.join(entry.file_name())).unwrap();
        }
        let bin = dir.path().join(".bin");
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_entra-revoke"), bin.join("entra-revoke")).unwrap();

        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let commands: Vec<String> =
            block.iter().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect();
        assert!(!commands.is_empty(), "{place}: no command begins with `$ `");
        let script = script(&commands).replace(PORT, &port).replace("cargo run --release --", "entra-revoke");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(dir.path()).env("PATH", path).stdin(Stdio::null());
        env::remove_sign_in_variables(&mut shell);
        homeless(&mut shell, dir.path());
        shell.env("NO_PROXY", "127.0.0.1").env("LC_ALL", "C");
        let output = shell.output().unwrap();
        let output = String::from_utf8_lossy(&output.stdout);
        let printed: Vec<Vec<String>> =
            output.split("@@@@\n").skip(1).map(|part| part.lines().map(plain).collect()).collect();
        assert_eq!(printed.len(), commands.len(), "{place}: {output}");
        for (printed, shown) in printed.iter().zip(shown(block)) {
            let mut rest = printed.iter();
            for line in shown.iter().filter(|line| *line != "…").map(|line| plain(line)) {
                assert!(
                    rest.any(|printed| *printed == line),
                    "{place}: shown and not printed there: {line:?}\nprinted: {printed:#?}"
                );
            }
        }
    }

    /// The commands one after the other, each behind a mark, with the exit code of the one before. What runs beside
    /// the others is waited for until it listens, and ended at the end.
    fn script(commands: &[String]) -> String {
        let mut script =
            "exec 2>&1\nbeside=\ntrap '[ -z \"$beside\" ] || kill $beside' EXIT\ncode=0\n".to_owned();
        for command in commands {
            script.push_str("echo @@@@\n");
            match command.strip_suffix(" &") {
                Some(command) => script.push_str(&format!(
                    "{command} > .beside 2>&1 &\nbeside=\"$beside $!\"\nn=0\nuntil grep -q listening .beside || [ $n -gt 100 ]; do sleep 0.1; \
                     n=$((n + 1)); done\ncat .beside\n"
                )),
                None => script.push_str(&format!("( (exit $code); {command} )\ncode=$?\n")),
            }
        }
        script
    }

    /// What is shown below each command.
    fn shown(block: &[String]) -> Vec<Vec<String>> {
        let mut shown: Vec<Vec<String>> = Vec::new();
        for line in block {
            match shown.last_mut() {
                _ if line.starts_with("$ ") => shown.push(Vec::new()),
                Some(lines) => lines.push(line.clone()),
                None => panic!("{line:?} stands before any command"),
            }
        }
        shown
    }

    /// The line without what differs from run to run.
    fn plain(line: &str) -> String {
        let mut line = line.trim_end().to_owned();
        for (pattern, word) in [
            (r"runs/\d{8}T\d{6}Z-[0-9a-f]{8}", "runs/RUN"),
            (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
            (r"^Took [0-9a-z. ]+, (\d+ requests?)\b.*", "Took TIME, $1"),
            (r"[\d,]+ [GM]iB free", "ROOM free"),
            (r"in 59m\d\ds \([^)]*\)", "in TIME"),
            (r"\b\d+ ms\b", "N ms"),
            (r"for \w+-\w+; TLS", "for MACHINE; TLS"),
        ] {
            line = Regex::new(pattern).unwrap().replace_all(&line, word).into_owned();
        }
        line
    }
}
