//! The room against a server of a few lines, for what the simulator does not show: lies, loops, and what stands between.

#[path = "../../../tests/it/support/plain_server.rs"]
mod plain_server;

mod batch;
mod pages;
mod reader;
mod resolve;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::reader::{Read, Reader};
use super::{Directory, Need, UserReads};
use crate::http::{HttpClients, HttpOptions};
use crate::identity::{Cloud, Endpoint, Offer, Sources, Tokens};
use plain_server::{Seen, serve_seen};

/// An obvious fake.
const TOKEN: &str = "fake-token-CANARY-9f2c";

type Log = Arc<Mutex<Vec<Seen>>>;

/// A directory whose server answers so; what it was asked, too.
async fn directory(answer: impl Fn(usize, &Seen) -> String + Send + Sync + 'static) -> (Directory, Log) {
    let (root, log) = serve_seen(answer);
    (Directory { reader: reader(&root).await, users: UserReads::Allowed }, log)
}

/// A reader that hardly waits on its own account.
async fn reader(root: &str) -> Reader {
    let options = HttpOptions {
        timeout: Duration::from_secs(5),
        ca_cert: None,
        connect_to: Vec::new(),
        plain_http: true,
    };
    let clients = HttpClients::new(&options).unwrap();
    let offer = Offer {
        authority: root.parse::<Endpoint>().unwrap(),
        scope: Cloud::default().scope(),
        tenant: None,
        client_id: None,
        sources: Sources::default(),
    };
    let variables = |name: &str| (name == "ENTRA_REVOKE_TOKEN").then(|| TOKEN.to_owned());
    let signed = Tokens::sign_in(offer.candidates(&variables).unwrap(), clients.clone()).await.unwrap();
    Reader::stepping(clients, root, Arc::new(signed.tokens), Duration::from_millis(1))
}

fn read(url: &str) -> Read {
    Read {
        what: "group Finance".to_owned(),
        url: url.to_owned(),
        eventual: true,
        need: Need::Groups,
        cost: 1,
    }
}

/// An answer with Graph's mark.
fn graph(status: &str, body: &Value) -> String {
    answer(&format!("{status}\r\nrequest-id: 0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f"), &body.to_string())
}

/// An answer of whoever.
fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn error(code: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message}})
}

/// What was asked for, in order: the targets of the request lines.
fn targets(log: &Log) -> Vec<String> {
    let target = |seen: &Seen| seen.line.split(' ').nth(1).unwrap().to_owned();
    log.lock().unwrap().iter().map(target).collect()
}
