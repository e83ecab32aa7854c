//! What a journal's lines prove: of which run they are, and whether they agree with each other. A hash chain would prove
//! more; these are the checks that the lines themselves allow.

use crate::event::BeganEvent;
use crate::outcome::Outcome;

/// So much of a damaged line is looked at, in bytes: a `began` line is shorter.
const MAX_PREFIX: usize = 4 << 10;

/// So many damaged lines are kept to be looked at.
const MAX_DAMAGED_KEPT: usize = 64;

/// Lines by which a process took up the run, as they stand in the journal: a damaged bit must not lock the folder, and
/// what is left of a line still names its run.
#[derive(Default)]
pub(super) struct BeganLines {
    /// As long as the list of those that could be read.
    readable: Vec<Vec<u8>>,
    damaged: Vec<Vec<u8>>,
}

impl BeganLines {
    pub(super) fn add_readable(&mut self, line: &[u8]) {
        self.readable.push(line_prefix(line).to_vec());
    }

    /// Takes in a line that can't be read, in case it was such a line.
    pub(super) fn add_damaged(&mut self, line: &[u8]) {
        let line = line_prefix(line);
        if self.damaged.len() < MAX_DAMAGED_KEPT && contains_within_one_bit(line, br#""event":"began""#) {
            self.damaged.push(line.to_vec());
        }
    }

    /// Whether the readable line at this place says so, but for one damaged bit.
    pub(super) fn nearly_contains(&self, place: usize, member: &str) -> bool {
        self.readable.get(place).is_some_and(|line| contains_within_one_bit(line, member.as_bytes()))
    }

    /// Whether a line that can't be read still says so.
    pub(super) fn damaged_contains(&self, member: &str) -> bool {
        self.damaged.iter().any(|line| contains_within_one_bit(line, member.as_bytes()))
    }
}

fn line_prefix(line: &[u8]) -> &[u8] {
    &line[..line.len().min(MAX_PREFIX)]
}

/// Whether the text stands in a line, with one bit changed at most.
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

/// What a target's last line was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LastLineKind {
    #[default]
    Nothing,
    Sent,
    Answered,
    Settled,
}

/// Lines that can't stand as the program wrote them.
#[derive(Debug, Default)]
pub(super) struct JournalOddities {
    /// A line that repeats what was said.
    repeated: u64,
    /// An answer or an outcome of a request of which no line says that it left.
    unsent: u64,
    /// A line behind the end of a process.
    after_end: u64,
    /// `revoked` by an answer that says otherwise.
    contradictory: u64,
    /// More users were left to a process than the lines before it leave.
    too_many_remaining: bool,
    /// No line says of which run the journal is.
    run_unnamed: bool,
}

/// What a line says, as far as it is compared with the lines before it.
pub(super) struct LineFacts {
    pub(super) last: LastLineKind,
    /// The attempt that it speaks of.
    pub(super) attempt: u32,
    pub(super) outcome: Outcome,
    pub(super) http_status: Option<u16>,
    /// Whether every line so far could be read.
    pub(super) all_read: bool,
    /// Whether the line before it is of the same process.
    pub(super) same_process: bool,
}

impl JournalOddities {
    /// Compares a target's line with its last one, after so many attempts.
    pub(super) fn compare_with_last(&mut self, line: &LineFacts, last: LastLineKind, attempts: u32) {
        match line.last {
            LastLineKind::Sent => self.repeated += u64::from(line.attempt <= attempts),
            LastLineKind::Answered | LastLineKind::Settled => {
                let unsent = line.attempt > attempts && line.all_read;
                self.unsent += u64::from(unsent);
                let again = line.last == last && line.same_process && line.all_read;
                self.repeated += u64::from(again && !unsent);
            }
            LastLineKind::Nothing => {}
        }
        let good = line.http_status.is_none_or(|status| (200..300).contains(&status));
        self.contradictory += u64::from(line.outcome == Outcome::Revoked && !good);
    }

    /// Takes in that a process took up the run, with so many users left by the lines before.
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

    /// In sentences without their full stop.
    pub(super) fn sentences(&self) -> Vec<String> {
        let lines = |count: u64, what: &str| {
            let noun = if count == 1 { "line" } else { "lines" };
            (count > 0).then(|| format!("journal.jsonl holds {count} {noun} {what}"))
        };
        let flag = |yes: bool, what: &str| yes.then(|| what.to_owned());
        let all = [
            lines(self.repeated, "that repeat an earlier one"),
            lines(self.unsent, "of requests that no line says were sent: lines were cut out or put in"),
            lines(self.after_end, "behind the end of a process"),
            lines(self.contradictory, "that say revoked, with an answer that says otherwise"),
            flag(
                self.too_many_remaining,
                "journal.jsonl says that fewer users were done than it shows: lines were put in",
            ),
            flag(self.run_unnamed, "journal.jsonl has no readable line that says of which run it is"),
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
