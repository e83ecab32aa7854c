//! What names a tenant: its id, or one of its domains.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::event::TenantIndex;

/// Longest domain name, in bytes (RFC 1035).
const LONGEST: usize = 253;

/// Longest part of a domain name between two dots, in bytes (RFC 1035).
const LONGEST_LABEL: usize = 63;

/// A tenant's id, or one of its domains in small letters: two spellings are one name. Whether a domain and an id are the
/// same tenant, only a token tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TenantName {
    /// The id.
    Id(Uuid),
    /// A domain, in small letters.
    Domain(Box<str>),
}

/// A text that is neither a tenant's id nor a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a tenant's id (a GUID) nor a domain, such as contoso.com")]
pub struct NoTenant;

impl FromStr for TenantName {
    type Err = NoTenant;

    fn from_str(text: &str) -> Result<TenantName, NoTenant> {
        let text = text.trim();
        if let Ok(id) = Uuid::try_parse(text) {
            return if id.is_nil() { Err(NoTenant) } else { Ok(TenantName::Id(id)) };
        }
        let label = |label: &str| {
            let edges = label.starts_with('-') || label.ends_with('-');
            let fits = (1..=LONGEST_LABEL).contains(&label.len()) && !edges;
            fits && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        // A number with a point is no domain, and neither is an address of a machine.
        let named = text.rsplit('.').next().is_some_and(|top| top.chars().any(char::is_alphabetic));
        match text.len() <= LONGEST && text.contains('.') && named && text.split('.').all(label) {
            true => Ok(TenantName::Domain(text.to_lowercase().into())),
            false => Err(NoTenant),
        }
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TenantName::Id(id) => id.fmt(f),
            TenantName::Domain(domain) => f.pad(domain),
        }
    }
}

/// The tenants that rows name, in the order of their first rows, with how many rows name each.
#[derive(Clone, Debug, Default)]
pub struct NamedTenants {
    names: Vec<(TenantName, u64)>,
    places: HashMap<TenantName, usize>,
    /// Rows that name none.
    pub without: u64,
    /// Rows whose cell is no tenant, and the first of those cells.
    pub senseless: u64,
    /// The first cell that is no tenant.
    pub first_senseless: Option<String>,
}

impl NamedTenants {
    /// Takes in a row's cell.
    pub fn count(&mut self, cell: Option<&str>) {
        match cell.map(TenantName::from_str) {
            None => self.without += 1,
            Some(Ok(name)) => {
                let place = *self.places.entry(name).or_insert_with_key(|name| {
                    self.names.push((name.clone(), 0));
                    self.names.len() - 1
                });
                self.names[place].1 += 1;
            }
            Some(Err(NoTenant)) => {
                self.senseless += 1;
                if self.first_senseless.is_none() {
                    self.first_senseless = cell.map(str::to_owned);
                }
            }
        }
    }

    /// The names, those of the first rows first.
    pub fn names(&self) -> impl Iterator<Item = &TenantName> {
        self.names.iter().map(|(name, _)| name)
    }
}

/// Which of a run's tenants each row belongs to.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// None where rows are not asked: there is one tenant.
    by_name: Option<HashMap<TenantName, TenantIndex>>,
    /// That of rows that name none.
    own: Option<TenantIndex>,
}

impl Places {
    /// One tenant, whatever rows say.
    pub fn one() -> Places {
        Places { by_name: None, own: Some(0) }
    }

    /// These tenants by these names; `own` is that of rows that name none.
    pub fn new(names: impl IntoIterator<Item = (TenantName, TenantIndex)>, own: Option<TenantIndex>) -> Places {
        Places { by_name: Some(names.into_iter().collect()), own }
    }

    /// The tenant of a row with this cell.
    ///
    /// # Errors
    /// Why the row belongs to none, in words.
    pub fn of(&self, cell: Option<&str>) -> Result<TenantIndex, String> {
        let Some(by_name) = &self.by_name else { return Ok(0) };
        let Some(cell) = cell else {
            return self.own.ok_or_else(|| "no tenant is named, and the run has none of its own (--tenant)".to_owned());
        };
        let name: TenantName = cell.parse().map_err(|why: NoTenant| {
            let shown = crate::harmless::excerpt(cell, 60);
            format!("tenant {shown}: {why}; --tenant-column none if that column names no tenants")
        })?;
        by_name.get(&name).copied().ok_or_else(|| format!("tenant {name} is not one of the run's"))
    }

    /// The tenants that an entry of a list with this cell holds in: none for all of them. A cell that makes no sense
    /// holds in all, since who is protected too widely is only told.
    pub fn of_list(&self, cell: Option<&str>) -> Option<Option<TenantIndex>> {
        let (Some(by_name), Some(name)) = (&self.by_name, cell.and_then(|cell| cell.parse::<TenantName>().ok())) else {
            return None;
        };
        Some(by_name.get(&name).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_domains_are_names_and_nothing_else_is() {
        let id = "0785EF7C-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
        assert_eq!(id.parse::<TenantName>().unwrap().to_string(), id.to_lowercase());
        assert_eq!(" Contoso.COM ".parse::<TenantName>(), "contoso.com".parse());
        for none in ["", "Contoso", "Contoso Ltd.", "1.5", "10.0.0.1", "a@b.com", "common", "a..b", "-a.com", "a/b.com"] {
            assert_eq!(none.parse::<TenantName>(), Err(NoTenant), "{none:?}");
        }
    }

    #[test]
    fn rows_without_a_name_belong_to_the_runs_own_tenant() {
        let name = |text: &str| text.parse::<TenantName>().unwrap();
        let places = Places::new([(name("a.com"), 0), (name("b.com"), 1)], Some(1));
        assert_eq!(places.of(None), Ok(1));
        assert_eq!(places.of(Some("A.com")), Ok(0));
        assert!(places.of(Some("A Ltd")).unwrap_err().contains("--tenant-column none"));
        assert!(Places::new([], None).of(None).is_err());
        assert_eq!(Places::one().of(Some("A Ltd")), Ok(0));
        assert_eq!(places.of_list(Some("A Ltd")), None);
        assert_eq!(places.of_list(Some("c.com")), Some(None));
        assert_eq!(places.of_list(Some("b.com")), Some(Some(1)));
    }
}
