//! `entra-revoke` signs whole groups of people out of Microsoft Entra ID, as fast as Microsoft Graph's quota
//! allows, and proves user by user what happened.

pub mod intake;
pub mod simulator;
