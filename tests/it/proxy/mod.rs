//! Proxies from the environment: a run through each kind, the ways in which they fail, and which secrets stay hidden.

mod answers;
mod death;
mod over_tls;
mod plain_http;
mod ways;
