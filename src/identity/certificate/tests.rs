use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::key_material::KeyFormat;
use super::*;

const PASSWORD: &str = "fake-password-CANARY-5d11";

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/certificates").join(name)
}

/// The contents of these fixtures, joined.
fn joined(names: &[&str]) -> Vec<u8> {
    names.iter().flat_map(|name| bytes(name)).collect()
}

fn password() -> Option<SecretString> {
    Some(SecretString::from(PASSWORD))
}

/// The signature algorithm of the pair in these bytes, or why there is none.
fn algorithm(bytes: &[u8], password: Option<&SecretString>) -> Result<&'static str, CertificateProblem> {
    KeyMaterial::parse(bytes, password)?.match_key().map(|(key, ..)| key.algorithm())
}

#[test]
fn every_way_to_write_a_pair_is_read() {
    for (names, signs) in [
        (&["rsa.crt", "rsa.key"][..], "PS256"),
        (&["rsa.key", "rsa.crt"], "PS256"),
        (&["rsa-pkcs1.key", "rsa.crt"], "PS256"),
        (&["ec.crt", "ec.key"], "ES256"),
        (&["ec-sec1.key", "ec.crt"], "ES256"),
        (&["ec384.key", "ec384.crt"], "ES384"),
        (&["rsa-encrypted.key", "rsa.crt"], "PS256"),
        (&["rsa.crt", "rsa-encrypted-sha1.key"], "PS256"),
        (&["ec.crt", "rsa.crt", "ec384.crt", "rsa.key"], "PS256"),
        (&["rsa.crt", "ec521.key", "rsa.key"], "PS256"),
        (&["bags.pem"], "PS256"),
    ] {
        let pem = joined(names);
        assert_eq!(algorithm(&pem, password().as_ref()), Ok(signs), "{names:?}");
        let text = String::from_utf8(pem).unwrap();
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(algorithm(windows.as_bytes(), password().as_ref()), Ok(signs), "{names:?} from Windows");
    }
}

#[test]
fn the_keys_own_certificate_comes_first() {
    let material = KeyMaterial::parse(&joined(&["ec.crt", "rsa.crt", "rsa.key"]), None).unwrap();
    let (_, chain, facts) = material.match_key().unwrap();
    assert_eq!(facts.subject, "CN=entra-revoke fake RSA");
    assert_eq!((&chain[0], chain.len()), (&bytes("rsa.cer"), 2));
}

#[test]
fn der_key_and_unreadable_chain_entries_are_accepted() {
    let pem = String::from_utf8(bytes("rsa-pkcs1.key")).unwrap();
    let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let material = KeyMaterial::parse(&STANDARD.decode(lines.concat()).unwrap(), None).unwrap();
    assert_eq!((material.keys.len(), material.keys[0].format), (1, KeyFormat::Pkcs1));

    let odd = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let pem = [odd.as_slice(), &joined(&["rsa.crt", "rsa.key"])].concat();
    let (_, chain, facts) = KeyMaterial::parse(&pem, None).unwrap().match_key().unwrap();
    assert_eq!((&chain[0], chain[1].len()), (&bytes("rsa.cer"), 2));
    assert_eq!(facts.subject, "CN=entra-revoke fake RSA");
}

#[test]
#[cfg(feature = "pfx")]
fn every_way_to_write_a_pfx_is_read() {
    for name in ["modern.pfx", "chain.pfx", "legacy.pfx"] {
        assert_eq!(algorithm(&bytes(name), password().as_ref()), Ok("PS256"), "{name}");
        let wrong = SecretString::from("fake");
        assert_eq!(algorithm(&bytes(name), Some(&wrong)), Err(CertificateProblem::PasswordWrong), "{name}");
        assert_eq!(algorithm(&bytes(name), None), Err(CertificateProblem::PasswordMissing), "{name}");
    }
    for name in ["open.pfx", "legacy-open.pfx", "bare.pfx"] {
        assert_eq!(algorithm(&bytes(name), None), Ok("PS256"), "{name}");
    }
    let (_, chain, _) =
        KeyMaterial::parse(&bytes("chain.pfx"), password().as_ref()).unwrap().match_key().unwrap();
    assert_eq!((chain.len(), &chain[0]), (2, &bytes("rsa.cer")));
    assert_eq!(
        algorithm(&bytes("modern.pfx")[..900], password().as_ref()),
        Err(CertificateProblem::UnreadablePfx)
    );
}

#[test]
#[cfg(not(feature = "pfx"))]
fn pfx_without_feature_explains_conversion_to_pem() {
    let problem = algorithm(&bytes("modern.pfx"), password().as_ref()).unwrap_err();
    assert!(problem.to_string().contains("openssl pkcs12 -in"), "{problem}");
}

