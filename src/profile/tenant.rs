//! `[[profile.NAME.tenants]]`: what single tenants have to sign in with, where they have an app of their own.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{ConfigReader, by_place, display_key};
use super::value::kind;
use super::within::Section;
use super::{Profile, TenantEntry, keys};
use crate::identity::AdditionalApp;
use crate::text::sanitize::sanitize_truncated;

impl<'a> ConfigReader<'a> {
    /// The tenants of a profile that have a way to sign in of their own.
    pub(super) fn tenants(&mut self, profile: &str, value: &Spanned<DeValue<'a>>) -> Vec<TenantEntry> {
        let right = format!("a tenant begins with [[profile.{profile}.tenants]]");
        let DeValue::Array(items) = value.get_ref() else {
            let what = kind(value.get_ref());
            self.wrong(value.span().start, format!("tenants in profile {profile} is {what}; {right}"));
            return Vec::new();
        };
        let mut tenants: Vec<TenantEntry> = Vec::new();
        for (number, item) in (1..).zip(items.iter()) {
            let (at, place) = (item.span().start, format!("tenant {number} of profile {profile}"));
            let DeValue::Table(table) = item.get_ref() else {
                self.wrong(at, format!("{place} is {}; {right}", kind(item.get_ref())));
                continue;
            };
            let Some(entry) = self.tenant(&place, at, table) else { continue };
            if tenants.iter().any(|known| known.tenant == entry.tenant) {
                self.wrong(at, format!("{place}: tenant {} stands there twice", entry.tenant));
            }
            tenants.push(entry);
        }
        tenants
    }

    fn tenant(&mut self, place: &str, at: usize, table: &DeTable<'a>) -> Option<TenantEntry> {
        let mut read = Profile::default();
        let (mut seen, within, before) = (Vec::new(), format!(" in {place}"), self.problem_count());
        let mut like = None;
        for (key, value) in by_place(table) {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (keys::LIKE, DeValue::String(name)) => like = Some((value.span().start, name.to_string())),
                (keys::LIKE, other) => {
                    let what = kind(other);
                    self.wrong(
                        value.span().start,
                        format!("profile{within} is {what}, not a profile's name"),
                    );
                }
                _ => self.key((key, value), &mut read, &mut seen, &Section::Tenant(&within)),
            }
        }
        // Where a key is wrong, what is missing beside it is no news.
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
                self.wrong(at, why);
                return None;
            }
            None => {
                self.wrong(at, format!("{place} has no tenant: write tenant = \"contoso.com\", or its id"));
                return None;
            }
        };
        let problem = match &like {
            Some(_) if app.client_id.is_some() || !app.sources.is_empty() => {
                Some("it names a profile, and a way to sign in beside it: take one of them out".to_owned())
            }
            Some(_) => None,
            None => app.problem(),
        };
        if let Some(problem) = problem {
            self.wrong(at, format!("{place}: {}", sanitize_truncated(&problem, 300)));
        }
        Some(TenantEntry { tenant, app, like })
    }

    /// Fills in what tenants take from other profiles, once all are read.
    pub(super) fn resolve_inherited(&mut self, profiles: &mut [Profile]) {
        let ways: Vec<_> = profiles
            .iter()
            .map(|profile| (profile.name.clone(), profile.client_id.clone(), profile.sources.clone()))
            .collect();
        for entry in profiles.iter_mut().flat_map(|profile| &mut profile.tenants) {
            let Some((at, like)) = entry.like.take() else { continue };
            let place = entry.app.name.clone();
            let Some((_, client_id, sources)) = ways.iter().find(|(name, ..)| *name == like) else {
                self.wrong(at, format!("{place}: there is no profile {}", display_key(&like)));
                continue;
            };
            (entry.app.client_id, entry.app.sources) = (client_id.clone(), sources.clone());
            if let Some(problem) = entry.app.problem() {
                let problem = sanitize_truncated(&problem, 300);
                self.wrong(
                    at,
                    format!("{place}: profile {} can't sign in there: {problem}", display_key(&like)),
                );
            }
        }
    }
}
