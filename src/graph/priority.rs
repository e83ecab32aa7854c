//! The priority of requests in Graph's throttling.

use std::fmt;
use std::str::FromStr;

use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};

/// The name of the header (learn.microsoft.com/graph/throttling-limits, "Identity and access", request
/// headers).
pub(super) const NAME: &str = "x-ms-throttle-priority";

/// `--throttle-priority`: if Graph has to throttle, it throttles requests of lower priority first. The limits
/// stay the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Before all other requests, because an intruder may be in the tenant.
    #[default]
    High,
    /// As if the header were not sent.
    Normal,
    /// After all other requests.
    Low,
}

impl Priority {
    /// The flag's value.
    pub fn word(self) -> &'static str {
        match self {
            Priority::High => "high",
            Priority::Normal => "normal",
            Priority::Low => "low",
        }
    }

    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.word())
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The text is not a valid priority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid priority '{0}' (possible values: high, normal, low)")]
pub struct UnknownPriority(String);

impl FromStr for Priority {
    type Err = UnknownPriority;

    fn from_str(word: &str) -> Result<Self, UnknownPriority> {
        let all = [Priority::High, Priority::Normal, Priority::Low];
        let same = |priority: &Priority| priority.word().eq_ignore_ascii_case(word.trim());
        all.into_iter().find(same).ok_or_else(|| UnknownPriority(word.to_owned()))
    }
}
