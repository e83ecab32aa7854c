//! The time that look-ups which only inform may lose to failures: five seconds in total, for any number of them.
//!
//! A look-up that succeeds costs nothing, even if it is slow. One that fails, hangs or is throttled costs the time that
//! it took. When the budget is used up, nothing more is requested, because the next request would probably fail as
//! well.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::read_error::ReadError;
use super::reader::FetchedPage;

/// The budget for all informative look-ups of a run.
const TOTAL_BUDGET: Duration = Duration::from_secs(5);

/// The time that failing look-ups may still take. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Mutex<BudgetUse>>);

#[derive(Debug, Default)]
struct BudgetUse {
    used: Duration,
    /// The end of the time that was charged last: parallel failures are charged only once.
    charged_until: Option<Instant>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget(Arc::new(Mutex::new(BudgetUse::default())))
    }
}

impl Budget {
    /// The time that is left.
    pub fn remaining(&self) -> Duration {
        TOTAL_BUDGET.saturating_sub(self.lock().used)
    }

    /// Charges the time since `began`.
    pub(super) fn charge(&self, began: Instant) {
        let now = Instant::now();
        let mut spent = self.lock();
        let from = spent.charged_until.map_or(began, |until| until.max(began)).min(now);
        spent.used += now - from;
        spent.charged_until = Some(now);
    }

    /// Runs `ask` within the remaining time. `closed` is how long Graph blocks requests before that. If that is longer
    /// than the remaining time, the request is not made.
    pub(super) async fn run(
        &self,
        closed: Duration,
        ask: impl Future<Output = Result<FetchedPage, ReadError>>,
    ) -> Result<FetchedPage, ReadError> {
        let remaining = self.remaining();
        if remaining.is_zero() {
            return Err(ReadError::Unavailable(
                "the five seconds for failing look-ups are used up".to_owned(),
            ));
        }
        if closed > remaining {
            let reason = format!("Graph throttled it; retry after {} s", closed.as_secs());
            return Err(ReadError::Unavailable(reason));
        }
        let began = Instant::now();
        let answer = match tokio::time::timeout(remaining, ask).await {
            Ok(answer) => answer,
            Err(_) => Err(ReadError::Unavailable("there was no answer in time".to_owned())),
        };
        let waited = !closed.is_zero() || answer.as_ref().map_or(true, |fetched| fetched.retried);
        if waited {
            self.charge(began);
        }
        answer
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BudgetUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use futures_util::stream::{self, StreamExt};

    use super::*;

    async fn fails(after: Duration) -> Result<FetchedPage, ReadError> {
        tokio::time::sleep(after).await;
        Err(ReadError::Unavailable("it fails".to_owned()))
    }

    async fn answers(after: Duration, retried: bool) -> Result<FetchedPage, ReadError> {
        tokio::time::sleep(after).await;
        Ok(FetchedPage { value: Value::Null, retried })
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn failures_cost_five_seconds_in_all() {
        let budget = Budget::default();
        let began = Instant::now();
        for _ in 0..50 {
            assert!(budget.run(Duration::ZERO, fails(SECOND * 2)).await.is_err());
        }
        assert_eq!(began.elapsed(), TOTAL_BUDGET);
        assert!(budget.run(Duration::ZERO, answers(Duration::ZERO, false)).await.is_err(), "nothing is left");
    }

    #[tokio::test(start_paused = true)]
    async fn hanging_reads_are_cut_off_and_answers_are_free() {
        let budget = Budget::default();
        for _ in 0..10 {
            assert!(budget.run(Duration::ZERO, answers(SECOND * 3, false)).await.is_ok());
        }
        assert_eq!(budget.remaining(), TOTAL_BUDGET);
        assert!(budget.run(Duration::ZERO, answers(SECOND, true)).await.is_ok());
        assert_eq!(budget.remaining(), SECOND * 4);
        let began = Instant::now();
        assert!(budget.run(Duration::ZERO, fails(SECOND * 3600)).await.is_err());
        assert_eq!((began.elapsed(), budget.remaining()), (SECOND * 4, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_side_by_side_cost_their_time_once() {
        let budget = Budget::default();
        let began = Instant::now();
        let all = (0..32).map(|_| budget.run(Duration::ZERO, fails(SECOND * 2)));
        stream::iter(all).buffered(32).collect::<Vec<_>>().await;
        assert_eq!((began.elapsed(), budget.remaining()), (SECOND * 2, SECOND * 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_beyond_what_is_left_is_not_waited_for() {
        let budget = Budget::default();
        let began = Instant::now();
        assert!(budget.run(SECOND * 6, answers(Duration::ZERO, false)).await.is_err());
        assert_eq!((began.elapsed(), budget.remaining()), (Duration::ZERO, TOTAL_BUDGET));
    }
}
