//! The services that issue tokens to jobs of pipelines: GitHub's (docs.github.com/actions/reference/security/oidc) and
//! Azure Pipelines' (learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create).

use hyper::header::{CONTENT_LENGTH, HeaderValue, LOCATION};
use hyper::{Method, Response, StatusCode};
use serde_json::json;

use super::body::Body;
use super::federated::{self, FederatedConfig};
use super::token_services::{TokenServiceRequest, respond};

/// The default audience of a GitHub token.
const DEFAULT_GITHUB_AUDIENCE: &str = "https://github.com/contoso";

/// `GET …/idtoken?audience=…`
pub(super) fn github(config: &FederatedConfig, service_request: &TokenServiceRequest<'_>) -> Response<Body> {
    if service_request.method != Method::GET {
        return respond(StatusCode::METHOD_NOT_ALLOWED, &json!({"message": "GET only"}));
    }
    if !is_authorized(service_request, config.github_token.as_deref()) {
        return respond(
            StatusCode::UNAUTHORIZED,
            &json!({"message": "the request's token is not the job's"}),
        );
    }
    let audience = service_request.parameter("audience").unwrap_or(DEFAULT_GITHUB_AUDIENCE);
    let token = federated::mint(config, audience, config.lifetime);
    respond(StatusCode::OK, &json!({"count": token.len(), "value": token}))
}

/// `POST …/oidctoken?api-version=7.1&serviceConnectionId=…`
pub(super) fn pipelines(
    config: &FederatedConfig,
    service_request: &TokenServiceRequest<'_>,
) -> Response<Body> {
    if service_request.method != Method::POST || !service_request.headers.contains_key(CONTENT_LENGTH) {
        return respond(StatusCode::LENGTH_REQUIRED, &json!({"message": "POST with a length only"}));
    }
    if !is_authorized(service_request, config.pipelines_token.as_deref()) {
        return redirect_to_sign_in(service_request);
    }
    if service_request.parameter("api-version") != Some("7.1") {
        return respond(
            StatusCode::BAD_REQUEST,
            &json!({"message": "No api-version was supplied that is known."}),
        );
    }
    let connection = service_request.parameter("serviceConnectionId");
    let other = config.service_connection.as_deref().is_some_and(|known| connection != Some(known));
    if connection.is_none() || other {
        let text = format!("No service connection found with identifier {}.", connection.unwrap_or("(none)"));
        return respond(StatusCode::NOT_FOUND, &json!({"message": text}));
    }
    let token = federated::mint(config, &config.audience, config.lifetime);
    respond(StatusCode::OK, &json!({"oidcToken": token}))
}

/// Redirects an unauthorized client to a sign-in page, unless it has declared that it can't use redirects.
fn redirect_to_sign_in(service_request: &TokenServiceRequest<'_>) -> Response<Body> {
    if service_request.header("x-tfs-fedauthredirect") == Some("Suppress") {
        return respond(StatusCode::UNAUTHORIZED, &json!({"message": "The user is not authorized."}));
    }
    let mut response = respond(StatusCode::FOUND, &json!({}));
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/_simulator/redirected"));
    response
}

fn is_authorized(service_request: &TokenServiceRequest<'_>, expected: Option<&str>) -> bool {
    service_request
        .authorization("bearer")
        .is_some_and(|token| expected.is_none_or(|expected| expected == token))
}
