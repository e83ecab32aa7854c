//! Users at risk, as Identity Protection reports them.

use serde_json::Value;

use super::pages::GraphPages;
use super::reader::{GraphReader, ReadRequest};
use super::{DirectoryError, DirectoryUser, Permission, RiskLevel, directory_object, odata};

/// The states that still need action: a detected risk, or a compromise that an administrator confirmed. Risk that was
/// remediated, dismissed or confirmed safe is over (learn.microsoft.com/graph/api/resources/riskyuser).
const STATES: [&str; 2] = ["atRisk", "confirmedCompromised"];

/// Users at risk of the given levels (learn.microsoft.com/graph/api/riskyuser-list: pages of 500 at most).
#[derive(Debug)]
pub(super) struct RiskyUsers {
    what: String,
    levels: Vec<RiskLevel>,
    pages: GraphPages,
}

impl RiskyUsers {
    pub(super) fn new(reader: &GraphReader, what: &str, levels: &[RiskLevel]) -> RiskyUsers {
        let any = |property: &str, words: &[&str]| -> String {
            let parts: Vec<String> = words.iter().map(|word| format!("{property} eq '{word}'")).collect();
            format!("({})", parts.join(" or "))
        };
        let words: Vec<&str> = levels.iter().map(|level| level.word()).collect();
        let filter = format!("{} and {}", any("riskLevel", &words), any("riskState", &STATES));
        let select = "id,userPrincipalName,userDisplayName,isDeleted,riskLevel,riskState";
        let url = format!(
            "identityProtection/riskyUsers?$filter={}&$select={select}&$top=500",
            odata::encode(&filter)
        );
        let read = ReadRequest {
            what: what.to_owned(),
            url,
            eventual: false,
            permission: Permission::Risk,
            cost: 1,
        };
        RiskyUsers {
            what: what.to_owned(),
            levels: levels.to_vec(),
            pages: GraphPages::new(reader.clone(), read),
        }
    }

    /// The users of the next page. `None` after the last page.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<DirectoryUser>>, DirectoryError> {
        let Some(items) = self.pages.next().await? else { return Ok(None) };
        let mut users = Vec::with_capacity(items.len());
        for value in &items {
            users.extend(self.parse_user(value)?);
        }
        Ok(Some(users))
    }

    fn parse_user(&self, value: &Value) -> Result<Option<DirectoryUser>, DirectoryError> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let id = directory_object::read_id(value, &self.what)?;
        if value.get("isDeleted").and_then(Value::as_bool) == Some(true) {
            tracing::info!("{id} is at risk but deleted: skipped");
            return Ok(None);
        }
        if !self.matches_request(text("riskLevel"), text("riskState")) {
            // A service that ignores the filter must not widen the selection.
            tracing::warn!("Graph returned {id} with the {}, but it is not one of them: skipped", self.what);
            return Ok(None);
        }
        let (upn, name) = (text("userPrincipalName"), text("userDisplayName"));
        Ok(Some(DirectoryUser {
            id,
            upn: upn.map(Box::from),
            name: name.map(Box::from),
            ..DirectoryUser::default()
        }))
    }

    fn matches_request(&self, level: Option<&str>, state: Option<&str>) -> bool {
        let level = level.is_none_or(|word| self.levels.iter().any(|level| level.word() == word));
        level && state.is_none_or(|word| STATES.contains(&word))
    }
}
