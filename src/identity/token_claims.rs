//! The claims of an access token. They are read to refuse mistakes before the first request and to name the operator in
//! the report. Only Graph decides whether the token is valid.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::number;

/// The claims that this program uses. An opaque token has none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TokenClaims {
    /// The tenant's ID.
    pub tid: Option<String>,
    /// The audience.
    pub aud: Option<String>,
    /// The app's ID.
    pub appid: Option<String>,
    /// The app's ID in version 2 tokens.
    pub azp: Option<String>,
    /// `app` or `user`.
    pub idtyp: Option<String>,
    /// The app's permissions.
    pub roles: Option<Vec<String>>,
    /// The user's consented permissions, in a delegated token.
    pub scp: Option<String>,
    /// The signed-in user's name.
    pub upn: Option<String>,
    /// The object ID of the user, or of the app's service principal.
    pub oid: Option<String>,
    /// Template IDs of the directory roles that the signed-in user has in the whole tenant.
    pub wids: Option<Vec<String>>,
    /// When the token expires, in seconds since 1970; `None` if the claim is not a number.
    #[serde(deserialize_with = "whole_seconds")]
    pub exp: Option<i64>,
}

/// Reads seconds leniently, so that a claim of the wrong type does not hide the other claims.
fn whole_seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    let seconds = value.as_f64().filter(|_| value.is_number());
    Ok(seconds.and_then(number::timestamp_from_secs).map(Timestamp::as_second))
}

impl TokenClaims {
    /// Reads the middle part of a token; an opaque token has no claims.
    pub fn from_jwt(token: &str) -> TokenClaims {
        let middle = token.split('.').nth(1).unwrap_or_default();
        let decoded = URL_SAFE_NO_PAD.decode(middle.trim_end_matches('=')).unwrap_or_default();
        serde_json::from_slice(&decoded).unwrap_or_default()
    }

    /// Whether an app signed in without a user; `None` if the token does not say.
    pub fn is_app_only(&self) -> Option<bool> {
        match (self.idtyp.as_deref(), &self.scp, &self.roles) {
            (Some("app"), _, _) => Some(true),
            (Some("user"), _, _) | (_, Some(_), _) => Some(false),
            (_, None, Some(_)) => Some(true),
            _ => None,
        }
    }

    /// When the token expires, by its own claims.
    pub fn expires_at(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.exp?).ok()
    }

    /// The signed-in user: their name, or their object ID if the token has no name. `None` for an app.
    pub fn user_name_or_id(&self) -> Option<&str> {
        let oid = self.oid.as_deref().filter(|_| self.is_app_only() == Some(false));
        self.upn.as_deref().or(oid)
    }

    /// The permissions that the token lists; an opaque token lists none.
    pub fn permissions(&self) -> Vec<&str> {
        let scopes = self.scp.iter().flat_map(|scopes| scopes.split_whitespace());
        self.roles.iter().flatten().map(String::as_str).chain(scopes).collect()
    }

    /// The app's ID.
    pub fn app_id(&self) -> Option<&str> {
        self.appid.as_deref().or(self.azp.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn apps_and_users_are_distinguished() {
        let app_only = |claims: &str| TokenClaims::from_jwt(&token(claims)).is_app_only();
        assert_eq!(app_only(r#"{"idtyp":"app","roles":["User.RevokeSessions.All"]}"#), Some(true));
        assert_eq!(app_only(r#"{"roles":["x"],"azp":"1"}"#), Some(true));
        assert_eq!(app_only(r#"{"scp":"User.RevokeSessions.All","roles":["x"]}"#), Some(false));
        assert_eq!(app_only("{}"), None);
    }

    #[test]
    fn expiry_is_read_when_valid() {
        let ends =
            |claims: &str| TokenClaims::from_jwt(&token(claims)).expires_at().map(Timestamp::as_second);
        assert_eq!(ends(r#"{"exp":1800000000}"#), Some(1_800_000_000));
        assert_eq!(ends(r#"{"exp":1800000000.5}"#), Some(1_800_000_000));
        for none in [
            "{}",
            r#"{"exp":"soon"}"#,
            r#"{"exp":null}"#,
            r#"{"exp":1e300}"#,
            r#"{"exp":[1]}"#,
            r#"{"exp":9223372036854775807}"#,
        ] {
            assert_eq!(ends(none), None, "{none}");
        }
        let odd = TokenClaims::from_jwt(&token(r#"{"exp":"soon","tid":"a-tenant"}"#));
        assert_eq!(odd.tid.as_deref(), Some("a-tenant"));
    }

    #[test]
    fn a_user_has_a_name_or_an_id() {
        let user = |claims: &str| TokenClaims::from_jwt(&token(claims)).user_name_or_id().map(str::to_owned);
        assert_eq!(user(r#"{"scp":"x","upn":"a@b.c","oid":"1"}"#).as_deref(), Some("a@b.c"));
        assert_eq!(user(r#"{"scp":"x","oid":"1"}"#).as_deref(), Some("1"));
        assert_eq!(user(r#"{"roles":["x"],"oid":"1"}"#), None);
    }

    #[test]
    fn permissions_are_listed_and_invalid_times_ignored() {
        let claims = TokenClaims::from_jwt(&token(r#"{"scp":"User.Read openid","exp":1700000000}"#));
        assert_eq!((claims.permissions(), claims.exp), (vec!["User.Read", "openid"], Some(1_700_000_000)));
        let claims = TokenClaims::from_jwt(&token(r#"{"roles":["A"],"exp":"soon"}"#));
        assert_eq!((claims.permissions(), claims.exp), (vec!["A"], None));
    }

    #[test]
    fn opaque_and_odd_tokens_have_no_claims() {
        for odd in ["opaque", "a.b.c", "..", "", "e30.bnVsbA.x"] {
            assert_eq!(TokenClaims::from_jwt(odd), TokenClaims::default(), "{odd}");
        }
    }
}
