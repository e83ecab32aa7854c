use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entra_revoke::simulator::{Config, Fault, Simulator, TokenKind};

use crate::simulator::{SimulatorFixture, client, header, json};

/// A drill with faults as flags give them.
async fn drill(flags: &[&str]) -> SimulatorFixture {
    let faults: Vec<Fault> = flags.iter().map(|flag| flag.parse().unwrap()).collect();
    let simulator = Simulator::start(Config { faults, ..Config::default() }).await.unwrap();
    SimulatorFixture { simulator, client: client() }
}

fn effects(drill: &SimulatorFixture, id: &str) -> u64 {
    drill.simulator.ledger().user(id).unwrap().effects
}

#[tokio::test]
async fn every_status_has_its_default_code() {
    let drill = drill(&[
        "match=u400;answer=400",
        "match=u401;answer=expired-token",
        "match=u403;answer=403",
        "match=u404;answer=404",
        "match=u409;answer=409",
        "match=o409;answer=409-other",
        "match=u423;answer=423",
        "match=u429;answer=429;retry_after=7.5",
        "match=u503;answer=503",
        "match=u509;answer=509;code=;message=gone fishing",
    ])
    .await;
    for (id, status, code) in [
        ("u400", 400, "BadRequest"),
        ("u401", 401, "InvalidAuthenticationToken"),
        ("u403", 403, "Authorization_RequestDenied"),
        ("u404", 404, "Request_ResourceNotFound"),
        ("u409", 409, "Directory_ConcurrencyViolation"),
        ("o409", 409, "Request_Conflict"),
        ("u423", 423, "resourceLocked"),
        ("u429", 429, "TooManyRequests"),
        ("u503", 503, "serviceNotAvailable"),
        ("u509", 509, ""),
    ] {
        let response = drill.revoke(id).await;
        assert_eq!(response.status(), status, "{id}");
        assert!(header(&response, "request-id").is_some(), "{id}");
        let wait = header(&response, "retry-after").map(str::to_owned);
        assert_eq!(wait.as_deref(), (status == 429).then_some("7.5"), "{id}");
        assert_eq!(json(response).await["error"]["code"], code, "{id}");
    }
    let stats = drill.simulator.stats();
    assert_eq!((stats.effects, stats.faults), (0, 10));
}

#[tokio::test]
async fn bodies_and_headers_can_be_replaced() {
    let drill = drill(&[
        "match=proxy;answer=502;body=html;request_id=false;header.Via=1.1 proxy",
        "match=empty;answer=500;body=empty;effect=true",
        "match=text;answer=500;body=oops;content_type=application/problem+json",
        "match=inner;answer=500;inner=innererror",
        "match=moved;answer=302",
        "match=portal;answer=portal",
        "match=silent;answer=portal-204",
        "match=no;answer=ok-false",
    ])
    .await;
    let proxy = drill.revoke("proxy").await;
    assert_eq!(
        (proxy.status().as_u16(), header(&proxy, "request-id"), header(&proxy, "via")),
        (502, None, Some("1.1 proxy"))
    );
    assert!(proxy.text().await.unwrap().contains("<h1>502 Bad Gateway</h1>"));
    assert_eq!(drill.revoke("empty").await.bytes().await.unwrap().len(), 0);
    assert_eq!(effects(&drill, "empty"), 1);
    let text = drill.revoke("text").await;
    assert_eq!(header(&text, "content-type"), Some("application/problem+json"));
    assert_eq!(text.text().await.unwrap(), "oops");
    assert!(json(drill.revoke("inner").await).await["error"]["innererror"]["date"].is_string());
    let moved = drill.revoke("moved").await;
    assert_eq!((moved.status().as_u16(), header(&moved, "location")), (302, Some("/_simulator/redirected")));
    drill.get("/_simulator/redirected").await;
    assert_eq!(drill.simulator.stats().redirects_followed, 1);
    let portal = drill.revoke("portal").await;
    assert_eq!((portal.status().as_u16(), header(&portal, "request-id")), (200, None));
    assert!(portal.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    let silent = drill.revoke("silent").await;
    assert_eq!((silent.status().as_u16(), header(&silent, "request-id")), (204, None));
    let no = drill.revoke("no").await;
    assert_eq!(no.status(), 200);
    assert_eq!(json(no).await["value"], false);
    assert_eq!(["portal", "silent", "no"].map(|id| effects(&drill, id)), [0, 0, 0]);
}

#[tokio::test]
async fn connections_break_before_and_after_the_effect() {
    let drill =
        drill(&["match=before;answer=reset-before;times=1", "match=after;answer=reset-after;times=1"]).await;
    for (id, expected) in [("before", 0), ("after", 1)] {
        assert!(drill.try_revoke(id, "t").await.is_err(), "{id}");
        assert_eq!(effects(&drill, id), expected, "{id}");
        assert_eq!(drill.revoke(id).await.status(), 200, "{id}");
        let answers = drill.simulator.ledger().user(id).unwrap().answers.clone();
        assert_eq!(answers, [("200".to_owned(), 1), ("none".to_owned(), 1)].into());
    }
}

#[tokio::test]
async fn a_reset_is_not_an_orderly_end() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let drill = drill(&["answer=reset-before"]).await;
    let mut stream = tokio::net::TcpStream::connect(drill.simulator.addr()).await.unwrap();
    let request = "POST /v1.0/users/a/revokeSignInSessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n\
                   Content-Length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let error = stream.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_truncated_success_takes_effect() {
    let drill = drill(&["match=cut;answer=truncated-success", "match=half;answer=500;body=truncated"]).await;
    let cut = drill.revoke("cut").await;
    assert_eq!(cut.status(), 200);
    assert!(cut.bytes().await.is_err());
    assert_eq!(effects(&drill, "cut"), 1);
    let half = drill.revoke("half").await;
    assert_eq!(half.status(), 500);
    assert!(half.bytes().await.is_err());
    assert_eq!(effects(&drill, "half"), 0);
}

