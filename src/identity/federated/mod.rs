//! Workload identity federation, for apps that trust the tokens of a cluster or a pipeline
//! (learn.microsoft.com/entra/workload-id/workload-identity-federation). The app has no secret. It proves itself with a
//! token of its surroundings, and each request uses a new one.

mod ci_job;

use secrecy::SecretString;

use super::app_identity::ASSERTION_TYPE;
use super::chain::{CredentialSetup, EnvLookup};
use super::token_endpoint::TokenForm;
use super::{ClientProof, Credential, CredentialConfig, SecretFile, SignInError};
use crate::http::HttpClients;
use ci_job::JobService;

/// The source of the tokens that the app trusts.
#[derive(Debug)]
pub enum Federation {
    /// A file that the platform keeps up to date, as Kubernetes does.
    File(SecretFile),
    /// A service that issues tokens to a pipeline's job.
    Job(JobService),
}

/// The federation that is set up here, if one is.
pub(super) fn find(config: &CredentialConfig, vars: EnvLookup<'_>) -> Result<CredentialSetup, SignInError> {
    let named_by_flag =
        config.sources.federated_token_file.clone().map(|path| ("--federated-token-file", path));
    let named = || vars("AZURE_FEDERATED_TOKEN_FILE").map(|path| ("AZURE_FEDERATED_TOKEN_FILE", path.into()));
    // A flag for a pipeline takes precedence over a file that the environment names.
    let file = if config.sources.service_connection.is_some() {
        named_by_flag
    } else {
        named_by_flag.or_else(named)
    };
    match file {
        Some((named_by, path)) => {
            let proof = ClientProof::Federated(Federation::File(SecretFile::new(named_by, path)));
            Ok(CredentialSetup::Ready(Credential::App(
                config.build_app(proof, "a federated token file is set")?,
            )))
        }
        None => ci_job::find(config, vars),
    }
}

impl Federation {
    /// The word for it in reports and logs.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Federation::File(_) => "workload-identity",
            Federation::Job(service) => service.word(),
        }
    }

    /// Adds a new assertion to a form.
    pub(super) async fn add_assertion(
        &self,
        http: &HttpClients,
        form: &mut TokenForm,
    ) -> Result<(), SignInError> {
        let token = self.token(http).await?;
        form.add("client_assertion_type", ASSERTION_TYPE);
        form.add_secret("client_assertion", &token);
        Ok(())
    }

    async fn token(&self, http: &HttpClients) -> Result<SecretString, SignInError> {
        match self {
            Federation::File(file) => file.read(http).await,
            Federation::Job(service) => service.token(http).await,
        }
    }
}
