//! What an answer to a read means; a pure function.

use std::time::Duration;

use serde_json::Value;

use super::fault::Fault;
use crate::graph::Body;
use crate::harmless::excerpt;
use crate::http::passes;

/// An answer: of a request, or of one part of a batch.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content: Content,
    /// Whether it bears the `request-id` that Graph puts on all of its answers.
    pub(super) marked: bool,
    /// `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// The claims of a claims challenge, as JSON.
    pub(super) claims: Option<String>,
}

/// A body.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// The JSON of a success.
    Json(Value),
    /// Anything else.
    Other(Body),
}

/// What to do with an answer.
#[derive(Clone, Debug)]
pub(super) enum Judgement {
    /// It is what was asked for.
    Take(Value),
    /// Ask again: Graph throttles.
    Throttled(Option<Duration>),
    /// Ask again: something failed that may pass.
    Again {
        /// What.
        reason: String,
        /// The least wait.
        wait: Option<Duration>,
        /// Whether over a new connection (learn.microsoft.com/graph/best-practices-concept, for 503).
        anew: bool,
    },
    /// Ask again with a new token.
    Renew {
        /// What it must answer.
        claims: Option<String>,
        /// What Graph said.
        said: String,
    },
    /// It is over.
    Give(Fault),
}

impl Content {
    /// Reads a body. Of a success, JSON without an `error` is what was asked for.
    pub(super) fn read(status: u16, bytes: &[u8]) -> Content {
        // 206 is a part of it only.
        if status == 200 {
            // `/$count` answers with a byte order mark before the number.
            let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            match serde_json::from_slice::<Value>(plain) {
                Ok(value) if value.get("error").is_none() => return Content::Json(value),
                _ => {}
            }
        }
        Content::Other(Body::read(bytes))
    }

    /// The same of a part's body, which is JSON already, or is missing.
    pub(super) fn of_part(status: u16, body: Option<Value>) -> Content {
        match body {
            Some(value) if status == 200 && value.get("error").is_none() => Content::Json(value),
            Some(value) => Content::Other(Body::read(value.to_string().as_bytes())),
            None => Content::Other(Body::Empty),
        }
    }
}

impl Answer {
    /// Whether Graph itself gave it: a proxy's or portal's page has neither Graph's id nor OData's shape.
    fn is_graphs_own(&self) -> bool {
        self.marked
            || match &self.content {
                Content::Json(value) => value
                    .as_object()
                    .is_some_and(|object| object.keys().any(|key| key.starts_with("@odata."))),
                Content::Other(body) => matches!(body, Body::Error { .. } | Body::OData | Body::Truth(_)),
            }
    }

    fn code(&self) -> &str {
        match &self.content {
            Content::Other(Body::Error { code, .. }) => code,
            _ => "",
        }
    }

    /// What was said: code and words, made harmless.
    fn said(&self) -> String {
        let Content::Other(body) = &self.content else { return format!("status {}", self.status) };
        let (code, words) = body.said();
        match (code, words.is_empty()) {
            (Some(code), false) => format!("{}, {code}: {words}", self.status),
            (Some(code), true) => format!("{}, {code}", self.status),
            (None, false) => format!("{}, {words}", self.status),
            (None, true) => format!("status {}", self.status),
        }
    }

    /// What it means.
    pub(super) fn judge(self) -> Judgement {
        let own = self.is_graphs_own();
        let later = |answer: &Answer| {
            let reason = format!("Graph answered {}", answer.said());
            Judgement::Again { reason, wait: answer.retry_after, anew: answer.status == 503 }
        };
        match self.status {
            200..=299 => self.success(own),
            401 => Judgement::Renew { said: self.said(), claims: self.claims },
            // Conditional Access wants further claims (learn.microsoft.com/graph/errors, `insufficient_claims`).
            403 if self.claims.is_some() => Judgement::Renew { said: self.said(), claims: self.claims },
            429 => Judgement::Throttled(self.retry_after),
            403 if self.retry_after.is_some() && self.code().eq_ignore_ascii_case("TooManyRequests") => {
                Judgement::Throttled(self.retry_after)
            }
            400..=499 if is_page_lost(&self) => Judgement::Give(Fault::PageLost(self.said())),
            423 => later(&self),
            status if passes(status) => later(&self),
            409 if self.code().eq_ignore_ascii_case("Directory_ConcurrencyViolation") => later(&self),
            _ if !own => foreign(self.said()),
            403 => Judgement::Give(Fault::Forbidden(self.said())),
            404 => self.missing(),
            400..=499 => {
                let code = excerpt(self.code(), 100);
                Judgement::Give(Fault::Refused { code, said: self.said() })
            }
            _ => Judgement::Give(Fault::Unavailable(format!("Graph answered {}", self.said()))),
        }
    }

    fn success(self, own: bool) -> Judgement {
        let said = self.said();
        match self.content {
            Content::Json(value) if own => Judgement::Take(value),
            Content::Json(_) => foreign(said),
            Content::Other(Body::Error { .. } | Body::CutOff | Body::Empty) => {
                Judgement::Again { reason: format!("Graph answered {said}"), wait: None, anew: false }
            }
            Content::Other(_) => foreign(said),
        }
    }

