//! How long one request is asked again.

use std::time::Duration;

use tokio::time::Instant;

/// Tries of a request that fails otherwise than by being throttled.
const TRIES: u32 = 5;

/// Longest wait of our own choosing; a server's wish may be longer.
const LONGEST: Duration = Duration::from_secs(30);

/// A request that was throttled costs no try, but has no more time than this.
const PATIENCE: Duration = Duration::from_secs(600);

/// The patience with one request.
#[derive(Debug)]
pub(super) struct ReadRetryPolicy {
    began: Instant,
    /// The first wait of our own choosing.
    step: Duration,
    /// Tries that there are.
    tries: u32,
    /// No wait goes beyond this.
    longest: Duration,
    /// No server may ask for more than this.
    asked: Duration,
    failed: u32,
    throttled: u32,
}

impl ReadRetryPolicy {
    pub(super) fn new(step: Duration) -> ReadRetryPolicy {
        let (began, tries, longest) = (Instant::now(), TRIES, PATIENCE);
        ReadRetryPolicy { began, step, tries, longest, asked: PATIENCE, failed: 0, throttled: 0 }
    }

    /// One that no server may ask to wait longer than this.
    pub(super) fn at_most(self, max_wait: Duration) -> ReadRetryPolicy {
        ReadRetryPolicy { asked: max_wait, ..self }
    }

    /// One that asks once.
    pub(super) fn single_attempt(self, hasty: bool) -> ReadRetryPolicy {
        if hasty { ReadRetryPolicy { tries: 1, longest: Duration::ZERO, ..self } } else { self }
    }

    /// One for what only informs, which has so much time left: it asks twice.
    pub(super) fn with_budget(self, left: Duration) -> ReadRetryPolicy {
        ReadRetryPolicy { tries: self.tries.min(2), longest: self.longest.min(left), ..self }
    }

    /// How long to wait after a failure; none where no try is left.
    pub(super) fn failed(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.failed += 1;
        if self.failed >= self.tries {
            return None;
        }
        // A failure mostly passes sooner than a throttle.
        self.in_time(asked, self.backoff(self.failed) / 2)
    }

    /// How long to wait after a 429; none where that is too long. A wait that proved too short is not believed twice.
    pub(super) fn throttled(&mut self, asked: Option<Duration>) -> Option<Duration> {
        self.throttled += 1;
        let own = match asked {
            None => self.backoff(self.throttled),
            Some(_) if self.throttled == 1 => Duration::ZERO,
            Some(_) => self.backoff(self.throttled - 1),
        };
        self.in_time(asked, own)
    }

    /// Whether it was asked more than once.
    pub(super) fn was_tried(&self) -> bool {
        self.failed + self.throttled > 0
    }

    fn backoff(&self, times: u32) -> Duration {
        let full = self.step.saturating_mul(1 << (times - 1).min(10)).min(LONGEST);
        full.mul_f64(0.75 + 0.25 * fastrand::f64())
    }

    fn in_time(&self, asked: Option<Duration>, own: Duration) -> Option<Duration> {
        let asked = asked.unwrap_or_default();
        let wait = asked.max(own);
        let ends = self.began.elapsed().saturating_add(wait);
        (self.tries > 1 && asked <= self.asked && ends <= self.longest).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn failures_have_five_tries() {
        let mut patience = ReadRetryPolicy::new(SECOND);
        let waits: Vec<Option<Duration>> = (0..5).map(|_| patience.failed(None)).collect();
        for (wait, full) in waits.iter().zip([0.5, 1.0, 2.0, 4.0]) {
            let wait = wait.unwrap().as_secs_f64();
            assert!((full * 0.75..=full).contains(&wait), "{wait} of {full}");
        }
        assert_eq!(waits[4], None);
    }

    #[test]
    fn haste_asks_once() {
        let hasty = || ReadRetryPolicy::new(SECOND).single_attempt(true);
        assert_eq!((hasty().failed(None), hasty().throttled(Some(SECOND))), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn what_only_informs_asks_twice_and_waits_for_nothing_long() {
        let informing = || ReadRetryPolicy::new(SECOND).with_budget(SECOND * 5);
        let mut patience = informing();
        assert!(patience.failed(None).is_some());
        assert_eq!(patience.failed(None), None);
        assert_eq!(informing().failed(Some(SECOND * 6)), None);
        assert_eq!(informing().throttled(Some(SECOND * 2)), Some(SECOND * 2));
        assert_eq!(informing().throttled(Some(SECOND * 6)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_is_waited_out_in_full_until_patience_ends() {
        let mut patience = ReadRetryPolicy::new(SECOND);
        assert_eq!(patience.throttled(Some(SECOND * 90)), Some(SECOND * 90));
        assert_eq!(patience.throttled(Some(SECOND * 601)), None);
        assert_eq!(ReadRetryPolicy::new(SECOND).at_most(SECOND).throttled(Some(SECOND * 2)), None);
        assert_eq!(ReadRetryPolicy::new(SECOND).at_most(SECOND).failed(Some(SECOND * 2)), None);
        assert!(ReadRetryPolicy::new(SECOND).at_most(SECOND).throttled(Some(SECOND)).is_some());
        assert_eq!(ReadRetryPolicy::new(SECOND).at_most(SECOND).throttled(Some(Duration::MAX)), None);
        let mut waited = Duration::ZERO;
        while let Some(wait) = patience.throttled(None) {
            tokio::time::sleep(wait).await;
            waited += wait;
        }
        assert!(waited > PATIENCE - LONGEST && waited <= PATIENCE, "{waited:?}");
        assert_eq!(patience.failed, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_proved_too_short_grows() {
        let mut patience = ReadRetryPolicy::new(SECOND);
        assert_eq!(patience.throttled(Some(Duration::ZERO)), Some(Duration::ZERO));
        for _ in 0..4 {
            patience.throttled(Some(Duration::ZERO));
        }
        assert!(patience.throttled(Some(Duration::ZERO)).unwrap() > SECOND * 10);
    }
}
