//! Builds a row from a record: its ID, its priority, what it says about the user, and whether it is kept.

use super::bulk_template::{has_columns as has_template_columns, is_example};
use super::cell::{is_id_like, trim, unquote};
use super::column_profile::{is_same_id, means_blank};
use super::error::{IntakeError, quote};
use super::filter::Filters;
use super::layout::Layout;
use super::omission::{OmissionReason, Omissions};
use super::raw_row::RawRow;
use super::repeated_header::{RepeatedHeader, is_header_for_other_people};
use super::{InputRow, RowStatus};
use crate::user_id::names_external;

/// Builds rows from the records of one source.
pub(super) struct RowBuilder {
    /// The index of the source, from 0.
    pub(super) source: usize,
    pub(super) layout: Layout,
    /// For each column of the source, its index in the columns of all sources.
    pub(super) column_map: Vec<usize>,
    /// How many columns all sources have in total.
    pub(super) width: usize,
}

impl RowBuilder {
    /// Whether the record is a repeated header, or a line that belongs above one, and thus not a row.
    ///
    /// # Errors
    /// If it is the header of another table, because the rows after it would be read with the wrong columns.
    pub(super) fn skip_header(
        &self,
        name: &str,
        entry: &RawRow,
        omissions: &mut Omissions,
    ) -> Result<bool, IntakeError> {
        let (name, other) = (name.to_owned(), entry.line);
        if self.layout.is_list {
            return match entry.cells.first() {
                Some(line) if is_header_for_other_people(line) => {
                    Err(IntakeError::SecondHeader { name, other })
                }
                _ => Ok(false),
            };
        }
        let header = &self.layout.header;
        match (header.compare(entry, self.layout.roles.id), header.line) {
            (None, _) => return Ok(false),
            (Some(RepeatedHeader::Same), _) => omissions.add(OmissionReason::RepeatedHeader, entry.line),
            (Some(RepeatedHeader::Preface), _) => omissions.add(OmissionReason::Comment, entry.line),
            (Some(RepeatedHeader::Other), Some(line)) => {
                return Err(IntakeError::DifferentHeader { name, line, other });
            }
            (Some(RepeatedHeader::Other), None) => return Err(IntakeError::SecondHeader { name, other }),
        }
        Ok(true)
    }

