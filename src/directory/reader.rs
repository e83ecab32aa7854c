//! One request for a read: with its token, within the quota, and again where Graph was busy.

#![allow(dead_code)]

use std::sync::Arc;

use serde_json::Value;

use super::{DirectoryError, Need};
use crate::http::HttpClients;
use crate::identity::Tokens;

/// A read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    /// What is asked for, in words that follow "can't be read": `group Finance`.
    pub(super) what: String,
    /// Path and query below the version root, without a leading slash, encoded; or a whole `nextLink`, verbatim.
    pub(super) url: String,
    /// Whether `ConsistencyLevel: eventual` is sent (learn.microsoft.com/graph/aad-advanced-queries).
    pub(super) eventual: bool,
    /// What it needs.
    pub(super) need: Need,
    /// What it costs at most, in resource units (learn.microsoft.com/graph/throttling-limits).
    pub(super) cost: u32,
}

/// Sends reads.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    clients: HttpClients,
    root: String,
    tokens: Arc<Tokens>,
}

impl Reader {
    pub(super) fn new(clients: HttpClients, root: &str, tokens: Arc<Tokens>) -> Reader {
        Reader { clients, root: root.to_owned(), tokens }
    }

    /// The answer's body: a JSON object.
    pub(super) async fn get(&self, read: &Read) -> Result<Value, DirectoryError> {
        let _ = (&self.clients, &self.root, &self.tokens);
        Err(DirectoryError::Unavailable { what: read.what.clone(), reason: "not built".to_owned() })
    }
}
