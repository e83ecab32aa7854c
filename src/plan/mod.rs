//! From rows to targets: who is revoked, in which order, and who is left out and why.
//!
//! [`Draft::compose`] takes the rows in one pass and keeps of each target only its id and its place; the rows
//! themselves, with all their columns, lie in a temporary file. [`Draft::freeze`] writes `plan.csv` from it, with
//! the order settled. Nothing is sent before that file stands.

mod facts;
mod file;
mod gathered;
mod guard;
mod preview;
mod wishes;

pub use facts::{PlanFacts, Resolution};
pub use file::{LeftOut, PlanError, PlanReader, PlanRow};
pub use gathered::Gathered;
pub use guard::{Guard, GuardError};
pub use wishes::{Listed, Only, Share, Wishes};

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use hashbrown::HashTable;
use tempfile::SpooledTempFile;

use crate::directory::Directory;
use crate::event::Order;
use crate::intake::{IntakeError, Row, SourceDigest, Verdict};
use crate::journal::{Counted, PlanRecord, create_private};
use crate::outcome::Outcome;
use crate::user_id::UserId;

/// Rows are kept in memory up to this size, in bytes, and in a temporary file beyond.
const SPOOL_IN_MEMORY: usize = 4 << 20;

/// Sent after everybody who has a priority.
const NO_PRIORITY: i64 = i64::MAX;

/// One user to revoke.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whose sessions.
    pub user: UserId,
    /// Whether the user's home is another tenant; none where nothing tells.
    pub external: Option<bool>,
}

/// A plan that was read and not frozen yet.
pub struct Draft {
    spool: csv::Writer<SpooledTempFile>,
    columns: Vec<String>,
    inputs: Vec<SourceDigest>,
    notices: Vec<String>,
    drafted: Drafted,
    facts: PlanFacts,
}

/// Who signed in: nobody is revoked by their own hand unasked.
#[derive(Clone, Debug, Default)]
pub struct Signed {
    /// The ids of the signed-in user; none for an app.
    pub operator: Vec<UserId>,
    /// The app's id.
    pub app_id: Option<String>,
}

/// What is kept in memory while rows come in.
#[derive(Default)]
struct Drafted {
    targets: Vec<Target>,
    priorities: Vec<i64>,
    places: Vec<Place>,
    rows: u64,
    left_out: Counted,
    external: u64,
    first_invalid: Option<String>,
    bad_priorities: u64,
    /// Indexes of targets that go behind all others, whatever their priority.
    last: Vec<u32>,
}

/// Where a target was first named.
#[derive(Clone, Copy)]
struct Place {
    source: u16,
    line: u32,
}

impl Draft {
    /// Makes a plan of the rows of the inputs, and of whom the directory names. Without the directory, ids are compared
    /// as they are written.
    ///
    /// # Errors
    /// When a list of people can't be read and resolved in full, when a selection can't be read or names nobody, or when
    /// nobody can tell whether a row is somebody protected.
    pub async fn compose(
        mut gathered: Gathered,
        wishes: &Wishes,
        signed: &Signed,
        directory: Option<&Directory>,
    ) -> Result<Draft, PlanError> {
        let _ = (signed, directory);
        let mut guard = Guard::read(&wishes.protect, &wishes.exclude)?;
        let names = SourceNames::new(&gathered.names);
        let mut spool =
            csv::WriterBuilder::new().has_headers(false).from_writer(SpooledTempFile::new(SPOOL_IN_MEMORY));
        let mut seen = Seen::default();
        let mut drafted = Drafted::default();
        for row in gathered.rows()? {
            let row = row?;
            let line = names.line(row.source, row.line);
            let planned = drafted.sort_in(&row, &line, &names, &mut seen, &mut guard)?;
            planned.write(&mut spool).map_err(PlanError::spool)?;
        }
        guard.look_back(|id| seen.names_target(id, &drafted.targets))?;
        let mut notices = Vec::new();
        if drafted.bad_priorities > 0 {
            notices.push(format!(
                "{} priorities are no whole numbers: those users go last",
                drafted.bad_priorities
            ));
        }
        let Gathered { columns, inputs, .. } = gathered;
        Ok(Draft { spool, columns, inputs, notices, drafted, facts: PlanFacts::default() })
    }

    /// What is known of the plan as a whole.
    pub fn facts(&self) -> &PlanFacts {
        &self.facts
    }

    /// Users to revoke.
    pub fn targets(&self) -> usize {
        self.drafted.targets.len()
    }

