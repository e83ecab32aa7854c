use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum MeterDecision {
    Allowed { used: f64 },
    Throttled { wait: Duration },
}

impl Meter {
    /// Decides on a request that arrives at `now`, and counts it, as `throttle` does with two calls.
    fn check(&mut self, now: Duration) -> MeterDecision {
        match self.wait(now) {
            None => MeterDecision::Allowed { used: self.charge() },
            Some(wait) => MeterDecision::Throttled { wait: self.refuse(now, wait) },
        }
    }
}

const STYLES: [LimitStyle; 4] =
    [LimitStyle::TokenBucket, LimitStyle::FixedWindow, LimitStyle::SlidingWindow, LimitStyle::StrictBucket];

const fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn meter(limit: u32, window: u64, style: LimitStyle) -> Meter {
    Meter::new(&Limit { style, ..Limit::new(limit, secs(window)) })
}

fn allowed(meter: &mut Meter, now: Duration) -> bool {
    matches!(meter.check(now), MeterDecision::Allowed { .. })
}

fn wait(meter: &mut Meter, now: Duration) -> Duration {
    match meter.check(now) {
        MeterDecision::Throttled { wait } => wait,
        MeterDecision::Allowed { used } => panic!("allowed at {now:?} with {used} used"),
    }
}

#[test]
fn token_bucket_bursts_then_refills() {
    let mut bucket = meter(10, 10, LimitStyle::TokenBucket);
    assert!((0..10).all(|_| allowed(&mut bucket, secs(0))));
    assert_eq!(wait(&mut bucket, secs(0)).as_millis(), 1000);
    assert_eq!(
        wait(&mut bucket, Duration::from_millis(500)).as_millis(),
        500,
        "being throttled costs nothing"
    );
    assert!(allowed(&mut bucket, Duration::from_millis(1001)));
    assert!(!allowed(&mut bucket, Duration::from_millis(1002)));
}

#[test]
fn fixed_window_waits_for_its_end() {
    let mut window = meter(2, 10, LimitStyle::FixedWindow);
    assert!(allowed(&mut window, secs(3)) && allowed(&mut window, secs(4)));
    assert_eq!(wait(&mut window, secs(4)), secs(6));
    assert!(allowed(&mut window, secs(10)), "a new window begins at a multiple of its length");
}

#[test]
fn strict_bucket_counts_throttled_requests_and_restarts_the_wait() {
    let mut strict = meter(1, 10, LimitStyle::StrictBucket);
    assert!(allowed(&mut strict, secs(0)));
    let first = wait(&mut strict, secs(0));
    assert!(first >= secs(19), "the throttled request cost a token: {first:?}");
    let again = wait(&mut strict, secs(5));
    assert!(again >= first, "an early retry restarts the wait: {again:?}");
    assert!(!allowed(&mut strict, first), "the first wait's end came before the restarted one's");
}

#[test]
fn strict_bucket_lets_a_patient_client_through() {
    let mut strict = meter(5, 10, LimitStyle::StrictBucket);
    let mut now = secs(0);
    let mut through = 0;
    for _ in 0..100 {
        match strict.check(now) {
            MeterDecision::Allowed { .. } => through += 1,
            MeterDecision::Throttled { wait } => now += wait,
        }
    }
    assert!(through >= 50, "{through}");
}

#[test]
fn a_fixed_window_begins_at_its_phase() {
    let limit = Limit { style: LimitStyle::FixedWindow, phase: secs(13), ..Limit::new(2, secs(10)) };
    let mut window = Meter::new(&limit);
    assert!(allowed(&mut window, secs(1)) && allowed(&mut window, secs(2)));
    assert_eq!(wait(&mut window, secs(2)), secs(1), "windows begin at 3, 13, 23");
    assert!(allowed(&mut window, secs(3)) && allowed(&mut window, secs(12)));
    assert_eq!(wait(&mut window, secs(12)), secs(1));
}

