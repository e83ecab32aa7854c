//! Everything that yields rows: CSV, plain lists, spreadsheets, JSON, standard input.
//!
//! A source is told apart by its content, never by its name. [`open`] looks at the first bytes of each, decides
//! encoding, delimiter, header and column of user ids, and says so in [`Intake::notices`]; then [`Intake`] gives the
//! rows one by one, and [`Intake::finish`] the fingerprints of what was read.
//!
//! ```text
//! bytes ──▶ encoding ──▶ records ──▶ entry ──▶ row
//!  digest    to UTF-8     bounded    text or   id, priority, hints,
//!                         lines      trouble   filters, verdict
//!     └──▶ sniff, layout, columns: what the first rows say about the rest
//! ```
//!
//! Nobody is lost in silence. A row that cannot be trusted comes out as [`RowStatus::Unreadable`], one left out by a
//! filter as [`RowStatus::Excluded`], and whatever would hide several rows is an [`IntakeError`]. Blank
//! rows and the rows before `skip_rows` and after `max_rows` never appear. What else is no row (comments, lines drawn between
//! rows, what a bulk template holds beside users, end marks) stands in [`Intake::omissions`], and cells whose bytes are no
//! text, too: they cost a row only where it needs them.
//!
//! A quoted cell may run over several lines. Where one of them could be a row with a user id, or text follows the closing
//! quote, a stray quote has joined rows, and the row is unreadable; so is a row where quotes that do not pair may have split
//! a cell. Blanks around quotes count for nothing.
//!
//! Where a row has more cells than there are columns, a delimiter stands inside a cell without quotes, and cells have
//! shifted: the row is unreadable, unless the ids stand in the first column and no further id hides in the cells
//! beyond; then the row is read, with a note, and those cells are dropped. Cells that are missing are empty.

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

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSource {
    /// A file, or anything else that has a path and can be read once from start to end.
    File(PathBuf),
    /// Standard input; at most once.
    Stdin,
}

/// What a source turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Cells between delimiters, with or without a header row.
    Csv,
    /// One user id on each line.
    List,
    /// An `.xlsx` workbook.
    Xlsx,
    /// JSON: a list of texts or objects, or such values one after another.
    Json,
}

/// The word that says that no column names tenants.
pub const NO_TENANT_COLUMN: &str = "none";

/// How to read the sources. The default decides everything by itself.
#[derive(Debug, Clone, Default)]
pub struct IntakeOptions {
    /// The column of user ids: a name (case, spaces and signs do not matter), or a number from 1. It must be there in
    /// every CSV and workbook; plain lists have no columns and are read all the same.
    pub column: Option<String>,
    /// The column of priorities, named in the same way; otherwise one named `priority`, if there is one.
    pub priority_column: Option<String>,
    /// The column of tenants, named in the same way; otherwise one of a known name, if there is one. [`NO_TENANT_COLUMN`] is
    /// none.
    pub tenant_column: Option<String>,
    /// Whether the command line names the run's tenant: then a column is read as tenants only if `tenant_column` names it.
    pub tenant_is_named: bool,
    /// The byte between cells; see [`parse_delimiter`].
    pub delimiter: Option<u8>,
    /// The encoding of sources that have no byte order mark.
    pub encoding: Option<TextEncoding>,
    /// How many rows of data to pass over, counted through all sources. Headers, comments and blank rows do not count.
    pub skip_rows: u64,
    /// The most rows of data to read after those, counted through all sources; rows that a filter leaves out count.
    pub max_rows: Option<u64>,
    /// Which rows to leave out by the text of a column.
    pub filters: Vec<Filter>,
    /// Which sheets of workbooks to read.
    pub sheets: SheetChoice,
    /// Leaves out rows of workbooks that are hidden, by hand or by a filter.
    pub visible_only: bool,
}

/// Which sheets of a workbook are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SheetChoice {
    /// The one visible sheet that holds user ids. Where several do, the workbook is refused.
    #[default]
    Auto,
    /// Those of these names, in this order; sheets may be hidden.
    Named(Vec<String>),
    /// Every sheet that holds anything, hidden ones too: for lists of which no line may stay unread.
    All,
}

/// A sheet of a workbook, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetSummary {
    /// The workbook's name.
    pub workbook: String,
    /// The sheet's own name.
    pub name: String,
    /// Whether the sheet is hidden.
    pub is_hidden: bool,
    /// Whether its rows are among those of the input.
    pub is_read: bool,
    /// How many rows hold anything.
    pub rows: u64,
    /// How many rows hold something that could be a user id.
    pub id_rows: u64,
    /// How many of its rows are hidden, by hand, by a filter or by an outline.
    pub hidden_rows: u64,
    /// How many cells have a formula without a value that could be read.
    pub valueless_formulas: u64,
}

/// One row of input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRow {
    /// Which of the sources given to [`open`], from 0.
    pub source: usize,
    /// The physical line where the row starts, or its number in the sheet; from 1, headers included.
    pub line: u64,
    /// The text in the column of user ids, without white space and invisible characters at its ends. It may be
    /// empty, and need not be a user id. At most 1 MiB.
    pub id: String,
    /// The row's other cells in columns that name users, in the same form: the user principal name beside an object
    /// id, for instance. They may be anything.
    pub also: Vec<String>,
    /// What else the row may call its user: it has more cells than columns, so that a name may stand elsewhere.
    pub perhaps: Vec<String>,
    /// The text in the column of priorities, trimmed; nothing where it is empty.
    pub priority: Option<String>,
    /// The text in the column of tenants, trimmed; nothing where it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Whether the row itself shows that the user's home is another tenant: `true` for `#EXT#` in a user principal name,
    /// or a guest without one; `false` for a user principal name without it; nothing where the row does not tell.
    pub external_hint: Option<bool>,
    /// The cells as they were, in the order of [`Intake::columns`]; empty where the source has no such column.
    pub cells: Vec<String>,
    /// Something about a row that was read all the same: whose id comes from another column, for instance.
    pub note: Option<String>,
    /// What became of the row.
    pub verdict: RowStatus,
}

/// What became of a row when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowStatus {
    /// It was read.
    Read,
    /// A filter leaves it out; which one.
    Excluded(String),
    /// It cannot be trusted or names no user; why.
    Unreadable(String),
}
