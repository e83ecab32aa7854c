//! Decides from the first rows how to read the rest: a header or none, a table or a plain list, and the column of the
//! IDs.
//!
//! A header must not be read as a user, and a user not as a header. So a row with a user ID is never a header, and a
//! row of known column names is never a user.

use super::cell::{is_address, is_guid, is_id_like, trim, unquote};
use super::column_choice::{ColumnChoice, ColumnChoiceError, ColumnTable};
use super::column_name::ColumnName;
use super::column_profile::{belong_to_same_users, means_blank, profile_columns};
use super::column_roles::{
    ColumnRoles, find_column, find_roles_except_id, guess_tenants, is_known_id, suggest_column,
};
use super::error::{IntakeError, quote};
use super::omission::{OmissionReason, Omissions};
use super::raw_row::RawRow;
use super::repeated_header::{KnownHeader, RepeatedHeader};
use super::shifted_cells::ExpectedColumns;
use super::{IntakeOptions, NO_TENANT_COLUMN};

/// The header must be among the first this many rows.
const MAX_HEADER_ROW: usize = 10;

/// A GUID that tells whether a predicate accepts GUIDs.
const SAMPLE_GUID: &str = "8a0f3c1e-1111-2222-3333-444455556666";

/// How to read the rows of one source.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The names of the columns, all of them different; none for a plain list.
    pub(super) columns: Vec<String>,
    pub(super) is_list: bool,
    /// How many records are before the first row of data, including the header.
    pub(super) rows_before: usize,
    pub(super) roles: ColumnRoles,
    /// What was decided, in words.
    pub(super) notes: Vec<String>,
    /// The records above the header that are skipped, such as a title.
    pub(super) omissions: Omissions,
    /// The header, to recognize it if it is repeated.
    pub(super) header: KnownHeader,
    /// What the first rows show about the others.
    pub(super) expected_columns: ExpectedColumns,
}

/// The position of the header among the first rows.
///
/// It is a row without a user ID that has a known name of a column, or the name that was asked for. If it is not the
/// first row, it must also have more cells than all rows above it, as below a title.
pub(super) fn find_header(entries: &[RawRow], options: &IntakeOptions) -> Option<usize> {
    let mut widest = 0;
    for (at, entry) in entries.iter().take(MAX_HEADER_ROW).enumerate() {
        if has_id(entry) {
            return None;
        }
        let named = match &options.column {
            Some(name) if at == 0 || name.parse::<usize>().is_err() => {
                find_column(&entry.cells, name).is_some()
            }
            _ => false,
        };
        let known = || entry.cells.iter().any(|cell| is_known_id(cell));
        let by_number = options.column.as_ref().is_none_or(|name| name.parse::<usize>().is_ok());
        if (named || (by_number && known())) && (at == 0 || entry.filled_cells() > widest.max(1)) {
            return Some(at);
        }
        // With another delimiter, this row would be a user, so it is not skipped as a title.
        if has_id_between_delimiters(entry) {
            return None;
        }
        widest = widest.max(entry.filled_cells());
    }
    None
}

/// The position of a header without a known name: the row above the first one with an ID, if it has more cells than all
/// rows above it, its cells look like names of columns, and every row below it has an ID in the same column.
fn find_header_with_unknown_names(entries: &[RawRow]) -> Option<usize> {
    let first = entries.iter().take(MAX_HEADER_ROW).position(has_id)?;
    let at = first.checked_sub(1)?;
    let (header, below) = (&entries[at], &entries[first..]);
    let names = (0..header.cells.len()).map(|cell| header.cell(cell)).filter(|cell| !cell.is_empty());
    let looks_like_names = names.clone().all(|name| {
        !means_blank(name)
            && !name.contains('@')
            && name.chars().any(char::is_alphabetic)
            && name.chars().count() <= 60
    });
    let widest_above = entries[..at].iter().map(RawRow::filled_cells).max().unwrap_or(0);
    let full = |column: usize| below.iter().all(|row| is_id_like(row.cell(column)) || row.fault.is_some());
    let column = (0..header.cells.len()).find(|column| full(*column))?;
    let fits = looks_like_names
        && header.filled_cells() > widest_above.max(1)
        && header.filled_cells() >= below[0].filled_cells();
    (fits && !header.cell(column).is_empty()).then_some(at)
}

