//! What names a tenant: its id, or one of its domains.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::event::TenantIndex;
use crate::user_id::UserId;

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
pub struct UnresolvedTenant;

impl FromStr for TenantName {
    type Err = UnresolvedTenant;

    fn from_str(text: &str) -> Result<TenantName, UnresolvedTenant> {
        let text = text.trim();
        if let Ok(id) = Uuid::try_parse(text) {
            return if id.is_nil() { Err(UnresolvedTenant) } else { Ok(TenantName::Id(id)) };
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
            false => Err(UnresolvedTenant),
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

/// So many of a tenant's first users are kept: to try whether users can be read there, one of them may be gone.
const FIRST: usize = 3;

/// A tenant that rows name.
#[derive(Clone, Debug)]
pub struct NamedTenant {
    /// By what name.
    pub name: TenantName,
    /// How many rows.
    pub rows: u64,
    /// The first of its users.
    pub first: Vec<UserId>,
}

/// The tenants that rows name, in the order of their first rows, with how many rows name each.
#[derive(Clone, Debug, Default)]
pub struct TenantCounts {
    names: Vec<NamedTenant>,
    places: HashMap<TenantName, usize>,
    /// Rows that name none.
    pub without: u64,
    /// Rows whose cell is no tenant, and the first of those cells.
    pub senseless: u64,
    /// The first cell that is no tenant.
    pub first_senseless: Option<String>,
}

impl TenantCounts {
    /// Takes in a row's cell, and its user.
    pub fn count(&mut self, cell: Option<&str>, user: &str) {
        match cell.map(TenantName::from_str) {
            None => self.without += 1,
            Some(Ok(name)) => {
                let place = *self.places.entry(name).or_insert_with_key(|name| {
                    self.names.push(NamedTenant { name: name.clone(), rows: 0, first: Vec::new() });
                    self.names.len() - 1
                });
                let named = &mut self.names[place];
                named.rows += 1;
                if named.first.len() < FIRST {
                    named.first.extend(UserId::read(user).ok().filter(|user| *user != UserId::Me));
                }
            }
            Some(Err(UnresolvedTenant)) => {
                self.senseless += 1;
                if self.first_senseless.is_none() {
                    self.first_senseless = cell.map(str::to_owned);
                }
            }
        }
    }

    /// The tenants, those of the first rows first.
    pub fn all(&self) -> &[NamedTenant] {
        &self.names
    }
}

/// Which of a run's tenants each row belongs to.
#[derive(Clone, Debug, Default)]
pub struct TenantResolver {
    /// Whether rows are asked; otherwise all belong to the one tenant there is.
    by_row: bool,
    by_name: HashMap<TenantName, TenantIndex>,
    /// That of rows that name none.
    own: Option<TenantIndex>,
    /// Whether every tenant's id is among the names.
    ids_known: bool,
}

impl TenantResolver {
    /// One tenant, whatever rows say. `names` are those that are known of it, for lists that hold several tenants.
    pub fn one<'a>(names: impl IntoIterator<Item = &'a str>) -> TenantResolver {
        let names = names.into_iter().filter_map(|name| name.parse().ok()).map(|name| (name, 0));
        let by_name: HashMap<TenantName, TenantIndex> = names.collect();
        let ids_known = by_name.keys().any(|name| matches!(name, TenantName::Id(_)));
        TenantResolver { by_row: false, by_name, own: Some(0), ids_known }
    }

    /// These tenants by these names; `own` is that of rows that name none, and `ids_known` says whether every tenant's id
    /// is among the names.
    pub fn new(
        names: impl IntoIterator<Item = (TenantName, TenantIndex)>,
        own: Option<TenantIndex>,
        ids_known: bool,
    ) -> TenantResolver {
        TenantResolver { by_row: true, by_name: names.into_iter().collect(), own, ids_known }
    }

    /// The tenant of a row with this cell.
    ///
    /// # Errors
    /// Why the row belongs to none, in words.
    pub fn resolve(&self, cell: Option<&str>) -> Result<TenantIndex, String> {
        if !self.by_row {
            return Ok(0);
        }
        let Some(cell) = cell else {
            let none = "no tenant is named, and the run has none of its own (--tenant)";
            return self.own.ok_or_else(|| none.to_owned());
        };
        let name: TenantName = cell.parse().map_err(|why: UnresolvedTenant| {
            let shown = crate::text::sanitize::sanitize_truncated(cell, 60);
            format!("tenant {shown}: {why}; --tenant-column none if that column names no tenants")
        })?;
        self.by_name.get(&name).copied().ok_or_else(|| format!("tenant {name} is not one of the run's"))
    }

    /// Whether an entry of a list with this cell holds in a tenant. What makes no sense holds in all, and so does a
    /// domain that nobody knows: it may be a tenant's other name, and who is protected too widely is only told.
    pub fn applies_in(&self, cell: Option<&str>, tenant: TenantIndex) -> bool {
        let Some(name) = cell.and_then(|cell| cell.parse::<TenantName>().ok()) else { return true };
        match (self.by_name.get(&name), name) {
            (Some(place), _) => *place == tenant,
            (None, TenantName::Id(_)) => !self.ids_known,
            (None, TenantName::Domain(_)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TenantName {
        text.parse().unwrap()
    }

    #[test]
    fn ids_and_domains_are_names_and_nothing_else_is() {
        let id = "0785EF7C-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
        assert_eq!(name(id).to_string(), id.to_lowercase());
        assert_eq!(name(" Contoso.COM "), name("contoso.com"));
        let none = [
            "",
            "Contoso",
            "Contoso Ltd.",
            "1.5",
            "10.0.0.1",
            "a@b.com",
            "common",
            "a..b",
            "-a.com",
            "a/b.com",
        ];
        for none in none {
            assert_eq!(none.parse::<TenantName>(), Err(UnresolvedTenant), "{none:?}");
        }
    }

    #[test]
    fn rows_without_a_name_belong_to_the_runs_own_tenant() {
        let places = TenantResolver::new([(name("a.com"), 0), (name("b.com"), 1)], Some(1), false);
        assert_eq!(places.resolve(None), Ok(1));
        assert_eq!(places.resolve(Some("A.com")), Ok(0));
        assert!(places.resolve(Some("A Ltd")).unwrap_err().contains("--tenant-column none"));
        assert!(TenantResolver::new([], None, false).resolve(None).is_err());
        assert_eq!(TenantResolver::one([]).resolve(Some("A Ltd")), Ok(0));
    }

    #[test]
    fn an_entry_holds_wherever_it_is_not_known_to_belong_elsewhere() {
        const ID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
        let places = TenantResolver::new([(name("a.com"), 0), (name("b.com"), 1)], None, true);
        for everywhere in [None, Some("A Ltd"), Some("c.com")] {
            assert!(places.applies_in(everywhere, 0) && places.applies_in(everywhere, 1), "{everywhere:?}");
        }
        assert!(places.applies_in(Some("b.com"), 1) && !places.applies_in(Some("b.com"), 0));
        assert!(!places.applies_in(Some(ID), 0));
        assert!(TenantResolver::new([], None, false).applies_in(Some(ID), 0));
        assert!(
            TenantResolver::one([ID]).applies_in(Some(ID), 0)
                && TenantResolver::one(["a.com"]).applies_in(Some(ID), 0)
        );
        assert!(!TenantResolver::one(["0785ef7c-1c1b-4ff4-9ab1-000000000000"]).applies_in(Some(ID), 0));
    }
}
