//! The ways to sign in, by the words of `--auth`.

use std::fmt;
use std::str::FromStr;

/// A way to sign in (`--auth`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// The first of the others that is set up here.
    #[default]
    Auto,
    /// A ready access token.
    Token,
    /// An app's secret.
    ClientSecret,
}

impl Auth {
    /// All words of the flag.
    pub const ALL: [Auth; 3] = [Auth::Auto, Auth::Token, Auth::ClientSecret];

    /// What [`Auth::Auto`] tries, in this order: what was given for this program, then the environment and default
    /// chains of Azure Identity (learn.microsoft.com/azure/developer/intro/authentication-overview).
    pub const CHAIN: [Auth; 2] = [Auth::Token, Auth::ClientSecret];

    /// The word of the flag.
    pub fn word(self) -> &'static str {
        match self {
            Auth::Auto => "auto",
            Auth::Token => "token",
            Auth::ClientSecret => "client-secret",
        }
    }
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that is no way to sign in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no way to sign in; the words are: {words}", words = Auth::ALL.map(Auth::word).join(", "))]
pub struct UnknownAuth(String);

impl FromStr for Auth {
    type Err = UnknownAuth;

    fn from_str(word: &str) -> Result<Self, UnknownAuth> {
        let same = |auth: &Auth| auth.word().eq_ignore_ascii_case(word);
        Auth::ALL.into_iter().find(same).ok_or_else(|| UnknownAuth(word.to_owned()))
    }
}
