//! What can be known before a run. Each check has one finding, with advice if something is wrong.
//!
//! ```text
//!  commands/doctor ──▶ network, clock              the connection to Graph and to the authority
//!                  ──▶ token, permissions, roles   the result of the sign-in
//!                  ──▶ machine, rate               where the evidence goes, how fast requests are sent
//!                            │ findings
//!                            └──▶ text | JSON, and the exit code
//! ```
//!
//! Nothing is revoked, and the only users that are read are the administrators, who should not be revoked by mistake.
//! The judgements here are pure functions: only [`network`] talks to servers, without a secret, and only [`machine`]
//! touches the disk.

pub mod break_glass;
pub mod certificate;
pub mod clock;
pub mod machine;
pub mod network;
pub mod permissions;
pub mod rate;
pub mod roles;
pub mod setup;
pub mod text;
pub mod tls_issuer;
pub mod token;

use serde::Serialize;

/// The status of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// A fact, neither good nor bad.
    Info,
    /// A run would start, but you should look at it.
    Warning,
    /// Something is broken.
    Failed,
    /// Not checked, because it depends on something that failed.
    Skipped,
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check. It does not change between versions.
    pub check: &'static str,
    /// The status.
    pub status: CheckStatus,
    /// What was found, in a sentence.
    pub finding: String,
    /// Details, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The exit code with which it ends a run. `None` if a run would start anyway.
    #[serde(skip)]
    pub exit_code: Option<u8>,
}

impl Finding {
    fn new(check: &'static str, status: CheckStatus, finding: impl Into<String>) -> Finding {
        let finding = finding.into();
        Finding { check, status, finding, details: Vec::new(), advice: None, exit_code: None }
    }

    /// As it should be.
    pub fn ok(check: &'static str, finding: impl Into<String>) -> Finding {
        Finding::new(check, CheckStatus::Ok, finding)
    }

    /// A fact.
    pub fn info(check: &'static str, finding: impl Into<String>) -> Finding {
        Finding::new(check, CheckStatus::Info, finding)
    }

    /// Something that you should look at.
    pub fn warning(check: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { advice: Some(advice.into()), ..Finding::new(check, CheckStatus::Warning, finding) }
    }

    /// Something broken that does not keep a run from starting.
    pub fn failed(check: &'static str, finding: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { advice: Some(advice.into()), ..Finding::new(check, CheckStatus::Failed, finding) }
    }

    /// Something broken that ends a run with this exit code.
    pub fn fatal(
        check: &'static str,
        finding: impl Into<String>,
        advice: impl Into<String>,
        ends_with: u8,
    ) -> Finding {
        Finding { exit_code: Some(ends_with), ..Finding::failed(check, finding, advice) }
    }

    /// Not checked, with the reason.
    pub fn skipped(check: &'static str, why: impl Into<String>) -> Finding {
        Finding::new(check, CheckStatus::Skipped, why)
    }

    /// Adds details.
    #[must_use]
    pub fn with_details(mut self, details: impl IntoIterator<Item = String>) -> Finding {
        self.details.extend(details);
        self
    }
}

/// All findings, in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

/// The exit codes of a run, starting with the one that ends it first: usage, sign-in, anything else.
const EXIT_CODE_PRIORITY: [u8; 3] = [2, 4, 1];

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    /// Whether a run would start.
    pub fn would_run(&self) -> bool {
        self.exit_code() == 0
    }

    /// 0 if a run would start, otherwise the code that it would end with.
    pub fn exit_code(&self) -> u8 {
        let codes = || self.0.iter().filter_map(|finding| finding.exit_code);
        EXIT_CODE_PRIORITY
            .into_iter()
            .find(|first| codes().any(|code| code == *first))
            .or(codes().next())
            .unwrap_or(0)
    }

    /// The number of findings with this status.
    pub fn count(&self, status: CheckStatus) -> usize {
        self.0.iter().filter(|finding| finding.status == status).count()
    }

    /// The output for programs.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "would_run": self.would_run(),
            "exit_code": self.exit_code(),
            "checks": self.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_thing_that_ends_a_run_gives_the_exit_code() {
        let code = |codes: &[u8]| {
            Findings(codes.iter().map(|code| Finding::fatal("x", "", "", *code)).collect()).exit_code()
        };
        assert_eq!([code(&[]), code(&[1]), code(&[1, 4]), code(&[1, 4, 2]), code(&[3])], [0, 1, 4, 2, 3]);
        let broken = Findings(vec![Finding::failed("x", "", "fix it")]);
        assert!(broken.would_run() && broken.count(CheckStatus::Failed) == 1);
    }

    #[test]
    fn programs_get_stable_words() {
        let json = Findings(vec![Finding::fatal("clock", "wrong", "set it", 4)]).to_json();
        assert_eq!((json["would_run"].as_bool(), json["exit_code"].as_u64()), (Some(false), Some(4)));
        let check = &json["checks"][0];
        assert_eq!(check["check"], "clock");
        assert_eq!((&check["status"], &check["advice"]), (&"failed".into(), &"set it".into()));
        assert!(check.get("details").is_none() && check.get("ends_with").is_none());
    }
}
