use std::time::Duration;

use entra_revoke::simulator::TokenKind;
use reqwest::Response;
use serde_json::{Value, json};

use crate::simulator::{SimulatorFixture, header, json};

impl SimulatorFixture {
    async fn batch(&self, requests: Value) -> Response {
        self.batch_text(json!({"requests": requests}).to_string()).await
    }

    async fn batch_text(&self, body: String) -> Response {
        let request = self.client.post(self.url("/v1.0/$batch")).bearer_auth("opaque");
        request.header("Content-Type", "application/json").body(body).send().await.unwrap()
    }

    /// The parts' answers, in the order of their ids.
    async fn parts(&self, requests: Value) -> Vec<Value> {
        let response = self.batch(requests).await;
        assert_eq!(response.status(), 200);
        let mut parts = json(response).await["responses"].as_array().unwrap().clone();
        parts.sort_by_key(|part| part["id"].as_str().unwrap().to_owned());
        parts
    }

    async fn refusal(&self, requests: Value) -> String {
        let response = self.batch(requests).await;
        assert_eq!(response.status(), 400);
        json(response).await["error"]["message"].as_str().unwrap().to_owned()
    }
}

fn revoke(id: &str, user: &str) -> Value {
    json!({"id": id, "method": "POST", "url": format!("/users/{user}/revokeSignInSessions"),
        "headers": {"Content-Type": "application/json"}, "body": {}})
}

fn get(id: &str, url: &str) -> Value {
    json!({"id": id, "method": "GET", "url": url})
}

