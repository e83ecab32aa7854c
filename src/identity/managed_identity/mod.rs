//! The identity of the machine or service that the program runs on
//! (learn.microsoft.com/entra/identity/managed-identities-azure-resources/overview). No secret is set up anywhere: a
//! service that only the machine reaches gives the tokens.

mod app_service;
mod arc;
mod identity_ref;
mod imds;
mod token_response;

use super::chain::{EnvVariables, FoundCredential};
use super::token_service::PlainHttpScope;
use super::{Auth, Credential, CredentialConfig, NewToken, SignInError, token_service};
use crate::http::HttpClients;
use app_service::AppService;
use arc::ArcAgent;
use identity_ref::IdentityRef;
use imds::Imds;

/// A managed identity, and the service that gives its tokens.
#[derive(Debug)]
pub struct ManagedIdentity {
    service: IdentityService,
    /// What the token is for, such as `https://graph.microsoft.com`.
    resource: String,
}

#[derive(Debug)]
enum IdentityService {
    Imds(Imds),
    AppService(AppService),
    Arc(ArcAgent),
}

/// The managed identity that may be had here. Whether a machine has one shows only when it is asked: without any
/// variable it is looked for where virtual machines have it.
pub(super) fn find(
    config: &CredentialConfig,
    vars: EnvVariables<'_>,
) -> Result<FoundCredential, SignInError> {
    let identity = IdentityRef::from_config(config)?;
    let resource = config.scope.trim_end_matches("/.default").to_owned();
    let here =
        |service| Ok(FoundCredential::Ready(Credential::Managed(ManagedIdentity { service, resource })));
    // The order of Microsoft's own libraries.
    match (vars("IDENTITY_ENDPOINT"), vars("IDENTITY_HEADER"), vars("MSI_ENDPOINT")) {
        (Some(_), Some(_), _) if vars("IDENTITY_SERVER_THUMBPRINT").is_some() => {
            Ok(unsupported("Service Fabric"))
        }
        (Some(url), Some(header), _) => {
            let url = token_service::parse_service_url("IDENTITY_ENDPOINT", &url, PlainHttpScope::Private)?;
            here(IdentityService::AppService(AppService::new(url, header, identity)))
        }
        (_, _, Some(_)) if vars("MSI_SECRET").is_some() => Ok(unsupported("Azure Machine Learning")),
        (_, _, Some(_)) => Ok(unsupported("Cloud Shell")),
        (Some(url), None, _) if vars("IMDS_ENDPOINT").is_some() => {
            if identity.is_some() {
                return Ok(FoundCredential::incomplete(
                    "Azure Arc knows the machine's own identity only, but a user-assigned one is named (--identity, \
                     --client-id or AZURE_CLIENT_ID)",
                ));
            }
            let url = token_service::parse_service_url("IDENTITY_ENDPOINT", &url, PlainHttpScope::Loopback)?;
            match arc::default_key_folder(vars) {
                Some(folder) => here(IdentityService::Arc(ArcAgent::new(url, folder))),
                None => Ok(FoundCredential::absent("Azure Arc is supported on Linux and Windows only")),
            }
        }
        _ => {
            let root = vars("AZURE_POD_IDENTITY_AUTHORITY_HOST");
            let chosen =
                !matches!(config.sources.auth, None | Some(Auth::Auto)) || config.sources.identity.is_some();
            here(IdentityService::Imds(Imds::new(root.as_deref(), identity, chosen)?))
        }
    }
}

fn unsupported(place: &str) -> FoundCredential {
    FoundCredential::incomplete(format!("the managed identity of {place} is not supported"))
}

impl ManagedIdentity {
    /// Gets a token. A challenge's claims can't be passed on: these services take none.
    pub(super) async fn request(&self, http: &HttpClients) -> Result<NewToken, SignInError> {
        match &self.service {
            IdentityService::Imds(imds) => imds.token(http, &self.resource).await,
            IdentityService::AppService(service) => service.token(http, &self.resource).await,
            IdentityService::Arc(arc) => arc.token(http, &self.resource).await,
        }
    }
}

/// What the machine does not have, so that `--auth auto` goes on.
fn unavailable(why: impl Into<String>) -> SignInError {
    SignInError::Unavailable { auth: Auth::ManagedIdentity, why: why.into() }
}