    /// Whether `me` is among them.
    pub fn names_me(&self) -> bool {
        self.drafted.targets.iter().any(|target| target.user == UserId::Me)
    }

    /// Puts these users behind all others, whatever their priority, and says whether one of them is a target.
    pub fn send_last(&mut self, users: &[UserId]) -> bool {
        let targets = (0..).zip(&self.drafted.targets);
        let last: Vec<u32> =
            targets.filter(|(_, target)| users.contains(&target.user)).map(|(index, _)| index).collect();
        self.drafted.last = last;
        !self.drafted.last.is_empty()
    }

    /// What the reader decided, in words.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The inputs' own columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The first row that is no user id, in words, if there is one.
    pub fn first_invalid(&self) -> Option<&str> {
        self.drafted.first_invalid.as_deref()
    }

    /// Counts so far; the hash is empty until the plan is frozen.
    pub fn record(&self) -> PlanRecord {
        PlanRecord {
            rows: self.drafted.rows,
            targets: self.drafted.targets.len() as u32,
            left_out: self.drafted.left_out.clone(),
            external: self.drafted.external,
            sha256: String::new(),
        }
    }

    /// Writes the plan to `path` with the order settled, synced, and gives the targets in sending order.
    pub fn freeze(self, path: &Path) -> Result<Frozen, PlanError> {
        let mut record = self.record();
        let order = self.drafted.sending_order();
        let out = create_private(path).map_err(|source| PlanError::write(path, source))?;
        record.sha256 = file::write_plan(self.spool, &self.columns, &order.place_of, out, path)?;
        let mut targets: Vec<Option<Target>> = self.drafted.targets.into_iter().map(Some).collect();
        let targets = order.sequence.iter().filter_map(|index| targets[*index as usize].take()).collect();
        Ok(Frozen { targets, record, columns: self.columns, inputs: self.inputs })
    }

    /// Gives each row of the plan, in the input's order.
    pub fn for_each_row(
        self,
        mut visit: impl FnMut(&PlanRow) -> std::io::Result<()>,
    ) -> Result<(), PlanError> {
        let order = self.drafted.sending_order();
        file::for_each_row(self.spool, &order.place_of, &mut visit)
    }
}

/// A plan that can no longer change.
pub struct Frozen {
    /// Users to revoke, in sending order.
    pub targets: Vec<Target>,
    /// What the plan holds, with its hash.
    pub record: PlanRecord,
    /// The inputs' own columns.
    pub columns: Vec<String>,
    /// The inputs that were read.
    pub inputs: Vec<SourceDigest>,
}

/// The sending order, both ways.
struct SendingOrder {
    /// Indexes of targets, first to send first.
    sequence: Vec<u32>,
    /// For each target, its place in the sequence, from 1.
    place_of: Vec<Order>,
}

impl Drafted {
    fn sending_order(&self) -> SendingOrder {
        let mut sequence: Vec<u32> = (0..self.targets.len() as u32).collect();
        sequence.sort_by_key(|index| (self.last.contains(index), self.priorities[*index as usize]));
        let mut place_of = vec![0; sequence.len()];
        for (place, index) in sequence.iter().enumerate() {
            place_of[*index as usize] = place as Order + 1;
        }
        SendingOrder { sequence, place_of }
    }

    /// Decides what becomes of a row.
    fn sort_in(
        &mut self,
        row: &Row,
        line: &str,
        names: &SourceNames,
        seen: &mut Seen,
        guard: &mut Guard,
    ) -> Result<PlanRow, PlanError> {
        self.rows += 1;
        let mut planned = PlanRow::from_row(row, line);
        let left_out = match &row.verdict {
            Verdict::Excluded(why) => {
                if let Ok(user) = row.id.parse() {
                    guard.learn(&[ids_of(user, row), perhaps(row)].concat());
                }
                Some(LeftOut::new(Outcome::Excluded, why.clone()))
            }
            Verdict::Unreadable(why) => Some(LeftOut::new(Outcome::Invalid, why.clone())),
            Verdict::Read => self.sort_user(row, &mut planned, names, seen, guard)?,
        };
        if let Some(left_out) = left_out {
            *self.left_out.entry(left_out.outcome).or_default() += 1;
            if left_out.outcome == Outcome::Invalid && self.first_invalid.is_none() {
                self.first_invalid = Some(format!("line {line}: {}", left_out.detail));
            }
            planned.left_out = Some(left_out);
        }
        Ok(planned)
    }

