//! Credentials, the sources of access tokens.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    AppIdentity, Certificate, CliTool, ClientProof, DeviceCode, ManagedIdentity, SignInError, StaticToken,
};
use crate::http::HttpClients;

/// A source of access tokens.
#[derive(Debug)]
pub enum Credential {
    /// A ready access token.
    Static(StaticToken),
    /// An app that signs in as itself.
    App(AppIdentity),
    /// The identity of the machine or service.
    Managed(ManagedIdentity),
    /// The account that is signed in to another program.
    Cli(CliTool),
    /// A person, with a browser anywhere.
    Device(Box<DeviceCode>),
}

/// A token as it was issued.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: SecretString,
    /// Its lifetime; `None` if only Graph knows it.
    pub lifetime: Option<Duration>,
}

impl Credential {
    /// The word for it in reports and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Credential::Static(StaticToken::Inline(_)) => "token",
            Credential::Static(StaticToken::File(_)) => "token-file",
            Credential::App(app) => match &app.proof {
                ClientProof::Secret(_) => "client-secret",
                ClientProof::Certificate(_) => "certificate",
                ClientProof::Federated(federation) => federation.word(),
            },
            Credential::Device(_) => "device-code",
            Credential::Managed(_) => "managed-identity",
            Credential::Cli(tool) => tool.auth().word(),
        }
    }

    /// The certificate, if it signs in with one.
    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Credential::App(AppIdentity { proof: ClientProof::Certificate(certificate), .. }) => {
                Some(certificate)
            }
            _ => None,
        }
    }

    /// Whether its tokens are always app-only, without a user.
    pub fn is_app_only(&self) -> bool {
        matches!(self, Credential::App(_) | Credential::Managed(_))
    }

    /// Whether the token was passed in ready-made, so that this program can't renew it. Reading the same token again is
    /// then not a renewal.
    pub fn is_static(&self) -> bool {
        matches!(self, Credential::Static(_))
    }

    /// Whether it is a ready token in a file, which another program may replace.
    pub fn is_token_file(&self) -> bool {
        matches!(self, Credential::Static(StaticToken::File(_)))
    }

    /// Whether it can request a token that answers a claims challenge.
    pub(super) fn can_answer_challenges(&self) -> bool {
        matches!(self, Credential::App(_) | Credential::Device(_))
    }

    /// Gets a token, with the claims of a challenge if there was one.
    pub(super) async fn request(
        &self,
        http: &HttpClients,
        claims: Option<&str>,
    ) -> Result<IssuedToken, SignInError> {
        match self {
            Credential::Static(token) => token.read(http).await,
            Credential::App(app) => app.request(http, claims).await,
            Credential::Managed(identity) => identity.request(http).await,
            Credential::Cli(tool) => tool.request(claims).await,
            Credential::Device(person) => person.request(http, claims).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Auth, CredentialConfig, CredentialSources};

    /// Panics and log lines print the `Debug` output.
    #[test]
    fn no_credential_shows_its_secret_to_a_debugger() {
        let vars = |name: &str| match name {
            "SYSTEM_OIDCREQUESTURI" => Some("https://pipelines.example/oidctoken".to_owned()),
            "IDENTITY_ENDPOINT" => Some("http://127.0.0.1:1/msi/token".to_owned()),
            "AZURE_CLIENT_CERTIFICATE_PATH" => {
                Some(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/certificates/bags.pem").to_owned())
            }
            "AZURE_CLIENT_CERTIFICATE_PASSWORD" => Some("fake-password-CANARY-5d11".to_owned()),
            "ENTRA_REVOKE_TOKEN" | "AZURE_CLIENT_SECRET" | "SYSTEM_ACCESSTOKEN" | "IDENTITY_HEADER" => {
                Some("fake-CANARY".to_owned())
            }
            _ => None,
        };
        for auth in [
            Auth::Token,
            Auth::ClientSecret,
            Auth::Certificate,
            Auth::WorkloadIdentity,
            Auth::ManagedIdentity,
            Auth::DeviceCode,
        ] {
            let connection = (auth == Auth::WorkloadIdentity).then(|| "a-connection".to_owned());
            let offer = CredentialConfig {
                authority: "https://login.example".parse().unwrap(),
                scope: "https://graph.example/.default".to_owned(),
                tenant: Some("contoso.com".to_owned()),
                client_id: Some("an-app".to_owned()),
                sources: CredentialSources {
                    auth: Some(auth),
                    service_connection: connection,
                    ..CredentialSources::default()
                },
            };
            let candidates = offer.build_chain(&vars).unwrap();
            assert_eq!(candidates.first_method(), Some(auth));
            let shown = format!("{candidates:#?}");
            assert!(!shown.contains("CANARY") && !shown.contains("MII"), "{auth}: {shown}");
        }
    }
}
