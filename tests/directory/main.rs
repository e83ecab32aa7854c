//! Whom ids and names mean, read from the simulator's directory over real sockets.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

#[path = "../selecting/desk.rs"]
mod desk;

mod contoso;
mod names;
mod resolving;
mod troubles;
