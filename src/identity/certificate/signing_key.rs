//! The private key, which only signs and can't be exported.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PSS_SHA256,
};

use super::CertificateProblem;
use super::key_material::{KeyFormat, RawKey};

/// A private key inside AWS-LC, which wipes it on drop.
pub(super) enum SigningKey {
    Rsa(rsa::KeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
}

impl SigningKey {
    /// The key, if its kind is supported.
    pub(super) fn from_raw(raw: &RawKey) -> Option<SigningKey> {
        let der = raw.der.as_slice();
        match raw.format {
            KeyFormat::Pkcs1 => rsa::KeyPair::from_der(der).ok().map(SigningKey::Rsa),
            KeyFormat::Pkcs8 => {
                rsa::KeyPair::from_pkcs8(der).ok().map(SigningKey::Rsa).or_else(|| SigningKey::ec(der))
            }
            KeyFormat::Sec1 => SigningKey::ec(der),
        }
    }

    fn ec(der: &[u8]) -> Option<SigningKey> {
        let p256 = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der);
        let p384 = || EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_FIXED_SIGNING, der);
        p256.map(SigningKey::P256).or_else(|_| p384().map(SigningKey::P384)).ok()
    }

    /// The bits of its public key, in the form of a certificate.
    pub(super) fn public_key(&self) -> &[u8] {
        match self {
            SigningKey::Rsa(pair) => pair.public_key().as_ref(),
            SigningKey::P256(pair) | SigningKey::P384(pair) => pair.public_key().as_ref(),
        }
    }

    /// The `alg` of its signatures in the header of a JWT (RFC 7518). Entra documents only PS256.
    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            SigningKey::Rsa(_) => "PS256",
            SigningKey::P256(_) => "ES256",
            SigningKey::P384(_) => "ES384",
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CertificateProblem> {
        let random = SystemRandom::new();
        let fail = |_| CertificateProblem::SigningFailed;
        match self {
            SigningKey::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &random, message, &mut signature).map_err(fail)?;
                Ok(signature)
            }
            SigningKey::P256(pair) | SigningKey::P384(pair) => {
                Ok(pair.sign(&random, message).map_err(fail)?.as_ref().to_vec())
            }
        }
    }
}
