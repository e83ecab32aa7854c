//! Files that others may have a hand in: who may change them, and reading them within bounds.
//!
//! [`check`] looks at one file or folder; [`check`] at a file with every folder and link on the way to it, as ssh does
//! before it takes a key; [`read`] takes all of a file that must be a plain one and no longer than it may be. [`Dir`] is a
//! folder that is held open, so that what is in it is reached wherever its name leads by now. Temporary files, which may
//! fill a disk, are [`TemporaryFile`]s.

mod dir;
mod named;
mod read;
mod refusal;
mod temporary;
mod trust;
mod way;

pub use dir::{Dir, TemporaryFill, is_partial};
pub use named::{append_to, write_to};
pub use read::{FileError, PipePolicy, SecretContents, is_stream, open, read, read_secret, stdin_is_stream};
pub use refusal::FileRefusal;
pub use temporary::{TemporaryFile, TemporaryState, temporary};
pub use trust::{CheckedPart, TrustError, TrustFault, check_metadata};
pub use way::{check, trust_all};
