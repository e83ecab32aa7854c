//! Whom a request names.

/// A user id, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    /// As it was sent.
    pub(super) sent: String,
    /// In lower case: equal for all spellings of one user.
    pub(super) key: String,
    /// Who it is, if the directory knows.
    pub(super) resolved: Option<ResolvedUser>,
}

/// What the directory knows of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedUser {
    /// Where the user stands in it.
    pub(super) at: u32,
    /// The principal name, as it is there.
    pub(super) upn: Box<str>,
    /// The object id, in lower case.
    pub(super) id: String,
}

impl Account {
    pub(super) fn new(sent: &str) -> Account {
        Account { sent: sent.to_owned(), key: sent.to_lowercase(), resolved: None }
    }

    /// The same account as the directory knows it: of a name and an id of one user the key is the same.
    pub(super) fn with_resolved(self, known: ResolvedUser) -> Account {
        Account { key: known.upn.to_lowercase(), resolved: Some(known), ..self }
    }

    /// Everything by which a pattern may mean this account, in lower case.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(self.key.as_str()).chain(self.resolved.as_ref().map(|known| known.id.as_str()))
    }

    /// The id by which the ledger shows it.
    pub(super) fn display_id(&self) -> &str {
        self.resolved.as_ref().map_or(&self.sent, |known| &known.upn)
    }
}
