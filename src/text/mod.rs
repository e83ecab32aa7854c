//! Text helpers for many modules: text is made safe for a terminal, put into words, wrapped and hashed.

pub mod digest;
pub mod duration;
pub mod humanize;
pub mod sanitize;
pub mod suggest;
pub mod wrap;
