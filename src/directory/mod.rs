//! Reads of the directory: the members of a group, the holders of a role, the user behind an ID.
//!
//! ```text
//!  selector ──▶ select: pages of users ───┐
//!  IDs ───────▶ resolve: batches of reads ├──▶ plan
//!  names ─────▶ alias: mail, on-premises ─┘
//!                 │
//!                 └──▶ reader: one request, with its rate limit and retries; classify: what its answer means
//! ```
//!
//! Nothing here writes. Reads do not use up the quota of revocations. They have their own, counted in resource units
//! (learn.microsoft.com/graph/throttling-limits, "Identity and access"), which `rate_limiter` keeps.

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

/// The directory of the tenant to which the program is signed in.
#[derive(Clone, Debug)]
pub struct Directory {
    reader: GraphReader,
    users: UserReadScope,
}

impl Directory {
    /// Creates it. `root` is Graph's root without a trailing slash. `claims` say what the token may read, if the token
    /// can be decoded.
    pub fn new(clients: HttpClients, root: &str, tokens: Arc<Tokens>, claims: &TokenClaims) -> Directory {
        Directory {
            reader: GraphReader::new(clients, root, tokens),
            users: UserReadScope::from_claims(claims),
        }
    }

    /// The same directory for look-ups that only inform: failing ones take no more time than this budget.
    #[must_use]
    pub fn with_budget(&self, budget: &Budget) -> Directory {
        Directory { reader: self.reader.with_budget(budget), ..self.clone() }
    }

    /// Whether the token may read users, as far as its claims say.
    pub fn user_reads(&self) -> UserReadScope {
        self.users
    }
}
