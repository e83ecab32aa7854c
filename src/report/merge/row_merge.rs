//! The rows of all shards, in the order of the input.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::shard_set::{ShardRun, ShardSet};
use crate::plan::{PlanReader, PlanRow};
use crate::report::row_writer::single_app;
use crate::report::{ReportError, ReportRow, TenantNotes};

/// The position of a row in the input: the source and the line.
type RowPosition = (usize, u64);

/// The rows of one shard, which are in the order of the input.
struct ShardRows<'a> {
    part: &'a ShardRun,
    plan: PlanReader,
    next_row: Option<PlanRow>,
    last: RowPosition,
    notes: TenantNotes,
}

impl<'a> ShardRows<'a> {
    fn open(part: &'a ShardRun) -> Result<ShardRows<'a>, ReportError> {
        let plan = PlanReader::open(part.folder.dir(), &part.record.plan.sha256)?;
        let notes = TenantNotes::new(&part.record, &part.journal);
        Ok(ShardRows { part, plan, next_row: None, last: (0, 0), notes })
    }

    /// Reads the next row and returns its position. `None` at the end.
    fn advance(&mut self) -> Result<Option<RowPosition>, ReportError> {
        self.next_row = self.plan.next().transpose()?;
        let Some(row) = &self.next_row else { return Ok(None) };
        let sources = self.part.shard_record().map(|sharded| sharded.sources.as_slice()).unwrap_or_default();
        self.last = row_position(&row.line, sources, self.last);
        Ok(Some(self.last))
    }
}

/// The position of a line such as `12`, or `users.csv:12` if there are several sources. It is after `last`: if a source
/// occurs twice, its name alone is not enough.
fn row_position(line: &str, sources: &[String], last: RowPosition) -> RowPosition {
    let (name, number) = match line.rsplit_once(':') {
        Some((name, number)) if !sources.is_empty() => (Some(name), number),
        _ => (None, line),
    };
    let number = number.parse().unwrap_or(last.1);
    let from = if number <= last.1 { last.0 + 1 } else { last.0 };
    let source = name.map_or(Some(0), |name| {
        let named = |from: usize| (from..sources.len()).find(|at| sources[*at] == name);
        named(from).or_else(|| named(0))
    });
    (source.unwrap_or(last.0), number)
}

/// Visits all rows of the set once, in the order of the input. Missing shards have no rows.
///
/// # Errors
/// When a plan or a journal can't be read, two shards have the same row of a file, or `visit` fails.
pub fn for_each_row<E: From<ReportError>>(
    set: &ShardSet,
    mut visit: impl FnMut(&ReportRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut shards = set.runs.iter().map(ShardRows::open).collect::<Result<Vec<_>, _>>()?;
    let mut next = BinaryHeap::new();
    for (at, shard) in shards.iter_mut().enumerate() {
        next.extend(shard.advance()?.map(|place| Reverse((place, at))));
    }
    let mut before: Option<(RowPosition, usize)> = None;
    while let Some(Reverse((place, at))) = next.pop() {
        let shard = &shards[at];
        let Some(row) = &shard.next_row else { continue };
        let is_file_row = place.0 < shard.part.record.inputs.len();
        if let Some((_, other)) = before.filter(|(last, other)| is_file_row && *last == place && *other != at)
        {
            let (one, other) = (shards[other].part, shard.part);
            let [one, other] = [one, other].map(|part| part.folder.path().to_owned());
            return Err(ReportError::Overlap { line: row.line.clone(), one, other }.into());
        }
        visit_row(shard, row, &mut visit)?;
        before = Some((place, at));
        next.extend(shards[at].advance()?.map(|place| Reverse((place, at))));
    }
    Ok(())
}

fn visit_row<E: From<ReportError>>(
    shard: &ShardRows<'_>,
    row: &PlanRow,
    visit: &mut impl FnMut(&ReportRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let (part, notes) = (shard.part, &shard.notes);
    let case_id = part.record.case_id.as_deref();
    match row.order() {
        Some(order) => {
            let state =
                part.journal.target_state(order).map_err(ReportError::read(&part.folder.journal_path()))?;
            let only_app = single_app(&part.record, &part.journal);
            visit(&notes.fill_tenant(ReportRow::from_target(row, &state, case_id).with_default_app(only_app)))
        }
        None => visit(&notes.fill_tenant(ReportRow::from_plan_row(row, case_id))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_sources() {
        let sources = ["a.csv", r"C:\b.csv", "group Finance", "a.csv"].map(str::to_owned);
        let lines = ["a.csv:2", "a.csv:9", r"C:\b.csv:1", "group Finance:7", "a.csv:2"];
        let mut last = (0, 0);
        let places = lines.map(|line| {
            last = row_position(line, &sources, last);
            last
        });
        assert_eq!(places, [(0, 2), (0, 9), (1, 1), (2, 7), (3, 2)]);
        assert_eq!(row_position("12", &[], (0, 3)), (0, 12));
    }
}
