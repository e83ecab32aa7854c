//! Reading a plan file back: row by row, and nothing of it is believed before its hash fits.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use super::canonical::{self, CanonicalDigest};
use super::raw_digest::{RawDigest, RawHashingReader};
use super::{FORMAT, KIND, PlanFileError, PlanFileHead, ROWS, SHA256};
use crate::files::{FileError, PipePolicy, TemporaryFile};
use crate::json::{DuplicateMember, Json};
use crate::plan::{CountDifference, PlanError, PlanMetadata, PlanRecount, PlanRow};

/// Rows are kept in memory up to this size, in bytes, and in a temporary file beyond.
const MAX_IN_MEMORY: usize = 4 << 20;

/// A plan file that holds what it held when it was made.
pub struct PlanFile {
    /// Where it lies.
    pub path: PathBuf,
    /// All but the rows.
    pub head: PlanFileHead,
    /// Its hash, in lower-case hex.
    pub sha256: String,
    /// The hashes of its very bytes, for a signature beside it.
    pub raw: RawDigest,
    rows: TemporaryFile,
}

impl fmt::Debug for PlanFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanFile").field("path", &self.path).field("sha256", &self.sha256).finish()
    }
}

impl PlanFile {
    /// Reads all of it.
    ///
    /// # Errors
    /// When it can't be read, is something else, is of a newer format, or was changed.
    pub fn open(path: &Path) -> Result<PlanFile, PlanFileError> {
        let unread = |error: FileError| match error {
            FileError::Io(source) => PlanFileError::Read { path: path.to_owned(), source },
            error => {
                PlanFileError::Read { path: path.to_owned(), source: io::Error::other(error.to_string()) }
            }
        };
        let file = crate::files::open(path, PipePolicy::Open).map_err(unread)?;
        let mut parts = PlanDocumentParts::default();
        let mut hashing = RawHashingReader::new(file);
        let reader = BufReader::with_capacity(1 << 16, &mut hashing);
        let mut json = serde_json::Deserializer::from_reader(reader);
        let read = PlanDocument(&mut parts).deserialize(&mut json).and_then(|()| json.end());
        read.map_err(|error| match error.classify() {
            Category::Io => PlanFileError::Read { path: path.to_owned(), source: error.into() },
            // Never the parser's own words: they quote the file, which may be any file of this machine.
            _ if parts.has_duplicate => PlanFileError::not_a_plan(
                path,
                format!("line {}: a name stands twice in one object", error.line()),
            ),
            Category::Data => PlanFileError::not_a_plan(
                path,
                format!("line {}: this is not what a plan holds", error.line()),
            ),
            _ => PlanFileError::not_a_plan(path, format!("line {}: this is not JSON", error.line())),
        })?;
        parts.check(path, hashing.finish())
    }

    /// What the plan says of itself, for a [`crate::plan::Draft`] of it.
    pub fn metadata(&self) -> PlanMetadata {
        PlanMetadata {
            columns: self.head.columns.clone(),
            inputs: self.head.inputs.clone(),
            counts: self.head.counts.clone(),
            facts: self.head.facts.clone(),
        }
    }

    /// The rows, in the inputs' order.
    ///
    /// # Errors
    /// When the temporary file that they lie in can't be read.
    pub fn rows(&mut self) -> Result<impl Iterator<Item = Result<PlanRow, PlanError>> + '_, PlanFileError> {
        let lost = |source| PlanError::Write { what: "a temporary file".to_owned(), source };
        self.rows.rewind().map_err(lost)?;
        Ok(BufReader::with_capacity(1 << 16, &mut self.rows).split(b'\n').map(move |line| {
            serde_json::from_slice(&line.map_err(lost)?).map_err(|error| lost(error.into()))
        }))
    }
}

/// What is read, before it is judged.
#[derive(Default)]
struct PlanDocumentParts {
    members: BTreeMap<String, Value>,
    /// The rows in their one spelling, a line each.
    rows: Option<BufWriter<TemporaryFile>>,
    /// How many they are.
    row_count: u64,
    /// Whether a name stands twice in an object.
    has_duplicate: bool,
}

impl PlanDocumentParts {
    fn check(mut self, path: &Path, raw: RawDigest) -> Result<PlanFile, PlanFileError> {
        let no_plan = |reason: &str| PlanFileError::not_a_plan(path, reason);
        if self.members.get("kind").and_then(Value::as_str) != Some(KIND) {
            return Err(no_plan(&format!("it does not say \"kind\": \"{KIND}\"")));
        }
        let format = self.members.get("format").and_then(Value::as_u64);
        let format = format.ok_or_else(|| no_plan("its format is no number"))?;
        if format > u64::from(FORMAT) {
            return Err(PlanFileError::NewerFormat { path: path.to_owned(), format });
        }
        let recorded = match self.members.remove(SHA256) {
            Some(Value::String(recorded)) if is_sha256(&recorded) => recorded,
            _ => return Err(no_plan("it holds no hash")),
        };
        let rows = self.rows.take().ok_or_else(|| no_plan("it holds no rows"))?;
        let unread = |source| PlanFileError::Read { path: path.to_owned(), source };
        let mut rows = rows.into_inner().map_err(|error| unread(error.into_error()))?;
        let found = canonical_hash(&self.members, &mut rows).map_err(unread)?;
        if found != recorded {
            return Err(PlanFileError::Changed { path: path.to_owned(), found, recorded });
        }
        let members = Value::Object(self.members.into_iter().collect());
        let head: PlanFileHead = Deserialize::deserialize(&members)
            .map_err(|_| no_plan("a member beside its rows is missing, unknown, or of another form"))?;
        let known = serde_json::to_value(&head).map_err(|error| unread(error.into()))?;
        if let Some(name) = unknown_member(&members, &known, "") {
            return Err(no_plan(&format!("this version knows no {name}")));
        }
        let mut file = PlanFile { path: path.to_owned(), head, sha256: found, raw, rows };
        file.check_rows(self.row_count)?;
        Ok(file)
    }
}

