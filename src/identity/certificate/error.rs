//! Why a certificate can't be used, and what to do.

use jiff::Timestamp;

/// What to do about a certificate that expires.
pub(super) const RENEW_ADVICE: &str = "make a new one and add it to the app \
                                (az ad app credential reset --id APP --append --cert @new.pem)";

/// Why a certificate can't be used. The messages contain nothing of the file except dates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// The file can't be read.
    #[error("{0}")]
    Unreadable(String),
    /// Other accounts may change the file.
    #[error("{0}")]
    Insecure(String),
    /// The file is far larger than any certificate.
    #[error("it is too large for a certificate with its key")]
    TooLarge,
    /// The file is neither PEM nor PFX.
    #[error("it is neither PEM nor PFX (PKCS#12)")]
    UnknownFormat,
    /// A PEM block has no end, or is not base64.
    #[error("invalid PEM: block '{0}' is unterminated or not base64")]
    Damaged(&'static str),
    /// The file has no certificate.
    #[error("it has no certificate; the app's certificate must be in it")]
    NoCertificate,
    /// The file has a certificate but no key.
    #[error("it has no private key: use a file with both, or name the key file (--certificate-key-file)")]
    KeyMissing,
    /// The key file has no key.
    #[error("it has no private key")]
    KeyFileWithoutKey,
    /// A block that is labeled as a certificate is not one.
    #[error("a certificate in it can't be read: it is damaged, or not an X.509 certificate")]
    BadCertificate,
    /// A block that is labeled as a key is not a usable key.
    #[error("its private key can't be used: use RSA with 2048 to 8192 bits, or EC on P-256 or P-384")]
    BadKey,
    /// The key and the certificate do not belong together.
    #[error("its private key does not match any of its certificates")]
    KeyMismatch,
    /// The file is encrypted, and no password is set.
    #[error("it has a password: set AZURE_CLIENT_CERTIFICATE_PASSWORD or use --certificate-password-file")]
    PasswordMissing,
    /// The password is wrong.
    #[error("the password is wrong (AZURE_CLIENT_CERTIFICATE_PASSWORD, --certificate-password-file)")]
    PasswordWrong,
    /// The key's encryption is not supported.
    #[error(
        "its private key uses an old or rare encryption that is not supported: encrypt it again with AES \
         (openssl pkey -in FILE -aes256 -out key.pem), or remove the password (openssl pkey -in FILE -out \
         key.pem)"
    )]
    UnsupportedEncryption,
    /// The PFX file is damaged, or of an unsupported kind.
    #[error("can't read this PFX file: convert it to PEM (openssl pkcs12 -in FILE -nodes -out app.pem)")]
    UnreadablePfx,
    /// This build does not read PFX files.
    #[error(
        "this build does not read PFX files (feature `pfx` is off): convert it to PEM (openssl pkcs12 -in FILE \
         -nodes -out app.pem)"
    )]
    PfxUnsupported,
    /// The certificate has expired.
    #[error("the certificate expired on {0}: nothing was revoked; {RENEW_ADVICE}")]
    Expired(Timestamp),
    /// The certificate is not valid yet.
    #[error("the certificate is not valid before {0}: nothing was revoked; is this machine's clock right?")]
    NotYetValid(Timestamp),
    /// The key could not sign.
    #[error("its private key can't sign")]
    SigningFailed,
}
