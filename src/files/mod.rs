//! Files that others may be able to change: checks of who may change them, and reads with limits.
//!
//! [`check_metadata`] checks one file or folder. [`check_path`] checks a file and all folders and links on its path, as ssh
//! does before it uses a key. [`read()`] reads a regular file of limited size. [`Dir`] is a folder that is held open,
//! so that its files are reached even if its name now leads elsewhere. Temporary files, which may fill a disk, are
//! [`TemporaryFile`]s.

mod dir;
mod output_file;
mod path_check;
mod read;
mod refusal;
mod temporary;
mod trust;

pub use dir::{ContentWriter, Dir, is_partial};
pub use output_file::{append_to, write_to};
pub use path_check::{check_path, disable_trust_checks};
pub use read::{FileError, PipePolicy, SecretContents, is_stream, open, read, read_secret, stdin_is_stream};
pub use refusal::FileRefusal;
pub use temporary::{TemporaryFile, TemporaryWriter, temporary_file_error};
pub use trust::{PathRole, TrustError, TrustFault, check_metadata};
