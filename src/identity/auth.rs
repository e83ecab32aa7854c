//! The sign-in methods, by the words of `--auth`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A sign-in method (`--auth`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// The first of the others that is set up here.
    #[default]
    Auto,
    /// A ready access token.
    Token,
    /// An app's secret.
    ClientSecret,
    /// An app's certificate.
    Certificate,
    /// An app that trusts the tokens of a cluster or a pipeline.
    WorkloadIdentity,
    /// The identity of the machine or service that the program runs on.
    ManagedIdentity,
    /// The account that is signed in to the Azure CLI.
    AzureCli,
    /// The account that is signed in to the Azure Developer CLI.
    AzureDeveloperCli,
    /// A person, with a browser anywhere.
    DeviceCode,
}

impl Auth {
    /// All words of the flag.
    pub const ALL: [Auth; 9] = [
        Auth::Auto,
        Auth::Token,
        Auth::ClientSecret,
        Auth::Certificate,
        Auth::WorkloadIdentity,
        Auth::ManagedIdentity,
        Auth::AzureCli,
        Auth::AzureDeveloperCli,
        Auth::DeviceCode,
    ];

    /// What [`Auth::Auto`] tries, in this order: first what was set for this program, then Azure Identity's environment
    /// and default chains (learn.microsoft.com/azure/developer/python/sdk/authentication/credential-chains). A
    /// device code is never tried, because it needs a person.
    pub const CHAIN: [Auth; 7] = [
        Auth::Token,
        Auth::ClientSecret,
        Auth::Certificate,
        Auth::WorkloadIdentity,
        Auth::ManagedIdentity,
        Auth::AzureCli,
        Auth::AzureDeveloperCli,
    ];

    /// Whether only an attempt shows if this machine has it.
    pub(super) fn depends_on_machine(self) -> bool {
        matches!(self, Auth::ManagedIdentity | Auth::AzureCli | Auth::AzureDeveloperCli)
    }

    /// Whether it gets its tokens from the cloud's authority directly. The others get them elsewhere.
    pub fn uses_authority(self) -> bool {
        matches!(self, Auth::ClientSecret | Auth::Certificate | Auth::WorkloadIdentity | Auth::DeviceCode)
    }

    /// The word of the flag.
    pub fn word(self) -> &'static str {
        match self {
            Auth::Auto => "auto",
            Auth::Token => "token",
            Auth::ClientSecret => "client-secret",
            Auth::Certificate => "certificate",
            Auth::WorkloadIdentity => "workload-identity",
            Auth::ManagedIdentity => "managed-identity",
            Auth::AzureCli => "azure-cli",
            Auth::AzureDeveloperCli => "azure-developer-cli",
            Auth::DeviceCode => "device-code",
        }
    }
}

impl fmt::Display for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that is not a sign-in method.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid sign-in method '{0}' (possible values: {words})", words = Auth::ALL.map(Auth::word).join(", "))]
pub struct UnknownAuth(String);

impl FromStr for Auth {
    type Err = UnknownAuth;

    fn from_str(word: &str) -> Result<Self, UnknownAuth> {
        let same = |auth: &Auth| auth.word().eq_ignore_ascii_case(word);
        Auth::ALL.into_iter().find(same).ok_or_else(|| UnknownAuth(word.to_owned()))
    }
}
