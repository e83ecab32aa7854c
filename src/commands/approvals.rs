//! Checks that a plan has the signature of a second person: an approver who is not the sender.

use std::path::PathBuf;

use super::connect::SignedInApp;
use crate::approval::{Approval, ApprovalError, ApprovalRecord, PlanSender};
use crate::console;
use crate::directory::UncheckedRead;
use crate::error::Error;
use crate::plan_file::{PlanFile, PlanFileHead};

/// What is known about the approval before the sign-in.
pub(super) enum ApprovedPlan {
    /// No approval is required.
    NotRequired,
    /// There is a valid signature by an approver.
    Approved(Approval),
    /// There is none, but the plan is only shown, and nothing will be revoked.
    Missing(ApprovalError),
}

impl ApprovedPlan {
    /// Looks for the signature of an approver on all of these lists. Without one, the plan may still be shown, because
    /// an approver looks at it first.
    ///
    /// # Errors
    /// When there is none, and `dry_run` is not set.
    pub(super) fn find(file: &PlanFile, lists: &[PathBuf], dry_run: bool) -> Result<ApprovedPlan, Error> {
        if lists.is_empty() {
            return Ok(ApprovedPlan::NotRequired);
        }
        match Approval::find(&file.path, &file.raw, lists, crate::dispatch::now()) {
            Ok(approval) => Ok(ApprovedPlan::Approved(approval)),
            Err(why) if dry_run => Ok(ApprovedPlan::Missing(why)),
            Err(why) => Err(why.into()),
        }
    }

    /// Refuses the sender's own signature, and returns the record of the approval.
    ///
    /// # Errors
    /// When the signature is the sender's, and `dry_run` is not set.
    pub(super) async fn require_other_signer(
        self,
        head: &PlanFileHead,
        signed_in_app: &SignedInApp,
        prints_status: bool,
        dry_run: bool,
    ) -> Result<Option<ApprovalRecord>, Error> {
        let approval = match self {
            ApprovedPlan::NotRequired => return Ok(None),
            ApprovedPlan::Approved(approval) => approval,
            ApprovedPlan::Missing(why) => {
                console::print_status(&format!("apply would stop here: {why}"));
                return Ok(None);
            }
        };
        let sender = plan_sender(head, signed_in_app, prints_status).await;
        match approval.check_not_sender(&sender) {
            Err(why) if dry_run => console::print_status(&format!("apply would stop here: {why}")),
            refused => refused?,
        }
        let record = approval.record();
        if prints_status {
            console::print_status(&format!("approved by {} ({})", record.principals, record.key));
        }
        Ok(Some(record))
    }
}

/// The sender of the plan. The sign-in of a person names them. The sign-in of an app names no person, so the person who
/// made the plan, the account on this machine, and the app itself count as the sender.
async fn plan_sender(head: &PlanFileHead, signed_in_app: &SignedInApp, prints_status: bool) -> PlanSender {
    let claims = &signed_in_app.claims;
    let is_app = claims.is_app_only() == Some(true);
    let mut sender = PlanSender::default();
    if !is_app {
        sender.names.extend([&claims.upn, &claims.oid].into_iter().flatten().cloned());
        let mut unchecked = Vec::new();
        // A token without readable claims does not name its user, but Graph does.
        match signed_in_app.directory.me().await {
            Ok(Some(me)) => {
                sender.names.push(me.id.to_string());
                sender.names.extend(me.upn.map(String::from));
            }
            Ok(None) => {}
            Err(why) => unchecked.push(UncheckedRead::new(why).line("further names of the signed-in user")),
        }
        if !sender.names.is_empty() {
            match signed_in_app.directory.my_mail_addresses().await {
                Ok(addresses) => sender.names.extend(addresses),
                Err(why) => unchecked.push(UncheckedRead::new(why).line("your own mail addresses")),
            }
        }
        if !unchecked.is_empty() && prints_status {
            console::print_status(&format!("not checked: {}", unchecked.join("; ")));
        }
    }
    if sender.names.is_empty() {
        let (made_by, own) = (&head.made_by, &signed_in_app.operator);
        let names = [&made_by.user, &made_by.app_id, &own.app_id];
        sender.names.extend(names.into_iter().flatten().cloned());
        sender.accounts.extend([&made_by.local_user, &own.local_user].into_iter().flatten().cloned());
        if prints_status {
            console::print_status(
                "the sign-in does not name a person, so the planner and the account on this machine count as \
                 the sender",
            );
        }
    }
    sender.names.retain(|name| !name.trim().is_empty());
    sender.accounts.retain(|name| !name.trim().is_empty());
    sender
}
