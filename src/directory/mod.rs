//! Reading the directory: who is in a group, who holds a role, whom an id names.
//!
//! ```text
//!  selector ──▶ people: pages of persons ─┐
//!  ids ───────▶ resolve: batches of reads ├──▶ plan
//!  names ─────▶ alias: mail, on-premises ─┘
//!                 │
//!                 └──▶ reader: one request, its pace and patience; what its answer means (judge)
//! ```
//!
//! Nothing here writes. Reads cost nothing of the quota of revocations; they have one of their own, counted in resource
//! units (learn.microsoft.com/graph/throttling-limits, "Identity and access"), which [`reader`](self) keeps.

mod admins;
mod alias;
mod batch;
mod budget;
mod error;
mod exchange;
mod fault;
mod group;
mod holders;
mod in_filter;
mod item;
mod judge;
mod named;
mod need;
mod not_checked;
mod odata;
mod owners;
mod pace;
mod pages;
mod part;
mod patience;
mod people;
mod person;
mod probe;
mod reader;
mod reports;
mod resolve;
mod risky;
mod role;
mod selector;
mod tenant;
#[cfg(test)]
mod tests;
mod unit;
mod users;

pub use admins::{GLOBAL_ADMINISTRATOR, PrivilegedUsers};
pub use budget::Budget;
pub use error::DirectoryError;
pub use need::{Permission, UserReadScope};
pub use not_checked::UncheckedRead;
pub use people::UserSelection;
pub use person::{DirectoryUser, ResolvedId};
pub use selector::{RiskLevel, Selector, stated};
pub use tenant::{Organization, OrganizationFacts};

use std::sync::Arc;

use crate::http::HttpClients;
use crate::identity::{TokenClaims, Tokens};
use reader::GraphReader;

/// The directory of the tenant that the program is signed in to.
#[derive(Clone, Debug)]
pub struct Directory {
    reader: GraphReader,
    users: UserReadScope,
}

impl Directory {
    /// `root` is Graph's root without a trailing slash; `claims` tell what the token may read, where they tell.
    pub fn new(clients: HttpClients, root: &str, tokens: Arc<Tokens>, claims: &TokenClaims) -> Directory {
        Directory {
            reader: GraphReader::new(clients, root, tokens),
            users: UserReadScope::from_claims(claims),
        }
    }

    /// The same directory for look-ups that only inform: where they fail, they cost no more time than this.
    #[must_use]
    pub fn with_budget(&self, budget: &Budget) -> Directory {
        Directory { reader: self.reader.with_budget(budget), ..self.clone() }
    }

    /// Whether the token may read users, as far as it tells.
    pub fn user_reads(&self) -> UserReadScope {
        self.users
    }
}
