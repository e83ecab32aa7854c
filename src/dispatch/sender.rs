//! One app in one tenant: its credential, its token, its pacer.

use std::sync::Arc;

use super::PacingSettings;
use super::app_wide_limits::AppLimitId;
use super::concurrency_limit::BatchLinger;
use super::pacer::Pacer;
use super::renewal::{Renewals, RunningRenewal, SenderId};
use crate::graph::Graph;

/// The number of 403s in a row, for users whom other apps revoked, that means that an app lost its
/// permission.
const CONTRADICTED: u32 = 3;

/// An app that sends in a tenant.
pub struct SendingApp<G> {
    /// The client for Graph.
    pub graph: Arc<G>,
    /// The app ID for the journal, if several apps send.
    pub id: Option<Arc<str>>,
    /// The app's limit over all tenants, if it has one.
    pub everywhere: Option<AppLimitId>,
}

/// The state of an app during the run.
pub(super) struct Sender<G> {
    pub(super) graph: Arc<G>,
    pub(super) id: Option<Arc<str>>,
    pub(super) everywhere: Option<AppLimitId>,
    pub(super) pacer: Pacer,
    pub(super) renewal: RunningRenewal,
    /// Since when users wait for others to share their request, if they do.
    pub(super) gathering: Option<BatchLinger>,
    /// Whether it sends nothing any more.
    pub(super) is_dropped: bool,
    /// The number of 403s in a row for users whom another app revoked.
    contradicted: u32,
}

impl<G: Graph> Sender<G> {
    pub(super) fn new(app: SendingApp<G>, pacing: &PacingSettings, planned: u64) -> Sender<G> {
        Sender {
            graph: app.graph,
            id: app.id,
            everywhere: app.everywhere,
            pacer: Pacer::new(pacing.app, planned),
            renewal: RunningRenewal::default(),
            gathering: None,
            is_dropped: false,
            contradicted: 0,
        }
    }

    /// Whether its token allows sending. Renews an old token during the run.
    pub(super) fn has_token(&mut self, sender_id: SenderId, renewals: &mut Renewals) -> bool {
        self.renewal.ahead(&self.graph, sender_id, renewals);
        !self.renewal.holds_sending()
    }

    /// Notes that Graph carried out a request of this app.
    pub(super) fn carried_out(&mut self) {
        self.contradicted = 0;
    }

    /// Notes that it got a 403 for a user whom another app then revoked. Returns whether this happened too
    /// often.
    pub(super) fn contradicted(&mut self) -> bool {
        self.contradicted += 1;
        self.contradicted >= CONTRADICTED
    }
}
