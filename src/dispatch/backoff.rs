//! How long a target waits before its next try.

use std::time::Duration;

/// The wait before the first retry.
const FIRST: Duration = Duration::from_millis(500);

/// The maximum wait that we choose; a server may ask for more.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Exponential backoff with jitter: after the n-th failed try (from 1), between 50% and 100% of 0.5 s · 2ⁿ⁻¹,
/// at most 30 s.
pub(super) fn wait(tries: u32) -> Duration {
    let full = FIRST.saturating_mul(1 << (tries.saturating_sub(1)).min(10)).min(MAX_BACKOFF);
    full.mul_f64(0.5 + 0.5 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_spread() {
        for (tries, full) in [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (9, 30.0), (4000, 30.0)] {
            let waits: Vec<f64> = (0..200).map(|_| wait(tries).as_secs_f64()).collect();
            assert!(waits.iter().all(|wait| (full * 0.5..=full).contains(wait)), "{tries}");
            assert!(
                waits.iter().any(|wait| *wait > full * 0.9) && waits.iter().any(|wait| *wait < full * 0.6)
            );
        }
    }
}
