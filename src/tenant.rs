//! Names of tenants: the ID or one of the domains.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::event::TenantIndex;
use crate::user_id::UserId;

/// Longest domain name, in bytes (RFC 1035).
const MAX_DOMAIN_BYTES: usize = 253;

/// Longest part of a domain name between two dots, in bytes (RFC 1035).
const MAX_LABEL_BYTES: usize = 63;

/// A tenant's ID, or one of its domains in lower case, so that spellings that differ in case are equal. Only a token
/// shows whether a domain and an ID are the same tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TenantName {
    /// The ID.
    Id(Uuid),
    /// A domain, in lower case.
    Domain(Box<str>),
}

/// A text that is neither a tenant ID nor a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tenant ID (a GUID) or a domain, such as contoso.com")]
pub struct InvalidTenantName;

impl FromStr for TenantName {
    type Err = InvalidTenantName;

    fn from_str(text: &str) -> Result<TenantName, InvalidTenantName> {
        let text = text.trim();
        if let Ok(id) = Uuid::try_parse(text) {
            return if id.is_nil() { Err(InvalidTenantName) } else { Ok(TenantName::Id(id)) };
        }
        let label = |label: &str| {
            let edges = label.starts_with('-') || label.ends_with('-');
            let fits = (1..=MAX_LABEL_BYTES).contains(&label.len()) && !edges;
            fits && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        // Decimal numbers and IP addresses are not domains.
        let named = text.rsplit('.').next().is_some_and(|top| top.chars().any(char::is_alphabetic));
        match text.len() <= MAX_DOMAIN_BYTES && text.contains('.') && named && text.split('.').all(label) {
            true => Ok(TenantName::Domain(text.to_lowercase().into())),
            false => Err(InvalidTenantName),
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

/// How many of a tenant's first users are kept for a test read there. There are several, because one may no longer
/// exist.
const MAX_SAMPLE_USERS: usize = 3;

/// A tenant that rows name.
#[derive(Clone, Debug)]
pub struct NamedTenant {
    /// The name in the rows.
    pub name: TenantName,
    /// The number of rows.
    pub rows: u64,
    /// The first of its users.
    pub first: Vec<UserId>,
}

/// The tenants that rows name, in the order of their first rows, with how many rows name each.
#[derive(Clone, Debug, Default)]
pub struct TenantCounts {
    names: Vec<NamedTenant>,
    places: HashMap<TenantName, usize>,
    /// Number of rows that do not name a tenant.
    pub rows_without_tenant: u64,
    /// Number of rows with a cell that is not a tenant.
    pub invalid: u64,
    /// The first cell that is not a tenant.
    pub first_invalid: Option<String>,
}

impl TenantCounts {
    /// Counts a row by its cell, and keeps its user if it is one of the first.
    pub fn count(&mut self, cell: Option<&str>, user: &str) {
        match cell.map(TenantName::from_str) {
            None => self.rows_without_tenant += 1,
            Some(Ok(name)) => {
                let place = *self.places.entry(name).or_insert_with_key(|name| {
                    self.names.push(NamedTenant { name: name.clone(), rows: 0, first: Vec::new() });
                    self.names.len() - 1
                });
                let named = &mut self.names[place];
                named.rows += 1;
                if named.first.len() < MAX_SAMPLE_USERS {
                    named.first.extend(UserId::parse_lenient(user).ok().filter(|user| *user != UserId::Me));
                }
            }
            Some(Err(InvalidTenantName)) => {
                self.invalid += 1;
                if self.first_invalid.is_none() {
                    self.first_invalid = cell.map(str::to_owned);
                }
            }
        }
    }

    /// The tenants, in the order of their first rows.
    pub fn all(&self) -> &[NamedTenant] {
        &self.names
    }
}

/// Finds the tenant of a run that a row belongs to.
#[derive(Clone, Debug, Default)]
pub struct TenantResolver {
    /// Whether rows choose the tenant; otherwise all rows belong to the only one.
    by_row: bool,
    by_name: HashMap<TenantName, TenantIndex>,
    /// The tenant of rows that do not name one.
    own: Option<TenantIndex>,
    /// Whether the names include every tenant's ID.
    ids_known: bool,
}

impl TenantResolver {
    /// A resolver with one tenant for all rows. `names` are its known names, for lists with several tenants.
    pub fn single<'a>(names: impl IntoIterator<Item = &'a str>) -> TenantResolver {
        let names = names.into_iter().filter_map(|name| name.parse().ok()).map(|name| (name, 0));
        let by_name: HashMap<TenantName, TenantIndex> = names.collect();
        let ids_known = by_name.keys().any(|name| matches!(name, TenantName::Id(_)));
        TenantResolver { by_row: false, by_name, own: Some(0), ids_known }
    }

    /// A resolver for these tenants by their names. `own` is the tenant of rows that do not name one, and `ids_known`
    /// says whether the names include every tenant's ID.
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
    /// Why the row does not belong to a tenant, in words.
    pub fn resolve(&self, cell: Option<&str>) -> Result<TenantIndex, String> {
        if !self.by_row {
            return Ok(0);
        }
        let Some(cell) = cell else {
            let none = "the row does not name a tenant, and the run has none (--tenant)";
            return self.own.ok_or_else(|| none.to_owned());
        };
        let name: TenantName = cell.parse().map_err(|why: InvalidTenantName| {
            let shown = crate::text::sanitize::sanitize_truncated(cell, 60);
            format!("tenant {shown}: {why}; use --tenant-column none if that column does not have tenants")
        })?;
        self.by_name.get(&name).copied().ok_or_else(|| format!("tenant {name} is not a tenant of this run"))
    }

    /// Whether an entry of a list with this cell applies in a tenant. An invalid cell applies in all tenants, and so
    /// does an unknown domain, which may be another name of a tenant. It is safer to protect too many users than too
    /// few.
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
            assert_eq!(none.parse::<TenantName>(), Err(InvalidTenantName), "{none:?}");
        }
    }

    #[test]
    fn rows_without_a_name_belong_to_the_runs_own_tenant() {
        let places = TenantResolver::new([(name("a.com"), 0), (name("b.com"), 1)], Some(1), false);
        assert_eq!(places.resolve(None), Ok(1));
        assert_eq!(places.resolve(Some("A.com")), Ok(0));
        assert!(places.resolve(Some("A Ltd")).unwrap_err().contains("--tenant-column none"));
        assert!(TenantResolver::new([], None, false).resolve(None).is_err());
        assert_eq!(TenantResolver::single([]).resolve(Some("A Ltd")), Ok(0));
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
            TenantResolver::single([ID]).applies_in(Some(ID), 0)
                && TenantResolver::single(["a.com"]).applies_in(Some(ID), 0)
        );
        assert!(!TenantResolver::single(["0785ef7c-1c1b-4ff4-9ab1-000000000000"]).applies_in(Some(ID), 0));
    }
}
