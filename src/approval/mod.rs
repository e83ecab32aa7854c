//! The two-person rule: a plan is applied only with the signature of an approver who is not the sender.
//!
//! ```text
//!  approvers (allowed_signers) ──┐
//! plan.json.sig (ssh-keygen) ───┼─▶ check: valid, listed, in time ─▶ Approval ──▶ not the sender's ──▶ apply
//!  hashes of plan.json as read ──┘
//! ```
//!
//! The signature covers exactly the bytes of the plan that were read. Keys are compared in SSH's wire format.

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

/// The namespace of approvals: `ssh-keygen -Y sign -n entra-revoke`.
pub const NAMESPACE: &str = "entra-revoke";

/// The maximum size of a list of approvers and of a signature, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A plan is not approved, or its approval can't be checked, so nothing is revoked.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// A file can't be read.
    #[error("can't read the {what} {path}: {why}", path = path.display())]
    Unreadable {
        /// The kind of file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no signature.
    #[error(
        "the plan is not approved: {path} does not exist. An approver makes it with: ssh-keygen -Y sign \
         -f KEY -n {NAMESPACE} {plan}",
        path = path.display(), plan = plan.display()
    )]
    MissingSignature {
        /// The path of the missing signature.
        path: PathBuf,
        /// The plan.
        plan: PathBuf,
    },
    /// A line of the list is not valid.
    #[error("can't use the list of approvers {path}: line {line}: {why}", path = path.display())]
    BadLine {
        /// The list.
        path: PathBuf,
        /// The line number.
        line: usize,
        /// Why.
        why: String,
    },
    /// The list is empty.
    #[error("the list of approvers {path} is empty: add a line for each approver", path = path.display())]
    EmptyList {
        /// The list.
        path: PathBuf,
    },
    /// The signature is not for this plan.
    #[error(
        "the plan is not approved: {path} is not a valid signature of this plan by the key {fingerprint}. If \
         the plan was changed or made again, an approver must sign it again", path = path.display()
    )]
    SignatureMismatch {
        /// The signature.
        path: PathBuf,
        /// The key.
        fingerprint: String,
    },
    /// The key is not on the list.
    #[error(
        "the plan is not approved: it is signed by the key {fingerprint}, which is not on the list of \
         approvers {path}",
        path = path.display()
    )]
    UnknownKey {
        /// The key.
        fingerprint: String,
        /// The list.
        path: PathBuf,
    },
    /// The key is on the list, but may not approve plans, or not at this time.
    #[error(
        "the plan is not approved: it is signed by the key {fingerprint}, but line {line} of the list of \
         approvers {path} does not allow it: {why}", path = path.display()
    )]
    NotAllowed {
        /// The key.
        fingerprint: String,
        /// The list.
        path: PathBuf,
        /// The line number.
        line: usize,
        /// Why not.
        why: &'static str,
    },
    /// The sender signed it.
    #[error(
        "the plan is not approved by a second person: the key {fingerprint} that signed it belongs to the \
         sender ({sender}), according to line {line} of the list of approvers {path}", path = path.display()
    )]
    OwnSignature {
        /// The key.
        fingerprint: String,
        /// The list.
        path: PathBuf,
        /// The line number.
        line: usize,
        /// The sender's name that matches.
        sender: String,
    },
}

/// The names of the sender, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct PlanSender {
    /// Names and IDs.
    pub names: Vec<String>,
    /// Names of accounts on machines. A principal may consist of such a name, or have it before the `@`.
    pub accounts: Vec<String>,
}

/// A valid signature of an approver.
#[derive(Debug)]
pub struct Approval {
    /// The lists, each with its lines for the key.
    lists: Vec<(PathBuf, Vec<Signer>)>,
    fingerprint: String,
    principals: String,
}

/// The approval of a plan, for the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRecord {
    /// The owners of the key, according to the list of approvers.
    pub principals: String,
    /// The fingerprint of the key.
    pub key: String,
    /// The lists of approvers that have the key.
    pub approvers: Vec<PathBuf>,
}

/// The path of a plan's signature: next to the plan.
pub fn signature_path(plan: &Path) -> PathBuf {
    let mut path = plan.as_os_str().to_owned();
    path.push(".sig");
    path.into()
}

/// Checks that a list of approvers can be used.
///
/// # Errors
/// When it can't be used.
pub fn check_list(path: &Path) -> Result<(), ApprovalError> {
    read_list(path).map(drop)
}

impl Approval {
    /// Finds the approver who signed the plan. All lists must have the key.
    ///
    /// # Errors
    /// When there is no such approver.
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
        let bytes = read_signature_file(&path).map_err(|error| match error {
            FileError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                ApprovalError::MissingSignature { path: path.clone(), plan: plan.to_owned() }
            }
            error => unreadable(error.to_string()),
        })?;
        let signature = Signature::read(&bytes).map_err(unreadable)?;
        let fingerprint = signature.key.fingerprint();
        if !signature.verifies(raw) {
            return Err(ApprovalError::SignatureMismatch { path: path.clone(), fingerprint });
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
        match own.iter().find(|signer| signer.refusal_reason(now).is_none()) {
            Some(signer) if self.principals.is_empty() => self.principals.clone_from(&signer.principals),
            Some(_) => {}
            None => {
                let refused = own.iter().find_map(|signer| Some((signer.line, signer.refusal_reason(now)?)));
                let path = path.to_owned();
                return Err(match refused {
                    Some((line, why)) => {
                        ApprovalError::NotAllowed { fingerprint: fingerprint(), path, line, why }
                    }
                    None => ApprovalError::UnknownKey { fingerprint: fingerprint(), path },
                });
            }
        }
        self.lists.push((path.to_owned(), own));
        Ok(())
    }

    /// Refuses the sender's own signature. The key is the sender's if any line says so, even one that is not
    /// valid now.
    ///
    /// # Errors
    /// When the key is the sender's.
    pub fn check_not_sender(&self, sender: &PlanSender) -> Result<(), ApprovalError> {
        for (path, signers) in &self.lists {
            for signer in signers {
                let named = sender.names.iter().find(|name| signer.matches_name(name));
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

    /// The record for `run.json`.
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
    // Anyone who can write to the list can add approvers.
    let bytes = crate::files::read_secret(path, MAX_FILE_BYTES, PipePolicy::Open)
        .map_err(|error| unreadable(&error.to_string()))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not UTF-8: save it as UTF-8"))?;
    let signers = signers::read(text.trim_start_matches('\u{feff}'))
        .map_err(|bad| ApprovalError::BadLine { path: path.to_owned(), line: bad.line, why: bad.why })?;
    match signers.is_empty() {
        true => Err(ApprovalError::EmptyList { path: path.to_owned() }),
        false => Ok(signers),
    }
}

/// Reads a whole regular file.
fn read_signature_file(path: &Path) -> Result<Vec<u8>, FileError> {
    crate::files::read(path, MAX_FILE_BYTES)
}
