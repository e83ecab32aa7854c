//! Text that many rooms write: made safe for a terminal, put in words, wrapped, measured.

pub mod digest;
pub mod duration;
pub mod humanize;
pub mod sanitize;
pub mod suggest;
pub mod wrap;
