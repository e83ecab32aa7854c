//! What selects users in the directory.

use std::fmt;
use std::str::FromStr;

use crate::user_id::UserId;

/// A set of users in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The members of a group.
    Group {
        /// Its object ID or its display name.
        name: String,
        /// Only its direct members. Otherwise also those of nested groups.
        direct: bool,
    },
    /// The users who hold a directory role, directly or through a group.
    Role {
        /// Its display name or its ID (the template's ID also works).
        name: String,
        /// Also the users who may activate it.
        eligible: bool,
    },
    /// The users of an administrative unit, by its ID or display name.
    Unit(String),
    /// Users at risk of these levels.
    Risky(Vec<RiskLevel>),
    /// Users that match an OData filter.
    Filter(String),
    /// All users below this user, at any depth.
    ReportsOf(UserId),
    /// All users.
    AllUsers,
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Group { name, direct: false } => write!(f, "group {name}"),
            Selector::Group { name, direct: true } => write!(f, "direct members of group {name}"),
            Selector::Role { name, eligible: false } => write!(f, "role {name}"),
            Selector::Role { name, eligible: true } => write!(f, "role {name}, including eligible holders"),
            Selector::Unit(name) => write!(f, "administrative unit {name}"),
            Selector::Risky(levels) => {
                let words: Vec<&str> = levels.iter().map(|level| level.word()).collect();
                write!(f, "users at risk ({})", words.join(", "))
            }
            Selector::Filter(filter) => write!(f, "users with {filter}"),
            Selector::ReportsOf(user) => write!(f, "reports of {user}"),
            Selector::AllUsers => f.write_str("all users"),
        }
    }
}

/// Parses a required value (a name, an ID or a filter) and trims it.
///
/// # Errors
/// When it is empty. An empty filter, such as that of an unset variable of a script, would find all users.
pub fn non_empty(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// The risk level of a user in Identity Protection (`riskLevel`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RiskLevel {
    /// `high`
    High,
    /// `medium`
    Medium,
    /// `low`
    Low,
}

impl RiskLevel {
    /// The level as Graph writes it.
    pub fn word(self) -> &'static str {
        match self {
            RiskLevel::High => "high",
            RiskLevel::Medium => "medium",
            RiskLevel::Low => "low",
        }
    }
}

impl FromStr for RiskLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<RiskLevel, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "high" => Ok(RiskLevel::High),
            "medium" => Ok(RiskLevel::Medium),
            "low" => Ok(RiskLevel::Low),
            _ => Err("the levels are high, medium and low".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_selector_is_rejected() {
        assert_eq!(non_empty(" Finance\t"), Ok("Finance".to_owned()));
        assert!(non_empty(" \n").is_err() && non_empty("").is_err());
    }

    #[test]
    fn selectors_read_as_words() {
        let group = |direct| Selector::Group { name: "Finance".to_owned(), direct }.to_string();
        assert_eq!(
            (group(false), group(true)),
            ("group Finance".into(), "direct members of group Finance".into())
        );
        let risky = Selector::Risky(vec![RiskLevel::High, RiskLevel::Medium]);
        assert_eq!(risky.to_string(), "users at risk (high, medium)");
        let reports = Selector::ReportsOf("jo@contoso.com".parse().unwrap());
        assert_eq!(reports.to_string(), "reports of jo@contoso.com");
        assert_eq!("HIGH ".parse::<RiskLevel>(), Ok(RiskLevel::High));
        assert!("hidden".parse::<RiskLevel>().is_err());
    }
}
