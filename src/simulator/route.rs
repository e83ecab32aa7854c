//! Which operation a path asks for. IDs are percent-decoded exactly once.
//!
//! Forms of the key: Graph's `user-get` page (the key as a segment, or `('…')` for names that begin with `$`), and the
//! OData rule that an apostrophe inside quotes is doubled.

use std::borrow::Cow;

use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::directory;
use super::graph_response::GraphError;
use super::recorder::Account;
use super::resource::{self, Resource};
use super::token_services::HostTokenService;

/// The operation that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `POST /{tenant}/oauth2/v2.0/token`
    Token { tenant: Cow<'a, str> },
    /// A token service near the client.
    TokenService(HostTokenService),
    /// `POST /{tenant}/oauth2/v2.0/devicecode`
    DeviceCode { tenant: Cow<'a, str> },
    /// `GET /{tenant}/v2.0/.well-known/openid-configuration`
    OpenId { tenant: Cow<'a, str> },
    /// A path of Graph.
    Graph { version: &'static str, graph_request: GraphRequest },
    /// A page of the simulator itself. Holds what follows `/_simulator/`.
    Control(&'a str),
}

/// An operation of Graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GraphRequest {
    /// Revoke a user's sessions.
    Revoke(UserRef),
    /// Read a user.
    ReadUser(UserRef),
    /// Read anything else in the directory.
    ReadResource(Resource),
    /// A batch of requests.
    Batch,
}

/// The user that a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UserRef {
    Me,
    User(Account),
}

/// Parses a path.
pub(super) fn parse_route<'a>(method: &Method, path: &'a str) -> Result<Route<'a>, GraphError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if let Some(service) = HostTokenService::from_path(path) {
        return Ok(Route::TokenService(service));
    }
    let (head, rest) = path.split_once('/').unwrap_or((path, ""));
    let version = match head {
        "v1.0" => "v1.0",
        "beta" => "beta",
        "_simulator" => return Ok(Route::Control(rest)),
        _ if rest == "oauth2/v2.0/token" => return Ok(Route::Token { tenant: decode(head)? }),
        _ if rest == "oauth2/v2.0/devicecode" => return Ok(Route::DeviceCode { tenant: decode(head)? }),
        _ if rest == "v2.0/.well-known/openid-configuration" => {
            return Ok(Route::OpenId { tenant: decode(head)? });
        }
        _ => return Err(GraphError::bad_request(&format!("Invalid version: {head}"))),
    };
    Ok(Route::Graph { version, graph_request: parse_graph_request(method, rest)? })
}

/// Parses a path below the version, without a leading slash.
pub(super) fn parse_graph_request(method: &Method, path: &str) -> Result<GraphRequest, GraphError> {
    let (head, rest) = path.split_once('/').unwrap_or((path, ""));
    let head = decode(head)?;
    if head == "$batch" && rest.is_empty() {
        return with_method(&Method::POST, method, GraphRequest::Batch);
    }
    if head == "me" {
        return parse_user_action(method, rest, UserRef::Me);
    }
    if let Some(key) = head.strip_prefix("users(").and_then(|key| key.strip_suffix(')')) {
        return parse_user_action(method, rest, UserRef::User(Account::new(&unquote(key)?)));
    }
    // Revocations come by the thousand, so they skip `resource::parse`. No other path of the directory ends this way.
    let revocation = head == "users" && rest.ends_with("/revokeSignInSessions");
    if !revocation && let Some(resource) = resource::parse(path) {
        let resource = resource?;
        let allowed = if resource.is_posted() { &Method::POST } else { &Method::GET };
        return with_method(allowed, method, GraphRequest::ReadResource(resource));
    }
    if head != "users" {
        return Err(GraphError::no_segment(&head));
    }
    let (id, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let id = decode(id)?;
    if id.is_empty() {
        return Err(GraphError::no_segment(if rest.is_empty() { "users" } else { rest }));
    }
    if id.starts_with('$') {
        return Err(GraphError::bad_request(
            "The request URI is not valid. Since the segment 'users' refers to a collection, this must be the last \
             segment in the request URI or it must be followed by an function or action that can be bound to it \
             otherwise all intermediate segments must refer to a single resource.",
        ));
    }
    parse_user_action(method, rest, UserRef::User(Account::new(&id)))
}

fn parse_user_action(method: &Method, path: &str, user_ref: UserRef) -> Result<GraphRequest, GraphError> {
    if let Some(reading) = directory::parse_user_resource(&user_ref, &decode(path)?) {
        return with_method(&Method::GET, method, GraphRequest::ReadResource(Resource::Other(reading)));
    }
    let (allowed, graph_request) = match decode(path)?.as_ref() {
        "" => (&Method::GET, GraphRequest::ReadUser(user_ref)),
        "revokeSignInSessions" | "microsoft.graph.revokeSignInSessions" => {
            (&Method::POST, GraphRequest::Revoke(user_ref))
        }
        other => return Err(GraphError::no_segment(other)),
    };
    with_method(allowed, method, graph_request)
}

/// The operation, if the request's method is the allowed one.
fn with_method(
    allowed: &Method,
    method: &Method,
    graph_request: GraphRequest,
) -> Result<GraphRequest, GraphError> {
    if method == allowed { Ok(graph_request) } else { Err(not_allowed()) }
}

fn not_allowed() -> GraphError {
    GraphError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "Request_BadRequest",
        "Specified HTTP method is not allowed for the request target.",
    )
}

