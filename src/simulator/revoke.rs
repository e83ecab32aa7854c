//! Revocations.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;
use hyper::header::HeaderValue;

use super::body::Body;
use super::config::SuccessResponse;
use super::fault::FaultEndpoint;
use super::fault_response;
use super::graph::{Call, Decision, status};
use super::graph_response::{CLIENT_REQUEST_ID, GraphError};
use super::recorder::{Account, RevocationFacts};
use super::retry_after;
use super::route::UserRef;
use super::session::Session;
use super::state::Reply;
use super::throttle::{ClientApp, QuotaDecision, QuotaScope, WaitCompliance};

impl Call<'_> {
    pub(super) fn revoke(&self, user_ref: UserRef, unsized_body: Option<Response<Body>>) -> Decision {
        let session = self.session();
        let app = session.as_ref().ok().map(|session| Arc::clone(&session.app));
        let user = match self.resolve_user(user_ref, session.as_deref().ok()) {
            Ok(user) => user,
            Err(error) => return Decision::answer(self.responder.error(&error), self.live.latency()),
        };
        let decision = match (unsized_body, session) {
            (Some(refused), _) => Decision::answer(refused, Duration::ZERO),
            (None, Err(error)) => self.unauthorized(&error, &user.sent),
            (None, Ok(session)) => self.decide(&user, &session),
        };
        if decision.effect && !self.live.is_external(&user) {
            self.state.device_codes.revoke(&user, self.at);
        }
        self.record(&user, &decision, app.as_deref());
        decision
    }

    fn record(&self, user: &Account, decision: &Decision, app: Option<&ClientApp>) {
        let external = self.live.is_external(user);
        let fact = RevocationFacts {
            at: self.at,
            status: status(&decision.reply),
            effect: decision.effect && !external,
            external,
            app: app.map(|app| app.number),
        };
        if let Some(app) = app {
            app.counts.record_arrival(fact.at);
            app.counts.add(fact.effect, fact.status == 429);
        }
        self.state.recorder.record_revocation(user, fact, self.headers.get(CLIENT_REQUEST_ID));
    }

    /// Checks permission first (a measured 403 cost no quota), then quotas, then faults. Otherwise gives the normal
    /// answer.
    fn decide(&self, user: &Account, session: &Session) -> Decision {
        let latency = self.live.latency();
        if !session.can_revoke() || self.live.denies(user) {
            return Decision::answer(self.responder.error(&GraphError::denied()), latency);
        }
        let used = match self.admit(user, session) {
            QuotaDecision::Allowed { used } => used,
            QuotaDecision::Throttled { scope, wait } => {
                return Decision::answer(self.throttled(session, scope, wait, latency), latency);
            }
        };
        let client_key = session.app.client_key();
        let injection =
            self.live.faults.inject(FaultEndpoint::Graph, &client_key, user.names(), self.serials(session));
        let delay = latency + injection.delay;
        if !injection.delay.is_zero() || injection.rule.is_some() {
            self.state.recorder.counters.faults.add();
        }
        let known = self.live.has_user(user);
        let normal =
            if known { self.success(used) } else { self.responder.error(&GraphError::not_found(&user.sent)) };
        let Some(rule) = injection.rule else {
            return Decision { reply: Reply::Answer(normal), effect: known, delay };
        };
        let effect = known && fault_response::takes_effect(&rule.fault);
        Decision {
            reply: self.apply_fault(rule, &user.sent, (session, QuotaScope::App), normal, delay),
            effect,
            delay,
        }
    }

    /// Counts the request against the quotas, and records whether it came during an announced wait.
    fn admit(&self, user: &Account, session: &Session) -> QuotaDecision {
        let config = &self.live.config;
        let admission = session.app.admit(self.at, &self.state.clock, config.quota.enabled, config.grace);
        let counters = &self.state.recorder.counters;
        counters.max_requests_in_window.raise_to(admission.requests_in_window);
        counters.max_accepted_in_window.raise_to(admission.accepted_in_window);
        let own = &session.app.counts;
        own.max_requests_in_window.raise_to(admission.requests_in_window);
        own.max_accepted_in_window.raise_to(admission.accepted_in_window);
        match admission.compliance {
            WaitCompliance::InTime => {}
            WaitCompliance::Crossing => counters.crossing.add(),
            WaitCompliance::Early => {
                counters.early.add();
                own.early.add();
                self.state.recorder.record_violation(self.at, "early", &user.sent);
            }
        }
        admission.verdict
    }

    /// The answer to a successful revocation. `used` is the share of the quota that is in use.
    fn success(&self, used: f64) -> Response<Body> {
        let mut response = match self.live.config.success {
            SuccessResponse::Boolean => self.responder.ok(fault_response::boolean(self.version, true)),
            SuccessResponse::NoContent => self.responder.no_content(),
            SuccessResponse::Odd => self.responder.ok(Bytes::from_static(
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
