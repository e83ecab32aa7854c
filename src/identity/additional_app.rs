//! Further apps that send next to the first app of a tenant, and what they sign in with.
//!
//! The secrets in the environment belong to the first app. A further app has its own files, or proves itself with what
//! its surroundings (a cluster, a pipeline, a machine) give it.

use serde::{Deserialize, Serialize};

use super::{Auth, CredentialSources, process_variable};

/// An app that sends next to the first one in the same tenant, as a profile names it. The struct holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdditionalApp {
    /// Its name in messages: its profile, or its position in one.
    pub name: String,
    /// The tenant of its profile; used only if the first app does not name a tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The app's ID.
    pub client_id: Option<String>,
    /// What it signs in with.
    #[serde(flatten)]
    pub sources: CredentialSources,
}

/// Variables that only the first app may use.
const FIRST_APP_VARIABLES: [&str; 6] = [
    "ENTRA_REVOKE_TOKEN",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
];

/// A variable of this process, for a further app; the first app's variables are hidden.
pub fn additional_app_variables(name: &str) -> Option<String> {
    if FIRST_APP_VARIABLES.contains(&name) { None } else { process_variable(name) }
}

impl AdditionalApp {
    /// The app for messages: its ID and its name.
    pub fn display_name(&self) -> String {
        match &self.client_id {
            Some(id) => format!("{id} ({})", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether its sign-in needs the tenant's name. Other methods get tokens for the tenant of their surroundings.
    pub fn needs_tenant(&self) -> bool {
        matches!(self.sources.method(), Auth::ClientSecret | Auth::Certificate | Auth::WorkloadIdentity)
    }

    /// Why this can't be a further app, as far as the settings alone show it.
    pub fn problem(&self) -> Option<String> {
        let sources = &self.sources;
        let needs = |key: &str| {
            format!(
                "a further app needs {key}, because the secrets in the environment belong to the first app"
            )
        };
        match sources.method() {
            Auth::Auto => Some(
                "it has no sign-in method: set client_secret_file, certificate_file, federated_token_file, \
                 service_connection, identity or token_file, or auth = \"workload-identity\" or \
                 \"managed-identity\""
                    .to_owned(),
            ),
            way @ (Auth::DeviceCode | Auth::AzureCli | Auth::AzureDeveloperCli) => Some(format!(
                "{way} signs in a user, but a further app must sign in as an app: use a certificate, a secret \
                 file, federation or a managed identity"
            )),
            _ if sources.reads_stdin() => {
                Some("standard input (-) is only for the first app: name a file".to_owned())
            }
            Auth::ClientSecret if sources.client_secret_file.is_none() => Some(needs("client_secret_file")),
            Auth::Certificate if sources.certificate_file.is_none() => Some(needs("certificate_file")),
            Auth::Token if sources.token_file.is_none() => Some(needs("token_file")),
            Auth::ClientSecret | Auth::Certificate | Auth::WorkloadIdentity if self.client_id.is_none() => {
                Some("it has no client_id".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn app(auth: Option<Auth>, files: u8, client_id: bool) -> AdditionalApp {
        let file = |bit: u8| (files & (1 << bit) != 0).then(|| "file".into());
        AdditionalApp {
            name: "second".to_owned(),
            tenant: None,
            client_id: client_id.then(|| "app-2".to_owned()),
            sources: CredentialSources {
                auth,
                token_file: file(0),
                client_secret_file: file(1),
                certificate_file: file(2),
                federated_token_file: file(3),
                identity: file(4).map(|_: std::path::PathBuf| "an-identity".to_owned()),
                ..CredentialSources::default()
            },
        }
    }

    proptest! {
        /// An accepted app never asks a person, never reads the first app's secrets, and has a sign-in method.
        #[test]
        fn what_passes_is_an_app_with_means_of_its_own(
            auth in prop::option::of(prop::sample::select(Auth::ALL.to_vec())),
            files in 0..32_u8,
            client_id: bool,
        ) {
            let app = app(auth, files, client_id);
            if app.problem().is_none() {
                let own = match app.sources.method() {
                    Auth::Token => app.sources.token_file.is_some(),
                    Auth::ClientSecret => app.sources.client_secret_file.is_some() && client_id,
                    Auth::Certificate => app.sources.certificate_file.is_some() && client_id,
                    Auth::WorkloadIdentity => client_id,
                    Auth::ManagedIdentity => true,
                    _ => false,
                };
                prop_assert!(own, "{app:?}");
            }
        }

        /// `run.json` returns the app that was written to it.
        #[test]
        fn app_survives_a_serde_round_trip(
            auth in prop::option::of(prop::sample::select(Auth::ALL.to_vec())),
            files in 0..32_u8,
            client_id: bool,
        ) {
            let app = app(auth, files, client_id);
            let json = serde_json::to_string(&app).unwrap();
            prop_assert_eq!(serde_json::from_str::<AdditionalApp>(&json).unwrap(), app);
        }
    }

    #[test]
    fn each_problem_is_reported() {
        let says = |auth, files, words: &str| {
            let problem = app(auth, files, true).problem().unwrap();
            assert!(problem.contains(words), "{problem}");
        };
        says(None, 0, "no sign-in method");
        says(Some(Auth::DeviceCode), 0, "signs in a user");
        says(Some(Auth::AzureCli), 0, "signs in a user");
        says(Some(Auth::ClientSecret), 0, "client_secret_file");
        let mut stdin = app(None, 0, true);
        stdin.sources.client_secret_file = Some("-".into());
        assert!(stdin.problem().unwrap().contains("standard input"));
        assert!(app(None, 2, false).problem().unwrap().contains("client_id"));
        assert_eq!(app(Some(Auth::ManagedIdentity), 0, false).problem(), None);
        assert_eq!(app(None, 2, true).display_name(), "app-2 (second)");
    }
}
