//! Why a certificate can't be used, and what to do.

use jiff::Timestamp;

/// What to do about a certificate that ends.
pub(super) const RENEW_ADVICE: &str = "make a new one and add it to the app \
                                (az ad app credential reset --id APP --append --cert @new.pem)";

/// Why a certificate can't be used. Nothing of the file stands in it but dates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// The file can't be read.
    #[error("{0}")]
    Unreadable(String),
    /// Others may change the file.
    #[error("{0}")]
    Insecure(String),
    /// The file is far larger than any certificate.
    #[error("it is too large for a certificate with its key")]
    TooLarge,
    /// Neither PEM nor PFX.
    #[error("it is neither PEM nor PFX (PKCS#12)")]
    UnknownFormat,
    /// A PEM block has no end, or holds no base64.
    #[error("its PEM is damaged: the block '{0}' has no end, or holds what is no base64")]
    Damaged(&'static str),
    /// There is no certificate.
    #[error("it holds no certificate, only other things; the app's certificate must be in it")]
    NoCertificate,
    /// There is no key beside the certificate.
    #[error(
        "it holds no private key: give a file with both, or name the key's own file (--certificate-key-file)"
    )]
    KeyMissing,
    /// There is no key in the file that is for it.
    #[error("it holds no private key")]
    KeyFileWithoutKey,
    /// What calls itself a certificate is none.
    #[error("a certificate in it can't be read: it is damaged, or no X.509 certificate")]
    BadCertificate,
    /// What calls itself a key is none that can be used.
    #[error(
        "its private key can't be used: RSA from 2048 to 8192 bits and EC on P-256 or P-384 can, other kinds and damaged \
         ones can't"
    )]
    BadKey,
    /// Key and certificate are of two pairs.
    #[error("its private key belongs to none of its certificates: they are of two different pairs")]
    KeyMismatch,
    /// There is a password, and none is given.
    #[error("it has a password: set AZURE_CLIENT_CERTIFICATE_PASSWORD or give --certificate-password-file")]
    PasswordMissing,
    /// The password does not open it.
    #[error("the password does not open it (AZURE_CLIENT_CERTIFICATE_PASSWORD, --certificate-password-file)")]
    PasswordWrong,
    /// The key is encrypted in a way that is not read here.
    #[error(
        "its private key is encrypted in an old or seldom way that is not read here: write it anew with AES \
         (openssl pkey -in FILE -aes256 -out key.pem), or without a password (openssl pkey -in FILE -out key.pem)"
    )]
    UnsupportedEncryption,
    /// The PFX file is damaged, or of a kind that is not read here.
    #[error("this PFX file can't be read: make a PEM of it (openssl pkcs12 -in FILE -nodes -out app.pem)")]
    UnreadablePfx,
    /// PFX files are not read by this build.
    #[error(
        "this build reads no PFX files (its feature `pfx` is off): make a PEM of it (openssl pkcs12 -in FILE -nodes -out \
         app.pem)"
    )]
    PfxUnsupported,
    /// It has ended.
    #[error("the certificate ended on {0}: nothing was sent; {RENEW_ADVICE}")]
    Expired(Timestamp),
    /// It has not begun.
    #[error(
        "the certificate begins on {0}, which is still to come: nothing was sent; is this machine's clock right?"
    )]
    NotYetValid(Timestamp),
    /// The key could not sign.
    #[error("its private key can't sign")]
    SigningFailed,
}
