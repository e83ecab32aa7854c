//! The formats that PowerShell prints for people or writes for itself.

use super::super::cell::{trim, unquote};
use super::text_formats::is_word;
use super::{UnsupportedFormat, are_mostly};

pub(super) const CLIXML: UnsupportedFormat = UnsupportedFormat::new(
    "PowerShell's CLIXML",
    "write it as CSV: `Import-Clixml FILE | Export-Csv users.csv -NoTypeInformation`",
);

const TABLE: UnsupportedFormat = UnsupportedFormat::new(
    "a table formatted for the screen, with blanks between its columns and long cells truncated (PowerShell's \
     Format-Table, `az -o table`)",
    "write it as CSV: `… | Select-Object Id, UserPrincipalName | Export-Csv users.csv -NoTypeInformation`, or \
     `az … -o json`",
);

const LIST: UnsupportedFormat = UnsupportedFormat::new(
    "a list of properties formatted for the screen (PowerShell's Format-List)",
    "write it as CSV: `… | Select-Object Id, UserPrincipalName | Export-Csv users.csv -NoTypeInformation`",
);

const HASHES: UnsupportedFormat = UnsupportedFormat::new(
    "PowerShell objects as text (`@{…}`)",
    "write them as CSV: `… | Select-Object Id, UserPrincipalName | Export-Csv users.csv -NoTypeInformation`",
);

const FORMATTED: UnsupportedFormat = UnsupportedFormat::new(
    "a CSV of PowerShell's formatting, which has no users",
    "remove Format-Table and Format-List before Export-Csv, and choose columns with Select-Object",
);

const LENGTHS: UnsupportedFormat = UnsupportedFormat::new(
    "a CSV of text lengths, which PowerShell's Export-Csv makes from texts",
    "write the texts themselves: `… | Set-Content users.txt -Encoding utf8`",
);

/// A format of which PowerShell writes the first lines.
pub(super) fn find_by_first(start: &str) -> Option<UnsupportedFormat> {
    if start.starts_with("#< CLIXML") {
        return Some(CLIXML);
    }
    let mut head = start.lines().take(3);
    let is_formatted = |line: &str| {
        line.contains("ClassId2e4f51ef21dd47e99d3c952918aff9cd")
            || line.contains("Microsoft.PowerShell.Commands.Internal.Format")
    };
    head.any(is_formatted).then_some(FORMATTED)
}

/// A format that the lines show to be from PowerShell.
pub(super) fn find(lines: &[&str]) -> Option<UnsupportedFormat> {
    if is_table(lines) {
        Some(TABLE)
    } else if is_list(lines) {
        Some(LIST)
    } else if are_mostly(lines, |line| trim(line).starts_with("@{")) {
        Some(HASHES)
    } else if is_lengths(lines) {
        Some(LENGTHS)
    } else {
        None
    }
}

/// Whether one of the first lines has a rule under each word of the line above, with blanks between them.
fn is_table(lines: &[&str]) -> bool {
    lines.iter().take(10).zip(lines.iter().skip(1)).any(|(header, rule)| underlines(header, rule))
}

fn underlines(header: &str, rule: &str) -> bool {
    let header: Vec<char> = header.trim_start_matches('\u{feff}').chars().collect();
    let rule: Vec<char> = rule.chars().collect();
    if !rule.iter().all(|c| *c == '-' || *c == ' ') {
        return false;
    }
    let starts: Vec<usize> =
        (0..rule.len()).filter(|at| rule[*at] == '-' && (*at == 0 || rule[at - 1] == ' ')).collect();
    // In a column aligned to the right, the word may begin anywhere above its rule.
    let covers = |start: usize| {
        let end = rule[start..].iter().position(|c| *c == ' ').map_or(rule.len(), |length| start + length);
        (start..end).any(|at| header.get(at).is_some_and(|c| !c.is_whitespace()))
    };
    starts.len() > 1 && starts.into_iter().all(covers)
}

/// Whether the lines are `UserPrincipalName : ann@contoso.com`, with further lines of a value indented. `group : x` is
/// an entry of a protect list.
fn is_list(lines: &[&str]) -> bool {
    let is_property = |line: &str| {
        let Some((name, value)) = line.split_once(':') else { return false };
        let is_apart = name.ends_with(char::is_whitespace)
            && (value.is_empty() || value.starts_with(char::is_whitespace));
        is_apart && is_word(trim(name), "_", "_.@ -") && !is_selector(trim(name))
    };
    let properties = lines.iter().filter(|line| is_property(line)).count();
    properties * 2 >= lines.len() && are_mostly(lines, |line| is_property(line) || line.starts_with(' '))
}

/// Whether the word begins a selector in a protect list.
pub(super) fn is_selector(name: &str) -> bool {
    ["group", "role"].iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Whether there is a header `Length` and only numbers below it.
fn is_lengths(lines: &[&str]) -> bool {
    let mut lines = lines.iter().skip_while(|line| trim(line).starts_with("#TYPE")).map(|line| unquote(line));
    let header = lines.next().map(trim);
    let mut numbers = lines.peekable();
    header == Some("Length")
        && numbers.peek().is_some()
        && numbers.all(|line| trim(line).bytes().all(|b| b.is_ascii_digit()))
}
