//! The two-person rule: a plan is sent only with the signature of an approver who is not the sender.
//!
//! ```text
//!  approvers (allowed_signers) ──┐
//!  plan.json.sig (ssh-keygen) ───┼─▶ check: good, listed, in time ──▶ Approval ──▶ not the sender's ──▶ apply
//!  hashes of plan.json as read ──┘
//! ```
//!
//! The signature is over the very bytes of the plan that were read. Keys are compared as they stand on the wire.

mod key;
mod pattern;
mod signature;
mod signers;
#[cfg(test)]
mod tests;
mod wire;

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::files::{FileError, PipePolicy};
use crate::plan_file::RawDigest;
use signature::Signature;
use signers::Signer;

/// What approvers sign for: `ssh-keygen -Y sign -n entra-revoke`.
pub const NAMESPACE: &str = "entra-revoke";

/// No list of approvers and no signature is longer than this, in bytes.
const LONGEST: u64 = 1 << 20;

/// A plan is not approved, or nobody can tell. Nothing is sent.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// A file can't be read.
    #[error("the {what} {path} can't be read: {why}", path = path.display())]
    Unreadable {
        /// What it is.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no signature.
    #[error(
        "the plan is not approved: there is no {path}. An approver makes it: ssh-keygen -Y sign -f KEY -n {NAMESPACE} {plan}",
        path = path.display(), plan = plan.display()
    )]
    Unsigned {
        /// Where it would lie.
        path: PathBuf,
        /// The plan.
        plan: PathBuf,
    },
    /// A line of the list is bad.
    #[error("the list of approvers {path} can't be used: line {line}: {why}", path = path.display())]
    BadLine {
        /// Which list.
        path: PathBuf,
        /// Which line.
        line: usize,
        /// Why.
        why: String,
    },
    /// Nobody is on the list.
    #[error("the list of approvers {path} names nobody", path = path.display())]
    Nobody {
        /// Which list.
        path: PathBuf,
    },
    /// The signature is not of this plan.
    #[error(
        "the plan is not approved: {path} is no good signature of this plan by the key {fingerprint}: the plan was changed \
         or made again after it was signed", path = path.display()
    )]
    NotOfPlan {
        /// The signature.
        path: PathBuf,
        /// Its key.
        fingerprint: String,
    },
    /// Whoever signed is no approver.
    #[error(
        "the plan is not approved: it is signed by the key {fingerprint}, which is not on the list of approvers {path}",
        path = path.display()
    )]
    NoApprover {
        /// The key.
        fingerprint: String,
        /// The list.
        path: PathBuf,
    },
    /// Whoever signed is no approver of plans, or no longer.
    #[error(
        "the plan is not approved: it is signed by the key {fingerprint}, and line {line} of the list of approvers {path} does \
         not let it: {why}", path = path.display()
    )]
    NotNow {
        /// The key.
        fingerprint: String,
        /// The list.
        path: PathBuf,
        /// The line.
        line: usize,
        /// Why not.
        why: &'static str,
    },
    /// The sender's own signature.
    #[error(
        "the plan is not approved by a second person: the key {fingerprint} that signed it is on line {line} of the list of \
         approvers {path} under a name of the sender ({sender})", path = path.display()
    )]
    OwnSignature {
        /// The key.
        fingerprint: String,
        /// The list.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The name that fits.
        sender: String,
    },
}

/// Who sends, as far as that is known.
#[derive(Clone, Debug, Default)]
pub struct PlanSender {
    /// Names and ids.
    pub names: Vec<String>,
    /// Names of accounts on machines: each may be the beginning of a principal.
    pub accounts: Vec<String>,
}

/// A good signature of an approver.
#[derive(Debug)]
pub struct Approval {
    /// The lists, and the lines of each that hold the key.
    lists: Vec<(PathBuf, Vec<Signer>)>,
    fingerprint: String,
    principals: String,
}

/// Who approved a plan, for the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRecord {
    /// Whose key it is, as the list of approvers says.
    pub principals: String,
    /// The key's fingerprint.
    pub key: String,
    /// The lists of approvers that hold it.
    pub approvers: Vec<PathBuf>,
}

/// Where the signature of a plan lies: beside it.
pub fn signature_path(plan: &Path) -> PathBuf {
    let mut path = plan.as_os_str().to_owned();
    path.push(".sig");
    path.into()
}

