//! Why nobody can tell who is protected.

use std::path::PathBuf;

use crate::directory::DirectoryError;
use crate::intake::IntakeError;

/// A list of people to leave out can't be used; nothing may be sent.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file can't be read.
    #[error("the {list} can't be read: {source}")]
    Unreadable {
        /// Which list.
        list: &'static str,
        /// Why.
        source: Box<IntakeError>,
    },
    /// Others may change the file.
    #[error("the {list} is not used: {why}")]
    Insecure {
        /// Which list.
        list: &'static str,
        /// Whose it is, and what to do.
        why: String,
    },
    /// Nobody can tell which column of the file names people.
    #[error(
        "the {list} can't be read: it can't be told which column of {path} names users. Write the ids alone, a line each, or \
         call their column id or userPrincipalName", path = path.display()
    )]
    AmbiguousColumns {
        /// Which list.
        list: &'static str,
        /// Its file.
        path: PathBuf,
    },
    /// A line of the file names nobody.
    #[error("{path}, line {line}: {}. Nothing is sent while the {list} can't be read in full", bracket_question(reason), path = path.display())]
    InvalidLine {
        /// Which list.
        list: &'static str,
        /// Its file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// Why.
        reason: String,
    },
    /// The file names people by their mail addresses, which are no ids.
    #[error(
        "{path}: the {list} needs object ids or user principal names, and this file has mail addresses, which may be \
         other ones. Nothing is sent while nobody can tell whom it means", path = path.display()
    )]
    MailAddresses {
        /// Which list.
        list: &'static str,
        /// Its file.
        path: PathBuf,
    },
    /// An entry can be no id, and is no file.
    #[error("the {list} names '{text}', which is no file, and no user id: {why}")]
    InvalidEntry {
        /// Which list.
        list: &'static str,
        /// What was given.
        text: String,
        /// Why it is no id.
        why: String,
    },
    /// An entry is an id, and there is a file of that name.
    #[error(
        "the {list} names {entry}, which may be a user or the file of that name. To mean the file, write ./{entry}, or rename the file"
    )]
    IdAndFile {
        /// Which list.
        list: &'static str,
        /// Which entry.
        entry: String,
    },
    /// An entry holds in a tenant that the run has not: it would protect nobody.
    #[error(
        "the {list} names {entry} in the tenant {tenant}, which is none of this run's: it would leave nobody out. Take the entry away, or its tenant"
    )]
    OtherTenant {
        /// Which list.
        list: &'static str,
        /// Which entry.
        entry: String,
        /// Its tenant.
        tenant: String,
    },
    /// `me` on a list.
    #[error("the {list} can't hold `me`: name the account by its object id and its user principal name")]
    Me {
        /// Which list.
        list: &'static str,
    },
    /// `me` is to be sent, and nobody can tell whether that is somebody listed.
    #[error(
        "`me` can't be compared with the {list}: name the account by its object id or user principal name"
    )]
    IncomparableMe {
        /// Which list.
        list: &'static str,
    },
    /// Rows contradict each other about somebody listed.
    #[error(
        "'{user}' is to be sent, but another row says that it is somebody on the {list}: the rows contradict each \
         other. Nothing is sent until that is mended"
    )]
    Contradiction {
        /// Which list.
        list: &'static str,
        /// The row's id.
        user: String,
    },
    /// Lists pair one id with two of the other kind: what they pair are no ids of one account.
    #[error(
        "the {list} can't be compared with anybody: {what}: {first}, and {second}: it can't be told which is the account's. The \
         ids of a log are mostly those of its events: give each person's own object id. Nothing is sent until that is mended"
    )]
    ConflictingPairs {
        /// Which list.
        list: &'static str,
        /// What stands beside what, in words.
        what: &'static str,
        /// Where the id stands beside one.
        first: String,
        /// Where it stands beside the other.
        second: String,
    },
    /// A row and a listed person can't be compared.
    #[error(
        "'{user}' can't be compared with the {list}: one is known by object id only, the other by user principal \
         name only. List both for each person (a CSV with the columns id and userPrincipalName)"
    )]
    Incomparable {
        /// Which list.
        list: &'static str,
        /// The row's id.
        user: String,
    },
    /// An entry names nobody, or several.
    #[error("the {list} names {entry}, {reason}. Nothing is sent while nobody can tell whom it means")]
    NoSuchUser {
        /// Which list.
        list: &'static str,
        /// Which entry.
        entry: String,
        /// Why, as "but there is no such user".
        reason: String,
    },
    /// The directory can't tell whom an entry names.
    #[error("the {list} names {entry}, and nobody can tell whom that is: {source}. Nothing was sent")]
    Directory {
        /// Which list.
        list: &'static str,
        /// Which entry.
        entry: String,
        /// Why.
        source: DirectoryError,
    },
    /// Only the directory can tell whom an entry names, and it is not read.
    #[error(
        "the {list} names {entry}, whose members only the directory knows, and --no-lookup keeps it from being read: take that flag \
         away, or list the members themselves. Nothing was sent"
    )]
    LookupDisabled {
        /// Which list.
        list: &'static str,
        /// Which entry.
        entry: String,
    },
    /// `--unprotect` names somebody whom nothing protects.
    #[error("--unprotect {id}: nobody of that id is protected; take the flag away, or name the very id")]
    NotProtected {
        /// The id.
        id: String,
    },
}

/// A reason as part of a sentence: a question at its end stands in brackets.
fn bracket_question(reason: &str) -> String {
    match reason.strip_suffix('?').and_then(|asked| asked.rsplit_once("; ")) {
        Some((why, asked)) => format!("{why} ({asked}?)"),
        None => reason.to_owned(),
    }
}