    fn sort_user(
        &mut self,
        row: &Row,
        planned: &mut PlanRow,
        names: &SourceNames,
        seen: &mut Seen,
        guard: &mut Guard,
    ) -> Result<Option<LeftOut>, PlanError> {
        let user: UserId = match row.id.parse() {
            Ok(user) => user,
            Err(why) => return Ok(Some(LeftOut::new(Outcome::Invalid, format!("not a user id: {why}")))),
        };
        planned.user_id = user.to_string();
        let ids = ids_of(user.clone(), row);
        let perhaps = perhaps(row);
        if let Some(left_out) = guard.check(&ids, &perhaps)? {
            return Ok(Some(left_out));
        }
        // Of duplicates, too: what they call their target counts as much.
        if !guard.is_empty() {
            seen.also_called(&ids[1..]);
            seen.also_called(&perhaps);
        }
        if let Some(first) = seen.find(&user, &self.targets) {
            let place = self.places[first as usize];
            let line = names.line(usize::from(place.source), u64::from(place.line));
            return Ok(Some(LeftOut::new(Outcome::Duplicate, format!("named before (by line {line})"))));
        }
        planned.external = user.external().or(row.external_hint);
        if row.external_hint == Some(true) {
            planned.external = Some(true);
        }
        self.external += u64::from(planned.external == Some(true));
        let priority = self.priority(row.priority.as_deref());
        planned.priority = row.priority.clone().unwrap_or_default();
        planned.index = Some(self.targets.len() as u32);
        seen.insert(&user, self.targets.len() as u32, &self.targets);
        self.targets.push(Target { user, external: planned.external });
        self.priorities.push(priority);
        let line = u32::try_from(row.line).unwrap_or(u32::MAX);
        self.places.push(Place { source: row.source as u16, line });
        Ok(None)
    }

    fn priority(&mut self, text: Option<&str>) -> i64 {
        let text = text.unwrap_or_default().trim();
        match text.parse() {
            Ok(number) => number,
            Err(_) => {
                self.bad_priorities += u64::from(!text.is_empty());
                NO_PRIORITY
            }
        }
    }
}

/// All ids that a row gives its user, that to send by first.
fn ids_of(user: UserId, row: &Row) -> Vec<UserId> {
    let also = row.also.iter().filter_map(|text| text.parse().ok());
    std::iter::once(user).chain(also).collect()
}

/// The ids that a row with too many cells may give its user.
fn perhaps(row: &Row) -> Vec<UserId> {
    row.perhaps.iter().filter_map(|text| text.parse().ok()).collect()
}

/// The users named so far: indexes into the targets, found by hash.
#[derive(Default)]
struct Seen {
    table: HashTable<u32>,
    hasher: RandomState,
    /// Hashes of the other ids that rows give their targets, where somebody is to be left out.
    others: HashSet<u64>,
}

impl Seen {
    fn find(&self, user: &UserId, targets: &[Target]) -> Option<u32> {
        let same = |index: &u32| targets[*index as usize].user == *user;
        self.table.find(self.hasher.hash_one(user), same).copied()
    }

    fn also_called(&mut self, ids: &[UserId]) {
        self.others.extend(ids.iter().map(|id| self.hasher.hash_one(id)));
    }

    /// Whether some row gives a target this id.
    fn names_target(&self, id: &UserId, targets: &[Target]) -> bool {
        self.find(id, targets).is_some() || self.others.contains(&self.hasher.hash_one(id))
    }

    fn insert(&mut self, user: &UserId, index: u32, targets: &[Target]) {
        let hasher = &self.hasher;
        let rehash = |index: &u32| hasher.hash_one(&targets[*index as usize].user);
        self.table.insert_unique(hasher.hash_one(user), index, rehash);
    }
}

/// How lines are named: by their number, and by their file too where there are several.
struct SourceNames {
    names: Option<Vec<String>>,
}

impl SourceNames {
    fn new(names: &[String]) -> SourceNames {
        SourceNames { names: (names.len() > 1).then(|| names.to_vec()) }
    }

    fn line(&self, source: usize, line: u64) -> String {
        match &self.names {
            Some(names) => format!("{}:{line}", names[source]),
            None => line.to_string(),
        }
    }
}

impl From<IntakeError> for PlanError {
    fn from(error: IntakeError) -> Self {
        PlanError::Intake(Box::new(error))
    }
}
