//! The user that a request is about.

/// A user ID from a request, percent-decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// The ID as it was sent.
    pub(super) sent: String,
    /// The ID in lower case; the same for all spellings of one user.
    pub(super) key: String,
    /// The user in the directory, if there is one.
    pub(super) resolved: Option<ResolvedUser>,
}

/// A user that the directory knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedUser {
    /// The index in `DirectoryStore::users`.
    pub(super) index: u32,
    /// The user principal name, as the directory spells it.
    pub(super) upn: Box<str>,
    /// The object ID, in lower case.
    pub(super) id: String,
}

impl Account {
    pub(super) fn new(sent: &str) -> Account {
        Account { sent: sent.to_owned(), key: sent.to_lowercase(), resolved: None }
    }

    /// Adds what the directory knows. The key becomes the principal name, so that a principal name and an object ID of
    /// one user have the same key.
    pub(super) fn with_directory_user(self, known: ResolvedUser) -> Account {
        Account { key: known.upn.to_lowercase(), resolved: Some(known), ..self }
    }

    /// Every name by which a pattern can match this user, in lower case.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(self.key.as_str()).chain(self.resolved.as_ref().map(|known| known.id.as_str()))
    }

    /// The ID that the ledger shows.
    pub(super) fn display_id(&self) -> &str {
        self.resolved.as_ref().map_or(&self.sent, |known| &known.upn)
    }
}
