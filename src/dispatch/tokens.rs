//! Tokens that are refused or expire, and apps that can't send any more.

use tokio::task::JoinError;
use tokio::time::Instant;

use super::active_target::ActiveTarget;
use super::renewal::{self, RenewalResult, SenderId};
use super::sender::Sender;
use super::{Dispatcher, now};
use crate::event::{Event, StopReason};
use crate::graph::Graph;
use crate::identity::SignInError;

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    pub(super) fn sender(&mut self, sender_id: SenderId) -> &mut Sender<G> {
        &mut self.lanes[sender_id.lane].senders[sender_id.sender]
    }

    /// Handles a 401: gets one new token for all requests, and tries again. If that token is refused, too,
    /// the app sends nothing more.
    pub(super) fn take_unauthorized(
        &mut self,
        sender_id: SenderId,
        mut active: ActiveTarget,
        token: u64,
        claims: Option<String>,
    ) {
        let again = active.unauthorized.is_some_and(|before| before != token);
        let challenged = claims.is_some();
        let sender = &mut self.lanes[sender_id.lane].senders[sender_id.sender];
        let graph = sender.graph.clone();
        let renewing =
            !again && sender.renewal.on_unauthorized(&graph, sender_id, &mut self.renewals, (token, claims));
        if !renewing {
            let detail = active.last.detail.clone();
            let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
            let why = if challenged {
                SignInError::ChallengedAgain { detail }
            } else {
                SignInError::Refused { detail }
            };
            self.drop_sender(sender_id, StopReason::SignIn { detail: why.to_string() });
        }
        active.unauthorized = Some(token);
        active.refund_try();
        self.record_answered(&active);
        self.lanes[sender_id.lane].queue.requeue(active);
    }

    pub(super) fn take_renewed(&mut self, joined: renewal::JoinedRenewal) {
        let renewed = match joined {
            Ok((id, (sender_id, result))) => {
                let sender = self.sender(sender_id);
                let graph = sender.graph.clone();
                sender.renewal.is(id).then(|| (sender_id, sender.renewal.on_ended(&graph, result)))
            }
            // A superseded renewal was cancelled.
            Err(error) if error.is_cancelled() => None,
            Err(error) => self.broke_down(&error),
        };
        let Some((sender_id, renewed)) = renewed else { return };
        match renewed {
            RenewalResult::Token => {
                let scope = self.scope(sender_id.lane, Some(sender_id.sender));
                self.recorder.note(Event::Renewed { at: now(), scope });
            }
            RenewalResult::NotYet => {}
            RenewalResult::Failed(error) => {
                self.drop_sender(sender_id, StopReason::SignIn { detail: error.to_string() })
            }
        }
        self.schedule.at(sender_id.lane, Instant::now());
        self.recorder.write_and_sync();
    }

    fn broke_down(&mut self, error: &JoinError) -> Option<(SenderId, RenewalResult)> {
        let all = self.lanes.iter_mut().enumerate();
        let mut all = all.flat_map(|(lane, working)| {
            let senders = working.senders.iter_mut().enumerate();
            senders.map(move |(sender, working)| (SenderId { lane, sender }, working))
        });
        let (sender_id, sender) = all.find(|(_, sender)| sender.renewal.is(error.id()))?;
        Some((sender_id, sender.renewal.on_panic(error)))
    }

    /// Stops an app that can't send any more. Its work goes to the tenant's other apps. If there are none,
    /// the tenant stops.
    pub(super) fn drop_sender(&mut self, sender_id: SenderId, why: StopReason) {
        let SenderId { lane, sender } = sender_id;
        if self.lanes[lane].senders[sender].is_dropped {
            return;
        }
        if self.lanes[lane].active_senders().all(|other| other == sender) {
            return self.stop_lane(lane, why);
        }
        self.lanes[lane].drop_sender(sender);
        let scope = self.scope(lane, Some(sender));
        self.recorder.note(Event::Dropped { at: now(), scope, why });
        // The others may all be throttled for longer than the maximum wait.
        self.check_waits();
    }
}
