//! Whom groups, roles, units, risk, filters and managers name, read from the simulator's directory over real sockets.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

#[path = "../plain_server/mod.rs"]
mod plain_server;

#[path = "../stage/mod.rs"]
mod stage;

mod desk;
mod doctor;
mod filters;
mod groups;
mod odd_services;
mod reports;
mod risk;
mod roles;
mod runs;
mod tenant;
mod units;