    /// Nobody is missing on the word of a proxy, or because an address was wrong.
    fn missing(self) -> Judgement {
        let (code, said) = (self.code().to_ascii_lowercase(), self.said());
        let known = matches!(
            code.as_str(),
            "request_resourcenotfound" | "resourcenotfound" | "directory_objectnotfound"
        );
        if code == "resourcenotfound" && said.contains("for the segment") {
            return Judgement::Give(Fault::Refused { code, said });
        }
        if known || (self.marked && code.ends_with("notfound")) {
            return Judgement::Give(Fault::Missing);
        }
        Judgement::Again { reason: format!("Graph answered {said}"), wait: None, anew: false }
    }
}

fn foreign(said: String) -> Judgement {
    let reason = format!("what answered is not Graph ({said}): does a proxy or portal stand before it?");
    Judgement::Again { reason, wait: None, anew: false }
}

/// Graph does not know a page's token any more (learn.microsoft.com/graph/paging).
fn is_page_lost(answer: &Answer) -> bool {
    let known = |text: &str| {
        ["DirectoryPageTokenNotFoundException", "Directory_PageTokenNotFound", "Directory_ExpiredPageToken"]
            .iter()
            .any(|name| text.contains(name))
    };
    match &answer.content {
        Content::Other(Body::Error { code, message }) => known(code) || known(message),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &str, marked: bool) -> Judgement {
        let content = Content::read(status, body.as_bytes());
        Answer { status, content, marked, retry_after: None, claims: None }.judge()
    }

    fn error(code: &str, message: &str) -> String {
        serde_json::json!({"error": {"code": code, "message": message}}).to_string()
    }

    #[test]
    fn only_graphs_own_answers_are_taken() {
        assert!(matches!(judged(200, r#"{"@odata.context":"x","value":[]}"#, false), Judgement::Take(_)));
        assert!(matches!(judged(200, r#"{"responses":[]}"#, true), Judgement::Take(_)));
        assert!(matches!(judged(200, "\u{feff}17", true), Judgement::Take(Value::Number(_))));
        for (body, marked) in [
            (r#"{"value":[]}"#, false),
            ("17", false),
            ("<html>log in</html>", true),
            ("", true),
            (r#"{"@odata.context":"x","value":["#, true),
            (r#"{"error":{"code":"UnknownError"}}"#, true),
        ] {
            assert!(matches!(judged(200, body, marked), Judgement::Again { .. }), "{body}");
        }
    }

    #[test]
    fn nobody_is_missing_on_a_proxys_word() {
        for code in ["Request_ResourceNotFound", "ResourceNotFound", "Directory_ObjectNotFound"] {
            assert!(
                matches!(judged(404, &error(code, ""), false), Judgement::Give(Fault::Missing)),
                "{code}"
            );
        }
        for body in ["<html>404</html>", "", "{}", r#"{"error":"Not Found"}"#, &error("NotFound", "")] {
            assert!(matches!(judged(404, body, false), Judgement::Again { .. }), "{body}");
        }
        let wrong = error("ResourceNotFound", "Resource not found for the segment 'user'.");
        assert!(matches!(judged(404, &wrong, true), Judgement::Give(Fault::Refused { .. })));
    }

    #[test]
    fn every_other_answer_has_its_meaning() {
        let forbidden = error("Authorization_RequestDenied", "Insufficient privileges");
        assert!(matches!(judged(403, &forbidden, false), Judgement::Give(Fault::Forbidden(_))));
        assert!(matches!(judged(403, "<html>blocked</html>", false), Judgement::Again { .. }));
        assert!(matches!(judged(401, "", false), Judgement::Renew { claims: None, .. }));
        assert!(matches!(judged(429, "", false), Judgement::Throttled(None)));
        assert!(matches!(judged(503, "", false), Judgement::Again { anew: true, .. }));
        for status in [502, 504, 520, 522, 524, 530] {
            assert!(matches!(judged(status, "<html>", false), Judgement::Again { .. }), "{status}");
        }
        let content = Content::read(403, error("TooManyRequests", "").as_bytes());
        let busy = Answer { status: 403, content, marked: true, retry_after: None, claims: None };
        assert!(matches!(busy.clone().judge(), Judgement::Give(Fault::Forbidden(_))));
        let wait = Some(Duration::from_secs(3));
        assert!(
            matches!(Answer { retry_after: wait, ..busy }.judge(), Judgement::Throttled(told) if told == wait)
        );
        assert!(matches!(judged(501, "", true), Judgement::Give(Fault::Unavailable(_))));
        assert!(matches!(judged(302, "", true), Judgement::Give(Fault::Unavailable(_))));
        let lost = error("DirectoryPageTokenNotFoundException", "");
        assert!(matches!(judged(400, &lost, true), Judgement::Give(Fault::PageLost(_))));
        let odd = error("Request_UnsupportedQuery", "\u{1b}[2J");
        let Judgement::Give(Fault::Refused { said, .. }) = judged(400, &odd, true) else { panic!() };
        assert!(!said.contains('\u{1b}'), "{said}");
    }
}
