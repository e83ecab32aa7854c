//! Batches over real sockets: the library's client against the simulator, and against servers that behave differently.

mod around;
mod doubt;
mod parts;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use entra_revoke::dispatch::{Verdict, verdict};
use entra_revoke::graph::{BatchAnswer, BatchRequest, Graph, HttpGraph, HttpResponse, LossKind, UserReply};
use entra_revoke::http::{HttpClients, HttpOptions};
use entra_revoke::identity::{CredentialConfig, CredentialSources, Tokens};
use entra_revoke::simulator::{Config, Simulator};
use uuid::Uuid;

/// An obvious fake, to be found in nothing that is kept.
const TOKEN: &str = "fake-token-CANARY-9f2c";

/// A simulator, and the wire to it.
struct BatchFixture {
    simulator: Simulator,
    graph: HttpGraph,
}

impl BatchFixture {
    /// Quotas are off unless the configuration names them.
    async fn new(toml: &str) -> BatchFixture {
        let mut config = Config::from_toml_str(toml).unwrap();
        config.quota.enabled = toml.contains("[quota]");
        let simulator = Simulator::start(config).await.unwrap();
        let graph = graph(&simulator.url(), Duration::from_secs(20)).await;
        BatchFixture { simulator, graph }
    }

    /// A wire that waits only so long.
    async fn impatient(toml: &str, timeout: Duration) -> BatchFixture {
        let line = BatchFixture::new(toml).await;
        BatchFixture { graph: graph(&line.simulator.url(), timeout).await, ..line }
    }

    async fn revoke(&self, users: &[&str]) -> Vec<UserReply> {
        revoke(&self.graph, users).await
    }

    fn effects(&self, user: &str) -> u64 {
        self.simulator.ledger().user(user).map_or(0, |record| record.effects)
    }
}

/// The wire to a server.
async fn graph(url: &str, timeout: Duration) -> HttpGraph {
    let options = HttpOptions { timeout, ca_cert: None, connect_to: Vec::new(), plain_http: true };
    let clients = HttpClients::new(&options).unwrap();
    let offer = CredentialConfig {
        authority: url.parse().unwrap(),
        scope: format!("{url}/.default"),
        tenant: None,
        client_id: None,
        sources: CredentialSources { auth: Some("token".parse().unwrap()), ..CredentialSources::default() },
    };
    let variables = |name: &str| (name == "ENTRA_REVOKE_TOKEN").then(|| TOKEN.to_owned());
    let signed = Tokens::sign_in(offer.build_chain(&variables).unwrap(), clients.clone()).await.unwrap();
    HttpGraph::new(clients, url, Arc::new(signed.tokens))
}

fn requests(users: &[&str]) -> Vec<BatchRequest> {
    let request = |user: &&str| BatchRequest {
        user: user.parse().unwrap(),
        client_request_id: Uuid::new_v4(),
        new_connection: false,
    };
    users.iter().map(request).collect()
}

/// Sends these users in one batch; what became of each.
async fn revoke(graph: &HttpGraph, users: &[&str]) -> Vec<UserReply> {
    send(graph, requests(users)).await
}

async fn send(graph: &HttpGraph, requests: Vec<BatchRequest>) -> Vec<UserReply> {
    let count = requests.len();
    let answers: Vec<BatchAnswer> = graph.revoke_batch(requests).await;
    assert_eq!(answers.len(), count, "one for each");
    assert!(answers.iter().all(|answer| answer.token == 1));
    assert!(!format!("{answers:?}").contains("CANARY"), "a secret shows: {answers:?}");
    answers.into_iter().map(|answer| answer.reply).collect()
}

/// `count` users.
fn users(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("u{n:02}@contoso.com")).collect()
}

fn named(users: &[String]) -> Vec<&str> {
    users.iter().map(String::as_str).collect()
}

fn is_done(reply: &UserReply) -> bool {
    verdict(reply) == Verdict::Done
}

#[track_caller]
fn response(reply: &UserReply) -> &HttpResponse {
    match reply {
        UserReply::Response(response) => response,
        other => panic!("no response: {other:?}"),
    }
}

#[track_caller]
fn unbatched(reply: &UserReply) -> &HttpResponse {
    match reply {
        UserReply::Unbatched(response) => response,
        other => panic!("not refused as a whole: {other:?}"),
    }
}

/// How it was lost, and what is said of it.
#[track_caller]
fn lost(reply: &UserReply) -> (LossKind, &str) {
    match reply {
        UserReply::Lost(lost) => (lost.how, &lost.detail),
        other => panic!("not lost: {other:?}"),
    }
}

/// The statuses of replies that all are responses.
#[track_caller]
fn statuses(replies: &[UserReply]) -> Vec<u16> {
    replies.iter().map(|reply| response(reply).status).collect()
}
