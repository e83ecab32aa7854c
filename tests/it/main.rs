//! Tests of behaviour: the real binary against the real simulator, over real sockets on loopback.
//!
//! All tests are in one program, so that there is only one to link. `ctx` is the start of nearly every test, `support`
//! has servers, proxies and a terminal, and every other module is about one subject.
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
