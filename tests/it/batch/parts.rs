//! Each part of a batch has its own answer.

use super::*;

#[tokio::test]
async fn each_user_has_an_answer_of_its_own() {
    let config = "unknown = ['gone-*']\ndeny = ['chief@*']\n[[fault]]\nmatch = 'flaky@*'\nanswer = 503\n\
                  retry_after = '7'\n[[fault]]\nmatch = 'busy@*'\nanswer = 429\nretry_after = '2.128'\n\
                  [[fault]]\nmatch = 'bare@*'\nanswer = 204\n[[fault]]\nmatch = 'no@*'\nanswer = 'ok-false'";
    let line = BatchFixture::new(config).await;
    let replies = line
        .revoke(&[
            "ann@x.com",
            "gone-1@x.com",
            "chief@x.com",
            "flaky@x.com",
            "busy@x.com",
            "bare@x.com",
            "no@x.com",
        ])
        .await;
    assert_eq!(statuses(&replies), [200, 404, 403, 503, 429, 204, 200]);
    let done: Vec<bool> = replies.iter().map(is_done).collect();
    assert_eq!(done, [true, false, false, false, false, true, false]);
    assert_eq!(response(&replies[3]).retry_after, Some(Duration::from_secs(7)));
    assert_eq!(response(&replies[4]).retry_after, Some(Duration::from_millis(2128)));
    for reply in &replies {
        let evidence = reply.evidence();
        assert!(evidence.request_id.is_some() && evidence.server_date.is_some(), "{evidence:?}");
        assert!(evidence.diagnostic.is_some(), "{evidence:?}");
    }
    let stats = line.simulator.stats();
    assert_eq!((stats.requests, stats.batches, stats.batch_parts), (1, 1, 7));
    assert_eq!((stats.missing_client_request_ids, stats.duplicate_client_request_ids), (0, 0));
    assert_eq!(stats.bad_auth, 0);
}

#[tokio::test]
async fn ids_in_a_batch_arrive_as_in_single_requests() {
    let users = [
        "AdeleVance_adatum.com#EXT#@contoso.com",
        "$cash@contoso.com",
        "o'brien+a/b%@contoso.com",
        "$x'y@contoso.com",
        "Jos\u{e9}.\u{5f20}@contoso.com",
        "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f",
        "?&=@contoso.com",
    ];
    let line = BatchFixture::new("").await;
    assert!(line.revoke(&users).await.iter().all(is_done));
    for request in requests(&users) {
        line.graph.revoke(request).await;
    }
    let ledger = line.simulator.ledger();
    for user in users {
        let record = ledger.user(user).unwrap_or_else(|| panic!("{user} is not in the ledger"));
        assert_eq!(record.requests, 2, "{user}");
    }
    assert_eq!(ledger.users.len(), users.len());
}

#[tokio::test]
async fn a_batch_can_have_one_or_twenty_users() {
    let line = BatchFixture::new("").await;
    let all = users(20);
    assert!(line.revoke(&named(&all)).await.iter().all(is_done));
    assert!(line.revoke(&["ann@x.com"]).await.iter().all(is_done));
    assert!(line.revoke(&[]).await.is_empty());
    let stats = line.simulator.stats();
    assert_eq!((stats.requests, stats.batches, stats.effects), (2, 2, 21), "nothing is revoked for nobody");
}

#[tokio::test]
async fn a_quota_that_ends_in_a_batch_throttles_its_remaining_parts() {
    let line = BatchFixture::new("[quota]\napp = { limit = 3, window = 100 }").await;
    let replies = line.revoke(&named(&users(5))).await;
    assert_eq!(statuses(&replies), [200, 200, 200, 429, 429]);
    for reply in &replies[3..] {
        assert!(response(reply).retry_after > Some(Duration::from_secs(20)), "{reply:?}");
        assert!(response(reply).throttle_scope.is_some(), "{reply:?}");
    }
}

#[tokio::test]
async fn a_single_part_can_be_challenged() {
    let line = BatchFixture::new("[[fault]]\nmatch = 'ann@*'\nanswer = 'challenge'").await;
    let replies = line.revoke(&["ann@x.com", "bea@x.com"]).await;
    assert_eq!(statuses(&replies), [401, 200]);
    assert!(response(&replies[0]).claims.as_deref().is_some_and(|claims| claims.contains("nbf")));
}

#[tokio::test]
async fn answers_in_any_order_and_spelling_are_matched() {
    for config in [
        "seed = 1",
        "[batch]\nshuffle = false",
        "header_case = 'lowercase'\n[batch]\nids = 'number'",
        "header_case = 'title'\n[batch]\nids = 'uppercase'\nduplicate_parts = 9",
        "success = 'no_content'",
        "success = 'odd'",
    ] {
        let line = BatchFixture::new(&format!(
            "{config}\n[[fault]]\nmatch = 'u03@*'\nanswer = 429\nretry_after = '0.249'"
        ))
        .await;
        let replies = line.revoke(&named(&users(20))).await;
        let throttled: Vec<usize> = (0..20).filter(|&n| !is_done(&replies[n])).collect();
        assert_eq!(throttled, [3], "{config}");
        assert_eq!(response(&replies[3]).retry_after, Some(Duration::from_millis(249)), "{config}");
    }
}
