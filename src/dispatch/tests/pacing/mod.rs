//! The pacer against models of limiters.

mod driver;
mod model;
mod oracle;
mod sweep;
mod table;
