//! What an answer to a read means. A pure function.

use std::time::Duration;

use serde_json::Value;

use super::read_error::ReadError;
use crate::graph::ErrorBody;
use crate::http::is_transient;
use crate::json::Json;
use crate::text::sanitize::sanitize_truncated;

/// The answer to a request or to one part of a batch.
#[derive(Clone, Debug)]
pub(super) struct ReadAnswer {
    pub(super) status: u16,
    pub(super) content: ContentKind,
    /// Whether it has the `request-id` header that Graph sets on all of its answers.
    pub(super) has_request_id: bool,
    /// `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// The claims of a claims challenge, as JSON.
    pub(super) claims: Option<String>,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) enum ContentKind {
    /// The JSON of a success.
    Json(Value),
    /// Anything else.
    Other(ErrorBody),
}

/// What to do with an answer.
#[derive(Clone, Debug)]
pub(super) enum ResponseClass {
    /// The requested value.
    Success(Value),
    /// Retry, because Graph throttles. Graph's `Retry-After`, if any.
    Throttled(Option<Duration>),
    /// Retry, because the failure may be temporary.
    Retry {
        /// The failure.
        reason: String,
        /// The minimum wait.
        wait: Option<Duration>,
        /// Whether to use a new connection (learn.microsoft.com/graph/best-practices-concept, for 503).
        new_connection: bool,
    },
    /// Retry with a new token.
    RenewToken {
        /// The claims that the new token must have.
        claims: Option<String>,
        /// Graph's error text.
        detail: String,
    },
    /// Do not retry.
    Fail(ReadError),
}

impl ContentKind {
    /// Reads a body. The requested value is the JSON of a 200 without an `error`. If a name occurs twice in an object,
    /// the answer is not used: which of the two is meant is not known, and the other may be a member of a protected group.
    pub(super) fn read(status: u16, bytes: &[u8]) -> ContentKind {
        // A 206 is only a part.
        if status == 200 {
            // `/$count` answers with a byte order mark before the number.
            let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let value = serde_json::from_slice::<Json>(plain).ok().and_then(|json| json.into_value().ok());
            if let Some(value) = value.filter(|value| value.get("error").is_none()) {
                return ContentKind::Json(value);
            }
        }
        ContentKind::Other(ErrorBody::read(bytes))
    }

    /// The same for the body of a batch part, which is already JSON or is missing.
    pub(super) fn from_part(status: u16, body: Option<Value>) -> ContentKind {
        match body {
            Some(value) if status == 200 && value.get("error").is_none() => ContentKind::Json(value),
            Some(value) => ContentKind::Other(ErrorBody::read(value.to_string().as_bytes())),
            None => ContentKind::Other(ErrorBody::Empty),
        }
    }
}

impl ReadAnswer {
    /// Whether Graph itself sent it: the page of a proxy or portal has neither Graph's ID nor the form of OData.
    fn is_from_graph(&self) -> bool {
        self.has_request_id
            || match &self.content {
                ContentKind::Json(value) => value
                    .as_object()
                    .is_some_and(|object| object.keys().any(|key| key.starts_with("@odata."))),
                ContentKind::Other(body) => {
                    matches!(body, ErrorBody::Error { .. } | ErrorBody::OData | ErrorBody::Truth(_))
                }
            }
    }

    fn code(&self) -> &str {
        match &self.content {
            ContentKind::Other(ErrorBody::Error { code, .. }) => code,
            _ => "",
        }
    }

    /// Graph's error code and text, sanitized.
    fn error_text(&self) -> String {
        let ContentKind::Other(body) = &self.content else { return format!("status {}", self.status) };
        let (code, words) = body.error_text();
        match (code, words.is_empty()) {
            (Some(code), false) => format!("{}, {code}: {words}", self.status),
            (Some(code), true) => format!("{}, {code}", self.status),
            (None, false) => format!("{}, {words}", self.status),
            (None, true) => format!("status {}", self.status),
        }
    }

