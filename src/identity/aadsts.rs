//! Entra's refusals, and what to do about each
//! (learn.microsoft.com/entra/identity-platform/reference-error-codes, and login.microsoftonline.com/error?code=…).
//!
//! The codes select advice for people. The only decision that depends on them is whether to retry.

/// The advice for one code.
struct AadstsRow {
    code: u32,
    advice: &'static str,
}

const fn row(code: u32, advice: &'static str) -> AadstsRow {
    AadstsRow { code, advice }
}

const CLOCK: &str = "the time in the assertion does not match Entra's clock: set this machine's clock (NTP); \
     if it is a federated token, it may be too old: get a new one";
const CLOUD: &str = "the tenant is in another cloud: choose it with --cloud";
const CONDITIONAL: &str = "Conditional Access blocks this sign-in: find the policy in Entra's sign-in logs, \
     and sign in from a location and with a method that it allows";
const DEVICE: &str = "Conditional Access requires a managed device: sign in as an app, or on such a device \
     with az login and --auth azure-cli (--auth device-code can't prove the device)";
const MFA: &str = "multifactor authentication is required: sign in again with a browser (--auth device-code, \
     or az login)";
const NO_TENANT: &str = "there is no such tenant in this cloud: check --tenant and --cloud";
const RESTRICTED: &str = "a proxy restricts which tenants can be reached, and this tenant is not allowed: ask \
     the administrators of the proxy";
const TRANSIENT_ADVICE: &str = "Entra has a temporary problem: try again in a few minutes";
const SIGN_IN_AGAIN: &str = "the sign-in is no longer valid: sign in again";
const SUBJECT: &str = "no federated credential of the app has this subject: compare the subject in the message \
     with those of the app, character by character";

/// Sorted by code, for the binary search.
const ADVICE_BY_CODE: &[AadstsRow] = &[
    row(50_001, "this tenant does not know Graph by this name: check --cloud"),
    row(50_002, RESTRICTED),
    row(50_020, "the user belongs to another tenant: check --tenant, or invite the user as a guest"),
    row(
        50_027,
        "the assertion is malformed, or not signed by its issuer: check the federated token's issuer and file",
    ),
    row(50_034, "the user is not in this tenant: check the name and --tenant"),
    row(
        50_053,
        "the account is locked, or its IP address is blocked, after too many failed sign-ins: see the sign-in \
         logs",
    ),
    row(50_055, "the user's password has expired: change it, then sign in again"),
    row(50_057, "the user's account is disabled: sign in with another account"),
    row(50_058, "no user is signed in: sign in again"),
    row(50_059, "no tenant was named: use --tenant"),
    row(50_072, MFA),
    row(50_074, MFA),
    row(50_076, MFA),
    row(50_078, MFA),
    row(50_079, MFA),
    row(50_097, DEVICE),
    row(
        50_105,
        "the user is not assigned to the app: assign the user under Enterprise applications, Users and \
         groups",
    ),
    row(50_126, "user name or password is wrong: sign in again"),
    row(50_128, NO_TENANT),
    row(50_173, "the user's sessions were revoked, possibly by this run: sign in again"),
    row(
        50_196,
        "too many identical sign-ins in a short time: stop what repeats them, and wait a few minutes",
    ),
    row(53_000, DEVICE),
    row(53_001, DEVICE),
    row(53_003, CONDITIONAL),
    row(
        65_001,
        "the app's permission has no consent: have an administrator grant it (az ad app permission \
         admin-consent --id APP)",
    ),
    row(70_001, "the app is disabled, or not in this tenant: check --client-id and --tenant"),
    row(70_008, SIGN_IN_AGAIN),
    row(70_011, "the scope is not valid for this cloud: check --cloud"),
    row(70_016, "the code has not been entered yet: open the address and enter it"),
    row(70_018, "the code was mistyped or is unknown: start again and enter the new code"),
    row(70_019, "the code has expired: start again, and enter the new one within 15 minutes"),
    row(70_020, "the code has expired: start again, and enter the new one within 15 minutes"),
    row(
        70_021,
        "no federated credential of the app matches the token: compare issuer, subject and audience in the \
         message with those of the app; a new one takes a few minutes to work",
    ),
    row(70_043, "the sign-in is older than Conditional Access allows: sign in again"),
    row(90_002, NO_TENANT),
    row(
        90_014,
        "a part of the request is missing: check that --tenant, --client-id and the credential are all \
         set",
    ),
    row(90_024, TRANSIENT_ADVICE),
    row(90_033, TRANSIENT_ADVICE),
    row(90_038, CLOUD),
    row(90_055, "Entra throttles this tenant: wait a few minutes"),
    row(
        90_094,
        "an administrator must consent to the app's permission: az ad app permission admin-consent --id \
         APP",
    ),
    row(
        500_011,
        "this tenant does not know Graph by this name, usually because it is in another cloud: check --cloud \
         and --tenant",
    ),
    row(500_021, RESTRICTED),
    row(500_022, RESTRICTED),
    row(530_003, DEVICE),
    row(530_032, CONDITIONAL),
    row(530_033, DEVICE),
    row(700_003, "the device is no longer registered: register it again, or sign in on another one"),
    row(700_016, "the tenant does not know this app: check --client-id, --tenant and --cloud"),
    row(700_021, "the assertion belongs to another app: check --client-id"),
    row(700_023, "the assertion is meant for another tenant or cloud: check --tenant and --cloud"),
    row(700_024, CLOCK),
    row(
        700_025,
        "the app is a public client, which uses neither a secret nor a certificate: set 'Allow public client \
         flows' of the app to No, or use --auth device-code",
    ),
    row(
        700_027,
        "Entra does not accept the certificate: upload this certificate to the app (compare the thumbprints), \
         and check that it has not expired",
    ),
    row(
        700_030,
        "the app does not trust the certificate's subject: compare it with the names that the app allows",
    ),
    row(700_082, "the sign-in has not been used for too long: sign in again"),
    row(
        700_211,
        "no federated credential of the app has this issuer: compare the issuer in the message with those \
         of the app, character by character",
    ),
    row(
        700_212,
        "no federated credential of the app has this audience: it should be api://AzureADTokenExchange, with \
         USGov or China at the end in those clouds",
    ),
    row(700_213, SUBJECT),
    row(900_023, "the tenant is neither an ID nor a domain: check --tenant"),
    row(
        900_144,
        "a part of the request is missing: check that --tenant, --client-id and the credential are all \
         set",
    ),
    row(900_382, CLOUD),
    row(900_432, CLOUD),
    row(900_439, CLOUD),
    row(1_000_502, "the certificate has expired or is not valid yet: make a new one and add it to the app"),
    row(1_002_012, "the scope is not valid for this cloud: check --cloud"),
    row(7_000_112, "the app is disabled in this tenant: enable it under Enterprise applications, Properties"),
    row(7_000_214, "the certificate has been revoked: make a new one and add it to the app"),
    row(7_000_215, "the secret is wrong: use the secret's value, not its ID"),
    row(
        7_000_218,
        "the app has no credential and is not a public client: use a secret or certificate, or set 'Allow \
         public client flows' of the app to Yes for a device code",
    ),
    row(7_000_222, "the secret has expired: make a new one for the app"),
    row(
        7_000_229,
        "the app has no service principal in this tenant: create one (az ad sp create --id APP), then grant \
         consent",
    ),
    row(7_002_138, SUBJECT),
];

