//! The issuer of a server's certificate. The issuers of Microsoft's own hosts are known, so another issuer means that
//! the connection is intercepted.

use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use crate::text::sanitize::sanitize_truncated;

/// Organizations that issue the certificates of Microsoft's hosts
/// (learn.microsoft.com/azure/security/fundamentals/azure-certificate-authority-details).
const KNOWN_ORGANIZATIONS: [&str; 3] = ["Microsoft Corporation", "DigiCert Inc", "DigiCert, Inc."];

/// The issuer named in a certificate. If the certificate is not trusted, the name may be false.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issuer {
    organization: Option<String>,
    common_name: Option<String>,
}

impl Issuer {
    /// The issuer of a certificate in DER. `None` if the certificate can't be read.
    pub fn from_der(certificate: &[u8]) -> Option<Issuer> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let name: &X509Name<'_> = certificate.issuer();
        let text = |value: Option<&str>| {
            value.map(|value| sanitize_truncated(value, 80)).filter(|value| !value.is_empty())
        };
        Some(Issuer {
            organization: text(name.iter_organization().find_map(|part| part.as_str().ok())),
            common_name: text(name.iter_common_name().find_map(|part| part.as_str().ok())),
        })
    }

    /// Whether it is an issuer of certificates for Microsoft's hosts.
    pub fn is_known(&self) -> bool {
        let organization = self.organization.as_deref();
        organization.is_some_and(|organization| {
            KNOWN_ORGANIZATIONS.iter().any(|known| known.eq_ignore_ascii_case(organization))
        })
    }
}

impl std::fmt::Display for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.common_name, &self.organization) {
            (Some(name), Some(organization)) => write!(f, "'{name}' ({organization})"),
            (Some(name), None) | (None, Some(name)) => write!(f, "'{name}'"),
            (None, None) => f.write_str("an issuer without a name"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued_by(parts: &[(rcgen::DnType, &str)]) -> Issuer {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        Issuer::from_der(params.self_signed(&key).unwrap().der()).unwrap()
    }

    #[test]
    fn issuers_are_named_and_microsofts_are_known() {
        use rcgen::DnType::{CommonName, OrganizationName};
        let organization = issued_by(&[
            (CommonName, "Microsoft TLS G2 RSA CA OCSP 02"),
            (OrganizationName, "Microsoft Corporation"),
        ]);
        assert!(organization.is_known());
        assert_eq!(organization.to_string(), "'Microsoft TLS G2 RSA CA OCSP 02' (Microsoft Corporation)");
        let other = issued_by(&[(CommonName, "Corp\u{1b}[31mProxy")]);
        assert!(!other.is_known());
        assert_eq!(other.to_string(), "'Corp\\u{1b}[31mProxy'");
        assert_eq!(issued_by(&[]).to_string(), "an issuer without a name");
        assert_eq!(Issuer::from_der(b"no certificate"), None);
    }
}
