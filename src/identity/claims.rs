//! What an access token says of itself. It is read to refuse mistakes before the first request and to name the
//! operator in the report; Graph alone decides what the token is worth.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// The claims that matter here. All are absent from an opaque token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TokenClaims {
    /// The tenant's id.
    pub tid: Option<String>,
    /// Whom the token is for.
    pub aud: Option<String>,
    /// The app's id.
    pub appid: Option<String>,
    /// The app's id in version 2 tokens.
    pub azp: Option<String>,
    /// `app` or `user`.
    pub idtyp: Option<String>,
    /// The app's permissions.
    pub roles: Option<Vec<String>>,
    /// The user's consented permissions, in a delegated token.
    pub scp: Option<String>,
    /// The signed-in user's name.
    pub upn: Option<String>,
    /// Template ids of the directory roles that the signed-in user holds in the whole tenant.
    pub wids: Option<Vec<String>>,
    /// When the token ends, in seconds since 1970.
    #[serde(deserialize_with = "seconds")]
    pub exp: Option<i64>,
}

impl TokenClaims {
    /// Reads a token's middle part; an opaque token has no claims.
    pub fn of(token: &str) -> TokenClaims {
        let middle = token.split('.').nth(1).unwrap_or_default();
        let decoded = URL_SAFE_NO_PAD.decode(middle.trim_end_matches('=')).unwrap_or_default();
        serde_json::from_slice(&decoded).unwrap_or_default()
    }

    /// Whether an app signed in without a user behind it; none where the token does not tell.
    pub fn app_only(&self) -> Option<bool> {
        match (self.idtyp.as_deref(), &self.scp, &self.roles) {
            (Some("app"), _, _) => Some(true),
            (Some("user"), _, _) | (_, Some(_), _) => Some(false),
            (_, None, Some(_)) => Some(true),
            _ => None,
        }
    }

    /// The permissions that the token lists; none where it lists none, as an opaque one does.
    pub fn permissions(&self) -> Vec<&str> {
        let scopes = self.scp.iter().flat_map(|scopes| scopes.split_whitespace());
        self.roles.iter().flatten().map(String::as_str).chain(scopes).collect()
    }

    /// The app's id.
    pub fn app(&self) -> Option<&str> {
        self.appid.as_deref().or(self.azp.as_deref())
    }
}

/// A number of seconds. What is none is passed over: the other claims are still good.
fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(serde_json::Value::deserialize(deserializer)?.as_i64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn an_app_is_told_from_a_user() {
        let app_only = |claims: &str| TokenClaims::of(&token(claims)).app_only();
        assert_eq!(app_only(r#"{"idtyp":"app","roles":["User.RevokeSessions.All"]}"#), Some(true));
        assert_eq!(app_only(r#"{"roles":["x"],"azp":"1"}"#), Some(true));
        assert_eq!(app_only(r#"{"scp":"User.RevokeSessions.All","roles":["x"]}"#), Some(false));
        assert_eq!(app_only("{}"), None);
    }

    #[test]
    fn permissions_are_listed_and_odd_times_passed_over() {
        let claims = TokenClaims::of(&token(r#"{"scp":"User.Read openid","exp":1700000000}"#));
        assert_eq!((claims.permissions(), claims.exp), (vec!["User.Read", "openid"], Some(1_700_000_000)));
        let claims = TokenClaims::of(&token(r#"{"roles":["A"],"exp":"soon"}"#));
        assert_eq!((claims.permissions(), claims.exp), (vec!["A"], None));
    }

    #[test]
    fn opaque_and_odd_tokens_have_no_claims() {
        for odd in ["opaque", "a.b.c", "..", "", "e30.bnVsbA.x"] {
            assert_eq!(TokenClaims::of(odd), TokenClaims::default(), "{odd}");
        }
    }
}
