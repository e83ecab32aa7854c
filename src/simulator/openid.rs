//! What the authority says of itself and of a tenant: OpenID Connect's configuration document
//! (learn.microsoft.com/entra/identity-platform/v2-protocols-oidc). It is how a domain becomes a tenant's id.

use hyper::{Response, StatusCode};
use serde_json::json;

use super::body::Body;
use super::token::{respond, tenant_id, unknown_tenant};
use super::world::World;

/// Tenants that are none: any of them may sign in, and the issuer is a pattern.
const SHARED: [&str; 3] = ["common", "organizations", "consumers"];

/// Answers `GET /{tenant}/v2.0/.well-known/openid-configuration`.
pub(super) fn answer(world: &World, tenant: &str) -> Response<Body> {
    let live = world.live();
    let shared = SHARED.contains(&tenant);
    let known = live.config.token.tenant.as_ref().is_none_or(|known| known.eq_ignore_ascii_case(tenant));
    if !known && !shared {
        return unknown_tenant(world, tenant);
    }
    let id = if shared { "{tenantid}".to_owned() } else { tenant_id(tenant) };
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
