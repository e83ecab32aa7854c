//! The tests of behaviour: the real binary against the real simulator, over real sockets on loopback.
//!
//! One program holds them all, so that one link makes them. `ctx` has what nearly every test begins with, `support` has
//! servers, proxies and a terminal; every other module is a subject.
#![allow(clippy::unwrap_used)]

mod apps;
mod azure_cli;
mod batch;
mod batches;
mod blocked_files;
mod certificate;
mod choosing;
mod clouds;
mod command_line;
mod crash;
mod ctx;
mod device_code;
mod directory;
mod doctor;
mod exit_codes;
mod foreign_answers;
mod guard;
mod hostile_input;
mod ids_on_the_wire;
mod managed_identity;
mod network;
mod newcomer;
mod outcomes;
mod pages;
mod plans;
mod profiles;
mod proxy;
mod readme;
mod ready_token;
mod real_proxies;
mod retry;
mod samples;
mod secrets;
mod selecting;
mod setup;
mod shards;
mod sign_in;
mod simulator;
mod style;
mod support;
mod tenants;
mod throttling;
mod workload_identity;
