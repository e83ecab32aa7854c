//! The pacer against models of limiters.

pub(super) mod driver;
pub(super) mod model;
pub(super) mod oracle;
mod sweep;
pub(super) mod table;
