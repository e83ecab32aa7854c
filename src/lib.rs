//! `entra-revoke` signs whole groups of people out of Microsoft Entra ID, as fast as Microsoft Graph's quota allows,
//! and proves user by user what happened.
//!
//! The way of the data; it flows one way:
//!
//! ```text
//!  rows            targets          attempts               outcomes            evidence
//!  intake ───────▶ plan ──────────▶ dispatch ────────────▶ journal ──────────▶ report
//!  csv, lines,     dedupe,          one loop owns queue,   appended, synced,   csv, jsonl,
//!  xlsx, stdin     guard, order     pacer, retries, halt;  resumable           html, manifest
//!                  ▲    │  ▲        workers carry requests
//!  people          │    ▼  │ later     │ events
//!  directory ──────┘   plan_file       └──▶ console: progress, logs
//!  groups, roles, filters; who an id is
//! ```
//!
//! The whole plan is on disk before the first request leaves. [`graph`] is the wire, [`identity`] the token;
//! [`simulator`] is a Graph of its own on loopback, which shares no code with the client. [`commands`] wires the
//! rooms together, a file a verb.

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
