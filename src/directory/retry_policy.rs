//! How long and how often one request is retried.

use std::time::Duration;

use tokio::time::Instant;

/// Maximum number of attempts of a request that fails, not counting throttled ones.
const MAX_ATTEMPTS: u32 = 5;

/// Maximum backoff. A wait that the server asks for may be longer.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// The total time limit of a request. Throttled attempts are not counted, but are limited by this as well.
const MAX_TOTAL: Duration = Duration::from_secs(600);

/// The retries of one request.
#[derive(Debug)]
pub(super) struct ReadRetryPolicy {
    began: Instant,
    /// The first backoff.
    first_backoff: Duration,
    /// The maximum number of attempts.
    max_attempts: u32,
    /// The total time limit: no wait may end after it.
    max_total: Duration,
    /// The longest wait that a server may ask for.
    max_retry_after: Duration,
    failures: u32,
    throttles: u32,
}

impl ReadRetryPolicy {
    pub(super) fn new(step: Duration) -> ReadRetryPolicy {
        let (began, tries, longest) = (Instant::now(), MAX_ATTEMPTS, MAX_TOTAL);
        ReadRetryPolicy {
            began,
            first_backoff: step,
            max_attempts: tries,
            max_total: longest,
            max_retry_after: MAX_TOTAL,
            failures: 0,
            throttles: 0,
        }
    }

    /// The same, with a limit for the wait that a server may ask for.
    pub(super) fn with_max_retry_after(self, max_wait: Duration) -> ReadRetryPolicy {
        ReadRetryPolicy { max_retry_after: max_wait, ..self }
    }

    /// A policy without retries, if `single_attempt`.
    pub(super) fn single_attempt(self, single_attempt: bool) -> ReadRetryPolicy {
        if single_attempt {
            ReadRetryPolicy { max_attempts: 1, max_total: Duration::ZERO, ..self }
        } else {
            self
        }
    }

    /// A policy for reads that only inform: at most two attempts, within the remaining time.
    pub(super) fn with_budget(self, remaining: Duration) -> ReadRetryPolicy {
        ReadRetryPolicy {
            max_attempts: self.max_attempts.min(2),
            max_total: self.max_total.min(remaining),
            ..self
        }
    }

    /// How long to wait after a failure. `None` if there is no attempt left.
    pub(super) fn on_failure(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.failures += 1;
        if self.failures >= self.max_attempts {
            return None;
        }
        // A failure usually passes sooner than a throttle.
        self.wait_within_limits(asked, self.backoff(self.failures) / 2)
    }

    /// How long to wait after a 429. `None` if that is too long. If a requested wait was too short once, the backoff
    /// counts as well.
    pub(super) fn on_throttled(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.throttles += 1;
        let backoff = match asked {
            None => self.backoff(self.throttles),
            Some(_) if self.throttles == 1 => Duration::ZERO,
            Some(_) => self.backoff(self.throttles - 1),
        };
        self.wait_within_limits(asked, backoff)
    }

    /// Whether there was more than one attempt.
    pub(super) fn has_retried(&self) -> bool {
        self.failures + self.throttles > 0
    }

    fn backoff(&self, times: u32) -> Duration {
        let full = self.first_backoff.saturating_mul(1 << (times - 1).min(10)).min(MAX_BACKOFF);
        full.mul_f64(0.75 + 0.25 * fastrand::f64())
    }

    fn wait_within_limits(&self, asked: Option<Duration>, backoff: Duration) -> Option<Duration> {
        let asked = asked.unwrap_or_default();
        let wait = asked.max(backoff);
        let ends = self.began.elapsed().saturating_add(wait);
        (self.max_attempts > 1 && asked <= self.max_retry_after && ends <= self.max_total).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn failures_have_five_tries() {
        let mut patience = ReadRetryPolicy::new(SECOND);
        let waits: Vec<Option<Duration>> = (0..5).map(|_| patience.on_failure(None)).collect();
        for (wait, full) in waits.iter().zip([0.5, 1.0, 2.0, 4.0]) {
            let wait = wait.unwrap().as_secs_f64();
            assert!((full * 0.75..=full).contains(&wait), "{wait} of {full}");
        }
        assert_eq!(waits[4], None);
    }

    #[test]
    fn single_attempt_never_retries() {
        let single_attempt = || ReadRetryPolicy::new(SECOND).single_attempt(true);
        assert_eq!(
            (single_attempt().on_failure(None), single_attempt().on_throttled(Some(SECOND))),
            (None, None)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn budgeted_reads_retry_once_and_never_wait_long() {
        let informing = || ReadRetryPolicy::new(SECOND).with_budget(SECOND * 5);
        let mut patience = informing();
        assert!(patience.on_failure(None).is_some());
        assert_eq!(patience.on_failure(None), None);
        assert_eq!(informing().on_failure(Some(SECOND * 6)), None);
        assert_eq!(informing().on_throttled(Some(SECOND * 2)), Some(SECOND * 2));
        assert_eq!(informing().on_throttled(Some(SECOND * 6)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_is_waited_out_up_to_the_limit() {
        let mut patience = ReadRetryPolicy::new(SECOND);
        assert_eq!(patience.on_throttled(Some(SECOND * 90)), Some(SECOND * 90));
        assert_eq!(patience.on_throttled(Some(SECOND * 601)), None);
        assert_eq!(
            ReadRetryPolicy::new(SECOND).with_max_retry_after(SECOND).on_throttled(Some(SECOND * 2)),
            None
        );
        assert_eq!(
            ReadRetryPolicy::new(SECOND).with_max_retry_after(SECOND).on_failure(Some(SECOND * 2)),
            None
        );
        assert!(
            ReadRetryPolicy::new(SECOND).with_max_retry_after(SECOND).on_throttled(Some(SECOND)).is_some()
        );
        assert_eq!(
            ReadRetryPolicy::new(SECOND).with_max_retry_after(SECOND).on_throttled(Some(Duration::MAX)),
            None
        );
        let mut waited = Duration::ZERO;
        while let Some(wait) = patience.on_throttled(None) {
            tokio::time::sleep(wait).await;
            waited += wait;
        }
        assert!(waited > MAX_TOTAL - MAX_BACKOFF && waited <= MAX_TOTAL, "{waited:?}");
        assert_eq!(patience.failures, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_proved_too_short_grows() {
        let mut patience = ReadRetryPolicy::new(SECOND);
        assert_eq!(patience.on_throttled(Some(Duration::ZERO)), Some(Duration::ZERO));
        for _ in 0..4 {
            patience.on_throttled(Some(Duration::ZERO));
        }
        assert!(patience.on_throttled(Some(Duration::ZERO)).unwrap() > SECOND * 10);
    }
}
