//! Responses to a batch that contain no answers to its parts.

use super::*;

/// What three users get where the batch as a whole gets this.
async fn struck(rule: &str) -> (Vec<UserReply>, u64) {
    let line = BatchFixture::new(&format!("[[fault]]\nendpoint = 'batch'\n{rule}")).await;
    let replies = line.revoke(&named(&users(3))).await;
    assert!(!replies.iter().any(is_done), "{rule}");
    (replies, line.simulator.stats().effects)
}

#[tokio::test]
async fn an_error_of_the_batch_applies_to_each_user() {
    for (rule, status, carried_out) in [
        ("answer = 429\nretry_after = '3'", 429, 0),
        ("answer = 503\nretry_after = '3'", 503, 0),
        ("answer = 504\nretry_after = '3'\neffect = true", 504, 3),
        ("answer = 500\nretry_after = '3'\nbody = 'truncated'", 500, 0),
        ("answer = 502\nretry_after = '3'\nbody = 'html'\nrequest_id = false", 502, 0),
        ("answer = 522\nretry_after = '3'\nbody = 'html'\nrequest_id = false", 522, 0),
        ("answer = 403\nretry_after = '3'\ncode = 'TooManyRequests'", 403, 0),
        ("answer = 302\nretry_after = '3'", 302, 0),
        ("answer = 'expired-token'\nretry_after = '3'", 401, 0),
    ] {
        let (replies, effects) = struck(rule).await;
        assert_eq!((statuses(&replies), effects), (vec![status; 3], carried_out), "{rule}");
        if status != 401 {
            let waits: Vec<_> = replies.iter().map(|reply| response(reply).retry_after).collect();
            assert_eq!(waits, [Some(Duration::from_secs(3)); 3], "{rule}");
        }
    }
}

#[tokio::test]
async fn a_challenge_of_the_batch_applies_to_each_user() {
    let (replies, _) = struck("answer = 'challenge'").await;
    for reply in &replies {
        assert!(matches!(verdict(reply), Verdict::Unauthorized { claims: Some(_) }), "{reply:?}");
    }
}

#[tokio::test]
async fn a_refused_batch_sends_its_users_alone() {
    for status in [400, 403, 404, 405, 409, 411, 413, 415, 422, 501, 505] {
        let (replies, effects) = struck(&format!("answer = {status}")).await;
        assert_eq!(effects, 0);
        for reply in &replies {
            assert_eq!(unbatched(reply).status, status);
            assert_eq!(verdict(reply), Verdict::SendUnbatched, "{status}");
            assert_eq!(reply.evidence().http_status, Some(status));
        }
    }
}

#[tokio::test]
async fn users_are_sent_alone_if_batches_are_unavailable_or_too_large() {
    for (config, status) in [("enabled = false", 404), ("max_bytes = 300", 413)] {
        let line = BatchFixture::new(&format!("[batch]\n{config}")).await;
        let replies = line.revoke(&named(&users(3))).await;
        assert!(replies.iter().all(|reply| unbatched(reply).status == status), "{config}");
        assert_eq!(line.simulator.stats().effects, 0);
    }
}

#[tokio::test]
async fn users_of_an_oversized_batch_are_sent_alone() {
    let line = BatchFixture::new("").await;
    let replies = line.revoke(&named(&users(21))).await;
    assert!(
        replies.iter().all(|reply| unbatched(reply).status == 400),
        "nobody is rejected by a mistake of ours"
    );
}

#[tokio::test]
async fn a_portal_page_is_not_a_success() {
    for (rule, said) in [
        ("answer = 'portal'", "status 200, but not a batch answer (an HTML page)"),
        ("answer = 'portal-204'", "status 204, but not a batch answer (no details)"),
        ("answer = 200\nbody = '{\"value\":true}'", "status 200, but not a batch answer (no details)"),
    ] {
        let (replies, _) = struck(rule).await;
        for reply in &replies {
            assert_eq!(
                lost(reply),
                (LossKind::Broken, format!("in a batch of 3: {said}").as_str()),
                "{rule}"
            );
        }
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let line = BatchFixture::new("[[fault]]\nendpoint = 'batch'\nanswer = 307").await;
    assert_eq!(statuses(&line.revoke(&["ann@x.com"]).await), [307]);
    let stats = line.simulator.stats();
    assert_eq!((stats.requests, stats.effects), (1, 0));
}
