//! Services that refuse or ignore what Graph's pages promise, which the simulator does not imitate.

use std::sync::{Arc, Mutex};

use entra_revoke::directory::{DirectoryError, GLOBAL_ADMINISTRATOR, RiskLevel, Selector};
use serde_json::{Value, json};

use crate::selecting::desk::{DirectoryFixture, group};
use crate::support::plain_server::{self, ReceivedRequest};

const GROUP: &str = "5a1e0000-0000-4000-8000-00000000f1a0";
const ADA: &str = "5a1e0000-0000-4000-8000-0000000000ad";
const BO: &str = "5a1e0000-0000-4000-8000-0000000000b0";

/// Answers paths, without the version, in Graph's manner; nothing is 404.
fn serve(
    answer: impl Fn(&str) -> Option<(u16, Value)> + Send + Sync + 'static,
) -> (DirectoryFixture, Arc<Mutex<Vec<ReceivedRequest>>>) {
    let (url, seen) = plain_server::serve_requests(move |_, seen| {
        let path = seen.line.split(' ').nth(1).unwrap_or_default();
        let path = path.strip_prefix("/v1.0/").unwrap_or(path);
        let missing =
            || (404, json!({"error": {"code": "Request_ResourceNotFound", "message": "no such thing"}}));
        let (status, body) = answer(path).unwrap_or_else(missing);
        let body = body.to_string();
        format!(
            "HTTP/1.1 {status} x\r\nrequest-id: {GROUP}\r\ncontent-type: application/json\r\ncontent-length: \
             {}\r\n\r\n{body}",
            body.len()
        )
    });
    (DirectoryFixture::at(&url), seen)
}

fn unsupported() -> Option<(u16, Value)> {
    Some((400, json!({"error": {"code": "Request_UnsupportedQuery", "message": "not here"}})))
}

fn list(items: Value) -> Option<(u16, Value)> {
    Some((200, json!({ "value": items })))
}

fn finance() -> Option<(u16, Value)> {
    Some((200, json!({"id": GROUP, "displayName": "Finance"})))
}

fn item(kind: &str, id: &str) -> Value {
    json!({"@odata.type": format!("#microsoft.graph.{kind}"), "id": id})
}

