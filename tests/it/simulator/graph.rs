use std::time::Duration;

use entra_revoke::simulator::TokenKind;

use crate::simulator::{SimulatorFixture, header, json};

const BARE: &str = "Host: localhost\r\nAuthorization: Bearer t\r\nConnection: close\r\n";

#[tokio::test]
async fn a_revocation_has_graphs_response_format() {
    let drill = SimulatorFixture::new("").await;
    let url = drill.url("/v1.0/users/ann@x.com/revokeSignInSessions");
    let id = "7b9f3c1e-0000-4000-8000-000000000001";
    let request = drill.client.post(url).bearer_auth("t").header("client-request-id", id).body("{}");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "client-request-id"), Some(id));
    assert!(header(&response, "request-id").is_some_and(|id| id.len() == 36));
    assert!(header(&response, "x-ms-ags-diagnostic").is_some_and(|text| text.contains("ServerInfo")));
    assert_eq!(header(&response, "x-ms-resource-unit"), Some("1"));
    assert!(header(&response, "content-type").is_some_and(|kind| kind.contains("odata.metadata=minimal")));
    assert!(header(&response, "date").is_some());
    assert_eq!(header(&response, "x-ms-throttle-limit-percentage"), None);
    let body = json(response).await;
    assert_eq!(body["@odata.context"], "https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean");
    assert_eq!(body["value"], true);
    assert_eq!(drill.simulator.ledger().user("ANN@x.com").unwrap().effects, 1);
}

#[tokio::test]
async fn without_a_client_request_id_both_ids_are_equal() {
    let drill = SimulatorFixture::new("").await;
    let response = drill.revoke("ann@x.com").await;
    assert_eq!(header(&response, "client-request-id"), header(&response, "request-id"));
}

#[tokio::test]
async fn a_success_can_have_other_shapes() {
    let empty = SimulatorFixture::new("success = 'no_content'").await.revoke("a").await;
    assert_eq!((empty.status().as_u16(), header(&empty, "request-id").is_some()), (204, true));
    assert_eq!(empty.bytes().await.unwrap().len(), 0);
    let odd = SimulatorFixture::new("success = 'odd'").await.revoke("a").await;
    assert_eq!(odd.status(), 200);
    assert_eq!(json(odd).await.get("value"), None);
}

