//! The findings as text: one line each, with the advice below.

use std::fmt;
use std::str::FromStr;

use ::console::Style;

use super::{CheckStatus, Finding, Findings};
use crate::text::sanitize::sanitize_line;
use crate::text::wrap;

/// The output format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DoctorFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl fmt::Display for DoctorFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(if *self == DoctorFormat::Json { "json" } else { "text" })
    }
}

/// A word that is not an output format.
#[derive(Debug, thiserror::Error)]
#[error("invalid output format '{0}' (possible values: text, json)")]
pub struct UnknownDoctorFormat(String);

impl FromStr for DoctorFormat {
    type Err = UnknownDoctorFormat;

    fn from_str(word: &str) -> Result<Self, UnknownDoctorFormat> {
        match word.to_ascii_lowercase().as_str() {
            "text" => Ok(DoctorFormat::Text),
            "json" => Ok(DoctorFormat::Json),
            _ => Err(UnknownDoctorFormat(word.to_owned())),
        }
    }
}

/// The page: for each finding a mark, the check's name and the text; then the verdict. On a terminal with `columns`,
/// lines are wrapped between words. Otherwise they are not wrapped, for `grep`.
pub fn render(findings: &Findings, coloured: bool, columns: Option<usize>) -> String {
    let width = findings.0.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut page = String::new();
    // Skipped checks with the same reason share a line.
    for alike in
        findings.0.chunk_by(|one, next| is_skipped(one) && is_skipped(next) && one.finding == next.finding)
    {
        match alike {
            [one] => page.push_str(&finding_lines(one, width, coloured, columns)),
            several => {
                let names: Vec<&str> = several.iter().map(|finding| finding.check).collect();
                let mark = mark(CheckStatus::Skipped, coloured);
                let text = format!("{}: {}", names.join(", "), sanitize_line(&several[0].finding));
                page.push_str(&format!("{mark}  {}\n", wrap::hanging_indent(&text, 6, columns)));
            }
        }
    }
    page.push('\n');
    page.push_str(&verdict(findings));
    page.push('\n');
    page
}

fn is_skipped(finding: &Finding) -> bool {
    finding.status == CheckStatus::Skipped
}

fn finding_lines(finding: &Finding, width: usize, coloured: bool, columns: Option<usize>) -> String {
    let indent = 6 + width + 2;
    let mark = mark(finding.status, coloured);
    let wrapped = |text: &str, indent| wrap::hanging_indent(text, indent, columns);
    let mut text =
        format!("{mark}  {:<width$}  {}\n", finding.check, wrapped(&sanitize_line(&finding.finding), indent));
    for detail in &finding.details {
        text.push_str(&format!("{:indent$}{}\n", "", wrapped(&sanitize_line(detail), indent + 2)));
    }
    if let Some(advice) = &finding.advice {
        text.push_str(&format!("{:indent$}→ {}\n", "", wrapped(&sanitize_line(advice), indent + 2)));
    }
    text
}

fn mark(status: CheckStatus, coloured: bool) -> String {
    let style = Style::new().force_styling(coloured);
    let (word, style) = match status {
        CheckStatus::Ok => ("ok  ", style.green()),
        CheckStatus::Info => ("info", style.dim()),
        CheckStatus::Warning => ("warn", style.yellow()),
        CheckStatus::Failed => ("FAIL", style.red().bold()),
        CheckStatus::Skipped => ("skip", style.dim()),
    };
    style.apply_to(word).to_string()
}

/// Whether a run would start.
fn verdict(findings: &Findings) -> String {
    let many = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let failed = findings.count(CheckStatus::Failed);
    if !findings.would_run() {
        return format!("A run would not start: {}.", many(failed, "problem"));
    }
    match (failed, findings.count(CheckStatus::Warning)) {
        (0, 0) => "A run would start.".to_owned(),
        (0, warnings) => format!("A run would start; {} to look at.", many(warnings, "warning")),
        (failed, warnings) => {
            format!(
                "A run would start; {} and {} to look at.",
                many(failed, "problem"),
                many(warnings, "warning")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_aligned_and_harmless() {
        let mut findings = Findings::default();
        findings.add(Finding::ok("proxy", "none"));
        findings.add(
            Finding::fatal("credential", "refused\u{1b}[2J", "fix it", 4)
                .with_details(["skipped x".to_owned()]),
        );
        let page = render(&findings, false, None);
        let expected = "ok    proxy       none\n\
                        FAIL  credential  refused\\u{1b}[2J\n                  skipped x\n\
                        \x20                 → fix it\n\n\
                        A run would not start: 1 problem.\n";
        assert_eq!(page, expected);
        assert!(super::render(&findings, true, None).contains("\u{1b}[31m"));
    }

    #[test]
    fn what_was_skipped_for_one_reason_is_one_line() {
        let skipped = |check| Finding::skipped(check, "there is no token");
        let findings =
            Findings(vec![skipped("tenant"), skipped("identity"), Finding::ok("disk", "9 GiB free")]);
        let page = render(&findings, false, None);
        assert!(page.starts_with("skip  tenant, identity: there is no token\nok    disk "), "{page}");
    }

    #[test]
    fn the_verdict_counts() {
        let verdict = |findings: Vec<Finding>| verdict(&Findings(findings));
        assert_eq!(verdict(vec![Finding::ok("a", "")]), "A run would start.");
        let warning = Finding::warning("a", "", "");
        assert_eq!(verdict(vec![warning.clone()]), "A run would start; 1 warning to look at.");
        let both = vec![Finding::failed("b", "", ""), warning.clone(), warning];
        assert_eq!(verdict(both), "A run would start; 1 problem and 2 warnings to look at.");
    }
}
