//! Responses in Graph's format: headers and error bodies.
//!
//! Headers and shapes are as in Graph's best-practices and errors pages, and in captures of `revokeSignInSessions`
//! (msgraph-sdk-powershell issues #834 and #1359).

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::body::Body;
use super::fault::InnerErrorCase;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
pub(super) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const DIAGNOSTIC: HeaderName = HeaderName::from_static("x-ms-ags-diagnostic");
const TRANSPORT_SECURITY: HeaderName = HeaderName::from_static("strict-transport-security");
const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const RESOURCE_UNIT: HeaderName = HeaderName::from_static("x-ms-resource-unit");

/// The headers that Graph adds to every response. A proxy's response has none of them.
const GRAPH_HEADERS: [HeaderName; 6] =
    [REQUEST_ID, CLIENT_REQUEST_ID, DIAGNOSTIC, TRANSPORT_SECURITY, ODATA_VERSION, RESOURCE_UNIT];

const ODATA_JSON: HeaderValue = HeaderValue::from_static(
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
);
const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=us-ascii");

/// A random GUID. It does not come from the system's generator, because that would cost a system call for each
/// response.
pub(super) fn guid() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid()
}

/// The IDs of one request and its response.
pub(super) struct GraphResponder {
    request_id: Uuid,
    client_request_id: Option<HeaderValue>,
    date: jiff::Timestamp,
}

impl GraphResponder {
    /// A new request ID, and the client's own ID from `headers`.
    pub(super) fn new(headers: &HeaderMap, date: jiff::Timestamp) -> GraphResponder {
        GraphResponder {
            request_id: guid(),
            client_request_id: headers.get(CLIENT_REQUEST_ID).cloned(),
            date,
        }
    }

    /// The IDs for a part of a batch with these `headers`. The part shares the batch's request ID (as in the sample on
    /// Graph's json-batching page), and its client request ID unless it has one of its own.
    pub(super) fn for_part(&self, headers: &HeaderMap) -> GraphResponder {
        let own = headers.get(CLIENT_REQUEST_ID).or(self.client_request_id.as_ref());
        GraphResponder { request_id: self.request_id, client_request_id: own.cloned(), date: self.date }
    }

    /// Adds the headers that Graph adds to every response. The client's request ID is echoed. Without one, both IDs are
    /// equal.
    fn add_graph_headers(&self, headers: &mut HeaderMap) {
        let mut buffer = Uuid::encode_buffer();
        let text = self.request_id.hyphenated().encode_lower(&mut buffer);
        if let Ok(id) = HeaderValue::from_str(text) {
            let client = self.client_request_id.clone().unwrap_or_else(|| id.clone());
            headers.insert(CLIENT_REQUEST_ID, client);
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        headers.insert(
            DIAGNOSTIC,
            HeaderValue::from_static(
                r#"{"ServerInfo":{"DataCenter":"West Europe","Slice":"E","Ring":"5","ScaleUnit":"003","RoleInstance":"AM2PEPF0001C9A2"}}"#,
            ),
        );
    }

    fn client_request_id_text(&self) -> String {
        let text = self.client_request_id.as_ref().map(|id| String::from_utf8_lossy(id.as_bytes()));
        text.map_or_else(|| self.request_id.to_string(), std::borrow::Cow::into_owned)
    }

    /// A successful response with a JSON body. It costs one resource unit.
    pub(super) fn ok(&self, body: Bytes) -> Response<Body> {
        let mut response = Response::new(Body::from_bytes(body));
        let headers = response.headers_mut();
        headers.reserve(12);
        self.add_graph_headers(headers);
        headers.insert(CONTENT_TYPE, ODATA_JSON);
        headers.insert(ODATA_VERSION, HeaderValue::from_static("4.0"));
        headers.insert(RESOURCE_UNIT, HeaderValue::from_static("1"));
        response
    }

    /// A 204.
    pub(super) fn no_content(&self) -> Response<Body> {
        let mut response = self.ok(Bytes::new());
        response.headers_mut().remove(CONTENT_TYPE);
        *response.status_mut() = StatusCode::NO_CONTENT;
        response
    }

    /// An error with its default body.
    pub(super) fn error(&self, error: &GraphError) -> Response<Body> {
        let mut response = self.json(error.status, self.error_body(error));
        if error.status == StatusCode::UNAUTHORIZED {
            // As Graph's own: it has no challenge, only the address that issues tokens.
            response.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(concat!(
                    r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", "#,
                    r#"client_id="00000003-0000-0000-c000-000000000000""#
                )),
            );
        }
        response
    }

