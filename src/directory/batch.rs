//! Several reads in one request (learn.microsoft.com/graph/json-batching).
//!
//! Each part has its own answer: some may be throttled while the others succeed. The throttled ones are sent again
//! after the longest wait that one of them asked for. If the service does not support batches, the reads are sent one
//! by one.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::batch_part;
use super::classify::ResponseClass;
use super::read_error::ReadError;
use super::reader::{GraphReader, ReadRequest, log_retry, throttled_too_long};
use super::retry_policy::ReadRetryPolicy;

/// Maximum number of reads in one batch.
const MAX_PARTS: usize = 20;

/// Batches in flight at once.
const MAX_IN_FLIGHT: usize = 4;

/// The result of one read.
pub(super) type PartAnswer = Result<Value, ReadError>;

impl GraphReader {
    /// Sends all reads and returns their results in the same order.
    ///
    /// # Errors
    /// When there is no token, or the answer to the batch as a whole is not valid.
    pub(super) async fn batch(&self, reads: Vec<ReadRequest>) -> Result<Vec<PartAnswer>, ReadError> {
        let count = reads.len();
        let mut chunks: VecDeque<(usize, Vec<ReadRequest>)> =
            reads.chunks(MAX_PARTS).enumerate().map(|(index, chunk)| (index, chunk.to_vec())).collect();
        let mut found: Vec<Vec<PartAnswer>> = chunks.iter().map(|_| Vec::new()).collect();
        let mut in_flight = JoinSet::new();
        loop {
            while in_flight.len() < MAX_IN_FLIGHT
                && let Some((index, chunk)) = chunks.pop_front()
            {
                let reader = self.clone();
                in_flight.spawn(async move { (index, reader.read_chunk(chunk).await) });
            }
            match in_flight.join_next().await {
                None => break,
                Some(Ok((index, one))) => found[index] = one?,
                Some(Err(error)) => {
                    return Err(ReadError::Unavailable(format!("internal error: {error}")));
                }
            }
        }
        let found: Vec<PartAnswer> = found.into_iter().flatten().collect();
        debug_assert_eq!(found.len(), count);
        Ok(found)
    }

    async fn read_chunk(self, reads: Vec<ReadRequest>) -> Result<Vec<PartAnswer>, ReadError> {
        let mut batch = ReadBatch::new(self, reads);
        while !batch.unanswered().is_empty() {
            if batch.reads.len() == 1 || batch.reader.shared().no_batches.load(Ordering::Relaxed) {
                batch.read_one_by_one().await?;
            } else {
                batch.send_round().await?;
            }
        }
        Ok(batch.answers.into_iter().flatten().collect())
    }
}

/// One batch, until every part has its result.
struct ReadBatch {
    reader: GraphReader,
    reads: Vec<ReadRequest>,
    answers: Vec<Option<PartAnswer>>,
    retry_policy: ReadRetryPolicy,
    /// The serial of the token that was refused before.
    refused_serial: Option<u64>,
}

/// The parts of a round that must be sent again.
#[derive(Default)]
struct PendingParts {
    throttled: Vec<usize>,
    /// The longest wait that a throttled part asked for.
    retry_after: Option<Duration>,
    failed: Vec<(usize, String)>,
    /// The longest wait that a failed part asked for.
    wait: Option<Duration>,
    renew: Option<(Option<String>, String)>,
}

impl ReadBatch {
    fn new(reader: GraphReader, reads: Vec<ReadRequest>) -> ReadBatch {
        let found = reads.iter().map(|_| None).collect();
        let patience = reader.retry_policy();
        ReadBatch { reader, reads, answers: found, retry_policy: patience, refused_serial: None }
    }

    /// The reads without a result.
    fn unanswered(&self) -> Vec<usize> {
        (0..self.reads.len()).filter(|index| self.answers[*index].is_none()).collect()
    }

    fn describe(&self) -> String {
        match self.reads.as_slice() {
            [one] => one.what.clone(),
            [first, rest @ ..] => format!("{} and {} more", first.what, rest.len()),
            [] => String::new(),
        }
    }

    async fn read_one_by_one(&mut self) -> Result<(), ReadError> {
        for index in self.unanswered() {
            let found = self.reader.fetch(&self.reads[index]).await;
            self.answers[index] = Some(match found {
                Err(fault @ ReadError::SignIn(_)) => return Err(fault),
                found => found.map(|fetched| fetched.value),
            });
        }
        Ok(())
    }

