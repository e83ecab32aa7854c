//! Answers with too little or too much in them.

use super::*;

#[test]
fn a_part_without_an_answer_is_in_doubt() {
    let replies = judged(3, json!([done("1"), done("3")]));
    assert!(is_done(&replies[0]) && is_done(&replies[2]));
    assert_eq!(doubt(&replies[1]), "in a batch of 3: no answer");
}

#[test]
fn answers_that_agree_are_one_and_others_none() {
    assert!(is_done(&judged(1, json!([done("1"), done("1"), done("1")]))[0]));
    let spelled = json!({"status": 200, "id": 1, "body": {"value": true}, "headers": {}});
    assert!(is_done(&judged(1, json!([done("1"), spelled]))[0]), "spelled in another way");
    for other in [error("1", 404, "X"), json!({"id": "1"}), json!({"id": "1", "status": 204})] {
        for order in
            [json!([done("1"), other]), json!([other, done("1")]), json!([done("1"), other, done("1")])]
        {
            assert_eq!(doubt(&judged(1, order)[0]), "in a batch of 1: two different answers");
        }
    }
}

#[test]
fn what_can_not_be_read_is_in_doubt() {
    for part in [
        json!({"id": "1"}),
        json!({"id": "1", "status": 0, "body": {"value": true}}),
        json!({"id": "1", "status": -200}),
        json!({"id": "1", "status": 200.5}),
        json!({"id": "1", "status": 65736}),
        json!({"id": "1", "status": {"code": 200}}),
        json!(["1", 200, {}, {"value": true}]),
        json!({"id": ["1"], "status": 200}),
        json!({"id": "01", "status": 200}),
        json!({"id": "", "status": 200}),
        json!({"status": 200}),
        Value::Null,
    ] {
        doubt(&only(part));
    }
    let twice = r#"{"responses":[{"id":"1","status":200,"status":404,"body":{"value":true}}]}"#;
    doubt(&replies(1, 200, &graphs(), BodyResult::Bytes(twice.into()))[0]);
    let twice = r#"{"responses":[{"id":"1","status":200}],"responses":[]}"#;
    doubt(&replies(1, 200, &graphs(), BodyResult::Bytes(twice.into()))[0]);
}

