//! How many requests are in flight in one tenant, and how many users each carries.
//!
//! `--jobs auto` begins small and opens another place with each answer that comes while all places are taken and the
//! pacer would let more go: fast answers leave places empty, slow ones fill them. A time-out, a broken connection or a
//! 503 halves the places.
//!
//! `--batch-size auto` sends users one by one as long as there are places for all who may leave, and puts several into
//! one request where there are not.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Most parts of a `$batch` (learn.microsoft.com/graph/json-batching).
pub const MOST_IN_BATCH: u8 = 20;

/// Places that `auto` begins with.
const FEW: usize = 16;

/// Places that `auto` has at most.
const MANY: usize = 64;

/// How long a request with room for more users waits for them, where the size of batches is given.
const LINGER: Duration = Duration::from_secs(1);

/// After so many batches refused in a row, everybody goes alone.
const REFUSALS: u32 = 3;

/// `--jobs`: requests in flight at most, in each tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Jobs {
    /// As many as the latency asks for.
    #[default]
    Auto,
    /// So many.
    Fixed(usize),
}

impl Jobs {
    /// As many as there can ever be.
    pub fn most(self) -> usize {
        match self {
            Jobs::Auto => MANY,
            Jobs::Fixed(jobs) => jobs.max(1),
        }
    }
}

/// `--batch-size`: users in one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum BatchSize {
    /// One, and more where requests are what is short.
    #[default]
    Auto,
    /// Up to so many; 1 is a request of its own for everybody.
    Fixed(u8),
}

impl BatchSize {
    /// A request of its own for everybody.
    pub fn alone() -> BatchSize {
        BatchSize::Fixed(1)
    }

    /// How many must be able to leave at once, where full requests are asked for.
    pub fn burst(self) -> Option<u32> {
        match self {
            BatchSize::Fixed(size) if size > 1 => Some(u32::from(size)),
            _ => None,
        }
    }
}

/// As `run.json` has it: a number, or `auto`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(usize),
    Word(String),
}

impl From<Jobs> for Written {
    fn from(jobs: Jobs) -> Written {
        match jobs {
            Jobs::Auto => Written::Word("auto".to_owned()),
            Jobs::Fixed(jobs) => Written::Number(jobs),
        }
    }
}

impl From<BatchSize> for Written {
    fn from(size: BatchSize) -> Written {
        match size {
            BatchSize::Auto => Written::Word("auto".to_owned()),
            BatchSize::Fixed(size) => Written::Number(size.into()),
        }
    }
}

impl Written {
    fn text(self) -> String {
        match self {
            Written::Number(number) => number.to_string(),
            Written::Word(word) => word,
        }
    }
}

impl TryFrom<Written> for Jobs {
    type Error = InvalidWidth;

    fn try_from(written: Written) -> Result<Self, InvalidWidth> {
        written.text().parse()
    }
}

impl TryFrom<Written> for BatchSize {
    type Error = InvalidWidth;

    fn try_from(written: Written) -> Result<Self, InvalidWidth> {
        written.text().parse()
    }
}

/// A text that is neither `auto` nor a number in range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is neither auto nor a number from 1 to {most}")]
pub struct InvalidWidth {
    given: String,
    most: usize,
}

/// Most `--jobs`.
const MOST_JOBS: usize = 4_096;

impl FromStr for Jobs {
    type Err = InvalidWidth;

    fn from_str(text: &str) -> Result<Self, InvalidWidth> {
        Ok(number(text, MOST_JOBS)?.map_or(Jobs::Auto, Jobs::Fixed))
    }
}

impl FromStr for BatchSize {
    type Err = InvalidWidth;

    fn from_str(text: &str) -> Result<Self, InvalidWidth> {
        let size = number(text, usize::from(MOST_IN_BATCH))?;
        Ok(size.map_or(BatchSize::Auto, |size| BatchSize::Fixed(size as u8)))
    }
}

