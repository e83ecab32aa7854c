//! `entra-revoke` signs whole groups of people out of Microsoft Entra ID, as fast as Microsoft Graph's quota
//! allows, and proves user by user what happened.

pub mod console;
pub mod digest;
pub mod event;
pub mod harmless;
pub mod intake;
pub mod journal;
pub mod outcome;
pub mod plan;
pub mod simulator;
pub mod user_id;
