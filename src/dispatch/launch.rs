//! Launches requests: first writes their `sent` lines, then sends them.

use std::sync::Arc;

use tokio::time::Instant;

use super::active_target::ActiveTarget;
use super::lane::LaneStep;
use super::renewal::SenderId;
use super::{DispatchedAttempt, Dispatcher, InFlightRequest, forecast, now};
use crate::event::{Event, SentEvent, StopReason};
use crate::graph::{BatchRequest, Graph};

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// Launches all requests that may leave now. Returns the instant at which to check again.
    pub(super) fn launch(&mut self) -> Option<Instant> {
        let now = Instant::now();
        self.check_deadline(now);
        while self.stop.is_none()
            && let Some(lane) = self.next_lane(now)
        {
            self.schedule_lane(lane, now);
        }
        self.depart();
        self.tell_forecast(now);
        self.next_look()
    }

    /// The lane whose instant has come, or else the next lane in line for an app's limit.
    fn next_lane(&mut self, now: Instant) -> Option<usize> {
        self.schedule.due(now).or_else(|| self.shared.next_lane())
    }

    /// Sends one request in a lane, if it may. Otherwise, schedules the next check of the lane.
    fn schedule_lane(&mut self, lane: usize, now: Instant) {
        let step = self.lanes[lane].step(lane, &mut self.shared, &mut self.renewals, now);
        self.shared.turn_is_over();
        match step {
            LaneStep::Leave { sender, active_targets } => {
                self.stage(SenderId { lane, sender }, active_targets, now);
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
        let deadline = self.deadline.filter(|_| self.has_work_left());
        [self.schedule.next(), self.shared.next(), self.forecast.next(), deadline].into_iter().flatten().min()
    }

    /// Counts a request for these targets and collects its `sent` lines.
    fn stage(&mut self, sender_id: SenderId, mut active_targets: Vec<ActiveTarget>, left: Instant) {
        let SenderId { lane, sender } = sender_id;
        let counted = self.lanes[lane].depart(sender, active_targets.len() as u32, &mut self.shared);
        let app_id = self.lanes[lane].senders[sender].id.clone();
        let at = now();
        let mut requests = Vec::with_capacity(active_targets.len());
        for active in &mut active_targets {
            let user = self.targets[active.work.order as usize - 1].user.clone();
            let text = user.to_string();
            let request = active.depart(user);
            active.work.first_sent_at.get_or_insert(at);
            self.recorder.note(Event::Sent(SentEvent {
                at,
                target: active.work.order,
                user: text,
                attempt: active.work.attempts,
                client_request_id: request.client_request_id,
                app_id: app_id.clone(),
            }));
            requests.push(request);
        }
        let dispatched = DispatchedAttempt { sender_id, counted, at: left };
        self.staged.push((InFlightRequest { dispatched, active_targets }, requests));
    }

    /// Writes the collected lines, then sends the requests, never in the other order.
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
        let graph = Arc::clone(&self.sender(flight.dispatched.sender_id).graph);
        let handle = match (requests.len(), requests.pop()) {
            (1, Some(only)) => self.workers.spawn(async move { vec![graph.revoke(only).await] }),
            (_, last) => {
                requests.extend(last);
                self.workers.spawn(async move { graph.revoke_batch(requests).await })
            }
        };
        self.in_flight.insert(handle.id(), flight);
    }

    /// Undoes a request that was counted but did not leave.
    fn take_back(&mut self, flight: InFlightRequest) {
        let InFlightRequest { dispatched, active_targets } = flight;
        let lane = dispatched.sender_id.lane;
        self.lanes[lane].width.taken_back();
        for mut active in active_targets {
            self.on_no_answer(dispatched);
            active.take_back();
            self.lanes[lane].queue.requeue(active);
        }
    }

    /// Stops the sending at the deadline, or earlier if all gates stay closed until after it, because nothing
    /// more could be sent.
    fn check_deadline(&mut self, now: Instant) {
        let Some(deadline) = self.deadline.filter(|_| self.stop.is_none()) else { return };
        if !self.has_work_left() {
            return;
        }
        let detail = if now >= deadline {
            "stopped sending, after waiting for requests in flight"
        } else if self.all_closed_beyond(deadline) {
            "Graph asked for a wait that ends after it"
        } else {
            return;
        };
        self.stop(StopReason::Deadline { detail: detail.to_owned() });
    }

    /// Whether Graph asked all lanes that have anything left to wait until after the deadline.
    fn all_closed_beyond(&mut self, deadline: Instant) -> bool {
        let all = (self.search_start..self.lanes.len()).chain(0..self.search_start);
        let open = { all }.find(|lane| {
            let lane = &mut self.lanes[*lane];
            lane.is_left() && lane.asked_until(&self.shared).is_none_or(|until| until < deadline)
        });
        self.search_start = open.unwrap_or(self.search_start);
        open.is_none()
    }

    /// Publishes how long the rest of the run will take.
    fn tell_forecast(&mut self, now: Instant) {
        if self.forecast.is_due(now) {
            let left = forecast::forecast_all(&self.lanes, &self.shared);
            self.forecast.publish(now, left, self.lanes.len());
        }
    }
}
