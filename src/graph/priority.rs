//! How much a request matters to Graph's throttling.

use std::fmt;
use std::str::FromStr;

use reqwest::header::HeaderValue;
use serde::{Deserialize, Serialize};

/// Name of the header (learn.microsoft.com/graph/throttling-limits, "Identity and access", request headers).
pub(super) const NAME: &str = "x-ms-throttle-priority";

/// `--throttle-priority`: where Graph must throttle, it throttles what matters least first. It changes no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Before all else: somebody is in the tenant who should not be.
    #[default]
    High,
    /// As Graph takes requests that say nothing.
    Normal,
    /// After all else.
    Low,
}

impl Priority {
    /// The word of the flag.
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

/// A word that is no priority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no priority; the words are: high, normal, low")]
pub struct UnknownPriority(String);

impl FromStr for Priority {
    type Err = UnknownPriority;

    fn from_str(word: &str) -> Result<Self, UnknownPriority> {
        let all = [Priority::High, Priority::Normal, Priority::Low];
        let same = |priority: &Priority| priority.word().eq_ignore_ascii_case(word.trim());
        all.into_iter().find(same).ok_or_else(|| UnknownPriority(word.to_owned()))
    }
}
