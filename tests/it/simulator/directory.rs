//! Reads of users, and of objects by ID.

use reqwest::Response;
use serde_json::Value;

use crate::simulator::{SimulatorFixture, header, json};

/// Ann and Bob, a guest, a deleted user; Finance with a team in it, and the team with Finance in it.
pub(crate) const CONTOSO: &str = r#"
[token]
roles = ["User.RevokeSessions.All", "User.Read.All", "GroupMember.Read.All", "Device.Read.All"]
[directory]
[[directory.user]]
upn = "Ann@contoso.example"
id = "aaaaaaaa-0000-4000-8000-000000000001"
name = "Ann O'Brien"
department = "Finance"
mail = "ann.obrien@contoso.example"
proxies = ["SMTP:ann.obrien@contoso.example", "smtp:ann@old.example"]
sam = "ANN"
synced = true
employee_id = "E1"
[[directory.user]]
upn = "bob@contoso.example"
enabled = false
department = "finance"
manager = "ann@contoso.example"
[[directory.user]]
upn = "eve_partner.example#EXT#@contoso.example"
other_mails = ["eve@partner.example"]
[[directory.user]]
upn = "gone@contoso.example"
deleted = true
[[directory.group]]
name = "Finance"
members = ["ann@contoso.example", "gone@contoso.example", "group:Team", "device:Laptop 1", "app:Payroll"]
[[directory.group]]
name = "Team"
members = ["bob@contoso.example", "ann@contoso.example", "group:Finance"]
[[directory.group]]
name = "Secret"
hidden = true
members = ["bob@contoso.example"]
[[directory.group]]
name = "Team"
id = "99999999-0000-4000-8000-000000000002"
members = ["group:Secret"]
"#;

/// CONTOSO with other settings in front.
fn contoso(top: &str) -> String {
    format!("{top}\n{CONTOSO}").replace("group:Team", "group:99999999-0000-4000-8000-000000000001").replacen(
        "name = \"Team\"\n",
        "name = \"Team\"\nid = \"99999999-0000-4000-8000-000000000001\"\n",
        1,
    )
}

pub(crate) async fn drill() -> SimulatorFixture {
    SimulatorFixture::new(&contoso("")).await
}

/// The same with these permissions.
pub(crate) async fn drill_with(roles: &str) -> SimulatorFixture {
    let toml = contoso("");
    let from = toml.find("roles = ").unwrap();
    let to = from + toml[from..].find('\n').unwrap();
    SimulatorFixture::new(&format!("{}roles = [{roles}]{}", &toml[..from], &toml[to..])).await
}

impl SimulatorFixture {
    /// A read with the advanced query parameters' header.
    pub(crate) async fn eventual(&self, path: &str) -> Response {
        let request = self.client.get(self.url(path)).bearer_auth("opaque");
        request.header("ConsistencyLevel", "eventual").send().await.unwrap()
    }
}

/// What stands under `key` in each item of a list.
pub(crate) fn each(body: &Value, key: &str) -> Vec<String> {
    let items = body["value"].as_array().unwrap_or_else(|| panic!("{body}"));
    items.iter().map(|item| item[key].as_str().unwrap_or("null").to_owned()).collect()
}

/// Status and code of an error.
pub(crate) async fn error(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    (status, json(response).await["error"]["code"].as_str().unwrap().to_owned())
}

pub(crate) fn unsupported() -> (u16, String) {
    (400, "Request_UnsupportedQuery".into())
}

pub(crate) async fn group(drill: &SimulatorFixture, name: &str) -> String {
    let found = json(drill.get(&format!("/v1.0/groups?$filter=displayName eq '{name}'")).await).await;
    each(&found, "id")[0].clone()
}

