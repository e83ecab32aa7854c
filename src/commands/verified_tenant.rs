//! Which tenant a token is good in, compared with the one that was named, before the first request.
//!
//! ```text
//!  named by id ──────▶ token's tid ─┐          token that tells nothing ──▶ Graph: the organization's id
//!  named by domain ──▶ authority ───┼─▶ equal?  authority that can't be asked ──▶ Graph: its verified domains
//!                      token's tid ─┘          neither ──▶ the id is wanted
//! ```
//!
//! What is shown as the tenant is what was found, and never what was typed.

use uuid::Uuid;

use crate::directory::{Directory, Organization};
use crate::http::HttpClients;
use crate::identity::{Authority, Endpoint, SignInError, TenantIdError, TokenClaims};
use crate::tenant::TenantName;
use crate::text::sanitize::sanitize_truncated;

/// The tenant that a token is good in.
#[derive(Clone, Debug, Default)]
pub(super) struct VerifiedTenant {
    /// Its id; none where nothing tells.
    pub(super) id: Option<String>,
    /// The domain by which it was named and found.
    pub(super) domain: Option<String>,
    /// The id that was typed, where nothing tells whether it is the token's.
    pub(super) unverified: Option<String>,
}

/// What there is to compare with.
pub(super) struct VerificationRequest<'a> {
    /// What the token says.
    pub(super) claims: &'a TokenClaims,
    /// Whether the authority gave the token for the tenant by its name.
    pub(super) tenant_in_token_request: bool,
    pub(super) authority: Endpoint,
    pub(super) clients: &'a HttpClients,
    pub(super) directory: &'a Directory,
}

/// Reads what was given as a tenant.
///
/// # Errors
/// When it is neither an id nor a domain: `common` and its like are no tenant.
pub(super) fn parse_tenant(given: &str) -> Result<TenantName, SignInError> {
    given.parse().map_err(|_| SignInError::Setting {
        name: "--tenant",
        reason: format!(
            "'{}' is neither a tenant's id (a GUID) nor one of its domains, such as contoso.com",
            sanitize_truncated(given, 100)
        ),
    })
}

impl VerifiedTenant {
    /// Compares the token's tenant with the one that was named, if one was.
    ///
    /// # Errors
    /// When it is another, or nothing tells whether a domain is the token's tenant.
    pub(super) async fn verify(
        given: Option<&str>,
        request: VerificationRequest<'_>,
    ) -> Result<VerifiedTenant, SignInError> {
        let tid = request.claims.tid.clone();
        let Some(given) = given else { return Ok(VerifiedTenant { id: tid, ..VerifiedTenant::default() }) };
        match parse_tenant(given)? {
            TenantName::Id(id) => request.by_id(id, given).await,
            TenantName::Domain(domain) => request.by_domain(&domain).await,
        }
    }

    fn new(id: Uuid, domain: Option<&str>) -> VerifiedTenant {
        VerifiedTenant { id: Some(id.to_string()), domain: domain.map(str::to_owned), unverified: None }
    }
}

impl VerificationRequest<'_> {
    async fn by_id(&self, id: Uuid, given: &str) -> Result<VerifiedTenant, SignInError> {
        match &self.claims.tid {
            Some(found) => check_same_tenant(id, found, given).map(|()| VerifiedTenant::new(id, None)),
            // The authority gives no token for a tenant in the name of another.
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

    async fn by_domain(&self, domain: &str) -> Result<VerifiedTenant, SignInError> {
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
            Err(TenantIdError::Unknown(said)) => {
                Err(SignInError::NoSuchTenant { tenant: domain.to_owned(), detail: said })
            }
            Err(TenantIdError::Unavailable(why)) => self.by_verified_domain(domain, why).await,
        }
    }

    /// Where the authority can't be asked, the tenant itself tells which domains are its own.
    async fn by_verified_domain(&self, domain: &str, why: String) -> Result<VerifiedTenant, SignInError> {
        let organization = match (self.organization().await, &self.claims.tid) {
            (Ok(organization), _) => organization,
            // It gave the token for the tenant by this name.
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
