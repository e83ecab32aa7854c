//! Graph: revocations, reading a user, and batches of these.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, RETRY_AFTER, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode, Version};

use super::answer::{self, CLIENT_REQUEST_ID, GraphError, Marks};
use super::batch;
use super::body::Body;
use super::config::Success;
use super::directory;
use super::fault::{Answer, Endpoint};
use super::live::Live;
use super::penalty;
use super::recorder::{Account, Fact};
use super::retry_after;
use super::route::{Ask, Whom};
use super::server;
use super::session::{self, Session, TokenKind};
use super::strike::{Rule, Serials};
use super::tally::NO_ANSWER;
use super::throttle::{Patience, Verdict};
use super::world::{Reply, World};

/// The most of a request's body that is read. Nothing in it matters.
const BODY_LIMIT: usize = 1 << 20;

/// One request to Graph, and all that is needed to answer it.
pub(super) struct Call<'a> {
    pub(super) world: &'a World,
    pub(super) live: Arc<Live>,
    pub(super) marks: Marks,
    /// Real time since the start.
    pub(super) at: Duration,
    pub(super) version: &'static str,
    pub(super) headers: &'a HeaderMap,
    /// Whom it was sent to.
    pub(super) host: &'a str,
    /// Whether it is a part of a batch.
    pub(super) part: bool,
}

/// What was decided on a request: the reply, whether the revocation took effect, and how long the reply takes (in
/// simulated time).
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

/// Answers what `ask` asks for. Counting and recording happens at once; then the latency is waited for.
pub(super) async fn answer(
    world: &World,
    request: Request<Incoming>,
    asked: Result<(&'static str, Ask), GraphError>,
) -> Reply {
    let at = world.clock.now();
    let _in_flight = world.recorder.enter();
    let (head, body) = request.into_parts();
    let host = server::host(&head.uri, &head.headers);
    let marks = Marks::new(&head.headers, world.clock.wall(at));
    let unsized_body = refuse_unsized(&head.headers, &body, head.version, &marks);
    let limit = if matches!(asked, Ok((_, Ask::Batch))) { batch::BODY_LIMIT } else { BODY_LIMIT };
    let body = receive(body, limit).await;

    let headers = &head.headers;
    let call = |version| Call { world, live: world.live(), marks, at, version, headers, host, part: false };
    let decision = match asked {
        Err(error) => Decision::answer(call("v1.0").marks.error(&error), Duration::ZERO),
        Ok((version, Ask::Batch)) => batch::answer(&call(version), body.as_ref(), unsized_body),
        Ok((version, ask)) => call(version).respond(ask, head.uri.query(), unsized_body),
    };
    world.recorder.answered(status(&decision.reply));
    let delay = world.clock.real(decision.delay);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if matches!(decision.reply, Reply::Hang) {
        // Here, so that a request that hangs counts as in flight.
        world.closed().await;
    }
    decision.reply
}

/// A POST over HTTP/1 must say how long its body is. Without a word of it: 411. In chunks: 404, as users report; 411
/// can't be meant, for its text asks for chunks. Over HTTP/2 the frames say where a body ends.
fn refuse_unsized(
    headers: &HeaderMap,
    body: &Incoming,
    version: Version,
    marks: &Marks,
) -> Option<Response<Body>> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Some(marks.error(&GraphError::new(StatusCode::NOT_FOUND, "UnknownError", "")));
    }
    let sized = headers.contains_key(CONTENT_LENGTH) || version == Version::HTTP_2;
    (!sized && body.is_end_stream()).then(answer::length_required)
}

/// Reads a body to its end, so that the connection can be used again. One that breaks off or is too long gives nothing;
/// what is too long is read all the same, so that its sender can hear of it.
async fn receive(mut body: Incoming, limit: usize) -> Option<Bytes> {
    let (mut kept, mut length) = (Vec::new(), 0);
    while length < 4 * limit {
        let Some(frame) = body.frame().await else { break };
        let Ok(data) = frame.ok()?.into_data() else { continue };
        length += data.len();
        if length <= limit {
            kept.extend_from_slice(&data);
        }
    }
    (length <= limit).then(|| kept.into())
}

pub(super) fn status(reply: &Reply) -> u16 {
    match reply {
        Reply::Answer(response) => response.status().as_u16(),
        Reply::Reset | Reply::Hang => NO_ANSWER,
    }
}

