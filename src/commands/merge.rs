//! `report --merge`: the run folders of several shards as one report.

use std::path::{Path, PathBuf};

use super::execute::{print_summary, read_journal_index};
use super::report::stream_rows;
use super::resume::read_run_record;
use crate::console::{self, OutputFormat};
use crate::error::Error;
use crate::intake::Shard;
use crate::journal::{RunFolder, RunLock, RunRecord};
use crate::report::merge::{self, ShardRun, ShardSet};
use crate::report::{self, Summary};
use crate::shell;

/// The exit code where rows of the input are in no folder.
const EXIT_ROWS_MISSING: u8 = 3;

pub(super) fn merge(out: &Path, folders: &[PathBuf], output: OutputFormat) -> Result<u8, Error> {
    let target = merge::MergeOutput::check(out)?;
    // All is asked of the folders that costs little, before files are hashed and journals read.
    let opened = folders.iter().map(|path| open(path, folders)).collect::<Result<Vec<_>, _>>()?;
    ShardSet::check(opened.iter().map(|(folder, _, record)| (folder, record)))?;
    let set = ShardSet::new(opened.into_iter().map(shard_run).collect::<Result<_, _>>()?)?;
    let summary = merge::write(&set, target)?;
    stream_rows(output, set.columns(), |visit| merge::for_each_row(&set, visit))?;
    print_summary(&summary, out, &next_commands(&summary, out), output)?;
    let missing = summary.merged.as_ref().and_then(|merged| merged.missing_sentence());
    if let Some(sentence) = &missing {
        console::print_status(&format!("warning: {sentence}"));
    }
    Ok(if missing.is_some() { EXIT_ROWS_MISSING } else { 0 })
}

fn open(path: &Path, all: &[PathBuf]) -> Result<(RunFolder, RunLock, RunRecord), Error> {
    let folder = RunFolder::open(path)?;
    // Two locks on one folder would wait for each other.
    let same = |other: &&PathBuf| match (other.canonicalize(), path.canonicalize()) {
        (Ok(other), Ok(path)) => other == path,
        _ => *other == path,
    };
    if all.iter().filter(same).count() > 1 {
        let path = path.display();
        return Err(Error::Usage(format!("{path} is given twice; name each run folder once")));
    }
    let lock = folder.lock()?;
    let record = read_run_record(&folder)?;
    Ok((folder, lock, record))
}

fn shard_run((folder, lock, record): (RunFolder, RunLock, RunRecord)) -> Result<ShardRun, Error> {
    let manifest_sha256 = report::check_manifest(folder.dir(), &record.id)?;
    let journal_index = read_journal_index(&folder, &record)?;
    let altered =
        report::ReportIntegrity::check(&folder, &record).with_journal(&record, &journal_index).findings;
    Ok(ShardRun { folder, lock, record, journal: journal_index, manifest_sha256, altered })
}

/// What to type next, where something is left to do.
fn next_commands(summary: &Summary, out: &Path) -> Vec<String> {
    let Some(merged) = &summary.merged else { return Vec::new() };
    let mut files: Vec<String> =
        summary.inputs.iter().map(|input| shell::path(Path::new(&input.name))).collect();
    // Of a workbook, each sheet that was read is an input.
    files.dedup();
    let run = |shard: &Shard| format!("entra-revoke run {} --shard {shard}", files.join(" "));
    // A drill's simulator is gone, and so is whom it knew.
    if summary.drill {
        return Vec::new();
    }
    let mut next: Vec<String> = merged.missing.iter().map(run).collect();
    if summary.remaining > 0 {
        next.push(format!("entra-revoke run {}", shell::path(&out.join("remaining.csv"))));
    }
    next
}
