//! Generated tenants, and directories that are not valid.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use entra_revoke::simulator::{Config, Simulator};
use serde_json::Value;

use crate::simulator::directory::each;
use crate::simulator::{SimulatorFixture, json};

async fn made_up(users: u32, seed: u64) -> SimulatorFixture {
    SimulatorFixture::new(&format!(
        "quota = {{ enabled = false }}\n[token]\nroles = ['Directory.Read.All']\n[directory]\ngenerate = {{ users = {users}, seed = {seed} }}"
    ))
    .await
}

async fn count(drill: &SimulatorFixture, filter: &str) -> u64 {
    let count = drill.eventual(&format!("/v1.0/users/$count?$filter={filter}")).await;
    count.text().await.unwrap().parse().unwrap()
}

async fn members(drill: &SimulatorFixture, group: &str) -> Vec<String> {
    let groups = json(drill.get(&format!("/v1.0/groups?$filter=displayName eq '{group}'")).await).await;
    let path = format!("/v1.0/groups/{}/transitiveMembers?$top=999", each(&groups, "id")[0]);
    each(&json(drill.get(&path).await).await, "@odata.type")
}

#[tokio::test]
async fn the_same_seed_gives_the_same_tenant() {
    let first = async |seed| {
        let drill = made_up(50, seed).await;
        let select = "$select=id,userPrincipalName,displayName,department,mail,proxyAddresses,accountEnabled";
        let mut body = json(drill.get(&format!("/v1.0/users?{select}")).await).await;
        body["value"].take()
    };
    let one: Value = first(7).await;
    assert_eq!(one, first(7).await);
    assert_ne!(one, first(8).await);
}

#[tokio::test]
async fn a_generated_tenant_is_mixed() {
    let drill = made_up(1000, 1).await;
    assert_eq!(count(&drill, "accountEnabled ne null").await, 1000);
    for (filter, about) in
        [("userType eq 'Guest'", 50), ("accountEnabled eq false", 30), ("onPremisesSyncEnabled eq true", 570)]
    {
        let count = count(&drill, filter).await;
        assert!((about / 2..about * 2).contains(&count), "{filter}: {count}");
    }
    let guests =
        json(drill.get("/v1.0/users?$filter=userType eq 'Guest'&$select=userPrincipalName,otherMails").await)
            .await;
    for upn in each(&guests, "userPrincipalName") {
        assert!(upn.ends_with(".example#EXT#@contoso.example"), "{upn}");
    }
    let names: BTreeSet<_> =
        each(&json(drill.get("/v1.0/users?$top=999").await).await, "displayName").into_iter().collect();
    assert!(names.len() > 200, "{}", names.len());
    let emergency =
        json(drill.get("/v1.0/users/emergency2@contoso.example?$select=onPremisesSyncEnabled").await).await;
    assert_eq!(emergency["onPremisesSyncEnabled"], Value::Null);

    let staff = members(&drill, "All staff").await;
    let users = staff.iter().filter(|kind| *kind == "#microsoft.graph.user").count();
    assert!((900..990).contains(&users) && staff.len() == users + 10, "{users} of {}", staff.len());
    assert!(members(&drill, "Circle A").await.contains(&"#microsoft.graph.group".to_owned()));
    let same = json(drill.get("/v1.0/groups?$filter=displayName eq 'Project X'").await).await;
    assert_eq!(each(&same, "id").len(), 2);
}

#[tokio::test]
async fn a_generated_tenant_can_have_one_user() {
    let drill = made_up(1, 0).await;
    assert_eq!(
        each(&json(drill.get("/v1.0/users").await).await, "userPrincipalName"),
        ["user00001@contoso.example"]
    );
    for users in [2, 9, 10, 11] {
        assert_eq!(count(&made_up(users, 0).await, "accountEnabled ne null").await, u64::from(users));
    }
}

#[tokio::test]
async fn configured_objects_are_added_to_generated_ones() {
    let toml = "[token]\nroles = ['Directory.Read.All']\n[directory]\ndomain = 'tailspin.example'\ngenerate = { users = 5 }\n[[directory.user]]\nupn = 'ann@tailspin.example'\nmanager = 'user00001@tailspin.example'\n[[directory.group]]\nname = 'Mine'\nmembers = ['user00002@tailspin.example', 'group:All staff']";
    let drill = SimulatorFixture::new(toml).await;
    assert_eq!(each(&json(drill.get("/v1.0/users").await).await, "id").len(), 6);
    assert!(members(&drill, "Mine").await.len() > 5);
    drill.simulator.change_config("[directory]\ngenerate = { users = 3 }").unwrap();
    assert_eq!(each(&json(drill.get("/v1.0/users").await).await, "id").len(), 3);
    assert!(drill.simulator.change_config("[directory]\ngenerate = { users = 0 }").is_err());
    assert_eq!(
        each(&json(drill.get("/v1.0/users").await).await, "id").len(),
        3,
        "a refused change changes nothing"
    );
}

#[tokio::test]
async fn an_invalid_directory_is_refused() {
    for (toml, says) in [
        ("generate = { users = 200001 }", "1 to 200000"),
        ("[[directory.user]]\nname = 'No UPN'", "has no name"),
        ("[[directory.user]]\nupn = 'a@x'\n[[directory.user]]\nupn = 'A@x'", "already"),
        ("[[directory.user]]\nupn = 'a@x'\nmanager = 'b@x'", "no user \"b@x\""),
        ("[[directory.group]]\nname = 'G'\nmembers = ['b@x']", "no user \"b@x\""),
        ("[[directory.group]]\nname = 'G'\nmembers = ['group:H']", "no group \"H\""),
        (
            "[[directory.group]]\nname = 'G'\n[[directory.group]]\nname = 'G'\nmembers = ['group:g']",
            "several groups",
        ),
        ("[[directory.role]]\nname = 'R'\nscoped = [{ who = 'a@x', unit = 'U' }]", "no unit \"U\""),
        ("[[directory.risky]]\nuser = 'device:D'\nlevel = 'high'", "only users are risky"),
    ] {
        let config = Config::from_toml_str(&format!("[directory]\n{toml}")).unwrap();
        let error = Simulator::start(config).await.err().unwrap().to_string();
        assert!(error.contains(says), "{toml}: {error}");
    }
    assert!(Config::from_toml_str("[[directory.user]]\nupnn = 'a'").is_err());
}

/// A large tenant is there at once, and a long list is walked in time: without optimization here, so the bounds are
/// wide.
#[tokio::test]
async fn a_large_tenant_is_generated_quickly() {
    let start = Instant::now();
    let drill = made_up(20_000, 5).await;
    let mut link = Some(drill.url("/v1.0/users?$select=id&$top=999"));
    let mut seen = BTreeSet::new();
    while let Some(address) = link {
        let body = json(drill.client.get(address).bearer_auth("opaque").send().await.unwrap()).await;
        seen.extend(each(&body, "id"));
        link = body["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(seen.len(), 20_000);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
