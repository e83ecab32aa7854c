//! Whom groups, roles, units, risk, filters and managers name, read from the simulator's directory over real sockets.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod desk;
mod filters;
mod groups;
