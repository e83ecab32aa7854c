//! The tenants of a run, as far as its rows and flags name them, before the sign-in.

use std::cell::Cell;
use std::collections::HashMap;

use uuid::Uuid;

use super::MAX_CONCURRENT_SIGN_INS;
use crate::directory::Directory;
use crate::error::Error;
use crate::event::TenantIndex;
use crate::identity::{Authority, TenantIdError};
use crate::plan::{InputRows, Operator, PlanOptions, PlanTenant, PlanTenants};
use crate::settings::{CredentialSettings, NetworkSettings, SignInSettings};
use crate::tenant::{TenantName, TenantResolver};
use crate::text::humanize;
use futures_util::stream::{self, StreamExt};

/// The tenants that the rows and flags name, before the sign-in.
pub(in crate::commands) struct RequestedTenants {
    /// The tenants' names, each once; empty if none is named.
    pub(super) names: Vec<TenantName>,
    /// Other names of the same tenants, each with the index of its tenant in `names`.
    pub(super) aliases: Vec<(TenantName, usize)>,
    /// Number of rows of each tenant.
    pub(super) rows: Vec<u64>,
    /// Whether rows say which tenant they belong to.
    pub(super) by_row: bool,
    /// The tenant of rows that do not name one.
    pub(super) default_tenant: Option<TenantIndex>,
    /// The column that names the tenants, if no flag does.
    pub(super) column: Option<String>,
}

impl RequestedTenants {
    /// Collects the names of tenants in the rows and flags.
    pub(in crate::commands) fn new(
        input: &InputRows,
        sign_in: &SignInSettings,
        options: &PlanOptions,
    ) -> RequestedTenants {
        let given = sign_in.tenant.as_deref().and_then(|tenant| tenant.parse::<TenantName>().ok());
        let Some(named) = &input.tenant_counts else {
            let names: Vec<TenantName> = given.into_iter().collect();
            let rows = vec![input.users; names.len()];
            return RequestedTenants {
                names,
                aliases: Vec::new(),
                rows,
                by_row: false,
                default_tenant: Some(0),
                column: None,
            };
        };
        let mut names: Vec<TenantName> = named.all().iter().map(|named| named.name.clone()).collect();
        let mut rows: Vec<u64> = named.all().iter().map(|named| named.rows).collect();
        let needs_default_tenant = named.rows_without_tenant > 0 || !options.selectors.is_empty();
        let column = input.tenant_column.clone().filter(|_| given.is_none());
        let mut own = given.as_ref().and_then(|given| names.iter().position(|name| name == given));
        if let (None, Some(given), true) = (own, given, needs_default_tenant) {
            names.push(given);
            rows.push(0);
            own = Some(names.len() - 1);
        }
        if let Some(own) = own {
            rows[own] += named.rows_without_tenant;
        }
        // If no tenant is named, the sign-in decides.
        let own = if names.is_empty() { Some(0) } else { own };
        let own = own.map(|own| own as TenantIndex);
        RequestedTenants { names, aliases: Vec::new(), rows, by_row: true, default_tenant: own, column }
    }

    /// Merges names for which the authority has the same ID, because two domains may belong to one tenant. A domain
    /// without an ID stays separate, and its sign-in reports the reason. The tenants of `credentials` are matched in
    /// the same way, because a profile may name the domain of a tenant that the rows name by ID.
    ///
    /// # Errors
    /// When the HTTP clients can't be set up.
    pub(in crate::commands) async fn merge_aliases(
        self,
        credentials: &CredentialSettings,
        network: &NetworkSettings,
    ) -> Result<RequestedTenants, Error> {
        let is_domain = |name: &TenantName| matches!(name, TenantName::Domain(_));
        let has_own = |name: &TenantName| credentials.by_tenant.iter().any(|(special, _)| special == name);
        let special = credentials.by_tenant.iter().map(|(name, _)| name.clone());
        let special: Vec<TenantName> = match self.names.iter().all(has_own) {
            true => Vec::new(),
            false => special.filter(|name| !self.names.contains(name)).collect(),
        };
        if !self.is_multi_tenant() && special.is_empty() || !self.names.iter().chain(&special).any(is_domain)
        {
            return Ok(self);
        }
        let (clients, root) = (network.clients()?, network.authority());
        // If the authority can't be reached once, it is not asked about the remaining domains.
        let silent = Cell::new(false);
        let ids = stream::iter(self.names.iter().chain(&special).map(|name| async {
            let domain = match name {
                TenantName::Id(id) => return Some(*id),
                TenantName::Domain(_) if silent.get() => return None,
                TenantName::Domain(domain) => domain.to_string(),
            };
            let authority = Authority { root: root.clone(), tenant: domain };
            let found = authority.tenant_id(&clients).await;
            silent.set(silent.get() || matches!(found, Err(TenantIdError::Unavailable(_))));
            found.ok()
        }))
        .buffered(MAX_CONCURRENT_SIGN_INS)
        .collect::<Vec<_>>()
        .await;
        Ok(self.merge_by_id(&ids, special))
    }