    /// What the answer means.
    pub(super) fn classify(self) -> ResponseClass {
        let from_graph = self.is_from_graph();
        let retry = |answer: &ReadAnswer| {
            let reason = format!("Graph answered {}", answer.error_text());
            ResponseClass::Retry { reason, wait: answer.retry_after, new_connection: answer.status == 503 }
        };
        match self.status {
            200..=299 => self.classify_success(from_graph),
            401 => ResponseClass::RenewToken { detail: self.error_text(), claims: self.claims },
            // Conditional Access wants further claims (learn.microsoft.com/graph/errors, `insufficient_claims`).
            403 if self.claims.is_some() => {
                ResponseClass::RenewToken { detail: self.error_text(), claims: self.claims }
            }
            429 => ResponseClass::Throttled(self.retry_after),
            403 if self.retry_after.is_some() && self.code().eq_ignore_ascii_case("TooManyRequests") => {
                ResponseClass::Throttled(self.retry_after)
            }
            400..=499 if is_page_lost(&self) => ResponseClass::Fail(ReadError::PageLost(self.error_text())),
            423 => retry(&self),
            status if is_transient(status) => retry(&self),
            409 if self.code().eq_ignore_ascii_case("Directory_ConcurrencyViolation") => retry(&self),
            _ if !from_graph => not_graph(self.error_text()),
            403 => ResponseClass::Fail(ReadError::Forbidden(self.error_text())),
            404 => self.classify_not_found(),
            400..=499 => {
                let code = sanitize_truncated(self.code(), 100);
                ResponseClass::Fail(ReadError::Refused { code, detail: self.error_text() })
            }
            _ => ResponseClass::Fail(ReadError::Unavailable(format!("Graph answered {}", self.error_text()))),
        }
    }

    fn classify_success(self, from_graph: bool) -> ResponseClass {
        let detail = self.error_text();
        match self.content {
            ContentKind::Json(value) if from_graph => ResponseClass::Success(value),
            ContentKind::Json(_) => not_graph(detail),
            ContentKind::Other(ErrorBody::Error { .. } | ErrorBody::CutOff | ErrorBody::Empty) => {
                ResponseClass::Retry {
                    reason: format!("Graph answered {detail}"),
                    wait: None,
                    new_connection: false,
                }
            }
            ContentKind::Other(_) => not_graph(detail),
        }
    }

    /// Classifies a 404. A user is not missing just because a proxy says so or because a URL is wrong.
    fn classify_not_found(self) -> ResponseClass {
        let (code, detail) = (self.code().to_ascii_lowercase(), self.error_text());
        let known = matches!(
            code.as_str(),
            "request_resourcenotfound" | "resourcenotfound" | "directory_objectnotfound"
        );
        if code == "resourcenotfound" && detail.contains("for the segment") {
            return ResponseClass::Fail(ReadError::Refused { code, detail });
        }
        if known || (self.has_request_id && code.ends_with("notfound")) {
            return ResponseClass::Fail(ReadError::NotFound);
        }
        ResponseClass::Retry { reason: format!("Graph answered {detail}"), wait: None, new_connection: false }
    }
}

fn not_graph(detail: String) -> ResponseClass {
    let reason = format!("what answered is not Graph ({detail}): is there a proxy or portal in between?");
    ResponseClass::Retry { reason, wait: None, new_connection: false }
}