#[test]
fn each_defect_has_its_own_error() {
    use CertificateProblem::*;
    let cut = |name: &str, length: usize| bytes(name)[..length].to_vec();
    for (content, problem) in [
        (joined(&["rsa.crt"]), KeyMissing),
        (bytes("rsa.cer"), KeyMissing),
        (joined(&["rsa.key"]), NoCertificate),
        (joined(&["rsa.crt", "ec.key"]), KeyMismatch),
        (joined(&["ec521.crt", "ec521.key"]), BadKey),
        (joined(&["rsa.crt", "rsa-encrypted.key"]), PasswordMissing),
        (joined(&["rsa.crt", "rsa-encrypted-old.key"]), UnsupportedEncryption),
        (cut("rsa.crt", 500), Damaged("CERTIFICATE")),
        (cut("rsa.key", 500), Damaged("PRIVATE KEY")),
        (b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n".to_vec(), Damaged("CERTIFICATE")),
        (
            joined(&["rsa.key"])
                .into_iter()
                .chain(*b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----")
                .collect(),
            BadCertificate,
        ),
        (
            joined(&["rsa.crt"])
                .into_iter()
                .chain(*b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----")
                .collect(),
            BadKey,
        ),
        (b"hello".to_vec(), UnknownFormat),
        (Vec::new(), UnknownFormat),
    ] {
        assert_eq!(algorithm(&content, None), Err(problem));
    }
    let des = joined(&["rsa.crt", "rsa-encrypted-3des.key"]);
    assert_eq!(algorithm(&des, password().as_ref()), Err(UnsupportedEncryption));
    let wrong = SecretString::from("fake");
    for name in ["rsa-encrypted.key", "rsa-encrypted-sha1.key"] {
        assert_eq!(algorithm(&joined(&["rsa.crt", name]), Some(&wrong)), Err(PasswordWrong));
    }
}

fn certificate(send_chain: bool) -> Certificate {
    let source = CertificateSource {
        named_by: "--certificate-file",
        given_message: "--certificate-file is set",
        path: path("rsa.crt"),
        key: Some(path("rsa.key")),
    };
    Certificate::read(&source, None, send_chain).unwrap()
}

fn parts(assertion: &SecretString) -> [Value; 2] {
    let mut parts = assertion.expose_secret().split('.');
    [(); 2].map(|()| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap())
}

#[test]
fn assertion_holds_only_required_claims() {
    let now = Timestamp::now().as_second();
    let [header, claims] =
        parts(&certificate(false).assertion("app", "https://login.example/token").unwrap());
    let sha256 = URL_SAFE_NO_PAD.encode(x509::sha256(&bytes("rsa.cer")));
    assert_eq!(header, serde_json::json!({ "typ": "JWT", "alg": "PS256", "x5t#S256": sha256 }));
    let fields: Vec<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["aud", "exp", "iat", "iss", "jti", "nbf", "sub"]);
    assert_eq!(claims["aud"], "https://login.example/token");
    assert_eq!((&claims["iss"], &claims["sub"]), (&"app".into(), &"app".into()));
    let [from, to] = ["nbf", "exp"].map(|name| claims[name].as_i64().unwrap());
    assert_eq!(to - from, 600);
    assert!((now - 62..=now).contains(&from), "{from} at {now}");
    let [_, next] = parts(&certificate(false).assertion("app", "https://login.example/token").unwrap());
    assert_ne!(claims["jti"], next["jti"]);
}

#[test]
fn chain_is_sent_when_requested() {
    let [header, _] = parts(&certificate(true).assertion("app", "https://login.example/token").unwrap());
    assert_eq!(header["x5c"], serde_json::json!([STANDARD.encode(bytes("rsa.cer"))]));
    assert!(is_true("1") && is_true(" True ") && !is_true("0") && !is_true("yes"));
}

#[test]
fn subject_and_expiry_are_reported() {
    let certificate = certificate(false);
    assert_eq!(certificate.subject(), "CN=entra-revoke fake RSA");
    assert_eq!(certificate.not_after().to_string(), "2126-01-01T00:00:00Z");
    assert_eq!(certificate.thumbprint(), hex::encode_upper(sha1(&bytes("rsa.cer"))));
    assert_eq!(certificate.thumbprint_sha256().len(), 64);
    let before = |hours| certificate.not_after() - SignedDuration::from_hours(hours);
    assert_eq!(certificate.expiry_warning(before(31 * 24)), None);
    for (hours, words) in [(30 * 24, "in 30 days"), (25, "in 1 day"), (5, "within a day")] {
        let warning = certificate.expiry_warning(before(hours)).unwrap();
        assert!(
            warning.contains(words) && warning.contains("2126-01-01") && warning.contains("az ad app"),
            "{warning}"
        );
    }
    assert_eq!(format!("{certificate:?}"), "Certificate { .. }");
}

fn sha1(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

#[test]
fn expired_or_future_certificate_is_rejected() {
    let facts = CertificateFacts::from_der(&bytes("rsa.cer")).unwrap();
    let second = SignedDuration::from_secs(1);
    assert_eq!(facts.check_valid_at(facts.not_before), Ok(()));
    assert_eq!(facts.check_valid_at(facts.not_after), Ok(()));
    assert_eq!(
        facts.check_valid_at(facts.not_after + second),
        Err(CertificateProblem::Expired(facts.not_after))
    );
    assert_eq!(
        facts.check_valid_at(facts.not_before - second),
        Err(CertificateProblem::NotYetValid(facts.not_before))
    );
}

const FILES: [&str; 9] = [
    "bags.pem",
    "ec-sec1.key",
    "rsa-encrypted.key",
    "rsa.cer",
    "rsa.crt",
    "bare.pfx",
    "open.pfx",
    "legacy.pfx",
    "modern.pfx",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), der: bool, pem: bool) {
        let mut bytes = bytes;
        if der { bytes.insert(0, 0x30); }
        if pem {
            bytes = format!("-----BEGIN ENCRYPTED PRIVATE KEY-----\n{}\n-----END ENCRYPTED PRIVATE KEY-----\n",
                STANDARD.encode(&bytes)).into_bytes();
        }
        let _ = algorithm(&bytes, password().as_ref());
    }

    #[test]
    fn no_damage_makes_it_panic(
        file in 0..FILES.len(),
        hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = bytes(FILES[file]);
        for (at, byte) in hits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = algorithm(&bytes, password().as_ref());
    }
}