    /// Merges names with the same ID into one tenant. `ids` has the IDs of `names`, followed by those of the `special`
    /// names, which do not add tenants.
    fn merge_by_id(self, ids: &[Option<Uuid>], special: Vec<TenantName>) -> RequestedTenants {
        let ids_of_special = &ids[self.names.len()..];
        let mut merged =
            RequestedTenants { names: Vec::new(), rows: Vec::new(), default_tenant: None, ..self };
        let mut known: HashMap<Uuid, usize> = HashMap::new();
        for (at, ((name, rows), id)) in self.names.into_iter().zip(self.rows).zip(ids).enumerate() {
            let next = merged.names.len();
            let place = id.map_or(next, |id| *known.entry(id).or_insert(next));
            match merged.rows.get_mut(place) {
                Some(so_far) => {
                    *so_far += rows;
                    merged.aliases.push((name, place));
                }
                None => {
                    merged.names.push(name);
                    merged.rows.push(rows);
                }
            }
            if self.default_tenant == Some(at as TenantIndex) {
                merged.default_tenant = Some(place as TenantIndex);
            }
        }
        for (name, id) in special.into_iter().zip(ids_of_special) {
            if let Some(place) = id.and_then(|id| known.get(&id)) {
                merged.aliases.push((name, *place));
            }
        }
        merged
    }

    /// Refuses options that are not valid with several tenants.
    ///
    /// # Errors
    /// When there are several tenants, and an option needs a single one.
    pub(in crate::commands) fn check_multi_tenant(
        self,
        input: &InputRows,
        options: &PlanOptions,
    ) -> Result<RequestedTenants, Error> {
        if self.is_multi_tenant() {
            self.refuse_single_tenant_options(input, options)?;
        }
        Ok(self)
    }

    /// All names of the tenant with this index.
    pub(super) fn tenant_names(&self, place: usize) -> impl Iterator<Item = &TenantName> {
        let others = self.aliases.iter().filter(move |(_, at)| *at == place).map(|(name, _)| name);
        self.names.get(place).into_iter().chain(others)
    }

    pub(in crate::commands) fn is_multi_tenant(&self) -> bool {
        self.names.len() > 1
    }

    fn refuse_single_tenant_options(&self, input: &InputRows, options: &PlanOptions) -> Result<(), Error> {
        let what = if !options.selectors.is_empty() {
            "a selection from the directory (--group, --role, …) finds users of one tenant only"
        } else if input.has_me {
            "`me` is the signed-in user, who is a different one in each tenant"
        } else if options.include_self {
            "--include-self is about the signed-in user, who is a different one in each tenant"
        } else {
            return Ok(());
        };
        Err(Error::Usage(format!(
            "the input names {}: {what}. {}",
            self.describe(),
            multi_tenant_hint(&self.names)
        )))
    }

    /// Refuses several tenants for a subcommand that works with only one.
    pub(in crate::commands) fn refuse_several(&self, verb: &str) -> Result<(), Error> {
        match self.is_multi_tenant() {
            false => Ok(()),
            true => Err(Error::Usage(format!(
                "the input names {}, but `{verb}` works with one: split the file by tenant, or use `run \
                 --dry-run` to see all of it. {}",
                self.describe(),
                multi_tenant_hint(&self.names)
            ))),
        }
    }

    pub(super) fn describe(&self) -> String {
        let first: Vec<String> = self.names.iter().take(3).map(TenantName::to_string).collect();
        let more = if self.names.len() > first.len() { ", …" } else { "" };
        format!("{} tenants ({}{more})", humanize::count(self.names.len() as u64), first.join(", "))
    }

    /// The tenants as they are named, for a plan without a sign-in.
    pub(in crate::commands) fn without_sign_in(&self) -> PlanTenants<'static, Directory> {
        if !self.is_multi_tenant() {
            let resolver = if self.by_row { self.resolver(|at| at) } else { TenantResolver::single([]) };
            return PlanTenants { resolver, ..PlanTenants::single(Operator::default(), None, []) };
        }
        let tenant = |name: &TenantName| PlanTenant {
            key: name.to_string(),
            operator: Operator::default(),
            directory: None,
            closed: false,
        };
        PlanTenants { resolver: self.resolver(|at| at), tenants: self.names.iter().map(tenant).collect() }
    }

    fn resolver(&self, place_of: impl Fn(TenantIndex) -> TenantIndex) -> TenantResolver {
        let ids_known = self.names.iter().all(|name| matches!(name, TenantName::Id(_)));
        let names = (0..).zip(&self.names).map(|(at, name)| (name.clone(), place_of(at)));
        TenantResolver::new(names, self.default_tenant.map(&place_of), ids_known)
    }
}

/// Advice if the rows do not really have several tenants.
fn multi_tenant_hint(names: &[TenantName]) -> String {
    let domain = |name: &TenantName| matches!(name, TenantName::Domain(_));
    match names.iter().any(domain) && !names.iter().all(domain) {
        true => "If these are the same tenant, use its ID everywhere, including --tenant".to_owned(),
        false => "If that column does not have tenants, use --tenant-column none".to_owned(),
    }
}