#[tokio::test]
async fn a_success_can_have_another_status() {
    let drill = drill(&["match=empty;answer=204", "match=later;answer=202"]).await;
    let empty = drill.revoke("empty").await;
    assert_eq!((empty.status().as_u16(), header(&empty, "request-id").is_some()), (204, true));
    assert_eq!(drill.revoke("later").await.status(), 202);
    assert_eq!(["empty", "later"].map(|id| effects(&drill, id)), [1, 1]);
    let shapeless =
        SimulatorFixture::new("success = 'no_content'\n[[fault]]\nanswer = 'truncated-success'").await;
    assert!(shapeless.revoke("a").await.bytes().await.is_err());
}

#[tokio::test]
async fn a_hang_lasts_until_the_client_or_the_simulator_ends() {
    let drill = drill(&["match=before;answer=hang-before", "match=after;answer=hang-after"]).await;
    for (id, expected) in [("before", 0), ("after", 1)] {
        let url = drill.url(&format!("/v1.0/users/{id}/revokeSignInSessions"));
        let request = drill.client.post(url).bearer_auth("t").body("{}").timeout(Duration::from_millis(100));
        assert!(request.send().await.unwrap_err().is_timeout(), "{id}");
        assert_eq!(effects(&drill, id), expected, "{id}");
    }
    let url = drill.url("/v1.0/users/before/revokeSignInSessions");
    let hanging = tokio::spawn(drill.client.post(url).bearer_auth("t").body("{}").send());
    drill.until(|stats| stats.requests == 3 && stats.in_flight == 1).await;
    drill.simulator.stop().await;
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn answers_can_be_delayed_or_dripped() {
    let drill = drill(&["match=late;answer=delay;delay=30ms", "match=drip;answer=drip;delay=1ms"]).await;
    let began = std::time::Instant::now();
    assert_eq!(drill.revoke("late").await.status(), 200);
    assert!(began.elapsed() >= Duration::from_millis(30));
    let began = std::time::Instant::now();
    assert_eq!(json(drill.revoke("drip").await).await["value"], true);
    assert!(began.elapsed() >= Duration::from_millis(80), "some 90 bytes, a millisecond apart");
    assert_eq!(effects(&drill, "drip"), 1);
}

#[tokio::test]
async fn a_challenge_needs_a_new_token() {
    let drill = drill(&["answer=challenge"]).await;
    let mint = || drill.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    let old = mint();
    let response = drill.try_revoke("a", &old).await.unwrap();
    assert_eq!(response.status(), 401);
    let challenge = header(&response, "www-authenticate").unwrap();
    assert!(challenge.contains(r#"error="insufficient_claims""#), "{challenge}");
    let claims = challenge.split(r#"claims=""#).nth(1).unwrap().trim_end_matches('"');
    let claims: serde_json::Value = serde_json::from_slice(&STANDARD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["access_token"]["nbf"]["essential"], true);
    let new = mint();
    assert_eq!(drill.try_revoke("a", &old).await.unwrap().status(), 401);
    assert_eq!(drill.try_revoke("a", &new).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_fault_can_revoke_a_token() {
    let drill = drill(&["match=trap;answer=revoke-token;first=1"]).await;
    let mint = || drill.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    let (old, new) = (mint(), mint());
    let mut statuses = Vec::new();
    for (id, token) in [("a", &old), ("trap", &old), ("a", &old), ("trap", &new)] {
        statuses.push(drill.try_revoke(id, token).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 401, 401, 200]);
}

#[tokio::test]
async fn reads_have_their_own_faults() {
    let drill = drill(&["endpoint=read;answer=403"]).await;
    assert_eq!(drill.get("/v1.0/users/a").await.status(), 403);
    assert_eq!(drill.revoke("a").await.status(), 200);
}