impl Call<'_> {
    /// Answers whatever one request can ask for, or one part of a batch.
    pub(super) fn respond(
        &self,
        ask: Ask,
        query: Option<&str>,
        unsized_body: Option<Response<Body>>,
    ) -> Decision {
        match ask {
            Ask::Revoke(whom) => self.revoke(whom, unsized_body),
            Ask::Read(whom) => self.read(whom, query),
            Ask::Batch => {
                let error = GraphError::bad_request("A batch can't be a part of a batch.");
                Decision::answer(self.marks.error(&error), self.live.latency())
            }
        }
    }

    fn revoke(&self, whom: Whom, unsized_body: Option<Response<Body>>) -> Decision {
        let session = self.session();
        let user = match self.who(whom, session.as_ref().ok()) {
            Ok(user) => user,
            Err(error) => return Decision::answer(self.marks.error(&error), self.live.latency()),
        };
        let decision = match (unsized_body, session) {
            (Some(refused), _) => Decision::answer(refused, Duration::ZERO),
            (None, Err(error)) => self.unauthorized(&error, &user.sent),
            (None, Ok(session)) => self.decide(&user, &session),
        };
        if decision.effect && !self.live.is_external(&user) {
            self.world.devices.revoke(&user, self.at);
        }
        self.record(&user, &decision);
        decision
    }

    fn record(&self, user: &Account, decision: &Decision) {
        let external = self.live.is_external(user);
        let fact = Fact {
            at: self.at,
            status: status(&decision.reply),
            effect: decision.effect && !external,
            external,
        };
        self.world.recorder.revocation(user, fact, self.headers.get(CLIENT_REQUEST_ID));
    }

    pub(super) fn session(&self) -> Result<Arc<Session>, GraphError> {
        let World { sessions, clock, callers, .. } = self.world;
        let config = &self.live.config;
        let session =
            sessions.authenticate(self.headers, config.accept_any_token, clock, callers, &config.quota)?;
        // Under one of Graph's own names, which `expected_hosts` holds, it takes only what is meant for that name.
        let named = config.expected_hosts.iter().any(|name| name.eq_ignore_ascii_case(self.host));
        if named && !session::is_for(self.headers, self.host) {
            return Err(GraphError::token("Access token validation failure. Invalid audience."));
        }
        Ok(session)
    }

    pub(super) fn unauthorized(&self, error: &GraphError, detail: &str) -> Decision {
        self.world.recorder.counters.bad_auth.add();
        self.world.recorder.violation(self.at, "bad_auth", detail);
        Decision::answer(self.marks.error(error), self.live.latency())
    }

    /// The user behind `/me` is the one who signed in: with an app's token there is none.
    fn who(&self, whom: Whom, session: Option<&Arc<Session>>) -> Result<Account, GraphError> {
        match whom {
            Whom::User(user) => Ok(user),
            Whom::Me if session.is_some_and(|session| session.kind == Some(TokenKind::App)) => {
                Err(GraphError::bad_request("/me request is only valid with delegated authentication flow."))
            }
            Whom::Me => Ok(Account::new(&self.live.config.token.user_id)),
        }
    }

    /// Permission first (a 403 was measured to cost no quota), then quotas, then faults, then what is usual.
    fn decide(&self, user: &Account, session: &Session) -> Decision {
        let latency = self.live.latency();
        if !session.may_revoke() || self.live.denies(user) {
            return Decision::answer(self.marks.error(&GraphError::denied()), latency);
        }
        let used = match self.admit(user, session) {
            Verdict::Allowed { used } => used,
            Verdict::Throttled { scope, wait } => {
                return Decision::answer(self.throttled(session, scope, wait, latency), latency);
            }
        };
        let fortune = self.live.faults.strike(Endpoint::Graph, &user.key, self.serials(session));
        let delay = latency + fortune.delay;
        if !fortune.delay.is_zero() || fortune.rule.is_some() {
            self.world.recorder.counters.faults.add();
        }
        let known = self.live.knows(user);
        let usual =
            if known { self.success(used) } else { self.marks.error(&GraphError::not_found(&user.sent)) };
        let Some(rule) = fortune.rule else {
            return Decision { reply: Reply::Answer(usual), effect: known, delay };
        };
        let effect = known && penalty::takes_effect(&rule.fault);
        Decision { reply: self.inflict(rule, &user.sent, session, usual, delay), effect, delay }
    }

    pub(super) fn serials(&self, session: &Session) -> Serials {
        let (token, asked) = (session.serial, session.asked);
        Serials { token, next: self.world.sessions.next_serial(), cp1: asked.cp1, answers: asked.answers }
    }

    /// Counts the request against the quotas, and notes whether the app was told to wait.
    fn admit(&self, user: &Account, session: &Session) -> Verdict {
        let config = &self.live.config;
        let admission = session.app.admit(self.at, &self.world.clock, &config.quota, config.grace);
        let counters = &self.world.recorder.counters;
        counters.max_requests_in_window.raise(admission.asked);
        counters.max_accepted_in_window.raise(admission.accepted);
        match admission.patience {
            Patience::InTime => {}
            Patience::Crossing => counters.crossing.add(),
            Patience::Early => {
                counters.early.add();
                self.world.recorder.violation(self.at, "early", &user.sent);
            }
        }
        admission.verdict
    }

    fn throttled(
        &self,
        session: &Session,
        scope: super::throttle::Scope,
        wait: Duration,
        latency: Duration,
    ) -> Response<Body> {
        let (clock, quota) = (&self.world.clock, &self.live.config.quota);
        let sent = self.at + clock.real(latency);
        let text = retry_after::write(quota.retry_after, clock.real(wait), clock.wall(sent));
        let response = retry_after::throttled(&self.marks, quota, &session.app, scope, text.as_deref());
        self.note_told(session, &response, sent);
        response
    }

    /// Notes until when a 429 that leaves at `sent` tells the app to wait.
    fn note_told(&self, session: &Session, response: &Response<Body>, sent: Duration) {
        let text = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let told = text.and_then(|text| retry_after::read(text, self.world.clock.wall(sent)));
        if let (StatusCode::TOO_MANY_REQUESTS, Some(wait)) = (response.status(), told) {
            session.app.tell(sent, sent + wait);
        }
    }

    pub(super) fn inflict(
        &self,
        rule: &Rule,
        id: &str,
        session: &Session,
        usual: Response<Body>,
        delay: Duration,
    ) -> Reply {
        let (fault, clock, quota) = (&rule.fault, &self.world.clock, &self.live.config.quota);
        if fault.answer == Answer::RevokeToken {
            session.revoke();
        }
        let reply = penalty::inflict(fault, clock.real(fault.delay), usual, || {
            if fault.answer == Answer::Status(429) && penalty::is_plain(fault) {
                let scope = super::throttle::Scope::App;
                return retry_after::throttled(&self.marks, quota, &session.app, scope, None);
            }
            let now = clock.wall(self.at).as_second();
            penalty::graph_error(fault, &self.marks, self.version, id, now)
        });
        let reply = if self.part { self.reach_the_batch(reply) } else { reply };
        if let Reply::Answer(response) = &reply {
            self.note_told(session, response, self.at + clock.real(delay));
        }
        reply
    }

    /// A part has no connection of its own to be reset, or cut off, or to hang on: whoever answers the batch gets nothing from
    /// the service behind it, and says 504.
    fn reach_the_batch(&self, reply: Reply) -> Reply {
        match reply {
            Reply::Answer(response) if !matches!(response.body(), Body::Cut { .. }) => {
                Reply::Answer(response)
            }
            _ => Reply::Answer(self.gateway_timeout()),
        }
    }

    /// 504.
    pub(super) fn gateway_timeout(&self) -> Response<Body> {
        let text = "The server did not receive a timely response from an upstream server.";
        self.marks.error(&GraphError::new(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout", text))
    }

    /// What a revocation that worked answers; `used` is the share of the quota in use.
    fn success(&self, used: f64) -> Response<Body> {
        let mut response = match self.live.config.success {
            Success::Boolean => self.marks.ok(penalty::boolean(self.version, true)),
            Success::NoContent => self.marks.no_content(),
            Success::Odd => self.marks.ok(Bytes::from_static(
                br#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Edm.Null","@odata.null":true}"#,
            )),
        };
        if self.live.config.quota.percentage && used > 0.8 {
            let text = format!("{:.2}", used.min(1.8));
            if let Ok(value) = HeaderValue::from_str(&text) {
                response.headers_mut().insert(retry_after::THROTTLE_PERCENTAGE, value);
            }
        }
        response
    }

    /// Reads cost none of the write quota, and no permission is asked for: a fault can refuse them.
    fn read(&self, whom: Whom, query: Option<&str>) -> Decision {
        let latency = self.live.latency();
        let session = match self.session() {
            Ok(session) => session,
            Err(error) => return self.unauthorized(&error, "GET"),
        };
        let user = match self.who(whom, Some(&session)) {
            Ok(user) => user,
            Err(error) => return Decision::answer(self.marks.error(&error), latency),
        };
        let usual = directory::user(self, &user, query).unwrap_or_else(|error| self.marks.error(&error));
        let fortune = self.live.faults.strike(Endpoint::Read, &user.key, self.serials(&session));
        let delay = latency + fortune.delay;
        let reply = match fortune.rule {
            None => Reply::Answer(usual),
            Some(rule) => {
                self.world.recorder.counters.faults.add();
                self.inflict(rule, &user.sent, &session, usual, delay)
            }
        };
        Decision { reply, effect: false, delay }
    }
}
