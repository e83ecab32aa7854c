use std::time::Duration;

use entra_revoke::simulator::TokenKind;
use serde_json::Value;

use crate::simulator::{SimulatorFixture, header, json};

const GLOBAL: &str = "62e90394-69f5-4237-9190-012177145e10";
const HELPDESK: &str = "729827e3-9c14-49f7-bb1b-9608f156bbb8";

const ALL: &str = "roles = ['RoleManagement.Read.Directory', 'AdministrativeUnit.Read.All', 'Member.Read.Hidden', \
    'IdentityRiskyUser.Read.All', 'User.Read.All', 'GroupMember.Read.All', 'Application.Read.All', \
    'Organization.Read.All']";

const DIRECTORY: &str = r#"
[directory]
organization = "Fabrikam"
domain = "fabrikam.example"
user = [
    { upn = "chief@x.com", id = "00000000-0000-4000-8000-000000000001" },
    { upn = "ann@x.com", id = "00000000-0000-4000-8000-000000000002", manager = "chief@x.com" },
    { upn = "bea@x.com", manager = "ann@x.com" },
    { upn = "cid@x.com", manager = "bea@x.com" },
    { upn = "dan@x.com", id = "00000000-0000-4000-8000-00000000000d", deleted = true, manager = "ann@x.com" },
]
group = [{ name = "Admins", members = ["bea@x.com"] }]
unit = [
    { name = "Berlin", members = ["ann@x.com", "group:Admins", "device:PC-1"] },
    { name = "Secret", members = ["bea@x.com"], hidden = true },
]
role = [
    { name = "Global Administrator", active = ["chief@x.com", "dan@x.com", "group:Admins"], eligible = ["cid@x.com"] },
    { name = "Helpdesk Administrator", scoped = [{ who = "ann@x.com", unit = "Berlin" }] },
    { name = "User Administrator", eligible = ["ann@x.com"] },
]
risky = [
    { user = "ann@x.com", level = "high" },
    { user = "bea@x.com", level = "medium" },
    { user = "cid@x.com", level = "high", state = "dismissed" },
    { user = "dan@x.com", level = "high" },
]
app = { owners = ["cid@x.com"] }
"#;

async fn office(more: &str) -> SimulatorFixture {
    SimulatorFixture::new(&format!("{more}\n[token]\n{ALL}\n{DIRECTORY}")).await
}

async fn names(drill: &SimulatorFixture, path: &str) -> Vec<String> {
    named(drill, path, "userPrincipalName").await
}

/// A property of all that is in the list, sorted; that of a thing without it is `-`.
async fn named(drill: &SimulatorFixture, path: &str, property: &str) -> Vec<String> {
    let response = drill.eventual(path).await;
    assert_eq!(response.status(), 200, "{path}");
    let body = json(response).await;
    let text = |row: &Value| row[property].as_str().unwrap_or("-").to_owned();
    let mut names: Vec<String> = body["value"].as_array().unwrap().iter().map(text).collect();
    names.sort();
    names
}

