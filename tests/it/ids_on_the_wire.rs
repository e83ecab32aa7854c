//! Graph gets each user ID exactly as it was given, whatever characters it contains.

use std::collections::BTreeSet;

use crate::ctx::TestContext;
use entra_revoke::user_id::UserId;
use proptest::prelude::*;

const NASTY: [&str; 6] = [
    "a_b.com#EXT#@contoso.com",
    "$dollar@contoso.com",
    "$o'brien#x@contoso.com",
    "o'brien@contoso.com",
    "x!^~-_.y@contoso.com",
    "t'hooft@contoso.com",
];

/// What no user principal name is, and what is meant where that is plain.
const IMPOSSIBLE: [(&str, &str); 17] = [
    ("a+b@contoso.com", ""),
    ("åsa.öberg@contoso.com", ""),
    ("日本@contoso.com", ""),
    ("100%25@contoso.com", ""),
    ("a/../b@contoso.com", ""),
    ("a?b=c&d@contoso.com", ""),
    ("x*@contoso.com", ""),
    ("..@contoso.com", ""),
    ("ann@contoso", ""),
    ("o’brien@contoso.com", "did you mean o'brien@contoso.com?"),
    ("ann–lee@contoso.com", "did you mean ann-lee@contoso.com?"),
    ("ann@contoso.com.", "did you mean ann@contoso.com?"),
    ("an\u{2800}n@contoso.com", "did you mean ann@contoso.com?"),
    ("mailto:ann@contoso.com", "did you mean ann@contoso.com? (--resolve looks it up)"),
    ("Ann Lee <ann@contoso.com>", "did you mean ann@contoso.com? (--resolve looks it up)"),
    ("i:0#.f|membership|ann@contoso.com", "did you mean ann@contoso.com?"),
    ("AzureAD\\ann@contoso.com", "did you mean ann@contoso.com?"),
];

#[test]
fn impossible_ids_are_never_sent() {
    let ctx = TestContext::new("");
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(["UPN", "n"]).unwrap();
    IMPOSSIBLE.iter().for_each(|(id, _)| file.write_record([*id, "1"]).unwrap());
    for quoted in ["“ann@contoso.com”", "'bob@contoso.com'", "«carl@contoso.com»"] {
        file.write_record([quoted, "1"]).unwrap();
    }
    let input = ctx.input("users.csv", file.into_inner().unwrap());
    ctx.run(&input, &["--column", "UPN"]).exits(3);
    let arrived: BTreeSet<String> = ctx.ledger().users.into_iter().map(|user| user.id).collect();
    assert_eq!(arrived, ["ann", "bob", "carl"].map(|name| format!("{name}@contoso.com")).into());
    let rows = ctx.run_folder().rows();
    for (at, (id, meant)) in IMPOSSIBLE.iter().enumerate() {
        let row = rows.iter().find(|row| row["line"] == (at + 2).to_string()).unwrap();
        assert_eq!(row["outcome"], "invalid", "{id}: {row:?}");
        assert!(row["detail"].contains(meant), "{id}: {}", row["detail"]);
        assert!(!meant.is_empty() || !row["detail"].contains("did you mean"), "{id}: {}", row["detail"]);
    }
}

#[test]
fn an_unusual_id_is_revoked_if_the_directory_has_it() {
    let toml = "[token]\nroles = [\"User.RevokeSessions.All\", \"User.Read.All\"]\n[directory]\ndomain = \"contoso.example\"\n\
                [[directory.user]]\nupn = \"o'neil+x@contoso.example\"\n[[directory.user]]\nupn = \"ann@contoso.example\"\n";
    let ctx = TestContext::new(toml);
    let input = ctx
        .input("users.txt", "o'neil+x@contoso.example\nann+x@contoso.example\nmailto:ann@contoso.example\n");
    ctx.run(&input, &[]).exits(3);
    let sent = |ctx: &TestContext| -> BTreeSet<String> {
        ctx.ledger().users.into_iter().filter(|user| user.requests > 0).map(|user| user.id).collect()
    };
    assert_eq!(sent(&ctx), ["o'neil+x@contoso.example".to_owned()].into());
    let rows = ctx.run_folder().rows();
    let detail = &rows.iter().find(|row| row["input"] == "ann+x@contoso.example").unwrap()["detail"];
    assert!(detail.contains("has no such user") && detail.contains("can't contain '+'"), "{detail}");
    let wrapped = ctx.input("wrapped.txt", "mailto:ann@contoso.example\nAzureAD\\ann@contoso.example\n");
    ctx.run(&wrapped, &["--resolve", "--output-dir", "again"]).exits(0);
    assert!(sent(&ctx).contains("ann@contoso.example"));
}

