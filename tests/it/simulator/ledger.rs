use entra_revoke::simulator::{Ledger, Stats};

use crate::simulator::{SimulatorFixture, json};

#[tokio::test]
async fn the_ledger_has_every_user() {
    let drill = SimulatorFixture::new("unknown = ['gone']").await;
    let url = drill.url("/v1.0/users/Ann@x.com/revokeSignInSessions");
    let send = async |id: &'static str| {
        drill
            .client
            .post(&url)
            .bearer_auth("t")
            .header("client-request-id", id)
            .body("{}")
            .send()
            .await
            .unwrap()
    };
    send("first").await;
    send("second").await;
    send("first").await;
    drill.revoke("gone").await;

    let ledger: Ledger = serde_json::from_value(json(drill.get("/_simulator/ledger").await).await).unwrap();
    assert_eq!(ledger.users, drill.simulator.ledger().users);
    let ann = ledger.user("ann@X.com").unwrap();
    assert_eq!((ann.id.as_str(), ann.requests, ann.effects), ("Ann@x.com", 3, 3));
    assert_eq!(ann.answers, [("200".to_owned(), 3)].into());
    assert_eq!(ann.last_client_request_id.as_deref(), Some("first"));
    assert!(
        ann.first_s < ann.last_s && ann.first_at <= ann.last_at && ann.first_at.ends_with('Z'),
        "{ann:?}"
    );
    let gone = ledger.user("gone").unwrap();
    assert_eq!((gone.effects, gone.answers["404"], &gone.revoked_at), (0, 1, &None));
    let stats = ledger.stats;
    assert_eq!((stats.users, stats.revocations, stats.effects, stats.in_flight), (2, 4, 3, 0));
    assert_eq!((stats.duplicate_client_request_ids, stats.missing_client_request_ids), (1, 1));
    assert_eq!((stats.max_in_flight, stats.unexpected_hosts.len()), (1, 0));
}

#[tokio::test]
async fn the_ledger_is_available_as_csv_and_can_be_reset() {
    let drill = SimulatorFixture::new("").await;
    drill.revoke("o'brien,%22x%22@x.com").await;
    let csv = drill.get("/_simulator/ledger?format=csv").await.text().await.unwrap();
    let mut lines = csv.lines();
    assert!(lines.next().unwrap().starts_with("id,requests,effects,external,answers,"));
    assert!(lines.next().unwrap().starts_with(r#""o'brien,""x""@x.com",1,1,false,200:1,"#), "{csv}");
    let reset = drill.client.post(drill.url("/_simulator/reset")).send().await.unwrap();
    assert_eq!(reset.status(), 204);
    let stats: Stats = serde_json::from_value(json(drill.get("/_simulator/stats").await).await).unwrap();
    assert_eq!((stats.requests, stats.effects, stats.users), (0, 0, 0));
}

#[tokio::test]
async fn the_ledger_can_keep_counts_only() {
    let drill = SimulatorFixture::new("ledger = 'counts'").await;
    drill.revoke("a").await;
    let ledger = drill.simulator.ledger();
    assert_eq!((ledger.users.len(), ledger.stats.effects), (0, 1));
}

#[tokio::test]
async fn an_unexpected_host_is_recorded() {
    let drill = SimulatorFixture::new("expected_hosts = ['graph.test']").await;
    let request = |host: &str| {
        format!(
            "POST /v1.0/users/a/revokeSignInSessions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer t\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
    };
    drill.raw(&request("graph.test")).await;
    drill.raw(&request("evil.example")).await;
    assert_eq!(drill.simulator.stats().unexpected_hosts, [("evil.example".to_owned(), 1)].into());
}

#[tokio::test]
async fn concurrent_requests_are_counted() {
    let drill = SimulatorFixture::new("[[fault]]\nmatch = 'slow*'\nanswer = 'hang-before'").await;
    let all: Vec<_> = (0..4)
        .map(|n| {
            let url = drill.url(&format!("/v1.0/users/slow{n}/revokeSignInSessions"));
            tokio::spawn(drill.client.post(url).bearer_auth("t").body("{}").send())
        })
        .collect();
    drill.until(|stats| stats.in_flight == 4).await;
    drill.revoke("quick").await;
    assert_eq!(drill.simulator.stats().max_in_flight, 5);
    all.iter().for_each(tokio::task::JoinHandle::abort);
    drill.until(|stats| stats.in_flight == 0).await;
}
