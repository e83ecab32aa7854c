//! Which users IDs and names stand for, read from the simulator's directory over real sockets.

mod contoso;
mod names;
mod resolving;
mod troubles;
