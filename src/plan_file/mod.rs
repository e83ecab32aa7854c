//! The plan file: a plan that was frozen to be looked at, approved and sent later, by `apply`.
//!
//! ```text
//!  Draft ──▶ write ──▶ plan.json ──▶ read: every byte counts, by its hash ──▶ check: tenant, cloud, age ──▶ Draft
//! ```
//!
//! It holds no secret. Its hash is over one spelling of what it says, so that a second person can approve
//! it. That hash keeps nobody from writing another plan with another hash: `--expect-sha256` and a signature do.

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

/// Version of the file's format. A file of a newer one is refused.
pub const FORMAT: u32 = 1;

/// What the member `kind` says.
const KIND: &str = "entra-revoke plan";

/// The name of the member that holds the rows.
const ROWS: &str = "rows";

/// The name of the member that holds the hash.
const SHA256: &str = "sha256";

/// What stands in a plan file beside its rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFileHead {
    /// Says what the file is.
    pub kind: String,
    /// See [`FORMAT`].
    pub format: u32,
    /// When it was made, to the second.
    pub made_at: Timestamp,
    /// Who made it.
    pub made_by: OperatorRecord,
    /// Version of the program that made it.
    pub version: String,
    /// The operator's case id.
    pub case_id: Option<String>,
    /// The cloud's name.
    pub cloud: String,
    /// Graph's root, where it is not the cloud's.
    pub graph_url: Option<String>,
    /// The tenant.
    pub tenant: PlanFileTenant,
    /// The profile that filled the settings, if one did.
    pub profile: Option<ProfileRecord>,
    /// The lists that protect, as they were given; `apply` reads and resolves them again.
    pub protect: Vec<String>,
    /// Who is sent although somebody protects them: the very ids.
    pub unprotect: Vec<String>,
    /// Whether the signed-in operator is sent, too.
    pub include_self: bool,
    /// Whether a list may hold nobody.
    #[serde(default)]
    pub allow_empty: bool,
    /// Whether roles among the lists count for those, too, who may activate them.
    pub eligible: bool,
    /// Whether every user of the tenant was chosen: then their number must be confirmed.
    pub all_users: bool,
    /// The caps that hold.
    pub caps: PlanCaps,
    /// `--column`, for the next run over what is left.
    pub column: Option<String>,
    /// The inputs' own columns, in order.
    pub columns: Vec<String>,
    /// The inputs' fingerprints.
    pub inputs: Vec<InputDigest>,
    /// Counts.
    pub counts: PlanRecord,
    /// What is known of the plan as a whole.
    pub facts: PlanSummary,
    /// How long the sending takes, by the quota, in seconds.
    pub expected_seconds: Option<u64>,
}

/// The tenant that a plan is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFileTenant {
    /// As it was given: an id or a domain.
    pub given: Option<String>,
    /// As the token says it.
    pub id: Option<String>,
    /// Its display name, where it may be read.
    pub name: Option<String>,
}

impl PlanFileTenant {
    /// The tenant for people: its name and its id, as far as they are known.
    ///
    /// What was given is said of a tenant that was found to be that one, and never in place of it.
    pub fn describe(&self) -> String {
        if let (None, None, Some(given)) = (&self.name, &self.id, &self.given) {
            return format!("not known: the token does not say whether it is {given}");
        }
        // Where the id is known, an id that was typed is no more to say, in whatever spelling.
        let is_id = |given: &&String| uuid::Uuid::try_parse(given.trim()).is_ok();
        let given = self.given.as_ref().filter(|given| self.id.is_none() || !is_id(given));
        let known = [self.name.as_ref(), given, self.id.as_ref()].into_iter().flatten();
        let mut parts: Vec<&str> = Vec::new();
        for part in known.map(String::as_str) {
            if !parts.iter().any(|said| said.eq_ignore_ascii_case(part)) {
                parts.push(part);
            }
        }
        match parts.split_first() {
            None => "not known: the token does not say".to_owned(),
            Some((first, [])) => (*first).to_owned(),
            Some((first, rest)) => format!("{first} ({})", rest.join(", ")),
        }
    }
}

impl PlanFileTenant {
    /// The tenant by what can't be mistaken: its id, or what was typed where the token told none.
    pub fn unambiguous_name(&self) -> String {
        match (&self.id, &self.given) {
            (Some(id), _) => id.clone(),
            (None, Some(given)) => format!("{given} (as it was typed)"),
            (None, None) => "that nobody knows".to_owned(),
        }
    }
}

/// The caps of a plan, as they were given.
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
    /// What every plan file of this version says of itself.
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
        assert_eq!(tenant(None, None, None), "not known: the token does not say");
        assert_eq!(tenant(None, Some("ab"), None), "not known: the token does not say whether it is ab");
        assert_eq!(tenant(None, Some("ab"), Some("AB")), "ab");
        assert_eq!(tenant(None, Some("contoso.com"), Some("ab")), "contoso.com (ab)");
        let (id, typed) = ("2f1c7a9e-6f0b-4f0e-9a51-0c8f5a7d1b22", "{2F1C7A9E-6F0B-4F0E-9A51-0C8F5A7D1B22}");
        assert_eq!(tenant(Some("Contoso"), Some(typed), Some(id)), format!("Contoso ({id})"));
        assert_eq!(tenant(Some("Contoso"), Some("ab"), Some("ab")), "Contoso (ab)");
        assert_eq!(tenant(Some("Contoso"), Some("contoso.com"), Some("ab")), "Contoso (contoso.com, ab)");
    }
}
