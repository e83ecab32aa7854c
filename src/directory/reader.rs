//! Sends one read with a token and within the quota, and retries it when Graph is busy.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use tokio::time::Instant;

use super::budget::Budget;
use super::classify::{ReadAnswer, ResponseClass};
use super::rate_limiter::ReadRateLimiter;
use super::read_error::ReadError;
use super::retry_policy::ReadRetryPolicy;
use super::transport::{self, HttpRead};
use super::{DirectoryError, Permission};
use crate::http::HttpClients;
use crate::identity::{SignInError, TokenAge, Tokens};

/// A read.
#[derive(Clone, Debug)]
pub(super) struct ReadRequest {
    /// What is requested, in words that follow "can't read": `group Finance`.
    pub(super) what: String,
    /// Path and query below the version root, without a leading slash, encoded; or a complete `nextLink`, verbatim.
    pub(super) url: String,
    /// Whether `ConsistencyLevel: eventual` is sent (learn.microsoft.com/graph/aad-advanced-queries).
    pub(super) eventual: bool,
    /// The permission that it needs.
    pub(super) permission: Permission,
    /// Its maximum cost, in resource units (learn.microsoft.com/graph/throttling-limits).
    pub(super) cost: u32,
}

/// An answer's body.
#[derive(Debug)]
pub(super) struct FetchedPage {
    pub(super) value: Value,
    /// Whether it came only after a retry.
    pub(super) retried: bool,
}

/// Sends reads. Clones share the token, the quota and whether batches are supported.
#[derive(Clone, Debug)]
pub(super) struct GraphReader {
    shared: Arc<ReaderShared>,
    single_attempt: bool,
    /// The time that failures may take, if the reads only inform.
    budget: Option<Budget>,
}

#[derive(Debug)]
pub(super) struct ReaderShared {
    clients: HttpClients,
    root: String,
    tokens: Arc<Tokens>,
    units: ReadRateLimiter,
    risk: ReadRateLimiter,
    /// The first backoff.
    retry_step: Duration,
    /// Whether the service is known not to support batches.
    pub(super) no_batches: AtomicBool,
}

impl GraphReader {
    pub(super) fn new(clients: HttpClients, root: &str, tokens: Arc<Tokens>) -> GraphReader {
        GraphReader::with_retry_step(clients, root, tokens, Duration::from_secs(1))
    }

    /// Creates a reader whose backoff starts with `step`.
    pub(super) fn with_retry_step(
        clients: HttpClients,
        root: &str,
        tokens: Arc<Tokens>,
        step: Duration,
    ) -> GraphReader {
        let shared = ReaderShared {
            clients,
            root: root.to_owned(),
            tokens,
            units: ReadRateLimiter::for_units(),
            risk: ReadRateLimiter::for_risk(),
            retry_step: step,
            no_batches: AtomicBool::new(false),
        };
        GraphReader { shared: Arc::new(shared), single_attempt: false, budget: None }
    }

    /// The same reader, but without retries.
    pub(super) fn single_attempt(&self) -> GraphReader {
        GraphReader { single_attempt: true, ..self.clone() }
    }

    /// The same for reads that only inform: failures take no more time than the budget.
    pub(super) fn with_budget(&self, budget: &Budget) -> GraphReader {
        GraphReader { budget: Some(budget.clone()), ..self.clone() }
    }

    /// The retry policy of a new request.
    pub(super) fn retry_policy(&self) -> ReadRetryPolicy {
        let patience = ReadRetryPolicy::new(self.shared.retry_step)
            .with_max_retry_after(self.shared.clients.max_wait())
            .single_attempt(self.single_attempt);
        match &self.budget {
            Some(budget) => patience.with_budget(budget.remaining()),
            None => patience,
        }
    }

    /// Charges the time since `began` to the budget, if there is one.
    pub(super) fn count_lost_time(&self, began: Instant) {
        if let Some(budget) = &self.budget {
            budget.charge(began);
        }
    }

