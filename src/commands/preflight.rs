//! Warnings before the first request: the token expires too early, the run ends your own sign-in, or the disk is almost
//! full.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::connect::SignedInApp;
use crate::console::{self, TimeLeft};
use crate::doctor::{CheckStatus, machine, rate};
use crate::identity::TokenClaims;
use crate::settings::SendingSettings;
use crate::text::humanize;
use crate::user_id::UserId;

/// The IDs of the signed-in user; empty for an app.
pub(super) fn operator_ids(claims: &TokenClaims) -> Vec<UserId> {
    if claims.is_app_only() == Some(true) {
        return Vec::new();
    }
    let named = [&claims.upn, &claims.oid].into_iter().flatten().filter_map(|id| id.parse().ok());
    named.chain([UserId::Me]).collect()
}

/// Prints `doctor`'s warnings about the disk and the rate.
pub(super) fn warn_disk_and_rate(output_dir: &Path, sending: &SendingSettings) {
    for found in [machine::disk(output_dir), rate::check(sending, 1)] {
        if matches!(found.status, CheckStatus::Warning | CheckStatus::Failed) {
            let advice = found.advice.map(|advice| format!(" — {advice}")).unwrap_or_default();
            console::print_status(&format!("warning: {}: {}{advice}", found.check, found.finding));
        }
    }
}

/// Warns that the run ends the operator's own sign-in.
pub(super) fn warn_self_revocation(names_operator: bool, comes_last: bool) {
    if names_operator {
        let order = if comes_last { ", and come last" } else { "" };
        console::print_status(&format!(
            "warning: you are among the users{order}, as requested (--include-self): your own sessions end, \
             and so does this program's sign-in"
        ));
    }
}

/// Warns that a given access token expires before a run of this length ends.
pub(super) fn warn_token_expiry(signed_in_app: &SignedInApp, takes: TimeLeft) {
    let (Some(ends), Some(takes)) = (signed_in_app.token_expires_at, takes.span()) else { return };
    if let Some(text) = expiry_warning(ends, Timestamp::now(), takes, signed_in_app.rereads_token_file) {
        console::print_status(&text);
    }
}

fn expiry_warning(ends: Timestamp, now: Timestamp, takes: Duration, rereads: bool) -> Option<String> {
    let left = Duration::try_from(ends.duration_since(now)).unwrap_or_default();
    if left > takes {
        return None;
    }
    let what = if rereads {
        "unless its file has a new one by then, the run stops cleanly"
    } else {
        "the run then stops cleanly"
    };
    Some(format!(
        "warning: the access token expires at {} UTC, in {}, but the run takes about {}: {what}, and `resume` \
         continues with a new token",
        ends.strftime("%H:%M:%S"),
        humanize::span(left),
        humanize::span(takes),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_warning_for_token_that_outlasts_the_run() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (now, takes) = (at(1_800_000_000), Duration::from_secs(600));
        assert_eq!(expiry_warning(at(1_800_000_601), now, takes, false), None);
        let text = expiry_warning(at(1_800_000_300), now, takes, false).unwrap();
        assert!(text.contains("expires at 08:05:00 UTC, in 5m00s, but the run takes about 10m00s"), "{text}");
        assert!(expiry_warning(at(1_800_000_300), now, takes, true).unwrap().contains("unless its file"));
        assert!(expiry_warning(at(1_799_999_999), now, takes, false).unwrap().contains("in 0s"));
    }

    #[test]
    fn operator_ids_include_upn_oid_and_me() {
        let claims = TokenClaims {
            upn: Some("Op@Contoso.com".to_owned()),
            oid: Some("0B5E5D1E-1111-4222-8333-444455556666".to_owned()),
            scp: Some("x".to_owned()),
            ..TokenClaims::default()
        };
        let own = operator_ids(&claims);
        for id in ["op@contoso.com", "0b5e5d1e-1111-4222-8333-444455556666", "me"] {
            assert!(own.contains(&id.parse().unwrap()), "{id}");
        }
        let app = TokenClaims { idtyp: Some("app".to_owned()), ..claims };
        assert_eq!(operator_ids(&app), Vec::new());
    }
}
