//! Renews the access token during the run: before it expires, and once after a 401.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::graph::Graph;
use crate::identity::{SignInError, TokenAge};

/// The time until the next renewal, if one failed while the token is still valid.
const AGAIN_AFTER: Duration = Duration::from_secs(15);

/// The running renewals of all apps: the sender of each, and its result.
pub(super) type Renewals = JoinSet<(SenderId, Result<(), SignInError>)>;

/// A renewal that ended, and the ID of its task.
pub(super) type JoinedRenewal = Result<(Id, (SenderId, Result<(), SignInError>)), JoinError>;

/// An app of a tenant, both by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SenderId {
    pub(super) lane: usize,
    pub(super) sender: usize,
}

/// The renewal state of an app's token.
#[derive(Debug, Default)]
pub(super) struct RunningRenewal {
    under_way: Option<RenewalsInFlight>,
    /// The token from the renewal after a 401, until Graph accepts it.
    unproved: Option<u64>,
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct RenewalsInFlight {
    id: Id,
    task: AbortHandle,
    stale: u64,
    /// Whether the old token has expired or was refused, so that nothing is sent until this ends.
    holds: bool,
    after_401: bool,
}

impl RenewalsInFlight {
    /// Whether the new token will do after a 401 for the token `serial`. A renewal that started ahead of time
    /// does not have the claims of a challenge. A renewal of an earlier token has ended and only has not been
    /// noticed yet.
    fn serves(&self, serial: u64, claims: Option<&String>) -> bool {
        self.stale == serial && (self.after_401 || claims.is_none())
    }
}

/// The result of a renewal.
#[derive(Debug)]
pub(super) enum RenewalResult {
    /// There is a new token.
    Token,
    /// It failed, but the old token is still valid.
    NotYet,
    /// It failed, and there is no valid token.
    Failed(SignInError),
}

impl RunningRenewal {
    /// Starts a renewal if the token is about to expire.
    pub(super) fn ahead<G: Graph>(&mut self, graph: &Arc<G>, sender_id: SenderId, renewals: &mut Renewals) {
        let token = graph.token();
        match token.age {
            TokenAge::Fresh => {}
            TokenAge::Expired => match &mut self.under_way {
                Some(under_way) => under_way.holds = true,
                None => self.start(graph, sender_id, renewals, PendingRenewal::ahead(token.serial, true)),
            },
            TokenAge::Aging => {
                let waits = self.not_before.is_some_and(|at| Instant::now() < at);
                if self.under_way.is_none() && !waits {
                    self.start(graph, sender_id, renewals, PendingRenewal::ahead(token.serial, false));
                }
            }
        }
    }

    /// Handles a 401 for the token `serial`. Returns `false` if it was a fresh token, because another renewal
    /// would not help.
    pub(super) fn on_unauthorized<G: Graph>(
        &mut self,
        graph: &Arc<G>,
        sender_id: SenderId,
        renewals: &mut Renewals,
        (serial, claims): (u64, Option<String>),
    ) -> bool {
        if self.unproved == Some(serial) {
            return false;
        }
        if graph.token().serial != serial {
            return true;
        }
        match &mut self.under_way {
            Some(under_way) if under_way.serves(serial, claims.as_ref()) => {
                under_way.holds = true;
                under_way.after_401 = true;
            }
            _ => {
                let wanted = PendingRenewal { stale: serial, claims, holds: true, after_401: true };
                self.start(graph, sender_id, renewals, wanted);
            }
        }
        true
    }

    /// Notes that Graph accepted the token `serial`.
    pub(super) fn proved(&mut self, serial: u64) {
        if self.unproved.is_some_and(|unproved| unproved <= serial) {
            self.unproved = None;
        }
    }

    fn start<G: Graph>(
        &mut self,
        graph: &Arc<G>,
        sender_id: SenderId,
        renewals: &mut Renewals,
        wanted: PendingRenewal,
    ) {
        if let Some(superseded) = self.under_way.take() {
            superseded.task.abort();
        }
        let PendingRenewal { stale, claims, holds, after_401 } = wanted;
        let graph = Arc::clone(graph);
        let task = renewals.spawn(async move { (sender_id, graph.renew(stale, claims).await) });
        self.under_way = Some(RenewalsInFlight { id: task.id(), task, stale, holds, after_401 });
    }

    /// Whether this is the running renewal, and not one that was superseded.
    pub(super) fn is(&self, id: Id) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.id == id)
    }

    /// Whether requests must wait for the new token.
    pub(super) fn holds_sending(&self) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.holds)
    }

    /// Handles the end of the running renewal.
    pub(super) fn on_ended<G: Graph>(
        &mut self,
        graph: &Arc<G>,
        result: Result<(), SignInError>,
    ) -> RenewalResult {
        let Some(under_way) = self.under_way.take() else { return RenewalResult::NotYet };
        match result {
            Ok(()) => {
                if under_way.after_401 {
                    self.unproved = Some(graph.token().serial);
                }
                RenewalResult::Token
            }
            Err(error) if under_way.holds => RenewalResult::Failed(error),
            Err(error) => {
                tracing::warn!(%error, "the token could not be renewed yet");
                self.not_before = Some(Instant::now() + AGAIN_AFTER);
                RenewalResult::NotYet
            }
        }
    }

    /// Handles a panic of the running renewal.
    pub(super) fn on_panic(&mut self, error: &JoinError) -> RenewalResult {
        self.under_way = None;
        tracing::error!(%error, "internal error: the renewal of a token panicked");
        RenewalResult::Failed(SignInError::RenewalFault)
    }
}

/// A renewal that is to be started.
struct PendingRenewal {
    stale: u64,
    claims: Option<String>,
    holds: bool,
    after_401: bool,
}

impl PendingRenewal {
    fn ahead(stale: u64, holds: bool) -> PendingRenewal {
        PendingRenewal { stale, claims: None, holds, after_401: false }
    }
}