/// Decides from its first rows how to read the source `name`. `one_column` means that the source has no delimiter.
pub(super) fn decide_layout(
    name: &str,
    entries: &[RawRow],
    one_column: bool,
    options: &IntakeOptions,
) -> Result<Layout, IntakeError> {
    let Some(first) = entries.first() else { return Ok(plain_list_layout()) };
    if let Some(at) = find_header(entries, options) {
        return layout_with_header(name, entries, at, options);
    }
    let holds_id = has_id(first);
    match (&options.column, one_column) {
        (None, true) if is_header_for_other_people(entries) => {
            let column = quote(first.cell(0));
            let word = ColumnName::new(first.cell(0)).contrary_word.unwrap_or_default();
            let columns = vec![format!("{column} (its name says `{word}`)")];
            Err(IntakeError::UncertainColumn { name: name.to_owned(), line: Some(first.line), columns })
        }
        (None, true) => Ok(plain_list_layout()),
        (Some(column), true) if holds_id || column == "1" => {
            if column.parse::<usize>().is_ok_and(|number| number != 1) {
                return Err(no_such_column(name, "--column", column, &[]));
            }
            Ok(plain_list_layout())
        }
        (_, false) if holds_id => layout_without_header(name, entries, options),
        (Some(column), false) if column.parse::<usize>().is_ok() => {
            layout_with_header(name, entries, 0, options)
        }
        (Some(column), _) => Err(no_such_column(name, "--column", column, &name_columns(entries, 0))),
        (None, false) => layout_with_header(
            name,
            entries,
            find_header_with_unknown_names(entries).ok_or_else(|| no_header(name, entries))?,
            options,
        ),
    }
}

/// Whether the first line of a plain list is a header for people other than the users to revoke, such as `Manager`.
fn is_header_for_other_people(entries: &[RawRow]) -> bool {
    let first = entries[0].cell(0);
    let is_name =
        !first.is_empty() && !first.contains(['@', '#', ':']) && first.split_whitespace().count() <= 3;
    is_name && ColumnName::new(first).contrary_word.is_some() && entries[1..].iter().any(has_id)
}

fn no_header(name: &str, entries: &[RawRow]) -> IntakeError {
    IntakeError::NoIdColumn {
        name: name.to_owned(),
        line: Some(entries[0].line),
        headers: name_columns(entries, 0),
        why: String::new(),
    }
}

/// Decides how to read JSON records. The first entry has the names of the columns, whether they are known or not.
pub(super) fn decide_json_layout(
    name: &str,
    entries: &[RawRow],
    options: &IntakeOptions,
) -> Result<Layout, IntakeError> {
    let layout = layout_with_header(name, entries, 0, options)?;
    // Each cell has its own key, so cells can't have shifted, and no row is a header.
    Ok(Layout { header: KnownHeader::default(), expected_columns: ExpectedColumns::default(), ..layout })
}

fn plain_list_layout() -> Layout {
    Layout { is_list: true, ..Layout::default() }
}

/// Whether a cell has an ID between delimiters.
fn has_id_between_delimiters(entry: &RawRow) -> bool {
    let mut cells = entry.cells.iter().filter(|cell| cell.len() <= 4096);
    cells.any(|cell| cell.split([',', ';', '\t', '|']).any(|part| is_id_like(unquote(part))))
}

fn has_id(entry: &RawRow) -> bool {
    entry.cells.iter().any(|cell| is_id_like(cell))
}

