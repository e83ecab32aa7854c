//! An app that trusts the tokens of a cluster or a pipeline: workload identity federation
//! (learn.microsoft.com/entra/workload-id/workload-identity-federation). No secret of the app is anywhere: it proves
//! itself with a token that its surroundings give it, and a fresh one is taken for each request.

mod ci_job;

use secrecy::SecretString;

use super::app_identity::ASSERTION_TYPE;
use super::chain::{EnvVariables, FoundCredential};
use super::token_endpoint::TokenForm;
use super::{ClientProof, Credential, CredentialConfig, SecretFile, SignInError};
use crate::http::HttpClients;
use ci_job::JobService;

/// Where the tokens come from that the app trusts.
#[derive(Debug)]
pub enum Federation {
    /// A file that whoever runs the program keeps fresh, as Kubernetes does.
    File(SecretFile),
    /// A service that gives the job of a pipeline a token when it asks.
    Job(JobService),
}

/// The federation that is set up here, if one is.
pub(super) fn find(
    config: &CredentialConfig,
    vars: EnvVariables<'_>,
) -> Result<FoundCredential, SignInError> {
    let named_by_flag =
        config.sources.federated_token_file.clone().map(|path| ("--federated-token-file", path));
    let named = || vars("AZURE_FEDERATED_TOKEN_FILE").map(|path| ("AZURE_FEDERATED_TOKEN_FILE", path.into()));
    // A flag for a pipeline is meant, whatever file the environment names.
    let file = if config.sources.service_connection.is_some() {
        named_by_flag
    } else {
        named_by_flag.or_else(named)
    };
    match file {
        Some((named_by, path)) => {
            let proof = ClientProof::Federated(Federation::File(SecretFile::new(named_by, path)));
            Ok(FoundCredential::Ready(Credential::App(
                config.build_app(proof, "a federated token's file is named")?,
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

    /// Adds the proof of this moment to a form.
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
