//! What a journal's lines prove: which run they belong to, and whether they agree with each other. A hash chain would
//! prove more, but these checks need nothing besides the lines.

use crate::event::BeganEvent;
use crate::outcome::Outcome;

/// This many bytes of a damaged line are kept. A `began` line is shorter.
const MAX_PREFIX: usize = 4 << 10;

/// This many damaged lines are kept.
const MAX_DAMAGED_KEPT: usize = 64;

/// The raw lines with which processes started or resumed the run. A single damaged bit must not make the folder
/// unusable, and the rest of a damaged line still names its run.
#[derive(Default)]
pub(super) struct BeganLines {
    /// The same number as the `began` events that could be read.
    readable: Vec<Vec<u8>>,
    damaged: Vec<Vec<u8>>,
}

impl BeganLines {
    pub(super) fn add_readable(&mut self, line: &[u8]) {
        self.readable.push(line_prefix(line).to_vec());
    }

    /// Keeps an unreadable line, in case it was such a line.
    pub(super) fn add_damaged(&mut self, line: &[u8]) {
        let line = line_prefix(line);
        if self.damaged.len() < MAX_DAMAGED_KEPT && contains_within_one_bit(line, br#""event":"began""#) {
            self.damaged.push(line.to_vec());
        }
    }

    /// Whether the readable line with this index contains `member`, except for one damaged bit.
    pub(super) fn nearly_contains(&self, place: usize, member: &str) -> bool {
        self.readable.get(place).is_some_and(|line| contains_within_one_bit(line, member.as_bytes()))
    }

    /// Whether an unreadable line still contains `member`.
    pub(super) fn damaged_contains(&self, member: &str) -> bool {
        self.damaged.iter().any(|line| contains_within_one_bit(line, member.as_bytes()))
    }
}

fn line_prefix(line: &[u8]) -> &[u8] {
    &line[..line.len().min(MAX_PREFIX)]
}

/// Whether a line contains the text, with at most one changed bit.
fn contains_within_one_bit(line: &[u8], text: &[u8]) -> bool {
    let nearly = |part: &[u8]| {
        let mut bits = 0;
        part.iter().zip(text).all(|(one, other)| {
            bits += (one ^ other).count_ones();
            bits <= 1
        })
    };
    line.windows(text.len()).any(nearly)
}

/// The kind of a target's last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LastLineKind {
    #[default]
    Nothing,
    Sent,
    Answered,
    Settled,
}

/// Lines that this program could not have written.
#[derive(Debug, Default)]
pub(super) struct JournalAnomalies {
    /// Lines that repeat an earlier one.
    repeated: u64,
    /// Answers and outcomes of requests without a `sent` line.
    unsent: u64,
    /// Lines after the end of a process.
    after_end: u64,
    /// Outcomes `revoked` whose answer says otherwise.
    contradictory: u64,
    /// A process started with more users than the lines before it leave.
    too_many_remaining: bool,
    /// No line names the run.
    run_unnamed: bool,
}

/// The parts of a line that are compared with the lines before it.
pub(super) struct LineFacts {
    pub(super) kind: LastLineKind,
    /// The attempt that it is about.
    pub(super) attempt: u32,
    pub(super) outcome: Outcome,
    pub(super) http_status: Option<u16>,
    /// Whether every line so far could be read.
    pub(super) all_read: bool,
    /// Whether the previous line is from the same process.
    pub(super) same_process: bool,
}

impl JournalAnomalies {
    /// Compares a target's line with its last one, after this many attempts.
    pub(super) fn compare_with_last(&mut self, line: &LineFacts, last: LastLineKind, attempts: u32) {
        match line.kind {
            LastLineKind::Sent => self.repeated += u64::from(line.attempt <= attempts),
            LastLineKind::Answered | LastLineKind::Settled => {
                let unsent = line.attempt > attempts && line.all_read;
                self.unsent += u64::from(unsent);
                let again = line.kind == last && line.same_process && line.all_read;
                self.repeated += u64::from(again && !unsent);
            }
            LastLineKind::Nothing => {}
        }
        let good = line.http_status.is_none_or(|status| (200..300).contains(&status));
        self.contradictory += u64::from(line.outcome == Outcome::Revoked && !good);
    }

    /// Checks the start of a process. `left` is the number of users that the lines before it leave.
    pub(super) fn check_began(&mut self, began: &BeganEvent, before: Option<&BeganEvent>, left: usize) {
        self.repeated += u64::from(before == Some(began));
        self.too_many_remaining |= began.targets as usize > left;
    }

    pub(super) fn count_after_end(&mut self) {
        self.after_end += 1;
    }

    pub(super) fn set_run_unnamed(&mut self) {
        self.run_unnamed = true;
    }

    /// The findings as sentences without the full stop.
    pub(super) fn sentences(&self) -> Vec<String> {
        let lines = |count: u64, what: &str| {
            let noun = if count == 1 { "line" } else { "lines" };
            (count > 0).then(|| format!("journal.jsonl has {count} {noun} {what}"))
        };
        let flag = |yes: bool, what: &str| yes.then(|| what.to_owned());
        let all = [
            lines(self.repeated, "that repeat an earlier one"),
            lines(self.unsent, "about requests without a `sent` line: lines were removed or added"),
            lines(self.after_end, "after the end of a process"),
            lines(self.contradictory, "that say revoked, but have an answer that says otherwise"),
            flag(
                self.too_many_remaining,
                "journal.jsonl says that fewer users were done than it shows: lines were added",
            ),
            flag(self.run_unnamed, "journal.jsonl has no readable line that names its run"),
        ];
        all.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &[u8] =
        br#"{"event":"began","at":"2026-11-22T15:35:06Z","format":3,"run":"2d460df2","targets":3}"#;

    proptest! {
        #[test]
        fn one_flipped_bit_is_tolerated(bit in 0..LINE.len() * 8) {
            let mut line = LINE.to_vec();
            line[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(contains_within_one_bit(&line, br#""run":"2d460df2""#));
            prop_assert!(contains_within_one_bit(&line, br#""event":"began""#));
        }

        #[test]
        fn different_run_id_does_not_match(id in "[0-9a-f]{8}") {
            let bits: u32 = id.bytes().zip("2d460df2".bytes()).map(|(a, b)| (a ^ b).count_ones()).sum();
            let member = format!("\"run\":\"{id}\"");
            prop_assert_eq!(contains_within_one_bit(LINE, member.as_bytes()), bits <= 1);
        }
    }
}
