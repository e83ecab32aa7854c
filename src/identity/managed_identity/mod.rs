//! The managed identity of the machine or service that the program runs on
//! (learn.microsoft.com/entra/identity/managed-identities-azure-resources/overview). It needs no secret: a service that
//! only the machine can reach issues the tokens.

mod app_service;
mod arc;
mod identity_ref;
mod imds;
mod token_response;

use super::chain::{CredentialSetup, EnvLookup};
use super::token_service::PlainHttpScope;
use super::{Auth, Credential, CredentialConfig, IssuedToken, SignInError, token_service};
use crate::http::HttpClients;
use app_service::AppService;
use arc::ArcAgent;
use identity_ref::IdentityRef;
use imds::Imds;

/// A managed identity, and the service that issues its tokens.
#[derive(Debug)]
pub struct ManagedIdentity {
    service: IdentityService,
    /// The resource that the token is for, such as `https://graph.microsoft.com`.
    resource: String,
}

#[derive(Debug)]
enum IdentityService {
    Imds(Imds),
    AppService(AppService),
    Arc(ArcAgent),
}

/// The managed identity that may be available here. Only a request shows if the machine has one. If no variable names a
/// service, it is requested at the address of virtual machines.
pub(super) fn find(config: &CredentialConfig, vars: EnvLookup<'_>) -> Result<CredentialSetup, SignInError> {
    let identity = IdentityRef::from_config(config)?;
    let resource = config.scope.trim_end_matches("/.default").to_owned();
    let here =
        |service| Ok(CredentialSetup::Ready(Credential::Managed(ManagedIdentity { service, resource })));
    // In the order of Microsoft's libraries.
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
                return Ok(CredentialSetup::incomplete(
                    "Azure Arc only has the machine's own identity, but a user-assigned one is named \
                     (--identity, --client-id or AZURE_CLIENT_ID)",
                ));
            }
            let url = token_service::parse_service_url("IDENTITY_ENDPOINT", &url, PlainHttpScope::Loopback)?;
            match arc::default_key_folder(vars) {
                Some(folder) => here(IdentityService::Arc(ArcAgent::new(url, folder))),
                None => Ok(CredentialSetup::absent("Azure Arc is supported on Linux and Windows only")),
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

fn unsupported(place: &str) -> CredentialSetup {
    CredentialSetup::incomplete(format!("the managed identity of {place} is not supported"))
}

impl ManagedIdentity {
    /// Gets a token. The claims of a challenge can't be passed on, because these services do not accept any.
    pub(super) async fn request(&self, http: &HttpClients) -> Result<IssuedToken, SignInError> {
        match &self.service {
            IdentityService::Imds(imds) => imds.token(http, &self.resource).await,
            IdentityService::AppService(service) => service.token(http, &self.resource).await,
            IdentityService::Arc(arc) => arc.token(http, &self.resource).await,
        }
    }
}

/// The error for something that the machine does not have, so that `--auth auto` tries the next method.
fn unavailable(why: impl Into<String>) -> SignInError {
    SignInError::Unavailable { auth: Auth::ManagedIdentity, why: why.into() }
}
