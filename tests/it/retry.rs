//! Which answers are retried, how often, and which outcome they lead to: the complete table, over sockets.

use crate::ctx;

use std::collections::BTreeSet;
use std::net::TcpListener;

use crate::ctx::{RunDir, TestContext};
use crate::support::plain_server::{response, serve};

/// A kind of answer: its name, its fault (TOML), what a user comes to who gets nothing else, and whether it is tried
/// again.
struct Case {
    name: &'static str,
    fault: &'static str,
    repeated: bool,
    outcome: &'static str,
    status: &'static str,
    code: &'static str,
}

const fn case(
    name: &'static str,
    fault: &'static str,
    repeated: bool,
    outcome: &'static str,
    status: &'static str,
    code: &'static str,
) -> Case {
    Case { name, fault, repeated, outcome, status, code }
}

const AGAIN: bool = true;
const ONCE: bool = false;

const CASES: &[Case] = &[
    case("timeout", "answer = 408", AGAIN, "failed", "408", "UnknownError"),
    case("violation", "answer = 409", AGAIN, "failed", "409", "Directory_ConcurrencyViolation"),
    case("locked", "answer = 423", AGAIN, "failed", "423", "resourceLocked"),
    case("internal", "answer = 500", AGAIN, "failed", "500", "InternalServerError"),
    case("gateway", "answer = 502", AGAIN, "failed", "502", "UnknownError"),
    case("unavailable", "answer = 503", AGAIN, "failed", "503", "serviceNotAvailable"),
    case("slow", "answer = 504", AGAIN, "failed", "504", "GatewayTimeout"),
    case("storage", "answer = 507", AGAIN, "failed", "507", "quotaLimitReached"),
    case("bandwidth", "answer = 509", AGAIN, "failed", "509", "activityLimitReached"),
    case("unknown", "answer = 520\nbody = 'html'\nrequest_id = false", AGAIN, "failed", "520", ""),
    case("origin-slow", "answer = 522", AGAIN, "failed", "522", "UnknownError"),
    case("origin-late", "answer = 524\nbody = 'empty'", AGAIN, "failed", "524", ""),
    case("origin-lost", "answer = 530", AGAIN, "failed", "530", "UnknownError"),
    case("html502", "answer = 502\nbody = 'html'\nrequest_id = false", AGAIN, "failed", "502", ""),
    case("empty500", "answer = 500\nbody = 'empty'", AGAIN, "failed", "500", ""),
    case("half500", "answer = 500\nbody = 'truncated'", AGAIN, "failed", "500", ""),
    case(
        "odd-type",
        "answer = 503\ncontent_type = 'text/html'",
        AGAIN,
        "failed",
        "503",
        "serviceNotAvailable",
    ),
    case("camel", "answer = 504\ninner = 'innerError'", AGAIN, "failed", "504", "GatewayTimeout"),
    case("lower", "answer = 504\ninner = 'innererror'", AGAIN, "failed", "504", "GatewayTimeout"),
    case("bare", "answer = 504\ninner = 'none'", AGAIN, "failed", "504", "GatewayTimeout"),
    case("no-code", "answer = 500\ncode = ''", AGAIN, "failed", "500", ""),
    case("reset-before", "answer = 'reset-before'", AGAIN, "failed", "", "connection_broken"),
    case("reset-after", "answer = 'reset-after'", AGAIN, "failed", "", "connection_broken"),
    case("portal", "answer = 'portal'", AGAIN, "failed", "200", ""),
    case("portal204", "answer = 'portal-204'", AGAIN, "failed", "204", ""),
    case("false", "answer = 'ok-false'", AGAIN, "failed", "200", ""),
    case("cut", "answer = 'truncated-success'", AGAIN, "failed", "200", ""),
    case(
        "error200",
        r#"answer = 200
           effect = false
           body = '{"error":{"code":"Oops","message":"no"}}'"#,
        AGAIN,
        "failed",
        "200",
        "Oops",
    ),
    case(
        "text200",
        "answer = 200\neffect = false\nbody = 'ok'\nrequest_id = false",
        AGAIN,
        "failed",
        "200",
        "",
    ),
    case("found", "answer = 302", AGAIN, "failed", "302", "UnknownError"),
    case("moved", "answer = 307", AGAIN, "failed", "307", "UnknownError"),
    case("conflict", "answer = '409-other'", ONCE, "rejected", "409", "Request_Conflict"),
    case("bad", "answer = 400", ONCE, "rejected", "400", "BadRequest"),
    case("denied", "answer = 403", ONCE, "forbidden", "403", "Authorization_RequestDenied"),
    case("denied-html", "answer = 403\nbody = 'html'", ONCE, "forbidden", "403", ""),
    case("gone", "answer = 404", ONCE, "not_found", "404", "Request_ResourceNotFound"),
    case(
        "gone-lower",
        "answer = 404\ninner = 'innererror'",
        ONCE,
        "not_found",
        "404",
        "Request_ResourceNotFound",
    ),
    case("gone-html", "answer = 404\nbody = 'html'", ONCE, "rejected", "404", ""),
    case("gone-empty", "answer = 404\nbody = 'empty'", ONCE, "rejected", "404", ""),
    case(
        "gone-other",
        "answer = 404\ncode = 'ResourceNotFound'",
        ONCE,
        "rejected",
        "404",
        "ResourceNotFound",
    ),
    case("method", "answer = 405", ONCE, "rejected", "405", "UnknownError"),
    case("length", "answer = 411", ONCE, "rejected", "411", ""),
    case("teapot", "answer = 418", ONCE, "rejected", "418", "UnknownError"),
    case("missing", "answer = 501", ONCE, "failed", "501", "notSupported"),
    case("version", "answer = 505", ONCE, "failed", "505", "UnknownError"),
];