fn statuses(parts: &[Value]) -> Vec<u64> {
    parts.iter().map(|part| part["status"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn each_part_has_its_own_answer() {
    let roles = "[token]\nroles = ['User.RevokeSessions.All', 'User.Read.All']";
    let drill = SimulatorFixture::new(&format!("unknown = ['gone-*']\ndeny = ['chief']\n{roles}")).await;
    let parts = drill
        .parts(json!([
            revoke("1", "ann"),
            get("2", "users/ann_x.com%23EXT%23@y.com?$select=userType"),
            get("3", "/users/gone-1"),
            revoke("4", "chief"),
            get("5", "/nothing"),
            {"id": "6", "method": "DELETE", "url": "/users/ann"},
        ]))
        .await;
    assert_eq!(statuses(&parts), [200, 200, 404, 403, 400, 405]);
    assert_eq!(parts[0]["body"]["value"], true);
    assert_eq!(parts[1]["body"]["userType"], "Guest");
    assert_eq!(parts[0]["headers"]["x-ms-resource-unit"], "1");
    assert_eq!(parts[0]["headers"]["OData-Version"], "4.0");
    assert_eq!(parts[0]["headers"].get("request-id").or(parts[0]["headers"].get("Request-Id")), None);
    assert_eq!(parts[2]["body"]["error"]["code"], "Request_ResourceNotFound");
    let stats = drill.simulator.stats();
    assert_eq!((stats.requests, stats.batches, stats.batch_parts, stats.revocations), (1, 1, 6, 2));
    assert_eq!(stats.answers["404"], 1);
    assert_eq!(drill.simulator.ledger().user("ann").unwrap().effects, 1);
    assert_eq!(drill.simulator.ledger().user("chief").unwrap().effects, 0);
}

#[tokio::test]
async fn parts_have_their_own_client_request_ids() {
    let drill = SimulatorFixture::new("unknown = ['gone-*']").await;
    let named = |id: &str, user: &str, own: &str| {
        let mut part = revoke(id, user);
        part["headers"]["client-request-id"] = own.into();
        part
    };
    let parts = drill
        .parts(json!([named("1", "gone-1", "own"), named("2", "bea", "own"), revoke("3", "gone-2")]))
        .await;
    let inner = &parts[0]["body"]["error"]["innerError"];
    assert_eq!(inner["client-request-id"], "own");
    assert_eq!(inner["request-id"], parts[2]["body"]["error"]["innerError"]["request-id"]);
    let stats = drill.simulator.stats();
    assert_eq!((stats.duplicate_client_request_ids, stats.missing_client_request_ids), (1, 1));
}

#[tokio::test]
async fn an_invalid_batch_is_refused_as_a_whole() {
    let drill = SimulatorFixture::new("").await;
    let many: Vec<Value> = (0..21).map(|n| revoke(&n.to_string(), "ann")).collect();
    assert!(drill.refusal(many.into()).await.contains("exceeds the limit"));
    assert!(drill.refusal(json!([revoke("a", "ann"), revoke("A", "bea")])).await.contains("unique"));
    let mut bare = revoke("7", "ann");
    bare["headers"] = json!({"content-type": "application/json"});
    let text = "Write request with id '7' does not contain a Content-Type header.";
    assert_eq!(drill.refusal(json!([get("1", "/me"), bare])).await, text);
    let mut bodiless = revoke("7", "ann");
    bodiless.as_object_mut().unwrap().remove("body");
    let text = "Write request id : 7 does not contain Content-Type header or body.";
    assert_eq!(drill.refusal(json!([bodiless])).await, text);
    assert_eq!(drill.batch_text("{".into()).await.status(), 400);
    assert_eq!(drill.batch_text(" ".repeat((4 << 20) + 1)).await.status(), 413);
    let stats = drill.simulator.stats();
    assert_eq!((stats.batches, stats.effects), (0, 0), "nothing was carried out");
}

#[tokio::test]
async fn a_batch_cannot_contain_a_batch() {
    let drill = SimulatorFixture::new("").await;
    let mut nested = revoke("1", "x");
    nested["url"] = "/$batch".into();
    assert_eq!(statuses(&drill.parts(json!([nested, revoke("2", "ann")])).await), [400, 200]);
}

#[tokio::test]
async fn a_part_that_depends_on_a_failed_part_fails() {
    let drill = SimulatorFixture::new("unknown = ['gone-*']").await;
    let after = |id: &str, user: &str, needs: &str| {
        let mut part = revoke(id, user);
        part["dependsOn"] = json!([needs]);
        part
    };
    let parts = drill
        .parts(json!([
            after("1", "ann", "2"),
            revoke("2", "gone-1"),
            after("3", "bea", "1"),
            after("4", "cid", "E"),
            revoke("e", "dan")
        ]))
        .await;
    assert_eq!(statuses(&parts), [424, 404, 424, 200, 200]);
    let ledger = drill.simulator.ledger();
    assert!(ledger.user("ann").is_none() && ledger.user("bea").is_none());
}

#[tokio::test]
async fn a_quota_throttles_parts_and_not_the_batch() {
    let drill = SimulatorFixture::new("[quota]\napp = { limit = 2, window = 100 }").await;
    let parts =
        drill.parts(json!([revoke("1", "a"), revoke("2", "b"), revoke("3", "c"), revoke("4", "d")])).await;
    assert_eq!(statuses(&parts), [200, 200, 429, 429]);
    let wait: u64 = parts[2]["headers"]["Retry-After"].as_str().unwrap().parse().unwrap();
    assert!((45..=51).contains(&wait), "{wait}");
    assert_eq!(drill.simulator.stats().effects, 2);
    assert_eq!(drill.simulator.stats().throttled, 2);
}

#[tokio::test]
async fn parts_report_the_limit_that_is_near_or_reached() {
    for (name, scope) in [("app", "Tenant_Application"), ("tenant", "Tenant"), ("everywhere", "Application")]
    {
        let quota = format!("batch.shuffle = false\n[quota]\n{name} = {{ limit = 1, window = '100s' }}");
        let parts =
            SimulatorFixture::new(&quota).await.parts(json!([revoke("1", "a"), revoke("2", "b")])).await;
        assert_eq!(statuses(&parts), [200, 429], "{name}");
        assert_eq!(parts[0]["headers"]["x-ms-throttle-limit-percentage"], "1.00");
        let told = parts[1]["headers"]["x-ms-throttle-scope"].as_str().unwrap();
        assert!(told.starts_with(&format!("{scope}/Write/opaque/")), "{told}");
        assert_eq!(parts[1]["headers"]["x-ms-throttle-information"], "WriteLimitExceeded");
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_order() {
    let requests: Value = (0..20).map(|n| revoke(&n.to_string(), "ann")).collect::<Vec<_>>().into();
    let order = async |toml: &str| {
        let answer = json(SimulatorFixture::new(toml).await.batch(requests.clone()).await).await;
        let parts = answer["responses"].as_array().unwrap().iter();
        parts.map(|part| part["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let plain: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let seven = order("seed = 7").await;
    assert_ne!(seven, plain);
    assert_eq!(seven, order("seed = 7").await);
    assert_ne!(seven, order("seed = 8").await);
    assert_eq!(order("[batch]\nshuffle = false").await, plain);
}

#[tokio::test]
async fn answers_of_parts_can_be_lost_or_come_twice() {
    let drill = SimulatorFixture::new("[batch]\nlose_parts = 1\nduplicate_parts = 2").await;
    let requests = json!([revoke("1", "a"), revoke("2", "b"), revoke("3", "c")]);
    let ids = async || {
        let parts = drill.parts(requests.clone()).await;
        let distinct: std::collections::BTreeSet<_> =
            parts.iter().map(|part| part["id"].to_string()).collect();
        (parts.len(), distinct.len())
    };
    let first = ids().await;
    assert_eq!(first.1, 2, "one is lost");
    assert_eq!(ids().await, (4, 3), "one comes twice");
    assert_eq!(ids().await, (3, 3));
    assert_eq!(drill.simulator.stats().effects, 9, "all were carried out");
    drill.simulator.reset();
    assert_eq!(ids().await.1, 2, "a reset lets it happen again");
}

#[tokio::test]
async fn answers_of_parts_can_be_contradicted() {
    let drill = SimulatorFixture::new("unknown = ['gone']\n[batch]\ncontradict_parts = 2").await;
    for (user, expected) in [("ann", [200, 503]), ("gone", [404, 200]), ("ann", [200, 200])] {
        let mut answered = statuses(&drill.parts(json!([revoke("1", user)])).await);
        if answered.len() == 1 {
            answered.push(200);
        }
        answered.sort_unstable();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(answered, expected, "{user}");
    }
    assert_eq!(drill.simulator.stats().effects, 2, "what was carried out, and nothing else");
}

#[tokio::test]
async fn ids_can_be_answered_in_other_spellings() {
    let ids = async |spelling: &str| {
        let drill = SimulatorFixture::new(&format!("[batch]\nshuffle = false\nids = '{spelling}'")).await;
        let answer = json(drill.batch(json!([revoke("a", "ann"), revoke("2", "bea")])).await).await;
        json!([answer["responses"][0]["id"], answer["responses"][1]["id"]])
    };
    assert_eq!(ids("as_sent").await, json!(["a", "2"]));
    assert_eq!(ids("uppercase").await, json!(["A", "2"]));
    assert_eq!(ids("number").await, json!(["a", 2]));
}

#[tokio::test]
async fn the_maximum_batch_size_can_be_set() {
    let drill = SimulatorFixture::new("[batch]\nmax_bytes = 300").await;
    assert_eq!(drill.batch(json!([revoke("1", "ann")])).await.status(), 200);
    let too_much = drill.batch(json!([revoke("1", "ann"), revoke("2", "bea"), revoke("3", "cid")])).await;
    assert_eq!(too_much.status(), 413);
    assert_eq!(drill.simulator.stats().effects, 1);
}

#[tokio::test]
async fn faults_apply_to_single_parts() {
    let drill = SimulatorFixture::new(
        "[[fault]]\nmatch = 'hang'\nanswer = 'hang-after'\n[[fault]]\nmatch = 'reset'\nanswer = 'reset-before'\n\
         [[fault]]\nmatch = 'cut'\nanswer = 'truncated-success'\n[[fault]]\nmatch = 'html'\nanswer = 502\nbody = 'html'\n\
         [[fault]]\nmatch = 'empty'\nanswer = 204\n[[fault]]\nmatch = 'later'\nanswer = 429\nretry_after = '2.128'",
    )
    .await;
    let users = ["hang", "reset", "cut", "html", "empty", "later", "fine"];
    let requests: Vec<Value> =
        users.iter().enumerate().map(|(n, user)| revoke(&n.to_string(), user)).collect();
    let parts = drill.parts(requests.into()).await;
    assert_eq!(statuses(&parts), [504, 504, 504, 502, 204, 429, 200]);
    assert_eq!(parts[0]["body"]["error"]["code"], "GatewayTimeout");
    let page = parts[3]["body"].as_str().unwrap();
    assert!(page.starts_with("PGh0bWw+"), "<html> in base64: {page}");
    assert_eq!(parts[4].get("body"), None);
    assert_eq!(parts[5]["headers"]["Retry-After"], "2.128");
    let ledger = drill.simulator.ledger();
    let effects = |user| ledger.user(user).unwrap().effects;
    assert_eq!((effects("hang"), effects("reset"), effects("cut")), (1, 0, 1));
    assert_eq!(ledger.user("hang").unwrap().answers["504"], 1);
}

#[tokio::test]
async fn faults_apply_to_the_whole_batch() {
    let fault = async |rule: &str| {
        let drill = SimulatorFixture::new(&format!("[[fault]]\nendpoint = 'batch'\n{rule}")).await;
        let response = drill.batch(json!([revoke("1", "ann")])).await;
        let told = (response.status().as_u16(), header(&response, "retry-after").map(str::to_owned));
        (told, response.text().await.unwrap(), drill.simulator.stats().effects)
    };
    let (told, body, effects) = fault("answer = 429\nretry_after = '3'").await;
    assert_eq!((told, effects), ((429, Some("3".into())), 0));
    assert!(body.contains("TooManyRequests"));
    assert_eq!(fault("answer = 503").await.0.0, 503);
    let (told, _, effects) = fault("answer = 504\neffect = true").await;
    assert_eq!((told.0, effects), (504, 1), "it was carried out all the same");
    let (told, body, effects) = fault("answer = 'portal'").await;
    assert_eq!((told.0, body.contains("<html>"), effects), (200, true, 0));
    let (told, body, effects) = fault("answer = 'delay'\ndelay = '5ms'").await;
    assert_eq!((told.0, body.contains("responses"), effects), (200, true, 1));
}

#[tokio::test]
async fn a_batch_can_hang() {
    let drill = SimulatorFixture::new("[[fault]]\nendpoint = 'batch'\nanswer = 'hang-after'").await;
    let mut sent = Box::pin(drill.batch(json!([revoke("1", "ann")])));
    let settled = tokio::select! {
        _ = &mut sent => true,
        () = drill.until(|stats| stats.effects == 1 && stats.in_flight == 1) => false,
    };
    assert!(!settled);
}

#[tokio::test]
async fn a_disabled_batch_endpoint_is_404() {
    let drill = SimulatorFixture::new("[batch]\nenabled = false").await;
    assert_eq!(drill.batch(json!([revoke("1", "ann")])).await.status(), 404);
    assert_eq!(drill.simulator.stats().effects, 0);
}

#[tokio::test]
async fn the_batch_needs_a_token() {
    let drill = SimulatorFixture::new("accept_any_token = false\n[token]\nroles = []").await;
    let refused = drill.batch(json!([revoke("1", "ann")])).await;
    assert_eq!(refused.status(), 401);
    let powerless = drill.simulator.mint_token(TokenKind::App, Duration::from_secs(60));
    let mut part = revoke("1", "ann");
    part["headers"]["Authorization"] = "Bearer another".into();
    let body = json!({"requests": [part, get("2", "/me")]}).to_string();
    let sent = drill.client.post(drill.url("/beta/$batch")).bearer_auth(powerless).body(body).send();
    let answer = json(sent.await.unwrap()).await;
    let mut statuses = statuses(answer["responses"].as_array().unwrap());
    statuses.sort_unstable();
    assert_eq!(statuses, [400, 403]);
}

#[tokio::test]
async fn a_batch_takes_as_long_as_its_slowest_part() {
    let drill = SimulatorFixture::new("[[fault]]\nmatch = 'slow-*'\nanswer = 'delay'\ndelay = '200ms'").await;
    let began = std::time::Instant::now();
    let requests: Vec<Value> = (0..10).map(|n| revoke(&n.to_string(), &format!("slow-{n}"))).collect();
    assert_eq!(drill.parts(requests.into()).await.len(), 10);
    let took = began.elapsed();
    assert!((Duration::from_millis(200)..Duration::from_millis(1500)).contains(&took), "{took:?}");
}
