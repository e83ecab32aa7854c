//! Whether a run's files are still those of which its manifest speaks. What is found is told and kept: the manifest that
//! it was found by stays beside as `manifest-1.json`, and the new one carries the finding on.
//!
//! A run that was killed has no manifest, and a journal that only grew was taken up again: neither is a finding.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::thread;

use super::ReportError;
use super::manifest::{Manifest, ManifestEntry, NAME, RUN_FILES};
use crate::event::Event;
use crate::files::Dir;
use crate::journal::{JOURNAL, JournalIndex, RunFolder, RunRecord};
use crate::text::digest::sha256_to_end;

/// Longest manifest that is read, in bytes.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// So many manifests are kept at most.
const MAX_KEPT_MANIFESTS: u32 = 50;

/// So many findings are told at most, and each with so many characters.
const MAX_FINDINGS: usize = 50;
const MAX_FINDING_CHARS: usize = 400;

/// What stands against a run's files.
#[derive(Clone, Debug, Default)]
pub struct ReportIntegrity {
    /// In sentences without their full stop, in order, each once.
    pub findings: Vec<String>,
    /// Whether `run.json` is not what the run wrote.
    pub record_changed: bool,
    /// Whether the manifest that is there was contradicted, and must be kept.
    manifest_contradicted: bool,
}

impl ReportIntegrity {
    /// Compares the files of a folder with its manifest, and with those that were kept before.
    pub fn check(folder: &RunFolder, record: &RunRecord) -> ReportIntegrity {
        let folder = folder.dir();
        let mut integrity = ReportIntegrity::default();
        let kept = kept_manifests(folder);
        let next = kept_manifest_name(kept.len() as u32 + 1);
        if let Some(found) = check_manifest(folder, NAME, &next, &record.id, &RUN_FILES) {
            integrity.manifest_contradicted = !found.new.is_empty();
            integrity.record(found);
        }
        // What was found by a kept one is carried on by a later one, unless a process was killed between.
        let carried = |name: &String| read(folder, name).ok().and_then(carried_findings).unwrap_or_default();
        let carried: Vec<Vec<String>> = kept.iter().map(carried).collect();
        integrity.findings.extend(carried.iter().flatten().cloned());
        for (name, carried) in kept.iter().zip(&carried) {
            let is_told = integrity.findings.iter().any(|finding| finding.contains(name.as_str()));
            if is_told || !carried.is_empty() {
                continue;
            }
            match check_manifest(folder, name, name, &record.id, &RUN_FILES[1..3]) {
                Some(found) if !found.new.is_empty() => integrity.record(found),
                _ => integrity.findings.push(format!("{name} was kept: a file was not as it says")),
            }
        }
        integrity.dedup_findings();
        integrity
    }

    /// Takes in what the journal's own lines say.
    #[must_use]
    pub fn with_journal(mut self, record: &RunRecord, journal: &JournalIndex) -> ReportIntegrity {
        self.findings.extend(journal.oddities());
        let approved = record.approval_mark();
        let marks: Vec<&String> =
            journal.processes.iter().filter_map(|began| began.approved.as_ref()).collect();
        if !marks.is_empty() {
            // Settings may have been changed beside: that is told, and is no other run.
            self.record_changed = marks.iter().any(|mark| **mark != approved);
        }
        if self.record_changed && !marks.is_empty() {
            self.findings.push(
                "run.json is not as it was approved: where it sends, the app, the plan or the lists were changed"
                    .to_owned(),
            );
        }
        let first = journal.processes.first().filter(|began| !began.resumed);
        if first.is_some_and(|began| began.targets != record.plan.targets) {
            self.record_changed = true;
            self.findings
                .push("run.json and the journal's first line tell different numbers of users".to_owned());
        }
        match (record.drill.is_some(), was_drill(journal)) {
            (false, true) => self.findings.push("run.json does not say that this was a drill".to_owned()),
            (true, false) if journal.processes.iter().any(|began| began.approved.is_some()) => {
                self.findings
                    .push("run.json says that this was a drill, and the journal does not".to_owned());
            }
            _ => {}
        }
        self.dedup_findings();
        self
    }

    fn record(&mut self, found: ManifestFindings) {
        self.record_changed |= found.record_changed;
        self.findings.extend(found.carried.into_iter().chain(found.new));
    }

    fn dedup_findings(&mut self) {
        let mut seen = std::collections::HashSet::new();
        self.findings.retain(|finding| seen.insert(finding.clone()));
        self.findings.truncate(MAX_FINDINGS);
        for finding in &mut self.findings {
            if let Some((end, _)) = finding.char_indices().nth(MAX_FINDING_CHARS) {
                finding.truncate(end);
            }
        }
    }

    /// Takes the manifest away, since files are about to change; keeps it beside where it was contradicted, or where no
    /// new one is made soon (`for_long`) and it carries on what was found.
    pub(super) fn retire_manifest(&self, folder: &Dir, keep_findings: bool) -> Result<(), ReportError> {
        let carries = keep_findings && !self.findings.is_empty() && folder.holds(NAME).unwrap_or(true);
        if !self.manifest_contradicted && !carries {
            return super::manifest::remove(folder);
        }
        let beside = kept_manifest_name(kept_manifests(folder).len() as u32 + 1);
        folder.rename(NAME, &beside).map_err(ReportError::write(&folder.file(&beside)))
    }
}

