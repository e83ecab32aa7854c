//! What the first rows say about the rest: a header or none, a table or a plain list, and which column holds the ids.
//!
//! Two mistakes are made impossible here, or at least told: a header taken for a person, and a person taken for a
//! header. A row that holds a user id is never a header; a row of known names is never a person.

use super::cell::{is_address, is_guid, is_id_like, trim};
use super::columns::{Roles, choose_id, find_column, is_known_id, nearest, roles_but_id};
use super::entry::Entry;
use super::error::{IntakeError, shown};
use super::omission::{OmissionReason, Omissions};
use super::{NO_TENANTS, Options};

/// How many rows are looked at for a header.
const HEADER_WITHIN: usize = 10;

/// How to understand the rows of one source.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The columns' names, each of them once; none for a plain list.
    pub(super) columns: Vec<String>,
    pub(super) is_list: bool,
    /// How many records stand before the first row of data, the header among them.
    pub(super) before: usize,
    pub(super) roles: Roles,
    /// What was decided, in words.
    pub(super) said: Vec<String>,
    /// What stands before the first row of data and is neither the header nor a row.
    pub(super) omissions: Omissions,
}

/// The position of the header among the first rows.
///
/// It is a row with a known name of a column, or the name asked for, and no user id. Below the first row it must also
/// have more cells than all above it, as under a title.
pub(super) fn find_header(entries: &[Entry], options: &Options) -> Option<usize> {
    let mut widest = 0;
    for (at, entry) in entries.iter().take(HEADER_WITHIN).enumerate() {
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
        if (named || (by_number && known())) && (at == 0 || entry.filled() > widest.max(1)) {
            return Some(at);
        }
        widest = widest.max(entry.filled());
    }
    None
}

/// Decides how to understand the source `name` from its first rows. `one_column` says that nothing separates cells.
pub(super) fn decide(
    name: &str,
    entries: &[Entry],
    one_column: bool,
    options: &Options,
) -> Result<Layout, IntakeError> {
    let Some(first) = entries.first() else { return Ok(list()) };
    if let Some(at) = find_header(entries, options) {
        return with_header(name, entries, at, options);
    }
    let holds_id = has_id(first);
    match (&options.column, one_column) {
        (None, true) => Ok(list()),
        (Some(column), true) if holds_id || column == "1" => {
            if column.parse::<usize>().is_ok_and(|number| number != 1) {
                return Err(no_such_column(name, "--column", column, &[]));
            }
            Ok(list())
        }
        (_, false) if holds_id => without_header(name, entries, options),
        (Some(column), false) if column.parse::<usize>().is_ok() => with_header(name, entries, 0, options),
        (Some(column), _) => Err(no_such_column(name, "--column", column, &name_columns(entries, 0))),
        (None, false) => Err(IntakeError::NoIdColumn {
            name: name.to_owned(),
            line: first.line,
            headers: name_columns(entries, 0),
        }),
    }
}

/// Decides how to understand records whose first entry holds the names of their columns, whatever these are.
pub(super) fn decide_by_keys(
    name: &str,
    entries: &[Entry],
    options: &Options,
) -> Result<Layout, IntakeError> {
    with_header(name, entries, 0, options)
}

fn list() -> Layout {
    Layout { is_list: true, ..Layout::default() }
}

fn has_id(entry: &Entry) -> bool {
    entry.cells.iter().any(|cell| is_id_like(cell))
}

fn with_header(name: &str, entries: &[Entry], at: usize, options: &Options) -> Result<Layout, IntakeError> {
    let header = &entries[at];
    if header.cut {
        return Err(IntakeError::HeaderTooLong { name: name.to_owned(), line: header.line });
    }
    let columns = name_columns(entries, at);
    let rows = &entries[at + 1..];
    let mut roles = roles_but_id(&columns);
    let mut said = Vec::new();
    if let Some(column) = &options.column {
        roles.id = resolve(name, "--column", column, &columns)?;
        said.push(format!("ids from column {}, as asked", shown(&columns[roles.id])));
    } else {
        let choice =
            choose_id(&columns, rows.len(), |row, column| rows[row].cell(column)).ok_or_else(|| {
                IntakeError::NoIdColumn { name: name.to_owned(), line: header.line, headers: columns.clone() }
            })?;
        (roles.id, roles.fallback, roles.id_is_mail) = (choice.id, choice.fallback, choice.is_mail);
        let more =
            if choice.said.is_empty() { String::new() } else { format!(" ({})", choice.said.join("; ")) };
        said.push(format!("ids from column {}{more}", shown(&columns[roles.id])));
    }
    if let Some(column) = &options.priority_column {
        roles.priority = Some(resolve(name, "--priority-column", column, &columns)?);
    }
    match options.tenant_column.as_deref() {
        Some(NO_TENANTS) => roles.tenant = None,
        Some(column) => roles.tenant = Some(resolve(name, "--tenant-column", column, &columns)?),
        // Whatever names the users does not name their tenants.
        None => roles.tenant = roles.tenant.filter(|at| *at != roles.id),
    }
    if let Some(tenant) = roles.tenant {
        said.push(format!("tenants from column {}", shown(&columns[tenant])));
    }
    if let Some(priority) = roles.priority {
        said.push(format!("priorities from column {}", shown(&columns[priority])));
    }
    if at > 0 {
        said.push(format!(
            "the header is on line {}, and {} above it passed over",
            header.line,
            rows_are(at)
        ));
    }
    let mut omissions = Omissions::default();
    entries[..at].iter().for_each(|entry| omissions.add(OmissionReason::AboveHeader, entry.line));
    Ok(Layout { columns, is_list: false, before: at + 1, roles, said, omissions })
}