    /// The row. `None` if the record is blank or not a row; the latter is added to the `omissions`.
    pub(super) fn build(
        &self,
        entry: RawRow,
        filters: &Filters,
        omissions: &mut Omissions,
    ) -> Option<InputRow> {
        let row = |id: String, verdict| InputRow {
            source: self.source,
            line: entry.line,
            id,
            other_ids: Vec::new(),
            possible_ids: Vec::new(),
            priority: None,
            tenant: None,
            external_hint: None,
            cells: vec![String::new(); self.width],
            note: None,
            status: verdict,
        };
        if entry.filled_cells() == 0 && entry.fault.is_none() {
            return None;
        }
        if self.layout.is_list {
            let line = entry.cells.first().map_or("", String::as_str);
            let id = strip_comment(line);
            // Damage in a comment after an ID does not matter.
            let is_damaged = id.contains(['\0', char::REPLACEMENT_CHARACTER]);
            let damage = entry.damage_in(0).filter(|_| is_damaged || id.is_empty());
            let fault = damage.or_else(|| entry.cell_fault(0).map(str::to_owned));
            let verdict = match self.row_fault(&entry).or(fault) {
                _ if trim(line).starts_with('#') => {
                    omissions.add(OmissionReason::Comment, entry.line);
                    return None;
                }
                Some(why) => RowStatus::Unreadable(why),
                None if id.is_empty() => return None,
                None => RowStatus::Read,
            };
            let mut row = row(id.to_owned(), verdict);
            row.external_hint = self.external_hint(&row.id, &entry);
            self.apply_filters(&mut row, filters);
            return Some(row);
        }
        let roles = &self.layout.roles;
        let columns = &self.layout.columns;
        let mut row = row(unquote(entry.cell(roles.id)).to_owned(), RowStatus::Read);
        for (at, cell) in entry.cells.iter().enumerate().take(columns.len()) {
            row.cells[self.column_map[at]].clone_from(cell);
        }
        if let Some(at) = entry.cells.iter().position(|cell| is_example(cell)) {
            if has_template_columns(columns) || omissions.has(OmissionReason::Version) {
                omissions.add(OmissionReason::Example, entry.line);
                return None;
            }
            if (0..at).all(|before| entry.cell(before).is_empty()) {
                let why = "it begins with `Example:`, like the example row of a bulk template";
                row.status = RowStatus::Unreadable(why.to_owned());
                return Some(row);
            }
        }
        if let Some(why) = self.row_fault(&entry).or_else(|| self.fault_in_used_cells(&entry, filters)) {
            if row.id.is_empty() {
                let mut cells = (0..entry.cells.len()).map(|at| entry.cell(at));
                row.id = cells.find(|cell| !cell.is_empty()).unwrap_or_default().to_owned();
            }
            row.status = RowStatus::Unreadable(why);
            return Some(row);
        }
        let moved = self.layout.expected_columns.find_shift(&entry, roles);
        if let Some(why) = moved.or_else(|| self.duplicate_conflict(&entry)) {
            row.status = RowStatus::Unreadable(why);
            self.apply_filters(&mut row, filters);
            return Some(row);
        }
        let shifted = entry.filled_cells_from(columns.len()) > 0;
        if shifted && roles.tenant.is_some() {
            row.status = RowStatus::Unreadable(format!(
                "{} cells, but only {} columns: it is not clear which of them is the tenant",
                entry.cells.len(),
                columns.len()
            ));
            return Some(row);
        }
        if shifted {
            row.note = Some(format!("{} cells, but only {} columns", entry.cells.len(), columns.len()));
            row.external_hint = names_external(&row.id).then_some(true);
            row.possible_ids = self.other_ids(&row.id, &entry);
        } else {
            if let (true, Some(fallback)) = (means_blank(&row.id), roles.fallback)
                && (row.id.is_empty() || !means_blank(entry.cell(fallback)))
            {
                let what = if row.id.is_empty() { "empty".to_owned() } else { quote(&row.id) };
                row.id = unquote(entry.cell(fallback)).to_owned();
                let (empty, taken) = (quote(&columns[roles.id]), quote(&columns[fallback]));
                row.note = (!row.id.is_empty()).then(|| format!("{empty} is {what}, so {taken} was used"));
            }
            row.priority =
                roles.priority.map(|at| entry.cell(at)).filter(|c| !c.is_empty()).map(str::to_owned);
            row.tenant = roles.tenant.map(|at| entry.cell(at)).filter(|c| !c.is_empty()).map(str::to_owned);
            row.external_hint = self.external_hint(&row.id, &entry);
            row.other_ids = self.other_ids(&row.id, &entry);
        }
        self.apply_filters(&mut row, filters);
        let other = roles.object_type.filter(|_| !shifted).and_then(|at| non_user_kind(entry.cell(at)));
        if let (RowStatus::Read, Some(what)) = (&row.status, other) {
            row.status = RowStatus::Unreadable(format!("{what}, not a user"));
        }
        Some(row)
    }

    /// Why the row's user is not certain: columns that have the same user in other rows have different users here.
    fn duplicate_conflict(&self, entry: &RawRow) -> Option<String> {
        let roles = &self.layout.roles;
        let id = entry.cell(roles.id);
        let differs = |at: &&usize| {
            let twin = entry.cell(**at);
            is_id_like(id)
                && is_id_like(twin)
                && !means_blank(twin)
                && !means_blank(id)
                && !is_same_id(id, twin)
        };
        let twin = roles.duplicates.iter().find(differs)?;
        let name = |at: usize| quote(&self.layout.columns[at]);
        Some(format!(
            "{} and {} name different users here, but the same user in other rows",
            name(roles.id),
            name(*twin)
        ))
    }

    fn apply_filters(&self, row: &mut InputRow, filters: &Filters) {
        if let (RowStatus::Read, Some(why)) = (&row.status, filters.exclusion_reason(&row.cells)) {
            row.status = RowStatus::Excluded(why);
        }
    }

    /// Why the record can't be trusted. If there are more cells than columns, cells have shifted, and the ID's cell may
    /// have another person's ID, such as the manager's address. Only the first column can't shift.
    fn row_fault(&self, entry: &RawRow) -> Option<String> {
        if let Some(trouble) = &entry.fault {
            return Some(trouble.clone());
        }
        let width = self.layout.columns.len().max(1);
        let more = entry.filled_cells_from(width) > 0;
        let hides_id = entry.cells.iter().skip(width).any(|cell| is_id_like(cell));
        (more && (self.layout.roles.id > 0 || hides_id)).then(|| {
            format!(
                "{} cells, but only {width} column{}: does an unquoted cell have a delimiter in it?",
                entry.cells.len(),
                if width == 1 { "" } else { "s" }
            )
        })
    }

