//! Everything that yields rows: CSV, plain lists, spreadsheets, standard input.
#![allow(missing_docs)]
use std::path::PathBuf;
pub enum Source {
    File(PathBuf),
    Stdin,
}
#[derive(Default)]
pub struct Options {}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct IntakeError;
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct SourceDigest {
    pub name: String,
    pub kind: String,
    pub bytes: u64,
    pub sha256: String,
}
pub struct Row {
    pub source: usize,
    pub line: u64,
    pub id: String,
    pub also: Vec<String>,
    pub priority: Option<String>,
    pub external_hint: Option<bool>,
    pub cells: Vec<String>,
    pub verdict: Verdict,
}
pub enum Verdict {
    Read,
    Excluded(String),
    Unreadable(String),
}
pub struct Intake;
pub fn open(_: &[Source], _: &Options) -> Result<Intake, IntakeError> {
    Err(IntakeError)
}
impl Intake {
    pub fn columns(&self) -> &[String] {
        &[]
    }
    pub fn notices(&self) -> &[String] {
        &[]
    }
    pub fn source_names(&self) -> Vec<String> {
        vec![]
    }
    pub fn finish(self) -> Result<Vec<SourceDigest>, IntakeError> {
        Ok(vec![])
    }
}
impl Iterator for Intake {
    type Item = Result<Row, IntakeError>;
    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}
