//! The progress of each tenant, if a run has several.

use std::sync::Arc;

use jiff::Timestamp;

use crate::event::{Event, StopReason, TenantIndex};
use crate::outcome::Outcome;
use crate::plan::Target;
use crate::text::humanize;

/// The progress of all tenants.
#[derive(Clone, Debug)]
pub struct TenantTable {
    targets: Arc<[Target]>,
    tenants: Vec<TenantProgress>,
}

/// The progress of one tenant.
#[derive(Clone, Debug, Default)]
struct TenantProgress {
    remaining: u32,
    /// Until when Graph asked to wait.
    waiting_until: Option<Timestamp>,
    /// Nothing more is sent there.
    failed: bool,
}

impl TenantTable {
    /// The table of a run with these users left (target numbers); `None` if there is only one tenant.
    pub fn new(
        tenants: usize,
        targets: &Arc<[Target]>,
        outstanding: impl Iterator<Item = u32>,
    ) -> Option<TenantTable> {
        if tenants < 2 {
            return None;
        }
        let mut each = vec![TenantProgress::default(); tenants];
        for order in outstanding {
            if let Some(tenant) =
                targets.get(order as usize - 1).and_then(|user| each.get_mut(user.tenant as usize))
            {
                tenant.remaining += 1;
            }
        }
        Some(TenantTable { targets: Arc::clone(targets), tenants: each })
    }

    /// Counts an event; `true` if it is about one tenant alone, and not about the run.
    pub(super) fn add(&mut self, event: &Event) -> bool {
        match event {
            Event::Settled(settled) if settled.outcome != Outcome::NotAttempted => {
                let user = self.targets.get(settled.target as usize - 1);
                if let Some(tenant) = user.and_then(|user| self.tenants.get_mut(user.tenant as usize)) {
                    tenant.remaining = tenant.remaining.saturating_sub(1);
                    tenant.waiting_until = tenant.waiting_until.filter(|_| tenant.remaining > 0);
                }
                false
            }
            Event::Throttled(throttled) => self.update(throttled.event_scope.tenant, |tenant| {
                tenant.waiting_until = tenant.waiting_until.max(Some(throttled.until));
            }),
            Event::Reopened { scope, .. } => self.update(scope.tenant, |tenant| tenant.waiting_until = None),
            Event::Stopping { why, tenant, .. } => self.update(*tenant, |tenant| {
                tenant.failed |= !matches!(why, StopReason::Interrupted);
            }),
            _ => false,
        }
    }

    fn update(&mut self, tenant: Option<TenantIndex>, change: impl FnOnce(&mut TenantProgress)) -> bool {
        let Some(tenant) = tenant else { return false };
        self.tenants.get_mut(tenant as usize).map(change);
        true
    }

    /// `12 of 500 tenants done, 3 wait for Graph, 1 failed`.
    pub(super) fn sentence(&self, now: Timestamp) -> String {
        let count = |is: &dyn Fn(&TenantProgress) -> bool| {
            self.tenants.iter().filter(|tenant| is(tenant)).count() as u64
        };
        let all = self.tenants.len() as u64;
        let done = count(&|tenant| tenant.remaining == 0 && !tenant.failed);
        let wait = count(&|tenant| {
            !tenant.failed && tenant.remaining > 0 && tenant.waiting_until.is_some_and(|until| until > now)
        });
        let failed = count(&|tenant| tenant.failed);
        let mut text = format!("{} of {} tenants done", humanize::count(done), humanize::count(all));
        match wait {
            0 => {}
            1 => text.push_str(", 1 waits for Graph"),
            some => text.push_str(&format!(", {} wait for Graph", humanize::count(some))),
        }
        if failed > 0 {
            text.push_str(&format!(", {} failed", humanize::count(failed)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::test_events::{at, settled, throttled};

    #[test]
    fn tenants_are_done_wait_or_fail() {
        let target = |tenant| Target {
            user: "a@b.com".parse().unwrap(),
            external: None,
            tenant,
            administrator: false,
        };
        let targets: Arc<[Target]> = [0, 0, 1, 2, 3].map(target).into();
        let mut tenants = TenantTable::new(4, &targets, 1..=5).unwrap();
        let mut of = |tenant: u32, event: Event| {
            let event = match event {
                Event::Throttled(mut event) => {
                    event.event_scope.tenant = Some(tenant);
                    Event::Throttled(event)
                }
                event => event,
            };
            tenants.add(&event)
        };
        assert!(!of(0, settled(1, Outcome::Revoked)) && !of(1, settled(3, Outcome::NotFound)));
        assert!(of(0, throttled(at(5_000))) && of(2, throttled(at(1_000))));
        let detail = "no".to_owned();
        assert!(of(3, Event::Stopping { at: at(0), why: StopReason::SignIn { detail }, tenant: Some(3) }));
        assert_eq!(tenants.sentence(at(2_000)), "1 of 4 tenants done, 1 waits for Graph, 1 failed");
        assert_eq!(tenants.sentence(at(0)), "1 of 4 tenants done, 2 wait for Graph, 1 failed");
        assert!(TenantTable::new(1, &targets, 1..=5).is_none());
    }
}
