//! What the token says about itself: tenant, audience, identity, expiry.

use super::Finding;
use crate::identity::TokenClaims;
use crate::text::humanize;
use crate::text::sanitize::sanitize_truncated;

/// A token that expires sooner is reported, in seconds.
const EXPIRY_WARNING_SECONDS: i64 = 600;

/// Compares the token's tenant with the one you named. `resolved` is the ID of that name, if the authority returned it.
pub fn check_tenant(named: Option<&str>, resolved: Option<&str>, claims: &TokenClaims) -> Finding {
    let Some(found) = claims.tid.as_deref().map(|tid| sanitize_truncated(tid, 80)) else {
        return Finding::info(
            "tenant",
            "the token does not name its tenant: make sure that it is the right one",
        );
    };
    let Some(named) = named else {
        return Finding::info("tenant", format!("{found}, from the token; no --tenant was given"));
    };
    let shown = sanitize_truncated(named, 80);
    let id = if uuid::Uuid::try_parse(named).is_ok() { Some(named) } else { resolved };
    match id {
        Some(id) if id.eq_ignore_ascii_case(&found) && id.eq_ignore_ascii_case(named) => {
            Finding::ok("tenant", found)
        }
        Some(id) if id.eq_ignore_ascii_case(&found) => Finding::ok("tenant", format!("{shown} is {found}")),
        Some(id) => {
            let is = if id.eq_ignore_ascii_case(named) { String::new() } else { format!(" (which is {id})") };
            Finding::fatal(
                "tenant",
                format!("the token is for {found}, but you named {shown}{is}"),
                "name the token's tenant (--tenant, AZURE_TENANT_ID), or sign in to the tenant you named",
                4,
            )
        }
        None => Finding::warning(
            "tenant",
            format!("{found}, from the token; the authority does not say whether that is {shown}"),
            "name the tenant by its ID (--tenant)",
        ),
    }
}

/// Who signed in.
pub fn check_identity(claims: &TokenClaims) -> Finding {
    let app = claims.app_id().map_or_else(
        || "an app that it does not name".to_owned(),
        |id| format!("app {}", sanitize_truncated(id, 80)),
    );
    match (claims.is_app_only(), claims.upn.as_deref()) {
        (Some(true), _) => Finding::ok("identity", format!("{app}, without a user")),
        (_, Some(upn)) => {
            Finding::ok("identity", format!("user {}, through {app}", sanitize_truncated(upn, 120)))
        }
        (Some(false), None) => {
            Finding::ok("identity", format!("a user that the token does not name, through {app}"))
        }
        (None, None) => Finding::info("identity", "the token does not say who signed in"),
    }
}

/// When the token expires. `now` is the server's time if it is known. `renews` is whether the program renews the token
/// automatically.
pub fn check_expiry(claims: &TokenClaims, now: i64, renews: bool) -> Finding {
    let Some(end) = claims.exp else {
        return Finding::info("token-end", "the token does not say when it expires");
    };
    let at = jiff::Timestamp::from_second(end).map_or_else(|_| "never".to_owned(), |at| at.to_string());
    let remaining = end.saturating_sub(now);
    let span = humanize::span(std::time::Duration::from_secs(remaining.unsigned_abs()));
    match () {
        () if renews => Finding::ok("token-end", format!("expires in {span} ({at}); renewed automatically")),
        () if remaining <= 0 => Finding::fatal(
            "token-end",
            format!("the token expired {span} ago ({at})"),
            "get a new one: this sign-in method can't renew it",
            4,
        ),
        () if remaining < EXPIRY_WARNING_SECONDS => Finding::warning(
            "token-end",
            format!("expires in {span} ({at}), and it is not renewed"),
            "get a new one, or sign in as an app: a run stops when the token expires, and can be resumed",
        ),
        () => Finding::info("token-end", format!("expires in {span} ({at}); it is not renewed")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    const ID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
    const OTHER: &str = "11111111-0000-4000-8000-000000000001";

    fn claims(tid: &str) -> TokenClaims {
        TokenClaims { tid: Some(tid.to_owned()), ..TokenClaims::default() }
    }

    #[test]
    fn tenants_are_compared_by_id_and_resolved_domain() {
        let status = |named, resolved| {
            let found = check_tenant(named, resolved, &claims(ID));
            (found.status, found.exit_code)
        };
        let upper = ID.to_uppercase();
        assert_eq!(status(Some(&upper), None), (CheckStatus::Ok, None));
        assert_eq!(status(Some("contoso.com"), Some(ID)), (CheckStatus::Ok, None));
        assert_eq!(status(Some("contoso.com"), Some(OTHER)), (CheckStatus::Failed, Some(4)));
        assert_eq!(status(Some(OTHER), Some(ID)), (CheckStatus::Failed, Some(4)), "an id is itself");
        assert_eq!(status(Some("contoso.com"), None), (CheckStatus::Warning, None));
        assert_eq!(status(None, None), (CheckStatus::Info, None));
        assert_eq!(check_tenant(Some(ID), None, &TokenClaims::default()).status, CheckStatus::Info);
        assert!(check_tenant(Some("contoso.com"), Some(OTHER), &claims(ID)).finding.contains(OTHER));
    }

    #[test]
    fn signed_in_name_is_sanitized() {
        let user = TokenClaims {
            upn: Some("ann\u{1b}[2J@contoso.com".into()),
            scp: Some("x".into()),
            appid: Some("a1".into()),
            ..TokenClaims::default()
        };
        assert_eq!(check_identity(&user).finding, "user ann\\u{1b}[2J@contoso.com, through app a1");
        let app =
            TokenClaims { idtyp: Some("app".into()), appid: Some("a1".into()), ..TokenClaims::default() };
        assert_eq!(check_identity(&app).finding, "app a1, without a user");
        assert_eq!(check_identity(&TokenClaims::default()).status, CheckStatus::Info);
    }

    #[test]
    fn short_lived_token_without_renewal_warns() {
        let claims = TokenClaims { exp: Some(1_000_000), ..TokenClaims::default() };
        let status = |now, renews| check_expiry(&claims, now, renews).status;
        assert_eq!([status(999_000, false), status(999_999, true)], [CheckStatus::Info, CheckStatus::Ok]);
        assert_eq!(
            [status(999_900, false), status(1_000_000, false)],
            [CheckStatus::Warning, CheckStatus::Failed]
        );
        assert_eq!(check_expiry(&TokenClaims::default(), 0, false).status, CheckStatus::Info);
        let odd = TokenClaims { exp: Some(i64::MAX), ..TokenClaims::default() };
        assert_eq!(check_expiry(&odd, -5, false).status, CheckStatus::Info);
    }
}