/// Codes of temporary faults. Entra may send them as a bad request, so the status does not show that they are
/// temporary.
const TRANSIENT_CODES: [u32; 8] = [50_033, 90_006, 90_012, 90_024, 90_033, 90_055, 90_090, 90_091];

/// What to do about a refusal with this code (`AADSTS…`); `None` for codes that are rarely seen.
pub(super) fn advice(code: &str) -> Option<&'static str> {
    let code = parse_code(code)?;
    ADVICE_BY_CODE.binary_search_by_key(&code, |row| row.code).ok().map(|at| ADVICE_BY_CODE[at].advice)
}

/// Whether a retry of the same request may succeed, by the code of the refusal. A client loop (AADSTS50196) is not
/// transient, because retries are its cause.
pub(super) fn is_transient(code: &str) -> bool {
    parse_code(code).is_some_and(|code| TRANSIENT_CODES.contains(&code))
}

fn parse_code(code: &str) -> Option<u32> {
    code.strip_prefix("AADSTS")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGN_IN: &str = include_str!("../../docs/sign-in.md");

    #[test]
    fn every_row_is_found_and_says_what_to_do() {
        assert!(ADVICE_BY_CODE.len() >= 25);
        assert!(ADVICE_BY_CODE.windows(2).all(|pair| pair[0].code < pair[1].code), "sorted, each code once");
        for row in ADVICE_BY_CODE {
            assert_eq!(advice(&format!("AADSTS{}", row.code)), Some(row.advice), "{}", row.code);
            assert!(row.advice.len() > 20 && row.advice.contains(':'), "{}: {}", row.code, row.advice);
            let fits = !row.advice.contains(['|', '\n']) && !row.advice.ends_with('.');
            assert!(fits && !row.advice.contains("  "), "{}: {}", row.code, row.advice);
        }
    }

    #[test]
    fn other_codes_get_no_advice() {
        for code in ["AADSTS1", "AADSTS", "7000215", "invalid_client", "AADSTS99999999999", "AADSTS7000215x"]
        {
            assert_eq!(advice(code), None, "{code}");
            assert!(!is_transient(code), "{code}");
        }
    }

    #[test]
    fn transient_codes_are_retried() {
        assert!(is_transient("AADSTS90033") && is_transient("AADSTS90055"));
        for code in ["AADSTS50196", "AADSTS7000215", "AADSTS70016", "AADSTS700024"] {
            assert!(!is_transient(code), "{code}");
        }
    }

    #[test]
    fn the_documents_say_the_same() {
        let documented: Vec<&str> = SIGN_IN.lines().filter(|line| line.starts_with("| AADSTS")).collect();
        let table: Vec<String> =
            ADVICE_BY_CODE.iter().map(|row| format!("| AADSTS{} | {} |", row.code, row.advice)).collect();
        assert_eq!(documented, table, "docs/sign-in.md should hold:\n{}", table.join("\n"));
    }
}
