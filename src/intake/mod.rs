//! Everything that yields rows: CSV, plain lists, spreadsheets, JSON, standard input.
//!
//! The kind of a source follows from its content, never from its name. [`open`] looks at the first bytes of each
//! source, decides encoding, delimiter, header and the column of user IDs, and reports them in [`Intake::notices`].
//! Then [`Intake`] returns the rows one by one, and [`Intake::finish`] the digests of what was read.
//!
//! ```text
//! bytes ──▶ encoding ──▶ records ──▶ entry ──▶ row
//!  digest    to UTF-8     bounded    text or   id, priority, hints,
//!                         lines      fault     filters, verdict
//!     └──▶ sniff, layout, columns: what the first rows say about the rest
//! ```
//!
//! No user is lost silently. A row that can't be trusted is returned as [`RowStatus::Unreadable`], a row that a filter
//! leaves out as [`RowStatus::Excluded`], and a problem that would hide several rows is an [`IntakeError`]. Blank rows,
//! the rows skipped by `skip_rows` and the rows after `max_rows` never appear. Other lines that are not rows (comments,
//! separator lines, the version and the examples of a bulk template, end marks) are counted in [`Intake::omissions`].
//! So are cells whose bytes are not text; such a row is unreadable only if it needs that cell.
//!
//! A quoted cell may have several lines. If one of them could be a row with a user ID, or text follows the closing
//! quote, a stray quote has joined rows, and the row is unreadable. A row is also unreadable if unpaired quotes may
//! have split a cell. Blanks around quotes are ignored.
//!
//! If a row has more cells than there are columns, a cell without quotes has a delimiter in it, and the cells after it
//! have shifted. The row is unreadable, unless the IDs are in the first column and no other ID is in the extra cells;
//! then the row is read, with a note, and the extra cells are dropped. Missing cells are empty.

mod bulk_template;
mod cell;
mod column_choice;
mod column_name;
mod column_profile;
mod column_roles;
mod csv_record;
mod delimiter;
mod encoding;
mod error;
#[cfg(test)]
mod exports_tests;
mod filter;
mod id_list;
mod input_digest;
mod json;
mod json_completeness;
mod layout;
mod omission;
mod quote_audit;
mod raw_row;
mod record_reader;
mod repeated_header;
mod row_builder;
mod row_subject;
mod shard;
mod shifted_cells;
mod sniff;
mod source_reader;
mod spreadsheet;
mod stream;
#[cfg(test)]
mod tests;
mod unsupported;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use delimiter::{DelimiterError, parse_delimiter};
pub use encoding::{EncodingError, TextEncoding};
pub use error::IntakeError;
pub use filter::{Filter, FilterError};
pub(crate) use id_list::{ListColumns, ListError, ListRow as ListRecord, read as read_list};
pub use input_digest::InputDigest;
pub use omission::{Omission, OmissionReason, Omissions};
pub use shard::{InvalidShard, Shard, ShardTenants};
pub(crate) use source_reader::CUT_LINE;
pub use stream::{Intake, open};

/// A source of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSource {
    /// A file, or anything else with a path that can be read once from start to end.
    File(PathBuf),
    /// Standard input; at most once.
    Stdin,
}

/// The kind of a source, as found by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Cells between delimiters, with or without a header row.
    Csv,
    /// One user ID on each line.
    List,
    /// An `.xlsx` workbook.
    Xlsx,
    /// JSON: a list of strings or objects, or such values one after another.
    Json,
}

/// The value of `--tenant-column` that means that no column has tenants.
pub const NO_TENANT_COLUMN: &str = "none";

/// How to read the sources. By default, everything is detected.
#[derive(Debug, Clone, Default)]
pub struct IntakeOptions {
    /// The column of user IDs: a name (case, spaces and punctuation are ignored), or a number from 1. Every CSV and
    /// workbook must have it; plain lists have no columns and are read anyway.
    pub column: Option<String>,
    /// The column of priorities, named in the same way; by default, the column `priority`, if there is one.
    pub priority_column: Option<String>,
    /// The column of tenants, named in the same way; by default, a column with a known name, if there is one.
    /// [`NO_TENANT_COLUMN`] means none.
    pub tenant_column: Option<String>,
    /// Whether the command line names the run's tenant. If so, a column is read as tenants only if `tenant_column`
    /// names it.
    pub tenant_is_named: bool,
    /// The byte between cells; see [`parse_delimiter`].
    pub delimiter: Option<u8>,
    /// The encoding of sources without a byte order mark.
    pub encoding: Option<TextEncoding>,
    /// How many rows to skip first, counted over all sources. Headers, comments and blank rows do not count.
    pub skip_rows: u64,
    /// How many rows to read at most after the skipped ones, counted over all sources. Rows that a filter leaves out
    /// count.
    pub max_rows: Option<u64>,
    /// Which rows to leave out by the text of a column.
    pub filters: Vec<Filter>,
    /// Which sheets of workbooks to read.
    pub sheets: SheetChoice,
    /// Whether rows of workbooks that are hidden, by hand or by a filter, are left out.
    pub visible_only: bool,
}

/// Which sheets of a workbook are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SheetChoice {
    /// The only visible sheet with user IDs. If there are several, the workbook is refused.
    #[default]
    Auto,
    /// The sheets with these names, in this order. They may be hidden.
    Named(Vec<String>),
    /// Every sheet that is not empty, including hidden ones: for lists that must be read completely.
    All,
}

/// A sheet of a workbook, and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetSummary {
    /// The workbook's name.
    pub workbook: String,
    /// The sheet's name.
    pub name: String,
    /// Whether the sheet is hidden.
    pub is_hidden: bool,
    /// Whether its rows are part of the input.
    pub is_read: bool,
    /// How many rows are not empty.
    pub rows: u64,
    /// How many rows have something that could be a user ID.
    pub id_rows: u64,
    /// How many of its rows are hidden, by hand, by a filter or by an outline.
    pub hidden_rows: u64,
    /// How many cells have a formula without a readable value.
    pub valueless_formulas: u64,
}

/// One row of input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRow {
    /// The index in the sources given to [`open`], from 0.
    pub source: usize,
    /// The physical line where the row starts, or its row number in the sheet; from 1, including headers.
    pub line: u64,
    /// The text in the column of user IDs, without white space and invisible characters at its ends. It may be empty,
    /// and may not be a user ID. At most 1 MiB.
    pub id: String,
    /// The row's other cells in columns of users, in the same form: for example, the user principal name next to an
    /// object ID. They may be anything.
    pub other_ids: Vec<String>,
    /// Other possible names of the row's user. The row has more cells than columns, so a name may be in another cell.
    pub possible_ids: Vec<String>,
    /// The text in the column of priorities, trimmed; `None` if it is empty.
    pub priority: Option<String>,
    /// The text in the column of tenants, trimmed; `None` if it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Whether the row shows that the user's home is another tenant: `true` for `#EXT#` in a user principal name, or
    /// for a guest without one; `false` for a user principal name without it; `None` if the row does not show it.
    pub external_hint: Option<bool>,
    /// The original cells, in the order of [`Intake::columns`]; empty if the source does not have the column.
    pub cells: Vec<String>,
    /// A remark about a row that was read: for example, that its ID comes from another column.
    pub note: Option<String>,
    /// Whether the row was read.
    pub status: RowStatus,
}

/// Whether a row was read, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowStatus {
    /// The row was read.
    Read,
    /// A filter leaves the row out; the text says which one.
    Excluded(String),
    /// The row can't be trusted, or does not name a user; the text says why.
    Unreadable(String),
}
