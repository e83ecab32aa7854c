//! One app in one tenant, and the patterns that match it.

use super::glob::Glob;
use super::token::tenant_id;

/// An app and its tenant, in lower case.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ClientKey<'a> {
    /// The tenant's GUID.
    pub(super) tenant: &'a str,
    /// The domain under which the tenant was addressed, if a request used one.
    pub(super) domain: Option<&'a str>,
    /// The client ID.
    pub(super) app: &'a str,
}

/// A pattern for tenants and a pattern for apps. Both must match.
#[derive(Debug)]
pub(super) struct ClientPattern {
    /// `None` matches any.
    tenant: Option<TenantGlob>,
    app: Option<Glob>,
}

#[derive(Debug)]
struct TenantGlob {
    glob: Glob,
    /// For a pattern that is a domain: the GUID of that tenant, so that the pattern also matches requests that use the
    /// GUID.
    id: String,
}

impl ClientPattern {
    pub(super) fn new(tenant: &str, app: &str) -> ClientPattern {
        let tenant_glob = || TenantGlob { glob: Glob::new(tenant), id: tenant_id(tenant) };
        ClientPattern { tenant: (tenant != "*").then(tenant_glob), app: (app != "*").then(|| Glob::new(app)) }
    }

    /// Whether the pattern matches this app in this tenant.
    pub(super) fn matches(&self, client_key: &ClientKey<'_>) -> bool {
        self.matches_tenant(client_key) && self.app.as_ref().is_none_or(|app| app.matches(client_key.app))
    }

    /// Whether the pattern matches this tenant, for any app.
    pub(super) fn matches_tenant(&self, client_key: &ClientKey<'_>) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| {
            tenant.glob.matches(client_key.tenant)
                || tenant.id == client_key.tenant
                || client_key.domain.is_some_and(|domain| tenant.glob.matches(domain))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenant_pattern_matches_id_and_domain() {
        let id = tenant_id("contoso.example");
        let unnamed = ClientKey { tenant: &id, domain: None, app: "app-1" };
        let named = ClientKey { domain: Some("contoso.example"), ..unnamed };
        let include = |tenant: &str, app: &str| {
            [unnamed, named].map(|client_key| ClientPattern::new(tenant, app).matches(&client_key))
        };
        assert_eq!(include("*", "*"), [true, true]);
        assert_eq!(include(&id.to_uppercase(), "APP-?"), [true, true]);
        assert_eq!(include("Contoso.example", "*"), [true, true]);
        assert_eq!(include("contoso.*", "*"), [false, true], "a part of a domain needs the domain");
        assert_eq!(include("contoso.example", "other"), [false, false]);
        assert_eq!(include("fabrikam.example", "*"), [false, false]);
        assert!(ClientPattern::new("contoso.example", "other").matches_tenant(&unnamed));
    }
}
