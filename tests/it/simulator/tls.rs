use entra_revoke::simulator::{Config, Simulator, StartError};
use reqwest::{Certificate, Client, Version};

async fn start() -> Simulator {
    Simulator::start(Config { tls: true, ..Config::default() }).await.unwrap()
}

#[tokio::test]
async fn tls_works_over_http1_and_http2() {
    let simulator = start().await;
    let ca = || Certificate::from_pem(simulator.ca_pem().unwrap().as_bytes()).unwrap();
    let builder = || Client::builder().no_proxy().tls_certs_only([ca()]);
    let url = format!("{}/v1.0/users/a/revokeSignInSessions", simulator.url());
    let http2 = builder().build().unwrap().post(&url).bearer_auth("t").body("{}").send().await.unwrap();
    assert_eq!((http2.version(), http2.status().as_u16()), (Version::HTTP_2, 200));
    let http1 =
        builder().http1_only().build().unwrap().post(&url).bearer_auth("t").body("{}").send().await.unwrap();
    assert_eq!((http1.version(), http1.status().as_u16()), (Version::HTTP_11, 200));
    let by_address = url.replace("localhost", "127.0.0.1");
    let answer =
        builder().build().unwrap().post(by_address).bearer_auth("t").body("{}").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let stats = simulator.stats();
    assert_eq!((stats.effects, stats.unexpected_hosts.len()), (3, 0));
}

#[tokio::test]
async fn the_certificate_is_not_trusted_elsewhere() {
    let (simulator, other) = (start().await, start().await);
    let ca = Certificate::from_pem(other.ca_pem().unwrap().as_bytes()).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    assert!(client.get(simulator.url()).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn an_http2_reset_affects_only_one_stream() {
    let faults = vec!["match=bad;answer=reset-before".parse().unwrap()];
    let simulator = Simulator::start(Config { tls: true, faults, ..Config::default() }).await.unwrap();
    let ca = Certificate::from_pem(simulator.ca_pem().unwrap().as_bytes()).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let send = |id: &str| {
        let url = format!("{}/v1.0/users/{id}/revokeSignInSessions", simulator.url());
        client.post(url).bearer_auth("t").body("{}").send()
    };
    let (good, bad) = tokio::join!(send("good"), send("bad"));
    assert_eq!(good.unwrap().status(), 200);
    assert!(bad.is_err());
}

#[tokio::test]
async fn a_remote_address_must_be_allowed() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let refused = Simulator::start(Config { listen, ..Config::default() }).await;
    assert!(matches!(refused, Err(StartError::NotLoopback(_))));
}