    /// A JSON response with Graph's headers.
    pub(super) fn json(&self, status: StatusCode, body: Vec<u8>) -> Response<Body> {
        let mut response = Response::new(Body::from_bytes(body));
        *response.status_mut() = status;
        self.add_graph_headers(response.headers_mut());
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        response
    }

    fn error_body(&self, error: &GraphError) -> Vec<u8> {
        let mut body = json!({"error": {"code": error.code, "message": error.message}});
        let inner = json!({
            "date": format!("{:.0}", self.date).trim_end_matches('Z'),
            "request-id": self.request_id.to_string(),
            "client-request-id": self.client_request_id_text(),
        });
        match error.inner {
            InnerErrorCase::Camel => body["error"]["innerError"] = inner,
            InnerErrorCase::Lower => body["error"]["innererror"] = inner,
            InnerErrorCase::None => {}
        }
        body.to_string().into_bytes()
    }

    /// The body of a 429 as in Graph's throttling guidance.
    pub(super) fn throttled_body(&self) -> Vec<u8> {
        json!({"error": {
            "code": "TooManyRequests",
            "innerError": {
                "code": "429",
                "date": format!("{:.0}", self.date).trim_end_matches('Z'),
                "message": "Please retry after",
                "request-id": self.request_id.to_string(),
                "status": "429",
            },
            "message": "Please retry again later.",
        }})
        .to_string()
        .into_bytes()
    }
}

/// Removes the headers that Graph adds to every response.
pub(super) fn remove_graph_headers(headers: &mut HeaderMap) {
    for name in GRAPH_HEADERS {
        headers.remove(name);
    }
}

/// Removes the headers that only a complete response has, and not a part of a batch.
pub(super) fn remove_outer_headers(headers: &mut HeaderMap) {
    for name in [REQUEST_ID, CLIENT_REQUEST_ID, DIAGNOSTIC, TRANSPORT_SECURITY] {
        headers.remove(name);
    }
}

/// An error in Graph's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GraphError {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) inner: InnerErrorCase,
}

impl GraphError {
    pub(super) fn new(status: StatusCode, code: &str, message: &str) -> GraphError {
        GraphError { status, code: code.into(), message: message.into(), inner: InnerErrorCase::Camel }
    }

    pub(super) fn bad_request(message: &str) -> GraphError {
        GraphError::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(super) fn no_segment(segment: &str) -> GraphError {
        GraphError::bad_request(&format!("Resource not found for the segment '{segment}'."))
    }

    /// `id` is the user ID as it was sent.
    pub(super) fn not_found(id: &str) -> GraphError {
        let message = format!(
            "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
        );
        GraphError::new(StatusCode::NOT_FOUND, "Request_ResourceNotFound", &message)
    }

    pub(super) fn denied() -> GraphError {
        GraphError::new(
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    }

    pub(super) fn token(message: &str) -> GraphError {
        GraphError::new(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
    }

    pub(super) fn token_expired() -> GraphError {
        GraphError::token("Access token has expired or is not yet valid.")
    }
}

/// The 411 that http.sys sends before the request reaches Graph: HTML, without Graph's headers.
pub(super) fn length_required() -> Response<Body> {
    html(
        StatusCode::LENGTH_REQUIRED,
        concat!(
            r#"<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">"#,
            "\r\n<HTML><HEAD><TITLE>Length Required</TITLE>\r\n",
            r#"<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>"#,
            "\r\n<BODY><h2>Length Required</h2>\r\n",
            "<hr><p>HTTP Error 411. The request must be chunked or have a content length.</p>\r\n</BODY></HTML>\r\n"
        ),
    )
}

/// An HTML page without Graph's headers.
pub(super) fn html(status: StatusCode, page: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from_bytes(page));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HTML);
    response
}
