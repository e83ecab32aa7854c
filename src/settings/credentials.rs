//! The sign-in settings for each tenant.

use super::SignInSettings;
use super::chosen_profile::ChosenProfile;
use crate::identity::AdditionalApp;
use crate::profile::TenantEntry;
use crate::tenant::TenantName;

/// The run's sign-in settings, and those of tenants with their own.
#[derive(Clone, Debug, Default)]
pub struct CredentialSettings {
    /// The run's settings. With one app for many tenants, they are valid in all of them.
    pub own: SignInSettings,
    /// The settings of tenants with their own.
    pub by_tenant: Vec<(TenantName, SignInSettings)>,
}

impl CredentialSettings {
    /// The same settings for all tenants.
    pub fn single(own: SignInSettings) -> CredentialSettings {
        CredentialSettings { own, by_tenant: Vec::new() }
    }

    /// The run's settings, and those of the profile's tenants.
    pub fn new(own: SignInSettings, profile: Option<&ChosenProfile>) -> CredentialSettings {
        let entries = profile.map(|chosen| chosen.profile().tenants.clone()).unwrap_or_default();
        let special = entries.into_iter().map(|TenantEntry { tenant, app, .. }| {
            let AdditionalApp { tenant: name, client_id, sources, .. } = app;
            (tenant, SignInSettings { tenant: name, client_id, sources })
        });
        CredentialSettings { own, by_tenant: special.collect() }
    }

    /// The settings for the tenant with these names. The sign-in uses the first name.
    pub fn for_tenants<'a>(&self, names: impl IntoIterator<Item = &'a TenantName>) -> SignInSettings {
        let names: Vec<&TenantName> = names.into_iter().collect();
        let Some(tenant) = names.first().copied() else { return self.own.clone() };
        let special = self.by_tenant.iter().find(|(name, _)| names.contains(&name));
        let who = special.map_or(&self.own, |(_, who)| who);
        let given = who.tenant.as_deref().and_then(|given| given.parse::<TenantName>().ok());
        // The name stays in its given spelling.
        if given.as_ref() == Some(tenant) {
            return who.clone();
        }
        SignInSettings { tenant: Some(tenant.to_string()), ..who.clone() }
    }

    /// Whether these are the run's own app and credential.
    pub fn is_own(&self, who: &SignInSettings) -> bool {
        who.client_id == self.own.client_id && who.sources == self.own.sources
    }
}