/// Users for whom each case ends after this many times, as an input and as the simulator's faults.
fn cast(prefix: &str, cases: &[&Case], times: Option<u32>) -> (String, String) {
    let mut users = String::new();
    let mut faults = String::new();
    for case in cases {
        let times = times.map(|times| format!("times = {times}\n")).unwrap_or_default();
        users.push_str(&format!("{prefix}-{}@contoso.com\n", case.name));
        faults.push_str(&format!(
            "[[fault]]\nmatch = '{prefix}-{}@contoso.com'\n{times}{}\n",
            case.name, case.fault
        ));
    }
    (users, faults)
}

/// The report's count of attempts, and its last id, are what the simulator saw.
#[track_caller]
fn agrees_with_ledger(ctx: &TestContext, folder: &RunDir) {
    let ledger = ctx.ledger();
    for row in folder.rows() {
        let seen =
            ledger.user(&row["user_id"]).unwrap_or_else(|| panic!("{} was never sent", row["user_id"]));
        assert_eq!(row["attempts"], seen.requests.to_string(), "{row:#?}");
        assert_eq!(Some(&row["client_request_id"]), seen.last_client_request_id.as_ref(), "{row:#?}");
    }
    assert_eq!(ledger.stats.duplicate_client_request_ids, 0);
    assert_eq!(ledger.stats.missing_client_request_ids, 0);
    assert_eq!(ledger.stats.redirects_followed, 0);
    assert_eq!(ledger.stats.early, 0);
}

#[test]
fn each_lasting_failure_has_its_outcome() {
    let all: Vec<&Case> = CASES.iter().collect();
    let (users, faults) = cast("n", &all, None);
    let ctx = TestContext::new(&faults);
    let input = ctx.input("users.txt", users);
    ctx.run(&input, &["--retries", "1", "--batch-size", "1"]).exits(3);
    let folder = ctx.run_folder();
    for case in CASES {
        let row = folder.row(&format!("n-{}@contoso.com", case.name));
        let found = [&row["outcome"], &row["http_status"], &row["error_code"], &row["attempts"]];
        let attempts = if case.repeated { "2" } else { "1" };
        assert_eq!(found, [case.outcome, case.status, case.code, attempts], "{}: {row:#?}", case.name);
    }
    agrees_with_ledger(&ctx, &folder);
}

#[test]
fn a_passing_failure_is_retried() {
    let repeated: Vec<&Case> = CASES.iter().filter(|case| case.repeated).collect();
    let (users, faults) = cast("h", &repeated, Some(1));
    let ctx = TestContext::new(&faults);
    let input = ctx.input("users.txt", users);
    ctx.run(&input, &["--retries", "1", "--batch-size", "1"]).exits(0);
    let folder = ctx.run_folder();
    for row in folder.rows() {
        let found = [&row["outcome"], &row["http_status"], &row["error_code"], &row["attempts"]];
        assert_eq!(found, ["revoked", "200", "", "2"], "{row:#?}");
        assert_ne!(row["request_id"], "", "{row:#?}");
    }
    agrees_with_ledger(&ctx, &folder);
}

