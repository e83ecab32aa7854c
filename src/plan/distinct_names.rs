//! Distinct names for the input's own columns.

use std::collections::{HashMap, HashSet};

/// Makes the column names distinct from one another and from `taken`, ignoring case. A name that is already
/// in use gets ` (2)`, ` (3)` … at its end. A column without a name is named by its position: `column 4`.
///
/// PowerShell's `Import-Csv` and `ConvertFrom-Json` refuse a file in which two names are equal or differ only
/// in case.
pub(crate) fn distinct_names(columns: &[String], taken: &[&str]) -> Vec<String> {
    let own = columns.iter().map(|name| name.to_lowercase());
    let known: HashSet<String> = own.chain(taken.iter().map(|name| name.to_lowercase())).collect();
    let mut used: HashSet<String> = taken.iter().map(|name| name.to_lowercase()).collect();
    // The next number to try for each name, so that thousands of equal names do not take quadratic time.
    let mut next: HashMap<String, u32> = HashMap::new();
    let mut names = Vec::with_capacity(columns.len());
    for (place, column) in columns.iter().enumerate() {
        let plain = match column.trim() {
            "" => format!("column {}", place + 1),
            _ => column.clone(),
        };
        let mut name = plain.clone();
        let next = next.entry(plain.to_lowercase()).or_insert(2);
        let mut number = *next;
        while used.contains(&name.to_lowercase()) || (number > 2 && known.contains(&name.to_lowercase())) {
            name = format!("{plain} ({number})");
            number += 1;
        }
        *next = number;
        used.insert(name.to_lowercase());
        names.push(name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(columns: &[&str], taken: &[&str]) -> Vec<String> {
        distinct_names(&columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), taken)
    }

    #[test]
    fn names_become_distinct() {
        assert_eq!(names(&["upn", "dept"], &["line"]), ["upn", "dept"]);
        assert_eq!(names(&["x", "X", "x"], &[]), ["x", "X (2)", "x (3)"]);
        assert_eq!(names(&["Line", ""], &["line"]), ["Line (2)", "column 2"]);
        let many = names(&["a"; 16_000], &[]);
        assert_eq!((many.len(), many[15_999].as_str()), (16_000, "a (16000)"));
    }

    #[test]
    fn generated_name_never_replaces_a_real_one() {
        assert_eq!(names(&["x", "x", "x (2)"], &[]), ["x", "x (3)", "x (2)"]);
    }
}