#[tokio::test]
async fn a_user_is_found_by_name_and_by_id() {
    let drill = drill().await;
    let select = "$select=id,userPrincipalName,accountEnabled,userType,onPremisesSyncEnabled,proxyAddresses,employeeId";
    for id in ["aNN@contoso.example", "AAAAAAAA-0000-4000-8000-000000000001"] {
        let ann = json(drill.get(&format!("/v1.0/users/{id}?{select}")).await).await;
        assert_eq!(ann["id"], "aaaaaaaa-0000-4000-8000-000000000001");
        assert_eq!(
            (&ann["userPrincipalName"], &ann["userType"]),
            (&"Ann@contoso.example".into(), &"Member".into())
        );
        assert_eq!((&ann["accountEnabled"], &ann["onPremisesSyncEnabled"]), (&true.into(), &true.into()));
        assert_eq!(
            (&ann["proxyAddresses"][1], &ann["employeeId"]),
            (&"smtp:ann@old.example".into(), &"E1".into())
        );
        assert_eq!(ann.get("displayName"), None, "only what was selected");
    }
    let bob = json(
        drill.get("/beta/users('bob@contoso.example')?$select=accountEnabled,onPremisesSyncEnabled").await,
    )
    .await;
    assert_eq!((&bob["accountEnabled"], &bob["onPremisesSyncEnabled"]), (&false.into(), &Value::Null));
    let eve = drill
        .get("/v1.0/users/eve_partner.example%23EXT%23@contoso.example?$select=userType,otherMails")
        .await;
    assert_eq!(json(eve).await["userType"], "Guest");
    for nobody in ["gone@contoso.example", "ann.obrien@contoso.example", "who@contoso.example"] {
        assert_eq!(error(drill.get(&format!("/v1.0/users/{nobody}")).await).await.0, 404, "{nobody}");
    }
    assert_eq!(drill.get("/v1.0/users/bob@contoso.example?$select=shoeSize").await.status(), 400);
}

#[tokio::test]
async fn users_can_be_filtered() {
    let drill = drill().await;
    for (filter, names) in [
        ("department eq 'FINANCE'", vec!["Ann@contoso.example", "bob@contoso.example"]),
        ("department eq 'finance' and accountEnabled eq false", vec!["bob@contoso.example"]),
        (
            "mail eq 'ann.obrien@contoso.example' or userType eq 'Guest'",
            vec!["Ann@contoso.example", "eve_partner.example#EXT#@contoso.example"],
        ),
        ("displayName eq 'Ann O''Brien'", vec!["Ann@contoso.example"]),
        ("startsWith(userPrincipalName,'BOB')", vec!["bob@contoso.example"]),
        (
            "userPrincipalName eq 'eve_partner.example%23EXT%23@contoso.example'",
            vec!["eve_partner.example#EXT#@contoso.example"],
        ),
        ("proxyAddresses/any(x:x eq 'smtp:ann@old.example')", vec!["Ann@contoso.example"]),
        ("otherMails/any(m:startsWith(m,'eve@'))", vec!["eve_partner.example#EXT#@contoso.example"]),
        ("userPrincipalName in ('ann@contoso.example','gone@contoso.example')", vec!["Ann@contoso.example"]),
        ("onPremisesSyncEnabled eq true", vec!["Ann@contoso.example"]),
        ("id eq 'aaaaaaaa-0000-4000-8000-000000000001'", vec!["Ann@contoso.example"]),
    ] {
        let found =
            json(drill.get(&format!("/v1.0/users?$select=userPrincipalName&$filter={filter}")).await).await;
        assert_eq!(each(&found, "userPrincipalName"), names, "{filter}");
    }
}

#[tokio::test]
async fn advanced_filters_need_their_parameters() {
    let drill = drill().await;
    for (filter, count) in [
        ("accountEnabled ne true", 1),
        ("not(userType eq 'Guest')", 2),
        ("endsWith(userPrincipalName,'@contoso.example')", 3),
        ("employeeId eq null", 2),
        ("onPremisesSamAccountName eq 'ann'", 1),
    ] {
        let path = format!("/v1.0/users?$filter={filter}");
        assert_eq!(error(drill.get(&path).await).await, unsupported(), "{filter}");
        assert_eq!(error(drill.eventual(&path).await).await, unsupported(), "{filter} without $count");
        assert_eq!(error(drill.get(&format!("{path}&$count=true")).await).await, unsupported(), "{filter}");
        let found = json(drill.eventual(&format!("{path}&$count=true")).await).await;
        assert_eq!(
            (found["@odata.count"].as_u64(), each(&found, "id").len()),
            (Some(count), count as usize),
            "{filter}"
        );
    }
    assert_eq!(
        error(drill.eventual("/v1.0/users?$count=true&$filter=endsWith(city,'x')").await).await,
        unsupported()
    );
    let sixteen = vec!["'a'"; 16].join(",");
    let many = drill.get(&format!("/v1.0/users?$filter=mail in ({sixteen})")).await;
    let body = json(many).await;
    let expected = "Too many child clauses specified in search filter expression containing 'OR' operators: 16. Max allowed: 15.";
    assert_eq!(body["error"]["message"], expected);
    let many = format!("/v1.0/users?$count=true&$filter=mail in ({sixteen})");
    assert_eq!(drill.eventual(&many).await.status(), 200);
}

