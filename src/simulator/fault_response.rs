//! The answers of faults.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use serde_json::json;

use super::body::Body;
use super::fault::{Fault, FaultAnswer, InnerErrorCase};
use super::graph_response::{self, GraphError, GraphResponder};
use super::state::Reply;

/// The default target of a 3xx. The simulator counts the requests to it.
const REDIRECT: &str = "/_simulator/redirected";

const PORTAL_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Sign in to the network</title></head>\
    <body><h1>Welcome</h1><p>Please sign in to use this network.</p></body></html>\n";

/// Whether the revocation takes effect in spite of the fault.
pub(super) fn takes_effect(fault: &Fault) -> bool {
    fault.effect.unwrap_or(match fault.answer {
        FaultAnswer::Status(status) => status < 300,
        FaultAnswer::TruncatedSuccess
        | FaultAnswer::ResetAfter
        | FaultAnswer::HangAfter
        | FaultAnswer::Drip
        | FaultAnswer::Delay => true,
        _ => false,
    })
}

/// The reply for a fault. `normal` is the reply without it, `error` makes the reply of faults that are an error of this
/// endpoint, and `pace` is the fault's delay in real time.
pub(super) fn reply_for_fault(
    fault: &Fault,
    pace: Duration,
    normal: Response<Body>,
    error: impl FnOnce() -> Response<Body>,
) -> Reply {
    let response = match fault.answer {
        FaultAnswer::ResetBefore | FaultAnswer::ResetAfter => return Reply::Reset,
        FaultAnswer::HangBefore | FaultAnswer::HangAfter => return Reply::Hang,
        FaultAnswer::Portal => graph_response::html(StatusCode::OK, PORTAL_PAGE),
        FaultAnswer::PortalNoContent => with_status(Response::new(Body::empty()), StatusCode::NO_CONTENT),
        FaultAnswer::TruncatedSuccess => truncate_body(normal),
        FaultAnswer::Drip => normal.map(|body| body.into_drip(pace)),
        FaultAnswer::Delay => normal,
        FaultAnswer::Status(411) => graph_response::length_required(),
        FaultAnswer::Status(status) if status < 300 => {
            with_status(normal, StatusCode::from_u16(status).unwrap_or(StatusCode::OK))
        }
        FaultAnswer::Status(_)
        | FaultAnswer::OtherConflict
        | FaultAnswer::OkFalse
        | FaultAnswer::ExpiredToken
        | FaultAnswer::Challenge
        | FaultAnswer::RevokeToken => error(),
    };
    Reply::Answer(apply_overrides(fault, response))
}

/// Graph's own error for a request for `id`. A default 429 is made elsewhere.
pub(super) fn graph_error(
    fault: &Fault,
    responder: &GraphResponder,
    version: &str,
    id: &str,
    now: i64,
) -> Response<Body> {
    if fault.answer == FaultAnswer::OkFalse {
        return responder.ok(boolean(version, false));
    }
    let mut error = default_error(fault.answer, id);
    error.code = fault.code.clone().unwrap_or(error.code);
    error.message = fault.message.clone().unwrap_or(error.message);
    error.inner = fault.inner;
    let mut response = responder.error(&error);
    if fault.answer == FaultAnswer::Challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge(now));
    }
    response
}

/// Whether the fault keeps the default body of the error.
pub(super) fn has_default_body(fault: &Fault) -> bool {
    fault.code.is_none() && fault.message.is_none() && fault.inner == InnerErrorCase::Camel
}

/// The OData Boolean that an action returns (CSDL: `revokeSignInSessions` returns `Edm.Boolean`).
pub(super) fn boolean(version: &str, value: bool) -> Bytes {
    match (version, value) {
        ("v1.0", true) => Bytes::from_static(
            br#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean","value":true}"#,
        ),
        _ => format!(
            r#"{{"@odata.context":"https://graph.microsoft.com/{version}/$metadata#Edm.Boolean","value":{value}}}"#
        )
        .into(),
    }
}

