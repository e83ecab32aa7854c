//! Reading X.509 certificates.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use jiff::Timestamp;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::CertificateProblem;

/// The fields of a certificate that this program uses.
#[derive(Clone, Debug)]
pub(super) struct CertificateFacts {
    /// The subject, in the form of RFC 4514.
    pub(super) subject: String,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// The bits of its public key: PKCS#1 for RSA, a point for EC.
    pub(super) public_key: Vec<u8>,
}

impl CertificateFacts {
    /// Reads a certificate's DER.
    pub(super) fn from_der(der: &[u8]) -> Result<CertificateFacts, CertificateProblem> {
        let bad = CertificateProblem::BadCertificate;
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| bad.clone())?;
        if !rest.is_empty() {
            return Err(bad);
        }
        let time = |seconds: i64| Timestamp::from_second(seconds).map_err(|_| bad.clone());
        Ok(CertificateFacts {
            subject: certificate.subject().to_string(),
            not_before: time(certificate.validity().not_before.timestamp())?,
            not_after: time(certificate.validity().not_after.timestamp())?,
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
        })
    }

    /// Refuses a certificate that has expired or is not valid yet. Entra would refuse it with a less helpful message.
    pub(super) fn check_valid_at(&self, now: Timestamp) -> Result<(), CertificateProblem> {
        if now > self.not_after {
            return Err(CertificateProblem::Expired(self.not_after));
        }
        if now < self.not_before {
            return Err(CertificateProblem::NotYetValid(self.not_before));
        }
        Ok(())
    }
}

/// SHA-1 in upper-case hex, by which the portal names a certificate. It is not used for security.
pub(super) fn thumbprint(der: &[u8]) -> String {
    hex::encode_upper(digest(&SHA1_FOR_LEGACY_USE_ONLY, der))
}

/// SHA-256.
pub(super) fn sha256(der: &[u8]) -> Vec<u8> {
    digest(&SHA256, der).as_ref().to_vec()
}
