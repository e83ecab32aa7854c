//! The network as it is met: names that can't be resolved, connections that stall, certificates, IPv6.

#![allow(clippy::unwrap_used)]

mod connect_to;
mod ipv6;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod namespace;
mod stall;
mod trust;

#[path = "../site/mod.rs"]
mod site;
#[path = "../stage/mod.rs"]
mod stage;