fn without_header(name: &str, entries: &[Entry], options: &Options) -> Result<Layout, IntakeError> {
    let first = &entries[0];
    let header = entries.iter().take(HEADER_WITHIN).find(|entry| {
        !has_id(entry) && entry.filled() > 1 && entry.cells.iter().any(|cell| is_known_id(cell))
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
    let mut roles = Roles::default();
    let resolve = |flag, column: &str| {
        resolve(name, flag, column, &columns).map_err(|error| match column.parse::<usize>() {
            Ok(_) => error,
            Err(_) => {
                IntakeError::NoHeader { name: name.to_owned(), line: first.line, flag, column: shown(column) }
            }
        })
    };
    let positions = |is: fn(&str) -> bool| -> Vec<usize> {
        first.cells.iter().enumerate().filter(|(_, cell)| is(cell)).map(|(at, _)| at).collect()
    };
    let (guids, addresses) = (positions(is_guid), positions(is_address));
    roles.id = match (&options.column, &guids[..], &addresses[..]) {
        (Some(column), ..) => resolve("--column", column)?,
        (None, [guid], _) => {
            roles.fallback = if let [address] = addresses[..] { Some(address) } else { None };
            *guid
        }
        (None, [], [address]) => *address,
        (None, ..) => {
            let mut columns: Vec<usize> = guids.iter().chain(&addresses).map(|at| at + 1).collect();
            columns.sort_unstable();
            return Err(IntakeError::SeveralIds { name: name.to_owned(), line: first.line, columns });
        }
    };
    if let Some(column) = &options.priority_column {
        roles.priority = Some(resolve("--priority-column", column)?);
    }
    if let Some(column) = options.tenant_column.as_ref().filter(|column| *column != NO_TENANTS) {
        roles.tenant = Some(resolve("--tenant-column", column)?);
    }
    let mut said = vec![
        format!("no header row: line {} already holds a user id and is read as one", first.line),
        format!("ids from {}", columns[roles.id]),
    ];
    said.extend(roles.tenant.map(|at| format!("tenants from {}", columns[at])));
    Ok(Layout { columns, roles, said, ..Layout::default() })
}

/// The column by its name, or else by its number from 1.
fn resolve(name: &str, flag: &'static str, column: &str, columns: &[String]) -> Result<usize, IntakeError> {
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
        column: shown(column),
        headers: headers.to_vec(),
        nearest: nearest(headers, column),
    }
}

/// Gives every column a name of its own: `column 3` where the header is empty, `Name (2)` where it comes again.
/// Empty headers at the end count only if a cell stands under them.
fn name_columns(entries: &[Entry], header: usize) -> Vec<String> {
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

fn rows_are(count: usize) -> String {
    if count == 1 { "1 row was".into() } else { format!("{count} rows were") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(rows: &[&str]) -> Vec<Entry> {
        rows.iter()
            .enumerate()
            .map(|(at, row)| Entry {
                line: at as u64 + 1,
                cells: row.split(';').map(str::to_owned).collect(),
                ..Entry::default()
            })
            .collect()
    }

    fn decided(rows: &[&str], column: Option<&str>) -> Result<Layout, IntakeError> {
        let entries = entries(rows);
        let one = entries.iter().all(|entry| entry.cells.len() == 1);
        decide("x", &entries, one, &Options { column: column.map(str::to_owned), ..Options::default() })
    }

    #[test]
    fn a_user_is_never_a_header_and_a_header_never_a_user() {
        let layout = decided(&["ann@contoso.com;user", "bob@contoso.com;user"], None).unwrap();
        assert_eq!((layout.before, layout.roles.id, layout.columns.len()), (0, 0, 2));
        assert_eq!(decided(&["UPN", "ann@contoso.com"], None).unwrap().before, 1);
        assert!(decided(&["ann@contoso.com"], None).unwrap().is_list);
        let layout = decided(&["Name;Login", "Ann;ann@contoso.com"], None).unwrap();
        assert_eq!((layout.before, layout.roles.id), (1, 1));
        assert!(matches!(decided(&["Name;Kennung", "A;b@c.de"], None), Err(IntakeError::NoIdColumn { .. })));
    }

    #[test]
    fn a_title_above_the_header_is_passed_over_unless_it_names_a_user() {
        let layout = decided(&["Leavers", ";;", "Name;UPN", "Ann;ann@contoso.com"], None).unwrap();
        assert_eq!((layout.before, layout.roles.id), (3, 1));
        assert!(layout.said.iter().any(|said| said.contains("line 3")), "{:?}", layout.said);
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
        assert_eq!((layout.before, layout.roles.id), (0, 1));
        assert!(matches!(decided(&rows, Some("4")), Err(IntakeError::NoSuchColumn { .. })));
        assert!(matches!(decided(&rows, Some("UPN")), Err(IntakeError::NoHeader { .. })));
        assert_eq!(decided(&["Name;Kennung", "A;b@c.de"], Some("2")).unwrap().before, 1);
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
