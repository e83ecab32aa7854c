//! What leaves, and in which order: `sent` lines first, then the requests.

use std::sync::Arc;

use tokio::time::Instant;

use super::lane::LaneStep;
use super::live::ActiveTarget;
use super::renewal::SenderId;
use super::{DispatchedAttempt, Dispatcher, InFlightRequest, forecast, now};
use crate::event::{Event, SentEvent, StopReason};
use crate::graph::{BatchRequest, Graph};

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// Launches all that may leave now; gives the instant at which to look again.
    pub(super) fn launch(&mut self) -> Option<Instant> {
        let now = Instant::now();
        self.check_deadline(now);
        while self.stop.is_none()
            && let Some(lane) = self.whose_turn(now)
        {
            self.schedule_lane(lane, now);
        }
        self.depart();
        self.tell_forecast(now);
        self.next_look()
    }

    /// Whose instant has come, or else who is called from the line of an app.
    fn whose_turn(&mut self, now: Instant) -> Option<usize> {
        self.schedule.due(now).or_else(|| self.shared.call())
    }

    /// Sends one request in a lane, if one may leave; else the lane says when to look again.
    fn schedule_lane(&mut self, lane: usize, now: Instant) {
        let step = self.lanes[lane].step(lane, &mut self.shared, &mut self.renewals, now);
        self.shared.turn_is_over();
        match step {
            LaneStep::Leave { sender, lives } => {
                self.stage(SenderId { lane, sender }, lives, now);
                self.schedule.has_sent(lane);
                self.schedule.at(lane, now);
            }
            LaneStep::Rest { until: Some(until) } => self.schedule.at(lane, until),
            LaneStep::Rest { until: None } => {}
        }
    }

    fn next_look(&mut self) -> Option<Instant> {
        if self.stop.is_some() {
            return None;
        }
        let deadline = self.deadline.filter(|_| self.is_left());
        [self.schedule.next(), self.shared.next(), self.forecast.next(), deadline].into_iter().flatten().min()
    }

    /// Counts a request for these targets and gathers their `sent` lines.
    fn stage(&mut self, whose: SenderId, mut lives: Vec<ActiveTarget>, left: Instant) {
        let SenderId { lane, sender } = whose;
        let counted = self.lanes[lane].depart(sender, lives.len() as u32, &mut self.shared);
        let app_id = self.lanes[lane].senders[sender].id.clone();
        let at = now();
        let mut requests = Vec::with_capacity(lives.len());
        for live in &mut lives {
            let user = self.targets[live.work.order as usize - 1].user.clone();
            let text = user.to_string();
            let request = live.depart(user);
            live.work.first_sent_at.get_or_insert(at);
            self.recorder.note(Event::Sent(SentEvent {
                at,
                target: live.work.order,
                user: text,
                attempt: live.work.attempts,
                client_request_id: request.client_request_id,
                app_id: app_id.clone(),
            }));
            requests.push(request);
        }
        let departed = DispatchedAttempt { whose, counted, at: left };
        self.staged.push((InFlightRequest { departed, lives }, requests));
    }

    /// Writes the gathered lines, then lets the requests go; never the other way round.
    fn depart(&mut self) {
        let written = self.recorder.write();
        for (flight, requests) in std::mem::take(&mut self.staged) {
            if written {
                self.spawn_request(flight, requests);
            } else {
                self.take_back(flight);
            }
        }
    }

    fn spawn_request(&mut self, flight: InFlightRequest, mut requests: Vec<BatchRequest>) {
        let graph = Arc::clone(&self.sender(flight.departed.whose).graph);
        let handle = match (requests.len(), requests.pop()) {
            (1, Some(only)) => self.workers.spawn(async move { vec![graph.revoke(only).await] }),
            (_, last) => {
                requests.extend(last);
                self.workers.spawn(async move { graph.revoke_batch(requests).await })
            }
        };
        self.in_flight.insert(handle.id(), flight);
    }

    /// A request did not leave after all.
    fn take_back(&mut self, flight: InFlightRequest) {
        let InFlightRequest { departed, lives } = flight;
        let lane = departed.whose.lane;
        self.lanes[lane].width.taken_back();
        for mut live in lives {
            self.on_no_answer(departed);
            live.take_back();
            self.lanes[lane].queue.requeue(live);
        }
    }

    /// Ends the sending at the deadline, and before it where all gates stay closed beyond: nothing could leave.
    fn check_deadline(&mut self, now: Instant) {
        let Some(deadline) = self.deadline.filter(|_| self.stop.is_none()) else { return };
        if !self.is_left() {
            return;
        }
        let detail = if now >= deadline {
            "sending ended; what was in flight was waited for"
        } else if self.all_closed_beyond(deadline) {
            "Graph asked to wait until after it, so nothing more could be sent"
        } else {
            return;
        };
        self.stop(StopReason::Deadline { detail: detail.to_owned() });
    }

    /// Whether Graph asked all lanes that have anything left to wait so long.
    fn all_closed_beyond(&mut self, deadline: Instant) -> bool {
        let all = (self.left_at..self.lanes.len()).chain(0..self.left_at);
        let open = { all }.find(|lane| {
            let lane = &mut self.lanes[*lane];
            lane.is_left() && lane.asked_until(&self.shared).is_none_or(|until| until < deadline)
        });
        self.left_at = open.unwrap_or(self.left_at);
        open.is_none()
    }

    /// Publishes how long the rest will take.
    fn tell_forecast(&mut self, now: Instant) {
        if self.forecast.is_due(now) {
            let left = forecast::forecast_all(&self.lanes, &self.shared);
            self.forecast.publish(now, left, self.lanes.len());
        }
    }
}