#[test]
fn a_success_that_holds_no_answers_is_nobodys() {
    for (body, said) in [
        ("<html>Log in", "status 200, but not a batch answer (an HTML page)"),
        ("", "status 200, but not a batch answer (no details)"),
        ("{}", "status 200, but not a batch answer ({})"),
        (r#"{"responses":{"1":{"status":200}}}"#, "status 200, but not a batch answer ("),
        (r#"[[{"id":"1","status":200}]]"#, "status 200, but not a batch answer ("),
        (r#"{"value":true}"#, "status 200, but not a batch answer (no details)"),
        (r#"{"responses":[{"id":"1","status":200}"#, "(the answer was cut off)"),
        (r#"{"error":{"code":"Oops","message":"no"}}"#, "(Oops no)"),
    ] {
        let reply = replies(1, 200, &graphs(), BodyResult::Bytes(body.into())).remove(0);
        assert!(doubt(&reply).contains(said), "{reply:?}");
    }
    doubt(&replies(1, 200, &graphs(), BodyResult::CutOff)[0]);
    let late = replies(1, 200, &graphs(), BodyResult::TimedOut).remove(0);
    assert!(matches!(late, UserReply::Lost(lost) if lost.how == LossKind::TimedOut));
}

#[test]
fn an_answer_that_says_two_things_is_no_success() {
    let part = r#"{"id":"1","status":200,"headers":{"request-id":"0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f"},"body":{"value":true}}"#;
    let around = |beside: &str| format!(r#"{{{beside}"responses":[{part}]}}"#);
    let within = |beside: &str| format!(r#"{{"responses":[{{{beside}{}]}}"#, &part[1..]);
    let good = replies(1, 200, &graphs(), BodyResult::Bytes(around("").into())).remove(0);
    assert!(is_done(&good), "{good:?}");
    for beside in [
        r#""error":{"code":"Authorization_RequestDenied"},"#,
        r#""Error":"no","#,
        r#""value":false,"#,
        r#""Responses":[{"id":"1","status":403}],"#,
    ] {
        let reply = replies(1, 200, &graphs(), BodyResult::Bytes(around(beside).into())).remove(0);
        assert!(!is_done(&reply), "{beside}: {reply:?}");
    }
    for beside in
        [r#""error":{"code":"no"},"#, r#""Status":403,"#, r#""Body":{"error":{}},"#, r#""value":false,"#]
    {
        let reply = replies(1, 200, &graphs(), BodyResult::Bytes(within(beside).into())).remove(0);
        assert!(!is_done(&reply), "{beside}: {reply:?}");
    }
}

#[test]
fn a_bare_success_needs_graphs_mark_around_it() {
    let bare =
        |body: Value| json!({"id": "1", "status": 200, "headers": {"request-id": OWN_ID}, "body": body});
    let unmarked = |part: Value| {
        let body = json!({ "responses": [part] }).to_string();
        replies(1, 200, &HeaderMap::new(), BodyResult::Bytes(body.into_bytes())).remove(0)
    };
    for body in [Value::Null, json!({})] {
        assert!(is_done(&only(bare(body.clone()))), "{body}");
        assert!(!is_done(&unmarked(bare(body.clone()))), "{body}");
    }
    assert!(is_done(&unmarked(done("1"))), "it speaks for itself");
    for body in [json!([7]), json!("PGh0bWw+"), json!("ok"), json!({"value": null}), json!({"value": "true"})]
    {
        assert!(!is_done(&only(bare(body.clone()))), "{body}");
    }
}

#[test]
fn a_part_in_a_coding_or_in_damaged_text_is_no_success() {
    let coded =
        json!({"id": "1", "status": 200, "headers": {"Content-Encoding": "gzip"}, "body": {"value": true}});
    assert_eq!(response(&only(coded)).body, ErrorBody::Encoded("gzip".into()));
    let twice = br#"{"responses":[{"id":"1","status":200,"body":{"value":true,"\u0076alue":false}}]}"#;
    assert!(!is_done(&replies(1, 200, &graphs(), BodyResult::Bytes(twice.to_vec()))[0]));
    let mut bytes = br#"{"responses":[{"id":"1","status":200,"body":{"value":true,"x":"?"}},
        {"id":"2","status":200,"body":{"value":true}}]}"#
        .to_vec();
    let bad = bytes.iter().position(|byte| *byte == b'?').unwrap();
    bytes[bad] = 0xff;
    let replies = replies(2, 200, &graphs(), BodyResult::Bytes(bytes));
    assert!(!is_done(&replies[0]) && is_done(&replies[1]), "{replies:?}");
}

#[test]
fn the_answer_to_another_request_is_none() {
    let echoing = |id: Uuid| json!({"id": "1", "status": 200, "headers": {"client-request-id": id}, "body": {"value": true}});
    let two = |part: Value| judged(2, json!([part, done("2")])).remove(0);
    for own in [asked(0), BATCH, OUTER_ID.parse().unwrap()] {
        assert!(is_done(&two(echoing(own))), "{own}");
    }
    for other in [asked(1), Uuid::from_u128(7)] {
        assert_eq!(doubt(&two(echoing(other))), "in a batch of 2: the answer to another request");
    }
    let inner = |id: Uuid| {
        json!({"id": "1", "status": 404, "body": {"error": {"code": "Request_ResourceNotFound",
        "innerError": {"client-request-id": id}}}})
    };
    doubt(&two(inner(asked(1))));
    for none in [asked(0), BATCH, Uuid::from_u128(7)] {
        assert_eq!(response(&two(inner(none))).status, 404, "{none}");
    }
}

#[test]
fn a_part_that_failed_with_another_goes_alone() {
    let reply = only(error("1", 424, "FailedDependency"));
    assert!(matches!(reply, UserReply::Unbatched(_)), "{reply:?}");
}

#[test]
fn secrets_that_are_said_back_are_hidden() {
    let said = format!("got '{TOKEN}'");
    let escaped = r#"{"responses":[{"id":"1","status":400,"body":{"error":{"code":"X","message":"got fake\u002Btoken\/CANARY-9f2c"}}}]}"#;
    replies(1, 200, &graphs(), BodyResult::Bytes(escaped.into()));
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(&said);
    for body in
        [json!({"error": {"code": said, "message": said}}), json!(said), json!(encoded), json!([said])]
    {
        only(
            json!({"id": "1", "status": 400, "headers": {"request-id": said, "x-ms-throttle-scope": said}, "body": body}),
        );
    }
    for status in [200, 400, 429, 503] {
        replies(1, status, &graphs(), BodyResult::Bytes(said.clone().into_bytes()));
        replies(1, status, &graphs(), BodyResult::Bytes(json!({"responses": said}).to_string().into_bytes()));
    }
}
