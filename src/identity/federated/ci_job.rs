//! The services that issue tokens to a CI job: GitHub's
//! (docs.github.com/actions/reference/security/oidc) and Azure Pipelines'
//! (learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create).

use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::super::chain::{CredentialSetup, EnvLookup};
use super::super::retry_policy::{self, EndpointAnswer};
use super::super::secret_text::trim_line_end;
use super::super::token_service::{PlainHttpScope, TokenService, parse_service_url};
use super::super::tokens::clean_token;
use super::super::{ClientProof, Credential, CredentialConfig, SignInError};
use super::Federation;
use crate::http::HttpClients;

/// A service that issues tokens to a job, and the job's credential for it.
#[derive(Debug)]
pub struct JobService {
    kind: JobServiceKind,
    service: TokenService,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JobServiceKind {
    GitHub,
    Pipelines,
}

impl JobServiceKind {
    fn advice(self) -> &'static str {
        match self {
            JobServiceKind::GitHub => "add `permissions: id-token: write` to the job",
            JobServiceKind::Pipelines => {
                "map the job's token in the step's env (SYSTEM_ACCESSTOKEN: $(System.AccessToken)), and check \
                 the ID of the service connection and that the pipeline may use it"
            }
        }
    }
}

/// The job's service, if this is a CI job with one.
pub(super) fn find(config: &CredentialConfig, vars: EnvLookup<'_>) -> Result<CredentialSetup, SignInError> {
    let connection =
        config.sources.service_connection.clone().or_else(|| vars("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"));
    if let Some(connection) = connection {
        return pipelines(config, vars, &connection);
    }
    let secret = |name: &str| vars(name).map(|token| trim_line_end(&token).to_owned());
    match (vars("ACTIONS_ID_TOKEN_REQUEST_URL"), secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN")) {
        (Some(url), Some(token)) => github(config, &url, token),
        _ if vars("GITHUB_ACTIONS").is_some() => Ok(CredentialSetup::incomplete(
            "GitHub Actions does not give this job tokens: add `permissions: id-token: write` to it",
        )),
        _ if vars("SYSTEM_OIDCREQUESTURI").is_some() => Ok(CredentialSetup::absent(
            "Azure Pipelines needs the ID of a service connection (--service-connection)",
        )),
        _ => Ok(CredentialSetup::absent(
            "AZURE_FEDERATED_TOKEN_FILE is not set, and this is not a CI job that issues tokens",
        )),
    }
}

fn github(config: &CredentialConfig, url: &str, token: String) -> Result<CredentialSetup, SignInError> {
    let mut url = parse_service_url("ACTIONS_ID_TOKEN_REQUEST_URL", url, PlainHttpScope::Loopback)?;
    url.query_pairs_mut().append_pair("audience", exchange_audience(&config.scope));
    build_credential(config, JobServiceKind::GitHub, "GitHub's token service", url, token)
}

fn pipelines(
    config: &CredentialConfig,
    vars: EnvLookup<'_>,
    connection: &str,
) -> Result<CredentialSetup, SignInError> {
    let Some(url) = vars("SYSTEM_OIDCREQUESTURI") else {
        return Ok(CredentialSetup::incomplete(
            "a service connection is set, but this is not an Azure Pipelines job",
        ));
    };
    let token = vars("SYSTEM_ACCESSTOKEN").map(|token| trim_line_end(&token).to_owned());
    let Some(token) = token else {
        return Ok(CredentialSetup::incomplete(
            "a service connection is set, but SYSTEM_ACCESSTOKEN is not set: map it in the step's env \
             (SYSTEM_ACCESSTOKEN: $(System.AccessToken))",
        ));
    };
    let mut url = parse_service_url("SYSTEM_OIDCREQUESTURI", &url, PlainHttpScope::Loopback)?;
    url.query_pairs_mut().append_pair("api-version", "7.1").append_pair("serviceConnectionId", connection);
    let filled = CredentialConfig {
        tenant: config.tenant.clone().or_else(|| vars("AZURESUBSCRIPTION_TENANT_ID")),
        client_id: config.client_id.clone().or_else(|| vars("AZURESUBSCRIPTION_CLIENT_ID")),
        ..config.clone()
    };
    build_credential(&filled, JobServiceKind::Pipelines, "Azure Pipelines' token service", url, token)
}

