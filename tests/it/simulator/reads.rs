//! Which permissions a read needs, what it costs, and how it can fail.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entra_revoke::simulator::TokenKind;
use serde_json::Value;

use crate::simulator::directory::{drill_with, each};
use crate::simulator::{SimulatorFixture, header, json};

const ANN: &str = "/v1.0/users/ann@contoso.example";

async fn status(drill: &SimulatorFixture, path: &str) -> u16 {
    drill.get(path).await.status().as_u16()
}

#[tokio::test]
async fn reads_need_a_permission() {
    let drill = drill_with("'User.RevokeSessions.All'").await;
    let group = "/v1.0/groups/99999999-0000-4000-8000-000000000001";
    for path in [
        ANN,
        "/v1.0/me",
        "/v1.0/users",
        "/v1.0/users/$count",
        "/v1.0/groups",
        group,
        &format!("{group}/members"),
    ] {
        let refused = drill.get(path).await;
        assert_eq!(refused.status(), 403, "{path}");
        assert_eq!(json(refused).await["error"]["code"], "Authorization_RequestDenied");
    }
    assert_eq!(drill.revoke("ann@contoso.example").await.status(), 200);
    let stats = drill.simulator.stats();
    assert_eq!((stats.reads, stats.resource_units), (7, 0), "what is forbidden costs nothing");
}

#[tokio::test]
async fn each_permission_allows_its_own_reads() {
    let members = "/v1.0/groups/99999999-0000-4000-8000-000000000001/members";
    for (role, user, users, groups, of_group) in [
        ("User.Read.All", 200, 200, 403, 403),
        ("User.ReadWrite.All", 200, 200, 403, 403),
        ("Directory.Read.All", 200, 200, 200, 200),
        ("GroupMember.Read.All", 403, 403, 200, 200),
        ("GroupMember.ReadBasic.All", 403, 403, 403, 200),
        ("Group.Read.All", 403, 403, 200, 200),
        ("User.Read", 403, 403, 403, 403),
    ] {
        let drill = drill_with(&format!("'{role}'")).await;
        let seen = (
            status(&drill, ANN).await,
            status(&drill, "/v1.0/users").await,
            status(&drill, "/v1.0/groups").await,
            status(&drill, members).await,
        );
        assert_eq!(seen, (user, users, groups, of_group), "{role}");
    }
}

#[tokio::test]
async fn basic_permission_hides_other_properties() {
    let drill = drill_with("'User.ReadBasic.All'").await;
    let basic = json(drill.get("/v1.0/users?$select=id,mail,userPrincipalName").await).await;
    assert_eq!(each(&basic, "mail")[0], "ann.obrien@contoso.example");
    for path in [
        "/v1.0/users?$select=id,accountEnabled",
        "/v1.0/users/ann@contoso.example?$select=userType",
        "/v1.0/users?$filter=department eq 'Finance'",
    ] {
        assert_eq!(status(&drill, path).await, 403, "{path}");
    }
    let ann = json(drill.get(ANN).await).await;
    assert_eq!((&ann["displayName"], &ann["jobTitle"]), (&"Ann O'Brien".into(), &Value::Null));
}

#[tokio::test]
async fn unreadable_members_have_only_an_id() {
    let drill = drill_with("'GroupMember.Read.All'").await;
    let group = "/v1.0/groups/99999999-0000-4000-8000-000000000001";
    let members = json(drill.get(&format!("{group}/members")).await).await;
    let bob = &members["value"][0];
    assert_eq!((&bob["@odata.type"], &bob["displayName"]), (&"#microsoft.graph.user".into(), &Value::Null));
    assert_eq!(bob["id"].as_str().map(str::len), Some(36));
    assert_eq!(members["value"][2]["displayName"], "Finance", "groups can be read");
    let path =
        format!("{group}/transitiveMembers/microsoft.graph.user?$count=true&$select=id,userPrincipalName");
    let users = json(drill.eventual(&path).await).await;
    assert_eq!(each(&users, "userPrincipalName"), ["null", "null"]);
    assert_eq!(each(&users, "@odata.type")[0], "#microsoft.graph.user");
}

