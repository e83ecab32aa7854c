use super::*;
use crate::directory::DirectoryError;
use crate::directory::pages::GraphPages;

/// A page with these items, and perhaps a link.
fn page(items: &[u32], next: Value) -> String {
    graph("200 OK", &json!({"@odata.context": "x", "value": items, "@odata.nextLink": next}))
}

fn link(seen: &ReceivedRequest, rest: &str) -> Value {
    format!("http://{}/v1.0/{rest}", seen.header("host")).into()
}

async fn all(directory: &Directory) -> Result<Vec<u64>, DirectoryError> {
    let mut pages = GraphPages::new(directory.reader.clone(), read("groups/1/members?$top=2"));
    let mut items = Vec::new();
    while let Some(page) = pages.next().await? {
        items.extend(page.iter().filter_map(Value::as_u64));
    }
    Ok(items)
}

#[tokio::test]
async fn links_are_followed_verbatim_with_the_same_headers_past_empty_pages() {
    let odd = "groups/1/members?$top=2&$skiptoken=RFNwd%27+a%2Fb==~";
    let (directory, log) = directory(move |number, seen| match number {
        0 => page(&[1, 2], link(seen, odd)),
        1 => page(&[], link(seen, "groups/1/members?$skiptoken=2")),
        2 => page(&[2, 3], link(seen, "groups/1/members?$skiptoken=3")),
        _ => page(&[4], Value::Null),
    })
    .await;
    assert_eq!(all(&directory).await.unwrap(), [1, 2, 2, 3, 4]);
    assert_eq!(targets(&log)[1], format!("/v1.0/{odd}"));
    assert!(log.lock().unwrap().iter().all(|seen| seen.header("consistencylevel") == "eventual"));
}

#[tokio::test]
async fn token_is_never_sent_to_another_host() {
    let (elsewhere, stolen) = serve_requests(|_, _| page(&[9], Value::Null));
    let far = elsewhere.clone();
    let port = elsewhere.rsplit(':').next().unwrap().to_owned();
    for next in [
        json!(format!("{far}/v1.0/next")),
        json!(format!("https://127.0.0.1:{port}/v1.0/next")),
        json!("https://graph.example/v1.0/next"),
        json!(format!("http://HOST@127.0.0.1:{port}/v1.0/next")),
        json!("http://user:word@HOST/v1.0/next"),
        json!("/v1.0/next"),
        json!("//graph.example/next"),
        json!("file:///etc/passwd"),
        json!("http://"),
        json!(5),
        json!(["x"]),
    ] {
        let shown = next.clone();
        let (directory, log) = directory(move |_, seen| {
            let next = match &next {
                Value::String(next) => next.replace("HOST", seen.header("host")).into(),
                next => next.clone(),
            };
            page(&[1], next)
        })
        .await;
        let failed = all(&directory).await.unwrap_err();
        assert!(matches!(failed, DirectoryError::Untrusted { .. }), "{failed} of {shown}");
        assert_eq!(log.lock().unwrap().len(), 1, "{shown}");
    }
    assert!(stolen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn pages_in_a_circle_and_pages_without_a_list_are_not_believed() {
    let circle = |number: usize, seen: &ReceivedRequest| {
        page(&[1], link(seen, ["groups/1/members?a", "groups/1/members?b"][number % 2]))
    };
    let (around, log) = directory(circle).await;
    let failed = all(&around).await.unwrap_err();
    assert!(failed.to_string().contains("its pages repeat"), "{failed}");
    assert_eq!(log.lock().unwrap().len(), 3);
    for body in [json!({"@odata.context": "x"}), json!({"@odata.context": "x", "value": {}})] {
        let (directory, _) = directory(move |_, _| graph("200 OK", &body)).await;
        assert!(matches!(all(&directory).await, Err(DirectoryError::Untrusted { .. })));
    }
}

#[tokio::test]
async fn next_link_of_a_retried_page_is_not_followed() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let (directory, log) = directory(move |_, seen| {
        let second = seen.line.contains("second");
        let times = if second { asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) } else { 0 };
        match (second, times) {
            _ if seen.line.contains("poison") => {
                graph("400 Bad", &error("DirectoryPageTokenNotFoundException", ""))
            }
            (true, 0) => graph("504 Late", &error("", "")),
            (true, 1) => page(&[2], link(seen, "poison")),
            (true, _) => page(&[2], link(seen, "third")),
            _ if seen.line.contains("third") => page(&[3], Value::Null),
            _ => page(&[1], link(seen, "second")),
        }
    })
    .await;
    assert_eq!(all(&directory).await.unwrap(), [1, 2, 2, 3]);
    assert!(!targets(&log).iter().any(|target| target.contains("poison")), "{:?}", targets(&log));
}

#[tokio::test]
async fn expired_page_token_restarts_the_list_a_few_times() {
    let lost = || graph("400 Bad", &error("Directory_ExpiredPageToken", "The token has expired."));
    let (mended, _) = directory(move |number, seen| match number {
        0 | 2 => page(&[1], link(seen, "second")),
        1 => lost(),
        _ => page(&[2], Value::Null),
    })
    .await;
    assert_eq!(all(&mended).await.unwrap(), [1, 1, 2]);
    let (never, log) =
        directory(
            move |_, seen| {
                if seen.line.contains("second") { lost() } else { page(&[1], link(seen, "second")) }
            },
        )
        .await;
    let failed = all(&never).await.unwrap_err();
    assert!(matches!(failed, DirectoryError::Unavailable { .. }), "{failed}");
    assert_eq!(log.lock().unwrap().len(), 8);
}
