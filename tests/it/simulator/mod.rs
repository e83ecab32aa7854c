//! The simulator over real sockets on loopback.

mod batch;
mod batch_reads;
mod device_code;
mod directory;
mod faults;
mod graph;
mod groups;
mod ledger;
mod nearby;
mod paging;
mod quotas;
mod reading;
mod reads;
mod tenant;
mod tenants;
mod tls;
mod token;

use std::time::Duration;

use entra_revoke::simulator::{Config, Simulator, Stats};
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A simulator with this configuration, and a client for it.
struct SimulatorFixture {
    simulator: Simulator,
    client: Client,
}

impl SimulatorFixture {
    async fn new(toml: &str) -> SimulatorFixture {
        let simulator = Simulator::start(Config::from_toml_str(toml).unwrap()).await.unwrap();
        SimulatorFixture { simulator, client: client() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.url())
    }

    /// Revokes `id`, which is already encoded, with an opaque token.
    async fn revoke(&self, id: &str) -> Response {
        self.try_revoke(id, "opaque").await.unwrap()
    }

    async fn try_revoke(&self, id: &str, token: &str) -> reqwest::Result<Response> {
        let url = self.url(&format!("/v1.0/users/{id}/revokeSignInSessions"));
        self.client.post(url).bearer_auth(token).body("{}").send().await
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).bearer_auth("opaque").send().await.unwrap()
    }

    /// Waits until the counters are as wanted.
    async fn until(&self, wanted: impl Fn(&Stats) -> bool) {
        let poll = async {
            while !wanted(&self.simulator.stats()) {
                tokio::task::yield_now().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), poll).await;
        assert!(waited.is_ok(), "{:?}", self.simulator.stats());
    }

    /// Sends these bytes on a connection of their own; gives all that comes back until its end.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.simulator.addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }
}

fn client() -> Client {
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

async fn json(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}
