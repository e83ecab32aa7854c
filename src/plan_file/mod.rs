//! The plan file: a frozen plan that can be reviewed, approved and applied later with `apply`.
//!
//! ```text
//!  Draft ──▶ write ──▶ plan.json ──▶ read, compare the hash ──▶ check tenant, cloud, age ──▶ Draft
//! ```
//!
//! It contains no secrets. Its hash covers a canonical form of its content, so that a second person can
//! approve it. The hash alone does not prevent another plan with another hash: `--expect-sha256` and a
//! signature do.

mod apply_check;
mod canonical;
mod consistency;
mod error;
mod raw_digest;
mod read;
mod write;

pub use apply_check::{AgeLimit, ApplyDestination};
pub use error::PlanFileError;
pub use raw_digest::RawDigest;
pub use read::PlanFile;
pub use write::{check_writable, write};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::intake::InputDigest;
use crate::journal::{OperatorRecord, PlanRecord, ProfileRecord};
use crate::plan::PlanSummary;

/// The version of the file format. A file with a newer version is refused.
pub const FORMAT: u32 = 1;

/// The value of the member `kind`.
const KIND: &str = "entra-revoke plan";

/// The name of the member with the rows.
const ROWS: &str = "rows";

/// The name of the member with the hash.
const SHA256: &str = "sha256";

/// The content of a plan file except its rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFileHead {
    /// The kind of the file: `entra-revoke plan`.
    pub kind: String,
    /// See [`FORMAT`].
    pub format: u32,
    /// When it was made, to the second.
    pub made_at: Timestamp,
    /// The operator who made it.
    pub made_by: OperatorRecord,
    /// The version of the program that made it.
    pub version: String,
    /// The operator's case ID.
    pub case_id: Option<String>,
    /// The cloud's name.
    pub cloud: String,
    /// The root of Graph, if it is not the cloud's own.
    pub graph_url: Option<String>,
    /// The tenant.
    pub tenant: PlanFileTenant,
    /// The profile that was used, if any.
    pub profile: Option<ProfileRecord>,
    /// The protect lists as given. `apply` reads and resolves them again.
    pub protect: Vec<String>,
    /// Users who are revoked although protected, by their exact IDs.
    pub unprotect: Vec<String>,
    /// Whether the signed-in operator is revoked too.
    pub include_self: bool,
    /// Whether a list may have no users.
    #[serde(default)]
    pub allow_empty: bool,
    /// Whether roles on the lists include users who may activate them.
    pub eligible: bool,
    /// Whether the plan is for every user of the tenant, so that their number must be confirmed.
    pub all_users: bool,
    /// The limits of the plan.
    pub caps: PlanCaps,
    /// `--column`, for the next run over the remaining users.
    pub column: Option<String>,
    /// The inputs' own columns, in order.
    pub columns: Vec<String>,
    /// The inputs' fingerprints.
    pub inputs: Vec<InputDigest>,
    /// The counts.
    pub counts: PlanRecord,
    /// The facts about the plan as a whole.
    pub facts: PlanSummary,
    /// The expected duration of the requests at Graph's quota, in seconds.
    pub expected_seconds: Option<u64>,
}

/// The tenant that a plan is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFileTenant {
    /// The tenant as given: an ID or a domain.
    pub given: Option<String>,
    /// The ID from the token.
    pub id: Option<String>,
    /// Its display name, if it could be read.
    pub name: Option<String>,
}

impl PlanFileTenant {
    /// The tenant for people: its name and its ID, as far as they are known.
    ///
    /// What the operator typed is shown only in addition to a known tenant, never in its place.
    pub fn describe(&self) -> String {
        if let (None, None, Some(given)) = (&self.name, &self.id, &self.given) {
            return format!("unknown: the token does not say whether it is {given}");
        }
        // If the ID is known, a typed ID adds nothing, in any spelling.
        let is_id = |given: &&String| uuid::Uuid::try_parse(given.trim()).is_ok();
        let given = self.given.as_ref().filter(|given| self.id.is_none() || !is_id(given));
        let known = [self.name.as_ref(), given, self.id.as_ref()].into_iter().flatten();
        let mut parts: Vec<&str> = Vec::new();
        for part in known.map(String::as_str) {
            if !parts.iter().any(|known| known.eq_ignore_ascii_case(part)) {
                parts.push(part);
            }
        }
        match parts.split_first() {
            None => "unknown: the token does not name it".to_owned(),
            Some((first, [])) => (*first).to_owned(),
            Some((first, rest)) => format!("{first} ({})", rest.join(", ")),
        }
    }
}

impl PlanFileTenant {
    /// The tenant without ambiguity: its ID, or what the operator typed if the token has no ID.
    pub fn unambiguous_name(&self) -> String {
        match (&self.id, &self.given) {
            (Some(id), _) => id.clone(),
            (None, Some(given)) => format!("{given} (as typed)"),
            (None, None) => "(unknown)".to_owned(),
        }
    }
}

/// The limits of a plan, as given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanCaps {
    /// `--max-users`.
    pub max_users: Option<u32>,
    /// `--expect-count`.
    pub expect_count: Option<u32>,
    /// `--max-share`.
    pub max_share: Option<String>,
}

impl PlanFileHead {
    /// The `kind` and `format` of plan files of this version.
    pub fn kind_and_format() -> (String, u32) {
        (KIND.to_owned(), FORMAT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_text_has_no_duplicate_names() {
        let tenant = |name: Option<&str>, given: Option<&str>, id: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            PlanFileTenant { name: owned(name), given: owned(given), id: owned(id) }.describe()
        };
        assert_eq!(tenant(None, None, None), "unknown: the token does not name it");
        assert_eq!(tenant(None, Some("ab"), None), "unknown: the token does not say whether it is ab");
        assert_eq!(tenant(None, Some("ab"), Some("AB")), "ab");
        assert_eq!(tenant(None, Some("contoso.com"), Some("ab")), "contoso.com (ab)");
        let (id, typed) = ("2f1c7a9e-6f0b-4f0e-9a51-0c8f5a7d1b22", "{2F1C7A9E-6F0B-4F0E-9A51-0C8F5A7D1B22}");
        assert_eq!(tenant(Some("Contoso"), Some(typed), Some(id)), format!("Contoso ({id})"));
        assert_eq!(tenant(Some("Contoso"), Some("ab"), Some("ab")), "Contoso (ab)");
        assert_eq!(tenant(Some("Contoso"), Some("contoso.com"), Some("ab")), "Contoso (contoso.com, ab)");
    }
}