#[test]
fn users_are_filtered_locally_if_casts_are_refused() {
    let (desk, seen) = serve(|path| match path {
        _ if path.contains("/microsoft.graph.user?") => unsupported(),
        _ if path.contains("/transitiveMembers?") => list(json!([
            item("user", ADA),
            item("group", GROUP),
            item("device", BO),
            item("servicePrincipal", BO)
        ])),
        _ if path.starts_with("groups/") => finance(),
        _ => None,
    });
    let (people, all) = desk.read(&group(GROUP)).unwrap();
    assert_eq!(all.iter().map(|person| person.id.to_string()).collect::<Vec<_>>(), [ADA]);
    assert_eq!(people.expected(), None, "the count was of other things, too");
    let seen = seen.lock().unwrap();
    assert_eq!(seen[1].header("ConsistencyLevel"), "eventual");
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_member_without_a_type_is_an_error() {
    let (desk, _) = serve(|path| match path {
        _ if path.contains("/microsoft.graph.user?") => unsupported(),
        _ if path.contains("/transitiveMembers?") => list(json!([item("user", ADA), {"id": BO}])),
        _ => finance(),
    });
    let error = desk.refusal(&group(GROUP));
    assert!(matches!(error, DirectoryError::Untrusted { .. }), "{error}");
    assert!(error.to_string().contains(BO), "{error}");
}

#[test]
fn a_member_without_an_id_is_an_error() {
    let (desk, _) = serve(|path| match path {
        _ if path.contains("ransitiveMembers/") => list(json!([{"id": ADA}, {"displayName": "who?"}])),
        _ => finance(),
    });
    assert!(matches!(desk.refusal(&group(GROUP)), DirectoryError::Untrusted { .. }));
}

#[test]
fn missing_members_are_reported() {
    let (desk, _) = serve(|path| match path {
        _ if path.contains("ransitiveMembers/") => {
            Some((200, json!({"@odata.count": 3, "value": [{"id": ADA}, {"id": BO}, {"id": ADA}]})))
        }
        _ => finance(),
    });
    let (people, _) = desk.read(&group(GROUP)).unwrap();
    assert_eq!((people.expected(), people.missing()), (Some(3), 1));
}

/// One assignment of Global Administrator; `principal` is what is expanded, if anything.
fn assignment(principal: Value) -> Value {
    json!({"roleDefinitionId": GLOBAL_ADMINISTRATOR, "principalId": ADA, "directoryScopeId": "/",
        "principal": principal})
}

fn definitions() -> Option<(u16, Value)> {
    list(json!([{"id": GLOBAL_ADMINISTRATOR, "displayName": "Global Administrator"}]))
}

#[test]
fn unexpanded_holders_are_read_separately() {
    let role = Selector::Role { name: "Global Administrator".to_owned(), eligible: false };
    for (kind, count) in [("user", 1), ("servicePrincipal", 0)] {
        let (desk, _) = serve(move |path| match path {
            _ if path.contains("roleDefinitions") => definitions(),
            _ if path.contains("roleAssignments") => list(json!([assignment(Value::Null)])),
            _ if path.starts_with("directoryObjects/") => Some((200, item(kind, ADA))),
            _ => None,
        });
        assert_eq!(desk.read(&role).unwrap().1.len(), count, "{kind}");
    }
    let assigned = |object: Option<Value>| {
        serve(move |path| match path {
            _ if path.contains("roleDefinitions") => definitions(),
            _ if path.contains("roleAssignments") => list(json!([assignment(json!({"id": ADA}))])),
            _ => object.clone().map(|object| (200, object)),
        })
    };
    let (desk, _) = assigned(None);
    assert_eq!(desk.read(&role).unwrap().1.len(), 0, "deleted");
    let (desk, _) = assigned(Some(json!({"id": ADA})));
    let error = desk.refusal(&role);
    assert!(matches!(error, DirectoryError::Untrusted { .. }), "{error}");
    assert!(matches!(desk.wait(desk.directory.privileged_users()), Err(DirectoryError::Untrusted { .. })));
}

#[test]
fn assignments_are_read_by_role_if_a_filter_is_required() {
    let (desk, seen) = serve(|path| match path {
        _ if path.contains("roleDefinitions") => definitions(),
        _ if path.contains("roleAssignments?$expand") => unsupported(),
        _ if path.contains("roleAssignments?$filter") => list(json!([assignment(item("user", ADA))])),
        _ => None,
    });
    let admins = desk.wait(desk.directory.privileged_users()).unwrap();
    assert_eq!(admins.global_administrators.iter().map(ToString::to_string).collect::<Vec<_>>(), [ADA]);
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[test]
fn an_activated_role_is_matched_by_its_template() {
    let (desk, _) = serve(|path| match path {
        _ if path.contains("roleDefinitions") => definitions(),
        _ if path.starts_with(&format!("directoryRoles/{BO}")) => {
            Some((200, json!({"id": BO, "roleTemplateId": GLOBAL_ADMINISTRATOR})))
        }
        _ if path.contains("roleAssignments?$filter") => list(json!([assignment(item("user", ADA))])),
        _ => None,
    });
    let (people, all) = desk.read(&Selector::Role { name: BO.to_owned(), eligible: false }).unwrap();
    assert_eq!(people.name(), format!("role Global Administrator ({GLOBAL_ADMINISTRATOR})"));
    assert_eq!(all.len(), 1);
}

#[test]
fn an_ignored_filter_does_not_add_risky_users() {
    let (desk, _) = serve(|_| {
        list(json!([
            {"id": ADA, "userPrincipalName": "ada@contoso.example", "riskLevel": "high", "riskState": "atRisk"},
            {"id": BO, "riskLevel": "low", "riskState": "atRisk"},
            {"id": GROUP, "riskLevel": "high", "riskState": "dismissed"},
        ]))
    });
    assert_eq!(desk.names(&Selector::Risky(vec![RiskLevel::High])), ["ada"]);
}

#[test]
fn an_incomplete_list_is_an_error() {
    let breaking = |last: Value| {
        serve(move |path| match path {
            _ if path.contains("ransitiveMembers/") => {
                Some((200, json!({"@odata.count": 9, "value": [item("user", ADA)], "@odata.nextLink": last})))
            }
            _ => finance(),
        })
        .0
    };
    for (last, says) in [(json!(""), "empty"), (Value::Null, "counted 9 users but returned 1")] {
        let error = breaking(last).refusal(&group(GROUP));
        assert!(
            matches!(error, DirectoryError::Untrusted { .. }) && error.to_string().contains(says),
            "{error}"
        );
    }
    let partial = serve(|path| match path {
        _ if path.contains("ransitiveMembers") => Some((206, json!({"value": []}))),
        _ => finance(),
    });
    assert!(partial.0.read(&group(GROUP)).is_err(), "a part is not the whole");
}

#[test]
fn an_answer_about_another_group_is_an_error() {
    let other = || Some((200, json!({"id": ADA, "displayName": "Odd"})));
    let (desk, seen) = serve(move |path| if path.starts_with("groups/") { other() } else { None });
    let error = desk.refusal(&group(GROUP));
    assert!(error.to_string().contains("another group"), "{error}");
    let (desk, _) = serve(|_| list(json!([{"id": GROUP, "displayName": "Odd"}])));
    let error = desk.refusal(&group("Mixed"));
    assert!(error.to_string().contains("another group"), "{error}");
    assert!(!seen.lock().unwrap().iter().any(|seen| seen.line.contains("embers")), "nobody was read");
}

#[test]
fn an_incomplete_group_of_a_role_is_an_error() {
    let (desk, _) = serve(|path| match path {
        _ if path.contains("roleDefinitions") => {
            list(json!([{"id": GLOBAL_ADMINISTRATOR, "displayName": "Boss"}]))
        }
        _ if path.contains("roleAssignments") => list(json!([{"roleDefinitionId": GLOBAL_ADMINISTRATOR,
            "directoryScopeId": "/", "principalId": GROUP, "principal": item("group", GROUP)}])),
        _ if path.contains("ransitiveMembers/") => {
            Some((200, json!({"@odata.count": 4, "value": [item("user", ADA), item("device", BO)]})))
        }
        _ => None,
    });
    let error = desk.refusal(&Selector::Role { name: "Boss".to_owned(), eligible: false });
    assert!(error.to_string().contains("counted 3 more"), "{error}");
    let admins = desk.wait(desk.directory.privileged_users()).unwrap();
    assert!(
        admins.unread_groups.unwrap().contains("counted 3 more") && admins.global_administrators.is_empty()
    );
}

/// One role of many: its holders are not known, and those of the others are.
#[test]
fn an_unreadable_role_does_not_affect_others() {
    const HELPDESK: &str = "729827e3-9c14-49f7-bb1b-9608f156bbb8";
    for status in [400, 404, 500] {
        let (desk, _) = serve(move |path| match path {
            _ if path.contains("roleDefinitions") => list(json!([
                {"id": GLOBAL_ADMINISTRATOR, "displayName": "Global Administrator"},
                {"id": HELPDESK, "displayName": "Helpdesk Administrator"},
            ])),
            _ if path.contains("roleAssignments?$expand") => unsupported(),
            _ if path.contains(HELPDESK) => {
                let code = if status == 404 { "Request_ResourceNotFound" } else { "Request_BadRequest" };
                Some((status, json!({"error": {"code": code, "message": "no"}})))
            }
            _ if path.contains("roleAssignments?$filter") => list(json!([assignment(item("user", ADA))])),
            _ => None,
        });
        let admins = desk.wait(desk.directory.with_budget(&Default::default()).privileged_users()).unwrap();
        assert_eq!(
            (admins.global_administrators.len(), admins.global_administrators_incomplete),
            (1, false),
            "{status}"
        );
        let gap = admins.gaps.join("; ");
        assert!(gap.starts_with("holders of role Helpdesk Administrator ("), "{status}: {gap}");
    }
}

/// Half a list is known, and that it is half.
#[test]
fn incomplete_assignments_are_partly_known() {
    let (desk, _) = serve(|path| match path {
        _ if path.contains("roleDefinitions") => definitions(),
        _ if path.contains("roleAssignments") => Some((
            200,
            json!({"value": [assignment(item("user", ADA))], "@odata.nextLink": "https://elsewhere.example/x"}),
        )),
        _ => None,
    });
    let failed = desk.wait(desk.directory.privileged_users());
    let known =
        failed.map(|admins| (admins.global_administrators.len(), admins.global_administrators_incomplete));
    // The link is refused with its page: nothing of it is known.
    assert!(matches!(known, Ok((0 | 1, true)) | Err(DirectoryError::Untrusted { .. })), "{known:?}");
}
