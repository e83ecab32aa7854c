//! HTTP as all rooms use it: one configuration of clients for Graph, the token endpoint and every other service, and
//! how `Retry-After` is read.

mod client;
mod probe;
mod retry_after;

pub(crate) use client::chain;
pub use client::{ConnectError, HttpClients, HttpOptions};
pub use probe::{certificate_of, is_untrusted, proxy_for};
pub use retry_after::parse as parse_retry_after;
