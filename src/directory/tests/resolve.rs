use uuid::Uuid;

use super::*;
use crate::directory::{DirectoryError, ResolvedId};
use crate::user_id::UserId;

const ANN: Uuid = Uuid::from_u128(0xa);
const BOB: Uuid = Uuid::from_u128(0xb);

fn ids(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// A server that does not support batches, so that each request is seen separately.
async fn directory_without_batches(
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (Directory, RequestLog) {
    directory(move |_, seen| {
        let target = seen.line.split(' ').nth(1).unwrap();
        let target = percent_encoding::percent_decode_str(target).decode_utf8().unwrap().into_owned();
        if seen.line.starts_with("POST") { super::answer("405 No", "") } else { answer(&target) }
    })
    .await
}

fn user(id: Uuid, upn: &str) -> Value {
    json!({"@odata.context": "x", "id": id, "userPrincipalName": upn})
}

fn missing() -> String {
    graph("404 Not Found", &error("Request_ResourceNotFound", ""))
}

#[tokio::test]
async fn a_filter_that_finds_too_little_or_fails_makes_nobody_missing() {
    for filtered in [
        graph("200 OK", &json!({"@odata.context": "x", "value": []})),
        graph("200 OK", &json!({"@odata.context": "x"})),
        graph("400 Bad", &error("Request_UnsupportedQuery", "")),
        graph("200 OK", &json!({"@odata.context": "x", "value": [user(ANN, "bob@contoso.com")]})),
    ] {
        let (directory, _) = directory_without_batches(move |target| match target {
            _ if target.contains("$filter") => filtered.clone(),
            _ if target.contains("ann@") => graph("200 OK", &user(ANN, "Ann@contoso.com")),
            _ if target.contains("users/") => graph("200 OK", &user(BOB, "bob@contoso.com")),
            _ => missing(),
        })
        .await;
        let asked = ids(&["ann@contoso.com", &BOB.to_string(), "ANN@contoso.com"]);
        let found = directory.resolve(&asked).await.unwrap();
        let found: Vec<Option<Uuid>> = found
            .iter()
            .map(|one| if let ResolvedId::User(person) = one { Some(person.id) } else { None })
            .collect();
        assert_eq!(found, [Some(ANN), Some(BOB), Some(ANN)]);
    }
}

#[tokio::test]
async fn duplicate_ids_are_resolved_once() {
    let (directory, log) = directory_without_batches(|_| missing()).await;
    let id = ANN.to_string();
    let found = directory.resolve(&ids(&[&id, "ann@contoso.com", &id, "Ann@Contoso.com"])).await.unwrap();
    assert_eq!(found, vec![ResolvedId::Missing; 4]);
    let asked: Vec<String> =
        targets(&log).into_iter().filter(|target| target.starts_with("/v1.0/users/")).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[tokio::test]
async fn answer_about_another_user_is_an_error() {
    for name in [BOB.to_string(), "bob@contoso.com".to_owned()] {
        let (directory, _) =
            directory_without_batches(|_| graph("200 OK", &user(ANN, "ann@contoso.com"))).await;
        let failed = directory.resolve(&ids(&[&name])).await.unwrap_err();
        assert!(matches!(failed, DirectoryError::Untrusted { .. }), "{failed}");
        assert!(failed.to_string().contains(&name), "{failed}");
    }
}

#[tokio::test]
async fn the_deleted_are_told_from_the_missing() {
    let (directory, _) = directory_without_batches(move |target| match target {
        _ if target.ends_with(&format!("deletedItems/{ANN}")) => {
            graph("200 OK", &json!({"@odata.type": "#microsoft.graph.user", "id": ANN}))
        }
        _ if target.contains("deletedItems") => graph("403 No", &error("Authorization_RequestDenied", "")),
        _ if target.contains("$filter") => graph("200 OK", &json!({"@odata.context": "x", "value": []})),
        _ => missing(),
    })
    .await;
    let found =
        directory.resolve(&ids(&[&ANN.to_string(), &BOB.to_string(), "odd@contoso.com"])).await.unwrap();
    assert_eq!(found, [ResolvedId::Deleted(Some(ANN)), ResolvedId::Missing, ResolvedId::Missing]);
}

#[tokio::test]
async fn without_the_permission_nobody_is_known() {
    let (directory, _) =
        directory_without_batches(|_| graph("403 No", &error("Authorization_RequestDenied", "no"))).await;
    for names in [&["ann@contoso.com"][..], &["ann@contoso.com", "bob@contoso.com"]] {
        let failed = directory.resolve(&ids(names)).await.unwrap_err();
        assert!(failed.is_forbidden() && failed.to_string().contains("User.Read.All"), "{failed}");
        assert!(directory.find_users(&["ann@contoso.com".to_owned(), "ann".to_owned()]).await.is_err());
    }
}

#[tokio::test]
async fn a_question_that_fails_leaves_no_name_half_resolved() {
    let (directory, _) = directory_without_batches(|target| match target {
        _ if target.contains("$filter=mail") => graph(
            "200 OK",
            &json!({"@odata.context": "x", "value": [
                {"id": ANN, "userPrincipalName": "ann@contoso.com", "mail": "jo@contoso.com"},
            ]}),
        ),
        _ if target.contains("proxyAddresses/any") => {
            graph("400 Bad", &error("Request_UnsupportedQuery", ""))
        }
        _ => missing(),
    })
    .await;
    let failed = directory.find_users(&["jo@contoso.com".to_owned()]).await.unwrap_err();
    assert!(matches!(failed, DirectoryError::Refused { .. }), "{failed}");
    assert!(failed.to_string().contains("proxyAddresses"), "{failed}");
}
