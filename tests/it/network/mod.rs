//! Real networks: names that can't be resolved, connections that stall, certificates, IPv6.

mod connect_to;
mod ipv6;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod namespace;
mod stall;
mod trust;
