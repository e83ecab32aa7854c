//! One request for a read: with its token, within the quota, and again where Graph was busy.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;
use tokio::time::Instant;

use super::budget::Budget;
use super::exchange::{self, ReadQuery};
use super::fault::ReadError;
use super::judge::{ReadAnswer, ResponseClass};
use super::pace::ReadRateLimiter;
use super::patience::ReadRetryPolicy;
use super::{DirectoryError, Permission};
use crate::http::HttpClients;
use crate::identity::{SignInError, TokenAge, Tokens};

/// A read.
#[derive(Clone, Debug)]
pub(super) struct ReadRequest {
    /// What is asked for, in words that follow "can't be read": `group Finance`.
    pub(super) what: String,
    /// Path and query below the version root, without a leading slash, encoded; or a whole `nextLink`, verbatim.
    pub(super) url: String,
    /// Whether `ConsistencyLevel: eventual` is sent (learn.microsoft.com/graph/aad-advanced-queries).
    pub(super) eventual: bool,
    /// What it needs.
    pub(super) need: Permission,
    /// What it costs at most, in resource units (learn.microsoft.com/graph/throttling-limits).
    pub(super) cost: u32,
}

/// What came, and how.
#[derive(Debug)]
pub(super) struct FetchedPage {
    pub(super) value: Value,
    /// Whether it came only when it was asked again.
    pub(super) retried: bool,
}

/// Sends reads. Clones share their token, their quota and what they learned.
#[derive(Clone, Debug)]
pub(super) struct GraphReader {
    shared: Arc<ReaderShared>,
    hasty: bool,
    /// The time that failures may cost, where what is read only informs.
    budget: Option<Budget>,
}

#[derive(Debug)]
pub(super) struct ReaderShared {
    clients: HttpClients,
    root: String,
    tokens: Arc<Tokens>,
    units: ReadRateLimiter,
    risk: ReadRateLimiter,
    /// The first wait of our own choosing.
    step: Duration,
    /// Whether what answers is known to take no batches.
    pub(super) no_batches: AtomicBool,
}

impl GraphReader {
    pub(super) fn new(clients: HttpClients, root: &str, tokens: Arc<Tokens>) -> GraphReader {
        GraphReader::stepping(clients, root, tokens, Duration::from_secs(1))
    }

