//! `report --merge`: makes one report of the run folders of several shards.

use std::path::{Path, PathBuf};

use super::execute::{print_summary, read_journal_index};
use super::report::print_rows;
use super::resume::read_run_record;
use crate::console::{self, OutputFormat};
use crate::error::Error;
use crate::intake::Shard;
use crate::journal::{RunFolder, RunLock, RunRecord};
use crate::report::merge::{self, ShardRun, ShardSet};
use crate::report::{self, Summary};
use crate::shell;

/// The exit code if rows of the input are not in any folder.
const EXIT_ROWS_MISSING: u8 = 3;

pub(super) fn merge(out: &Path, folders: &[PathBuf], output: OutputFormat) -> Result<u8, Error> {
    let target = merge::MergeOutput::check(out)?;
    // Cheap checks come first, before files are hashed and journals are read.
    let opened = folders.iter().map(|path| open(path, folders)).collect::<Result<Vec<_>, _>>()?;
    ShardSet::check(opened.iter().map(|(folder, _, record)| (folder, record)))?;
    let set = ShardSet::new(opened.into_iter().map(shard_run).collect::<Result<_, _>>()?)?;
    let summary = merge::write(&set, target)?;
    print_rows(output, set.columns(), |visit| merge::for_each_row(&set, visit))?;
    print_summary(&summary, out, &next_commands(&summary, out), output)?;
    let missing = summary.merged.as_ref().and_then(|merged| merged.missing_sentence());
    if let Some(sentence) = &missing {
        console::print_status(&format!("warning: {sentence}"));
    }
    Ok(if missing.is_some() { EXIT_ROWS_MISSING } else { 0 })
}

fn open(path: &Path, all: &[PathBuf]) -> Result<(RunFolder, RunLock, RunRecord), Error> {
    let folder = RunFolder::open(path)?;
    // A second lock on the same folder would fail with a misleading message.
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
        report::RunIntegrity::check(&folder, &record).with_journal(&record, &journal_index).findings;
    Ok(ShardRun { folder, lock, record, journal: journal_index, manifest_sha256, altered })
}

/// The commands to run next, if something is left to do.
fn next_commands(summary: &Summary, out: &Path) -> Vec<String> {
    let Some(merged) = &summary.merged else { return Vec::new() };
    let mut files: Vec<String> =
        summary.inputs.iter().map(|input| shell::path(Path::new(&input.name))).collect();
    // Each sheet of a workbook is an input of its own.
    files.dedup();
    let run = |shard: &Shard| format!("entra-revoke run {} --shard {shard}", files.join(" "));
    // A drill's simulator and its users are gone.
    if summary.drill {
        return Vec::new();
    }
    let mut next: Vec<String> = merged.missing.iter().map(run).collect();
    if summary.remaining > 0 {
        next.push(format!("entra-revoke run {}", shell::path(&out.join("remaining.csv"))));
    }
    next
}
