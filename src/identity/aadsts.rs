//! Entra's refusals, and what to do about each
//! (learn.microsoft.com/entra/identity-platform/reference-error-codes, and login.microsoftonline.com/error?code=…).
//!
//! The codes are for people: but for those that pass by themselves, nothing here is decided by them.

/// What to do about one code.
struct AadstsRow {
    code: u32,
    advice: &'static str,
}

const fn row(code: u32, advice: &'static str) -> AadstsRow {
    AadstsRow { code, advice }
}

const CLOCK: &str = "the assertion's time does not fit Entra's clock: set this machine's clock (NTP); a federated token \
                     may also be too old: get a fresh one";
const CLOUD: &str = "the tenant lives in another cloud: name it (--cloud)";
const CONDITIONAL: &str = "Conditional Access blocks this sign-in: see in Entra's sign-in logs which policy it is, and \
                           sign in from a place and in a way that it allows";
const DEVICE: &str = "Conditional Access asks for a managed device: sign in as an app, or on such a device with az login \
                      and --auth azure-cli (a device code can't show one)";
const MFA: &str = "multifactor authentication is asked for: sign in again as a person with a browser (--auth device-code, \
                   or az login again)";
const NO_TENANT: &str = "there is no such tenant in this cloud: check --tenant and --cloud";
const RESTRICTED: &str = "a proxy on the way restricts tenants, and this one is not among those that it lets through: \
                          ask whoever runs the proxy";
const TRANSIENT_ADVICE: &str = "Entra has a passing fault: try again in some minutes";
const SIGN_IN_AGAIN: &str = "the sign-in is no longer good: sign in again";
const SUBJECT: &str = "no federated credential of the app has this subject: compare the subject in the message with \
                       those of the app, character by character";

