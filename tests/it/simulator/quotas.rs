use crate::simulator::{SimulatorFixture, header, json};

#[tokio::test]
async fn the_quota_throttles_with_a_429() {
    let drill = SimulatorFixture::new("[quota]\napp = { limit = 5, window = '100s' }").await;
    let mut percentages = Vec::new();
    for n in 0..5 {
        let response = drill.revoke(&format!("u{n}")).await;
        assert_eq!(response.status(), 200);
        percentages.push(header(&response, "x-ms-throttle-limit-percentage").map(str::to_owned));
    }
    assert_eq!(percentages[..4], [None, None, None, None], "not above 0.8");
    assert!(percentages[4].as_deref().is_some_and(|share| share > "0.8"), "{percentages:?}");
    let response = drill.revoke("u5").await;
    assert_eq!(response.status(), 429);
    let wait: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
    assert!((15..=20).contains(&wait), "{wait}");
    assert_eq!(header(&response, "x-ms-throttle-information"), Some("WriteLimitExceeded"));
    let scope = header(&response, "x-ms-throttle-scope").unwrap();
    assert!(scope.starts_with("Tenant_Application/Write/opaque/"), "{scope}");
    assert_eq!(header(&response, "x-ms-resource-unit"), None);
    let body = json(response).await;
    assert_eq!(
        (&body["error"]["code"], &body["error"]["innerError"]["code"]),
        (&"TooManyRequests".into(), &"429".into())
    );
    let other = drill.try_revoke("u5", "another-app").await.unwrap();
    assert_eq!(other.status(), 200, "each app has a quota of its own");

    let stats = drill.simulator.stats();
    assert_eq!((stats.throttled, stats.effects), (1, 6));
    assert_eq!((stats.max_requests_in_window, stats.max_accepted_in_window), (6, 5));
}

#[tokio::test]
async fn retry_after_has_many_forms() {
    let first_429 = async |form: &str| {
        let quota = format!("[quota]\nretry_after = '{form}'\napp = {{ limit = 1, window = '10s' }}");
        let drill = SimulatorFixture::new(&quota).await;
        drill.revoke("a").await;
        let response = drill.revoke("a").await;
        assert_eq!(response.status(), 429, "{form}");
        header(&response, "retry-after").map(str::to_owned)
    };
    assert_eq!(first_429("missing").await, None);
    assert_eq!(first_429("one").await.as_deref(), Some("1"));
    let short: f64 = first_429("short").await.unwrap().parse().unwrap();
    assert!((2.0..=5.0).contains(&short), "half of what it takes: {short}");
    let integer: u64 = first_429("integer").await.unwrap().parse().unwrap();
    assert!((5..=10).contains(&integer), "{integer}");
    let decimal = first_429("decimal").await.unwrap();
    assert!(decimal.contains('.') && decimal.parse::<f64>().unwrap() <= 10.0, "{decimal}");
    let date = first_429("date").await.unwrap();
    assert!(httpdate::parse_http_date(&date).unwrap() > std::time::SystemTime::now(), "{date}");
}

#[tokio::test]
async fn speed_shortens_quota_windows() {
    let quota = "speed = 100\n[quota]\nretry_after = 'decimal'\napp = { limit = 1, window = '1000s' }";
    let drill = SimulatorFixture::new(quota).await;
    assert_eq!(drill.revoke("a").await.status(), 200);
    let throttled = drill.revoke("a").await;
    let wait: f64 = header(&throttled, "retry-after").unwrap().parse().unwrap();
    assert!(wait <= 10.001, "{wait}");
}

#[tokio::test]
async fn early_requests_are_recorded() {
    let drill = SimulatorFixture::new("grace = 0\n[quota]\napp = { limit = 1, window = '100s' }").await;
    for status in [200, 429, 429] {
        assert_eq!(drill.revoke("a").await.status(), status);
    }
    let ledger = drill.simulator.ledger();
    assert_eq!((ledger.stats.early, ledger.stats.crossing), (1, 0));
    assert_eq!((ledger.violations[0].kind.as_str(), ledger.violations[0].detail.as_str()), ("early", "a"));

    let patient = SimulatorFixture::new("grace = '1h'\n[quota]\napp = { limit = 1, window = '100s' }").await;
    for status in [200, 429, 429] {
        assert_eq!(patient.revoke("a").await.status(), status);
    }
    assert_eq!((patient.simulator.stats().early, patient.simulator.stats().crossing), (0, 1));
}

