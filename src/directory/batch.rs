//! Several reads in one request (learn.microsoft.com/graph/json-batching).
//!
//! Each part is answered as if it came alone: one may be throttled while the others are through. Those that were are
//! sent again, after the longest wait that one of them asked for. Where nothing knows batches, reads go one by one.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::fault::ReadError;
use super::judge::ResponseClass;
use super::part;
use super::patience::ReadRetryPolicy;
use super::reader::{GraphReader, ReadRequest, busy, tell};

/// Most reads in one batch.
const MOST: usize = 20;

/// Batches in flight at once.
const IN_FLIGHT: usize = 4;

/// What became of one read.
pub(super) type PartAnswer = Result<Value, ReadError>;

impl GraphReader {
    /// Reads all of these; as many answers, in their order.
    ///
    /// # Errors
    /// When there is no token, or no sense in what answers to the batch as a whole.
    pub(super) async fn batch(&self, reads: Vec<ReadRequest>) -> Result<Vec<PartAnswer>, ReadError> {
        let count = reads.len();
        let mut chunks: VecDeque<(usize, Vec<ReadRequest>)> =
            reads.chunks(MOST).enumerate().map(|(place, chunk)| (place, chunk.to_vec())).collect();
        let mut found: Vec<Vec<PartAnswer>> = chunks.iter().map(|_| Vec::new()).collect();
        let mut flying = JoinSet::new();
        loop {
            while flying.len() < IN_FLIGHT
                && let Some((place, chunk)) = chunks.pop_front()
            {
                let reader = self.clone();
                flying.spawn(async move { (place, reader.chunk(chunk).await) });
            }
            match flying.join_next().await {
                None => break,
                Some(Ok((place, one))) => found[place] = one?,
                Some(Err(error)) => {
                    return Err(ReadError::Unavailable(format!("a fault of this program: {error}")));
                }
            }
        }
        let found: Vec<PartAnswer> = found.into_iter().flatten().collect();
        debug_assert_eq!(found.len(), count);
        Ok(found)
    }

    async fn chunk(self, reads: Vec<ReadRequest>) -> Result<Vec<PartAnswer>, ReadError> {
        let mut batch = ReadBatch::new(self, reads);
        while !batch.open().is_empty() {
            if batch.reads.len() == 1 || batch.reader.shared().no_batches.load(Ordering::Relaxed) {
                batch.one_by_one().await?;
            } else {
                batch.round().await?;
            }
        }
        Ok(batch.found.into_iter().flatten().collect())
    }
}

/// One batch, until all of its parts are settled.
struct ReadBatch {
    reader: GraphReader,
    reads: Vec<ReadRequest>,
    found: Vec<Option<PartAnswer>>,
    patience: ReadRetryPolicy,
    /// The serial of the token that was refused before.
    refused: Option<u64>,
}

/// What one round leaves to be done again.
#[derive(Default)]
struct PendingParts {
    throttled: Vec<usize>,
    /// The longest wait that a throttled part asked for.
    asked: Option<Duration>,
    failed: Vec<(usize, String)>,
    /// The longest wait that a failed part asked for.
    wait: Option<Duration>,
    renew: Option<(Option<String>, String)>,
}

impl ReadBatch {
    fn new(reader: GraphReader, reads: Vec<ReadRequest>) -> ReadBatch {
        let found = reads.iter().map(|_| None).collect();
        let patience = reader.patience();
        ReadBatch { reader, reads, found, patience, refused: None }
    }

    /// The reads that are not settled.
    fn open(&self) -> Vec<usize> {
        (0..self.reads.len()).filter(|place| self.found[*place].is_none()).collect()
    }

    fn what(&self) -> String {
        match self.reads.as_slice() {
            [one] => one.what.clone(),
            [first, rest @ ..] => format!("{} and {} more", first.what, rest.len()),
            [] => String::new(),
        }
    }

    async fn one_by_one(&mut self) -> Result<(), ReadError> {
        for place in self.open() {
            let found = self.reader.fetch(&self.reads[place]).await;
            self.found[place] = Some(match found {
                Err(fault @ ReadError::SignIn(_)) => return Err(fault),
                found => found.map(|fetched| fetched.value),
            });
        }
        Ok(())
    }

