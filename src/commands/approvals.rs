//! Whether a plan has the signature of a second person: an approver who is not the sender.

use std::path::PathBuf;

use super::connect::SignedInApp;
use crate::approval::{Approval, ApprovalError, ApprovalRecord, PlanSender};
use crate::console;
use crate::directory::UncheckedRead;
use crate::error::Error;
use crate::plan_file::{PlanFile, PlanFileHead};

/// What is known of the approval before anybody signs in.
pub(super) enum ApprovedPlan {
    /// Nobody asks for one.
    NotRequired,
    /// There is a good signature of an approver.
    Approved(Approval),
    /// There is none, and nothing will be sent: the plan is only shown.
    Missing(ApprovalError),
}

impl ApprovedPlan {
    /// Looks for the signature of an approver on all of these lists. Without one, a plan may still be shown: whoever
    /// approves it looks first.
    ///
    /// # Errors
    /// When there is none, and the plan is to be sent.
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

    /// Refuses the sender's own signature, and gives who approved.
    ///
    /// # Errors
    /// When the sender signed, and the plan is to be sent.
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
        match approval.refuse_own(&sender) {
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

/// Who sends. The sign-in of a person names them; that of an app names nobody: then whoever made the plan, the account
/// on this machine, and the app itself count as the sender.
async fn plan_sender(head: &PlanFileHead, signed_in_app: &SignedInApp, prints_status: bool) -> PlanSender {
    let claims = &signed_in_app.claims;
    let is_app = claims.is_app_only() == Some(true);
    let mut sender = PlanSender::default();
    if !is_app {
        sender.names.extend([&claims.upn, &claims.oid].into_iter().flatten().cloned());
        let mut unchecked = Vec::new();
        // A token without claims does not tell whose it is; Graph does.
        match signed_in_app.directory.me().await {
            Ok(Some(me)) => {
                sender.names.push(me.id.to_string());
                sender.names.extend(me.upn.map(String::from));
            }
            Ok(None) => {}
            Err(why) => {
                unchecked.push(UncheckedRead::new(why).line("who signs in, beside what the token says"))
            }
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
                "the sign-in names no person: who made the plan, and the account on this machine, count as the sender",
            );
        }
    }
    sender.names.retain(|name| !name.trim().is_empty());
    sender.accounts.retain(|name| !name.trim().is_empty());
    sender
}