    /// The answer's body: a JSON object.
    pub(super) async fn get(&self, read: &ReadRequest) -> Result<Value, DirectoryError> {
        self.fetch(read).await.map(|fetched| fetched.value).map_err(|fault| fault.into_directory_error(read))
    }

    /// The answer of a `…/$count`: a number.
    pub(super) async fn count(&self, read: &ReadRequest) -> Result<u64, DirectoryError> {
        let (query, limiter) = self.query(read).map_err(|fault| fault.into_directory_error(read))?;
        let fetched = self
            .send_within_budget(&read.what, &query, read.cost, limiter)
            .await
            .map_err(|fault| fault.into_directory_error(read))?;
        let number = fetched.value.as_u64();
        number.ok_or_else(|| {
            ReadError::Untrusted("the answer is not a number".to_owned()).into_directory_error(read)
        })
    }

    /// Like [`GraphReader::get`], and also says whether there was a retry.
    pub(super) async fn fetch(&self, read: &ReadRequest) -> Result<FetchedPage, ReadError> {
        let (query, limiter) = self.query(read)?;
        let fetched = self.send_within_budget(&read.what, &query, read.cost, limiter).await?;
        if fetched.value.is_object() {
            return Ok(fetched);
        }
        Err(ReadError::Untrusted("the answer is not a JSON object".to_owned()))
    }

    fn query(&self, read: &ReadRequest) -> Result<(HttpRead, &ReadRateLimiter), ReadError> {
        let url = self.url(&read.url)?;
        let limiter =
            if read.permission == Permission::Risk { &self.shared.risk } else { &self.shared.units };
        Ok((HttpRead { url, eventual: read.eventual, body: None }, limiter))
    }

    /// The complete URL. The token is sent only to Graph's root.
    pub(super) fn url(&self, url: &str) -> Result<Url, ReadError> {
        let absolute =
            if is_absolute_url(url) { url.to_owned() } else { format!("{}/v1.0/{url}", self.shared.root) };
        let parse = |text: &str| {
            Url::parse(text).map_err(|error| ReadError::Untrusted(format!("invalid address ({error})")))
        };
        let (root, url) = (parse(&self.shared.root)?, parse(&absolute)?);
        if url.origin() != root.origin() || !url.username().is_empty() || url.password().is_some() {
            let host = crate::text::sanitize::sanitize_truncated(url.host_str().unwrap_or("nowhere"), 100);
            return Err(ReadError::Untrusted(format!("its next page is on another host ({host})")));
        }
        Ok(url)
    }

    /// Sends a batch and returns the body of the answer.
    pub(super) async fn post(&self, what: &str, body: String, cost: u32) -> Result<Value, ReadError> {
        let query = HttpRead { url: self.url("$batch")?, eventual: false, body: Some(body) };
        self.send_within_budget(what, &query, cost, &self.shared.units).await.map(|fetched| fetched.value)
    }

    /// Sends it until it succeeds, or until retrying no longer makes sense or no time is left.
    async fn send_within_budget(
        &self,
        what: &str,
        query: &HttpRead,
        cost: u32,
        limiter: &ReadRateLimiter,
    ) -> Result<FetchedPage, ReadError> {
        let asking = self.send_with_retries(what, query, cost, limiter);
        match &self.budget {
            Some(budget) => budget.run(limiter.blocked_for(), asking).await,
            None => asking.await,
        }
    }

