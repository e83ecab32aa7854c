use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::simulator::{SimulatorFixture, header, json};

const TENANT: &str = "aaaaaaaa-1111-4111-8111-bbbbbbbbbbbb";

async fn ask(drill: &SimulatorFixture, secret: &str) -> reqwest::Response {
    let form = format!(
        "grant_type=client_credentials&client_id=app-1&client_secret={secret}\
         &scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
    );
    let url = drill.url(&format!("/{TENANT}/oauth2/v2.0/token"));
    let request = drill.client.post(url).header("content-type", "application/x-www-form-urlencoded");
    request.body(form).send().await.unwrap()
}

pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_is_issued_and_accepted() {
    let drill = SimulatorFixture::new("accept_any_token = false\n[token]\nsecret = 's'").await;
    let body = json(ask(&drill, "s").await).await;
    assert_eq!((&body["token_type"], &body["expires_in"]), (&"Bearer".into(), &3599.into()));
    let token = body["access_token"].as_str().unwrap();
    let claims = claims(token);
    assert_eq!((&claims["tid"], &claims["appid"]), (&TENANT.into(), &"app-1".into()));
    assert_eq!((&claims["aud"], &claims["idtyp"]), (&"https://graph.microsoft.com".into(), &"app".into()));
    assert_eq!(claims["roles"], serde_json::json!(["User.RevokeSessions.All"]));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3599);
    assert_eq!(drill.try_revoke("a", token).await.unwrap().status(), 200);
    assert_eq!(drill.simulator.stats().tokens_issued, 1);
}

#[tokio::test]
async fn speed_shortens_token_lifetimes() {
    let drill = SimulatorFixture::new("speed = 100\n[token]\nlifetime = '1h'").await;
    assert_eq!(json(ask(&drill, "s").await).await["expires_in"], 36);
    let drill = SimulatorFixture::new("speed = 1000\n[token]\nlifetime = 0.000001").await;
    let body = json(ask(&drill, "s").await).await;
    assert_eq!(drill.try_revoke("a", body["access_token"].as_str().unwrap()).await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_wrong_secret_is_refused_as_entra_does() {
    let drill = SimulatorFixture::new("[token]\nsecret = 'right'").await;
    let response = ask(&drill, "wrong").await;
    assert_eq!(response.status(), 401);
    assert!(header(&response, "x-ms-request-id").is_some());
    let body = json(response).await;
    assert_eq!((&body["error"], &body["error_codes"][0]), (&"invalid_client".into(), &7_000_215.into()));
    let description = body["error_description"].as_str().unwrap();
    assert!(description.starts_with("AADSTS7000215: "), "{description}");
    for part in ["trace_id", "correlation_id", "timestamp"] {
        assert!(description.contains(body[part].as_str().unwrap()), "{part} in {description}");
    }
    assert_eq!(drill.simulator.stats().token_answers["401"], 1);
}

#[tokio::test]
async fn token_faults_apply_only_to_the_token_endpoint() {
    let drill = SimulatorFixture::new(
        r#"
        [[fault]]
        endpoint = "token"
        answer = 429
        retry_after = "2.5"
        times = 1
        [[fault]]
        endpoint = "token"
        answer = 503
        body = "html"
        first = 1
        [[fault]]
        endpoint = "token"
        answer = "reset-before"
        first = 1
        "#,
    )
    .await;
    let throttled = ask(&drill, "s").await;
    assert_eq!((throttled.status().as_u16(), header(&throttled, "retry-after")), (429, Some("2.5")));
    assert_eq!(json(throttled).await["error"], "temporarily_unavailable");
    let html = ask(&drill, "s").await;
    assert_eq!(
        (html.status().as_u16(), header(&html, "content-type").unwrap()),
        (503, "text/html; charset=us-ascii")
    );
    let form = "grant_type=client_credentials&client_id=app-1";
    let url = drill.url(&format!("/{TENANT}/oauth2/v2.0/token"));
    assert!(drill.client.post(url).body(form).send().await.is_err());
    assert_eq!(ask(&drill, "s").await.status(), 200);
    assert_eq!(drill.revoke("a").await.status(), 200);
}

/// An assertion of app-1, signed with this key.
fn assertion(key: &rcgen::KeyPair, certificate: &rcgen::Certificate, audience: &str, id: &str) -> String {
    let now = jiff::Timestamp::now().as_second();
    let encode = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, certificate.der());
    let header = serde_json::json!({
        "alg": "ES256", "typ": "JWT", "x5t#S256": URL_SAFE_NO_PAD.encode(digest),
    });
    let claims = serde_json::json!({
        "aud": audience, "iss": "app-1", "sub": "app-1", "jti": id, "nbf": now - 5, "exp": now + 300,
    });
    let text = format!("{}.{}", encode(header), encode(claims));
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.serialize_der()).unwrap();
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn an_assertion_is_checked_and_reuse_is_recorded() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    let drill = SimulatorFixture::new(&format!("[token]\ncertificate = '''{}'''", certificate.pem())).await;
    let here = drill.url(&format!("/{TENANT}/oauth2/v2.0/token"));
    let send = async |assertion: String| {
        let form = format!(
            "grant_type=client_credentials&client_id=app-1&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
             &client_assertion={assertion}"
        );
        let response = drill.client.post(&here).body(form).send().await.unwrap();
        let status = response.status().as_u16();
        (status, json(response).await["error_codes"][0].clone())
    };
    let good = assertion(&key, &certificate, &here, "1");
    assert_eq!(send(good.clone()).await, (200, Value::Null));
    assert!(drill.simulator.ledger().violations.is_empty());
    assert_eq!(send(good).await, (200, Value::Null), "Entra does not promise to refuse it");
    assert_eq!(drill.simulator.ledger().violations[0].kind, "assertion_used_again");
    let elsewhere = assertion(&key, &certificate, "https://login.example/t/oauth2/v2.0/token", "2");
    assert_eq!(send(elsewhere).await, (401, 700_023.into()));
    let other = rcgen::KeyPair::generate().unwrap();
    assert_eq!(send(assertion(&other, &certificate, &here, "3")).await, (401, 700_027.into()));
    let stats = drill.simulator.stats();
    assert_eq!((stats.assertions_verified, stats.tokens_issued, stats.token_requests), (2, 2, 4));
}

