//! Which users groups, roles, units, risk, filters and managers select, read from the simulator's directory over real
//! sockets.

pub(crate) mod desk;
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
