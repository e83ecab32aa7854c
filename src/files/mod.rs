//! Files that others may have a hand in: who may change them, and reading them within bounds.
//!
//! [`judge`] looks at one file or folder; [`check`] at a file with every folder and link on the way to it, as ssh does
//! before it takes a key; [`read`] takes all of a file that must be a plain one and no longer than it may be.
//! Temporary files, which may fill a disk, are [`TemporaryFile`]s.

mod read;
mod temporary;
mod trust;
mod way;

pub use read::{FileError, Pipes, Secret, is_stream, open, read, read_secret, stdin_is_stream};
pub use temporary::{TemporaryFile, Told, temporary};
pub use trust::{Distrust, Fault, Part, judge};
pub use way::{check, trust_all};
