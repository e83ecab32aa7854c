//! Private keys with a password: encrypted PKCS#8 (RFC 5958) by PBES2 (RFC 8018) with PBKDF2 and AES-CBC. OpenSSL has
//! used this format for many years.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::CertificateProblem;

/// More rounds than real files use. The limit keeps a damaged file from blocking the program for hours.
const MAX_ROUNDS: u64 = 10_000_000;

const SEQUENCE: u8 = 0x30;
const OBJECT: u8 = 0x06;
const OCTETS: u8 = 0x04;
const INTEGER: u8 = 0x02;

/// 1.2.840.113549.1.5.13
const PBES2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";
/// 1.2.840.113549.1.5.12
const PBKDF2: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
/// 1.2.840.113549.2, followed by the hash.
const HMAC: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x02";
/// 2.16.840.1.101.3.4.1, followed by length and mode.
const AES: &[u8] = b"\x60\x86\x48\x01\x65\x03\x04\x01";

/// Decrypts an encrypted PKCS#8 key and returns the DER of the key.
pub(super) fn pkcs8(der: &[u8], password: &SecretString) -> Result<Zeroizing<Vec<u8>>, CertificateProblem> {
    let sealed = EncryptedKey::read(der)?;
    let mut key = Zeroizing::new(vec![0; sealed.cipher.1]);
    let secret = password.expose_secret().as_bytes();
    pbkdf2::derive(sealed.prf, sealed.rounds, sealed.salt, secret, &mut key);
    let mut text = Zeroizing::new(sealed.text.to_vec());
    let wrong = |_| CertificateProblem::PasswordWrong;
    let key = UnboundCipherKey::new(sealed.cipher.0, &key).map_err(wrong)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(wrong)?;
    let context = DecryptionContext::Iv128(FixedLength::from(sealed.iv));
    let plain = Zeroizing::new(key.decrypt(&mut text, context).map_err(wrong)?.to_vec());
    // One in 256 wrong passwords leaves valid padding, so the result must also be a complete sequence.
    match DerReader(&plain).take(SEQUENCE) {
        Some(_) => Ok(plain),
        None => Err(CertificateProblem::PasswordWrong),
    }
}

/// The parts of an encrypted key.
struct EncryptedKey<'a> {
    prf: pbkdf2::Algorithm,
    salt: &'a [u8],
    rounds: NonZeroU32,
    /// The algorithm with the length of its key in bytes.
    cipher: (&'static Algorithm, usize),
    iv: [u8; 16],
    text: &'a [u8],
}

impl<'a> EncryptedKey<'a> {
    fn read(der: &'a [u8]) -> Result<EncryptedKey<'a>, CertificateProblem> {
        let damaged = CertificateProblem::Damaged("ENCRYPTED PRIVATE KEY");
        let scheme = CertificateProblem::UnsupportedEncryption;
        let mut key_info = DerReader(DerReader(der).take(SEQUENCE).ok_or_else(|| damaged.clone())?);
        let mut outer = DerReader(key_info.take(SEQUENCE).ok_or_else(|| damaged.clone())?);
        let text = key_info.take(OCTETS).ok_or(damaged)?;
        if outer.take(OBJECT) != Some(PBES2) {
            return Err(scheme);
        }
        EncryptedKey::parameters(outer, text).ok_or(scheme)
    }

    fn parameters(mut outer: DerReader<'a>, text: &'a [u8]) -> Option<EncryptedKey<'a>> {
        let mut parts = DerReader(outer.take(SEQUENCE)?);
        let (mut derive, mut cipher) = (DerReader(parts.take(SEQUENCE)?), DerReader(parts.take(SEQUENCE)?));
        if derive.take(OBJECT)? != PBKDF2 {
            return None;
        }
        let mut derive = DerReader(derive.take(SEQUENCE)?);
        let salt = derive.take(OCTETS)?;
        let rounds = u32::try_from(number(derive.take(INTEGER)?)?).ok().and_then(NonZeroU32::new)?;
        if derive.0.first() == Some(&INTEGER) {
            derive.take(INTEGER)?;
        }
        let prf = match derive.take(SEQUENCE) {
            None => PBKDF2_HMAC_SHA1,
            Some(prf) => hash(DerReader(prf).take(OBJECT)?)?,
        };
        let algorithm = aes(cipher.take(OBJECT)?)?;
        let iv = cipher.take(OCTETS)?.try_into().ok()?;
        Some(EncryptedKey { prf, salt, rounds, cipher: algorithm, iv, text })
    }
}

fn hash(object: &[u8]) -> Option<pbkdf2::Algorithm> {
    match object.strip_prefix(HMAC)? {
        [7] => Some(PBKDF2_HMAC_SHA1),
        [9] => Some(PBKDF2_HMAC_SHA256),
        [10] => Some(PBKDF2_HMAC_SHA384),
        [11] => Some(PBKDF2_HMAC_SHA512),
        _ => None,
    }
}

fn aes(object: &[u8]) -> Option<(&'static Algorithm, usize)> {
    match object.strip_prefix(AES)? {
        [2] => Some((&AES_128, 16)),
        [22] => Some((&AES_192, 24)),
        [42] => Some((&AES_256, 32)),
        _ => None,
    }
}

fn number(bytes: &[u8]) -> Option<u64> {
    let number =
        bytes.iter().try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add((*byte).into()))?;
    (number <= MAX_ROUNDS).then_some(number)
}

/// Reads DER, one element after the other.
struct DerReader<'a>(&'a [u8]);

impl<'a> DerReader<'a> {
    /// The content of the next element, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&first, rest) = self.0.split_first()?;
        if first != tag {
            return None;
        }
        let (&short, rest) = rest.split_first()?;
        let (length, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            0x81..=0x84 => {
                let (long, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
                (long.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }
}
