//! Device codes and refresh tokens, as any client would see them.

use serde_json::Value;

use crate::simulator::{SimulatorFixture, json};

const SCOPE: &str = "https%3A%2F%2Fgraph.microsoft.com%2F.default%20offline_access%20openid";
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code";
const CP1: &str =
    "claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22cp1%22%5D%7D%7D%7D";

async fn post(drill: &SimulatorFixture, endpoint: &str, form: &str) -> (u16, Value) {
    let url = drill.url(&format!("/contoso.com/oauth2/v2.0/{endpoint}"));
    let request = drill.client.post(url).header("content-type", "application/x-www-form-urlencoded");
    let response = request.body(format!("client_id=app-1&{form}")).send().await.unwrap();
    (response.status().as_u16(), json(response).await)
}

async fn begin(drill: &SimulatorFixture) -> Value {
    let (status, code) = post(drill, "devicecode", &format!("scope={SCOPE}")).await;
    assert_eq!(status, 200, "{code}");
    code
}

async fn poll(drill: &SimulatorFixture, code: &Value) -> (u16, Value) {
    let device_code = code["device_code"].as_str().unwrap();
    post(drill, "token", &format!("grant_type={GRANT}&device_code={device_code}&{CP1}")).await
}

async fn refresh(drill: &SimulatorFixture, token: &str) -> (u16, Value) {
    post(drill, "token", &format!("grant_type=refresh_token&refresh_token={token}&scope={SCOPE}")).await
}

/// A simulator whose clock runs so fast that no interval is worth mentioning.
async fn fast(device: &str) -> SimulatorFixture {
    SimulatorFixture::new(&format!(
        "accept_any_token = false\nspeed = 100\n[token.device]\ninterval = 0\n{device}"
    ))
    .await
}

#[tokio::test]
async fn a_device_code_has_entras_format() {
    let drill = SimulatorFixture::new("").await;
    let code = begin(&drill).await;
    assert_eq!((&code["expires_in"], &code["interval"]), (&900.into(), &5.into()));
    assert_eq!(code["verification_uri"], "https://microsoft.com/devicelogin");
    assert!(code["message"].as_str().unwrap().contains(code["user_code"].as_str().unwrap()));
    let (status, refused) = post(&drill, "devicecode", "scope=openid").await;
    assert_eq!((status, &refused["error"]), (400, &"invalid_scope".into()));
}

#[tokio::test]
async fn a_device_code_token_has_user_and_client_claims() {
    let drill = fast("polls_before_approval = 2").await;
    let code = begin(&drill).await;
    for _ in 0..2 {
        let (status, body) = poll(&drill, &code).await;
        assert_eq!((status, &body["error"]), (400, &"authorization_pending".into()));
    }
    let (status, body) = poll(&drill, &code).await;
    assert_eq!(status, 200, "{body}");
    let token = body["access_token"].as_str().unwrap();
    let claims = crate::simulator::token::claims(token);
    assert_eq!((&claims["idtyp"], &claims["upn"]), (&"user".into(), &"operator@example.com".into()));
    assert_eq!(claims["xms_cc"], serde_json::json!(["cp1"]));
    assert_eq!(drill.try_revoke("a", token).await.unwrap().status(), 200);
    let (status, body) = poll(&drill, &code).await;
    assert_eq!((status, &body["error"]), (400, &"bad_verification_code".into()), "a code is good once");
}

#[tokio::test]
async fn a_person_can_decline_or_be_late() {
    for (device, error) in [
        ("polls_before_approval = 0\noutcome = 'decline'", "authorization_declined"),
        ("polls_before_approval = 0\noutcome = 'expire'", "expired_token"),
        ("expires_in = 0", "expired_token"),
    ] {
        let drill = fast(device).await;
        let code = begin(&drill).await;
        let (status, body) = poll(&drill, &code).await;
        assert_eq!((status, &body["error"]), (400, &error.into()));
    }
}

#[tokio::test]
async fn an_early_poll_is_refused_and_recorded() {
    let drill = SimulatorFixture::new("").await;
    let code = begin(&drill).await;
    let (_, body) = poll(&drill, &code).await;
    assert_eq!(body["error"], "slow_down");
    assert_eq!(drill.simulator.ledger().violations[0].kind, "early_poll");
}

#[tokio::test]
async fn refresh_tokens_end_with_a_revocation() {
    for user in ["operator@EXAMPLE.com", "0b5e5d1e-1111-4222-8333-444455556666"] {
        let drill = fast("polls_before_approval = 0").await;
        let code = begin(&drill).await;
        let (_, first) = poll(&drill, &code).await;
        let (status, second) = refresh(&drill, first["refresh_token"].as_str().unwrap()).await;
        assert_eq!(status, 200, "{second}");
        assert_ne!(second["refresh_token"], first["refresh_token"]);
        let token = second["access_token"].as_str().unwrap();
        assert_eq!(drill.try_revoke("somebody@else.com", token).await.unwrap().status(), 200);
        assert_eq!(refresh(&drill, second["refresh_token"].as_str().unwrap()).await.0, 200);
        assert_eq!(drill.try_revoke(user, token).await.unwrap().status(), 200);
        let (status, body) = refresh(&drill, second["refresh_token"].as_str().unwrap()).await;
        assert_eq!((status, &body["error_codes"][0]), (400, &50_173.into()), "{body}");
    }
}

#[tokio::test]
async fn refresh_tokens_can_be_single_use_or_disabled() {
    let drill = fast("polls_before_approval = 0\nsingle_use = true").await;
    let code = begin(&drill).await;
    let (_, first) = poll(&drill, &code).await;
    let token = first["refresh_token"].as_str().unwrap();
    assert_eq!(refresh(&drill, token).await.0, 200);
    assert_eq!(refresh(&drill, token).await.1["error"], "invalid_grant");
    let drill = fast("polls_before_approval = 0\nrefresh = 'interaction_required'").await;
    let code = begin(&drill).await;
    let (_, first) = poll(&drill, &code).await;
    let refused = refresh(&drill, first["refresh_token"].as_str().unwrap()).await.1;
    assert_eq!(refused["error"], "interaction_required");
    assert_eq!(refresh(&drill, "made-up").await.1["error"], "invalid_grant");
}