#[tokio::test]
async fn permissions_come_from_the_token() {
    let drill = drill_with("'User.RevokeSessions.All'").await;
    let get = async |token: &str, path: &str| {
        drill.client.get(drill.url(path)).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    let jwt = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
    let app = jwt(r#"{"idtyp":"app","roles":["User.Read.All"]}"#);
    assert_eq!((get(&app, ANN).await, get(&app, "/v1.0/groups").await), (200, 403));
    let user = jwt(r#"{"idtyp":"user","scp":"User.Read Group.Read.All"}"#);
    assert_eq!((get(&user, ANN).await, get(&user, "/v1.0/groups").await), (403, 200));
    assert_eq!(get(&jwt("{}"), ANN).await, 403, "one that says nothing has what is configured");
    let minted = drill.simulator.mint_token(TokenKind::App, Duration::from_secs(60));
    assert_eq!(get(&minted, ANN).await, 403);
}

#[tokio::test]
async fn me_is_a_user_of_the_directory() {
    let toml = "[token]\nroles = ['User.Read']\nuser_principal_name = 'boss@contoso.example'\n[[directory.user]]\nupn = 'Boss@contoso.example'";
    let drill = SimulatorFixture::new(toml).await;
    let me = json(drill.get("/v1.0/me?$select=userPrincipalName,accountEnabled").await).await;
    assert_eq!(
        (&me["userPrincipalName"], &me["accountEnabled"]),
        (&"Boss@contoso.example".into(), &true.into())
    );
    assert_eq!(status(&drill, "/v1.0/users/boss@contoso.example").await, 403, "User.Read is for oneself");
}

#[tokio::test]
async fn reads_cost_resource_units() {
    let drill = drill_with("'User.Read.All', 'Group.Read.All'").await;
    let group = "/v1.0/groups/99999999-0000-4000-8000-000000000001";
    let mut sum = 0;
    for (path, units) in [
        (ANN.to_owned(), 1),
        ("/v1.0/users".into(), 2),
        ("/v1.0/users?$select=id".into(), 1),
        ("/v1.0/users?$select=id&$top=5".into(), 1),
        ("/v1.0/groups".into(), 1),
        (format!("{group}/members"), 3),
        (format!("{group}/members?$select=id"), 2),
        (format!("{group}/transitiveMembers"), 5),
        (format!("{group}/transitiveMembers?$select=id&$top=9"), 3),
    ] {
        let response = drill.get(&path).await;
        assert_eq!(header(&response, "x-ms-resource-unit"), Some(units.to_string().as_str()), "{path}");
        sum += units;
    }
    drill.get("/v1.0/users?$filter=broken").await;
    let stats = drill.simulator.stats();
    assert_eq!((stats.reads, stats.resource_units, stats.max_resource_units_in_window), (10, sum, sum));
    assert_eq!(stats.revocations, 0);
}

#[tokio::test]
async fn reads_have_their_own_quota() {
    let toml = "[quota]\napp = { limit = 1, window = '100s' }\nread = { limit = 5, window = '100s' }\n[token]\nroles = ['User.RevokeSessions.All', 'User.Read.All']";
    let drill = SimulatorFixture::new(&format!("grace = 0\n{toml}")).await;
    for _ in 0..5 {
        assert_eq!(status(&drill, "/v1.0/users/ann@x.com").await, 200);
    }
    let throttled = drill.get("/v1.0/users/ann@x.com").await;
    assert_eq!(throttled.status(), 429);
    let wait: u64 = header(&throttled, "retry-after").unwrap().parse().unwrap();
    assert!((15..=20).contains(&wait), "{wait}");
    assert_eq!(header(&throttled, "x-ms-throttle-information"), Some("ResourceUnitLimitExceeded"));
    assert!(header(&throttled, "x-ms-throttle-scope").unwrap().starts_with("Tenant_Application/Read/"));
    assert_eq!(drill.revoke("ann@x.com").await.status(), 200, "reads spend no write quota");
    assert_eq!(status(&drill, "/v1.0/users/ann@x.com").await, 429);
    let stats = drill.simulator.stats();
    assert_eq!((stats.throttled_reads, stats.early_reads, stats.early), (2, 1, 0));
    assert_eq!(drill.simulator.ledger().violations[0].kind, "early_read");
}

#[tokio::test]
async fn faults_apply_to_any_read() {
    let drill = drill_with("'User.Read.All', 'Group.Read.All'").await;
    drill
        .simulator
        .change_config("[[fault]]\nendpoint = 'directory'\nmatch = 'groups/*/members'\nanswer = 503\nfirst = 1\n[[fault]]\nendpoint = 'directory'\nmatch = 'groups'\nanswer = 200\nbody = 'html'\n[[fault]]\nendpoint = 'read'\nmatch = 'aaaaaaaa-*'\nanswer = 500")
        .unwrap();
    let members = "/v1.0/groups/99999999-0000-4000-8000-000000000001/members";
    assert_eq!(status(&drill, members).await, 503);
    assert_eq!(status(&drill, members).await, 200);
    assert_eq!(status(&drill, "/v1.0/users").await, 200);
    assert!(drill.get("/v1.0/groups").await.text().await.unwrap().contains("<html"));
    assert_eq!(status(&drill, ANN).await, 500, "a user's fault may name the id");
    assert_eq!(drill.simulator.stats().faults, 3);
}

#[tokio::test]
async fn a_user_has_one_record_by_name_and_by_id() {
    let drill = drill_with("'User.RevokeSessions.All', 'User.Read.All'").await;
    let id = "aaaaaaaa-0000-4000-8000-000000000001";
    for name in [id, "ANN@contoso.example", "eve_partner.example%23EXT%23@contoso.example"] {
        assert_eq!(drill.revoke(name).await.status(), 200);
    }
    for gone in ["gone@contoso.example", "who@contoso.example"] {
        assert_eq!(drill.revoke(gone).await.status(), 404);
    }
    let ledger = drill.simulator.ledger();
    let ann = ledger.user(id).unwrap();
    assert_eq!(
        (ann.id.as_str(), ann.object_id.as_deref(), ann.effects),
        ("Ann@contoso.example", Some(id), 2)
    );
    assert_eq!(ledger.user("ann@contoso.example").unwrap(), ann);
    assert_eq!(ledger.users.len(), 4);
    let eve = ledger.user("eve_partner.example#EXT#@contoso.example").unwrap();
    assert!(eve.external && eve.effects == 0);
    let valid = json(drill.get(&format!("{ANN}?$select=signInSessionsValidFromDateTime")).await).await;
    let revoked = ann.revoked_at.as_deref().unwrap();
    assert_eq!(valid["signInSessionsValidFromDateTime"].as_str().unwrap()[..19], revoked[..19]);
}

#[tokio::test]
async fn patterns_match_a_user_by_name_or_id() {
    let drill = drill_with("'User.RevokeSessions.All'").await;
    drill.simulator.change_config("deny = ['AAAAAAAA-*']\nunknown = ['bob@*']").unwrap();
    assert_eq!(drill.revoke("ann@contoso.example").await.status(), 403);
    assert_eq!(drill.revoke("bob@contoso.example").await.status(), 404);
    drill.simulator.change_config("deny = []\n[[fault]]\nmatch = 'ann@*'\nanswer = 503").unwrap();
    assert_eq!(drill.revoke("aaaaaaaa-0000-4000-8000-000000000001").await.status(), 503);
}
