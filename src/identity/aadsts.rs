//! Entra's refusals, and what to do about each
//! (learn.microsoft.com/entra/identity-platform/reference-error-codes).

/// What to do about a refusal, by its code (`AADSTS…`); none for one that people seldom meet.
pub(super) fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "AADSTS7000215" => "the secret is wrong: use the secret's value, not its id",
        "AADSTS7000222" => "the secret has expired: make a new one for the app",
        "AADSTS700016" => "the tenant does not know this app: check --client-id and --tenant, and the cloud",
        "AADSTS90002" | "AADSTS900023" => "there is no such tenant here: check --tenant and --cloud",
        "AADSTS7000112" => "the app is disabled in this tenant",
        "AADSTS7000229" => "the app has no service principal in this tenant: consent to it first",
        "AADSTS500011" | "AADSTS1002012" | "AADSTS70011" => "the scope is another cloud's: check --cloud",
        "AADSTS700211" | "AADSTS700212" | "AADSTS700213" | "AADSTS70021" => {
            "the app trusts no such token: compare issuer, subject and audience with its federated credentials"
        }
        "AADSTS700024" => "the token or certificate's proof is over, or this machine's clock is wrong",
        "AADSTS53003" | "AADSTS53000" => "Conditional Access refuses this app from here",
        _ => return None,
    })
}
