//! What every request to Graph goes through.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode, Version};

use super::batch;
use super::body::Body;
use super::counters::NO_ANSWER;
use super::fault::FaultAnswer;
use super::fault_injection::{FaultRule, TokenSerials};
use super::fault_response;
use super::graph_response::{self, GraphError, GraphResponder};
use super::recorder::Account;
use super::reloadable_config::ReloadableConfig;
use super::retry_after;
use super::route::{GraphRequest, UserRef};
use super::server;
use super::session::{self, Session, TokenKind};
use super::state::{Reply, ServerState};
use super::throttle::QuotaScope;

/// The maximum size of a request body, in bytes: what Graph accepts for a batch.
pub(super) const BODY_LIMIT: usize = 4 << 20;

/// One request to Graph, with everything that is needed to answer it.
pub(super) struct Call<'a> {
    pub(super) state: &'a ServerState,
    pub(super) live: Arc<ReloadableConfig>,
    pub(super) responder: GraphResponder,
    /// Real time since the start.
    pub(super) at: Duration,
    pub(super) version: &'static str,
    pub(super) headers: &'a HeaderMap,
    /// The host that the request was sent to.
    pub(super) host: &'a str,
    /// The path as it was sent, from the version on: `/v1.0/users`.
    pub(super) path: &'a str,
    /// The query as it was sent, without the `?`.
    pub(super) query: Option<&'a str>,
    pub(super) body: Bytes,
    /// Whether this is a part of a batch.
    pub(super) is_batch_part: bool,
}

/// The result of a request: the reply, whether the revocation took effect, and how long the reply takes (in simulated
/// time).
pub(super) struct Decision {
    pub(super) reply: Reply,
    pub(super) effect: bool,
    pub(super) delay: Duration,
}

impl Decision {
    pub(super) fn answer(response: Response<Body>, delay: Duration) -> Decision {
        Decision { reply: Reply::Answer(response), effect: false, delay }
    }
}

/// Answers a request that was routed to Graph. Counts and records it at once, then waits for the latency.
pub(super) async fn answer(
    state: &ServerState,
    request: Request<Incoming>,
    asked: Result<(&'static str, GraphRequest), GraphError>,
) -> Reply {
    let at = state.clock.now();
    let _in_flight = state.recorder.begin_request();
    let (head, body) = request.into_parts();
    let responder = GraphResponder::new(&head.headers, state.clock.wall_time(at));
    let unsized_body = refuse_unsized(&head.headers, &body, head.version, &responder);
    let body = read_body(body).await;
    let refused = unsized_body.or_else(|| body.is_none().then(|| too_large(&responder)));
    let (version, graph_request) = asked
        .map_or_else(|error| ("v1.0", Err(error)), |(version, graph_request)| (version, Ok(graph_request)));
    let call = Call {
        state,
        live: state.live(),
        responder,
        at,
        version,
        headers: &head.headers,
        host: server::host(&head.uri, &head.headers),
        path: head.uri.path(),
        query: head.uri.query(),
        body: body.unwrap_or_default(),
        is_batch_part: false,
    };
    let decision = call.execute(graph_request, refused);
    state.recorder.count_response(status(&decision.reply));
    let delay = state.clock.to_real(decision.delay);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if matches!(decision.reply, Reply::Hang) {
        // Waits here, so that a hanging request counts as in flight.
        state.closed().await;
    }
    decision.reply
}

/// Refuses a POST over HTTP/1 that does not declare the length of its body. Without a length and without chunks: 411.
/// In chunks: 404, as users report; it can't be 411, because the text of a 411 asks for chunks. Over HTTP/2 the frames
/// say where a body ends.
fn refuse_unsized(
    headers: &HeaderMap,
    body: &Incoming,
    version: Version,
    responder: &GraphResponder,
) -> Option<Response<Body>> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Some(responder.error(&GraphError::new(StatusCode::NOT_FOUND, "UnknownError", "")));
    }
    let sized = headers.contains_key(CONTENT_LENGTH) || version == Version::HTTP_2;
    (!sized && body.is_end_stream()).then(graph_response::length_required)
}