impl SimulatorFixture {
    async fn code(&self, path: &str) -> (u16, String) {
        let response = self.get(path).await;
        let status = response.status().as_u16();
        (status, json(response).await["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn only_roles_with_holders_are_activated() {
    let drill = office("").await;
    let roles = named(&drill, "/v1.0/directoryRoles", "roleTemplateId").await;
    assert_eq!(roles, [GLOBAL, HELPDESK]);
    let path = format!("/v1.0/directoryRoles(roleTemplateId='{GLOBAL}')/members");
    assert_eq!(names(&drill, &path).await, ["-", "chief@x.com"], "a group, and no deleted user");
    let path = format!("/v1.0/directoryRoles(roleTemplateId='{HELPDESK}')/members");
    assert!(names(&drill, &path).await.is_empty(), "who holds it within a unit is not among its members");
    let unused = "fe930be7-5e62-47db-91af-98c3a49a38b1";
    let (status, code) =
        drill.code(&format!("/v1.0/directoryRoles(roleTemplateId='{unused}')/members")).await;
    assert_eq!((status, code.as_str()), (404, "Request_ResourceNotFound"));
    let all = json(drill.get("/v1.0/directoryRoles").await).await;
    let id = all["value"][0]["id"].as_str().unwrap().to_owned();
    let members = json(drill.get(&format!("/v1.0/directoryRoles/{id}/members?$top=1")).await).await;
    assert_eq!(members["value"].as_array().unwrap().len(), 2, "no paging: {members}");
    assert_eq!(members.get("@odata.nextLink"), None);
}

#[tokio::test]
async fn definitions_are_found_by_name_even_without_holders() {
    let drill = office("").await;
    let base = "/v1.0/roleManagement/directory/roleDefinitions";
    let found =
        named(&drill, &format!("{base}?$filter=displayName eq 'global administrator'&$select=id"), "id")
            .await;
    assert_eq!(found, [GLOBAL]);
    let found =
        named(&drill, &format!("{base}?$filter=templateId eq '{HELPDESK}' and isBuiltIn eq true"), "id")
            .await;
    assert_eq!(found, [HELPDESK]);
    assert!(named(&drill, &format!("{base}?$filter=displayName eq 'Nobody'"), "id").await.is_empty());
    assert!(named(&drill, base, "id").await.len() > 10);
    let (status, code) = drill.code(&format!("{base}?$filter=color eq 'red'")).await;
    assert_eq!((status, code.as_str()), (400, "Request_BadRequest"));
}

#[tokio::test]
async fn assignments_have_a_scope_and_can_show_the_principal() {
    let drill = office("").await;
    let base = "/v1.0/roleManagement/directory/roleAssignments";
    let body =
        json(drill.get(&format!("{base}?$filter=roleDefinitionId eq '{GLOBAL}'&$expand=principal")).await)
            .await;
    let rows = body["value"].as_array().unwrap();
    let types: Vec<_> = rows.iter().map(|row| row["principal"]["@odata.type"].as_str().unwrap()).collect();
    assert_eq!(types, ["#microsoft.graph.user", "#microsoft.graph.group"]);
    assert!(rows.iter().all(|row| row["directoryScopeId"] == "/"));
    let body = json(drill.get(&format!("{base}?$filter=roleDefinitionId eq '{HELPDESK}'")).await).await;
    let scope = body["value"][0]["directoryScopeId"].as_str().unwrap();
    let unit = scope.strip_prefix("/administrativeUnits/").unwrap();
    assert_eq!(drill.get(&format!("/v1.0/directory/administrativeUnits/{unit}")).await.status(), 200);
    assert_eq!(body["value"][0].get("principal"), None);
    let ann = "00000000-0000-4000-8000-000000000002";
    let roles = named(&drill, &format!("{base}?$filter=principalId eq '{ann}'"), "roleDefinitionId").await;
    assert_eq!(roles, [HELPDESK]);
}

#[tokio::test]
async fn assignments_come_in_pages() {
    let drill = office("").await;
    let mut next = Some(drill.url("/v1.0/roleManagement/directory/roleAssignments?$top=2"));
    let mut pages = Vec::new();
    while let Some(url) = next {
        let body = json(drill.client.get(url).bearer_auth("opaque").send().await.unwrap()).await;
        pages.push(body["value"].as_array().unwrap().len());
        next = body["@odata.nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(pages, [2, 1]);
}

#[tokio::test]
async fn eligible_principals_are_not_assigned() {
    let drill = office("").await;
    for list in ["roleEligibilitySchedules", "roleEligibilityScheduleInstances"] {
        let path = format!(
            "/v1.0/roleManagement/directory/{list}?$filter=roleDefinitionId eq '{GLOBAL}'&$expand=principal"
        );
        let body = json(drill.get(&path).await).await;
        let rows = body["value"].as_array().unwrap();
        assert_eq!(
            (rows.len(), &rows[0]["principal"]["userPrincipalName"]),
            (1, &"cid@x.com".into()),
            "{list}"
        );
    }
}

#[tokio::test]
async fn a_unit_has_members_of_all_kinds_or_of_one() {
    let drill = office("").await;
    let base = "/v1.0/directory/administrativeUnits";
    let id = named(&drill, &format!("{base}?$filter=displayName eq 'berlin'"), "id").await.remove(0);
    assert_eq!(named(&drill, &format!("{base}/{id}/members"), "displayName").await, ["-", "Admins", "ann"]);
    let users = format!("{base}/{id}/members/microsoft.graph.user");
    assert_eq!(names(&drill, &format!("{users}?$count=true")).await, ["ann@x.com"]);
    let (status, code) = drill.code(&users).await;
    assert_eq!((status, code.as_str()), (400, "Request_UnsupportedQuery"), "a cast is an advanced query");
}

#[tokio::test]
async fn a_hidden_unit_needs_another_permission() {
    let drill = SimulatorFixture::new(&format!(
        "[token]\nroles = ['AdministrativeUnit.Read.All', 'User.Read.All']\n{DIRECTORY}"
    ))
    .await;
    let base = "/v1.0/directory/administrativeUnits";
    let id = named(&drill, &format!("{base}?$filter=displayName eq 'Secret'"), "id").await.remove(0);
    assert!(names(&drill, &format!("{base}/{id}/members")).await.is_empty(), "and nothing says why");
    let drill = office("").await;
    assert_eq!(names(&drill, &format!("{base}/{id}/members")).await, ["bea@x.com"]);
}

#[tokio::test]
async fn risky_users_allow_one_request_a_second_per_tenant() {
    let drill = office("speed = 20").await;
    let path =
        "/v1.0/identityProtection/riskyUsers?$filter=riskLevel eq 'high' and riskState eq 'atRisk'&$top=500";
    let first = json(drill.get(path).await).await;
    let rows = first["value"].as_array().unwrap();
    let users: Vec<_> = rows.iter().map(|row| row["userPrincipalName"].as_str().unwrap()).collect();
    assert_eq!(users, ["ann@x.com", "dan@x.com"]);
    assert_eq!((&rows[0]["isDeleted"], &rows[1]["isDeleted"]), (&false.into(), &true.into()));
    assert_eq!(rows[0]["id"], "00000000-0000-4000-8000-000000000002");
    let other = drill.simulator.mint_token(TokenKind::App, Duration::from_secs(6000));
    let second = drill.client.get(drill.url(path)).bearer_auth(other).send().await.unwrap();
    assert_eq!((second.status().as_u16(), header(&second, "retry-after")), (429, None));
    assert_eq!(drill.get("/v1.0/users/ann@x.com").await.status(), 200, "other reads go on");
    let again = async { while drill.get(path).await.status() == 429 {} };
    tokio::time::timeout(Duration::from_secs(5), again).await.unwrap();
}

#[tokio::test]
async fn a_page_of_risky_users_has_at_most_500() {
    let drill = office("").await;
    assert_eq!(drill.get("/v1.0/identityProtection/riskyUsers?$top=501").await.status(), 400);
}

#[tokio::test]
async fn reports_are_direct_or_transitive() {
    let drill = office("").await;
    assert_eq!(names(&drill, "/v1.0/users/chief@x.com/directReports").await, ["ann@x.com"]);
    let all = "/v1.0/users/chief@x.com/transitiveReports/microsoft.graph.user?$count=true&$select=id,userPrincipalName";
    assert_eq!(names(&drill, all).await, ["ann@x.com", "bea@x.com", "cid@x.com"], "no deleted ones");
    assert!(names(&drill, "/v1.0/users/cid@x.com/directReports").await.is_empty());
    assert_eq!(drill.get("/v1.0/users/nobody@x.com/directReports").await.status(), 404);
    let manager = json(drill.get("/v1.0/users/ann@x.com/manager?$select=userPrincipalName").await).await;
    assert_eq!(manager["userPrincipalName"], "chief@x.com");
    assert_eq!(drill.get("/v1.0/users/chief@x.com/manager").await.status(), 404);
}

#[tokio::test]
async fn deleted_users_are_among_the_deleted_items() {
    let drill = office("").await;
    assert_eq!(drill.get("/v1.0/users/dan@x.com").await.status(), 404);
    let dan = "/v1.0/directory/deletedItems/00000000-0000-4000-8000-00000000000d";
    assert_eq!(json(drill.get(dan).await).await["userPrincipalName"], "dan@x.com");
    let ann = "/v1.0/directory/deletedItems/00000000-0000-4000-8000-000000000002";
    assert_eq!(drill.get(ann).await.status(), 404);
    let list = "/v1.0/directory/deletedItems/microsoft.graph.user";
    assert_eq!(names(&drill, list).await, ["dan@x.com"]);
    assert!(names(&drill, &format!("{list}?$filter=userPrincipalName eq 'ann@x.com'")).await.is_empty());
}

#[tokio::test]
async fn the_organization_and_the_app_can_be_read() {
    let drill = SimulatorFixture::new(&format!(
        "[token]\nclient_id = 'c0ffee00-0000-4000-8000-000000000000'\n{ALL}\n{DIRECTORY}"
    ))
    .await;
    let body = json(drill.get("/v1.0/organization?$select=id,displayName,verifiedDomains").await).await;
    let organization = &body["value"][0];
    assert_eq!(organization["displayName"], "Fabrikam");
    assert_eq!(organization["verifiedDomains"][0]["name"], "fabrikam.example");
    assert_eq!(organization.get("tenantType"), None);
    for kind in ["applications", "servicePrincipals"] {
        let key = "appId='c0ffee00-0000-4000-8000-000000000000'";
        assert_eq!(names(&drill, &format!("/v1.0/{kind}({key})/owners")).await, ["cid@x.com"]);
        let filter = "$filter=appId eq 'c0ffee00-0000-4000-8000-000000000000'";
        let id = named(&drill, &format!("/v1.0/{kind}?{filter}"), "id").await.remove(0);
        assert_eq!(names(&drill, &format!("/v1.0/{kind}/{id}/owners")).await, ["cid@x.com"]);
        assert_eq!(drill.get(&format!("/v1.0/{kind}(appId='other')/owners")).await.status(), 404);
    }
}

#[tokio::test]
async fn me_is_read_from_the_directory() {
    let toml = "[token]\nscopes = ['User.Read']\nuser_id = '00000000-0000-4000-8000-000000000002'";
    let drill = SimulatorFixture::new(&format!("{toml}\n{DIRECTORY}")).await;
    let token = drill.simulator.mint_token(TokenKind::User, Duration::from_secs(600));
    let get = async |path: &str| drill.client.get(drill.url(path)).bearer_auth(&token).send().await.unwrap();
    assert_eq!(json(get("/v1.0/me").await).await["userPrincipalName"], "ann@x.com");
    assert_eq!(get("/v1.0/organization").await.status(), 200, "whoever signed in may read its name");
    assert_eq!(get("/v1.0/directoryRoles").await.status(), 403);
}

#[tokio::test]
async fn each_read_needs_its_permission() {
    let paths = [
        ("RoleManagement.Read.Directory", "directoryRoles"),
        ("RoleManagement.Read.Directory", "roleManagement/directory/roleDefinitions"),
        ("RoleManagement.Read.All", "roleManagement/directory/roleAssignments"),
        ("RoleEligibilitySchedule.Read.Directory", "roleManagement/directory/roleEligibilitySchedules"),
        ("AdministrativeUnit.Read.All", "directory/administrativeUnits"),
        ("IdentityRiskyUser.Read.All", "identityProtection/riskyUsers"),
        ("User.Read.All", "users/ann@x.com/transitiveReports"),
        ("User.Read.All", "directory/deletedItems/microsoft.graph.user"),
        ("Organization.Read.All", "organization"),
        ("Application.Read.All", "applications"),
    ];
    for (permission, path) in paths {
        let status = async |roles: &str| {
            let drill = SimulatorFixture::new(&format!("[token]\nroles = [{roles}]\n{DIRECTORY}")).await;
            drill.code(&format!("/v1.0/{path}")).await
        };
        let refused = (403, "Authorization_RequestDenied".to_owned());
        assert_eq!(status("'User.RevokeSessions.All', 'Group.Read.All'").await, refused, "{path}");
        assert_eq!(status(&format!("'{permission}'")).await.0, 200, "{path}");
    }
}
