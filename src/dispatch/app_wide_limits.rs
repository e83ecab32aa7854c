//! Limits of apps that work in several tenants: Graph limits each app over all of its tenants together.
//!
//! If such a limit is reached, the tenants wait in line for it and get their turns one by one. So each tenant
//! gets its share, and a turn of the loop only checks the tenant that may send, not all that wait.

use std::collections::{HashSet, VecDeque};

use tokio::time::Instant;

use super::lane::LaneTenant;
use super::pacer::{Pacer, PacerDecision, Permit};
use super::rate::PacingSettings;

/// The limit of an app over all its tenants, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AppLimitId(pub usize);

/// The limits of all apps that work in several tenants.
pub(super) struct AppWideLimits {
    apps: Vec<SharedApp>,
    /// Whose turn it is: the app's limit and the lane.
    called: Option<(usize, usize)>,
}

struct SharedApp {
    pacer: Pacer,
    /// Lanes that wait only for this limit.
    line: VecDeque<usize>,
    in_line: HashSet<usize>,
}

impl AppWideLimits {
    pub(super) fn new<G>(tenants: &[LaneTenant<G>], pacing: &PacingSettings) -> AppWideLimits {
        let mut planned: Vec<u64> = Vec::new();
        for tenant in tenants {
            for AppLimitId(place) in tenant.apps.iter().filter_map(|app| app.everywhere) {
                planned.resize(planned.len().max(place + 1), 0);
                planned[place] += tenant.work.len() as u64;
            }
        }
        let app = |planned| SharedApp {
            pacer: Pacer::new(pacing.everywhere, planned),
            line: VecDeque::new(),
            in_line: HashSet::new(),
        };
        AppWideLimits { apps: planned.into_iter().map(app).collect(), called: None }
    }

    /// How many users of this lane the app's limit allows, or `None` if the lane must wait in line.
    pub(super) fn permit(&mut self, app: AppLimitId, lane: usize, wanted: u32) -> Option<u32> {
        let called = self.called == Some((app.0, lane));
        let app = &mut self.apps[app.0];
        if !called && !app.line.is_empty() {
            return None;
        }
        match app.pacer.permit(wanted) {
            PacerDecision::Go(users) => Some(users),
            PacerDecision::NotBefore(_) | PacerDecision::AfterAnswer => None,
        }
    }

    /// Puts the lane at the end of the line for this app's limit.
    pub(super) fn enqueue_for_app_limit(&mut self, app: AppLimitId, lane: usize) {
        let app = &mut self.apps[app.0];
        if app.in_line.insert(lane) {
            app.line.push_back(lane);
        }
    }

    /// Gives the turn to the next lane, if an app may send. The turn lasts until
    /// [`turn_is_over`](Self::turn_is_over).
    pub(super) fn next_lane(&mut self) -> Option<usize> {
        let may_send = |app: &mut SharedApp| matches!(app.pacer.permit(1), PacerDecision::Go(_));
        let mut lines = self.apps.iter_mut().enumerate();
        let (place, app) = lines.find_map(|(place, app)| {
            let calls = !app.line.is_empty() && may_send(app);
            calls.then_some((place, app))
        })?;
        let lane = app.line.pop_front()?;
        app.in_line.remove(&lane);
        self.called = Some((place, lane));
        Some(lane)
    }

    pub(super) fn turn_is_over(&mut self) {
        self.called = None;
    }

    /// When the next lane may get its turn, as far as this depends on time.
    pub(super) fn next(&mut self) -> Option<Instant> {
        let lines = self.apps.iter_mut().filter(|app| !app.line.is_empty());
        let at = |app: &mut SharedApp| match app.pacer.permit(1) {
            PacerDecision::NotBefore(at) => Some(at),
            PacerDecision::Go(_) => Some(Instant::now()),
            PacerDecision::AfterAnswer => None,
        };
        lines.filter_map(at).min()
    }

    /// Counts users whose request leaves.
    pub(super) fn depart(&mut self, app: AppLimitId, users: u32) -> Permit {
        self.apps[app.0].pacer.depart(users)
    }

    pub(super) fn pacer(&self, app: AppLimitId) -> &Pacer {
        &self.apps[app.0].pacer
    }

    pub(super) fn pacer_mut(&mut self, app: AppLimitId) -> &mut Pacer {
        &mut self.apps[app.0].pacer
    }

    pub(super) fn pacers(&self) -> impl ExactSizeIterator<Item = &Pacer> {
        self.apps.iter().map(|app| &app.pacer)
    }
}
