//! When a window opens again, where nobody says or what they say is wrong.

/// Looking closer than that, in seconds, isn't worth a throttled probe.
const SURE: f64 = 0.4;

/// After the instant at which a documented window ends, in seconds: clocks and ways differ.
const AFTER: f64 = 0.02;

/// What is known of it. All times are seconds since the window opened.
#[derive(Clone, Debug)]
pub(super) struct ReopenEstimator {
    /// In the window before: when the last probe was throttled, and when the next one passed.
    seen: Option<(f64, f64)>,
    /// When a window ends by the documents. Followed until a whole window was seen.
    documented: Option<f64>,
    /// When the last probe of this window was throttled.
    probed: Option<f64>,
}

impl ReopenEstimator {
    /// `piece` is what was seen of the window in which the run began: a part of it, so that the next is no shorter.
    pub(super) fn new(documented: f64, piece: Option<(f64, f64)>) -> ReopenEstimator {
        ReopenEstimator { seen: piece, documented: Some(documented), probed: None }
    }

    /// A probe was throttled.
    pub(super) fn is_shut(&mut self, at: f64) {
        self.probed = Some(at);
    }

    /// A probe passed.
    pub(super) fn is_open(&mut self, at: f64) {
        let shut = self.probed.take().unwrap_or(at - self.unsure());
        (self.seen, self.documented) = (Some((shut, at)), None);
    }

    /// When to look again, `own` being how long the gate would wait: around the time that the window before took, at
    /// instants that lie closer together the better it is known, and never past the documented end.
    pub(super) fn update(&self, now: f64, own: f64) -> f64 {
        let next = match self.seen {
            // So far beyond it's no window's end that is missed: whoever punishes early probes must be outwaited.
            Some((_, open)) if now > open * 1.5 => now + own,
            Some((shut, open)) => self.around(shut, open, now),
            None => now + own,
        };
        match self.documented {
            Some(end) if now < end => next.min(end + AFTER),
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
        self.seen.map_or(0.0, |(shut, open)| open - shut).max(SURE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(opening: &ReopenEstimator, from: f64, until: f64) -> Vec<f64> {
        let mut looks = vec![opening.update(from, 4.0)];
        while *looks.last().unwrap() < until {
            looks.push(opening.update(*looks.last().unwrap(), 4.0));
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
        // It passed at the first look: then it opens earlier than that.
        opening.is_open(42.0);
        assert!(looks(&opening, 1.0, 42.0)[0] < 38.0);
    }
}
