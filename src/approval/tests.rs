use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::key::PublicKey;
use super::signature::Signature;
use super::signers;
use super::wire::put_string;
use super::*;

const SIGNED: &[u8] = include_bytes!("../../tests/fixtures/approvals/signed.json");

/// A public key in OpenSSH's file format, and a signature of [`SIGNED`] with it.
macro_rules! fixture {
    ($name:literal, $signature:literal) => {
        (
            include_str!(concat!("../../tests/fixtures/approvals/", $name, ".pub")),
            include_bytes!(concat!("../../tests/fixtures/approvals/", $signature, ".sig")).as_slice(),
        )
    };
}

fn now() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

fn hashes(of: &[u8]) -> RawDigest {
    RawDigest::read(of).unwrap()
}

#[test]
fn signatures_of_openssh_are_good_for_what_they_sign() {
    for (public, signature) in [
        fixture!("ed25519", "ed25519"),
        fixture!("ecdsa-256", "ecdsa-256"),
        fixture!("ecdsa-384", "ecdsa-384"),
        fixture!("ecdsa-521", "ecdsa-521"),
        fixture!("rsa-2048", "rsa-2048"),
        fixture!("rsa-2048", "rsa-sha256"),
    ] {
        let read = Signature::read(signature).unwrap();
        assert!(read.verifies(&hashes(SIGNED)), "{public}");
        assert!(!read.verifies(&hashes(b"{}")), "{public}");
        let signers = signers::read(&format!("ann@contoso.com {public}")).unwrap();
        assert_eq!(signers[0].key, read.key);
        // A change of one bit in any byte must make it invalid.
        let text = String::from_utf8(signature.to_vec()).unwrap();
        let (begin, rest) = text.split_once('\n').unwrap();
        let (armored, end) = rest.rsplit_once("-----END").unwrap();
        let blob = STANDARD.decode(armored.replace('\n', "")).unwrap();
        for at in 0..blob.len() {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            let changed = format!("{begin}\n{}\n-----END{end}", STANDARD.encode(changed));
            let good = Signature::read(changed.as_bytes()).is_ok_and(|read| read.verifies(&hashes(SIGNED)));
            assert!(!good, "byte {at} of {public}");
        }
    }
}

#[test]
fn what_is_no_signature_for_plans_is_refused_without_showing_it() {
    let other = include_bytes!("../../tests/fixtures/approvals/other-namespace.sig");
    assert!(Signature::read(other).unwrap_err().contains("-n entra-revoke"));
    let certificate = include_bytes!("../../tests/fixtures/approvals/certificate.sig");
    assert!(Signature::read(certificate).unwrap_err().contains("which is not supported"));
    for text in ["", "CANARY", "-----BEGIN SSH SIGNATURE-----\nQ0FOQVJZ\n-----END SSH SIGNATURE-----\n"] {
        assert!(!Signature::read(text.as_bytes()).unwrap_err().contains("CANARY"));
    }
}

/// A signature with a security key, made as in OpenSSH's PROTOCOL.u2f.
fn by_security_key(flags: u8) -> (Vec<u8>, Vec<u8>) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let mut public = Vec::new();
    for part in [b"sk-ssh-ed25519@openssh.com", pair.public_key().as_ref(), b"ssh:"] {
        put_string(&mut public, part);
    }
    let mut data = b"SSHSIG".to_vec();
    for part in [b"entra-revoke".as_slice(), b"", b"sha512", &hashes(SIGNED).sha512] {
        put_string(&mut data, part);
    }
    let mut message = digest(&SHA256, b"ssh:").as_ref().to_vec();
    message.extend([flags, 0, 0, 0, 9]);
    message.extend_from_slice(digest(&SHA256, &data).as_ref());
    let mut signature = Vec::new();
    put_string(&mut signature, b"sk-ssh-ed25519@openssh.com");
    put_string(&mut signature, pair.sign(&message).as_ref());
    signature.extend([flags, 0, 0, 0, 9]);
    let mut blob = b"SSHSIG\0\0\0\x01".to_vec();
    for part in [public.as_slice(), b"entra-revoke", b"", b"sha512", &signature] {
        put_string(&mut blob, part);
    }
    let armored = STANDARD.encode(blob);
    (public, format!("-----BEGIN SSH SIGNATURE-----\n{armored}\n-----END SSH SIGNATURE-----\n").into_bytes())
}