/// Whether a list of approvers can be used.
///
/// # Errors
/// When it can't.
pub fn check_list(path: &Path) -> Result<(), ApprovalError> {
    read_list(path).map(drop)
}

impl Approval {
    /// Finds the approver who signed the plan: one whom all lists have.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(
        plan: &Path,
        raw: &RawDigest,
        lists: &[PathBuf],
        now: Timestamp,
    ) -> Result<Approval, ApprovalError> {
        let read: Vec<Vec<Signer>> = lists.iter().map(|path| read_list(path)).collect::<Result<_, _>>()?;
        let path = signature_path(plan);
        let unreadable =
            |why: String| ApprovalError::Unreadable { what: "signature", path: path.clone(), why };
        let bytes = bytes(&path).map_err(|error| match error {
            FileError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                ApprovalError::Unsigned { path: path.clone(), plan: plan.to_owned() }
            }
            error => unreadable(error.to_string()),
        })?;
        let signature = Signature::read(&bytes).map_err(unreadable)?;
        let fingerprint = signature.key.fingerprint();
        if !signature.is_of(raw) {
            return Err(ApprovalError::NotOfPlan { path: path.clone(), fingerprint });
        }
        let mut approval = Approval { lists: Vec::new(), fingerprint, principals: String::new() };
        for (path, signers) in lists.iter().zip(read) {
            approval.add(path, signers, &signature, now)?;
        }
        Ok(approval)
    }

    fn add(
        &mut self,
        path: &Path,
        signers: Vec<Signer>,
        signature: &Signature,
        now: Timestamp,
    ) -> Result<(), ApprovalError> {
        let own: Vec<Signer> = signers.into_iter().filter(|signer| signer.key == signature.key).collect();
        let fingerprint = || self.fingerprint.clone();
        match own.iter().find(|signer| signer.refuses(now).is_none()) {
            Some(signer) if self.principals.is_empty() => self.principals.clone_from(&signer.principals),
            Some(_) => {}
            None => {
                let refused = own.iter().find_map(|signer| Some((signer.line, signer.refuses(now)?)));
                let path = path.to_owned();
                return Err(match refused {
                    Some((line, why)) => {
                        ApprovalError::NotNow { fingerprint: fingerprint(), path, line, why }
                    }
                    None => ApprovalError::NoApprover { fingerprint: fingerprint(), path },
                });
            }
        }
        self.lists.push((path.to_owned(), own));
        Ok(())
    }

    /// Refuses the sender's own signature: a key that any line gives to the sender, in time or not, is the sender's.
    ///
    /// # Errors
    /// When it is.
    pub fn refuse_own(&self, sender: &PlanSender) -> Result<(), ApprovalError> {
        for (path, signers) in &self.lists {
            for signer in signers {
                let named = sender.names.iter().find(|name| signer.is_called(name));
                let account = || sender.accounts.iter().find(|account| signer.has_account(account));
                if let Some(name) = named.or_else(account) {
                    return Err(ApprovalError::OwnSignature {
                        fingerprint: self.fingerprint.clone(),
                        path: path.clone(),
                        line: signer.line,
                        sender: crate::text::sanitize::sanitize_truncated(name, 100),
                    });
                }
            }
        }
        Ok(())
    }

    /// For `run.json`.
    pub fn record(&self) -> ApprovalRecord {
        ApprovalRecord {
            principals: self.principals.clone(),
            key: self.fingerprint.clone(),
            approvers: self.lists.iter().map(|(path, _)| path.clone()).collect(),
        }
    }
}

fn read_list(path: &Path) -> Result<Vec<Signer>, ApprovalError> {
    let unreadable = |why: &str| ApprovalError::Unreadable {
        what: "list of approvers",
        path: path.to_owned(),
        why: why.to_owned(),
    };
    // Whoever may write to the list makes approvers of whom they like.
    let bytes = crate::files::read_secret(path, LONGEST, PipePolicy::Open)
        .map_err(|error| unreadable(&error.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not UTF-8: save it as UTF-8"))?;
    let signers = signers::read(text.trim_start_matches('\u{feff}'))
        .map_err(|bad| ApprovalError::BadLine { path: path.to_owned(), line: bad.line, why: bad.why })?;
    match signers.is_empty() {
        true => Err(ApprovalError::Nobody { path: path.to_owned() }),
        false => Ok(signers),
    }
}

/// All of a plain file.
fn bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    crate::files::read(path, LONGEST)
}