#[test]
fn difficult_ids_arrive_unchanged() {
    let ctx = TestContext::new("");
    let guid = "0785EF7C-1C1B-4FF4-9AB1-1A2B3C4D5E6F";
    let mut text: String = NASTY.iter().map(|id| format!("{id}\n")).collect();
    text.push_str(&format!("{{{guid}}}\njo e@contoso.com\na@b@contoso.com\n"));
    let input = ctx.input("users.txt", text);
    ctx.run(&input, &["--accept", "accepted_no_effect"]).exits(3);
    let ledger = ctx.ledger();
    let mut expected: BTreeSet<String> = NASTY.iter().map(|id| (*id).to_owned()).collect();
    expected.insert(guid.to_lowercase());
    let arrived: BTreeSet<String> = ledger.users.iter().map(|user| user.id.clone()).collect();
    assert_eq!(arrived, expected);
    let stats = &ledger.stats;
    assert_eq!(stats.revocations, expected.len() as u64, "each was sent once");
    // The one read finds out whether users can be looked up.
    assert_eq!((stats.reads, stats.requests), (1, stats.revocations + 1), "nothing else was asked");
    let folder = ctx.run_folder();
    let invalid = folder.rows().iter().filter(|row| row["outcome"] == "invalid").count();
    assert_eq!(invalid, 2);
    for id in NASTY {
        let row = folder.row(id);
        let word = if id.contains("#EXT#") { "accepted_no_effect" } else { "revoked" };
        assert_eq!(row["outcome"], word, "{row:#?}");
        assert_eq!(
            row["client_request_id"],
            *ledger.user(id).unwrap().last_client_request_id.as_ref().unwrap()
        );
    }
}

#[test]
fn random_ids_arrive_unchanged() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let name = "[!-~]{1,20}@[a-z]{1,8}\\.[a-z]{2}";
    let names: BTreeSet<String> = std::iter::repeat_with(|| {
        let tree = name.new_tree(&mut runner).unwrap();
        proptest::strategy::ValueTree::current(&tree)
    })
    .filter(|name| UserId::parse_lenient(name).is_ok_and(|id| id.to_string() == *name && id.check().is_ok()))
    .map(|name| name.to_lowercase())
    .take(100)
    .collect();
    let ctx = TestContext::new("");
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(["upn", "n"]).unwrap();
    names.iter().for_each(|name| file.write_record([name.as_str(), "1"]).unwrap());
    let input = ctx.input("users.csv", file.into_inner().unwrap());
    ctx.run(&input, &["--column", "upn", "--accept", "accepted_no_effect"]).exits(0);
    let arrived: BTreeSet<String> = ctx.ledger().users.iter().map(|user| user.id.clone()).collect();
    assert_eq!(arrived, names);
}

proptest! {
    /// One segment, or a quoted key: nothing in an id ends the path, climbs in it or begins a query.
    #[test]
    fn an_id_stays_in_one_url_segment(text in "\\PC{1,40}@\\PC{1,20}") {
        if let Ok(id) = text.parse::<UserId>() {
            let path = id.request_path();
            let url = reqwest::Url::parse(&format!("http://graph.test/v1.0/{path}/revokeSignInSessions")).unwrap();
            prop_assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
            let segments: Vec<&str> = url.path_segments().unwrap().collect();
            let key = match segments[..] {
                ["v1.0", "users", key, "revokeSignInSessions"] => key.to_owned(),
                ["v1.0", quoted, "revokeSignInSessions"] => {
                    let key = quoted.strip_prefix("users('").and_then(|rest| rest.strip_suffix("')"));
                    key.expect("a quoted key").replace("''", "'")
                }
                _ => return Err(TestCaseError::fail(url.to_string())),
            };
            let decoded = percent_encoding::percent_decode_str(&key).decode_utf8().unwrap();
            prop_assert_eq!(decoded.as_ref(), text.trim());
        }
    }
}