fn layout_with_header(
    name: &str,
    entries: &[RawRow],
    at: usize,
    options: &IntakeOptions,
) -> Result<Layout, IntakeError> {
    let header = &entries[at];
    if header.is_truncated {
        return Err(IntakeError::HeaderTooLong { name: name.to_owned(), line: header.line });
    }
    let columns = name_columns(entries, at);
    let rows = &entries[at + 1..];
    let known = KnownHeader::from_row(header);
    let table = ColumnTable {
        names: &columns,
        headers: columns.iter().map(|column| ColumnName::new(column)).collect(),
        profiles: profile_columns(columns.len(), rows),
        rows,
    };
    let requested = options
        .column
        .as_ref()
        .map(|column| resolve_column(name, "--column", column, &columns))
        .transpose()?;
    let again = rows
        .iter()
        .find(|row| known.compare(row, requested.unwrap_or(columns.len())) == Some(RepeatedHeader::Other));
    if let Some(again) = again.filter(|_| options.max_rows.is_none()) {
        return Err(IntakeError::DifferentHeader {
            name: name.to_owned(),
            line: header.line,
            other: again.line,
        });
    }
    let mut roles = find_roles_except_id(&table);
    let mut notes = Vec::new();
    if let Some(requested) = requested {
        if let Some(at) = table.find_concealed(&[]).filter(|at| *at == requested) {
            return Err(IntakeError::ConcealedNames { name: name.to_owned(), column: quote(&columns[at]) });
        }
        roles.id = requested;
        notes.push(format!("IDs from column {} (--column)", quote(&columns[roles.id])));
    } else {
        let choice = table.choose().map_err(|doubt| column_error(name, header.line, &columns, doubt))?;
        let ColumnChoice { id, is_mail, fallback, duplicates: twins, notes: more } = choice;
        (roles.id, roles.fallback, roles.id_is_mail, roles.duplicates) = (id, fallback, is_mail, twins);
        let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
        notes.push(format!("IDs from column {}{more}", quote(&columns[roles.id])));
    }
    if let Some(column) = &options.priority_column {
        roles.priority = Some(resolve_column(name, "--priority-column", column, &columns)?);
    }
    match options.tenant_column.as_deref() {
        Some(NO_TENANT_COLUMN) => roles.tenant = None,
        Some(column) => roles.tenant = Some(resolve_column(name, "--tenant-column", column, &columns)?),
        None => {
            let guess = guess_tenants(&table, roles.id, options.tenant_is_named);
            roles.tenant = guess.column;
            notes.extend(guess.note);
        }
    }
    if let Some(tenant) = roles.tenant {
        notes.push(format!("tenants from column {}", quote(&columns[tenant])));
    }
    if let Some(priority) = roles.priority {
        notes.push(format!("priorities from column {}", quote(&columns[priority])));
    }
    if at > 0 {
        notes.push(format!("the header is on line {}; skipped {} above it", header.line, rows_text(at)));
    }
    let mut omissions = Omissions::default();
    entries[..at].iter().for_each(|entry| omissions.add(OmissionReason::AboveHeader, entry.line));
    let expectation = ExpectedColumns::from_rows(&table, roles.id);
    Ok(Layout {
        columns,
        is_list: false,
        rows_before: at + 1,
        roles,
        notes,
        omissions,
        header: known,
        expected_columns: expectation,
    })
}

fn layout_without_header(
    name: &str,
    entries: &[RawRow],
    options: &IntakeOptions,
) -> Result<Layout, IntakeError> {
    let first = &entries[0];
    let header = entries.iter().take(MAX_HEADER_ROW).find(|entry| {
        !has_id(entry) && entry.filled_cells() > 1 && entry.cells.iter().any(|cell| is_known_id(cell))
    });
    if let Some(header) = header {
        return Err(IntakeError::AboveHeader {
            name: name.to_owned(),
            line: first.line,
            header_line: header.line,
        });
    }
    let width = entries.iter().map(|entry| entry.cells.len()).max().unwrap_or(0);
    let columns: Vec<String> = (1..=width).map(|number| format!("column {number}")).collect();
    let mut roles = ColumnRoles::default();
    let resolve = |flag, column: &str| {
        resolve_column(name, flag, column, &columns).map_err(|error| match column.parse::<usize>() {
            Ok(_) => error,
            Err(_) => {
                IntakeError::NoHeader { name: name.to_owned(), line: first.line, flag, column: quote(column) }
            }
        })
    };
    let table = ColumnTable {
        names: &columns,
        headers: columns.iter().map(|_| ColumnName::new("")).collect(),
        profiles: profile_columns(width, entries),
        rows: entries,
    };
    let positions = |is: fn(&str) -> bool| -> Vec<usize> {
        let often = |at: usize, held: usize| held * 2 >= table.profiles[at].rows || is(first.cell(at));
        let held =
            |at: usize| if is(SAMPLE_GUID) { table.profiles[at].guids } else { table.profiles[at].addresses };
        (0..width).filter(|at| held(*at) > 0 && often(*at, held(*at))).collect()
    };
    let (guids, addresses) = (positions(is_guid), positions(is_address));
    let together =
        |guid: usize| addresses.iter().all(|address| belong_to_same_users(entries, guid, *address));
    roles.id = match (&options.column, &guids[..], &addresses[..]) {
        (Some(column), ..) => resolve("--column", column)?,
        (None, [guid], _) if together(*guid) => {
            roles.fallback = if let [address] = addresses[..] { Some(address) } else { None };
            *guid
        }
        (None, [], [address]) => *address,
        (None, ..) => {
            let mut columns: Vec<usize> = guids.iter().chain(&addresses).map(|at| at + 1).collect();
            columns.sort_unstable();
            columns.dedup();
            return Err(IntakeError::SeveralIds { name: name.to_owned(), line: first.line, columns });
        }
    };
    if let Some(column) = &options.priority_column {
        roles.priority = Some(resolve("--priority-column", column)?);
    }
    if let Some(column) = options.tenant_column.as_ref().filter(|column| *column != NO_TENANT_COLUMN) {
        roles.tenant = Some(resolve("--tenant-column", column)?);
    }
    let mut notes = vec![
        format!("no header row: line {} already has a user ID and is read as one", first.line),
        format!("IDs from {}", columns[roles.id]),
    ];
    notes.extend(roles.tenant.map(|at| format!("tenants from {}", columns[at])));
    let expectation = ExpectedColumns::from_rows(&table, roles.id);
    Ok(Layout { columns, roles, notes, expected_columns: expectation, ..Layout::default() })
}

