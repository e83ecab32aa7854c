//! Checks whether a run's files still match its manifest. Differences are reported and recorded: the manifest that
//! shows them is kept as `manifest-1.json`, and the new one repeats the findings.
//!
//! A killed run has no manifest, and a journal that only grew belongs to a resumed run. Neither is a finding.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::thread;

use super::ReportError;
use super::manifest::{Manifest, ManifestEntry, NAME, RUN_FILES};
use crate::event::Event;
use crate::files::Dir;
use crate::journal::{JOURNAL, JournalIndex, RunFolder, RunRecord};
use crate::text::digest::sha256_of_reader;

/// Maximum size of a manifest, in bytes.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// Maximum number of kept manifests.
const MAX_KEPT_MANIFESTS: u32 = 50;

/// Maximum number of findings, and of characters in each.
const MAX_FINDINGS: usize = 50;
const MAX_FINDING_CHARS: usize = 400;

/// The findings against a run's files.
#[derive(Clone, Debug, Default)]
pub struct RunIntegrity {
    /// The findings as sentences without the full stop, in order and without duplicates.
    pub findings: Vec<String>,
    /// Whether `run.json` is not what the run wrote.
    pub record_changed: bool,
    /// Whether the current manifest does not match the files, so it must be kept.
    manifest_contradicted: bool,
}

impl RunIntegrity {
    /// Compares the files of a folder with its manifest and with earlier ones that were kept.
    pub fn check(folder: &RunFolder, record: &RunRecord) -> RunIntegrity {
        let folder = folder.dir();
        let mut integrity = RunIntegrity::default();
        let kept = kept_manifests(folder);
        let next = kept_manifest_name(kept.len() as u32 + 1);
        if let Some(found) = check_manifest(folder, NAME, &next, &record.id, &RUN_FILES) {
            integrity.manifest_contradicted = !found.new.is_empty();
            integrity.record(found);
        }
        // A later manifest repeats the findings of a kept one, unless a process was killed in between.
        let carried = |name: &String| read(folder, name).ok().and_then(earlier_findings).unwrap_or_default();
        let carried: Vec<Vec<String>> = kept.iter().map(carried).collect();
        integrity.findings.extend(carried.iter().flatten().cloned());
        for (name, carried) in kept.iter().zip(&carried) {
            let is_reported = integrity.findings.iter().any(|finding| finding.contains(name.as_str()));
            if is_reported || !carried.is_empty() {
                continue;
            }
            match check_manifest(folder, name, name, &record.id, &RUN_FILES[1..3]) {
                Some(found) if !found.new.is_empty() => integrity.record(found),
                _ => integrity.findings.push(format!("{name} was kept, because a file did not match it")),
            }
        }
        integrity.dedup_findings();
        integrity
    }

    /// Adds the findings from the journal's own lines.
    #[must_use]
    pub fn with_journal(mut self, record: &RunRecord, journal: &JournalIndex) -> RunIntegrity {
        self.findings.extend(journal.anomalies());
        let approved = record.approval_mark();
        let marks: Vec<&String> =
            journal.processes.iter().filter_map(|began| began.approved.as_ref()).collect();
        if !marks.is_empty() {
            // Other settings may have been changed as well. That is a finding, but it does not make it another run.
            self.record_changed = marks.iter().any(|mark| **mark != approved);
        }
        if self.record_changed && !marks.is_empty() {
            self.findings.push(
                "run.json is not what was approved: the destination, the app, the plan or the lists were \
                 changed"
                    .to_owned(),
            );
        }
        let first = journal.processes.first().filter(|began| !began.resumed);
        if first.is_some_and(|began| began.targets != record.plan.targets) {
            self.record_changed = true;
            self.findings
                .push("run.json and the journal's first line have different numbers of users".to_owned());
        }
        match (record.drill.is_some(), was_drill(journal)) {
            (false, true) => self.findings.push("run.json does not say that this was a drill".to_owned()),
            (true, false) if journal.processes.iter().any(|began| began.approved.is_some()) => {
                self.findings
                    .push("run.json says that this was a drill, but the journal does not".to_owned());
            }
            _ => {}
        }
        self.dedup_findings();
        self
    }

