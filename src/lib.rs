//! `entra-revoke` signs whole groups of people out of Microsoft Entra ID, as fast as Microsoft Graph's quota
//! allows, and proves user by user what happened.

pub mod console;
pub mod digest;
pub mod dispatch;
pub mod duration;
pub mod event;
pub mod graph;
pub mod harmless;
pub mod identity;
pub mod intake;
pub mod journal;
pub mod outcome;
pub mod plan;
pub mod report;
pub mod simulator;
pub mod user_id;
