//! `[[profile.NAME.tenants]]`: the sign-in settings of tenants with their own app.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{ConfigReader, display_key, in_file_order};
use super::section::Section;
use super::value::type_name;
use super::{Profile, TenantEntry, keys};
use crate::identity::AdditionalApp;
use crate::text::sanitize::sanitize_truncated;

impl<'a> ConfigReader<'a> {
    /// The tenants of a profile with their own sign-in settings.
    pub(super) fn tenants(&mut self, profile: &str, value: &Spanned<DeValue<'a>>) -> Vec<TenantEntry> {
        let right = format!("begin each tenant with [[profile.{profile}.tenants]]");
        let DeValue::Array(items) = value.get_ref() else {
            let what = type_name(value.get_ref());
            let place = format!("tenants in profile {profile}");
            self.report(value.span().start, format!("{place} must be a list of tables, not {what}: {right}"));
            return Vec::new();
        };
        let mut tenants: Vec<TenantEntry> = Vec::new();
        for (number, item) in (1..).zip(items.iter()) {
            let (at, place) = (item.span().start, format!("tenant {number} of profile {profile}"));
            let DeValue::Table(table) = item.get_ref() else {
                self.report(
                    at,
                    format!("{place} must be a table, not {}: {right}", type_name(item.get_ref())),
                );
                continue;
            };
            let Some(entry) = self.tenant(&place, at, table) else { continue };
            if tenants.iter().any(|known| known.tenant == entry.tenant) {
                self.report(at, format!("{place}: tenant {} is listed twice", entry.tenant));
            }
            tenants.push(entry);
        }
        tenants
    }

    fn tenant(&mut self, place: &str, at: usize, table: &DeTable<'a>) -> Option<TenantEntry> {
        let mut read = Profile::default();
        let (mut seen, within, before) = (Vec::new(), format!(" in {place}"), self.problem_count());
        let mut like = None;
        for (key, value) in in_file_order(table) {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (keys::PROFILE_KEY, DeValue::String(name)) => {
                    like = Some((value.span().start, name.to_string()))
                }
                (keys::PROFILE_KEY, other) => {
                    let what = type_name(other);
                    self.report(
                        value.span().start,
                        format!("profile{within} must be the name of a profile, not {what}"),
                    );
                }
                _ => self.key((key, value), &mut read, &mut seen, &Section::Tenant(&within)),
            }
        }
        // If a key is wrong, a message about what is missing would only follow from that.
        if self.problem_count() != before {
            return None;
        }
        let app = AdditionalApp {
            name: place.to_owned(),
            tenant: read.tenant.clone(),
            client_id: read.client_id,
            sources: read.sources,
        };
        let tenant = match read.tenant.as_deref().map(str::parse) {
            Some(Ok(tenant)) => tenant,
            Some(Err(why)) => {
                let why = format!("{place}: {} is {why}", display_key(&read.tenant.unwrap_or_default()));
                self.report(at, why);
                return None;
            }
            None => {
                self.report(at, format!("{place} has no tenant: write tenant = \"contoso.com\", or its ID"));
                return None;
            }
        };
        let problem = match &like {
            Some(_) if app.client_id.is_some() || !app.sources.is_empty() => {
                Some("`profile` and sign-in settings are mutually exclusive here; remove one".to_owned())
            }
            Some(_) => None,
            None => app.problem(),
        };
        if let Some(problem) = problem {
            self.report(at, format!("{place}: {}", sanitize_truncated(&problem, 300)));
        }
        Some(TenantEntry { tenant, app, inherits_from: like })
    }

    /// Fills in the apps that tenants use from other profiles, after all profiles are read.
    pub(super) fn resolve_inherited(&mut self, profiles: &mut [Profile]) {
        let ways: Vec<_> = profiles
            .iter()
            .map(|profile| (profile.name.clone(), profile.client_id.clone(), profile.sources.clone()))
            .collect();
        for entry in profiles.iter_mut().flat_map(|profile| &mut profile.tenants) {
            let Some((at, like)) = entry.inherits_from.take() else { continue };
            let place = entry.app.name.clone();
            let Some((_, client_id, sources)) = ways.iter().find(|(name, ..)| *name == like) else {
                self.report(at, format!("{place}: there is no profile {}", display_key(&like)));
                continue;
            };
            (entry.app.client_id, entry.app.sources) = (client_id.clone(), sources.clone());
            if let Some(problem) = entry.app.problem() {
                let problem = sanitize_truncated(&problem, 300);
                self.report(
                    at,
                    format!(
                        "{place}: profile {} can't sign in to this tenant: {problem}",
                        display_key(&like)
                    ),
                );
            }
        }
    }
}
