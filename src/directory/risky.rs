//! Users of whom Identity Protection says that they are at risk.

use serde_json::Value;

use super::pages::GraphPages;
use super::reader::{GraphReader, ReadRequest};
use super::{DirectoryError, DirectoryUser, Permission, RiskLevel, item, odata};

/// The states in which something is still to be done: at risk by what was detected, or held to be compromised by an
/// administrator. Risk that was remediated, dismissed or confirmed safe is over
/// (learn.microsoft.com/graph/api/resources/riskyuser).
const STATES: [&str; 2] = ["atRisk", "confirmedCompromised"];

/// Users at risk of given levels (learn.microsoft.com/graph/api/riskyuser-list: pages of 500 at most).
#[derive(Debug)]
pub(super) struct Risky {
    what: String,
    levels: Vec<RiskLevel>,
    pages: GraphPages,
}

impl Risky {
    pub(super) fn new(reader: &GraphReader, what: &str, levels: &[RiskLevel]) -> Risky {
        let any = |property: &str, words: &[&str]| -> String {
            let parts: Vec<String> = words.iter().map(|word| format!("{property} eq '{word}'")).collect();
            format!("({})", parts.join(" or "))
        };
        let words: Vec<&str> = levels.iter().map(|level| level.word()).collect();
        let filter = format!("{} and {}", any("riskLevel", &words), any("riskState", &STATES));
        let select = "id,userPrincipalName,userDisplayName,isDeleted,riskLevel,riskState";
        let url = format!(
            "identityProtection/riskyUsers?$filter={}&$select={select}&$top=500",
            odata::encoded(&filter)
        );
        let read =
            ReadRequest { what: what.to_owned(), url, eventual: false, need: Permission::Risk, cost: 1 };
        Risky { what: what.to_owned(), levels: levels.to_vec(), pages: GraphPages::new(reader.clone(), read) }
    }

    /// The users of the next page. `None` behind the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<DirectoryUser>>, DirectoryError> {
        let Some(items) = self.pages.next().await? else { return Ok(None) };
        let mut people = Vec::with_capacity(items.len());
        for value in &items {
            people.extend(self.person(value)?);
        }
        Ok(Some(people))
    }

    fn person(&self, value: &Value) -> Result<Option<DirectoryUser>, DirectoryError> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let id = item::id(value, &self.what)?;
        if value.get("isDeleted").and_then(Value::as_bool) == Some(true) {
            tracing::info!("{id} is at risk and deleted: passed over");
            return Ok(None);
        }
        if !self.is_meant(text("riskLevel"), text("riskState")) {
            // A service that passes over the filter must not widen the selection.
            tracing::warn!("Graph gave {id} among the {}, who is none of them: passed over", self.what);
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

    fn is_meant(&self, level: Option<&str>, state: Option<&str>) -> bool {
        let level = level.is_none_or(|word| self.levels.iter().any(|level| level.word() == word));
        level && state.is_none_or(|word| STATES.contains(&word))
    }
}
