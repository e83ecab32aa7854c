//! `entra-revoke` signs whole groups of people out of Microsoft Entra ID, as fast as Microsoft Graph's quota allows,
//! and proves user by user what happened.
//!
//! The map is in `docs/architecture.md`: a drawing of how data flows through the crate, the terms, and what each module
//! does. In short: [`intake`] reads rows, [`plan`] makes targets of them (with the help of [`directory`]), [`dispatch`]
//! sends the requests, [`journal`] records what happens, and [`report`] makes the evidence from that. Data flows in
//! this direction only, and the whole plan is on disk before the first request leaves.
//!
//! [`graph`] sends one request, [`identity`] gets the token. [`commands`] connects the modules, one file for each verb.
//! [`simulator`] is a Graph of its own on loopback, which shares no code with the client.

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