    /// One whose own waits begin with this.
    pub(super) fn stepping(
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
            step,
            no_batches: AtomicBool::new(false),
        };
        GraphReader { shared: Arc::new(shared), hasty: false, budget: None }
    }

    /// The same, asking each thing once.
    pub(super) fn single_attempt(&self) -> GraphReader {
        GraphReader { hasty: true, ..self.clone() }
    }

    /// The same for what only informs: failures cost no more time than this.
    pub(super) fn with_budget(&self, budget: &Budget) -> GraphReader {
        GraphReader { budget: Some(budget.clone()), ..self.clone() }
    }

    /// A new patience.
    pub(super) fn patience(&self) -> ReadRetryPolicy {
        let patience = ReadRetryPolicy::new(self.shared.step)
            .at_most(self.shared.clients.max_wait())
            .single_attempt(self.hasty);
        match &self.budget {
            Some(budget) => patience.with_budget(budget.remaining()),
            None => patience,
        }
    }

    /// Counts the time since `began` as lost, where that counts.
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
        let (question, pace) = self.question(read).map_err(|fault| fault.into_directory_error(read))?;
        let fetched = self
            .ask(&read.what, &question, read.cost, pace)
            .await
            .map_err(|fault| fault.into_directory_error(read))?;
        let number = fetched.value.as_u64();
        number.ok_or_else(|| {
            ReadError::Untrusted("the answer is no number".to_owned()).into_directory_error(read)
        })
    }

    /// As [`GraphReader::get`], and whether it had to be asked again.
    pub(super) async fn fetch(&self, read: &ReadRequest) -> Result<FetchedPage, ReadError> {
        let (question, pace) = self.question(read)?;
        let fetched = self.ask(&read.what, &question, read.cost, pace).await?;
        if fetched.value.is_object() {
            return Ok(fetched);
        }
        Err(ReadError::Untrusted("the answer is no JSON object".to_owned()))
    }

    fn question(&self, read: &ReadRequest) -> Result<(ReadQuery, &ReadRateLimiter), ReadError> {
        let url = self.url(&read.url)?;
        let pace = if read.need == Permission::Risk { &self.shared.risk } else { &self.shared.units };
        Ok((ReadQuery { url, eventual: read.eventual, body: None }, pace))
    }

    /// The whole address. The token goes to Graph's root and nowhere else.
    pub(super) fn url(&self, url: &str) -> Result<Url, ReadError> {
        let whole = if is_whole(url) { url.to_owned() } else { format!("{}/v1.0/{url}", self.shared.root) };
        let parse = |text: &str| {
            Url::parse(text).map_err(|error| ReadError::Untrusted(format!("odd address ({error})")))
        };
        let (root, url) = (parse(&self.shared.root)?, parse(&whole)?);
        if url.origin() != root.origin() || !url.username().is_empty() || url.password().is_some() {
            let host = crate::harmless::sanitize_truncated(url.host_str().unwrap_or("nowhere"), 100);
            return Err(ReadError::Untrusted(format!(
                "its next page is said to be at another place ({host})"
            )));
        }
        Ok(url)
    }

    /// Sends a batch, and gives its body.
    pub(super) async fn post(&self, what: &str, body: String, cost: u32) -> Result<Value, ReadError> {
        let question = ReadQuery { url: self.url("$batch")?, eventual: false, body: Some(body) };
        self.ask(what, &question, cost, &self.shared.units).await.map(|fetched| fetched.value)
    }

    /// Asks until there is an answer, or no sense or no time in asking.
    async fn ask(
        &self,
        what: &str,
        question: &ReadQuery,
        cost: u32,
        pace: &ReadRateLimiter,
    ) -> Result<FetchedPage, ReadError> {
        let asking = self.insist(what, question, cost, pace);
        match &self.budget {
            Some(budget) => budget.ask(pace.closed_for(), asking).await,
            None => asking.await,
        }
    }

    async fn insist(
        &self,
        what: &str,
        question: &ReadQuery,
        cost: u32,
        pace: &ReadRateLimiter,
    ) -> Result<FetchedPage, ReadError> {
        let mut patience = self.patience();
        let (mut anew, mut refused) = (false, None);
        loop {
            pace.turn(cost).await;
            let (judgement, serial) = self.once(question, anew).await?;
            match judgement {
                ResponseClass::Take(value) => {
                    let retried = patience.was_tried();
                    return Ok(FetchedPage { value, retried });
                }
                ResponseClass::Give(fault) => return Err(fault),
                ResponseClass::Throttled(asked) => {
                    let wait = patience.throttled(asked).ok_or_else(|| busy(asked))?;
                    tell(what, "Graph throttles", wait);
                    pace.throttled(wait);
                }
                ResponseClass::Again { reason, wait, anew: over_another } => {
                    let wait = patience.failed(wait).ok_or_else(|| ReadError::Unavailable(reason.clone()))?;
                    tell(what, &reason, wait);
                    anew = over_another;
                    tokio::time::sleep(wait).await;
                }
                ResponseClass::Renew { claims, said } => {
                    self.renew(&mut refused, serial, claims, said).await.map_err(ReadError::SignIn)?;
                }
            }
        }
    }

    /// Sends it once, and judges the answer; gives the token's serial, too.
    async fn once(&self, question: &ReadQuery, anew: bool) -> Result<(ResponseClass, u64), ReadError> {
        let tokens = &self.shared.tokens;
        let state = tokens.state();
        if state.age == TokenAge::Ended {
            tokens.renew(state.serial, None).await.map_err(ReadError::SignIn)?;
        }
        let token = tokens.current();
        let answer = exchange::send(&self.shared.clients, question, &token, anew).await;
        let judgement = match answer {
            Ok(answer) if question.body.is_some() => refusal_of_batches(answer),
            Ok(answer) => answer.classify(),
            Err(judgement) => judgement,
        };
        Ok((judgement, token.serial()))
    }

    /// One new token for an answer that refuses the one that was sent; refused with that, too, it is over.
    /// `refused` is the serial of the token that was refused before.
    pub(super) async fn renew(
        &self,
        refused: &mut Option<u64>,
        serial: u64,
        claims: Option<String>,
        said: String,
    ) -> Result<(), SignInError> {
        if refused.is_some_and(|before| before != serial) {
            let detail = format!(": {said}");
            return Err(match claims {
                Some(_) => SignInError::ChallengedAgain { detail },
                None => SignInError::Refused { detail },
            });
        }
        *refused = Some(serial);
        self.shared.tokens.renew(serial, claims.as_deref()).await
    }

    /// What all clones share.
    pub(super) fn shared(&self) -> &ReaderShared {
        &self.shared
    }
}

impl ReaderShared {
    /// The serial of the token of now.
    pub(super) fn serial(&self) -> u64 {
        self.tokens.state().serial
    }

    /// The pace of everything but Identity Protection.
    pub(super) fn units(&self) -> &ReadRateLimiter {
        &self.units
    }
}

/// Whether a link is a whole address.
pub(super) fn is_whole(url: &str) -> bool {
    let begins = |scheme: &str| url.get(..scheme.len()).is_some_and(|part| part.eq_ignore_ascii_case(scheme));
    begins("https://") || begins("http://")
}

/// A batch as a whole is refused where nothing knows batches; its reads are then sent one by one.
fn refusal_of_batches(answer: ReadAnswer) -> ResponseClass {
    if exchange::refuses_batches(answer.status) && answer.claims.is_none() {
        let code = answer.status.to_string();
        return ResponseClass::Give(ReadError::Refused {
            code,
            said: format!("{} to a batch", answer.status),
        });
    }
    answer.classify()
}

/// Throttled for longer than is worth waiting.
pub(super) fn busy(asked: Option<Duration>) -> ReadError {
    ReadError::Unavailable(match asked {
        Some(wait) => {
            format!("Graph throttles, and asks to be left alone for {} s: try again then", wait.as_secs())
        }
        None => "Graph throttled it for ten minutes: try again later".to_owned(),
    })
}

/// All waiting is told.
pub(super) fn tell(what: &str, reason: &str, wait: Duration) {
    let what = crate::harmless::sanitize_truncated(what, 200);
    tracing::warn!(wait_s = wait.as_secs_f64(), reason, "reading {what}: asked again after a while");
}
