//! Reads: sign-in, then the quota for resource units, then the response (or a missing permission), then faults.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::Body;
use super::directory;
use super::fault::FaultEndpoint;
use super::graph::{Call, Decision};
use super::graph_response::GraphError;
use super::odata::ODataQuery;
use super::permission::Operation;
use super::resource::Resource;
use super::route::UserRef;
use super::session::Session;
use super::state::Reply;
use super::throttle::{QuotaScope, WaitCompliance};

const RESOURCE_UNIT: HeaderName = HeaderName::from_static("x-ms-resource-unit");

/// A read that has passed sign-in, and the names under which faults know it.
pub(super) struct ReadCall<'a> {
    pub(super) session: &'a Session,
    pub(super) endpoint: FaultEndpoint,
    /// The names that a fault's pattern can match, in lower case. Requests are counted under the first one.
    pub(super) names: Vec<&'a str>,
    /// The name that a 404 shows.
    pub(super) sent: &'a str,
    /// The cost, in resource units.
    pub(super) units: u32,
}

impl Call<'_> {
    /// Reads one user.
    pub(super) fn read_user(&self, user_ref: UserRef) -> Decision {
        let session = match self.session() {
            Ok(session) => session,
            Err(error) => return self.unauthorized(&error, "GET"),
        };
        let operation = if user_ref == UserRef::Me { Operation::ReadMe } else { Operation::ReadUsers };
        let user = match self.resolve_user(user_ref, Some(&session)) {
            Ok(user) => user,
            Err(error) => return Decision::answer(self.responder.error(&error), self.live.latency()),
        };
        let names = user.names().collect();
        let read =
            ReadCall { session: &session, endpoint: FaultEndpoint::Read, names, sent: &user.sent, units: 1 };
        self.serve_read(&read, || directory::read_user(self, &session, operation, &user))
    }

    /// Reads anything else in the directory.
    pub(super) fn read_resource(&self, resource: &Resource) -> Decision {
        let session = match self.session() {
            Ok(session) => session,
            Err(error) => return self.unauthorized(&error, "GET"),
        };
        let below = self.path.trim_start_matches('/').split_once('/').map_or("", |(_, below)| below);
        let name = percent_encoding::percent_decode_str(below).decode_utf8_lossy().to_lowercase();
        let units = units(resource, self.query);
        let (endpoint, names) = (FaultEndpoint::Directory, vec![name.as_str()]);
        let read = ReadCall { session: &session, endpoint, names, sent: &name, units };
        self.serve_read(&read, || directory::read_resource(self, &session, resource))
    }

    /// Passes a read through quotas and faults. `normal` makes the response without a fault.
    pub(super) fn serve_read(
        &self,
        read: &ReadCall<'_>,
        normal: impl FnOnce() -> Result<Response<Body>, GraphError>,
    ) -> Decision {
        let latency = self.live.latency();
        self.state.recorder.counters.reads.add();
        if let Some(wait) = self.admit_read(read) {
            return Decision::answer(self.throttled(read.session, QuotaScope::Reads, wait, latency), latency);
        }
        let normal = match normal() {
            Ok(mut response) => {
                // What another quota counts has no header for resource units.
                match read.units {
                    0 => response.headers_mut().remove(RESOURCE_UNIT),
                    units => response.headers_mut().insert(RESOURCE_UNIT, HeaderValue::from(units)),
                };
                response
            }
            Err(error) => self.responder.error(&error),
        };
        // As measured by a third party, neither a bad request nor a forbidden one costs anything.
        if matches!(normal.status(), StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN) {
            read.session.app.refund(read.units);
        } else {
            let counters = &self.state.recorder.counters;
            counters.resource_units.add_many(u64::from(read.units));
            counters
                .max_resource_units_in_window
                .raise_to(read.session.app.record_spent(read.units, self.at));
        }
        let (client_key, names) = (read.session.app.client_key(), read.names.iter().copied());
        let injection =
            self.live.faults.inject(read.endpoint, &client_key, names, self.serials(read.session));
        let delay = latency + injection.delay;
        let reply = match injection.rule {
            None => Reply::Answer(normal),
            Some(rule) => {
                self.state.recorder.counters.faults.add();
                self.apply_fault(rule, read.sent, (read.session, QuotaScope::Reads), normal, delay)
            }
        };
        Decision { reply, effect: false, delay }
    }

    /// Counts a read against its quota. Returns how long it must wait, if it must.
    fn admit_read(&self, read: &ReadCall<'_>) -> Option<Duration> {
        let config = &self.live.config;
        let (clock, quota) = (&self.state.clock, &config.quota);
        let (compliance, wait) = read.session.app.admit_read(read.units, self.at, clock, quota, config.grace);
        let counters = &self.state.recorder.counters;
        if compliance == WaitCompliance::Early {
            counters.early_reads.add();
            self.state.recorder.record_violation(self.at, "early_read", read.sent);
        }
        if wait.is_some() {
            counters.throttled_reads.add();
        }
        wait
    }
}

/// The cost of a read: one unit less with `$select`, one more with `$expand`, one less for a small page. Only what is
/// free stays free.
fn units(resource: &Resource, query: Option<&str>) -> u32 {
    let Ok(query) = ODataQuery::parse(query) else { return resource.units() };
    let less = match (resource, &query.select) {
        // With `$select` the cost is 2 and not 5.
        (Resource::ByIds, Some(_)) => 3,
        (_, Some(_)) => 1,
        (_, None) => 0,
    };
    let small = u32::from(query.top.is_some_and(|top| top < 20));
    let more = u32::from(query.expand.is_some());
    (resource.units() + more).saturating_sub(less + small).max(resource.units().min(1))
}
