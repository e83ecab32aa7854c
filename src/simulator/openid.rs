//! What the authority says of itself and of a tenant: OpenID Connect's configuration document
//! (learn.microsoft.com/entra/identity-platform/v2-protocols-oidc). It is how a domain becomes a tenant's id.

use hyper::{Response, StatusCode};
use serde_json::json;

use super::body::Body;
use super::party::Party;
use super::token::{knows_tenant, respond, unknown_tenant};
use super::world::World;

/// Tenants that are none: any of them may sign in, and the issuer is a pattern.
const SHARED: [&str; 3] = ["common", "organizations", "consumers"];

/// Answers `GET /{tenant}/v2.0/.well-known/openid-configuration`.
pub(super) fn answer(world: &World, tenant: &str) -> Response<Body> {
    let live = world.live();
    let shared = SHARED.contains(&tenant);
    let called = (!shared).then(|| world.callers.tenant_called(tenant, &live));
    let party = called.as_ref().map(|called| Party { tenant: &called.id, domain: called.domain(), app: "" });
    if party.is_some_and(|party| !knows_tenant(&live, &party)) {
        return unknown_tenant(world, tenant);
    }
    let id = called.map_or_else(|| "{tenantid}".to_owned(), |called| called.id.clone());
    let authority = "https://login.microsoftonline.com";
    respond(
        StatusCode::OK,
        &json!({
            "token_endpoint": format!("{authority}/{id}/oauth2/v2.0/token"),
            "issuer": format!("{authority}/{id}/v2.0"),
            "authorization_endpoint": format!("{authority}/{id}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{authority}/{id}/oauth2/v2.0/devicecode"),
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        }),
        None,
    )
}
