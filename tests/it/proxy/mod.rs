//! Proxies of the environment: a run through each kind, the ways in which they fail, and what is never told to whom.

mod answers;
mod death;
mod over_tls;
mod plain_http;
mod ways;