    /// Why a cell that the row needs could not be read: the user, the tenant, the priority, the type of object, or a
    /// cell that a filter reads. A fault in any other cell does not matter.
    fn fault_in_used_cells(&self, entry: &RawRow, filters: &Filters) -> Option<String> {
        if entry.damage.is_empty() && entry.cell_faults.is_empty() {
            return None;
        }
        let roles = &self.layout.roles;
        let filtered: Vec<usize> = filters
            .columns()
            .filter_map(|at| self.column_map.iter().position(|place| *place == at))
            .collect();
        let others = [roles.tenant, roles.priority, roles.object_type, roles.user_type];
        let others = others.into_iter().flatten().chain(filtered);
        // A damaged ID may be one on a protect list. A formula without a value is not an ID.
        let names = roles.object_ids.iter().chain(&roles.upns).copied();
        let fallback = roles.fallback.filter(|_| means_blank(entry.cell(roles.id)));
        // A formula with the result `#N/A` has found no object ID, so the user principal name is used instead, as for
        // the text `#N/A`.
        let id = Some(roles.id).filter(|_| fallback.is_none_or(|at| means_blank(entry.cell(at))));
        let mut deciding = [id, fallback].into_iter().flatten().chain(others);
        let fault = deciding.clone().find_map(|at| entry.cell_fault(at)).map(str::to_owned);
        fault
            .or_else(|| deciding.find_map(|at| entry.damage_in(at)))
            .or_else(|| names.chain(roles.fallback).find_map(|at| entry.damage_in(at)))
    }

    /// The other names of the row's user.
    fn other_ids(&self, id: &str, entry: &RawRow) -> Vec<String> {
        let roles = &self.layout.roles;
        let places = roles.object_ids.iter().chain(&roles.upns).chain(roles.fallback.iter());
        let mut names: Vec<String> = Vec::new();
        for name in places.map(|at| unquote(entry.cell(*at))).filter(|name| !name.is_empty() && *name != id) {
            if names.iter().all(|known| known != name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Whether the row itself shows that the user's home is another tenant.
    fn external_hint(&self, id: &str, entry: &RawRow) -> Option<bool> {
        let roles = &self.layout.roles;
        let upns = roles.upns.iter().map(|at| entry.cell(*at)).filter(|upn| upn.contains('@'));
        let own = Some(id).filter(|id| id.contains('@') && !roles.id_is_mail);
        let mut known = false;
        for upn in own.into_iter().chain(upns) {
            if names_external(upn) {
                return Some(true);
            }
            known = true;
        }
        let is_guest = || roles.user_type.is_some_and(|at| entry.cell(at).eq_ignore_ascii_case("guest"));
        if known || names_external(id) { Some(names_external(id)) } else { is_guest().then_some(true) }
    }
}

impl RawRow {
    /// How many cells from this one on are not empty.
    fn filled_cells_from(&self, from: usize) -> usize {
        (from..self.cells.len()).filter(|at| !self.cell(*at).is_empty()).count()
    }
}

/// The ID on a line of a plain list, without quotes and without a comment. A comment begins with `#` at the start of
/// the line or after white space. (The `#` of `#EXT#` follows a letter.)
fn strip_comment(line: &str) -> &str {
    let mut before = ' ';
    let comment = line.char_indices().find(|(_, c)| {
        let starts = *c == '#' && (before.is_whitespace() || super::cell::is_invisible(before));
        before = *c;
        starts
    });
    unquote(comment.map_or(line, |(at, _)| &line[..at]))
}

/// What the directory object is, if it can't sign in as a user.
pub(super) fn non_user_kind(kind: &str) -> Option<&'static str> {
    let kind = kind.rsplit('.').next().unwrap_or(kind);
    let kind: String = kind.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    Some(match kind.as_str() {
        "group" => "a Group",
        "device" => "a Device",
        "serviceprincipal" => "a ServicePrincipal",
        "application" => "an Application",
        "contact" | "orgcontact" | "mailcontact" => "a Contact",
        "groupmailbox" | "foreigngroup" => "a Group",
        _ if kind.ends_with("group") && kind.starts_with("mail") => "a Group",
        _ if kind.ends_with("distributiongroup") => "a Group",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_not_a_guest() {
        assert_eq!(strip_comment(" ann@contoso.com\t# left"), "ann@contoso.com");
        assert_eq!(strip_comment("jane_x.com#EXT#@contoso.com"), "jane_x.com#EXT#@contoso.com");
        assert_eq!(strip_comment("  # nobody"), "");
        assert_eq!(strip_comment("'ann@contoso.com'"), "ann@contoso.com");
    }

    #[test]
    fn words_that_name_no_user_are_recognised() {
        assert_eq!(non_user_kind("#microsoft.graph.group"), Some("a Group"));
        assert_eq!(non_user_kind("Service principal"), Some("a ServicePrincipal"));
        assert_eq!(non_user_kind("User"), None);
        assert_eq!(non_user_kind("Contractor"), None);
    }
}
