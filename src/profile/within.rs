//! Where in the file a key stands: what may stand there, and what is said of what may not.

use super::keys::{self, Key};
use super::secrets;

/// A place in the file, with the words that name it in a message.
pub(super) enum Within<'a> {
    /// Above all profiles.
    Top,
    /// In a profile.
    Profile(&'a str),
    /// In a further app of a profile.
    App(&'a str),
    /// In a tenant of a profile.
    Tenant(&'a str),
}

impl Within<'_> {
    /// The place, with a space before it.
    pub(super) fn place(&self) -> &str {
        match self {
            Within::Top => " above all profiles",
            Within::Profile(place) | Within::App(place) | Within::Tenant(place) => place,
        }
    }

    /// The key of this name, where it may stand here.
    pub(super) fn find(&self, name: &str) -> Option<&'static Key> {
        match self {
            Within::Top => None,
            Within::Profile(_) => keys::find(name),
            Within::App(_) => keys::find_of_app(name),
            Within::Tenant(_) => keys::find_of_tenant(name),
        }
    }

    /// What to do about a key that may not.
    pub(super) fn advice(&self, unknown: &str) -> String {
        match self {
            Within::App(_) => keys::advice_of_app(unknown),
            Within::Tenant(_) => keys::advice_of_tenant(unknown),
            Within::Top | Within::Profile(_) => keys::advice(unknown),
        }
    }

    /// How a secret is given instead.
    pub(super) fn instead(&self, instead: &'static str) -> &'static str {
        match self {
            Within::App(_) | Within::Tenant(_) => secrets::for_app(instead),
            Within::Top | Within::Profile(_) => instead,
        }
    }
}
