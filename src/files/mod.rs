//! Files that others may have a hand in: who may change one, and what lies above it.
//!
//! [`judge`] looks at one file or folder that is open or named. [`Dir`] is a folder that is held open, so that what is in it
//! is reached wherever its name leads by now.

mod dir;
mod named;
mod refusal;
mod trust;

pub use dir::{Dir, Fill, is_partial};
pub use named::{append_to, write_to};
pub use refusal::Refusal;
pub use trust::{Distrust, Fault, Part, judge};