#[tokio::test]
async fn a_domain_stands_for_the_tenants_id() {
    let path = "/Contoso.com/v2.0/.well-known/openid-configuration";
    let drill = SimulatorFixture::new("").await;
    let issuer = json(drill.get(path).await).await["issuer"].as_str().unwrap().to_owned();
    let form = "grant_type=client_credentials&client_id=a&client_secret=s&scope=x%2F.default";
    let url = drill.url("/contoso.com/oauth2/v2.0/token");
    let token = json(drill.client.post(url).body(form).send().await.unwrap()).await;
    let tid = claims(token["access_token"].as_str().unwrap())["tid"].as_str().unwrap().to_owned();
    assert_eq!(issuer, format!("https://login.microsoftonline.com/{tid}/v2.0"));
    let shared = json(drill.get(&path.replace("Contoso.com", "common")).await).await;
    assert!(shared["issuer"].as_str().unwrap().contains("{tenantid}"));

    let drill = SimulatorFixture::new("[token]\ntenant = 'fabrikam.com'").await;
    let refused = drill.get(path).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(json(refused).await["error_codes"][0], 90_002);
}

#[tokio::test]
async fn the_clock_can_be_ahead() {
    let drill = SimulatorFixture::new("clock_ahead = 4000").await;
    let answer = ask(&drill, "s").await;
    let date = httpdate::parse_http_date(header(&answer, "date").unwrap()).unwrap();
    let ahead = date.duration_since(std::time::SystemTime::now()).unwrap().as_secs();
    assert!((3990..=4000).contains(&ahead), "{ahead}");
    let claims = claims(json(answer).await["access_token"].as_str().unwrap());
    let now = jiff::Timestamp::now().as_second();
    assert!((3990..=4000).contains(&(claims["iat"].as_i64().unwrap() - now)), "{claims}");
}
