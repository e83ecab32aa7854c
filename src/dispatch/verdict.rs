//! What an answer means: a pure function from reply to verdict.

use std::time::Duration;

use crate::graph::{ErrorBody, HttpResponse, LossKind, UserReply};
use crate::http::is_transient;
use crate::outcome::Outcome;

/// What to do after an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Graph carried out the request.
    Done,
    /// The target ends with this outcome; a retry can't help.
    Settle(Outcome),
    /// Try again, if tries are left.
    Retry {
        /// The outcome if no try is left.
        otherwise: Outcome,
        /// Whether the next try needs a new connection.
        new_connection: bool,
        /// How long the server asked to wait.
        at_least: Option<Duration>,
    },
    /// 429: wait with all others. This does not cost a try.
    Throttled {
        /// `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// Not processed, because the batch was refused as a whole. It is sent again alone, which does not cost a
    /// try.
    SendUnbatched,
    /// 401, or a 403 with a claims challenge: the token is not accepted.
    Unauthorized {
        /// The claims of a challenge, as JSON.
        claims: Option<String>,
    },
}

impl Verdict {
    /// The outcome of a target if no other answer follows.
    pub fn otherwise(&self) -> Outcome {
        match self {
            Verdict::Done => Outcome::Revoked,
            Verdict::Settle(outcome) => *outcome,
            Verdict::Retry { otherwise, .. } => *otherwise,
            Verdict::Throttled { .. } => Outcome::ThrottledOut,
            // Certainly not carried out. A valid token, or sending it alone, helps, so nothing about this
            // user was rejected.
            Verdict::Unauthorized { .. } | Verdict::SendUnbatched => Outcome::Failed,
        }
    }
}

/// Judges a reply.
pub fn verdict(reply: &UserReply) -> Verdict {
    match reply {
        UserReply::Lost(lost) => retry_or(match lost.how {
            LossKind::TimedOut => Outcome::InDoubt,
            LossKind::NotSent | LossKind::Broken => Outcome::Failed,
        }),
        UserReply::Response(response) => classify_response(response),
        UserReply::Unbatched(_) => Verdict::SendUnbatched,
    }
}

fn classify_response(response: &HttpResponse) -> Verdict {
    let code = match &response.body {
        ErrorBody::Error { code, .. } => code.as_str(),
        _ => "",
    };
    match response.status {
        200..=299 => classify_success(response),
        // A redirect is from a portal or a proxy, because Graph's action does not redirect.
        300..=399 => retry_or(Outcome::Failed),
        401 => Verdict::Unauthorized { claims: response.claims.clone() },
        // This is about the sign-in, not about this user: Conditional Access requires more claims
        // (learn.microsoft.com/graph/errors, `insufficient_claims`).
        403 if response.claims.is_some() => Verdict::Unauthorized { claims: response.claims.clone() },
        _ if response.throttles() => Verdict::Throttled { retry_after: response.retry_after },
        403 => Verdict::Settle(Outcome::Forbidden),
        404 if code.eq_ignore_ascii_case("Request_ResourceNotFound") => Verdict::Settle(Outcome::NotFound),
        409 if code.eq_ignore_ascii_case("Directory_ConcurrencyViolation") => later(response),
        429 => Verdict::Throttled { retry_after: response.retry_after },
        423 => later(response),
        status if is_transient(status) => later(response),
        400..=499 => Verdict::Settle(Outcome::Rejected),
        _ => Verdict::Settle(Outcome::Failed),
    }
}

/// The action's documentation says 204, but the service answers 200. So any 2xx is a success if the rest of
/// the answer confirms it.
fn classify_success(response: &HttpResponse) -> Verdict {
    if response.confirms() { Verdict::Done } else { retry_or(Outcome::Failed) }
}

fn retry_or(otherwise: Outcome) -> Verdict {
    Verdict::Retry { otherwise, new_connection: false, at_least: None }
}

