//! The instance metadata service of virtual machines
//! (learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token).

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::StatusCode;

use super::super::retry_policy::{self, EndpointAnswer, RetryProgress};
use super::super::token_service::{PlainHttpScope, TokenService, parse_service_url};
use super::super::{IssuedToken, SignInError};
use super::identity_ref::IdentityRef;
use super::{token_response, unavailable};
use crate::http::HttpClients;

const ROOT: &str = "http://169.254.169.254";
const PATH: &str = "/metadata/identity/oauth2/token";
const VERSION: (&str, &str) = ("api-version", "2018-02-01");

/// Time limit for the probe. The service is on the machine's own host, so it answers fast.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// The service answers 410 during an update, for up to 70 s.
const MAX_UPDATE_WAIT: Duration = Duration::from_secs(70);

/// The service, and the identity whose token is requested.
#[derive(Debug)]
pub(super) struct Imds {
    service: TokenService,
    identity: Option<IdentityRef>,
    /// Set if the service is known to exist, because it was chosen or has answered before.
    confirmed: OnceLock<()>,
}

impl Imds {
    /// `root` is another address of the service; `explicit` says that this method was chosen, so that the service must
    /// exist and is not probed.
    pub(super) fn new(
        root: Option<&str>,
        identity: Option<IdentityRef>,
        explicit: bool,
    ) -> Result<Imds, SignInError> {
        let mut url = parse_service_url(
            "AZURE_POD_IDENTITY_AUTHORITY_HOST",
            root.unwrap_or(ROOT),
            PlainHttpScope::LinkLocal,
        )?;
        url.set_path(PATH);
        url.set_query(None);
        let known = OnceLock::new();
        if explicit {
            let _ = known.set(());
        }
        Ok(Imds {
            service: TokenService { name: "the managed identity of the machine", url, secret: None },
            identity,
            confirmed: known,
        })
    }

    pub(super) async fn token(&self, http: &HttpClients, resource: &str) -> Result<IssuedToken, SignInError> {
        let client = self.service.direct(http)?;
        if self.confirmed.get().is_none() {
            self.probe(&client).await?;
        }
        let mut parameters = vec![VERSION, ("resource", resource)];
        parameters
            .extend(self.identity.as_ref().map(|identity| identity.parameter("object_id", "msi_res_id")));
        let url = self.service.url_with(&parameters);
        let request = || Ok(client.get(url.clone()).header("Metadata", "true"));
        let advice = "is this an Azure machine with a managed identity?";
        let given_up = |reason| self.service.error(reason, advice);
        let busy = |answer: &EndpointAnswer, waited| is_busy(answer.status, waited);
        let answer =
            retry_policy::send_with_retries(self.service.name, http.max_wait(), busy, request, given_up)
                .await?;
        if !answer.status.is_success() {
            return Err(self.refusal_error(&answer));
        }
        let issued = token_response::parse_token(&self.service, &answer)?;
        let _ = self.confirmed.set(());
        Ok(issued)
    }

    /// Checks that the service exists. It refuses a request without its header at once, so machines without the service
    /// do not wait for long. Machines of other cloud providers have their own service at this address.
    async fn probe(&self, client: &reqwest::Client) -> Result<(), SignInError> {
        let request = client.get(self.service.url_with(&[VERSION])).timeout(PROBE_TIMEOUT);
        match retry_policy::send_once(request).await {
            Ok(answer) if is_imds_status(answer.status) => Ok(()),
            Ok(answer) => Err(unavailable(format!(
                "{} answered {}, which is not how Azure machines answer",
                self.service.host(),
                answer.status
            ))),
            Err(_) => Err(unavailable(format!("no answer from {}", self.service.host()))),
        }
    }

    fn refusal_error(&self, answer: &EndpointAnswer) -> SignInError {
        let text = String::from_utf8_lossy(&answer.body).to_lowercase();
        match answer.status {
            StatusCode::BAD_REQUEST if text.contains("identity not found") => {
                unavailable(match &self.identity {
                    Some(_) => format!(
                        "{}; assign this identity to the machine",
                        self.service.describe_answer(answer)
                    ),
                    None => format!(
                        "{}; assign the machine a system-assigned identity, or name its user-assigned one \
                         (--identity)",
                        self.service.describe_answer(answer)
                    ),
                })
            }
            // Docker Desktop answers this if there is no such service.
            StatusCode::FORBIDDEN if text.contains("unreachable") => {
                unavailable(self.service.describe_answer(answer))
            }
            _ => self
                .service
                .refusal_error(answer, "for the codes, see Microsoft's page on managed identity tokens"),
        }
    }
}

fn is_imds_status(status: StatusCode) -> bool {
    status.is_success()
        || status.is_server_error()
        || matches!(status, StatusCode::BAD_REQUEST | StatusCode::GONE | StatusCode::TOO_MANY_REQUESTS)
}

/// Whether to retry, by Microsoft's page on these tokens: 404, 429 and 5xx are temporary; 410 is for up to 70 s.
fn is_busy(status: StatusCode, waited: RetryProgress) -> bool {
    match status {
        StatusCode::GONE => waited.total_wait < MAX_UPDATE_WAIT,
        StatusCode::NOT_FOUND => waited.has_attempts_left(),
        _ => retry_policy::is_transient(status) && waited.has_attempts_left(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_waited_for() {
        let waited = |tries, time| RetryProgress { attempts: tries, total_wait: Duration::from_secs(time) };
        assert!(is_busy(StatusCode::GONE, waited(9, 69)));
        assert!(!is_busy(StatusCode::GONE, waited(9, 70)));
        for status in [StatusCode::NOT_FOUND, StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY] {
            assert!(is_busy(status, waited(4, 15)) && !is_busy(status, waited(5, 15)), "{status}");
        }
        assert!(!is_busy(StatusCode::BAD_REQUEST, waited(1, 0)));
    }

    #[test]
    fn only_link_local_roots_are_accepted() {
        assert!(Imds::new(None, None, false).is_ok());
        assert!(Imds::new(Some("http://127.0.0.1:9"), None, false).is_ok());
        for far in ["http://10.0.0.1", "http://imds.example", "169.254.169.254"] {
            assert!(Imds::new(Some(far), None, false).is_err(), "{far}");
        }
    }
}
