//! `entra-revoke` signs whole groups of people out of Microsoft Entra ID, as fast as Microsoft Graph's quota allows,
//! and proves user by user what happened.
//!
//! `docs/architecture.md` has a diagram of how data flows through the crate, the terms, and what each module does. In
//! short: [`intake`] reads rows, [`plan`] turns them into targets (with the help of [`directory`]), [`dispatch`] sends
//! the requests, [`journal`] records what happens, and [`report`] makes the evidence from that. Data flows in this
//! direction only, and the whole plan is on disk before the first request leaves.
//!
//! [`graph`] sends one request, and [`identity`] gets the token. [`commands`] connects the modules, with one file for
//! each subcommand. [`simulator`] imitates Graph on loopback and shares no code with the client.

pub mod approval;
pub mod cli;
pub mod commands;
pub mod console;
pub mod directory;
pub mod dispatch;
pub mod doctor;
pub mod error;
pub mod event;
pub mod files;
pub mod graph;
pub mod http;
pub mod identity;
pub mod intake;
pub mod journal;
mod json;
mod number;
pub mod outcome;
pub mod plan;
pub mod plan_file;
pub mod process_hardening;
pub mod profile;
mod redact;
pub mod report;
pub mod settings;
pub mod shell;
pub mod simulator;
pub mod tenant;
pub mod text;
pub mod user_id;