/// The error for a file in which the column of users can't be determined.
fn column_error(name: &str, line: u64, columns: &[String], doubt: ColumnChoiceError) -> IntakeError {
    let (name, line) = (name.to_owned(), Some(line));
    match doubt {
        ColumnChoiceError::NoColumn(why) => {
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            IntakeError::NoIdColumn { name, line, headers: columns.to_vec(), why }
        }
        ColumnChoiceError::Ambiguous(mut candidates) => {
            candidates.sort_by_key(|(at, _)| *at);
            let candidates_text = candidates.into_iter().map(|(at, why)| match why.is_empty() {
                true => quote(&columns[at]),
                false => format!("{} ({why})", quote(&columns[at])),
            });
            IntakeError::UncertainColumn { name, line, columns: candidates_text.collect() }
        }
        ColumnChoiceError::Concealed(at) => IntakeError::ConcealedNames { name, column: quote(&columns[at]) },
    }
}

/// Finds the column by its name, or otherwise by its number from 1.
fn resolve_column(
    name: &str,
    flag: &'static str,
    column: &str,
    columns: &[String],
) -> Result<usize, IntakeError> {
    let by_number = || column.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < columns.len());
    find_column(columns, column).or_else(by_number).ok_or_else(|| no_such_column(name, flag, column, columns))
}

pub(super) fn no_such_column(
    name: &str,
    flag: &'static str,
    column: &str,
    headers: &[String],
) -> IntakeError {
    IntakeError::NoSuchColumn {
        name: name.to_owned(),
        flag,
        column: quote(column),
        headers: headers.to_vec(),
        nearest: suggest_column(headers, column),
    }
}

/// Makes the names of all columns different: `column 3` if the header is empty, `Name (2)` if a name is repeated. Empty
/// headers at the end count only if there is a cell below them.
fn name_columns(entries: &[RawRow], header: usize) -> Vec<String> {
    let below = &entries[header + 1..];
    let header = &entries[header];
    let used =
        |at: usize| !header.cell(at).is_empty() || below.iter().any(|entry| !entry.cell(at).is_empty());
    let width = (0..header.cells.len()).rev().find(|at| used(*at)).map_or(0, |at| at + 1);
    let mut taken = std::collections::HashSet::new();
    let mut columns = Vec::with_capacity(width);
    for at in 0..width {
        let text = trim(&header.cells[at]);
        let base = if text.is_empty() { format!("column {}", at + 1) } else { text.to_owned() };
        let mut name = base.clone();
        let mut number = 2;
        while !taken.insert(name.to_lowercase()) {
            name = format!("{base} ({number})");
            number += 1;
        }
        columns.push(name);
    }
    columns
}

