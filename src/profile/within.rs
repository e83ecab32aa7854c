//! Where in the file a key stands: what may stand there, and what is said of what may not.

use super::keys::{self, ConfigKey};
use super::secrets;

/// A place in the file, with the words that name it in a message.
pub(super) enum Section<'a> {
    /// Above all profiles.
    Top,
    /// In a profile.
    Profile(&'a str),
    /// In a further app of a profile.
    App(&'a str),
    /// In a tenant of a profile.
    Tenant(&'a str),
}

impl Section<'_> {
    /// The place, with a space before it.
    pub(super) fn place(&self) -> &str {
        match self {
            Section::Top => " above all profiles",
            Section::Profile(place) | Section::App(place) | Section::Tenant(place) => place,
        }
    }

    /// The key of this name, where it may stand here.
    pub(super) fn find(&self, name: &str) -> Option<&'static ConfigKey> {
        match self {
            Section::Top => None,
            Section::Profile(_) => keys::find(name),
            Section::App(_) => keys::find_of_app(name),
            Section::Tenant(_) => keys::find_of_tenant(name),
        }
    }

    /// What to do about a key that may not.
    pub(super) fn advice(&self, unknown: &str) -> String {
        match self {
            Section::App(_) => keys::advice_of_app(unknown),
            Section::Tenant(_) => keys::advice_of_tenant(unknown),
            Section::Top | Section::Profile(_) => keys::advice(unknown),
        }
    }

    /// How a secret is given instead.
    pub(super) fn instead(&self, instead: &'static str) -> &'static str {
        match self {
            Section::App(_) | Section::Tenant(_) => secrets::for_app(instead),
            Section::Top | Section::Profile(_) => instead,
        }
    }
}