fn default_error(answer: FaultAnswer, id: &str) -> GraphError {
    let status = match answer {
        FaultAnswer::Status(status) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        }
        FaultAnswer::OtherConflict => {
            let message = "The request conflicts with the current state of the resource.";
            return GraphError::new(StatusCode::CONFLICT, "Request_Conflict", message);
        }
        FaultAnswer::Challenge => {
            return GraphError::token(
                "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: \
                 TokenIssuedBeforeRevocationTimestamp",
            );
        }
        _ => return GraphError::token_expired(),
    };
    let (code, message) = match status.as_u16() {
        400 => return GraphError::bad_request("Bad Request - Error in query syntax."),
        401 => return GraphError::token_expired(),
        403 => return GraphError::denied(),
        404 => return GraphError::not_found(id),
        409 => (
            "Directory_ConcurrencyViolation",
            "Error due to concurrent requests being made to the tenant. Please retry the request.",
        ),
        423 => ("resourceLocked", "The resource that is being accessed is locked."),
        429 => ("TooManyRequests", "Please retry again later."),
        500 => ("InternalServerError", "Internal Server Error."),
        501 => ("notSupported", "The requested feature isn't implemented."),
        502 => ("UnknownError", ""),
        503 => ("serviceNotAvailable", "The service is temporarily unavailable."),
        504 => ("GatewayTimeout", "The server did not receive a timely response from an upstream server."),
        507 => ("quotaLimitReached", "The maximum storage quota has been reached."),
        509 => ("activityLimitReached", "The app has exceeded the maximum bandwidth cap."),
        _ => ("UnknownError", status.canonical_reason().unwrap_or_default()),
    };
    GraphError::new(status, code, message)
}

/// As captured in the tests of microsoft-identity-web (continuous access evaluation).
fn challenge(now: i64) -> HeaderValue {
    let claims = json!({"access_token": {"nbf": {"essential": true, "value": now.to_string()}}}).to_string();
    let text = format!(
        concat!(
            r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", "#,
            r#"client_id="00000003-0000-0000-c000-000000000000", errorDescription="Continuous access evaluation "#,
            r#"resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp", "#,
            r#"error="insufficient_claims", claims="{}""#
        ),
        STANDARD.encode(claims)
    );
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
}

fn with_status(mut response: Response<Body>, status: StatusCode) -> Response<Body> {
    *response.status_mut() = status;
    if status == StatusCode::NO_CONTENT {
        response.headers_mut().remove(CONTENT_TYPE);
        *response.body_mut() = Body::empty();
    }
    response
}

/// Announces the complete body and sends half of it.
fn truncate_body(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    if head.status == StatusCode::NO_CONTENT {
        // A 204 has no body that could be cut off.
        head.status = StatusCode::OK;
    }
    let (body, length) = body.truncate();
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    Response::from_parts(head, body)
}

/// Applies the body and the headers that the fault asks for.
fn apply_overrides(fault: &Fault, mut response: Response<Body>) -> Response<Body> {
    if fault.request_id == Some(false) {
        graph_response::remove_graph_headers(response.headers_mut());
    }
    response = override_body(fault, response);
    let status = response.status();
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        // The configuration has been checked, so an invalid value can't occur here.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if let Some(kind) = &fault.content_type {
        set(CONTENT_TYPE, kind);
    }
    match &fault.retry_after {
        Some(wait) if wait.is_empty() => {}
        Some(wait) => set(RETRY_AFTER, wait),
        None if status == StatusCode::TOO_MANY_REQUESTS => set(RETRY_AFTER, "1"),
        None => {}
    }
    if status.is_redirection() {
        set(LOCATION, fault.location.as_deref().unwrap_or(REDIRECT));
    }
    for (name, value) in &fault.headers {
        if let Ok(name) = name.parse() {
            set(name, value);
        }
    }
    response
}

fn override_body(fault: &Fault, mut response: Response<Body>) -> Response<Body> {
    let (kind, body) = match fault.body.as_deref() {
        None | Some("json") => return response,
        Some("truncated") => return truncate_body(response),
        Some("empty") => (None, Body::empty()),
        Some("html") => (Some(graph_response::HTML), Body::from_bytes(page(response.status()))),
        Some(text) => {
            (Some(HeaderValue::from_static("text/plain; charset=utf-8")), Body::from_bytes(text.to_owned()))
        }
    };
    match kind {
        Some(kind) => response.headers_mut().insert(CONTENT_TYPE, kind),
        None => response.headers_mut().remove(CONTENT_TYPE),
    };
    *response.body_mut() = body;
    response
}

fn page(status: StatusCode) -> String {
    format!("<html>\r\n<head><title>{status}</title></head>\r\n<body><h1>{status}</h1></body>\r\n</html>\r\n")
}
