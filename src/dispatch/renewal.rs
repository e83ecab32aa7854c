//! Renewing the access token beside the work: ahead of its end, and once after a 401.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::graph::Graph;
use crate::identity::{SignInError, TokenAge};

/// After a renewal that failed while the token is still good, this long until the next one.
const AGAIN_AFTER: Duration = Duration::from_secs(15);

/// How the token stands in this run.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    under_way: Option<UnderWay>,
    /// The token made after a 401, as long as Graph has not taken it.
    unproved: Option<u64>,
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct UnderWay {
    task: JoinHandle<Result<(), SignInError>>,
    stale: u64,
    /// The old token is over or refused: nothing is sent until this is done.
    holds: bool,
    after_401: bool,
}

impl UnderWay {
    /// Whether its token will do after a 401 for the token `serial`: one that was begun ahead of time knows
    /// nothing of a challenge's claims, and one in place of an earlier token is over and only not noticed yet.
    fn serves(&self, serial: u64, claims: Option<&String>) -> bool {
        self.stale == serial && (self.after_401 || claims.is_none())
    }
}

/// How a renewal ended.
#[derive(Debug)]
pub(super) enum Renewed {
    /// There is a new token.
    Token,
    /// It failed, and the old token is still good.
    NotYet,
    /// It failed, and there is no good token.
    Failed(SignInError),
}

impl Renewal {
    /// Starts a renewal where the token grows old.
    pub(super) fn ahead<G: Graph>(&mut self, graph: &Arc<G>) {
        let token = graph.token();
        match token.age {
            TokenAge::Fresh => {}
            TokenAge::Ended => match &mut self.under_way {
                Some(under_way) => under_way.holds = true,
                None => self.start(graph, token.serial, None, true, false),
            },
            TokenAge::Aging => {
                let waits = self.not_before.is_some_and(|at| Instant::now() < at);
                if self.under_way.is_none() && !waits {
                    self.start(graph, token.serial, None, false, false);
                }
            }
        }
    }

    /// Graph refused the token `serial`. False where a fresh token was refused as well: then there is no help.
    pub(super) fn answer_401<G: Graph>(
        &mut self,
        graph: &Arc<G>,
        serial: u64,
        claims: Option<String>,
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
            _ => self.start(graph, serial, claims, true, true),
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
        stale: u64,
        claims: Option<String>,
        holds: bool,
        after_401: bool,
    ) {
        if let Some(superseded) = self.under_way.take() {
            superseded.task.abort();
        }
        let graph = Arc::clone(graph);
        let task = tokio::spawn(async move { graph.renew(stale, claims).await });
        self.under_way = Some(UnderWay { task, stale, holds, after_401 });
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether requests must wait for the new token.
    pub(super) fn holds_sending(&self) -> bool {
        self.under_way.as_ref().is_some_and(|under_way| under_way.holds)
    }

    /// Waits for the renewal under way. Safe to drop and to call again.
    pub(super) async fn done<G: Graph>(&mut self, graph: &Arc<G>) -> Renewed {
        let Some(under_way) = &mut self.under_way else { return pending().await };
        let result = (&mut under_way.task).await;
        let Some(under_way) = self.under_way.take() else { return Renewed::NotYet };
        match result {
            Ok(Ok(())) => {
                if under_way.after_401 {
                    self.unproved = Some(graph.token().serial);
                }
                Renewed::Token
            }
            Ok(Err(error)) if under_way.holds => Renewed::Failed(error),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the token could not be renewed yet");
                self.not_before = Some(Instant::now() + AGAIN_AFTER);
                Renewed::NotYet
            }
            Err(_) => Renewed::Failed(SignInError::Broken),
        }
    }
}
