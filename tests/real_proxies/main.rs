//! Proxies as they are met: tinyproxy, squid and mitmproxy, each started here on loopback. What is not installed is
//! skipped, with the reason printed; `.ci/run` installs them where it can.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod mitmproxy;
mod program;
mod squid;
mod tinyproxy;

#[path = "../site/mod.rs"]
mod site;
#[path = "../stage/mod.rs"]
mod stage;