fn later(response: &HttpResponse) -> Verdict {
    Verdict::Retry {
        otherwise: Outcome::Failed,
        new_connection: response.status == 503,
        at_least: response.retry_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::ConnectionLoss;

    fn verdict_for(status: u16, body: ErrorBody, request_id: Option<&str>) -> Verdict {
        verdict(&UserReply::Response(Box::new(HttpResponse {
            status,
            body,
            request_id: request_id.map(str::to_owned),
            ..HttpResponse::default()
        })))
    }

    fn error(code: &str) -> ErrorBody {
        ErrorBody::Error { code: code.to_owned(), message: String::new() }
    }

    /// One letter for each status: Done, Retry, Throttled, Unauthorized, and how it settles (forbidden,
    /// failed, rejected, not found).
    fn letter(verdict: &Verdict) -> char {
        match verdict {
            Verdict::Done => 'D',
            Verdict::Retry { .. } => 'R',
            Verdict::Throttled { .. } => 'T',
            Verdict::SendUnbatched => 'A',
            Verdict::Unauthorized { .. } => 'U',
            Verdict::Settle(Outcome::Forbidden) => 'p',
            Verdict::Settle(Outcome::NotFound) => 'n',
            Verdict::Settle(Outcome::Rejected) => 'r',
            Verdict::Settle(Outcome::Failed) => 'f',
            Verdict::Settle(_) => '?',
        }
    }

    #[test]
    fn every_status_has_its_verdict() {
        let mut unusual = String::new();
        for status in 100..=599 {
            let usual = match status / 100 {
                2 => 'D',
                3 => 'R',
                4 => 'r',
                _ => 'f',
            };
            let found = letter(&verdict_for(status, error("X"), Some("an-id")));
            let found = if status / 100 == 2 {
                letter(&verdict_for(status, ErrorBody::Empty, Some("an-id")))
            } else {
                found
            };
            if found != usual {
                unusual.push_str(&format!("{status}{found} "));
            }
        }
        assert_eq!(
            unusual,
            "401U 403p 408R 423R 429T 500R 502R 503R 504R 507R 509R 520R 521R 522R 523R 524R 525R 526R 527R \
             530R "
        );
    }

    #[test]
    fn codes_decide_where_the_status_does_not() {
        assert_eq!(letter(&verdict_for(404, error("Request_ResourceNotFound"), None)), 'n');
        assert_eq!(letter(&verdict_for(404, error("ResourceNotFound"), Some("id"))), 'r');
        assert_eq!(letter(&verdict_for(404, ErrorBody::Html, None)), 'r');
        assert_eq!(letter(&verdict_for(409, error("Directory_ConcurrencyViolation"), None)), 'R');
        assert_eq!(letter(&verdict_for(409, error("Conflict"), None)), 'r');
    }

    #[test]
    fn a_403_with_a_challenge_is_about_the_token() {
        let claims = Some("{}".to_owned());
        let response = HttpResponse { status: 403, claims: claims.clone(), ..HttpResponse::default() };
        assert_eq!(verdict(&UserReply::Response(Box::new(response))), Verdict::Unauthorized { claims });
        assert_eq!(letter(&verdict_for(403, error("Authorization_RequestDenied"), None)), 'p');
    }

    #[test]
    fn a_403_throttles_where_code_and_headers_say_so() {
        let judged = |status: u16, code: &str, wait: Option<u64>, scope: Option<&str>| {
            let response = HttpResponse {
                status,
                body: error(code),
                retry_after: wait.map(Duration::from_secs),
                throttle_scope: scope.map(str::to_owned),
                ..HttpResponse::default()
            };
            letter(&verdict(&UserReply::Response(Box::new(response))))
        };
        let scope = Some("Tenant_Application/Write/app/tenant");
        assert_eq!(judged(403, "TooManyRequests", Some(7), None), 'T');
        assert_eq!(judged(403, "tooManyRequests", None, scope), 'T');
        assert_eq!(judged(403, "UnknownError", None, scope), 'T');
        assert_eq!(judged(403, "TooManyRequests", None, None), 'p', "a body alone is not enough");
        assert_eq!(judged(403, "UnknownError", Some(7), None), 'p');
        assert_eq!(judged(403, "Authorization_RequestDenied", Some(7), scope), 'p');
        assert_eq!(judged(400, "TooManyRequests", Some(7), scope), 'r');
        assert_eq!(judged(503, "TooManyRequests", Some(7), scope), 'R');
    }

    #[test]
    fn only_graphs_own_success_counts() {
        let guid = Some("0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f");
        let text = || "Blocked by policy".to_owned();
        for status in [200, 201, 202, 204, 299] {
            let judged = |body, id| letter(&verdict_for(status, body, id));
            assert_eq!(judged(ErrorBody::Truth(true), None), 'D');
            assert_eq!(judged(ErrorBody::OData, None), 'D');
            for marked in [ErrorBody::Empty, ErrorBody::Object("{}".into())] {
                assert_eq!(judged(marked.clone(), guid), 'D');
                assert_eq!(judged(marked, None), 'R');
            }
            for no in [
                ErrorBody::Truth(false),
                ErrorBody::OddJson(text()),
                ErrorBody::Text(text()),
                ErrorBody::Html,
                ErrorBody::Encoded("gzip".into()),
                ErrorBody::CutOff,
                error("Oops"),
            ] {
                assert_eq!((judged(no.clone(), guid), judged(no, None)), ('R', 'R'));
            }
        }
    }

    #[test]
    fn a_lost_answer_says_what_is_possible() {
        let lost = |how| verdict(&UserReply::Lost(ConnectionLoss { how, detail: String::new() })).otherwise();
        assert_eq!(lost(LossKind::NotSent), Outcome::Failed);
        assert_eq!(lost(LossKind::Broken), Outcome::Failed);
        assert_eq!(lost(LossKind::TimedOut), Outcome::InDoubt);
    }

    #[test]
    fn a_503_asks_for_a_new_connection_and_its_own_wait() {
        let response = HttpResponse {
            status: 503,
            retry_after: Some(Duration::from_secs(7)),
            ..HttpResponse::default()
        };
        let expected = Verdict::Retry {
            otherwise: Outcome::Failed,
            new_connection: true,
            at_least: Some(Duration::from_secs(7)),
        };
        assert_eq!(verdict(&UserReply::Response(Box::new(response))), expected);
    }
}