/// Reads a body to its end, so that the connection can be used again. Returns `None` if it is too long, but still reads
/// it (up to four times the limit), so that the client gets the answer.
async fn read_body(mut body: Incoming) -> Option<Bytes> {
    // The body usually comes in one piece, which needs no copy.
    let (mut only, mut kept, mut length) = (None, Vec::new(), 0);
    while length < 4 * BODY_LIMIT {
        // If the body breaks off, the connection ends. Nothing else can be done about it here.
        let Some(Ok(frame)) = body.frame().await else { break };
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > BODY_LIMIT {
            continue;
        }
        if length == data.len() {
            only = Some(data);
        } else {
            kept.extend_from_slice(&only.take().unwrap_or_default());
            kept.extend_from_slice(&data);
        }
    }
    (length <= BODY_LIMIT).then(|| only.unwrap_or_else(|| kept.into()))
}

pub(super) fn too_large(responder: &GraphResponder) -> Response<Body> {
    let text = "The request body is too large.";
    responder.error(&GraphError::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", text))
}

pub(super) fn status(reply: &Reply) -> u16 {
    match reply {
        Reply::Answer(response) => response.status().as_u16(),
        Reply::Reset | Reply::Hang => NO_ANSWER,
    }
}

impl Call<'_> {
    /// Carries out the request. `refused` is the answer to a body that was not accepted.
    pub(super) fn execute(
        &self,
        graph_request: Result<GraphRequest, GraphError>,
        refused: Option<Response<Body>>,
    ) -> Decision {
        match graph_request {
            Err(error) => Decision::answer(self.responder.error(&error), Duration::ZERO),
            Ok(GraphRequest::Revoke(user_ref)) => self.revoke(user_ref, refused),
            Ok(GraphRequest::ReadUser(user_ref)) => self.read_user(user_ref),
            Ok(GraphRequest::Batch) if self.is_batch_part => {
                let error = GraphError::bad_request("A batch can't be a part of a batch.");
                Decision::answer(self.responder.error(&error), self.live.latency())
            }
            Ok(GraphRequest::Batch) => batch::answer(self, refused),
            Ok(GraphRequest::ReadResource(resource)) if resource.is_posted() => match refused {
                Some(refused) => Decision::answer(refused, Duration::ZERO),
                None => self.read_resource(&resource),
            },
            Ok(GraphRequest::ReadResource(resource)) => self.read_resource(&resource),
        }
    }

    pub(super) fn session(&self) -> Result<Arc<Session>, GraphError> {
        let ServerState { sessions, clock, clients: callers, .. } = self.state;
        let config = &self.live.config;
        let session = sessions.authenticate(self.headers, &self.live, clock, callers)?;
        // Under one of Graph's own names, which are in `expected_hosts`, only tokens for that name are accepted.
        let named = config.expected_hosts.iter().any(|name| name.eq_ignore_ascii_case(self.host));
        if named && !session::is_meant_for(self.headers, self.host) {
            return Err(GraphError::token("Access token validation failure. Invalid audience."));
        }
        Ok(session)
    }

    pub(super) fn unauthorized(&self, error: &GraphError, detail: &str) -> Decision {
        self.state.recorder.counters.bad_auth.add();
        self.state.recorder.record_violation(self.at, "bad_auth", detail);
        Decision::answer(self.responder.error(error), self.live.latency())
    }

    /// The user that the request is about. `/me` is the signed-in user; with an app's token there is none.
    pub(super) fn resolve_user(
        &self,
        user_ref: UserRef,
        session: Option<&Session>,
    ) -> Result<Account, GraphError> {
        match user_ref {
            UserRef::User(user) => Ok(self.live.resolve(user)),
            UserRef::Me if session.is_some_and(|session| session.kind == Some(TokenKind::App)) => {
                Err(GraphError::bad_request("/me request is only valid with delegated authentication flow."))
            }
            UserRef::Me => {
                let token = &self.live.config.token;
                let by_id = self.live.resolve(Account::new(&token.user_id));
                let by_name = || self.live.resolve(Account::new(&token.user_principal_name));
                // The directory may list the signed-in user under either name.
                Ok(if by_id.resolved.is_some() {
                    by_id
                } else {
                    Some(by_name()).filter(|me| me.resolved.is_some()).unwrap_or(by_id)
                })
            }
        }
    }

    pub(super) fn serials(&self, session: &Session) -> TokenSerials {
        let (token, asked) = (session.serial, session.requested_claims);
        TokenSerials {
            token,
            next: self.state.sessions.next_serial(),
            cp1: asked.cp1,
            answers_challenge: asked.answers_challenge,
        }
    }

    /// Records the wait that a 429 announces to the app, for writes or for reads. `sent` is when the response leaves.
    pub(super) fn record_wait(
        &self,
        session: &Session,
        scope: QuotaScope,
        response: &Response<Body>,
        sent: Duration,
    ) {
        let told = retry_after::from_headers(response.headers(), self.state.clock.wall_time(sent));
        match (response.status(), told) {
            (StatusCode::TOO_MANY_REQUESTS, Some(wait)) if scope == QuotaScope::Reads => {
                session.app.set_read_wait(sent, sent + wait);
            }
            (StatusCode::TOO_MANY_REQUESTS, Some(wait)) => session.app.set_wait(sent, sent + wait),
            _ => {}
        }
    }

    /// A 429 that announces `wait`.
    pub(super) fn throttled(
        &self,
        session: &Session,
        scope: QuotaScope,
        wait: Duration,
        latency: Duration,
    ) -> Response<Body> {
        let (clock, quota) = (&self.state.clock, &self.live.config.quota);
        let sent = self.at + clock.to_real(latency);
        let text = retry_after::render(quota.retry_after, clock.to_real(wait), clock.wall_time(sent));
        let response =
            retry_after::throttled_response(&self.responder, quota, &session.app, scope, text.as_deref());
        self.record_wait(session, scope, &response, sent);
        response
    }

    /// The reply to a request for `id` that `rule` applies to. `scope` is the quota that the request counts against.
    pub(super) fn apply_fault(
        &self,
        rule: &FaultRule,
        id: &str,
        (session, scope): (&Session, QuotaScope),
        normal: Response<Body>,
        delay: Duration,
    ) -> Reply {
        let (fault, clock, quota) = (&rule.fault, &self.state.clock, &self.live.config.quota);
        if fault.answer == FaultAnswer::RevokeToken {
            session.revoke();
        }
        let reply = fault_response::reply_for_fault(fault, clock.to_real(fault.delay), normal, || {
            if fault.answer == FaultAnswer::Status(429) && fault_response::has_default_body(fault) {
                return retry_after::throttled_response(&self.responder, quota, &session.app, scope, None);
            }
            let now = clock.wall_time(self.at).as_second();
            fault_response::graph_error(fault, &self.responder, self.version, id, now)
        });
        let reply = if self.is_batch_part { self.convert_for_batch(reply) } else { reply };
        if let Reply::Answer(response) = &reply {
            self.record_wait(session, scope, response, self.at + clock.to_real(delay));
        }
        reply
    }

    /// A part of a batch has no connection of its own that could be reset, cut off or left hanging. The service that
    /// answers the batch would get nothing from the one behind it, so the part is answered with 504.
    fn convert_for_batch(&self, reply: Reply) -> Reply {
        match reply {
            Reply::Answer(response) if !matches!(response.body(), Body::Truncated { .. }) => {
                Reply::Answer(response)
            }
            _ => Reply::Answer(self.gateway_timeout()),
        }
    }

    /// A 504.
    pub(super) fn gateway_timeout(&self) -> Response<Body> {
        let text = "The server did not receive a timely response from an upstream server.";
        self.responder.error(&GraphError::new(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout", text))
    }
}
