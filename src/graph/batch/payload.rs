//! The body of a batch, with one part for each user.

use serde::Serialize;
use uuid::Uuid;

use crate::graph::{BatchRequest, Priority};

#[derive(Serialize)]
struct BatchPayload {
    requests: Vec<PayloadPart>,
}

/// One request of a batch, as Graph's page on JSON batching describes it.
#[derive(Serialize)]
struct PayloadPart {
    id: String,
    method: &'static str,
    /// Relative to the version root, and encoded as in a single request.
    url: String,
    headers: PayloadHeaders,
    body: EmptyBody,
}

/// The headers of a part. A part with a body needs `Content-Type` in exactly this spelling. Without it, or
/// with `content-type`, the whole batch is refused (microsoftgraph/msgraph-sdk-dotnet issue 2628,
/// microsoft-graph-docs-contrib issue 8032).
#[derive(Serialize)]
struct PayloadHeaders {
    #[serde(rename = "Content-Type")]
    content_type: &'static str,
    #[serde(rename = "client-request-id")]
    client_request_id: Uuid,
    /// Each part is throttled separately.
    #[serde(rename = "x-ms-throttle-priority")]
    priority: Priority,
}

/// `{}`. The action has no parameters, but the part of a POST must have a body.
#[derive(Serialize)]
struct EmptyBody {}

/// The ID of the part at this index: `1`, `2`, … IDs are compared without case, and digits have none.
pub(super) fn id(place: usize) -> String {
    (place + 1).to_string()
}

/// The index of the part with this ID, among `count` parts.
pub(super) fn place(given: &str, count: usize) -> Option<usize> {
    let place = given.parse::<usize>().ok()?.checked_sub(1)?;
    (place < count && id(place) == given).then_some(place)
}

/// Writes the body of a batch with these requests.
pub(super) fn write(requests: &[BatchRequest], priority: Priority) -> Vec<u8> {
    let part = |(place, request): (usize, &BatchRequest)| PayloadPart {
        id: id(place),
        method: "POST",
        url: format!("/{}/revokeSignInSessions", request.user.request_path()),
        headers: PayloadHeaders {
            content_type: "application/json",
            client_request_id: request.client_request_id,
            priority,
        },
        body: EmptyBody {},
    };
    let requests = requests.iter().enumerate().map(part).collect();
    // Texts and IDs can always be serialized.
    serde_json::to_vec(&BatchPayload { requests }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn ids_lead_back_to_their_places() {
        assert!((0..20).all(|at| place(&id(at), 20) == Some(at)));
        for odd in ["0", "21", "01", "+1", "-1", "1.0", "", "one", "99999999999999999999"] {
            assert_eq!(place(odd, 20), None, "{odd}");
        }
    }

    #[test]
    fn each_part_is_a_request_of_its_own() {
        let users = ["AdeleVance_adatum.com#EXT#@contoso.com", "$x'y@contoso.com", "me"];
        let request = |(n, user): (u128, &str)| BatchRequest {
            user: user.parse().unwrap(),
            client_request_id: Uuid::from_u128(n),
            new_connection: false,
        };
        let requests: Vec<BatchRequest> = (0..).zip(users).map(request).collect();
        let written: Value = serde_json::from_slice(&write(&requests, Priority::High)).unwrap();
        let part = |id: &str, url: &str, n: u128| {
            json!({"id": id, "method": "POST", "url": url, "body": {},
                "headers": {"Content-Type": "application/json", "client-request-id": Uuid::from_u128(n).to_string(),
                    "x-ms-throttle-priority": "high"}})
        };
        let expected = json!({"requests": [
            part("1", "/users/AdeleVance_adatum.com%23EXT%23@contoso.com/revokeSignInSessions", 0),
            part("2", "/users('$x''y@contoso.com')/revokeSignInSessions", 1),
            part("3", "/me/revokeSignInSessions", 2),
        ]});
        assert_eq!(written, expected);
    }
}
