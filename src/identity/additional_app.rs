//! Further apps: what they sign in with, beside the first app of a tenant.
//!
//! The environment's secrets are the first app's. A further one has files of its own, or proves itself by what its
//! surroundings give to whoever they trust: a cluster, a pipeline, a machine.

use serde::{Deserialize, Serialize};

use super::{Auth, CredentialSources, process_variables};

/// An app that sends beside the first one in the same tenant, as a profile names it. It holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdditionalApp {
    /// What it is called: its profile, or its place in one.
    pub name: String,
    /// The tenant of its profile; it counts only where the first app names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The app's id.
    pub client_id: Option<String>,
    /// What it signs in with.
    #[serde(flatten)]
    pub sources: CredentialSources,
}

/// Variables that belong to the first app alone.
const FIRST_APP_VARIABLES: [&str; 6] = [
    "ENTRA_REVOKE_TOKEN",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
];

/// The variables of this process, as a further app may use them: without those that are the first app's.
pub fn additional_app_variables(name: &str) -> Option<String> {
    if FIRST_APP_VARIABLES.contains(&name) { None } else { process_variables(name) }
}

impl AdditionalApp {
    /// The app for messages: its id, and what names it.
    pub fn display_name(&self) -> String {
        match &self.client_id {
            Some(id) => format!("{id} ({})", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether it signs in to the tenant by its name; others get the tenant that their surroundings belong to.
    pub fn needs_tenant(&self) -> bool {
        matches!(self.sources.method(), Auth::ClientSecret | Auth::Certificate | Auth::WorkloadIdentity)
    }

    /// Why this can't be a further app, if that shows without asking anybody.
    pub fn problem(&self) -> Option<String> {
        let sources = &self.sources;
        let needs = |key: &str| {
            format!("a further app needs {key}: the environment's secrets are the first app's alone")
        };
        match sources.method() {
            Auth::Auto => Some(
                "nothing says how it signs in: name client_secret_file, certificate_file, federated_token_file, \
                 service_connection, identity or token_file, or write auth = \"workload-identity\" or \
                 \"managed-identity\""
                    .to_owned(),
            ),
            way @ (Auth::DeviceCode | Auth::AzureCli | Auth::AzureDeveloperCli) => Some(format!(
                "{way} signs a person in, and a further app acts as itself: give it a certificate, a secret's file, \
                 federation or a managed identity"
            )),
            _ if sources.reads_stdin() => {
                Some("standard input (-) is the first app's alone: name a file".to_owned())
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
        /// What passes never asks a person, never reads the first app's secrets, and says how it signs in.
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

        /// `run.json` gives back what was written there.
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
        says(None, 0, "nothing says how");
        says(Some(Auth::DeviceCode), 0, "signs a person in");
        says(Some(Auth::AzureCli), 0, "signs a person in");
        says(Some(Auth::ClientSecret), 0, "client_secret_file");
        let mut stdin = app(None, 0, true);
        stdin.sources.client_secret_file = Some("-".into());
        assert!(stdin.problem().unwrap().contains("standard input"));
        assert!(app(None, 2, false).problem().unwrap().contains("client_id"));
        assert_eq!(app(Some(Auth::ManagedIdentity), 0, false).problem(), None);
        assert_eq!(app(None, 2, true).display_name(), "app-2 (second)");
    }
}