/// By code.
const ADVICE_BY_CODE: &[AadstsRow] = &[
    row(50_001, "Graph is not known to this tenant by this name: check --cloud"),
    row(50_002, RESTRICTED),
    row(50_020, "the user belongs to another tenant: check --tenant, or invite the user as a guest"),
    row(
        50_027,
        "the assertion is malformed, or not signed by who it says: check the federated token's issuer and \
         file",
    ),
    row(50_034, "the user is not in this tenant: check the name and --tenant"),
    row(
        50_053,
        "the account is locked, or its address is blocked, after too many bad sign-ins: see the sign-in \
         logs",
    ),
    row(50_055, "the user's password has expired: change it, then sign in again"),
    row(50_057, "the user's account is disabled: sign in with another one"),
    row(50_058, "nobody is signed in: sign in again"),
    row(50_059, "no tenant was named: give --tenant"),
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
    row(50_173, "the user's sessions were revoked, perhaps by this very run: sign in again"),
    row(
        50_196,
        "too many sign-ins of the same kind in a short time: stop what repeats them, and wait some \
         minutes",
    ),
    row(53_000, DEVICE),
    row(53_001, DEVICE),
    row(53_003, CONDITIONAL),
    row(
        65_001,
        "nobody has consented to the app's permission: have an administrator grant it (az ad app \
         permission admin-consent --id APP)",
    ),
    row(70_001, "the app is disabled, or not in this tenant: check --client-id and --tenant"),
    row(70_008, SIGN_IN_AGAIN),
    row(70_011, "the scope is not right for this cloud: check --cloud"),
    row(70_016, "the code has not been entered yet: open the address and enter it"),
    row(70_018, "the code was mistyped or is not known: start again and enter the new code"),
    row(70_019, "the code has expired: start again, and enter the new one within 15 minutes"),
    row(70_020, "the code has expired: start again, and enter the new one within 15 minutes"),
    row(
        70_021,
        "no federated credential of the app fits the token: compare issuer, subject and audience in the \
         message with those of the app; one made just now takes some minutes to be known",
    ),
    row(70_043, "Conditional Access asks for a new sign-in after some time: sign in again"),
    row(90_002, NO_TENANT),
    row(
        90_014,
        "a part of the request is missing: check that --tenant, --client-id and the credential are all \
         set",
    ),
    row(90_024, TRANSIENT_ADVICE),
    row(90_033, TRANSIENT_ADVICE),
    row(90_038, CLOUD),
    row(90_055, "Entra throttles this tenant: wait some minutes"),
    row(
        90_094,
        "an administrator must consent to the app's permission: az ad app permission admin-consent --id \
         APP",
    ),
    row(
        500_011,
        "Graph is not known to this tenant by this name, mostly since the cloud is another one: check \
         --cloud and --tenant",
    ),
    row(500_021, RESTRICTED),
    row(500_022, RESTRICTED),
    row(530_003, DEVICE),
    row(530_032, CONDITIONAL),
    row(530_033, DEVICE),
    row(700_003, "the device is no longer registered: register it anew, or sign in on another one"),
    row(700_016, "the tenant does not know this app: check --client-id and --tenant, and the cloud"),
    row(700_021, "the assertion is another app's: check --client-id"),
    row(700_023, "the assertion is meant for another tenant or cloud: check --tenant and --cloud"),
    row(700_024, CLOCK),
    row(
        700_025,
        "the app is a public client and takes neither secret nor certificate: set 'Allow public client \
         flows' of the app to No, or use --auth device-code",
    ),
    row(
        700_027,
        "Entra does not take the certificate: upload this very certificate to the app (compare the \
         thumbprints), and check that it has not expired",
    ),
    row(
        700_030,
        "the certificate's subject is not one that the app trusts: compare it with the names that the app \
         allows",
    ),
    row(700_082, "the sign-in has not been used for too long: sign in again"),
    row(
        700_211,
        "no federated credential of the app has this issuer: compare the issuer in the message with those \
         of the app, character by character",
    ),
    row(
        700_212,
        "no federated credential of the app has this audience: it is api://AzureADTokenExchange, with \
         USGov or China at its end in those clouds",
    ),
    row(700_213, SUBJECT),
    row(900_023, "the tenant is named by neither an id nor a domain: check --tenant"),
    row(
        900_144,
        "a part of the request is missing: check that --tenant, --client-id and the credential are all \
         set",
    ),
    row(900_382, CLOUD),
    row(900_432, CLOUD),
    row(900_439, CLOUD),
    row(1_000_502, "the certificate has expired or has not begun: make a new one and add it to the app"),
    row(1_002_012, "the scope is not right for this cloud: check --cloud"),
    row(7_000_112, "the app is disabled in this tenant: enable it under Enterprise applications, Properties"),
    row(7_000_214, "the certificate has been revoked: make a new one and add it to the app"),
    row(7_000_215, "the secret is wrong: use the secret's value, not its id"),
    row(
        7_000_218,
        "the app proves nothing and is no public client: give a secret or certificate, or set 'Allow \
         public client flows' of the app to Yes for a device code",
    ),
    row(7_000_222, "the secret has expired: make a new one for the app"),
    row(
        7_000_229,
        "the app has no service principal in this tenant: make one (az ad sp create --id APP), then \
         consent",
    ),
    row(7_002_138, SUBJECT),
];

/// Codes of faults that pass by themselves, though Entra may send them as a bad request.
const TRANSIENT_CODES: [u32; 8] = [50_033, 90_006, 90_012, 90_024, 90_033, 90_055, 90_090, 90_091];

/// What to do about a refusal, by its code (`AADSTS…`); none for one that people seldom meet.
pub(super) fn advice(code: &str) -> Option<&'static str> {
    let code = parse_code(code)?;
    ADVICE_BY_CODE.binary_search_by_key(&code, |row| row.code).ok().map(|at| ADVICE_BY_CODE[at].advice)
}

/// Whether the same request may well be granted in a moment, by the refusal's code. A client loop (AADSTS50196) is
/// not among them: asking again is what it is about.
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
