//! Lists in pages, and their faults.

use reqwest::Response;
use serde_json::Value;

use crate::simulator::directory::each;
use crate::simulator::{SimulatorFixture, json};

const READS: &str = "[token]\nroles = ['User.Read.All', 'Group.Read.All']";

async fn drill(paging: &str) -> SimulatorFixture {
    SimulatorFixture::new(&format!(
        "{READS}\n[directory]\ngenerate = {{ users = 25, seed = 3 }}\n[directory.paging]\n{paging}"
    ))
    .await
}

fn next(body: &Value) -> Option<String> {
    body["@odata.nextLink"].as_str().map(str::to_owned)
}

impl SimulatorFixture {
    async fn page(&self, link: &str) -> Response {
        self.client.get(link).bearer_auth("opaque").send().await.unwrap()
    }

    /// All pages from `path` on.
    async fn pages(&self, path: &str) -> Vec<Value> {
        let mut link = Some(self.url(path));
        let mut pages = Vec::new();
        while let Some(address) = link {
            let body = json(self.page(&address).await).await;
            link = next(&body);
            pages.push(body);
            assert!(pages.len() < 100, "no end");
        }
        pages
    }
}

fn sizes(pages: &[Value]) -> Vec<usize> {
    pages.iter().map(|page| each(page, "id").len()).collect()
}

fn distinct(pages: &[Value]) -> usize {
    let ids: std::collections::BTreeSet<_> = pages.iter().flat_map(|page| each(page, "id")).collect();
    ids.len()
}

#[tokio::test]
async fn a_next_link_stays_on_the_same_host() {
    let drill = drill("").await;
    let pages = drill.pages("/v1.0/users?$select=id&$top=10").await;
    assert_eq!((sizes(&pages), distinct(&pages)), (vec![10, 10, 5], 25));
    let link = next(&pages[0]).unwrap();
    assert!(link.starts_with(&drill.url("/v1.0/users?$select=id&$top=10&$skiptoken=")), "{link}");
    let pages = drill.pages("/v1.0/users?$filter=userType eq 'Member'&$top=7&$count=true").await;
    assert_eq!(distinct(&pages), sizes(&pages).iter().sum::<usize>());
    assert_eq!(pages[0].get("@odata.count"), None, "ignored without its header");
    let other = link.replace("$top=10", "$top=11");
    assert_eq!(drill.page(&other).await.status(), 400, "a token is good for one list only");
    assert_eq!(sizes(&drill.pages("/v1.0/users").await), [25], "100 to a page");
}

#[tokio::test]
async fn advanced_parameters_are_needed_on_every_page() {
    let drill = drill("").await;
    let path = "/v1.0/users?$count=true&$top=5&$filter=accountEnabled ne false";
    let first = json(drill.eventual(path).await).await;
    assert!(first["@odata.count"].as_u64().unwrap() > 5);
    let link = next(&first).unwrap();
    let bare = drill.page(&link).await;
    assert_eq!(json(bare).await["error"]["code"], "Request_UnsupportedQuery");
    let request = drill.client.get(&link).bearer_auth("opaque").header("ConsistencyLevel", "eventual");
    let second = json(request.send().await.unwrap()).await;
    assert_eq!((each(&second, "id").len(), second.get("@odata.count")), (5, None));
}

#[tokio::test]
async fn pages_can_be_smaller_empty_and_overlapping() {
    let drill = drill("most = 6\nempty_every = 2\nrepeat_across_pages = true").await;
    let pages = drill.pages("/v1.0/users?$top=999").await;
    assert!(sizes(&pages).iter().all(|&size| size <= 6), "{:?}", sizes(&pages));
    assert_eq!(sizes(&pages)[..4], [6, 0, 6, 0]);
    assert_eq!(distinct(&pages), 25);
    let last = each(&pages[0], "id").pop();
    assert_eq!(each(&pages[2], "id").first(), last.as_ref(), "it comes again");
    let one_by_one = drill.pages("/v1.0/users?$top=1").await;
    assert_eq!(distinct(&one_by_one), 25, "{:?}", sizes(&one_by_one));
    for never in ["empty_every = 1", "most = 0"] {
        let toml = format!("[directory.paging]\n{never}");
        let config = entra_revoke::simulator::Config::from_toml_str(&toml).unwrap();
        assert!(entra_revoke::simulator::Simulator::start(config).await.is_err(), "{never}");
    }
}

#[tokio::test]
async fn a_next_link_can_lead_elsewhere() {
    let drill = drill("foreign_next_link = 'https://evil.example/v1.0/users'").await;
    let first = json(drill.get("/v1.0/users?$top=5").await).await;
    let second = json(drill.page(&next(&first).unwrap()).await).await;
    assert_eq!(next(&second).as_deref(), Some("https://evil.example/v1.0/users"));
}

#[tokio::test]
async fn the_next_link_after_a_retry_is_expired() {
    let drill = drill("lose_token_once = true").await;
    let first = json(drill.get("/v1.0/users?$top=10").await).await;
    let link = next(&first).unwrap();
    assert_eq!(drill.page(&link).await.status(), 503);
    let retried = json(drill.page(&link).await).await;
    let lost = drill.page(&next(&retried).unwrap()).await;
    assert_eq!(lost.status(), 400);
    assert_eq!(json(lost).await["error"]["code"], "DirectoryPageTokenNotFoundException");
    // The link that was used for the retry still leads on.
    let again = json(drill.page(&link).await).await;
    assert_eq!(each(&again, "id"), each(&retried, "id"));
    let third = json(drill.page(&next(&again).unwrap()).await).await;
    assert_eq!(each(&third, "id").len(), 5);
    drill.simulator.reset();
    assert_eq!(drill.page(&link).await.status(), 503, "a reset forgets");
}
