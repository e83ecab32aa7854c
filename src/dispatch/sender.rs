//! One app in one tenant: its credential, its token, its pacer.

use std::sync::Arc;

use super::PacingSettings;
use super::pacer::Pacer;
use super::renewal::{Renewals, RunningRenewal, SenderId};
use super::shared::AppLimitId;
use super::width::BatchLinger;
use crate::graph::Graph;

/// So many 403s in a row that other apps did not get for the same users mean that an app lost its permission.
const CONTRADICTED: u32 = 3;

/// An app that sends in a tenant.
pub struct SendingApp<G> {
    /// Its way to Graph.
    pub graph: Arc<G>,
    /// The app's id, for the journal, where more than one sends.
    pub id: Option<Arc<str>>,
    /// Which of the run's limits over all tenants holds for it, if one does.
    pub everywhere: Option<AppLimitId>,
}

/// The same, at work.
pub(super) struct Sender<G> {
    pub(super) graph: Arc<G>,
    pub(super) id: Option<Arc<str>>,
    pub(super) everywhere: Option<AppLimitId>,
    pub(super) pacer: Pacer,
    pub(super) renewal: RunningRenewal,
    /// Since when users wait for others to share their request.
    pub(super) gathering: Option<BatchLinger>,
    /// It sends nothing any more.
    pub(super) is_dropped: bool,
    /// 403s in a row that another app did not get.
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

    /// Whether it may send as far as its token is concerned; an old one is renewed beside the work.
    pub(super) fn has_token(&mut self, whose: SenderId, renewals: &mut Renewals) -> bool {
        self.renewal.ahead(&self.graph, whose, renewals);
        !self.renewal.holds_sending()
    }

    /// Graph carried something out for it.
    pub(super) fn carried_out(&mut self) {
        self.contradicted = 0;
    }

    /// It got a 403 for a user whom another app then revoked. True where that was once too often.
    pub(super) fn contradicted(&mut self) -> bool {
        self.contradicted += 1;
        self.contradicted >= CONTRADICTED
    }
}