#[test]
fn retries_do_not_include_the_first_attempt() {
    let faults = "[[fault]]\nmatch = 'twice@*'\nanswer = 500\ntimes = 2\n\
                  [[fault]]\nmatch = 'thrice@*'\nanswer = 500\ntimes = 3\n";
    let ctx = TestContext::new(faults);
    let input = ctx.input("users.txt", "twice@contoso.com\nthrice@contoso.com\n");
    ctx.run(&input, &["--retries", "2"]).exits(3);
    let folder = ctx.run_folder();
    let told = |user: &str| {
        let row = folder.row(user);
        (row["outcome"].clone(), row["attempts"].clone())
    };
    assert_eq!(told("twice@contoso.com"), ("revoked".into(), "3".into()));
    assert_eq!(told("thrice@contoso.com"), ("failed".into(), "3".into()));
    agrees_with_ledger(&ctx, &folder);
}

#[test]
fn without_retries_there_is_one_attempt() {
    let ctx = TestContext::new("[[fault]]\nmatch = 'a@*'\nanswer = 503\ntimes = 1\n");
    let input = ctx.input("users.txt", "a@contoso.com\nb@contoso.com\n");
    ctx.run(&input, &["--retries", "0", "--batch-size", "1"]).exits(3);
    let folder = ctx.run_folder();
    assert_eq!(folder.row("a@contoso.com")["outcome"], "failed");
    assert_eq!(folder.row("b@contoso.com")["outcome"], "revoked");
    agrees_with_ledger(&ctx, &folder);
}

#[test]
fn a_timeout_leaves_a_user_in_doubt() {
    let ctx = TestContext::new(
        r"
        [[fault]]
        match = 'before@*'
        answer = 'hang-before'
        [[fault]]
        match = 'after@*'
        answer = 'hang-after'
        [[fault]]
        match = 'heals@*'
        answer = 'hang-after'
        times = 1
        [[fault]]
        match = 'drips@*'
        answer = 'drip'
        delay = '1s'
        ",
    );
    let users = "before@contoso.com\nafter@contoso.com\nheals@contoso.com\ndrips@contoso.com\n";
    let input = ctx.input("users.txt", users);
    ctx.run(&input, &["--retries", "1", "--timeout", "600ms"]).exits(3);
    let folder = ctx.run_folder();
    for user in ["before@contoso.com", "after@contoso.com", "drips@contoso.com"] {
        let row = folder.row(user);
        let found = [&row["outcome"], &row["http_status"], &row["error_code"], &row["attempts"]];
        assert_eq!(found, ["in_doubt", "", "timed_out", "2"], "{row:#?}");
    }
    let healed = folder.row("heals@contoso.com");
    assert_eq!((healed["outcome"].as_str(), healed["attempts"].as_str()), ("revoked", "2"));
    agrees_with_ledger(&ctx, &folder);
    let effects = |user: &str| ctx.ledger().user(user).map(|user| user.effects);
    assert_eq!(effects("before@contoso.com"), Some(0));
    assert_eq!(effects("after@contoso.com"), Some(2), "in doubt means that it may have happened");
}

#[test]
fn a_refusal_after_a_timeout_settles_the_user() {
    let ctx = TestContext::new(
        "[[fault]]\nanswer = 'hang-before'\ntimes = 1\n[[fault]]\nanswer = 403\nmatch = 'a@*'\n",
    );
    let input = ctx.input("users.txt", "a@contoso.com\n");
    ctx.run(&input, &["--retries", "1", "--timeout", "400ms"]).exits(3);
    let row = ctx.run_folder().row("a@contoso.com");
    assert_eq!([&row["outcome"], &row["http_status"], &row["attempts"]], ["forbidden", "403", "2"]);
}

#[test]
fn every_form_of_success_counts() {
    for success in ["boolean", "no_content", "odd"] {
        let ctx =
            TestContext::new(&format!("success = '{success}'\n[[fault]]\nmatch = 'later@*'\nanswer = 202\n"));
        let input = ctx.input("users.txt", "a@contoso.com\nlater@contoso.com\n");
        ctx.run(&input, &["--batch-size", "1"]).exits(0);
        let folder = ctx.run_folder();
        let status = if success == "no_content" { "204" } else { "200" };
        let row = folder.row("a@contoso.com");
        assert_eq!([&row["outcome"], &row["http_status"]], ["revoked", status], "{success}");
        assert_eq!(folder.row("later@contoso.com")["outcome"], "revoked", "{success}");
        agrees_with_ledger(&ctx, &folder);
    }
}

