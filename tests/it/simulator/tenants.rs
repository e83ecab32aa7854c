//! Several tenants and apps at once.

use entra_revoke::simulator::TokenKind;
use reqwest::Response;

use crate::simulator::token::claims;
use crate::simulator::{SimulatorFixture, header, json};

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

/// Asks for a token.
async fn ask(drill: &SimulatorFixture, tenant: &str, app: &str, secret: &str) -> Response {
    let form = format!(
        "grant_type=client_credentials&client_id={app}&client_secret={secret}\
         &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
    );
    let url = drill.url(&format!("/{tenant}/oauth2/v2.0/token"));
    let request = drill.client.post(url).header("content-type", "application/x-www-form-urlencoded");
    request.body(form).send().await.unwrap()
}

async fn code(drill: &SimulatorFixture, tenant: &str, app: &str, secret: &str) -> (u16, u64) {
    let response = ask(drill, tenant, app, secret).await;
    let status = response.status().as_u16();
    (status, json(response).await["error_codes"][0].as_u64().unwrap_or_default())
}

async fn token(drill: &SimulatorFixture, tenant: &str, app: &str) -> String {
    json(ask(drill, tenant, app, "s").await).await["access_token"].as_str().unwrap().to_owned()
}

fn mint(drill: &SimulatorFixture, tenant: &str, app: &str) -> String {
    drill.simulator.mint_token_for(tenant, app, TokenKind::App, HOUR)
}

#[tokio::test]
async fn a_domain_stands_for_one_tenant() {
    let drill = SimulatorFixture::new("accept_any_token = false").await;
    let [one, same, other] = [
        token(&drill, "one.example", "app").await,
        token(&drill, "ONE.example", "app").await,
        token(&drill, "two.example", "app").await,
    ]
    .map(|token| claims(&token)["tid"].as_str().unwrap().to_owned());
    assert!(one == same && one != other, "{one} {same} {other}");
    let page = json(drill.get("/one.example/v2.0/.well-known/openid-configuration").await).await;
    assert!(page["issuer"].as_str().unwrap().contains(&one));
    assert_eq!(claims(&token(&drill, &one, "app").await)["tid"], one.as_str(), "by its id, too");
}

#[tokio::test]
async fn unknown_tenants_and_apps_are_refused() {
    let drill = SimulatorFixture::new(
        "[[tenant]]\nmatch = 'gone.example'\nknown = false\n\
         [[tenant]]\nmatch = 't*.example'\nknown = true\napps = ['app-*']\nsecret = 'own'\n\
         [[tenant]]\nmatch = 'rest.example'\nsecret = 'rest'\n[[tenant]]\nmatch = '*.test'\nknown = false",
    )
    .await;
    assert_eq!(code(&drill, "gone.example", "app-1", "s").await, (400, 90_002));
    assert_eq!(code(&drill, "t1.example", "app-1", "own").await, (200, 0));
    assert_eq!(code(&drill, "t1.example", "app-1", "s").await, (401, 7_000_215));
    assert_eq!(code(&drill, "t2.example", "foreign", "own").await, (400, 700_016));
    assert_eq!(code(&drill, "rest.example", "foreign", "rest").await, (200, 0));
    let page = drill.get("/gone.example/v2.0/.well-known/openid-configuration").await;
    assert_eq!(page.status(), 400);
}

#[tokio::test]
async fn sign_in_faults_apply_to_one_tenant() {
    let drill = SimulatorFixture::new(
        "[[fault]]\nendpoint = 'token'\ntenant = 'bad.example'\nanswer = 400\ncode = 'AADSTS700016'\n\
         [[fault]]\nendpoint = 'token'\ntenant = 'slow.example'\nanswer = 'hang-before'\n\
         [[fault]]\nendpoint = 'token'\napp = 'app-2'\ntimes = 1\nanswer = 503",
    )
    .await;
    assert_eq!(code(&drill, "bad.example", "app", "s").await, (400, 700_016));
    assert_eq!(code(&drill, "good.example", "app", "s").await, (200, 0));
    let once = [
        code(&drill, "one.example", "app-2", "s").await.0,
        code(&drill, "two.example", "app-2", "s").await.0,
        code(&drill, "one.example", "app-2", "s").await.0,
    ];
    assert_eq!(once, [503, 503, 200], "counted for each tenant");
    let hanging = ask(&drill, "slow.example", "app", "s");
    let waited = tokio::time::timeout(std::time::Duration::from_millis(50), hanging).await;
    assert!(waited.is_err());
}

#[tokio::test]
async fn an_app_can_lose_its_permission() {
    let drill = SimulatorFixture::new("[[fault]]\napp = 'app-2'\nbeyond = 2\nanswer = 403").await;
    let [kept, lost] = ["app-1", "app-2"].map(|app| mint(&drill, "one.example", app));
    let mut statuses = Vec::new();
    for n in 0..4 {
        statuses.push(drill.try_revoke(&format!("u{n}"), &lost).await.unwrap().status().as_u16());
        assert_eq!(drill.try_revoke(&format!("v{n}"), &kept).await.unwrap().status(), 200);
    }
    assert_eq!(statuses, [200, 200, 403, 403]);
    let denied = json(drill.try_revoke("w", &lost).await.unwrap()).await;
    assert_eq!(denied["error"]["code"], "Authorization_RequestDenied");
}