/// Every GitHub job that may log in to Azure has this service, even if it is not intended for this program. So if the
/// tenant or the app is not named, this is not an error, and another sign-in method may be used.
fn build_credential(
    config: &CredentialConfig,
    kind: JobServiceKind,
    name: &'static str,
    url: Url,
    token: String,
) -> Result<CredentialSetup, SignInError> {
    let missing = match (&config.tenant, &config.client_id) {
        (None, _) => "the tenant (--tenant or AZURE_TENANT_ID)",
        (_, None) => "the app (--client-id or AZURE_CLIENT_ID)",
        _ => {
            let service = TokenService { name, url, secret: Some(SecretString::from(token)) };
            let proof = ClientProof::Federated(Federation::Job(JobService { kind, service }));
            return Ok(CredentialSetup::Ready(Credential::App(config.build_app(proof, name)?)));
        }
    };
    Ok(CredentialSetup::incomplete(format!("{name} is available, but {missing} is missing")))
}

/// The audience of a job's token: Entra, which has its own name in each cloud
/// (learn.microsoft.com/entra/workload-id/workload-identity-federation-config-app-trust-managed-identity).
fn exchange_audience(scope: &str) -> &'static str {
    let host = Url::parse(scope).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    if host.ends_with(".microsoft.us") {
        "api://AzureADTokenExchangeUSGov"
    } else if host.ends_with(".chinacloudapi.cn") {
        "api://AzureADTokenExchangeChina"
    } else {
        "api://AzureADTokenExchange"
    }
}

/// The answer of the services: GitHub returns `value`, Azure Pipelines returns `oidcToken`.
#[derive(Deserialize)]
struct JobTokenBody {
    #[serde(alias = "oidcToken")]
    value: SecretString,
}

impl JobService {
    pub(super) fn word(&self) -> &'static str {
        match self.kind {
            JobServiceKind::GitHub => "github-actions",
            JobServiceKind::Pipelines => "azure-pipelines",
        }
    }

    /// Gets a new token.
    pub(super) async fn token(&self, http: &HttpClients) -> Result<SecretString, SignInError> {
        let client = self.service.client(http)?;
        let bearer = self.bearer()?;
        let request = || Ok(self.request(&client, &bearer));
        let given_up = |reason| self.service.error(reason, "");
        let answer = retry_policy::send_with_retries(
            self.service.name,
            http.max_wait(),
            retry_policy::is_retryable,
            request,
            given_up,
        )
        .await?;
        if !answer.status.is_success() {
            return Err(self.service.refusal_error(&answer, self.kind.advice()));
        }
        self.parse_token(&answer)
    }

    fn bearer(&self) -> Result<HeaderValue, SignInError> {
        let token = self.service.secret.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .map_err(|_| self.service.error("the job's token has invalid characters".to_owned(), ""))?;
        bearer.set_sensitive(true);
        Ok(bearer)
    }

    fn request(&self, client: &reqwest::Client, bearer: &HeaderValue) -> reqwest::RequestBuilder {
        let url = self.service.url.clone();
        let request = match self.kind {
            JobServiceKind::GitHub => client.get(url),
            // Without the last header, a refusal is a redirect to a sign-in page.
            JobServiceKind::Pipelines => client
                .post(url)
                .header(CONTENT_LENGTH, 0)
                .header(CONTENT_TYPE, "application/json")
                .header("X-TFS-FedAuthRedirect", "Suppress"),
        };
        request.header(ACCEPT, "application/json").header(AUTHORIZATION, bearer.clone())
    }

    fn parse_token(&self, answer: &EndpointAnswer) -> Result<SecretString, SignInError> {
        let body: Option<JobTokenBody> = serde_json::from_slice(&answer.body).ok();
        let token = body.map(|body| body.value).filter(|token| clean_token(token.expose_secret()).is_ok());
        token.ok_or_else(|| {
            self.service.error("its answer has no usable token".to_owned(), self.kind.advice())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cloud_has_its_own_audience() {
        for (scope, name) in [
            ("https://graph.microsoft.com/.default", "api://AzureADTokenExchange"),
            ("https://graph.microsoft.us/.default", "api://AzureADTokenExchangeUSGov"),
            ("https://dod-graph.microsoft.us/.default", "api://AzureADTokenExchangeUSGov"),
            ("https://microsoftgraph.chinacloudapi.cn/.default", "api://AzureADTokenExchangeChina"),
            ("https://evil.example/?.microsoft.us", "api://AzureADTokenExchange"),
        ] {
            assert_eq!(exchange_audience(scope), name, "{scope}");
        }
    }
}
