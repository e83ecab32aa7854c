//! The sections of the config file: which keys are allowed in each, and the advice for keys that are not.

use super::keys::{self, ConfigKey};
use super::secrets;

/// A section of the file, with its name in messages.
pub(super) enum Section<'a> {
    /// The top level, above all profiles.
    Top,
    /// In a profile.
    Profile(&'a str),
    /// In a further app of a profile.
    App(&'a str),
    /// In a tenant of a profile.
    Tenant(&'a str),
}

impl Section<'_> {
    /// The section's name in messages, with a space before it.
    pub(super) fn label(&self) -> &str {
        match self {
            Section::Top => " at the top level",
            Section::Profile(place) | Section::App(place) | Section::Tenant(place) => place,
        }
    }

    /// The key of this name, if it is allowed here.
    pub(super) fn find(&self, name: &str) -> Option<&'static ConfigKey> {
        match self {
            Section::Top => None,
            Section::Profile(_) => keys::find(name),
            Section::App(_) => keys::find_app_key(name),
            Section::Tenant(_) => keys::find_tenant_key(name),
        }
    }

    /// What to do about a key that is not allowed here.
    pub(super) fn advice(&self, unknown: &str) -> String {
        match self {
            Section::App(_) => keys::advice_of_app(unknown),
            Section::Tenant(_) => keys::advice_of_tenant(unknown),
            Section::Top | Section::Profile(_) => keys::advice(unknown),
        }
    }

    /// Where to put a secret instead.
    pub(super) fn instead(&self, instead: &'static str) -> &'static str {
        match self {
            Section::App(_) | Section::Tenant(_) => secrets::for_app(instead),
            Section::Top | Section::Profile(_) => instead,
        }
    }
}