    async fn send_round(&mut self) -> Result<(), ReadError> {
        let open = self.unanswered();
        let parts: Vec<Value> = open.iter().map(|index| part_json(*index, &self.reads[*index])).collect();
        let cost = open.iter().map(|index| self.reads[*index].cost).sum();
        let body = json!({ "requests": parts }).to_string();
        let answer = match self.reader.post(&self.describe(), body, cost).await {
            Err(ReadError::Refused { code, detail }) => {
                tracing::info!(detail, "Graph refuses batches: reading users one by one");
                // A 400 may be about this batch only.
                if code != "400" {
                    self.reader.shared().no_batches.store(true, Ordering::Relaxed);
                }
                return self.read_one_by_one().await;
            }
            other => other?,
        };
        let again = self.take_answers(&open, &answer)?;
        self.prepare_retry(again).await
    }

    /// Stores the results in the answer, and returns the parts to retry.
    fn take_answers(&mut self, open: &[usize], answer: &Value) -> Result<PendingParts, ReadError> {
        let mut parts = batch_part::parse_parts(answer)?;
        let mut again = PendingParts::default();
        for &index in open {
            let answer = parts.remove(&index.to_string());
            let class = match answer {
                None => ResponseClass::Retry {
                    reason: "the batch has no answer for it".to_owned(),
                    wait: None,
                    new_connection: false,
                },
                Some(part) => part.classify(),
            };
            match class {
                ResponseClass::Success(value) if value.is_object() => self.answers[index] = Some(Ok(value)),
                ResponseClass::Success(_) => {
                    let fault = ReadError::Untrusted("the answer is not a JSON object".to_owned());
                    self.answers[index] = Some(Err(fault));
                }
                ResponseClass::Fail(fault) => self.answers[index] = Some(Err(fault)),
                ResponseClass::Throttled(asked) => {
                    again.throttled.push(index);
                    again.retry_after = again.retry_after.max(asked);
                }
                ResponseClass::Retry { reason, wait, .. } => {
                    again.failed.push((index, reason));
                    again.wait = again.wait.max(wait);
                }
                ResponseClass::RenewToken { claims, detail } => again.renew = Some((claims, detail)),
            }
        }
        Ok(again)
    }

    /// Waits until the pending parts may be sent again. Parts without a retry left fail.
    async fn prepare_retry(&mut self, again: PendingParts) -> Result<(), ReadError> {
        let (what, began) = (self.describe(), Instant::now());
        if let Some((claims, detail)) = again.renew {
            let serial = self.reader.shared().serial();
            let renewed = self.reader.renew(&mut self.refused_serial, serial, claims, detail).await;
            renewed.map_err(ReadError::SignIn)?;
        }
        if !again.throttled.is_empty() {
            match self.retry_policy.on_throttled(again.retry_after) {
                Some(wait) => {
                    log_retry(&what, "Graph throttles", wait);
                    self.reader.shared().units().on_throttled(wait);
                }
                None => self.give_up(
                    again.throttled.into_iter().map(|index| (index, throttled_too_long(again.retry_after))),
                ),
            }
        }
        if let Some((_, reason)) = again.failed.first() {
            match self.retry_policy.on_failure(again.wait) {
                Some(wait) => {
                    log_retry(&what, reason, wait);
                    tokio::time::sleep(wait).await;
                    self.reader.count_lost_time(began);
                }
                None => {
                    let given_up = again.failed.into_iter();
                    self.give_up(given_up.map(|(index, reason)| (index, ReadError::Unavailable(reason))));
                }
            }
        }
        Ok(())
    }

    fn give_up(&mut self, parts: impl IntoIterator<Item = (usize, ReadError)>) {
        for (index, fault) in parts {
            self.answers[index] = Some(Err(fault));
        }
    }
}

/// A read as a batch part. Its URL is relative to the version root, and it has its own headers.
fn part_json(index: usize, read: &ReadRequest) -> Value {
    let mut part = json!({ "id": index.to_string(), "method": "GET", "url": format!("/{}", read.url) });
    if read.eventual {
        part["headers"] = json!({ "ConsistencyLevel": "eventual" });
    }
    part
}
