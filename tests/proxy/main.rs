//! Proxies of the environment: a run through each kind, the ways in which they fail, and what is never told to whom.

#![allow(clippy::unwrap_used)]

mod answers;
mod death;
mod over_tls;
mod plain_http;
mod ways;

#[path = "../proxies/mod.rs"]
mod proxies;
#[path = "../site/mod.rs"]
mod site;
#[path = "../stage/mod.rs"]
mod stage;