#[tokio::test]
async fn a_post_needs_a_content_length() {
    let drill = SimulatorFixture::new("").await;
    let bare = drill.raw(&format!("POST /v1.0/users/a/revokeSignInSessions HTTP/1.1\r\n{BARE}\r\n")).await;
    assert!(bare.starts_with("HTTP/1.1 411 "), "{bare}");
    assert!(
        bare.contains("<TITLE>Length Required</TITLE>") && !bare.to_lowercase().contains("request-id"),
        "{bare}"
    );
    let chunked = format!("{BARE}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
    let chunked = drill.raw(&format!("POST /v1.0/users/a/revokeSignInSessions HTTP/1.1\r\n{chunked}")).await;
    assert!(chunked.starts_with("HTTP/1.1 404 "), "{chunked}");
    let empty = format!("{BARE}Content-Length: 0\r\n\r\n");
    let empty = drill.raw(&format!("POST /v1.0/users/a/revokeSignInSessions HTTP/1.1\r\n{empty}")).await;
    assert!(empty.starts_with("HTTP/1.1 200 "), "{empty}");
    assert_eq!(drill.simulator.ledger().user("a").unwrap().effects, 1);
}

#[tokio::test]
async fn the_case_of_header_names_can_be_chosen() {
    let request =
        format!("POST /v1.0/users/a/revokeSignInSessions HTTP/1.1\r\n{BARE}Content-Length: 0\r\n\r\n");
    let title = SimulatorFixture::new("[[fault]]\nanswer = 429").await.raw(&request).await;
    assert!(title.contains("\r\nRetry-After: 1\r\n"), "{title}");
    let lower =
        SimulatorFixture::new("header_case = 'lowercase'\n[[fault]]\nanswer = 429").await.raw(&request).await;
    assert!(lower.contains("\r\nretry-after: 1\r\n"), "{lower}");
}

#[tokio::test]
async fn encoded_and_quoted_ids_are_the_same_user() {
    let drill = SimulatorFixture::new("").await;
    for id in ["ann_a.com%23EXT%23@x.com", "Ann_a.com%23ext%23%40x.com"] {
        assert_eq!(drill.revoke(id).await.status(), 200);
    }
    let quoted = drill.url("/beta/users('o''brien@x.com')/microsoft.graph.revokeSignInSessions");
    let response = drill.client.post(quoted).bearer_auth("t").body("{}").send().await.unwrap();
    assert_eq!(
        json(response).await["@odata.context"],
        "https://graph.microsoft.com/beta/$metadata#Edm.Boolean"
    );
    // An unencoded `#` begins the fragment: the rest names another user.
    let url = drill.url("/v1.0/users/bob_b.com#EXT#@x.com/revokeSignInSessions");
    assert_eq!(drill.client.post(url).bearer_auth("t").body("{}").send().await.unwrap().status(), 405);
    let dollar = drill.revoke("$ann@x.com").await;
    assert_eq!(dollar.status(), 400);
    assert!(json(dollar).await["error"]["message"].as_str().unwrap().contains("refers to a collection"));

    let ledger = drill.simulator.ledger();
    let guest = ledger.user("ann_a.com#ext#@x.com").unwrap();
    assert_eq!((guest.requests, guest.effects, guest.external), (2, 0, true));
    assert_eq!(ledger.user("o'brien@x.com").unwrap().effects, 1);
    assert_eq!(ledger.users.len(), 2);
}

#[tokio::test]
async fn unknown_and_denied_users_are_refused_as_documented() {
    let drill = SimulatorFixture::new("unknown = ['gone-*']\ndeny = ['admin@*']").await;
    let gone = drill.revoke("Gone-1@x.com").await;
    assert_eq!(gone.status(), 404);
    let body = json(gone).await;
    assert_eq!(body["error"]["code"], "Request_ResourceNotFound");
    assert!(body["error"]["message"].as_str().unwrap().starts_with("Resource 'Gone-1@x.com' does not exist"));
    assert_eq!(body["error"]["innerError"]["date"].as_str().unwrap().len(), "2025-02-13T10:17:06".len());
    let denied = drill.revoke("admin@x.com").await;
    assert_eq!(denied.status(), 403);
    assert_eq!(json(denied).await["error"]["code"], "Authorization_RequestDenied");
    assert_eq!(drill.simulator.stats().effects, 0);

    let known = SimulatorFixture::new("only_known = true\nusers = ['Ann@x.com']").await;
    assert_eq!(known.revoke("ann@x.com").await.status(), 200);
    assert_eq!(known.revoke("bob@x.com").await.status(), 404);
    let path = known.revoke("bob@x.com/teams").await;
    assert!(json(path).await["error"]["message"].as_str().unwrap().contains("segment 'teams/revoke"));
}

#[tokio::test]
async fn a_bad_token_is_refused() {
    let drill = SimulatorFixture::new("[token]\nroles = ['User.Read.All']").await;
    let minutes = Duration::from_secs(600);
    let message = |response| async { json(response).await["error"]["message"].as_str().unwrap().to_owned() };

    let expired = drill.simulator.mint_token(TokenKind::App, Duration::ZERO);
    let response = drill.try_revoke("a", &expired).await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(header(&response, "www-authenticate").is_some());
    assert_eq!(message(response).await, "Access token has expired or is not yet valid.");

    let url = drill.url("/v1.0/users/a/revokeSignInSessions");
    let none = drill.client.post(url).body("{}").send().await.unwrap();
    assert_eq!((none.status().as_u16(), message(none).await.as_str()), (401, "Access token is empty."));

    let powerless = drill.simulator.mint_token(TokenKind::App, minutes);
    assert_eq!(drill.try_revoke("a", &powerless).await.unwrap().status(), 403);
    let user = drill.simulator.mint_token(TokenKind::User, minutes);
    assert_eq!(drill.try_revoke("a", &user).await.unwrap().status(), 200);
    assert_eq!(drill.simulator.stats().bad_auth, 2);

    let strict = SimulatorFixture::new("accept_any_token = false").await;
    let foreign = strict.try_revoke("a", "opaque").await.unwrap();
    assert_eq!(foreign.status(), 401);
    assert!(message(foreign).await.starts_with("CompactToken parsing failed"));
    let foreign = strict.try_revoke("a", &user).await.unwrap();
    assert_eq!(message(foreign).await, "Access token validation failure. Invalid signature.");
}

#[tokio::test]
async fn me_is_the_signed_in_user() {
    let drill = SimulatorFixture::new("[token]\nroles = ['User.Read']").await;
    let me = async |kind| {
        let token = drill.simulator.mint_token(kind, Duration::from_secs(600));
        let url = drill.url("/v1.0/me/revokeSignInSessions");
        drill.client.post(url).bearer_auth(token).body("{}").send().await.unwrap()
    };
    let app = me(TokenKind::App).await;
    assert_eq!(app.status(), 400);
    let expected = "/me request is only valid with delegated authentication flow.";
    assert_eq!(json(app).await["error"]["message"], expected);
    assert_eq!(me(TokenKind::User).await.status(), 200);
    let own = json(drill.get("/v1.0/me?$select=id").await).await["id"].as_str().unwrap().to_owned();
    assert_eq!(drill.simulator.ledger().user(&own).unwrap().effects, 1);
}

#[tokio::test]
async fn sign_in_sessions_valid_from_is_returned_only_if_selected() {
    let drill = SimulatorFixture::new("[token]\nroles = ['User.RevokeSessions.All', 'User.Read.All']").await;
    let select = "/v1.0/users/ann@x.com?$select=id,userType,signInSessionsValidFromDateTime";
    let before = json(drill.get(select).await).await;
    assert_eq!(before["userType"], "Member");
    assert_eq!(drill.revoke("ann@x.com").await.status(), 200);
    let after = json(drill.get(select).await).await;
    let time =
        |body: &serde_json::Value| body["signInSessionsValidFromDateTime"].as_str().unwrap().to_owned();
    assert!(time(&after) >= time(&before), "{after}");
    let revoked = drill.simulator.ledger().user("ann@x.com").unwrap().revoked_at.clone().unwrap();
    assert_eq!(time(&after)[..19], revoked[..19]);
    let all = json(drill.get("/v1.0/users/ann@x.com").await).await;
    assert_eq!(all.get("signInSessionsValidFromDateTime"), None);
    assert_eq!(all["userPrincipalName"], "ann@x.com");
    assert_eq!(drill.get("/v1.0/users/ann@x.com?$select=nonsense").await.status(), 400);
}

#[tokio::test]
async fn graphs_own_hosts_check_the_tokens_audience() {
    let drill = SimulatorFixture::new("expected_hosts = ['graph.microsoft.us']").await;
    let send = |token: String, host: String| {
        let url = drill.url("/v1.0/users/a/revokeSignInSessions");
        drill.client.post(url).header("Host", host).bearer_auth(token).body("{}").send()
    };
    let global = drill.simulator.mint_token(TokenKind::App, Duration::from_secs(60));
    let refused = send(global.clone(), "graph.microsoft.us".to_owned()).await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.text().await.unwrap().contains("Invalid audience"));
    let own = format!("127.0.0.1:{}", drill.simulator.addr().port());
    assert_eq!(send(global, own).await.unwrap().status(), 200, "its own name is nobody's");
    assert_eq!(send("opaque".to_owned(), "graph.microsoft.us".to_owned()).await.unwrap().status(), 200);
}
