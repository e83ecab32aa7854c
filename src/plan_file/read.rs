//! Reading a plan file back: row by row, and nothing of it is believed before its hash fits.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::canonical::{self, Digest};
use super::{FORMAT, Head, KIND, PlanFileError, ROWS, SHA256};
use crate::files::TemporaryFile;
use crate::plan::{PlanError, PlanRow, Planned};

/// Rows are kept in memory up to this size, in bytes, and in a temporary file beyond.
const IN_MEMORY: usize = 4 << 20;

/// A plan file that holds what it held when it was made.
pub struct PlanFile {
    /// Where it lies.
    pub path: PathBuf,
    /// All but the rows.
    pub head: Head,
    /// Its hash, in lower-case hex.
    pub sha256: String,
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
        let file =
            File::open(path).map_err(|source| PlanFileError::Read { path: path.to_owned(), source })?;
        let mut parts = Parts::default();
        let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, file));
        let read = Document(&mut parts).deserialize(&mut json).and_then(|()| json.end());
        read.map_err(|error| match error.classify() {
            serde_json::error::Category::Io => {
                PlanFileError::Read { path: path.to_owned(), source: error.into() }
            }
            _ => PlanFileError::no_plan(path, error.to_string()),
        })?;
        parts.judge(path)
    }

    /// What the plan says of itself, for a [`crate::plan::Draft`] of it.
    pub fn planned(&self) -> Planned {
        Planned {
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
struct Parts {
    members: BTreeMap<String, Value>,
    /// The rows in their one spelling, a line each.
    rows: Option<BufWriter<TemporaryFile>>,
}

impl Parts {
    fn judge(mut self, path: &Path) -> Result<PlanFile, PlanFileError> {
        let no_plan = |reason: &str| PlanFileError::no_plan(path, reason);
        if self.members.get("kind").and_then(Value::as_str) != Some(KIND) {
            return Err(no_plan(&format!("it does not say \"kind\": \"{KIND}\"")));
        }
        let format = self.members.get("format").and_then(Value::as_u64);
        let format = format.ok_or_else(|| no_plan("its format is no number"))?;
        if format > u64::from(FORMAT) {
            return Err(PlanFileError::Newer { path: path.to_owned(), format });
        }
        let said = match self.members.remove(SHA256) {
            Some(Value::String(said)) => said,
            _ => return Err(no_plan("it holds no hash")),
        };
        let rows = self.rows.take().ok_or_else(|| no_plan("it holds no rows"))?;
        let unread = |source| PlanFileError::Read { path: path.to_owned(), source };
        let mut rows = rows.into_inner().map_err(|error| unread(error.into_error()))?;
        let found = hash(&self.members, &mut rows).map_err(unread)?;
        if found != said {
            let said = crate::harmless::excerpt(&said, 64);
            return Err(PlanFileError::Changed { path: path.to_owned(), found, said });
        }
        let head: Head = serde_json::from_value(Value::Object(self.members.into_iter().collect()))
            .map_err(|error| no_plan(&error.to_string()))?;
        let mut file = PlanFile { path: path.to_owned(), head, sha256: found, rows };
        file.check_rows()?;
        Ok(file)
    }
}

/// The hash over all members and the rows.
fn hash(members: &BTreeMap<String, Value>, rows: &mut TemporaryFile) -> io::Result<String> {
    let mut digest = Digest::new();
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

impl PlanFile {
    /// The rows must be what the counts say: each place of the sending order once, and each row sent or left out.
    fn check_rows(&mut self) -> Result<(), PlanFileError> {
        let path = self.path.clone();
        let wrong = |what: &str| PlanFileError::no_plan(&path, what);
        let mut taken = vec![false; self.head.counts.targets as usize];
        let mut rows = 0_u64;
        for line in BufReader::with_capacity(1 << 16, &mut self.rows).split(b'\n') {
            let line = line.map_err(|source| PlanFileError::Read { path: path.clone(), source })?;
            let row: PlanRow = serde_json::from_slice(&line).map_err(|error| wrong(&error.to_string()))?;
            rows += 1;
            if row.order().is_some() == row.left_out.is_some() || row.cells.len() != self.head.columns.len() {
                return Err(wrong("a row makes no sense"));
            }
            let Some(order) = row.order() else { continue };
            let place = taken.get_mut((order as usize).wrapping_sub(1));
            match place.filter(|taken| !**taken) {
                Some(place) => *place = true,
                None => return Err(wrong("two rows have one place, or a place is none")),
            }
        }
        self.rows.rewind().map_err(|source| PlanFileError::Read { path: path.clone(), source })?;
        if rows != self.head.counts.rows || taken.contains(&false) {
            return Err(wrong("its rows are not those that it counts"));
        }
        Ok(())
    }
}

/// Takes the members of the document apart.
struct Document<'a>(&'a mut Parts);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            // What stands twice could be read in two ways.
            if self.0.members.contains_key(&name) || (name == ROWS && self.0.rows.is_some()) {
                return Err(A::Error::custom("a member stands in it twice"));
            }
            if name == ROWS {
                let mut spool = BufWriter::new(TemporaryFile::new(IN_MEMORY));
                map.next_value_seed(Rows(&mut spool))?;
                self.0.rows = Some(spool);
            } else {
                let value = map.next_value()?;
                self.0.members.insert(name, value);
            }
        }
        Ok(())
    }
}

/// Writes each row in its one spelling.
struct Rows<'a>(&'a mut BufWriter<TemporaryFile>);

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element::<Value>()? {
            let kept = canonical::write(&row, self.0).and_then(|()| self.0.write_all(b"\n"));
            kept.map_err(A::Error::custom)?;
        }
        Ok(())
    }
}
