//! Groups and their members.

use crate::simulator::directory::{drill, drill_with, each, error, group, unsupported};
use crate::simulator::json;

#[tokio::test]
async fn members_are_direct_or_nested() {
    let drill = drill().await;
    let finance = group(&drill, "Finance").await;
    let direct = json(drill.get(&format!("/v1.0/groups/{finance}/members")).await).await;
    assert_eq!(
        each(&direct, "displayName"),
        ["Ann O'Brien", "Team", "Laptop 1"],
        "the deleted and the app are not there"
    );
    assert_eq!(
        each(&direct, "@odata.type"),
        ["#microsoft.graph.user", "#microsoft.graph.group", "#microsoft.graph.device"]
    );
    let beta = json(drill.get(&format!("/beta/groups/{finance}/members")).await).await;
    assert_eq!(each(&beta, "@odata.type").len(), 4, "beta shows apps");

    let path =
        format!("/v1.0/groups/{finance}/transitiveMembers/microsoft.graph.user?$select=id,userPrincipalName");
    assert_eq!(error(drill.get(&path).await).await, unsupported());
    assert_eq!(error(drill.eventual(&path).await).await, unsupported());
    let nested = json(drill.eventual(&format!("{path}&$count=true")).await).await;
    assert_eq!(
        each(&nested, "userPrincipalName"),
        ["Ann@contoso.example", "bob@contoso.example"],
        "each once"
    );
    assert_eq!(nested["@odata.count"], 2);
    let all = json(drill.get(&format!("/v1.0/groups/{finance}/transitiveMembers")).await).await;
    assert!(each(&all, "id").contains(&finance), "a group in a circle is in itself");
    let filtered = format!("{path}&$count=true&$filter=accountEnabled eq false");
    assert_eq!(
        each(&json(drill.eventual(&filtered).await).await, "userPrincipalName"),
        ["bob@contoso.example"]
    );
}

#[tokio::test]
async fn group_names_can_be_ambiguous() {
    let drill = drill().await;
    let teams =
        json(drill.get("/v1.0/groups?$filter=displayName eq 'team'&$select=id,displayName").await).await;
    assert_eq!(each(&teams, "displayName"), ["Team", "Team"]);
    let one = json(drill.get(&format!("/v1.0/groups/{}", each(&teams, "id")[1])).await).await;
    assert_eq!((&one["displayName"], &one["securityEnabled"]), (&"Team".into(), &true.into()));
}

#[tokio::test]
async fn hidden_members_need_a_permission() {
    let drill = drill().await;
    let secret = group(&drill, "Secret").await;
    let shown = json(drill.get(&format!("/v1.0/groups/{secret}?$select=visibility")).await).await;
    assert_eq!(shown["visibility"], "HiddenMembership");
    let team = "99999999-0000-4000-8000-000000000002";
    for (group, members) in [(secret.as_str(), 0), (team, 1)] {
        let nested = json(drill.get(&format!("/v1.0/groups/{group}/transitiveMembers")).await).await;
        assert_eq!(each(&nested, "id").len(), members);
    }
    let drill = drill_with("'User.Read.All', 'GroupMember.Read.All', 'Member.Read.Hidden'").await;
    for (group, members) in [(secret.as_str(), 1), (team, 2)] {
        let nested = json(drill.get(&format!("/v1.0/groups/{group}/transitiveMembers")).await).await;
        assert_eq!(each(&nested, "id").len(), members);
    }
}