/// Whether Graph no longer accepts the token of a page (learn.microsoft.com/graph/paging).
fn is_page_lost(answer: &ReadAnswer) -> bool {
    let known = |text: &str| {
        ["DirectoryPageTokenNotFoundException", "Directory_PageTokenNotFound", "Directory_ExpiredPageToken"]
            .iter()
            .any(|name| text.contains(name))
    };
    match &answer.content {
        ContentKind::Other(ErrorBody::Error { code, message }) => known(code) || known(message),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(status: u16, body: &str, marked: bool) -> ResponseClass {
        let content = ContentKind::read(status, body.as_bytes());
        ReadAnswer { status, content, has_request_id: marked, retry_after: None, claims: None }.classify()
    }

    fn error(code: &str, message: &str) -> String {
        serde_json::json!({"error": {"code": code, "message": message}}).to_string()
    }

    #[test]
    fn only_answers_from_graph_are_accepted() {
        assert!(matches!(
            classified(200, r#"{"@odata.context":"x","value":[]}"#, false),
            ResponseClass::Success(_)
        ));
        assert!(matches!(classified(200, r#"{"responses":[]}"#, true), ResponseClass::Success(_)));
        assert!(matches!(classified(200, "\u{feff}17", true), ResponseClass::Success(Value::Number(_))));
        for (body, marked) in [
            (r#"{"value":[]}"#, false),
            ("17", false),
            ("<html>log in</html>", true),
            ("", true),
            (r#"{"@odata.context":"x","value":["#, true),
            (r#"{"error":{"code":"UnknownError"}}"#, true),
        ] {
            assert!(matches!(classified(200, body, marked), ResponseClass::Retry { .. }), "{body}");
        }
    }

    #[test]
    fn proxy_404_does_not_mean_user_not_found() {
        for code in ["Request_ResourceNotFound", "ResourceNotFound", "Directory_ObjectNotFound"] {
            assert!(
                matches!(classified(404, &error(code, ""), false), ResponseClass::Fail(ReadError::NotFound)),
                "{code}"
            );
        }
        for body in ["<html>404</html>", "", "{}", r#"{"error":"Not Found"}"#, &error("NotFound", "")] {
            assert!(matches!(classified(404, body, false), ResponseClass::Retry { .. }), "{body}");
        }
        let wrong = error("ResourceNotFound", "Resource not found for the segment 'user'.");
        assert!(matches!(classified(404, &wrong, true), ResponseClass::Fail(ReadError::Refused { .. })));
    }

    #[test]
    fn each_status_maps_to_its_class() {
        let forbidden = error("Authorization_RequestDenied", "Insufficient privileges");
        assert!(matches!(classified(403, &forbidden, false), ResponseClass::Fail(ReadError::Forbidden(_))));
        assert!(matches!(classified(403, "<html>blocked</html>", false), ResponseClass::Retry { .. }));
        assert!(matches!(classified(401, "", false), ResponseClass::RenewToken { claims: None, .. }));
        assert!(matches!(classified(429, "", false), ResponseClass::Throttled(None)));
        assert!(matches!(classified(503, "", false), ResponseClass::Retry { new_connection: true, .. }));
        for status in [502, 504, 520, 522, 524, 530] {
            assert!(matches!(classified(status, "<html>", false), ResponseClass::Retry { .. }), "{status}");
        }
        let content = ContentKind::read(403, error("TooManyRequests", "").as_bytes());
        let busy = ReadAnswer { status: 403, content, has_request_id: true, retry_after: None, claims: None };
        assert!(matches!(busy.clone().classify(), ResponseClass::Fail(ReadError::Forbidden(_))));
        let wait = Some(Duration::from_secs(3));
        assert!(
            matches!(ReadAnswer { retry_after: wait, ..busy }.classify(), ResponseClass::Throttled(told) if told == wait)
        );
        assert!(matches!(classified(501, "", true), ResponseClass::Fail(ReadError::Unavailable(_))));
        assert!(matches!(classified(302, "", true), ResponseClass::Fail(ReadError::Unavailable(_))));
        let lost = error("DirectoryPageTokenNotFoundException", "");
        assert!(matches!(classified(400, &lost, true), ResponseClass::Fail(ReadError::PageLost(_))));
        let odd = error("Request_UnsupportedQuery", "\u{1b}[2J");
        let ResponseClass::Fail(ReadError::Refused { detail, .. }) = classified(400, &odd, true) else {
            panic!()
        };
        assert!(!detail.contains('\u{1b}'), "{detail}");
    }

    #[test]
    fn answer_with_a_duplicate_name_is_not_used() {
        for body in [
            r#"{"value":[{"id":"1"}],"value":[]}"#,
            r#"{"@odata.context":"x","value":[{"id":"1","id":"2"}]}"#,
            r#"{"@odata.count":1,"@odata.count":2,"value":[]}"#,
        ] {
            let content = ContentKind::read(200, body.as_bytes());
            assert!(matches!(content, ContentKind::Other(_)), "{body}: {content:?}");
            let answer =
                ReadAnswer { status: 200, content, has_request_id: true, retry_after: None, claims: None };
            assert!(!matches!(answer.classify(), ResponseClass::Success(_)), "{body}");
        }
        let content = ContentKind::read(200, br#"{"value":[{"id":"1"},{"id":"2"}]}"#);
        assert!(matches!(content, ContentKind::Json(_)), "{content:?}");
    }
}