#[test]
fn a_sliding_window_waits_for_its_oldest_request() {
    let mut window = meter(3, 10, LimitStyle::SlidingWindow);
    assert!([0, 4, 6].into_iter().all(|at| allowed(&mut window, secs(at))));
    assert_eq!(wait(&mut window, secs(7)), secs(3));
    assert_eq!(window.wait_for(2, secs(7)), Some(secs(7)), "two must be forgotten");
    assert!(allowed(&mut window, secs(10)), "being throttled costs nothing");
    assert_eq!(wait(&mut window, secs(10)), secs(4));
    window.refund(1);
    assert!(allowed(&mut window, secs(10)));
}

#[test]
fn a_limit_changes_at_its_instant() {
    for style in STYLES {
        let limit = |limit| Limit { style, ..Limit::new(limit, secs(10)) };
        let mut meter = Meter::with_changes(&limit(10), &[(secs(40), limit(4)), (secs(20), limit(2))]);
        let burst = |meter: &mut Meter, at| {
            (0..20).filter(|_| meter.wait(at).is_none() && meter.charge() <= 1.0).count()
        };
        assert_eq!([0, 20, 55].map(|at| burst(&mut meter, secs(at))), [10, 2, 4], "{style:?}");
        assert_eq!(meter.limit().limit, 4);
    }
}

#[test]
fn usage_is_kept_after_a_limit_change() {
    for (style, left) in
        [(LimitStyle::TokenBucket, 4), (LimitStyle::FixedWindow, 0), (LimitStyle::SlidingWindow, 0)]
    {
        let limit = |limit| Limit { style, ..Limit::new(limit, secs(1000)) };
        let mut meter = Meter::with_changes(&limit(10), &[(Duration::from_millis(1), limit(4))]);
        assert!((0..5).all(|_| allowed(&mut meter, secs(0))));
        let now = Duration::from_millis(2);
        let through = (0..10).filter(|_| allowed(&mut meter, now)).count();
        assert_eq!(through, left, "{style:?}: five are left, or used");
    }
}

#[test]
fn background_load_uses_its_share() {
    let limit = Limit::new(100, secs(10));
    let (mut meter, mut eater) = (Meter::new(&limit), BackgroundLoad::new(0.5).unwrap());
    let mut through = 0;
    // A greedy client that sends a request every 10 ms for 100 s.
    for ms in (0..100_000).step_by(10) {
        let now = Duration::from_millis(ms);
        eater.run_until(&limit, now, |at| match meter.check(at) {
            MeterDecision::Allowed { .. } => None,
            MeterDecision::Throttled { wait } => Some(wait),
        });
        through += u32::from(allowed(&mut meter, now));
    }
    assert!((590..=610).contains(&through), "a full bucket and half of what came after: {through}");
    assert!(BackgroundLoad::new(0.0).is_none());
}

#[test]
fn the_share_in_use_is_reported() {
    let mut bucket = meter(10, 10, LimitStyle::TokenBucket);
    for expected in 1..=10 {
        let MeterDecision::Allowed { used } = bucket.check(secs(0)) else { panic!("throttled") };
        assert!((used - f64::from(expected) / 10.0).abs() < 1e-9, "{used}");
    }
}

proptest! {
    #[test]
    fn a_bucket_never_exceeds_burst_and_refill(gaps in prop::collection::vec(0u64..3000, 1..200)) {
        let mut bucket = meter(7, 7, LimitStyle::TokenBucket);
        let mut now = Duration::ZERO;
        let mut through = 0u32;
        for gap in gaps {
            now += Duration::from_millis(gap);
            through += u32::from(allowed(&mut bucket, now));
            prop_assert!(f64::from(through) <= 7.0 + now.as_secs_f64() + 1e-6);
        }
    }

    #[test]
    fn a_request_after_the_announced_wait_is_allowed(
        style in prop::sample::select(STYLES.to_vec()),
        limit in 1u32..20, burst in 1usize..60,
    ) {
        let mut meter = meter(limit, 10, style);
        let last = (0..burst).map(|_| meter.check(Duration::ZERO)).last();
        if let Some(MeterDecision::Throttled { wait }) = last {
            prop_assert!(allowed(&mut meter, wait));
        }
    }
}