/// The hash over all members and the rows.
fn canonical_hash(members: &BTreeMap<String, Value>, rows: &mut TemporaryFile) -> io::Result<String> {
    let mut digest = CanonicalDigest::new();
    for (name, value) in members.iter().filter(|(name, _)| name.as_str() < ROWS) {
        digest.member(name, value)?;
    }
    digest.list(ROWS)?;
    rows.rewind()?;
    for (at, row) in BufReader::with_capacity(1 << 16, &mut *rows).split(b'\n').enumerate() {
        digest.item(at == 0, &row?)?;
    }
    digest.end_list()?;
    rows.rewind()?;
    for (name, value) in members.iter().filter(|(name, _)| name.as_str() > ROWS) {
        digest.member(name, value)?;
    }
    digest.finish()
}

/// A SHA-256 in lower-case hex.
fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The first member that is not among those that are known, by its path: it would be passed over here, and read by
/// whoever approves.
fn unknown_member(given: &Value, known: &Value, path: &str) -> Option<String> {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => given.iter().find_map(|(name, member)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match known.get(name) {
                Some(known) => unknown_member(member, known, &path),
                // What is empty may be left away.
                None if is_empty(member) => None,
                None => Some(path),
            }
        }),
        (Value::Array(given), Value::Array(known)) => {
            let pairs = given.iter().zip(known).enumerate();
            let mut unknown = pairs
                .filter_map(|(at, (given, known))| unknown_member(given, known, &format!("{path}[{at}]")));
            unknown.next()
        }
        _ => None,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

impl PlanFile {
    /// The rows must be what the counts and the facts say: each place of the sending order once, and each row sent or
    /// left out.
    fn check_rows(&mut self, counted: u64) -> Result<(), PlanFileError> {
        let path = self.path.clone();
        let differs = |difference: CountDifference| PlanFileError::not_a_plan(&path, difference.to_string());
        let wrong = |what: String| PlanFileError::not_a_plan(&path, what);
        let planned = self.metadata();
        let mut recount = PlanRecount::new(&planned, counted).map_err(differs)?;
        for (at, line) in BufReader::with_capacity(1 << 16, &mut self.rows).split(b'\n').enumerate() {
            let line = line.map_err(|source| PlanFileError::Read { path: path.clone(), source })?;
            let row: PlanRow = serde_json::from_slice(&line)
                .map_err(|_| wrong(format!("rows[{at}] is not what a row holds")))?;
            if row.cells.len() != planned.columns.len() {
                let (cells, columns) = (row.cells.len(), planned.columns.len());
                return Err(wrong(format!("rows[{at}].cells: expected {columns}, found {cells}")));
            }
            recount.add(&row).map_err(differs)?;
        }
        self.rows.rewind().map_err(|source| PlanFileError::Read { path: path.clone(), source })?;
        recount.compare(&planned).map_err(differs)?;
        self.head.check_consistency().map_err(differs)
    }
}

/// Takes the members of the document apart.
struct PlanDocument<'a>(&'a mut PlanDocumentParts);

impl<'de> DeserializeSeed<'de> for PlanDocument<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PlanDocument<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            // What stands twice could be read in two ways.
            if self.0.members.contains_key(&name) || (name == ROWS && self.0.rows.is_some()) {
                return Err(self.0.duplicate_error());
            }
            if name == ROWS {
                let spool = BufWriter::new(TemporaryFile::new(MAX_IN_MEMORY));
                self.0.rows = Some(spool);
                map.next_value_seed(PlanFileRows(&mut *self.0))?;
            } else {
                let value: Json = map.next_value()?;
                let value = value.into_value().map_err(|DuplicateMember| self.0.duplicate_error())?;
                self.0.members.insert(name, value);
            }
        }
        Ok(())
    }
}

impl PlanDocumentParts {
    fn duplicate_error<E: serde::de::Error>(&mut self) -> E {
        self.has_duplicate = true;
        E::custom("doubled")
    }
}

/// Writes each row in its one spelling.
struct PlanFileRows<'a>(&'a mut PlanDocumentParts);

impl<'de> DeserializeSeed<'de> for PlanFileRows<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for PlanFileRows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Json>()? {
            let row = row.into_value().map_err(|DuplicateMember| self.0.duplicate_error())?;
            let Some(spool) = &mut self.0.rows else { continue };
            let kept = canonical::write_canonical(&row, spool).and_then(|()| spool.write_all(b"\n"));
            kept.map_err(A::Error::custom)?;
            self.0.row_count += 1;
        }
        Ok(())
    }
}