/// Whether the journal says that the run was a drill, whatever its record says.
pub fn was_drill(journal: &JournalIndex) -> bool {
    journal.processes.iter().any(|began| began.drill)
}

fn kept_manifest_name(number: u32) -> String {
    format!("manifest-{number}.json")
}

/// The manifests that were kept, the oldest first.
fn kept_manifests(folder: &Dir) -> Vec<String> {
    (1..=MAX_KEPT_MANIFESTS)
        .map(kept_manifest_name)
        .take_while(|name| folder.holds(name).unwrap_or(false))
        .collect()
}

/// What a manifest is contradicted by.
#[derive(Default)]
struct ManifestFindings {
    /// What it carries on from earlier ones.
    carried: Vec<String>,
    new: Vec<String>,
    /// Whether `run.json` is among it.
    record_changed: bool,
}

/// Compares these files with a manifest; none where there is no manifest. `called` is what the manifest is called from
/// here on.
fn check_manifest(
    folder: &Dir,
    name: &str,
    called: &str,
    run: &str,
    files: &[&str],
) -> Option<ManifestFindings> {
    let text = match read(folder, name) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            return Some(ManifestFindings::from_finding(format!("{called} can't be read: {error}")));
        }
    };
    let manifest: Manifest = match serde_json::from_slice(&text) {
        Ok(manifest) => manifest,
        Err(_) => {
            return Some(ManifestFindings::from_finding(format!("{called} makes no sense: it was changed")));
        }
    };
    let mut found = ManifestFindings { carried: manifest.altered, ..ManifestFindings::default() };
    if manifest.run != run {
        found.new.push(format!("{called} is the manifest of another run"));
        return Some(found);
    }
    let entries: Vec<&ManifestEntry> =
        manifest.files.iter().filter(|entry| files.contains(&entry.name.as_str())).collect();
    for file in files.iter().filter(|file| !entries.iter().any(|entry| entry.name == **file)) {
        found.new.push(format!("{called} does not speak of {file}"));
    }
    let judged = thread::scope(|scope| {
        let judging: Vec<_> =
            entries.iter().map(|entry| scope.spawn(|| check_entry(folder, entry, called))).collect();
        judging.into_iter().map(|one| one.join().unwrap_or(None)).collect::<Vec<_>>()
    });
    for (entry, why) in entries.iter().zip(judged) {
        if let Some(why) = why {
            found.record_changed |= entry.name == RUN_FILES[0];
            found.new.push(why);
        }
    }
    Some(found)
}

impl ManifestFindings {
    fn from_finding(what: String) -> ManifestFindings {
        ManifestFindings { new: vec![what], ..ManifestFindings::default() }
    }
}

/// What a manifest carries on from earlier ones.
fn carried_findings(text: Vec<u8>) -> Option<Vec<String>> {
    serde_json::from_slice::<Manifest>(&text).ok().map(|manifest| manifest.altered)
}

fn read(folder: &Dir, name: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    folder.read(name)?.take(MAX_MANIFEST_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

/// Why a file is not the one of which a manifest speaks, if it is not.
fn check_entry(folder: &Dir, entry: &ManifestEntry, called: &str) -> Option<String> {
    let name = &entry.name;
    let bytes = match folder.read(name).and_then(|file| file.metadata()) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Some(format!("{name} is missing, and {called} speaks of it"));
        }
        Err(error) => return Some(format!("{name} can't be compared with {called}: {error}")),
    };
    let same = |hash: io::Result<String>| hash.is_ok_and(|hash| hash == entry.sha256);
    if bytes < entry.bytes {
        return Some(format!("{name} is shorter than {called} says: something was cut off"));
    }
    if name == JOURNAL && bytes > entry.bytes {
        return match same(sha256_of_prefix(folder, name, entry.bytes)) {
            true if is_resumed_after(folder, name, entry.bytes) => None,
            true => Some(format!("{name} holds lines behind the end that {called} speaks of")),
            false => Some(format!("{name} is not the journal of which {called} speaks: lines were changed")),
        };
    }
    match same(folder.read(name).and_then(sha256_to_end)) {
        true => None,
        false => Some(format!("{name} is not the file of which {called} speaks: it was changed")),
    }
}

fn sha256_of_prefix(folder: &Dir, name: &str, bytes: u64) -> io::Result<String> {
    sha256_to_end(folder.read(name)?.take(bytes))
}

/// Whether the journal goes on, behind so many bytes, with a process that took up the run; a line that was torn there
/// was never whole.
fn is_resumed_after(folder: &Dir, name: &str, from: u64) -> bool {
    let line = || -> io::Result<Vec<u8>> {
        let mut file = folder.read(name)?;
        file.seek(SeekFrom::Start(from))?;
        let mut line = Vec::new();
        BufReader::new(file.take(MAX_MANIFEST_BYTES)).read_until(b'\n', &mut line)?;
        Ok(line)
    };
    let Ok(line) = line() else { return false };
    !line.ends_with(b"\n")
        || matches!(serde_json::from_slice(&line), Ok(Event::Began(began)) if began.resumed)
}
