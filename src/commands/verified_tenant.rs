//! Compares the tenant of a token with the one that was named, before the first request.
//!
//! ```text
//!  named by ID ──────▶ token's tid ─┐          token without tid ───────▶ Graph: the organization's ID
//!  named by domain ──▶ authority ───┼─▶ equal?  authority unavailable ──▶ Graph: its verified domains
//!                      token's tid ─┘          neither ─────────────────▶ error: the ID is needed
//! ```
//!
//! Messages always show the tenant that was found, never the one that was typed.

use uuid::Uuid;

use crate::directory::{Directory, Organization};
use crate::http::HttpClients;
use crate::identity::{Authority, Endpoint, SignInError, TenantIdError, TokenClaims};
use crate::tenant::TenantName;
use crate::text::sanitize::sanitize_truncated;

/// The tenant of a token.
#[derive(Clone, Debug, Default)]
pub(super) struct VerifiedTenant {
    /// The tenant's ID; `None` if it is not known.
    pub(super) id: Option<String>,
    /// The domain by which the tenant was named and found.
    pub(super) domain: Option<String>,
    /// The ID that was typed, if it is not known whether it is the token's.
    pub(super) unverified: Option<String>,
}

/// The sources to compare with.
pub(super) struct VerificationRequest<'a> {
    /// The token's claims.
    pub(super) claims: &'a TokenClaims,
    /// Whether the token request named the tenant, so that the authority has checked it.
    pub(super) tenant_in_token_request: bool,
    pub(super) authority: Endpoint,
    pub(super) clients: &'a HttpClients,
    pub(super) directory: &'a Directory,
}

/// Parses `--tenant`.
///
/// # Errors
/// When it is neither an ID nor a domain: `common` and the like are not tenants.
pub(super) fn parse_tenant(given: &str) -> Result<TenantName, SignInError> {
    given.parse().map_err(|_| SignInError::Setting {
        name: "--tenant",
        reason: format!(
            "'{}' is neither a tenant's ID (a GUID) nor one of its domains, such as contoso.com",
            sanitize_truncated(given, 100)
        ),
    })
}

impl VerifiedTenant {
    /// Compares the token's tenant with the one that was named, if any.
    ///
    /// # Errors
    /// When they differ, or when it is not known whether a domain is the token's tenant.
    pub(super) async fn verify(
        given: Option<&str>,
        request: VerificationRequest<'_>,
    ) -> Result<VerifiedTenant, SignInError> {
        let tid = request.claims.tid.clone();
        let Some(given) = given else { return Ok(VerifiedTenant { id: tid, ..VerifiedTenant::default() }) };
        match parse_tenant(given)? {
            TenantName::Id(id) => request.verify_id(id, given).await,
            TenantName::Domain(domain) => request.verify_domain(&domain).await,
        }
    }

    fn new(id: Uuid, domain: Option<&str>) -> VerifiedTenant {
        VerifiedTenant { id: Some(id.to_string()), domain: domain.map(str::to_owned), unverified: None }
    }
}

impl VerificationRequest<'_> {
    async fn verify_id(&self, id: Uuid, given: &str) -> Result<VerifiedTenant, SignInError> {
        match &self.claims.tid {
            Some(found) => check_same_tenant(id, found, given).map(|()| VerifiedTenant::new(id, None)),
            // The authority does not issue a token for another tenant than the one in the request.
            None if self.tenant_in_token_request => Ok(VerifiedTenant::new(id, None)),
            None => match self.organization().await {
                Ok(found) => check_same_tenant(id, &found.id.to_string(), given)
                    .map(|()| VerifiedTenant::new(id, None)),
                Err(why) => {
                    tracing::info!(why, "the token's tenant is not known");
                    Ok(VerifiedTenant { unverified: Some(id.to_string()), ..VerifiedTenant::default() })
                }
            },
        }
    }

    async fn verify_domain(&self, domain: &str) -> Result<VerifiedTenant, SignInError> {
        let authority = Authority { root: self.authority.clone(), tenant: domain.to_owned() };
        match authority.tenant_id(self.clients).await {
            Ok(id) => {
                let found = match &self.claims.tid {
                    Some(found) => found.clone(),
                    None if self.tenant_in_token_request => id.to_string(),
                    None => {
                        let organization =
                            self.organization().await.map_err(|why| unverified_error(domain, why))?;
                        organization.id.to_string()
                    }
                };
                check_same_tenant(id, &found, &format!("{domain} (which is {id})"))?;
                Ok(VerifiedTenant::new(id, Some(domain)))
            }
            Err(TenantIdError::Unknown(detail)) => {
                Err(SignInError::NoSuchTenant { tenant: domain.to_owned(), detail })
            }
            Err(TenantIdError::Unavailable(why)) => self.verify_in_directory(domain, why).await,
        }
    }

    /// Compares the domain with the tenant's verified domains, because the authority is unavailable.
    async fn verify_in_directory(&self, domain: &str, why: String) -> Result<VerifiedTenant, SignInError> {
        let organization = match (self.organization().await, &self.claims.tid) {
            (Ok(organization), _) => organization,
            // The authority issued the token for the tenant with this name.
            (Err(_), Some(tid)) if self.tenant_in_token_request => {
                let id = Some(tid.clone());
                return Ok(VerifiedTenant { id, domain: Some(domain.to_owned()), unverified: None });
            }
            (Err(and), _) => return Err(unverified_error(domain, format!("{why}; {and}"))),
        };
        let found = self.claims.tid.clone().unwrap_or_else(|| organization.id.to_string());
        if !organization.domains.iter().any(|own| own == domain) {
            return Err(SignInError::OtherTenant { expected: domain.to_owned(), found });
        }
        check_same_tenant(organization.id, &found, domain)?;
        Ok(VerifiedTenant::new(organization.id, Some(domain)))
    }

    async fn organization(&self) -> Result<Organization, String> {
        self.directory.organization().await.map_err(|why| why.to_string())
    }
}

fn check_same_tenant(expected: Uuid, found: &str, given: &str) -> Result<(), SignInError> {
    match Uuid::try_parse(found) {
        Ok(found) if found == expected => Ok(()),
        _ => Err(SignInError::OtherTenant {
            expected: sanitize_truncated(given, 200),
            found: sanitize_truncated(found, 80),
        }),
    }
}

fn unverified_error(domain: &str, why: String) -> SignInError {
    SignInError::TenantUnverified { tenant: domain.to_owned(), why: sanitize_truncated(&why, 300) }
}
