//! Reads: sign-in, then the quota of resource units, then what there is (or a permission is missing), then faults.

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::answer::GraphError;
use super::body::Body;
use super::directory;
use super::fault::Endpoint;
use super::graph::{Call, Decision};
use super::odata::Query;
use super::permission::Act;
use super::resource::Resource;
use super::route::Whom;
use super::session::Session;
use super::throttle::{Patience, Scope};
use super::world::Reply;

const RESOURCE_UNIT: HeaderName = HeaderName::from_static("x-ms-resource-unit");

/// A read that has come past sign-in, and by what faults know it.
pub(super) struct Read<'a> {
    pub(super) session: &'a Session,
    pub(super) endpoint: Endpoint,
    /// Its names, in lower case; it is counted by the first.
    pub(super) names: Vec<&'a str>,
    /// What a 404 calls it.
    pub(super) sent: &'a str,
    /// Resource units.
    pub(super) units: u32,
}

impl Call<'_> {
    /// Reads a user.
    pub(super) fn read_user(&self, whom: Whom) -> Decision {
        let session = match self.session() {
            Ok(session) => session,
            Err(error) => return self.unauthorized(&error, "GET"),
        };
        let act = if whom == Whom::Me { Act::ReadMe } else { Act::ReadUsers };
        let user = match self.who(whom, Some(&session)) {
            Ok(user) => user,
            Err(error) => return Decision::answer(self.marks.error(&error), self.live.latency()),
        };
        let names = user.names().collect();
        let read = Read { session: &session, endpoint: Endpoint::Read, names, sent: &user.sent, units: 1 };
        self.consult(&read, || directory::user(self, &session, act, &user))
    }

    /// Reads something else of the directory.
    pub(super) fn browse(&self, resource: &Resource) -> Decision {
        let session = match self.session() {
            Ok(session) => session,
            Err(error) => return self.unauthorized(&error, "GET"),
        };
        let below = self.path.trim_start_matches('/').split_once('/').map_or("", |(_, below)| below);
        let name = percent_encoding::percent_decode_str(below).decode_utf8_lossy().to_lowercase();
        let units = units(resource, self.query);
        let (endpoint, names) = (Endpoint::Directory, vec![name.as_str()]);
        let read = Read { session: &session, endpoint, names, sent: &name, units };
        self.consult(&read, || directory::browse(self, &session, resource))
    }

    /// Takes a read through quotas and faults; `usual` is what there is.
    pub(super) fn consult(
        &self,
        read: &Read<'_>,
        usual: impl FnOnce() -> Result<Response<Body>, GraphError>,
    ) -> Decision {
        let latency = self.live.latency();
        self.world.recorder.counters.reads.add();
        if let Some(wait) = self.admit_read(read) {
            return Decision::answer(self.throttled(read.session, Scope::Reads, wait, latency), latency);
        }
        let usual = match usual() {
            Ok(mut response) => {
                // What is counted apart says nothing of units.
                match read.units {
                    0 => response.headers_mut().remove(RESOURCE_UNIT),
                    units => response.headers_mut().insert(RESOURCE_UNIT, HeaderValue::from(units)),
                };
                response
            }
            Err(error) => self.marks.error(&error),
        };
        // Measured by a third party: neither a bad request nor a forbidden one costs anything.
        if matches!(usual.status(), StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN) {
            read.session.app.give_back(read.units);
        } else {
            let counters = &self.world.recorder.counters;
            counters.resource_units.add_many(u64::from(read.units));
            counters.max_resource_units_in_window.raise(read.session.app.spend(read.units, self.at));
        }
        let (party, names) = (read.session.app.party(), read.names.iter().copied());
        let fortune = self.live.faults.strike(read.endpoint, &party, names, self.serials(read.session));
        let delay = latency + fortune.delay;
        let reply = match fortune.rule {
            None => Reply::Answer(usual),
            Some(rule) => {
                self.world.recorder.counters.faults.add();
                self.inflict(rule, read.sent, (read.session, Scope::Reads), usual, delay)
            }
        };
        Decision { reply, effect: false, delay }
    }

    /// Counts a read against its quota; how long it must wait, if it must.
    fn admit_read(&self, read: &Read<'_>) -> Option<Duration> {
        let config = &self.live.config;
        let (clock, quota) = (&self.world.clock, &config.quota);
        let (patience, wait) = read.session.app.admit_read(read.units, self.at, clock, quota, config.grace);
        let counters = &self.world.recorder.counters;
        if patience == Patience::Early {
            counters.early_reads.add();
            self.world.recorder.violation(self.at, "early_read", read.sent);
        }
        if wait.is_some() {
            counters.throttled_reads.add();
        }
        wait
    }
}

/// What a read costs: `$select` makes it cheaper by one, `$expand` dearer, a small page cheaper, and nothing is for
/// nothing.
fn units(resource: &Resource, query: Option<&str>) -> u32 {
    let Ok(query) = Query::read(query) else { return resource.units() };
    let less = match (resource, &query.select) {
        // Two instead of five.
        (Resource::ByIds, Some(_)) => 3,
        (_, Some(_)) => 1,
        (_, None) => 0,
    };
    let small = u32::from(query.top.is_some_and(|top| top < 20));
    let more = u32::from(query.expand.is_some());
    (resource.units() + more).saturating_sub(less + small).max(resource.units().min(1))
}