/// None for `auto`.
fn number(text: &str, most: usize) -> Result<Option<usize>, InvalidWidth> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("auto") {
        return Ok(None);
    }
    match text.parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
        _ => Err(InvalidWidth { given: text.to_owned(), most }),
    }
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Jobs::Auto => f.pad("auto"),
            Jobs::Fixed(jobs) => jobs.fmt(f),
        }
    }
}

impl fmt::Display for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchSize::Auto => f.pad("auto"),
            BatchSize::Fixed(size) => size.fmt(f),
        }
    }
}

/// One tenant's places.
#[derive(Debug)]
pub(super) struct Width {
    jobs: Jobs,
    batch: BatchSize,
    /// Places now.
    open: usize,
    /// Places at most.
    most: usize,
    /// Most users in a request, as far as the server takes them.
    taken: u8,
    /// Batches refused as a whole, in a row.
    refusals: u32,
    in_flight: usize,
    /// More would have left if there had been a place, since the last answer.
    short: bool,
    /// Since when users wait for others to share their request.
    lingers: Option<Instant>,
}

impl Width {
    /// `places` is what the system allows, however many are wanted.
    pub(super) fn new(jobs: Jobs, batch: BatchSize, places: usize) -> Width {
        let most = jobs.most().min(places).max(1);
        let open = match jobs {
            Jobs::Auto => FEW,
            Jobs::Fixed(jobs) => jobs,
        };
        Width {
            jobs,
            batch,
            open: open.clamp(1, most),
            most,
            taken: MOST_IN_BATCH,
            refusals: 0,
            in_flight: 0,
            short: false,
            lingers: None,
        }
    }

    /// Places that are free.
    pub(super) fn free(&self) -> usize {
        self.open.saturating_sub(self.in_flight)
    }

    /// Users for whom there is room now, in all free places together.
    pub(super) fn room(&self) -> u32 {
        let each = match self.batch {
            BatchSize::Auto => self.taken,
            BatchSize::Fixed(size) => size.min(self.taken),
        };
        self.free() as u32 * u32::from(each)
    }

    /// How many of the users who may leave now share the next request; or until when it waits for more of them.
    /// `waiting` of them are there at all.
    pub(super) fn share(&mut self, may_leave: u32, waiting: u32, now: Instant) -> Result<u32, Instant> {
        let most = u32::from(self.taken);
        let size = match self.batch {
            BatchSize::Auto => return Ok(may_leave.div_ceil(self.free().max(1) as u32).clamp(1, most)),
            BatchSize::Fixed(size) => u32::from(size).min(most),
        };
        let full = size.min(waiting);
        let until = *self.lingers.get_or_insert(now) + LINGER;
        if may_leave < full && now < until {
            return Err(until);
        }
        self.lingers = None;
        Ok(may_leave.min(size))
    }

    /// There was no place for somebody who may leave.
    pub(super) fn is_short(&mut self) {
        self.short = true;
    }

    /// A request left.
    pub(super) fn left(&mut self) {
        self.in_flight += 1;
    }

    /// A request came back; `trouble` where it timed out, broke, or met an overloaded server.
    pub(super) fn came_back(&mut self, trouble: bool) {
        self.in_flight -= 1;
        if self.jobs != Jobs::Auto {
            return;
        }
        if trouble {
            self.open = (self.open / 2).max(1);
        } else if self.short {
            self.open = (self.open + 1).min(self.most);
        }
        self.short = false;
    }

    /// A batch of so many users was refused as a whole with this status. A body that was too large is halved; any other
    /// refusal may be one user's fault, and only several in a row mean that batches are not taken here at all.
    pub(super) fn batch_refused(&mut self, users: usize, status: u16) {
        self.refusals += 1;
        if status == 413 {
            self.taken = u8::try_from(users / 2).unwrap_or(MOST_IN_BATCH).clamp(1, self.taken);
        } else if self.refusals >= REFUSALS {
            self.taken = 1;
        }
    }

    /// A batch was taken.
    pub(super) fn batch_taken(&mut self) {
        self.refusals = 0;
    }
}
