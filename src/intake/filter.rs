//! Which rows to keep and which to leave out, by the text of a column.

use regex::Regex;

use super::column_roles::find_column;
use super::error::{IntakeError, quote};

/// A rule `COLUMN=REGEX`: rows are kept, or left out, if the regular expression matches the cell.
///
/// The expression is not anchored and is case-sensitive; `(?i)` and `^…$` change that.
#[derive(Debug, Clone)]
pub struct Filter {
    keep: bool,
    field: String,
    regex: Regex,
}

/// Why a filter can't be parsed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// There is no `=`, or no column before it.
    #[error("{flag} {text}: write COLUMN=REGEX, as in `Department=^Sales$`")]
    Shape {
        /// The flag.
        flag: &'static str,
        /// What was given.
        text: String,
    },
    /// The part after `=` is not a regular expression.
    #[error("{flag} {text}: not a regular expression: {error}")]
    Regex {
        /// The flag.
        flag: &'static str,
        /// What was given.
        text: String,
        /// The error of the regular expression.
        error: regex::Error,
    },
}

impl Filter {
    /// Parses `COLUMN=REGEX` as "keep only rows that match". A row is kept only if it matches all such rules.
    ///
    /// # Errors
    /// If there is no column before the first `=`, or the rest is not a regular expression.
    pub fn parse_match(text: &str) -> Result<Self, FilterError> {
        Self::parse(true, text)
    }

    /// Parses `COLUMN=REGEX` as "leave out rows that match". A row is left out if it matches one such rule.
    ///
    /// # Errors
    /// If there is no column before the first `=`, or the rest is not a regular expression.
    pub fn parse_skip(text: &str) -> Result<Self, FilterError> {
        Self::parse(false, text)
    }

    fn parse(keep: bool, text: &str) -> Result<Self, FilterError> {
        let flag = flag(keep);
        let (field, pattern) = text
            .split_once('=')
            .filter(|(field, _)| !field.trim().is_empty())
            .ok_or_else(|| FilterError::Shape { flag, text: quote(text) })?;
        let regex =
            Regex::new(pattern).map_err(|error| FilterError::Regex { flag, text: quote(text), error })?;
        Ok(Self { keep, field: field.trim().to_owned(), regex })
    }

    /// The column that it reads, as it was written.
    pub fn field(&self) -> &str {
        &self.field
    }
}

fn flag(keep: bool) -> &'static str {
    if keep { "--match" } else { "--skip" }
}

/// Filters with the indices of their columns.
pub(super) struct Filters(Vec<(usize, Filter)>);

impl Filters {
    /// Finds the column of each filter among `columns`, those of all sources.
    pub(super) fn bind(filters: &[Filter], columns: &[String]) -> Result<Self, IntakeError> {
        let bound = filters.iter().map(|filter| match find_column(columns, &filter.field) {
            Some(at) => Ok((at, filter.clone())),
            None => Err(IntakeError::FilterColumn {
                flag: flag(filter.keep),
                field: quote(&filter.field),
                headers: columns.to_vec(),
                nearest: super::column_roles::suggest_column(columns, &filter.field),
            }),
        });
        Ok(Self(bound.collect::<Result<_, _>>()?))
    }

    /// The columns that they read.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|(at, _)| *at)
    }

    /// Why the row is left out, if it is. `cells` are in the order of the columns given to [`Filters::bind`].
    pub(super) fn exclusion_reason(&self, cells: &[String]) -> Option<String> {
        self.0.iter().find_map(|(at, filter)| {
            let found = filter.regex.is_match(&cells[*at]);
            let rule = || quote(&format!("{}={}", filter.field, filter.regex));
            match (filter.keep, found) {
                (true, false) => Some(format!("does not match --match {}", rule())),
                (false, true) => Some(format!("matches --skip {}", rule())),
                _ => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_matches_must_hold_and_one_skip_is_enough() {
        let columns = ["Dept".to_owned(), "Last day".to_owned()];
        let rules = [
            Filter::parse_match("dept=^Sales$").unwrap(),
            Filter::parse_match("last_day==2026|2027").unwrap(),
            Filter::parse_skip("Last day=2027").unwrap(),
        ];
        let filters = Filters::bind(&rules, &columns).unwrap();
        let row = |a: &str, b: &str| filters.exclusion_reason(&[a.to_owned(), b.to_owned()]);
        assert_eq!(row("Sales", "=2026"), None);
        assert_eq!(row("HR", "=2026").unwrap(), "does not match --match `dept=^Sales$`");
        assert_eq!(row("Sales", "2027").unwrap(), "matches --skip `Last day=2027`");
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(matches!(Filter::parse_match("no"), Err(FilterError::Shape { .. })));
        assert!(matches!(Filter::parse_skip("=x"), Err(FilterError::Shape { .. })));
        assert!(matches!(Filter::parse_skip("a=("), Err(FilterError::Regex { .. })));
        let error = Filters::bind(&[Filter::parse_skip("depart=x").unwrap()], &["Department".into()]);
        let message = error.err().unwrap().to_string();
        assert!(message.contains("Did you mean `Department`?"), "{message}");
    }
}
