//! App Service, Functions and Container Apps
//! (learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference).

use reqwest::header::HeaderValue;
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};

use super::super::retry_policy;
use super::super::token_service::TokenService;
use super::super::{IssuedToken, SignInError};
use super::identity_ref::IdentityRef;
use super::token_response;
use crate::http::HttpClients;

/// The token service of one app. A secret header shows that a request comes from inside the app.
#[derive(Debug)]
pub(super) struct AppService {
    service: TokenService,
    identity: Option<IdentityRef>,
}

impl AppService {
    pub(super) fn new(url: Url, header: String, identity: Option<IdentityRef>) -> AppService {
        let secret = Some(SecretString::from(header));
        AppService {
            service: TokenService { name: "the managed identity of the app", url, secret },
            identity,
        }
    }

    pub(super) async fn token(&self, http: &HttpClients, resource: &str) -> Result<IssuedToken, SignInError> {
        let client = self.service.direct(http)?;
        let header = self.header()?;
        let mut parameters = vec![("api-version", "2019-08-01"), ("resource", resource)];
        parameters
            .extend(self.identity.as_ref().map(|identity| identity.parameter("principal_id", "mi_res_id")));
        let url = self.service.url_with(&parameters);
        let request = || Ok(client.get(url.clone()).header("X-IDENTITY-HEADER", header.clone()));
        let given_up = |reason| self.service.error(reason, "");
        let answer = retry_policy::send_with_retries(
            self.service.name,
            http.max_wait(),
            retry_policy::is_retryable,
            request,
            given_up,
        )
        .await?;
        match answer.status {
            status if status.is_success() => token_response::parse_token(&self.service, &answer),
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => Err(self.service.refusal_error(
                &answer,
                "assign the identity to the app, or name the assigned one (--identity)",
            )),
            _ => Err(self.service.refusal_error(&answer, "")),
        }
    }

    fn header(&self) -> Result<HeaderValue, SignInError> {
        let secret = self.service.secret.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
        let mut header = HeaderValue::from_str(secret.trim()).map_err(|_| SignInError::Setting {
            name: "IDENTITY_HEADER",
            reason: "it has characters that are not allowed in a header".to_owned(),
        })?;
        header.set_sensitive(true);
        Ok(header)
    }
}