#[test]
fn a_retry_honours_retry_after() {
    let ctx = TestContext::new("[[fault]]\nanswer = 503\ntimes = 1\nretry_after = '1.2'\n");
    let input = ctx.input("users.txt", "a@contoso.com\n");
    ctx.run(&input, &["--retries", "1", "--batch-size", "1"]).exits(0);
    let ledger = ctx.ledger();
    let user = ledger.user("a@contoso.com").unwrap();
    assert!(user.last_s - user.first_s >= 1.2, "{user:?}");
}

#[test]
fn an_unreachable_server_fails_users() {
    let ctx = TestContext::new("");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let root = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let input = ctx.input("users.txt", "a@contoso.com\n");
    let mut command = ctx.command_without_token("run");
    command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).arg(&input).args(["--yes", "--retries", "1"]);
    ctx.finish(command.args(["--graph-url", &root])).exits(3);
    let row = ctx.run_folder().row("a@contoso.com");
    let found = [&row["outcome"], &row["error_code"], &row["http_status"], &row["attempts"]];
    assert_eq!(found, ["failed", "no_connection", "", "2"], "{row:#?}");
}

#[test]
fn only_a_503_is_retried_on_a_new_connection() {
    let (root, seen) = serve(|number| match number {
        1 => response("500 Internal Server Error"),
        3 => response("503 Service Unavailable"),
        _ => response("204 No Content").replace("content-length: 0\r\n", ""),
    });
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", "a@contoso.com\nb@contoso.com\nc@contoso.com\nd@contoso.com\n");
    let mut command = ctx.command_without_token("run");
    command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).arg(&input).args(["--yes", "-j", "1", "--rate", "1000/s"]);
    ctx.finish(command.args(["--graph-url", &root, "--burst", "1"])).exits(0);
    let seen = seen.lock().unwrap().clone();
    let of = |user: &str| -> Vec<usize> {
        let path = format!("/users/{user}@contoso.com/");
        seen.iter().filter(|seen| seen.line.contains(&path)).map(|seen| seen.connection).collect()
    };
    // The number of requests shows which users met the failures.
    let twice: Vec<Vec<usize>> =
        ["a", "b", "c", "d"].map(of).into_iter().filter(|seen| seen.len() == 2).collect();
    assert_eq!(twice.len(), 2, "{seen:#?}");
    assert_eq!(twice[0][0], twice[0][1], "a 500 needs no new connection: {seen:#?}");
    assert_ne!(twice[1][0], twice[1][1], "a 503 needs a new connection: {seen:#?}");
    let last = seen.last().map(|seen| seen.connection);
    assert!(last <= Some(1), "the new connection was for the one request: {seen:#?}");
}

#[test]
fn every_request_has_a_content_length_and_a_unique_id() {
    let (root, seen) = serve(|_| response("200 OK"));
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", "a_b.com#EXT#@contoso.com\n$odd'name@contoso.com\n");
    let mut command = ctx.command_without_token("run");
    command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).arg(&input).args(["--yes", "-j", "1"]);
    ctx.finish(command.args(["--graph-url", &root])).exits(3);
    let seen = seen.lock().unwrap().clone();
    let lines: Vec<&str> = seen.iter().map(|seen| seen.line.as_str()).collect();
    // The first finds out whether users can be looked up; an empty answer says no.
    let (read, sent) = lines.split_first().expect("a read");
    assert!(read.starts_with("GET /v1.0/users/a_b.com%23EXT%23@contoso.com?$select="), "{read}");
    let expected = [
        "POST /v1.0/users/a_b.com%23EXT%23@contoso.com/revokeSignInSessions HTTP/1.1",
        "POST /v1.0/users('$odd''name@contoso.com')/revokeSignInSessions HTTP/1.1",
    ];
    assert_eq!(sent, expected);
    let mut ids = Vec::new();
    for seen in &seen {
        let header = |name: &str| {
            let prefix = format!("{name}: ");
            let found = seen.headers.iter().find(|line| line.to_lowercase().starts_with(&prefix));
            found.map(|line| line[prefix.len()..].to_owned())
        };
        let body = if seen.line.starts_with("GET ") { (None, "") } else { (Some("2"), "{}") };
        assert_eq!((header("content-length").as_deref(), seen.body.as_str()), body, "{}", seen.line);
        assert_eq!(header("transfer-encoding"), None);
        assert_eq!(header("authorization"), Some(format!("Bearer {}", ctx::TOKEN)));
        ids.push(header("client-request-id").expect("a client-request-id"));
    }
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 3, "{ids:?}");
    let row = ctx.run_folder().row("$odd'name@contoso.com");
    assert_eq!(
        (&row["client_request_id"], row["request_id"].as_str()),
        (&ids[2], "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f")
    );
}
