//! Reads a plan file row by row. Nothing in it is used before its hash is checked.

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
use crate::plan::{FieldMismatch, PlanError, PlanMetadata, PlanRecount, PlanRow};

/// The maximum size of rows in memory, in bytes. Beyond it, they are in a temporary file.
const MAX_IN_MEMORY: usize = 4 << 20;

/// A plan file that is unchanged since it was made.
pub struct PlanFile {
    /// The path of the file.
    pub path: PathBuf,
    /// Everything except the rows.
    pub head: PlanFileHead,
    /// Its hash, in lower-case hex.
    pub sha256: String,
    /// The hashes of its bytes, for a signature.
    pub raw: RawDigest,
    rows: TemporaryFile,
}

impl fmt::Debug for PlanFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanFile").field("path", &self.path).field("sha256", &self.sha256).finish()
    }
}

impl PlanFile {
    /// Reads the whole file.
    ///
    /// # Errors
    /// When it can't be read, is not a plan, has a newer format, or was changed.
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
            // The parser's message is not shown, because it quotes the file, which can be any file on this
            // machine.
            _ if parts.has_duplicate => PlanFileError::not_a_plan(
                path,
                format!("line {}: a name occurs twice in one object", error.line()),
            ),
            Category::Data => PlanFileError::not_a_plan(
                path,
                format!("line {}: this does not belong in a plan", error.line()),
            ),
            _ => PlanFileError::not_a_plan(path, format!("line {}: this is not JSON", error.line())),
        })?;
        parts.check(path, hashing.finish())
    }

    /// The plan's data except its rows, for a [`crate::plan::Draft`].
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
    /// When the temporary file with the rows can't be read.
    pub fn rows(&mut self) -> Result<impl Iterator<Item = Result<PlanRow, PlanError>> + '_, PlanFileError> {
        let lost = |source| PlanError::Write { what: "a temporary file".to_owned(), source };
        self.rows.rewind().map_err(lost)?;
        Ok(BufReader::with_capacity(1 << 16, &mut self.rows).split(b'\n').map(move |line| {
            serde_json::from_slice(&line.map_err(lost)?).map_err(|error| lost(error.into()))
        }))
    }
}

/// The parts of a plan file that are not checked yet.
#[derive(Default)]
struct PlanDocumentParts {
    members: BTreeMap<String, Value>,
    /// The rows in canonical form, one per line.
    rows: Option<BufWriter<TemporaryFile>>,
    /// The number of rows.
    row_count: u64,
    /// Whether a name occurs twice in an object.
    has_duplicate: bool,
}

impl PlanDocumentParts {
    fn check(mut self, path: &Path, raw: RawDigest) -> Result<PlanFile, PlanFileError> {
        let no_plan = |reason: &str| PlanFileError::not_a_plan(path, reason);
        if self.members.get("kind").and_then(Value::as_str) != Some(KIND) {
            return Err(no_plan(&format!("it does not say \"kind\": \"{KIND}\"")));
        }
        let format = self.members.get("format").and_then(Value::as_u64);
        let format = format.ok_or_else(|| no_plan("its format is not a number"))?;
        if format > u64::from(FORMAT) {
            return Err(PlanFileError::NewerFormat { path: path.to_owned(), format });
        }
        let recorded = match self.members.remove(SHA256) {
            Some(Value::String(recorded)) if is_sha256(&recorded) => recorded,
            _ => return Err(no_plan("it has no hash")),
        };
        let rows = self.rows.take().ok_or_else(|| no_plan("it has no rows"))?;
        let unread = |source| PlanFileError::Read { path: path.to_owned(), source };
        let mut rows = rows.into_inner().map_err(|error| unread(error.into_error()))?;
        let found = canonical_hash(&self.members, &mut rows).map_err(unread)?;
        if found != recorded {
            return Err(PlanFileError::Changed { path: path.to_owned(), found, recorded });
        }
        let members = Value::Object(self.members.into_iter().collect());
        let head: PlanFileHead = Deserialize::deserialize(&members).map_err(|_| {
            no_plan("a member outside its rows is missing, is unknown, or has the wrong type")
        })?;
        let known = serde_json::to_value(&head).map_err(|error| unread(error.into()))?;
        if let Some(name) = find_unknown_member(&members, &known, "") {
            return Err(no_plan(&format!("this version does not know {name}")));
        }
        let mut file = PlanFile { path: path.to_owned(), head, sha256: found, raw, rows };
        file.check_rows(self.row_count)?;
        Ok(file)
    }
}

/// The hash of all members and the rows.
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

/// Whether a text is a SHA-256 in lower-case hex.
fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The path of the first unknown member. This program would ignore it, but the approver may have read it.
fn find_unknown_member(given: &Value, known: &Value, path: &str) -> Option<String> {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => given.iter().find_map(|(name, member)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match known.get(name) {
                Some(known) => find_unknown_member(member, known, &path),
                // An empty member may be absent.
                None if is_empty(member) => None,
                None => Some(path),
            }
        }),
        (Value::Array(given), Value::Array(known)) => {
            let pairs = given.iter().zip(known).enumerate();
            let mut unknown = pairs.filter_map(|(at, (given, known))| {
                find_unknown_member(given, known, &format!("{path}[{at}]"))
            });
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
    /// Checks that the rows agree with the counts and the facts, that each position of the sending order
    /// occurs once, and that each row is either a target or left out.
    fn check_rows(&mut self, counted: u64) -> Result<(), PlanFileError> {
        let path = self.path.clone();
        let differs = |difference: FieldMismatch| PlanFileError::not_a_plan(&path, difference.to_string());
        let wrong = |what: String| PlanFileError::not_a_plan(&path, what);
        let planned = self.metadata();
        let mut recount = PlanRecount::new(&planned, counted).map_err(differs)?;
        for (at, line) in BufReader::with_capacity(1 << 16, &mut self.rows).split(b'\n').enumerate() {
            let line = line.map_err(|source| PlanFileError::Read { path: path.clone(), source })?;
            let row: PlanRow =
                serde_json::from_slice(&line).map_err(|_| wrong(format!("rows[{at}] is not a valid row")))?;
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

/// Reads the document into its parts.
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
            // Two programs could read different values for a name that occurs twice.
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
        E::custom("duplicate name")
    }
}

/// Stores each row in canonical form.
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