#[tokio::test]
async fn an_invalid_query_is_a_bad_request() {
    let drill = drill().await;
    for query in [
        "$filter=mail eq ann",
        "$filter=mail eq 'ann",
        "$filter=shoeSize eq '1'",
        "$filter=accountEnabled eq 'true'",
        "$filter=proxyAddresses eq 'a'",
        "$filter=mail/any(x:x eq 'a')",
        "$top=1000",
        "$top=0",
        "$skip=3",
        "$select=shoeSize",
        "$skiptoken=nonsense",
    ] {
        assert_eq!(drill.get(&format!("/v1.0/users?{query}")).await.status(), 400, "{query}");
    }
    // What stands behind a raw `#` never arrives.
    let cut = drill
        .get("/v1.0/users?$filter=userPrincipalName eq 'eve_partner.example#EXT#@contoso.example'")
        .await;
    assert_eq!(cut.status(), 400);
    assert_eq!(drill.get("/v1.0/groups/Finance").await.status(), 400, "a name is no id");
    let nowhere = "/v1.0/groups/0b5e5d1e-1111-4222-8333-44445555ffff/members";
    assert_eq!(error(drill.get(nowhere).await).await, (404, "Request_ResourceNotFound".into()));
}

#[tokio::test]
async fn counts_are_plain_text() {
    let drill = drill().await;
    let finance = group(&drill, "Finance").await;
    assert_eq!(error(drill.get("/v1.0/users/$count").await).await, (400, "Request_BadRequest".into()));
    let count = drill.eventual("/v1.0/users/$count").await;
    assert!(header(&count, "content-type").unwrap().starts_with("text/plain"));
    assert_eq!(count.text().await.unwrap(), "3");
    let of = async |path: &str| drill.eventual(path).await.text().await.unwrap();
    assert_eq!(of("/v1.0/users/$count?$filter=accountEnabled ne true").await, "1");
    assert_eq!(of("/v1.0/groups/$count").await, "4");
    assert_eq!(of(&format!("/v1.0/groups/{finance}/members/$count")).await, "3");
    assert_eq!(
        of(&format!("/v1.0/groups/{finance}/transitiveMembers/microsoft.graph.user/$count")).await,
        "2"
    );
}

#[tokio::test]
async fn objects_are_found_by_id() {
    let drill = drill_with("'Directory.Read.All'").await;
    let finance = group(&drill, "Finance").await;
    let ask = async |ids: Vec<&str>| {
        let body = serde_json::json!({"ids": ids, "types": ["user", "group"]}).to_string();
        let request =
            drill.client.post(drill.url("/v1.0/directoryObjects/getByIds?$select=id,userPrincipalName"));
        request
            .bearer_auth("opaque")
            .header("Content-Type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap()
    };
    let ann = "aaaaaaaa-0000-4000-8000-000000000001";
    let found = ask(vec![ann, &finance, "0b5e5d1e-1111-4222-8333-44445555ffff"]).await;
    assert_eq!(header(&found, "x-ms-resource-unit"), Some("2"));
    let found = json(found).await;
    assert_eq!(each(&found, "id"), [ann, &finance]);
    assert_eq!(each(&found, "userPrincipalName"), ["Ann@contoso.example", "null"]);
    assert_eq!(ask(vec![ann; 1001]).await.status(), 400);
    assert_eq!(drill.get("/v1.0/directoryObjects/getByIds").await.status(), 405);
}

#[tokio::test]
async fn without_a_directory_there_are_no_lists() {
    let drill = SimulatorFixture::new("[token]\nroles = ['User.Read.All', 'Group.Read.All']").await;
    assert_eq!(drill.get("/v1.0/users/anybody@x.com").await.status(), 200);
    for path in ["/v1.0/users", "/v1.0/groups"] {
        assert!(each(&json(drill.get(path).await).await, "id").is_empty(), "{path}");
    }
}
