//! The token services near a client: for machines, apps, and jobs.

use std::time::Duration;

use serde_json::Value;

use crate::simulator::{SimulatorFixture, header, json};

const IMDS: &str = "/metadata/identity/oauth2/token?api-version=2018-02-01";
const GRAPH: &str = "resource=https%3A%2F%2Fgraph.microsoft.com";

async fn get(drill: &SimulatorFixture, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let mut request = drill.client.get(drill.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), json(response).await)
}

#[tokio::test]
async fn tokens_of_the_machine_service_are_accepted_by_graph() {
    let drill = SimulatorFixture::new("accept_any_token = false").await;
    let (status, body) = get(&drill, &format!("{IMDS}&{GRAPH}"), &[("Metadata", "true")]).await;
    assert_eq!(status, 200);
    assert!(body["expires_in"].is_string() && body["expires_on"].is_string(), "{body}");
    let token = body["access_token"].as_str().unwrap();
    assert_eq!(drill.try_revoke("a", token).await.unwrap().status(), 200);
    let stats = drill.simulator.stats();
    assert_eq!((stats.nearby_requests["imds"], stats.nearby_tokens["imds"]), (1, 1));
    drill.simulator.reset();
    assert!(drill.simulator.stats().nearby_requests.is_empty());
}

#[tokio::test]
async fn invalid_requests_to_the_machine_service_are_refused() {
    let drill = SimulatorFixture::new("[managed_identity]\nclient_id = 'one'").await;
    let good = format!("{IMDS}&{GRAPH}");
    let metadata = ("Metadata", "true");
    for (path, headers, says) in [
        (good.clone(), &[][..], "metadata header"),
        (good.clone(), &[("Metadata", "no")], "metadata header"),
        (good.replace("2018-02-01", "2099-01-01"), &[metadata], "API version"),
        (good.replace("resource", "scope"), &[metadata], "resource"),
        (format!("{good}&client_id=other"), &[metadata], "Identity not found"),
        (format!("{good}&object_id=one"), &[metadata], "Identity not found"),
    ] {
        let (status, body) = get(&drill, &path, headers).await;
        let text = body["error_description"].as_str().unwrap();
        assert!(status == 400 && text.contains(says), "{path}: {status} {text}");
    }
    assert_eq!(get(&drill, &format!("{good}&client_id=ONE"), &[metadata]).await.0, 200);
    let (status, body) = get(&drill, &good.replace("2018-02-01", "2020-06-01"), &[metadata]).await;
    assert_eq!((status, body["error"].as_str()), (404, Some("not_found")), "no agent without a folder");
}

#[tokio::test]
async fn a_token_is_cached_until_near_its_expiry() {
    let drill =
        SimulatorFixture::new("speed = 3600\n[token]\nlifetime = '1h'\n[managed_identity]\ncache = true")
            .await;
    let token = async || {
        let (_, body) = get(&drill, &format!("{IMDS}&{GRAPH}"), &[("Metadata", "true")]).await;
        body["access_token"].as_str().unwrap().to_owned()
    };
    let first = token().await;
    assert_eq!(token().await, first);
    let another = async { while token().await == first {} };
    tokio::time::timeout(Duration::from_secs(5), another).await.unwrap();
}

#[tokio::test]
async fn app_service_needs_its_header() {
    let drill =
        SimulatorFixture::new("[managed_identity]\nheader = 'h'\nobject_id = 'o'\ntimes_as_text = false")
            .await;
    let path = format!("/msi/token?api-version=2019-08-01&{GRAPH}");
    for headers in [&[][..], &[("X-IDENTITY-HEADER", "x")]] {
        assert_eq!(get(&drill, &path, headers).await.0, 401);
    }
    let (status, body) = get(&drill, &format!("{path}&principal_id=o"), &[("X-IDENTITY-HEADER", "h")]).await;
    assert!(status == 200 && body["expires_on"].is_i64(), "{status} {body}");
}

#[tokio::test]
async fn an_arc_key_works_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let drill =
        SimulatorFixture::new(&format!("[managed_identity]\narc_folder = '{}'", dir.path().display())).await;
    let url = drill.url(&format!("/metadata/identity/oauth2/token?api-version=2020-06-01&{GRAPH}"));
    let ask = |key: Option<String>| {
        let request = drill.client.get(&url).header("Metadata", "true");
        key.map_or(request.try_clone().unwrap(), |key| {
            request.header("Authorization", format!("Basic {key}"))
        })
        .send()
    };
    let challenge = ask(None).await.unwrap();
    assert_eq!(challenge.status(), 401);
    let file =
        header(&challenge, "www-authenticate").unwrap().strip_prefix("Basic realm=").unwrap().to_owned();
    let key = std::fs::read_to_string(&file).unwrap();
    assert_eq!(ask(Some("another".into())).await.unwrap().status(), 403);
    assert_eq!(ask(Some(key.clone())).await.unwrap().status(), 200);
    assert_eq!(ask(Some(key)).await.unwrap().status(), 403);
    assert!(!std::path::Path::new(&file).exists());
}

#[tokio::test]
async fn jobs_get_tokens() {
    let drill = SimulatorFixture::new("[token.federated]\ngithub_token = 'g'\npipelines_token = 'p'").await;
    let (status, body) = get(&drill, "/x/idtoken?audience=a", &[("Authorization", "bearer g")]).await;
    assert!(status == 200 && body["value"].as_str().unwrap().split('.').count() == 3);
    assert_eq!(get(&drill, "/x/idtoken", &[("Authorization", "bearer x")]).await.0, 401);

    let post = |token: &str, suppress: bool| {
        let url = drill.url("/x/oidctoken?api-version=7.1&serviceConnectionId=c");
        let request = drill.client.post(url).bearer_auth(token).header("Content-Length", "0");
        if suppress { request.header("X-TFS-FedAuthRedirect", "Suppress").send() } else { request.send() }
    };
    let body = json(post("p", true).await.unwrap()).await;
    assert_eq!(body["oidcToken"].as_str().unwrap().split('.').count(), 3);
    assert_eq!(post("x", true).await.unwrap().status(), 401);
    assert_eq!(post("x", false).await.unwrap().status(), 302, "to a page for people");
}
