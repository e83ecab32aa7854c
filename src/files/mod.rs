//! Files that others may have a hand in: who may change one, and what lies above it.
//!
//! [`judge`] looks at one file or folder that is open or named.

mod trust;

pub use trust::{Distrust, Fault, Part, judge};
