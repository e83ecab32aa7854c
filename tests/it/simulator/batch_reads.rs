//! Reads as parts of batches.

use serde_json::{Value, json};

use crate::simulator::directory::{drill, drill_with};
use crate::simulator::{SimulatorFixture, json};

async fn parts(drill: &SimulatorFixture, requests: Value) -> Vec<Value> {
    let request = drill.client.post(drill.url("/v1.0/$batch")).bearer_auth("opaque");
    let answer = json(request.body(json!({"requests": requests}).to_string()).send().await.unwrap()).await;
    let mut parts = answer["responses"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
    parts.sort_by_key(|part| part["id"].as_str().unwrap().to_owned());
    parts
}

fn get(id: &str, url: &str) -> Value {
    json!({"id": id, "method": "GET", "url": url})
}

#[tokio::test]
async fn a_part_has_its_own_cost_and_headers() {
    let drill = drill().await;
    let counted = "users?$count=true&$filter=userType ne 'Guest'&$select=userPrincipalName&$top=1";
    let mut eventual = get("1", counted);
    eventual["headers"] = json!({"ConsistencyLevel": "eventual"});
    let parts = parts(&drill, json!([eventual, get("2", counted), get("3", "/users")])).await;
    assert_eq!((&parts[0]["status"], &parts[0]["body"]["@odata.count"]), (&200.into(), &2.into()));
    assert_eq!(parts[1]["body"]["error"]["code"], "Request_UnsupportedQuery");
    assert_eq!(
        (&parts[0]["headers"]["x-ms-resource-unit"], &parts[2]["headers"]["x-ms-resource-unit"]),
        (&"1".into(), &"2".into())
    );
    let next = parts[0]["body"]["@odata.nextLink"].as_str().unwrap();
    assert!(next.starts_with(&drill.url("/v1.0/users?")) && !next.contains(' '), "{next}");
    let request = drill.client.get(next).bearer_auth("opaque").header("ConsistencyLevel", "eventual");
    assert_eq!(json(request.send().await.unwrap()).await["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_part_can_have_a_body() {
    let drill = drill_with("'Directory.Read.All'").await;
    let ann = parts(&drill, json!([get("1", "/users/ann@contoso.example?$select=id")])).await;
    let ids = json!([ann[0]["body"]["id"]]);
    let part = json!({"id": "1", "method": "POST", "url": "/directoryObjects/getByIds?$select=id,userPrincipalName",
        "headers": {"Content-Type": "application/json"}, "body": {"ids": ids}});
    let found = parts(&drill, json!([part])).await;
    assert_eq!(found[0]["body"]["value"][0]["userPrincipalName"], "Ann@contoso.example");
}

#[tokio::test]
async fn a_read_quota_throttles_parts() {
    let drill = SimulatorFixture::new(
        "[token]\nroles = ['User.Read.All']\n[quota]\nread = { limit = 2, window = 100 }",
    )
    .await;
    let requests = json!([get("1", "/users/a"), get("2", "/users/b"), get("3", "/users/c")]);
    let parts = parts(&drill, requests).await;
    assert_eq!((&parts[1]["status"], &parts[2]["status"]), (&200.into(), &429.into()));
    assert!(parts[2]["headers"]["Retry-After"].is_string(), "{}", parts[2]);
    assert_eq!((drill.simulator.stats().reads, drill.simulator.stats().throttled_reads), (3, 1));
}

#[tokio::test]
async fn a_path_fault_applies_to_the_matching_part() {
    let fault = "[[fault]]\nendpoint = 'directory'\nmatch = 'groups'\nanswer = 503\ntimes = 1";
    let drill =
        SimulatorFixture::new(&format!("{fault}\n[token]\nroles = ['Directory.Read.All']\n[directory]\n"))
            .await;
    let requests = json!([get("1", "/groups"), get("2", "/users"), get("3", "/organization")]);
    let statuses = async || -> Vec<Value> {
        parts(&drill, requests.clone()).await.into_iter().map(|part| part["status"].clone()).collect()
    };
    assert_eq!(statuses().await, [503, 200, 200]);
    assert_eq!(statuses().await, [200, 200, 200]);
}