#[test]
fn a_security_key_signs_when_somebody_touches_it() {
    let (public, touched) = by_security_key(1);
    let read = Signature::read(&touched).unwrap();
    assert_eq!(read.key, PublicKey::read(&public).unwrap());
    assert!(read.verifies(&hashes(SIGNED)) && !read.verifies(&hashes(b"")));
    assert!(!Signature::read(&by_security_key(0).1).unwrap().verifies(&hashes(SIGNED)));
}

#[test]
fn a_line_says_who_and_what_for_and_until_when() {
    let key = fixture!("ed25519", "ed25519").0;
    let one = |line: &str| signers::read(&line.replace("KEY", key.trim())).map(|mut all| all.pop());
    let refuses = |line: &str| one(line).unwrap().unwrap().refusal_reason(now());
    for good in [
        "ann@contoso.com KEY",
        "ann@contoso.com,bob@contoso.com KEY a comment",
        "\"ann@contoso.com\" namespaces=\"git,entra-*\" KEY",
        "ann@contoso.com NAMESPACES=\"entra-revoke\",valid-after=\"20200101Z\",valid-before=\"20300101000000Z\" KEY",
        "  ann@contoso.com\tvalid-before=\"203001010000\"  KEY\r",
    ] {
        assert_eq!(refuses(good), None, "{good}");
    }
    assert!(refuses("a namespaces=\"git\" KEY").unwrap().contains("namespaces"));
    assert!(refuses("a valid-before=\"20261130115959Z\" KEY").unwrap().contains("expired"));
    assert!(refuses("a valid-after=\"202612010000Z\" KEY").unwrap().contains("not valid yet"));
    assert!(one("# ann@contoso.com KEY\n\n").unwrap().is_none());
    // A line for other purposes may have something that is not supported.
    assert!(one("*@contoso.com cert-authority,namespaces=\"git\" KEY").unwrap().is_none());
    for bad in [
        "CANARY",
        "CANARY CANARY",
        "root:$6$CANARY:19000:0:99999:7:::",
        "a cert-authority KEY",
        "a CANARY=\"x\" KEY",
        "a namespaces=\"x KEY",
        "a namespaces=\"x\",namespaces=\"y\" KEY",
        "a valid-before=\"CANARY\" KEY",
        "a valid-before=\"20261301\" KEY",
        "a valid-after=\"20260102\",valid-before=\"20260101\" KEY",
        "a ssh-ed25519 CANARY",
        "a ssh-dss AAAAB3NzaC1kc3M=",
        "a ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIK4UQp1Xpa0vsFizbYXIjmFNpUggnYVIitBFCatpVmXw",
    ] {
        let why = one(bad).unwrap_err();
        assert!(why.line == 1 && !why.why.contains("CANARY"), "{bad}: {why:?}");
    }
}

#[test]
fn names_of_the_sender_are_found_in_principals() {
    let signer = |principals: &str| {
        let key = fixture!("ed25519", "ed25519").0;
        signers::read(&format!("{principals} {key}")).unwrap().remove(0)
    };
    assert!(signer("Ann@Contoso.com").matches_name("ann@contoso.com"));
    assert!(signer("*@contoso.com").matches_name("ann@contoso.com"));
    assert!(!signer("*@contoso.com,!ann@contoso.com").matches_name("ANN@contoso.com"));
    assert!(signer("bob,ann@contoso.com").has_account("ann") && signer("ann").has_account("Ann"));
    assert!(!signer("anna@contoso.com").has_account("ann"));
}

proptest::proptest! {
    #[test]
    fn no_list_and_no_signature_makes_it_panic(text in ".{0,200}", bytes: Vec<u8>) {
        let _ = signers::read(&text);
        let _ = Signature::read(&bytes);
        let _ = PublicKey::read(&bytes);
        let armored = STANDARD.encode([b"SSHSIG\0\0\0\x01".as_slice(), &bytes].concat());
        let text = format!("-----BEGIN SSH SIGNATURE-----\n{armored}\n-----END SSH SIGNATURE-----");
        let _ = Signature::read(text.as_bytes());
    }
}
