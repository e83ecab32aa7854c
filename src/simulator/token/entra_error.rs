//! Errors of the token endpoint, in Entra's words ("authentication and authorization error codes").

use hyper::StatusCode;

use crate::simulator::fault::{Fault, FaultAnswer};

/// An error of the token endpoint.
pub(in crate::simulator) struct EntraError {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) code: u32,
    pub(super) text: String,
}

impl EntraError {
    pub(in crate::simulator) fn new(
        status: u16,
        error: &'static str,
        code: u32,
        text: impl Into<String>,
    ) -> EntraError {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        EntraError { status, error, code, text: text.into() }
    }
}

/// The tenant does not exist.
pub(super) fn no_tenant(tenant: &str) -> EntraError {
    let text = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
         correct cloud. Check with your subscription administrator, this may happen if there are no active \
         subscriptions for the tenant."
    );
    EntraError::new(400, "invalid_request", 90_002, text)
}

/// The app is not installed in the tenant.
pub(super) fn no_app(tenant: &str, client: &str) -> EntraError {
    let text = format!(
        "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the \
         application has not been installed by the administrator of the tenant or consented to by any user in the \
         tenant. You may have sent your authentication request to the wrong tenant."
    );
    EntraError::new(400, "unauthorized_client", 700_016, text)
}

pub(super) fn wrong_secret(client: &str) -> EntraError {
    let text = format!(
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
         not the client secret ID, for a secret added to app '{client}'."
    );
    EntraError::new(401, "invalid_client", 7_000_215, text)
}

pub(super) fn expired_secret(client: &str) -> EntraError {
    let text = format!(
        "The provided client secret keys for app '{client}' are expired. Visit the Azure portal to create new keys \
         for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added \
         security: https://aka.ms/certCreds."
    );
    EntraError::new(401, "invalid_client", 7_000_222, text)
}

/// The error for a fault that sets a status, and optionally an error number.
pub(super) fn from_fault(fault: &Fault, tenant: &str, client: &str) -> EntraError {
    let status = match fault.answer {
        FaultAnswer::Status(status) => status,
        _ => 409,
    };
    let mut refusal = match fault.code.as_deref().and_then(number) {
        Some(code) => from_code(code, tenant, client),
        None => from_status(status),
    };
    refusal.status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    if let Some(text) = &fault.message {
        refusal.text.clone_from(text);
    }
    refusal
}

/// The number in `AADSTS700016`, or in `700016`.
fn number(code: &str) -> Option<u32> {
    code.trim_start_matches("AADSTS").parse().ok()
}

fn from_code(code: u32, tenant: &str, client: &str) -> EntraError {
    match code {
        90_002 => no_tenant(tenant),
        700_016 => no_app(tenant, client),
        7_000_215 => wrong_secret(client),
        7_000_222 => expired_secret(client),
        other => EntraError::new(400, "invalid_request", other, "The request can't be carried out."),
    }
}

fn from_status(status: u16) -> EntraError {
    let (error, code, text) = match status {
        401 => ("invalid_client", 7_000_215, "Invalid client secret provided."),
        429 => ("temporarily_unavailable", 90_055, "Tenant request is being throttled."),
        500.. => ("temporarily_unavailable", 90_033, "A transient error has occurred. Please try again."),
        _ => ("invalid_request", 90_014, "The required field is missing from the credential."),
    };
    EntraError::new(status, error, code, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_selects_the_error_by_its_number() {
        let told = |rule: &str| {
            let refusal = from_fault(&rule.parse().unwrap(), "t1", "app-1");
            (refusal.status.as_u16(), refusal.error, refusal.code, refusal.text)
        };
        let (status, error, code, text) = told("endpoint=token;answer=400;code=AADSTS700016");
        assert_eq!((status, error, code), (400, "unauthorized_client", 700_016));
        assert!(text.contains("'app-1'") && text.contains("'t1'"), "{text}");
        assert_eq!(told("endpoint=token;answer=400;code=90002").2, 90_002);
        assert_eq!(told("endpoint=token;answer=401;code=AADSTS7000215").1, "invalid_client");
        assert_eq!(told("endpoint=token;answer=400;code=50034;message=No.").3, "No.");
        assert_eq!(told("endpoint=token;answer=503").2, 90_033);
    }
}