    fn record(&mut self, found: ManifestFindings) {
        self.record_changed |= found.record_changed;
        self.findings.extend(found.earlier.into_iter().chain(found.new));
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

    /// Removes the manifest, because files are about to change. It is kept under another name if it does not match the
    /// files, or if `keep_findings` is set and there are findings, because then no new manifest will repeat them soon.
    pub(super) fn retire_manifest(&self, folder: &Dir, keep_findings: bool) -> Result<(), ReportError> {
        let carries = keep_findings && !self.findings.is_empty() && folder.contains(NAME).unwrap_or(true);
        if !self.manifest_contradicted && !carries {
            return super::manifest::remove(folder);
        }
        let beside = kept_manifest_name(kept_manifests(folder).len() as u32 + 1);
        folder.rename(NAME, &beside).map_err(ReportError::write(&folder.file(&beside)))
    }
}

/// Whether the journal says that the run was a drill. Its record may say something else.
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
        .take_while(|name| folder.contains(name).unwrap_or(false))
        .collect()
}

/// The differences between a manifest and the files.
#[derive(Default)]
struct ManifestFindings {
    /// The findings of earlier manifests.
    earlier: Vec<String>,
    new: Vec<String>,
    /// Whether `run.json` is one of the files that differ.
    record_changed: bool,
}

/// Compares these files with a manifest. `None` if there is no manifest. `called` is the manifest's future name.
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
            return Some(ManifestFindings::from_finding(format!("can't read {called}: {error}")));
        }
    };
    let manifest: Manifest = match serde_json::from_slice(&text) {
        Ok(manifest) => manifest,
        Err(_) => {
            return Some(ManifestFindings::from_finding(format!("{called} is not valid: it was changed")));
        }
    };
    let mut found = ManifestFindings { earlier: manifest.altered, ..ManifestFindings::default() };
    if manifest.run != run {
        found.new.push(format!("{called} belongs to another run"));
        return Some(found);
    }
    let entries: Vec<&ManifestEntry> =
        manifest.files.iter().filter(|entry| files.contains(&entry.name.as_str())).collect();
    for file in files.iter().filter(|file| !entries.iter().any(|entry| entry.name == **file)) {
        found.new.push(format!("{called} does not list {file}"));
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

/// The findings of earlier manifests that a manifest repeats.
fn earlier_findings(text: Vec<u8>) -> Option<Vec<String>> {
    serde_json::from_slice::<Manifest>(&text).ok().map(|manifest| manifest.altered)
}

fn read(folder: &Dir, name: &str) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    folder.read(name)?.take(MAX_MANIFEST_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

/// Why a file does not match the manifest, if it does not.
fn check_entry(folder: &Dir, entry: &ManifestEntry, called: &str) -> Option<String> {
    let name = &entry.name;
    let bytes = match folder.read(name).and_then(|file| file.metadata()) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Some(format!("{name} is missing, but {called} lists it"));
        }
        Err(error) => return Some(format!("can't compare {name} with {called}: {error}")),
    };
    let same = |hash: io::Result<String>| hash.is_ok_and(|hash| hash == entry.sha256);
    if bytes < entry.bytes {
        return Some(format!("{name} is shorter than {called} says: it was truncated"));
    }
    if name == JOURNAL && bytes > entry.bytes {
        return match same(sha256_of_prefix(folder, name, entry.bytes)) {
            true if is_resumed_after(folder, name, entry.bytes) => None,
            true => Some(format!("{name} has lines after the end that {called} records")),
            false => Some(format!("{name} does not match {called}: lines were changed")),
        };
    }
    match same(folder.read(name).and_then(sha256_of_reader)) {
        true => None,
        false => Some(format!("{name} does not match {called}: it was changed")),
    }
}

fn sha256_of_prefix(folder: &Dir, name: &str, bytes: u64) -> io::Result<String> {
    sha256_of_reader(folder.read(name)?.take(bytes))
}

/// Whether a resumed process continues the journal after this many bytes. A torn line there was never complete.
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