    async fn round(&mut self) -> Result<(), ReadError> {
        let open = self.open();
        let parts: Vec<Value> = open.iter().map(|place| as_part(*place, &self.reads[*place])).collect();
        let cost = open.iter().map(|place| self.reads[*place].cost).sum();
        let body = json!({ "requests": parts }).to_string();
        let answer = match self.reader.post(&self.what(), body, cost).await {
            Err(ReadError::Refused { code, said }) => {
                tracing::info!(said, "batches are refused: reading one by one");
                // One that was misunderstood may be only this one.
                if code != "400" {
                    self.reader.shared().no_batches.store(true, Ordering::Relaxed);
                }
                return self.one_by_one().await;
            }
            other => other?,
        };
        let again = self.settle(&open, &answer)?;
        self.prepare(again).await
    }

    /// Settles what the answer settles.
    fn settle(&mut self, open: &[usize], answer: &Value) -> Result<PendingParts, ReadError> {
        let mut parts = part::read_all(answer)?;
        let mut again = PendingParts::default();
        for &place in open {
            let answer = parts.remove(&place.to_string());
            let judgement = match answer {
                None => ResponseClass::Again {
                    reason: "the batch came back without an answer to it".to_owned(),
                    wait: None,
                    anew: false,
                },
                Some(part) => part.classify(),
            };
            match judgement {
                ResponseClass::Take(value) if value.is_object() => self.found[place] = Some(Ok(value)),
                ResponseClass::Take(_) => {
                    let fault = ReadError::Untrusted("the answer is no JSON object".to_owned());
                    self.found[place] = Some(Err(fault));
                }
                ResponseClass::Give(fault) => self.found[place] = Some(Err(fault)),
                ResponseClass::Throttled(asked) => {
                    again.throttled.push(place);
                    again.asked = again.asked.max(asked);
                }
                ResponseClass::Again { reason, wait, .. } => {
                    again.failed.push((place, reason));
                    again.wait = again.wait.max(wait);
                }
                ResponseClass::Renew { claims, said } => again.renew = Some((claims, said)),
            }
        }
        Ok(again)
    }

    /// Waits until what is left may be sent again; what has no try left is settled.
    async fn prepare(&mut self, again: PendingParts) -> Result<(), ReadError> {
        let (what, began) = (self.what(), Instant::now());
        if let Some((claims, said)) = again.renew {
            let serial = self.reader.shared().serial();
            let renewed = self.reader.renew(&mut self.refused, serial, claims, said).await;
            renewed.map_err(ReadError::SignIn)?;
        }
        if !again.throttled.is_empty() {
            match self.patience.throttled(again.asked) {
                Some(wait) => {
                    tell(&what, "Graph throttles", wait);
                    self.reader.shared().units().throttled(wait);
                }
                None => self.give_up(again.throttled.into_iter().map(|place| (place, busy(again.asked)))),
            }
        }
        if let Some((_, reason)) = again.failed.first() {
            match self.patience.failed(again.wait) {
                Some(wait) => {
                    tell(&what, reason, wait);
                    tokio::time::sleep(wait).await;
                    self.reader.count_lost_time(began);
                }
                None => {
                    let given_up = again.failed.into_iter();
                    self.give_up(given_up.map(|(place, reason)| (place, ReadError::Unavailable(reason))));
                }
            }
        }
        Ok(())
    }

    fn give_up(&mut self, parts: impl IntoIterator<Item = (usize, ReadError)>) {
        for (place, fault) in parts {
            self.found[place] = Some(Err(fault));
        }
    }
}

/// A read as a part: its address is relative to the version root, its headers are its own.
fn as_part(place: usize, read: &ReadRequest) -> Value {
    let mut part = json!({ "id": place.to_string(), "method": "GET", "url": format!("/{}", read.url) });
    if read.eventual {
        part["headers"] = json!({ "ConsistencyLevel": "eventual" });
    }
    part
}
