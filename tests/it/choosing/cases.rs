//! Inputs from practice: lists of users as they really look, and which users are revoked for each.
//!
//! `tests/fixtures/cases/*.json` contain lists of cases. Each case is `run FILE --tenant … --yes ARGS` against a Graph
//! on loopback. The token is a ready one with only the permission to revoke, or with the permissions in `simulator`.
//!
//! | key | what must be true |
//! | --- | --- |
//! | `exits` | the exit code is one of these |
//! | `revoked` | exactly these users were revoked |
//! | `revoked_at_least`, `only`, `never`, `min_revoked` | at least these; no others; none of these; a minimum number |
//! | `says` | the output matches this regular expression |
//! | `any_of` | in addition to all others, one of these sets of conditions |

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::Regex;
use serde_json::{Value, json};

use crate::ctx::{CommandResult, TestContext};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// How a case came out.
struct CaseResult {
    done: CommandResult,
    revoked: BTreeSet<String>,
}

/// Texts of a list, in small letters: that is how users are compared.
fn texts(list: &Value) -> BTreeSet<String> {
    let texts = list.as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("a text").to_ascii_lowercase()).collect()
}

/// Plays a case in a folder that holds its files.
fn play(case: &Value) -> CaseResult {
    let config = case["simulator"]
        .as_str()
        .map(|name| String::from_utf8(read(name)).expect("TOML"))
        .unwrap_or_default();
    let parsed: toml::Table = config.parse().expect("a configuration");
    let alone = toml::Value::from(vec!["User.RevokeSessions.All"]);
    let roles = parsed.get("token").and_then(|token| token.get("roles")).unwrap_or(&alone);
    let claims = json!({ "tid": TENANT, "idtyp": "app", "roles": roles });
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));

    let ctx = TestContext::new(&config);
    let args: Vec<&str> =
        case["args"].as_array().into_iter().flatten().map(|arg| arg.as_str().expect("a text")).collect();
    let file = case["file"].as_str().expect("a file");
    for name in args.iter().copied().chain([file]).filter(|name| fixture(name).is_file()) {
        ctx.input(name, read(name));
    }
    let mut command = ctx.command("run");
    command.env("ENTRA_REVOKE_TOKEN", token).args([file, "--tenant", TENANT]).args(args);
    let done = ctx.finish(&mut command);
    let users = ctx.ledger().users.into_iter().filter(|user| user.effects > 0);
    CaseResult { done, revoked: users.map(|user| user.id.to_ascii_lowercase()).collect() }
}

/// The conditions of this set that do not hold, in words.
fn broken(conditions: &Value, came: &CaseResult) -> Vec<String> {
    let mut broken = Vec::new();
    for (key, value) in conditions.as_object().expect("conditions") {
        let is = &came.revoked;
        let holds = match key.as_str() {
            "file" | "args" | "simulator" | "why" => true,
            "exits" => value
                .as_array()
                .expect("a list")
                .iter()
                .any(|code| code.as_i64() == came.done.code.map(i64::from)),
            "revoked" => *is == texts(value),
            "revoked_at_least" => is.is_superset(&texts(value)),
            "only" => is.is_subset(&texts(value)),
            "never" => is.is_disjoint(&texts(value)),
            "min_revoked" => is.len() as u64 >= value.as_u64().expect("a number"),
            "says" => {
                let pattern = Regex::new(value.as_str().expect("a text")).expect("a pattern");
                pattern.is_match(&came.done.stdout) || pattern.is_match(&came.done.stderr)
            }
            "any_of" => {
                value.as_array().expect("a list").iter().any(|set| self::broken(set, came).is_empty())
            }
            _ => panic!("a case has an unknown key: {key}"),
        };
        if !holds {
            broken.push(format!("{key} = {value}"));
        }
    }
    broken
}

/// All cases of a file that do not hold, each with what it came to.
fn failing(list: &str) -> Vec<String> {
    let cases: Value = serde_json::from_slice(&read(list)).expect("a list of cases");
    let cases = cases.as_array().expect("a list of cases").iter();
    let failure = |case: &Value| {
        let came = play(case);
        let broken = broken(case, &came);
        let said: String = came.done.stderr.lines().take(4).map(|line| format!("    {line}\n")).collect();
        let head = format!("{} {}: {}", case["file"], case["args"], case["why"]);
        let (code, revoked) = (came.done.code, came.revoked);
        (!broken.is_empty()).then(|| {
            let not = broken.join("; ");
            format!("{head}\n  does not hold: {not}\n  exit code {code:?}, revoked {revoked:?}\n{said}")
        })
    };
    cases.filter_map(failure).collect()
}

#[test]
fn every_recorded_input_gives_the_expected_result() {
    let failing: Vec<String> = ["cases.json", "further.json"].into_iter().flat_map(failing).collect();
    assert!(failing.is_empty(), "{} cases do not hold:\n\n{}", failing.len(), failing.join("\n"));
}
