//! Renewing the access token beside the work: ahead of its end, and once after a 401.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::graph::Graph;
use crate::identity::{SignInError, TokenAge};

/// After a renewal that failed while the token is still good, this long until the next one.
const AGAIN_AFTER: Duration = Duration::from_secs(15);

/// The renewals under way of all apps: whose each is, and how it ended.
pub(super) type Renewals = JoinSet<(SenderId, Result<(), SignInError>)>;

/// A renewal that came to its end, and which task it was.
pub(super) type JoinedRenewal = Result<(Id, (SenderId, Result<(), SignInError>)), JoinError>;

/// An app of a tenant, by their places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SenderId {
    pub(super) lane: usize,
    pub(super) sender: usize,
}

/// How an app's token stands in this run.
#[derive(Debug, Default)]
pub(super) struct RunningRenewal {
    under_way: Option<RenewalsInFlight>,
    /// The token made after a 401, as long as Graph has not taken it.
    unproved: Option<u64>,
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct RenewalsInFlight {
    id: Id,
    task: AbortHandle,
    stale: u64,
    /// The old token is over or refused: nothing is sent until this is done.
    holds: bool,
    after_401: bool,
}

impl RenewalsInFlight {
    /// Whether its token will do after a 401 for the token `serial`: one that was begun ahead of time knows
    /// nothing of a challenge's claims, and one in place of an earlier token is over and only not noticed yet.
    fn serves(&self, serial: u64, claims: Option<&String>) -> bool {
        self.stale == serial && (self.after_401 || claims.is_none())
    }
}

/// How a renewal ended.
#[derive(Debug)]
pub(super) enum RenewalResult {
    /// There is a new token.
    Token,
    /// It failed, and the old token is still good.
    NotYet,
    /// It failed, and there is no good token.
    Failed(SignInError),
}

impl RunningRenewal {
    /// Starts a renewal where the token grows old.
    pub(super) fn ahead<G: Graph>(&mut self, graph: &Arc<G>, whose: SenderId, renewals: &mut Renewals) {
        let token = graph.token();
        match token.age {
            TokenAge::Fresh => {}
            TokenAge::Expired => match &mut self.under_way {
                Some(under_way) => under_way.holds = true,
                None => self.start(graph, whose, renewals, PendingRenewal::ahead(token.serial, true)),
            },
            TokenAge::Aging => {
                let waits = self.not_before.is_some_and(|at| Instant::now() < at);
                if self.under_way.is_none() && !waits {
                    self.start(graph, whose, renewals, PendingRenewal::ahead(token.serial, false));
                }
            }
        }
    }

    /// Graph refused the token `serial`. False where a fresh token was refused as well: then there is no help.
    pub(super) fn answer_401<G: Graph>(
        &mut self,
        graph: &Arc<G>,
        whose: SenderId,
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
                self.start(graph, whose, renewals, wanted);
            }
        }
        true
    }

    /// Graph took the token `serial`.
    pub(super) fn proved(&mut self, serial: u64) {
        if self.unproved.is_some_and(|unproved| unproved <= serial) {
            self.unproved = None;
        }
    }

    fn start<G: Graph>(
        &mut self,
        graph: &Arc<G>,
        whose: SenderId,
        renewals: &mut Renewals,
        wanted: PendingRenewal,
    ) {
        if let Some(superseded) = self.under_way.take() {
            superseded.task.abort();
        }
        let PendingRenewal { stale, claims, holds, after_401 } = wanted;
        let graph = Arc::clone(graph);
        let task = renewals.spawn(async move { (whose, graph.renew(stale, claims).await) });
        self.under_way = Some(RenewalsInFlight { id: task.id(), task, stale, holds, after_401 });
    }

    /// Whether this is the renewal under way, and not one that was superseded.
    pub(super) fn is(&self, id: Id) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.id == id)
    }

    /// Whether requests must wait for the new token.
    pub(super) fn holds_sending(&self) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.holds)
    }

    /// Takes the end of the renewal under way.
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

    /// The renewal under way broke down.
    pub(super) fn broke_down(&mut self, error: &JoinError) -> RenewalResult {
        self.under_way = None;
        tracing::error!(%error, "a token's renewal broke down");
        RenewalResult::Failed(SignInError::RenewalFault)
    }
}

/// A renewal that is to begin.
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