#[tokio::test]
async fn a_tenant_can_have_its_own_quotas_and_permissions() {
    let drill = SimulatorFixture::new(
        "[[tenant]]\nmatch = 'small.example'\nquota.app = { limit = 1, window = '100s' }\n\
         [[tenant]]\nmatch = 'bare.example'\nroles = ['User.Read.All']",
    )
    .await;
    let statuses = async |tenant: &str| {
        let token = mint(&drill, tenant, "app");
        let mut statuses = Vec::new();
        for n in 0..2 {
            statuses.push(drill.try_revoke(&format!("u{n}"), &token).await.unwrap().status().as_u16());
        }
        statuses
    };
    assert_eq!(statuses("small.example").await, [200, 429]);
    assert_eq!(statuses("large.example").await, [200, 200]);
    assert_eq!(statuses("bare.example").await, [403, 403]);
    let change = "[[tenant]]\nmatch = 'large.example'\nquota.tenant = { limit = 1, window = '100s' }";
    drill.simulator.change_config(change).unwrap();
    assert_eq!(statuses("large.example").await, [200, 429]);
    assert_eq!(statuses("small.example").await, [200, 200], "blocks are replaced, whole");
}

#[tokio::test]
async fn the_ledger_records_requesters() {
    let drill = SimulatorFixture::new("[quota]\napp = { limit = 2, window = '100s' }").await;
    let [one, two] = ["one.example", "two.example"].map(|tenant| mint(&drill, tenant, "app"));
    for (user, token, status) in [("a", &one, 200), ("a", &two, 200), ("b", &one, 200), ("c", &one, 429)] {
        assert_eq!(drill.try_revoke(user, token).await.unwrap().status(), status);
    }
    let ledger = drill.simulator.ledger();
    let ids = [&one, &two].map(|token| claims(token)["tid"].as_str().unwrap().to_owned());
    let by = &ledger.user("a").unwrap().by;
    assert_eq!(by.iter().map(|by| &by.tenant).collect::<Vec<_>>(), [&ids[0], &ids[1]]);
    assert!(by.iter().all(|by| (by.app.as_str(), by.requests, by.effects) == ("app", 1, 1)), "{by:?}");
    assert!(by[0].revoked_s.is_some() && by[0].revoked_s <= by[1].revoked_s);
    let throttled = &ledger.user("c").unwrap().by[0];
    assert_eq!((throttled.requests, throttled.effects, throttled.revoked_s), (1, 0, None));

    let callers = json(drill.get("/_simulator/callers").await).await;
    let first = &callers[0];
    assert_eq!((&first["domain"], &first["revocations"]), (&"one.example".into(), &3.into()));
    assert_eq!((&first["throttled"], &first["effects"]), (&1.into(), &2.into()));
    assert_eq!(
        (&callers[1]["tenant"], &callers[1]["max_requests_in_window"]),
        (&ids[1].as_str().into(), &1.into())
    );
    assert_eq!(ledger.callers, drill.simulator.clients());
    let csv = drill.get("/_simulator/ledger?format=csv").await.text().await.unwrap();
    assert!(csv.lines().next().unwrap().ends_with(",revoked_at,tenants,apps"), "{csv}");
    assert!(csv.lines().nth(1).unwrap().ends_with(&format!(",{} {},app", ids[0], ids[1])), "{csv}");
    drill.simulator.reset();
    assert!(drill.simulator.clients().iter().all(|caller| caller.revocations == 0));
}

#[tokio::test]
async fn an_app_has_one_quota_over_all_tenants() {
    let drill = SimulatorFixture::new("[quota]\neverywhere = { limit = 2, window = '100s' }").await;
    let tokens = ["one", "two", "three"].map(|tenant| mint(&drill, tenant, "app"));
    assert_eq!(drill.try_revoke("a", &tokens[0]).await.unwrap().status(), 200);
    let near = drill.try_revoke("a", &tokens[1]).await.unwrap();
    assert_eq!(
        (near.status().as_u16(), header(&near, "x-ms-throttle-limit-percentage")),
        (200, Some("1.00"))
    );
    let throttled = drill.try_revoke("a", &tokens[2]).await.unwrap();
    let scope = header(&throttled, "x-ms-throttle-scope").unwrap();
    assert!(scope.starts_with("Application/Write/app/"), "{scope}");
    assert_eq!(header(&throttled, "x-ms-throttle-information"), Some("WriteLimitExceeded"));
    let other = mint(&drill, "one", "other");
    assert_eq!(drill.try_revoke("a", &other).await.unwrap().status(), 200);
}