#[tokio::test]
async fn a_429_from_a_fault_starts_a_wait() {
    let drill =
        SimulatorFixture::new("grace = 0\n[[fault]]\nanswer = 429\nretry_after = '30'\nfirst = 1").await;
    assert_eq!(drill.revoke("a").await.status(), 429);
    assert_eq!(drill.revoke("b").await.status(), 200);
    assert_eq!(drill.try_revoke("c", "another-app").await.unwrap().status(), 200);
    assert_eq!(drill.simulator.stats().early, 1);
}

#[tokio::test]
async fn a_tenant_quota_has_its_own_scope_header() {
    let drill = SimulatorFixture::new("[quota]\ntenant = { limit = 1, window = '100s' }").await;
    assert_eq!(drill.try_revoke("a", "one").await.unwrap().status(), 200);
    let throttled = drill.try_revoke("b", "two").await.unwrap();
    assert_eq!(throttled.status(), 429);
    let scope = header(&throttled, "x-ms-throttle-scope").unwrap();
    assert!(scope.starts_with("Tenant/Write/two/"), "{scope}");
}

#[tokio::test]
async fn the_body_of_a_429_can_be_chosen() {
    for (body, code, part) in [
        ("documented", "TooManyRequests", "Please retry again later."),
        ("identifier", "TooManyRequests", "under category:"),
        ("unknown", "UnknownError", "This request is throttled."),
    ] {
        let quota = format!("[quota]\nbody = '{body}'\napp = {{ limit = 1, window = '10s' }}");
        let drill = SimulatorFixture::new(&quota).await;
        drill.revoke("a").await;
        let answer = json(drill.revoke("a").await).await;
        assert_eq!(answer["error"]["code"], code, "{body}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(part), "{answer}");
    }
}

#[tokio::test]
async fn quotas_can_be_off_and_changed_at_run_time() {
    let drill = SimulatorFixture::new("[quota]\nenabled = false\napp = { limit = 1, window = '10s' }").await;
    for _ in 0..3 {
        assert_eq!(drill.revoke("a").await.status(), 200);
    }
    let change = async |text: &'static str| {
        let url = drill.url("/_simulator/config");
        drill.client.post(url).body(text).send().await.unwrap()
    };
    let one = "[quota]\napp = { limit = 1, window = '1000s' }";
    assert_eq!(change(one).await.status(), 204);
    assert_eq!([drill.revoke("a").await.status(), drill.revoke("a").await.status()], [200, 429]);
    assert_eq!(change("listen = '127.0.0.1:1'").await.status(), 400);
    assert_eq!(change("[quota]\napp = { limit = 0, window = 1 }").await.status(), 400);
    assert_eq!(drill.revoke("a").await.status(), 429, "a refused change changes nothing");
    assert_eq!(change("[[fault]]\nanswer = 500").await.status(), 204);
    assert_eq!(drill.revoke("a").await.status(), 429, "faults come behind quotas, which were not named");
    drill.simulator.reset();
    assert_eq!(drill.revoke("a").await.status(), 500);
}

#[tokio::test]
async fn a_sliding_window_counts_earlier_requests() {
    let quota = "speed = 100\n[quota]\nretry_after = 'decimal'\n\
                 app = { limit = 2, window = '1000s', style = 'sliding-window' }";
    let drill = SimulatorFixture::new(quota).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(drill.revoke("a").await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    let wait: f64 = header(&drill.revoke("a").await, "retry-after").unwrap().parse().unwrap();
    assert!((8.0..=10.0).contains(&wait), "a window from the first: {wait}");
}

#[tokio::test]
async fn a_limit_can_change_at_an_instant() {
    let drill = SimulatorFixture::new(
        "speed = 1000\n[quota]\napp = { limit = 1, window = '1000s' }\n\
         [[quota.change]]\nat = '200s'\napp = { limit = 1000, window = '1s' }",
    )
    .await;
    assert_eq!([drill.revoke("a").await.status(), drill.revoke("a").await.status()], [200, 429]);
    drill.until(|stats| stats.uptime_s > 0.21).await;
    assert_eq!([drill.revoke("a").await.status(), drill.revoke("a").await.status()], [200, 200]);
}

#[tokio::test]
async fn an_invalid_quota_is_refused() {
    for text in [
        "[quota]\neaten = 1.0",
        "[quota]\neverywhere = { limit = 0, window = 1 }",
        "[[quota.change]]\nat = '1s'\ntenant = { limit = 1, window = 0 }",
        "[[tenant]]\nquota.app = { limit = 0, window = 1 }",
        "[[tenant]]\nquota.read = { limit = 1, window = 1 }",
    ] {
        assert!(entra_revoke::simulator::Config::from_toml_str(text).is_err(), "{text}");
    }
}
