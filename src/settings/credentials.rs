//! Who signs in to which tenant.

use super::SignInSettings;
use super::profiled::ChosenProfile;
use crate::identity::AdditionalApp;
use crate::profile::TenantEntry;
use crate::tenant::TenantName;

/// The run's own way to sign in, and those of tenants that have their own.
#[derive(Clone, Debug, Default)]
pub struct CredentialSettings {
    /// The run's own. With one app for many tenants it is good in all of them.
    pub own: SignInSettings,
    /// What single tenants have instead.
    pub special: Vec<(TenantName, SignInSettings)>,
}

impl CredentialSettings {
    /// One way to sign in, wherever it is.
    pub fn single(own: SignInSettings) -> CredentialSettings {
        CredentialSettings { own, special: Vec::new() }
    }

    /// The run's own way, and what the profile says of single tenants.
    pub fn new(own: SignInSettings, profile: Option<&ChosenProfile>) -> CredentialSettings {
        let entries = profile.map(|chosen| chosen.profile().tenants.clone()).unwrap_or_default();
        let special = entries.into_iter().map(|TenantEntry { tenant, app, .. }| {
            let AdditionalApp { tenant: name, client_id, sources, .. } = app;
            (tenant, SignInSettings { tenant: name, client_id, sources })
        });
        CredentialSettings { own, special: special.collect() }
    }

    /// How a tenant is signed in to, by all of its names; the first is that by which it is signed in to.
    pub fn for_tenants<'a>(&self, names: impl IntoIterator<Item = &'a TenantName>) -> SignInSettings {
        let names: Vec<&TenantName> = names.into_iter().collect();
        let Some(tenant) = names.first().copied() else { return self.own.clone() };
        let special = self.special.iter().find(|(name, _)| names.contains(&name));
        let who = special.map_or(&self.own, |(_, who)| who);
        let given = who.tenant.as_deref().and_then(|given| given.parse::<TenantName>().ok());
        // What was given stays as it was written.
        if given.as_ref() == Some(tenant) {
            return who.clone();
        }
        SignInSettings { tenant: Some(tenant.to_string()), ..who.clone() }
    }

    /// Whether somebody signed in by the run's own way.
    pub fn is_own(&self, who: &SignInSettings) -> bool {
        who.client_id == self.own.client_id && who.sources == self.own.sources
    }
}
