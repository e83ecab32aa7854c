//! When a window opens again, if Graph does not say so, or says so wrongly.

/// The precision, in seconds. More is not worth a throttled probe.
const TOLERANCE: f64 = 0.4;

/// The time, in seconds, to add to the end of a documented window, because clocks and latencies differ.
const MARGIN: f64 = 0.02;

/// What has been learned about the opening. All times are seconds since the window opened.
#[derive(Clone, Debug)]
pub(super) struct ReopenEstimator {
    /// In the previous window: when the last probe was throttled, and when the next one passed.
    seen: Option<(f64, f64)>,
    /// When a window ends according to the documentation. Used until a whole window was observed.
    documented: Option<f64>,
    /// When the last probe of this window was throttled.
    probed: Option<f64>,
}

impl ReopenEstimator {
    /// `piece` is what was observed of the window in which the run began. That was only a part of it, so the
    /// next window is no shorter.
    pub(super) fn new(documented: f64, piece: Option<(f64, f64)>) -> ReopenEstimator {
        ReopenEstimator { seen: piece, documented: Some(documented), probed: None }
    }

    /// Notes that a probe was throttled.
    pub(super) fn is_shut(&mut self, at: f64) {
        self.probed = Some(at);
    }

    /// Notes that a probe passed.
    pub(super) fn is_open(&mut self, at: f64) {
        let shut = self.probed.take().unwrap_or(at - self.unsure());
        (self.seen, self.documented) = (Some((shut, at)), None);
    }

    /// When to send the next probe; `own` is the wait that the gate would choose. Probes are around the
    /// length of the previous window, closer together the better it is known, and never after the documented
    /// end.
    pub(super) fn next_probe(&self, now: f64, own: f64) -> f64 {
        let next = match self.seen {
            // So late, this can't be a missed end of a window. The limiter may punish early probes, so wait
            // longer.
            Some((_, open)) if now > open * 1.5 => now + own,
            Some((shut, open)) => self.around(shut, open, now),
            None => now + own,
        };
        match self.documented {
            Some(end) if now < end => next.min(end + MARGIN),
            _ => next,
        }
    }

    fn around(&self, shut: f64, open: f64, now: f64) -> f64 {
        let mut step = self.unsure() / 2.0;
        let mut at = shut - step;
        while at <= now + 1e-3 {
            at += step;
            if at > open {
                step = (step * 2.0).min(open / 8.0).max(step);
            }
        }
        at
    }

    fn unsure(&self) -> f64 {
        self.seen.map_or(0.0, |(shut, open)| open - shut).max(TOLERANCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(opening: &ReopenEstimator, from: f64, until: f64) -> Vec<f64> {
        let mut looks = vec![opening.next_probe(from, 4.0)];
        while *looks.last().unwrap() < until {
            looks.push(opening.next_probe(*looks.last().unwrap(), 4.0));
        }
        looks
    }

    #[test]
    fn the_documented_end_is_never_passed_by() {
        let opening = ReopenEstimator::new(150.0, None);
        assert!(looks(&opening, 20.0, 151.0).contains(&150.02));
        let opening = ReopenEstimator::new(150.0, Some((81.0, 95.0)));
        let looks = looks(&opening, 20.0, 151.0);
        assert!(looks[0] > 70.0, "a whole window is no shorter than its part: {looks:?}");
        assert!(looks.contains(&150.02) && looks.len() < 12, "{looks:?}");
    }

    #[test]
    fn the_better_it_is_known_the_closer_it_looks() {
        let mut opening = ReopenEstimator::new(150.0, None);
        opening.is_shut(40.0);
        opening.is_open(48.0);
        assert_eq!(looks(&opening, 1.0, 48.0), [36.0, 40.0, 44.0, 48.0]);
        opening.is_shut(44.0);
        opening.is_open(48.0);
        assert_eq!(looks(&opening, 1.0, 48.0), [42.0, 44.0, 46.0, 48.0]);
        // The first probe passed, so the window opens earlier than that.
        opening.is_open(42.0);
        assert!(looks(&opening, 1.0, 42.0)[0] < 38.0);
    }
}
