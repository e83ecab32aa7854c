//! Tokens that are refused or grow old, and apps that can send nothing more.

use tokio::task::JoinError;
use tokio::time::Instant;

use super::live::ActiveTarget;
use super::renewal::{self, RenewalResult, SenderId};
use super::sender::Sender;
use super::{Dispatcher, now};
use crate::event::{Event, StopReason};
use crate::graph::Graph;
use crate::identity::SignInError;

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    pub(super) fn sender(&mut self, whose: SenderId) -> &mut Sender<G> {
        &mut self.lanes[whose.lane].senders[whose.sender]
    }

    /// A 401: one fresh token for all, and another try with it. Refused again, the app sends nothing more.
    pub(super) fn take_unauthorized(
        &mut self,
        whose: SenderId,
        mut live: ActiveTarget,
        token: u64,
        claims: Option<String>,
    ) {
        let again = live.unauthorized.is_some_and(|before| before != token);
        let challenged = claims.is_some();
        let sender = &mut self.lanes[whose.lane].senders[whose.sender];
        let graph = sender.graph.clone();
        let renewing =
            !again && sender.renewal.answer_401(&graph, whose, &mut self.renewals, (token, claims));
        if !renewing {
            let detail = live.last.detail.clone();
            let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
            let why = if challenged {
                SignInError::ChallengedAgain { detail }
            } else {
                SignInError::Refused { detail }
            };
            self.drop_sender(whose, StopReason::SignIn { detail: why.to_string() });
        }
        live.unauthorized = Some(token);
        live.give_try_back();
        self.record_answered(&live);
        self.lanes[whose.lane].queue.requeue(live);
    }

    pub(super) fn take_renewed(&mut self, joined: renewal::JoinedRenewal) {
        let renewed = match joined {
            Ok((id, (whose, result))) => {
                let sender = self.sender(whose);
                let graph = sender.graph.clone();
                sender.renewal.is(id).then(|| (whose, sender.renewal.on_ended(&graph, result)))
            }
            // One that was superseded was called off.
            Err(error) if error.is_cancelled() => None,
            Err(error) => self.broke_down(&error),
        };
        let Some((whose, renewed)) = renewed else { return };
        match renewed {
            RenewalResult::Token => {
                let scope = self.scope(whose.lane, Some(whose.sender));
                self.recorder.note(Event::Renewed { at: now(), scope });
            }
            RenewalResult::NotYet => {}
            RenewalResult::Failed(error) => {
                self.drop_sender(whose, StopReason::SignIn { detail: error.to_string() })
            }
        }
        self.schedule.at(whose.lane, Instant::now());
        self.recorder.write_and_sync();
    }

    fn broke_down(&mut self, error: &JoinError) -> Option<(SenderId, RenewalResult)> {
        let all = self.lanes.iter_mut().enumerate();
        let mut all = all.flat_map(|(lane, working)| {
            let senders = working.senders.iter_mut().enumerate();
            senders.map(move |(sender, working)| (SenderId { lane, sender }, working))
        });
        let (whose, sender) = all.find(|(_, sender)| sender.renewal.is(error.id()))?;
        Some((whose, sender.renewal.broke_down(error)))
    }

    /// An app can send nothing more: its work goes to the tenant's others, and where there is none, the tenant stops.
    pub(super) fn drop_sender(&mut self, whose: SenderId, why: StopReason) {
        let SenderId { lane, sender } = whose;
        if self.lanes[lane].senders[sender].is_dropped {
            return;
        }
        if self.lanes[lane].working().all(|other| other == sender) {
            return self.stop_lane(lane, why);
        }
        self.lanes[lane].drop_sender(sender);
        let scope = self.scope(lane, Some(sender));
        self.recorder.note(Event::Dropped { at: now(), scope, why });
        // The others may all be throttled for longer than is worth waiting.
        self.check_waits();
    }
}