fn rows_text(count: usize) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(rows: &[&str]) -> Vec<RawRow> {
        rows.iter()
            .enumerate()
            .map(|(at, row)| RawRow {
                line: at as u64 + 1,
                cells: row.split(';').map(str::to_owned).collect(),
                ..RawRow::default()
            })
            .collect()
    }

    fn decided(rows: &[&str], column: Option<&str>) -> Result<Layout, IntakeError> {
        let entries = entries(rows);
        let one = entries.iter().all(|entry| entry.cells.len() == 1);
        decide_layout(
            "x",
            &entries,
            one,
            &IntakeOptions { column: column.map(str::to_owned), ..IntakeOptions::default() },
        )
    }

    #[test]
    fn header_row_and_user_row_are_not_confused() {
        let layout = decided(&["ann@contoso.com;user", "bob@contoso.com;user"], None).unwrap();
        assert_eq!((layout.rows_before, layout.roles.id, layout.columns.len()), (0, 0, 2));
        assert_eq!(decided(&["UPN", "ann@contoso.com"], None).unwrap().rows_before, 1);
        assert!(decided(&["ann@contoso.com"], None).unwrap().is_list);
        let layout = decided(&["Name;Login", "Ann;ann@contoso.com"], None).unwrap();
        assert_eq!((layout.rows_before, layout.roles.id), (1, 1));
        let layout = decided(&["Name;Kennung", "A;b@c.de"], None).unwrap();
        assert_eq!((layout.rows_before, layout.roles.id), (1, 1));
        assert!(layout.notes[0].contains("its name is unknown"), "{:?}", layout.notes);
        for rows in [["A;", "B;b@c.de"], ["A;17", "B;b@c.de"], ["A;n/a", "B;b@c.de"]] {
            let error = decided(&rows, None);
            assert!(
                matches!(error, Err(IntakeError::NoIdColumn { .. })),
                "a user without an ID is not a header: {rows:?}"
            );
        }
    }

    #[test]
    fn title_above_header_is_skipped_unless_it_names_a_user() {
        let layout = decided(&["Leavers", ";;", "Name;UPN", "Ann;ann@contoso.com"], None).unwrap();
        assert_eq!((layout.rows_before, layout.roles.id), (3, 1));
        assert!(layout.notes.iter().any(|notes| notes.contains("line 3")), "{:?}", layout.notes);
        let error = decided(&["By;boss@contoso.com", "No;Name;UPN", "1;Ann;ann@contoso.com"], None);
        assert!(matches!(error, Err(IntakeError::AboveHeader { line: 1, header_line: 2, .. })));
    }

    #[test]
    fn columns_can_be_given_by_number() {
        let rows = ["Ann;ann@contoso.com;boss@contoso.com", "Bob;bob@contoso.com;boss@contoso.com"];
        assert!(
            matches!(decided(&rows, None), Err(IntakeError::SeveralIds { columns, .. }) if columns == [2, 3])
        );
        let layout = decided(&rows, Some("2")).unwrap();
        assert_eq!((layout.rows_before, layout.roles.id), (0, 1));
        assert!(matches!(decided(&rows, Some("4")), Err(IntakeError::NoSuchColumn { .. })));
        assert!(matches!(decided(&rows, Some("UPN")), Err(IntakeError::NoHeader { .. })));
        assert_eq!(decided(&["Name;Kennung", "A;b@c.de"], Some("2")).unwrap().rows_before, 1);
    }

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let entries = entries(&["id;Name;;name;;", "1;2;3;4;;"]);
        assert_eq!(name_columns(&entries, 0), ["id", "Name", "column 3", "name (2)"]);
    }

    #[test]
    fn a_column_that_is_not_there_is_refused() {
        let error = decided(&["id;Mail", "1;b@c.de"], Some("Mial")).unwrap_err().to_string();
        assert!(error.contains("Did you mean") || error.contains("it has `id`, `Mail`"), "{error}");
        assert!(decided(&["Kennung", "b@c.de"], Some("kennun")).is_err());
        assert_eq!(decided(&["Kennung", "b@c.de"], Some("kennung")).unwrap().columns, ["Kennung"]);
        assert!(decided(&["b@c.de"], Some("2")).is_err());
    }
}
