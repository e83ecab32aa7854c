//! The OpenID Connect metadata document of the authority and of a tenant
//! (learn.microsoft.com/entra/identity-platform/v2-protocols-oidc). Clients use it to find the tenant ID of a domain.

use hyper::{Response, StatusCode};
use serde_json::json;

use super::body::Body;
use super::client_key::ClientKey;
use super::state::ServerState;
use super::token::{respond, tenant_exists, unknown_tenant};

/// Names that stand for no single tenant. The issuer in their document is a pattern.
const MULTI_TENANT_NAMES: [&str; 3] = ["common", "organizations", "consumers"];

/// Answers `GET /{tenant}/v2.0/.well-known/openid-configuration`.
pub(super) fn metadata_response(state: &ServerState, tenant: &str) -> Response<Body> {
    let live = state.live();
    let shared = MULTI_TENANT_NAMES.contains(&tenant);
    let resolved_tenant = (!shared).then(|| state.clients.tenant_by_name(tenant, &live));
    let client_key = resolved_tenant.as_ref().map(|resolved_tenant| ClientKey {
        tenant: &resolved_tenant.id,
        domain: resolved_tenant.domain(),
        app: "",
    });
    if client_key.is_some_and(|client_key| !tenant_exists(&live, &client_key)) {
        return unknown_tenant(state, tenant);
    }
    let id =
        resolved_tenant.map_or_else(|| "{tenantid}".to_owned(), |resolved_tenant| resolved_tenant.id.clone());
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
