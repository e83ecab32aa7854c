//! Revocations.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use hyper::header::HeaderValue;

use super::answer::{CLIENT_REQUEST_ID, GraphError};
use super::body::Body;
use super::config::Success;
use super::fault::Endpoint;
use super::graph::{Call, Decision, status};
use super::penalty;
use super::recorder::{Account, Fact};
use super::retry_after;
use super::route::Whom;
use super::session::Session;
use super::throttle::{App, Patience, Scope, Verdict};
use super::world::Reply;

impl Call<'_> {
    pub(super) fn revoke(&self, whom: Whom, unsized_body: Option<Response<Body>>) -> Decision {
        let session = self.session();
        let app = session.as_ref().ok().map(|session| Arc::clone(&session.app));
        let user = match self.who(whom, session.as_deref().ok()) {
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
        self.record(&user, &decision, app.as_deref());
        decision
    }

    fn record(&self, user: &Account, decision: &Decision, app: Option<&App>) {
        let external = self.live.is_external(user);
        let fact = Fact {
            at: self.at,
            status: status(&decision.reply),
            effect: decision.effect && !external,
            external,
            app: app.map(|app| app.number),
        };
        if let Some(app) = app {
            app.counts.came(fact.at);
            app.counts.add(fact.effect, fact.status == 429);
        }
        self.world.recorder.revocation(user, fact, self.headers.get(CLIENT_REQUEST_ID));
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
        let party = session.app.party();
        let fortune = self.live.faults.strike(Endpoint::Graph, &party, user.names(), self.serials(session));
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
        Decision { reply: self.inflict(rule, &user.sent, (session, Scope::App), usual, delay), effect, delay }
    }

    /// Counts the request against the quotas, and notes whether the app was told to wait.
    fn admit(&self, user: &Account, session: &Session) -> Verdict {
        let config = &self.live.config;
        let admission = session.app.admit(self.at, &self.world.clock, config.quota.enabled, config.grace);
        let counters = &self.world.recorder.counters;
        counters.max_requests_in_window.raise(admission.asked);
        counters.max_accepted_in_window.raise(admission.accepted);
        let own = &session.app.counts;
        own.max_requests_in_window.raise(admission.asked);
        own.max_accepted_in_window.raise(admission.accepted);
        match admission.patience {
            Patience::InTime => {}
            Patience::Crossing => counters.crossing.add(),
            Patience::Early => {
                counters.early.add();
                own.early.add();
                self.world.recorder.violation(self.at, "early", &user.sent);
            }
        }
        admission.verdict
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
}
