//! Errors of the guard: it is not known who is protected.

use std::path::PathBuf;

use crate::directory::DirectoryError;
use crate::intake::IntakeError;

/// A list of users to leave out can't be used, so nothing is revoked.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file can't be read.
    #[error("can't read the {list}: {source}")]
    Unreadable {
        /// The name of the list.
        list: &'static str,
        /// Why.
        source: Box<IntakeError>,
    },
    /// Other accounts can change the file.
    #[error("the {list} is not used: {why}")]
    Insecure {
        /// The name of the list.
        list: &'static str,
        /// Who can change it, and what to do.
        why: String,
    },
    /// It is not clear which column of the file has the users.
    #[error(
        "can't read the {list}: it is not clear which column of {path} has the users. Write one ID per line, \
         or name the column id or userPrincipalName", path = path.display()
    )]
    AmbiguousColumns {
        /// The name of the list.
        list: &'static str,
        /// Its file.
        path: PathBuf,
    },
    /// A line of the file does not name a user.
    #[error(
        "{path}, line {line}: {}. Nothing is revoked until the whole {list} can be read",
        bracket_question(reason), path = path.display()
    )]
    InvalidLine {
        /// The name of the list.
        list: &'static str,
        /// Its file.
        path: PathBuf,
        /// The line number.
        line: u64,
        /// Why.
        reason: String,
    },
    /// The file has mail addresses, which are not user IDs.
    #[error(
        "{path} has mail addresses, but the {list} needs object IDs or user principal names, which can be \
         different. Replace the addresses. Nothing was revoked", path = path.display()
    )]
    MailAddresses {
        /// The name of the list.
        list: &'static str,
        /// Its file.
        path: PathBuf,
    },
    /// An entry is neither a valid ID nor a file.
    #[error("the {list} has '{text}', which is neither a file nor a user ID: {why}")]
    InvalidEntry {
        /// The name of the list.
        list: &'static str,
        /// The entry.
        text: String,
        /// Why it is not an ID.
        why: String,
    },
    /// An entry is an ID, but there is also a file of that name.
    #[error(
        "the {list} has {entry}, which may be a user or a file. For the file, write ./{entry}; for the user, \
         rename the file"
    )]
    IdAndFile {
        /// The name of the list.
        list: &'static str,
        /// The entry.
        entry: String,
    },
    /// An entry is for a tenant that is not in the run, so it would protect no one.
    #[error(
        "the {list} has {entry} in tenant {tenant}, which is not in this run, so it would have no effect. \
         Remove the entry or its tenant"
    )]
    OtherTenant {
        /// The name of the list.
        list: &'static str,
        /// The entry.
        entry: String,
        /// Its tenant.
        tenant: String,
    },
    /// `me` is on a list.
    #[error("the {list} can't contain `me`: name the account by its object ID and its user principal name")]
    Me {
        /// The name of the list.
        list: &'static str,
    },
    /// A row says `me`, and it is not known whether that account is on a list.
    #[error(
        "`me` can't be compared with the {list}: name the account by its object ID or user principal name"
    )]
    IncomparableMe {
        /// The name of the list.
        list: &'static str,
    },
    /// Rows contradict each other about a listed user.
    #[error(
        "the rows contradict each other: '{user}' would be revoked, but another row gives this ID to an \
         account on the {list}. Fix the input. Nothing was revoked"
    )]
    Contradiction {
        /// The name of the list.
        list: &'static str,
        /// The row's ID.
        user: String,
    },
    /// The lists pair one ID with two of the other kind, so the pairs are not IDs of one account.
    #[error(
        "can't use the {list}: {what}, and it is not clear which one is right. In a log, most IDs belong to \
         events: use each person's own object ID. Nothing was revoked. The entries are {first} and {second}"
    )]
    ConflictingPairs {
        /// The name of the list.
        list: &'static str,
        /// The conflict, in words.
        what: &'static str,
        /// Where the first pair is.
        first: String,
        /// Where the other pair is.
        second: String,
    },
    /// A row can't be compared with a listed user.
    #[error(
        "'{user}' can't be compared with the {list}: one has only an object ID, the other only a user \
         principal name. List both for each person (a CSV with the columns id and userPrincipalName)"
    )]
    Incomparable {
        /// The name of the list.
        list: &'static str,
        /// The row's ID.
        user: String,
    },
    /// An entry names no user, or several users.
    #[error("the {list} has {entry}, {reason}. Nothing is revoked until every entry can be resolved")]
    NoSuchUser {
        /// The name of the list.
        list: &'static str,
        /// The entry.
        entry: String,
        /// Why, such as "but there is no such user".
        reason: String,
    },
    /// The directory can't resolve an entry.
    #[error("the {list} has {entry}, which can't be resolved: {source}. Nothing was revoked")]
    Directory {
        /// The name of the list.
        list: &'static str,
        /// The entry.
        entry: String,
        /// Why.
        source: DirectoryError,
    },
    /// An entry can be resolved only by the directory, and the directory is not read.
    #[error(
        "the {list} has {entry}, but --no-lookup turns off reading its members from the directory: remove \
         that flag, or list the members. Nothing was revoked"
    )]
    LookupDisabled {
        /// The name of the list.
        list: &'static str,
        /// The entry.
        entry: String,
    },
    /// `--unprotect` names a user who is not protected.
    #[error("--unprotect {id}: this ID is not protected. Check the ID, or remove the flag")]
    NotProtected {
        /// The ID.
        id: String,
    },
}

/// A reason as part of a sentence: a question at its end is put in brackets.
fn bracket_question(reason: &str) -> String {
    match reason.strip_suffix('?').and_then(|asked| asked.rsplit_once("; ")) {
        Some((why, asked)) => format!("{why} ({asked}?)"),
        None => reason.to_owned(),
    }
}