    async fn send_with_retries(
        &self,
        what: &str,
        query: &HttpRead,
        cost: u32,
        limiter: &ReadRateLimiter,
    ) -> Result<FetchedPage, ReadError> {
        let mut patience = self.retry_policy();
        let (mut new_connection, mut refused) = (false, None);
        loop {
            limiter.acquire(cost).await;
            let (class, serial) = self.send_once(query, new_connection).await?;
            match class {
                ResponseClass::Success(value) => {
                    let retried = patience.has_retried();
                    return Ok(FetchedPage { value, retried });
                }
                ResponseClass::Fail(fault) => return Err(fault),
                ResponseClass::Throttled(asked) => {
                    let wait = patience.on_throttled(asked).ok_or_else(|| throttled_too_long(asked))?;
                    log_retry(what, "Graph throttles", wait);
                    limiter.on_throttled(wait);
                }
                ResponseClass::Retry { reason, wait, new_connection: over_another } => {
                    let wait =
                        patience.on_failure(wait).ok_or_else(|| ReadError::Unavailable(reason.clone()))?;
                    log_retry(what, &reason, wait);
                    new_connection = over_another;
                    tokio::time::sleep(wait).await;
                }
                ResponseClass::RenewToken { claims, detail } => {
                    self.renew(&mut refused, serial, claims, detail).await.map_err(ReadError::SignIn)?;
                }
            }
        }
    }

    /// Sends it once and classifies the answer. Also returns the serial of the token that was sent.
    async fn send_once(
        &self,
        query: &HttpRead,
        new_connection: bool,
    ) -> Result<(ResponseClass, u64), ReadError> {
        let tokens = &self.shared.tokens;
        let state = tokens.state();
        if state.age == TokenAge::Expired {
            tokens.renew(state.serial, None).await.map_err(ReadError::SignIn)?;
        }
        let token = tokens.current();
        let answer = transport::send(&self.shared.clients, query, &token, new_connection).await;
        let class = match answer {
            Ok(answer) if query.body.is_some() => classify_batch_answer(answer),
            Ok(answer) => answer.classify(),
            Err(class) => class,
        };
        Ok((class, token.serial()))
    }

    /// Gets one new token after an answer that refuses the current one. If Graph also refuses the new one, the read
    /// fails. `refused` is the serial of the token that was refused before.
    pub(super) async fn renew(
        &self,
        refused: &mut Option<u64>,
        serial: u64,
        claims: Option<String>,
        detail: String,
    ) -> Result<(), SignInError> {
        if refused.is_some_and(|before| before != serial) {
            let detail = format!(": {detail}");
            return Err(match claims {
                Some(_) => SignInError::ChallengedAgain { detail },
                None => SignInError::Refused { detail },
            });
        }
        *refused = Some(serial);
        self.shared.tokens.renew(serial, claims.as_deref()).await
    }

    /// The state that all clones share.
    pub(super) fn shared(&self) -> &ReaderShared {
        &self.shared
    }
}

impl ReaderShared {
    /// The serial of the current token.
    pub(super) fn serial(&self) -> u64 {
        self.tokens.state().serial
    }

    /// The rate limit of all reads except Identity Protection's.
    pub(super) fn units(&self) -> &ReadRateLimiter {
        &self.units
    }
}

/// Whether a link is a complete URL.
pub(super) fn is_absolute_url(url: &str) -> bool {
    let begins = |scheme: &str| url.get(..scheme.len()).is_some_and(|part| part.eq_ignore_ascii_case(scheme));
    begins("https://") || begins("http://")
}

/// Classifies the answer to a batch as a whole. A service that does not support batches refuses it, and its reads are
/// then sent one by one.
fn classify_batch_answer(answer: ReadAnswer) -> ResponseClass {
    if transport::is_batch_refusal(answer.status) && answer.claims.is_none() {
        let code = answer.status.to_string();
        return ResponseClass::Fail(ReadError::Refused {
            code,
            detail: format!("status {} for a batch", answer.status),
        });
    }
    answer.classify()
}

/// The error for throttling that takes too long to wait for.
pub(super) fn throttled_too_long(asked: Option<Duration>) -> ReadError {
    ReadError::Unavailable(match asked {
        Some(wait) => {
            format!("Graph throttled it; retry after {} s", wait.as_secs())
        }
        None => "Graph throttled it for ten minutes; try again later".to_owned(),
    })
}

/// Logs each wait before a retry.
pub(super) fn log_retry(what: &str, reason: &str, wait: Duration) {
    let what = crate::text::sanitize::sanitize_truncated(what, 200);
    tracing::warn!(wait_s = wait.as_secs_f64(), reason, "reading {what}: retrying");
}