/// Turns `'o''brien@x.com'` into `o'brien@x.com`.
pub(super) fn unquote(key: &str) -> Result<String, GraphError> {
    let inner = key.strip_prefix('\'').and_then(|key| key.strip_suffix('\'')).ok_or_else(bad_syntax)?;
    // No apostrophe may be left once all pairs are removed.
    if inner.is_empty() || inner.replace("''", "").contains('\'') {
        return Err(bad_syntax());
    }
    Ok(inner.replace("''", "'"))
}

/// Percent-decodes once. An invalid escape, or bytes that are not UTF-8, are an error.
pub(super) fn decode(segment: &str) -> Result<Cow<'_, str>, GraphError> {
    if !segment.contains('%') {
        return Ok(Cow::Borrowed(segment));
    }
    let mut escapes = segment.split('%').skip(1);
    let escape =
        |text: &str| text.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    if !escapes.all(escape) {
        return Err(bad_syntax());
    }
    percent_decode_str(segment).decode_utf8().map_err(|_| bad_syntax())
}

fn bad_syntax() -> GraphError {
    GraphError::bad_request("Bad Request - Error in query syntax.")
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn revoked(path: &str) -> Result<String, String> {
        match parse_route(&Method::POST, path) {
            Ok(Route::Graph { graph_request: GraphRequest::Revoke(UserRef::User(user)), .. }) => {
                Ok(user.sent)
            }
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.message),
        }
    }

    #[test]
    fn every_spelling_of_a_revocation() {
        for (path, id) in [
            ("/v1.0/users/ann@x.com/revokeSignInSessions", "ann@x.com"),
            ("/beta/users/ann%40x.com/microsoft.graph.revokeSignInSessions", "ann@x.com"),
            ("/v1.0/users('ann@x.com')/revokeSignInSessions", "ann@x.com"),
            ("/v1.0/users('o''brien@x.com')/revokeSignInSessions", "o'brien@x.com"),
            ("/v1.0/users(%27o%27%27brien@x.com%27)/revokeSignInSessions", "o'brien@x.com"),
            ("/v1.0/users/o'brien@x.com/revokeSignInSessions", "o'brien@x.com"),
            ("/v1.0/users/o''brien@x.com/revokeSignInSessions", "o''brien@x.com"),
            ("/v1.0/users('$ann@x.com')/revokeSignInSessions", "$ann@x.com"),
            ("/v1.0/users/ann_a.com%23EXT%23@x.com/revokeSignInSessions", "ann_a.com#EXT#@x.com"),
            ("/v1.0/users/a%2Fb@x.com/revokeSignInSessions", "a/b@x.com"),
            ("/v1.0/users/a+b@x.com/revokeSignInSessions", "a+b@x.com"),
            ("/v1.0/users/100%2525@x.com/revokeSignInSessions", "100%25@x.com"),
        ] {
            assert_eq!(revoked(path).as_deref(), Ok(id), "{path}");
        }
    }

    #[test]
    fn malformed_paths_are_bad_requests() {
        for (path, part) in [
            ("/v1.0/users/$ann@x.com/revokeSignInSessions", "refers to a collection"),
            ("/v1.0/users/%24ann@x.com/revokeSignInSessions", "refers to a collection"),
            ("/v1.0/users('o'brien@x.com')/revokeSignInSessions", "query syntax"),
            ("/v1.0/users('')/revokeSignInSessions", "query syntax"),
            ("/v1.0/users(ann@x.com)/revokeSignInSessions", "query syntax"),
            ("/v1.0/users/100%@x.com/revokeSignInSessions", "query syntax"),
            ("/v1.0/users/%ff@x.com/revokeSignInSessions", "query syntax"),
            ("/v1.0/users/ann@x.com/revokeSigninSessions", "segment 'revokeSigninSessions'"),
            ("/v1.0/users//revokeSignInSessions", "segment 'revokeSignInSessions'"),
            ("/v1.0/sites/1", "segment 'sites'"),
            ("/v2.0/users/ann@x.com/revokeSignInSessions", "Invalid version"),
            ("/v1.0/users/ann@x.com", "method is not allowed"),
        ] {
            let message = revoked(path).unwrap_err();
            assert!(message.contains(part), "{path}: {message}");
        }
    }

    #[test]
    fn an_account_has_one_key_in_any_case() {
        let key = |id: &str| Account::new(id).key;
        assert_eq!(key("ANN@X.com"), key("ann@x.COM"));
        assert_eq!(key("0B5E5D1E-1111-4222-8333-44445555AAAA"), "0b5e5d1e-1111-4222-8333-44445555aaaa");
    }

    proptest! {
        #[test]
        fn ids_are_decoded_exactly_once(id in "[^$][^\\x00]{0,30}") {
            let segment = utf8_percent_encode(&id, NON_ALPHANUMERIC);
            let path = format!("/v1.0/users/{segment}/revokeSignInSessions");
            prop_assert_eq!(revoked(&path), Ok(id.clone()));
            let doubled = id.replace('\'', "''");
            let quoted = utf8_percent_encode(&doubled, NON_ALPHANUMERIC);
            let path = format!("/v1.0/users('{quoted}')/revokeSignInSessions");
            prop_assert_eq!(revoked(&path), Ok(id));
        }

        #[test]
        fn no_path_panics(path in "/(v1.0|beta)/[ -~]{0,40}") {
            let _ = parse_route(&Method::POST, &path);
        }
    }
}
