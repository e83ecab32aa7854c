//! Requests in a batch that may have been carried out, but without proof.

use super::*;

#[tokio::test]
async fn a_part_whose_answer_is_missing_is_in_doubt() {
    let line = BatchFixture::new("[batch]\nlose_parts = 1").await;
    let replies = line.revoke(&named(&users(20))).await;
    let missing: Vec<&UserReply> = replies.iter().filter(|reply| !is_done(reply)).collect();
    assert_eq!(missing.len(), 1);
    assert_eq!(lost(missing[0]), (LossKind::Broken, "in a batch of 20: no answer"));
    assert_eq!(line.simulator.stats().effects, 20, "it was carried out");
}

#[tokio::test]
async fn a_part_that_is_contradicted_is_in_doubt() {
    let line = BatchFixture::new("unknown = ['gone-*']\n[batch]\ncontradict_parts = 2").await;
    for user in ["ann@x.com", "gone-1@x.com"] {
        let replies = line.revoke(&[user]).await;
        assert_eq!(lost(&replies[0]), (LossKind::Broken, "in a batch of 1: two different answers"), "{user}");
    }
    assert!(is_done(&line.revoke(&["ann@x.com"]).await[0]), "the next try settles it");
}

#[tokio::test]
async fn parts_with_a_gateway_timeout_are_retried() {
    let faults = "[[fault]]\nmatch = 'hang@*'\nanswer = 'hang-after'\n[[fault]]\nmatch = 'reset@*'\n\
                  answer = 'reset-before'\n[[fault]]\nmatch = 'cut@*'\nanswer = 'truncated-success'";
    let line = BatchFixture::new(faults).await;
    let replies = line.revoke(&["hang@x.com", "reset@x.com", "cut@x.com", "ann@x.com"]).await;
    assert_eq!(statuses(&replies), [504, 504, 504, 200]);
    for reply in &replies[..3] {
        assert!(matches!(verdict(reply), Verdict::Retry { .. }));
    }
    assert_eq!((line.effects("hang@x.com"), line.effects("reset@x.com")), (1, 0));
}

#[tokio::test]
async fn a_batch_without_an_answer_is_in_doubt_as_a_whole() {
    for (fault, how, carried_out) in [
        ("reset-before", LossKind::Broken, 0),
        ("reset-after", LossKind::Broken, 3),
        ("truncated-success", LossKind::Broken, 3),
    ] {
        let line =
            BatchFixture::new(&format!("[[fault]]\nendpoint = 'batch'\nanswer = '{fault}'\ntimes = 1")).await;
        for reply in line.revoke(&named(&users(3))).await {
            let (found, detail) = lost(&reply);
            assert_eq!(found, how, "{fault}: {detail}");
            assert!(detail.starts_with("in a batch of 3: "), "{fault}: {detail}");
        }
        assert_eq!(line.simulator.stats().effects, carried_out, "{fault}");
        assert!(line.revoke(&named(&users(3))).await.iter().all(is_done), "{fault}: the next one is through");
    }
}

#[tokio::test]
async fn a_batch_whose_answer_does_not_come_in_time_is_in_doubt() {
    for fault in ["answer = 'hang-after'", "answer = 'drip'\ndelay = '50ms'"] {
        let config = format!("[[fault]]\nendpoint = 'batch'\n{fault}");
        let line = BatchFixture::impatient(&config, Duration::from_millis(300)).await;
        for reply in line.revoke(&named(&users(2))).await {
            let (how, detail) = lost(&reply);
            assert_eq!(how, LossKind::TimedOut, "{fault}: {detail}");
            assert!(detail.starts_with("in a batch of 2: "), "{fault}: {detail}");
        }
        assert_eq!(line.simulator.stats().effects, 2, "{fault}");
    }
}

#[tokio::test]
async fn a_refused_connection_means_nothing_was_sent() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let graph = graph(&format!("http://{address}"), Duration::from_secs(5)).await;
    for reply in revoke(&graph, &["ann@x.com", "bea@x.com"]).await {
        let (how, detail) = lost(&reply);
        assert_eq!(how, LossKind::NotSent);
        assert!(!detail.contains("batch"), "nothing of it is in doubt: {detail}");
    }
}
