use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_790_000_000;
const HERE: &str = "https://login.example/t/oauth2/v2.0/token";

/// A key and its certificate.
struct TestCertificate {
    key: KeyPair,
    registered: RegisteredCertificate,
}

impl TestCertificate {
    fn rsa() -> TestCertificate {
        TestCertificate::from_key(KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap())
    }

    fn ec() -> TestCertificate {
        TestCertificate::from_key(KeyPair::generate().unwrap())
    }

    fn from_key(key: KeyPair) -> TestCertificate {
        let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        TestCertificate { registered: RegisteredCertificate::load(&certificate.pem()).unwrap(), key }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let text = format!("{}.{}", encode(header), encode(claims));
        let (random, der) = (SystemRandom::new(), self.key.serialize_der());
        let rsa = |padding: &'static dyn RsaEncoding| {
            let pair = rsa::KeyPair::from_pkcs8(&der).unwrap();
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &random, text.as_bytes(), &mut signature).unwrap();
            signature
        };
        let signature = match header["alg"].as_str() {
            Some("ES256") => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
                .map(|pair| pair.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec())
                .unwrap(),
            Some("RS256") => rsa(&RSA_PKCS1_SHA256),
            _ => rsa(&RSA_PSS_SHA256),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn header(&self, algorithm: &str) -> Value {
        let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.registered.der));
        json!({ "alg": algorithm, "typ": "JWT", "x5t#S256": thumbprint })
    }

    /// The code of the error, or 0, and the warnings.
    fn verify(&self, assertion: &str) -> (u32, Vec<&'static str>) {
        let expected = ExpectedAssertion { client: "app", audience: HERE, now: NOW };
        match verify(&self.registered, &expected, assertion) {
            Ok((_, warnings)) => (0, warnings.into_iter().map(|(kind, _)| kind).collect()),
            Err(refusal) => (refusal.code, Vec::new()),
        }
    }
}

fn claims() -> Value {
    json!({ "aud": HERE, "iss": "app", "sub": "app", "jti": "1", "nbf": NOW - 60, "exp": NOW + 540 })
}

/// `json` with one field changed; null removes it.
fn with(mut json: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => {
            json.as_object_mut().unwrap().remove(name);
        }
        value => json[name] = value,
    }
    json
}

#[test]
fn a_valid_assertion_is_accepted() {
    let rsa = TestCertificate::rsa();
    assert_eq!(rsa.verify(&rsa.sign(&rsa.header("PS256"), &claims())), (0, vec![]));
    let ec = TestCertificate::ec();
    assert_eq!(ec.verify(&ec.sign(&ec.header("ES256"), &claims())), (0, vec![]));
}

#[test]
fn outdated_assertions_are_accepted_with_warnings() {
    let rsa = TestCertificate::rsa();
    let sha1 = URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &rsa.registered.der));
    let old = with(with(rsa.header("RS256"), "x5t#S256", Value::Null), "x5t", sha1.into());
    let noted = rsa.verify(&rsa.sign(&old, &claims()));
    assert_eq!(noted, (0, vec!["assertion_sha1", "assertion_old_algorithm"]));
    let untyped = with(rsa.header("PS256"), "typ", Value::Null);
    assert_eq!(rsa.verify(&rsa.sign(&untyped, &claims())), (0, vec!["assertion_without_type"]));
    let long = with(claims(), "exp", (NOW + 541).into());
    assert_eq!(rsa.verify(&rsa.sign(&rsa.header("PS256"), &long)), (0, vec!["assertion_long_lived"]));
}

#[test]
fn mismatched_claims_are_refused() {
    let ec = TestCertificate::ec();
    for (name, value, code) in [
        ("aud", json!("https://login.example/other/oauth2/v2.0/token"), 700_023),
        ("aud", json!("https://other.example/t/oauth2/v2.0/token"), 700_023),
        ("iss", json!("another"), 700_021),
        ("sub", json!("another"), 700_021),
        ("exp", json!(NOW - 301), 700_024),
        ("exp", json!(NOW - 299), 0),
        ("nbf", json!(NOW + 301), 700_024),
        ("nbf", Value::Null, 50_027),
        ("exp", json!("soon"), 50_027),
    ] {
        let claims = with(claims(), name, value.clone());
        assert_eq!(ec.verify(&ec.sign(&ec.header("ES256"), &claims)).0, code, "{name} {value}");
    }
}

#[test]
fn foreign_signatures_are_refused() {
    let (ec, other) = (TestCertificate::ec(), TestCertificate::ec());
    let good = ec.sign(&ec.header("ES256"), &claims());
    assert_eq!(other.verify(&good).0, 700_027, "another certificate");
    let forged = other.sign(&ec.header("ES256"), &claims());
    assert_eq!(ec.verify(&forged).0, 700_027, "the certificate's name, and another key");
    let (text, signature) = good.rsplit_once('.').unwrap();
    let changed = ec.sign(&ec.header("ES256"), &with(claims(), "jti", json!("2")));
    let mixed = format!("{text}.{}", changed.rsplit_once('.').unwrap().1);
    assert_eq!(ec.verify(&mixed).0, 700_027, "another text's signature");
    let mut bits = URL_SAFE_NO_PAD.decode(signature).unwrap();
    bits[7] ^= 1;
    assert_eq!(ec.verify(&format!("{text}.{}", URL_SAFE_NO_PAD.encode(bits))).0, 700_027, "one bit");
    for name in ["none", "HS256", "PS256"] {
        let claimed = ec.sign(&ec.header("ES256"), &claims());
        let rest = claimed.split_once('.').unwrap().1;
        let head = URL_SAFE_NO_PAD.encode(ec.header(name).to_string());
        assert_ne!(ec.verify(&format!("{head}.{rest}")).0, 0, "{name}");
    }
    let nameless = with(ec.header("ES256"), "x5t#S256", Value::Null);
    assert_eq!(ec.verify(&ec.sign(&nameless, &claims())).0, 700_027);
    let chain = with(ec.header("ES256"), "x5c", json!([STANDARD.encode(&other.registered.der)]));
    assert_eq!(ec.verify(&ec.sign(&chain, &claims())).0, 50_027);
    let pem = with(ec.header("ES256"), "x5c", json!(["-----BEGIN CERTIFICATE-----"]));
    assert_eq!(ec.verify(&ec.sign(&pem, &claims())).0, 50_027);
}

#[test]
fn malformed_assertions_are_refused() {
    let ec = TestCertificate::ec();
    for text in ["", "a.b.c", "a.b", "..", "e30.e30.e30"] {
        assert_eq!(ec.verify(text).0, 50_027, "{text}");
    }
}

#[test]
fn an_unreadable_certificate_is_an_error() {
    for text in ["missing.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(RegisteredCertificate::load(text).is_err(), "{text}");
    }
}
