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

mod administrative_unit;
mod alias;
mod alias_probe;
mod app_owners;
mod batch;
mod batch_part;
mod budget;
mod classify;
mod directory_object;
mod directory_user;
mod error;
mod group;
mod in_filter;
mod named_object;
mod odata;
mod organization;
mod pages;
mod permission;
mod privileged_users;
mod rate_limiter;
mod read_error;
mod reader;
mod reporting_tree;
mod resolve;
mod retry_policy;
mod risky_users;
mod role;
mod role_members;
mod select;
mod selector;
#[cfg(test)]
mod tests;
mod transport;
mod unchecked_read;
mod user_pager;

pub use budget::Budget;
pub use directory_user::{DirectoryUser, ResolvedId};
pub use error::DirectoryError;
pub use organization::{Organization, OrganizationFacts};
pub use permission::{Permission, UserReadScope};
pub use privileged_users::{GLOBAL_ADMINISTRATOR, PrivilegedUsers};
pub use select::UserSelection;
pub use selector::{RiskLevel, Selector, non_empty};
pub use unchecked_read::UncheckedRead;

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
