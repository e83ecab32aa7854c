//! Tests against a server of a few lines, for what the simulator does not do: lies, loops and intermediaries.

#[path = "../../../tests/it/support/plain_server.rs"]
#[allow(dead_code, reason = "the tests of behaviour use the rest")]
mod plain_server;

mod batch;
mod pages;
mod reader;
mod resolve;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::reader::{GraphReader, ReadRequest};
use super::{Directory, Permission, UserReadScope};
use crate::http::{HttpClients, HttpOptions};
use crate::identity::{Cloud, CredentialConfig, CredentialSources, Endpoint, Tokens};
use plain_server::{ReceivedRequest, serve_requests};

/// An obvious fake.
const TOKEN: &str = "fake-token-CANARY-9f2c";

type RequestLog = Arc<Mutex<Vec<ReceivedRequest>>>;

/// A directory whose server answers like this, and the log of its requests.
async fn directory(
    answer: impl Fn(usize, &ReceivedRequest) -> String + Send + Sync + 'static,
) -> (Directory, RequestLog) {
    let (root, log) = serve_requests(answer);
    (Directory { reader: reader(&root).await, users: UserReadScope::Full }, log)
}

/// A reader with short backoffs.
async fn reader(root: &str) -> GraphReader {
    let options = HttpOptions {
        timeout: Duration::from_secs(5),
        ca_cert: None,
        connect_to: Vec::new(),
        plain_http: true,
    };
    let clients = HttpClients::new(&options).unwrap();
    let config = CredentialConfig {
        authority: root.parse::<Endpoint>().unwrap(),
        scope: Cloud::default().scope(),
        tenant: None,
        client_id: None,
        sources: CredentialSources::default(),
    };
    let variables = |name: &str| (name == "ENTRA_REVOKE_TOKEN").then(|| TOKEN.to_owned());
    let signed = Tokens::sign_in(config.build_chain(&variables).unwrap(), clients.clone()).await.unwrap();
    GraphReader::with_retry_step(clients, root, Arc::new(signed.tokens), Duration::from_millis(1))
}

fn read(url: &str) -> ReadRequest {
    ReadRequest {
        what: "group Finance".to_owned(),
        url: url.to_owned(),
        eventual: true,
        permission: Permission::Groups,
        cost: 1,
    }
}

/// An answer with Graph's header.
fn graph(status: &str, body: &Value) -> String {
    answer(&format!("{status}\r\nrequest-id: 0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f"), &body.to_string())
}

/// An answer without it.
fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn error(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

/// The targets of the request lines, in order.
fn targets(log: &RequestLog) -> Vec<String> {
    let target = |seen: &ReceivedRequest| seen.line.split(' ').nth(1).unwrap().to_owned();
    log.lock().unwrap().iter().map(target).collect()
}
