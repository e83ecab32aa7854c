//! Shared helpers next to the context: servers, proxies, a terminal, and a search for secrets.

pub(crate) mod env;
pub(crate) mod plain_server;
pub(crate) mod proxies;
pub(crate) mod secret_leak;
pub(crate) mod site;
#[cfg(unix)]
pub(crate) mod terminal;
