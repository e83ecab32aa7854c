//! The order of `--auth auto`, as a table of environments.

use super::{Auth, CredentialConfig, CredentialSources, SignInError};

const APP: [(&str, &str); 2] = [("AZURE_TENANT_ID", "t.com"), ("AZURE_CLIENT_ID", "an-app")];
const TOKEN: (&str, &str) = ("ENTRA_REVOKE_TOKEN", "fake");
const SECRET: (&str, &str) = ("AZURE_CLIENT_SECRET", "fake");
const FILE: (&str, &str) = ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token");
const GITHUB: [(&str, &str); 2] =
    [("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x.example/"), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "fake")];
const PIPELINES: [(&str, &str); 5] = [
    ("SYSTEM_OIDCREQUESTURI", "https://x.example/"),
    ("SYSTEM_ACCESSTOKEN", "fake"),
    ("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "a-connection"),
    ("AZURESUBSCRIPTION_TENANT_ID", "t.com"),
    ("AZURESUBSCRIPTION_CLIENT_ID", "an-app"),
];
const APP_SERVICE: [(&str, &str); 2] =
    [("IDENTITY_ENDPOINT", "http://127.0.0.1:1/"), ("IDENTITY_HEADER", "fake")];
const SHELL: [(&str, &str); 1] = [("MSI_ENDPOINT", "http://127.0.0.1:1/")];

/// The first method that is set up in this environment.
fn first_found(
    environment: &[&[(&str, &str)]],
    sources: CredentialSources,
) -> Result<(Auth, &'static str), SignInError> {
    let variables: Vec<(&str, &str)> = environment.concat();
    let vars =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let config = CredentialConfig {
        authority: "https://login.example".parse().unwrap(),
        scope: "https://graph.example/.default".to_owned(),
        tenant: vars("AZURE_TENANT_ID"),
        client_id: vars("AZURE_CLIENT_ID"),
        sources,
    };
    let candidates = config.build_chain(&vars)?;
    let first = candidates.methods.into_iter().find_map(|(auth, way)| way.ok().map(|way| (auth, way.word())));
    Ok(first.expect("the machine's own identity is always looked for"))
}

#[test]
fn first_configured_credential_wins() {
    use Auth::{ClientSecret, ManagedIdentity, Token, WorkloadIdentity};
    let everything: &[&[_]] = &[&[TOKEN, SECRET, FILE], &APP, &GITHUB, &PIPELINES, &APP_SERVICE];
    for (environment, auth, word) in [
        (everything, Token, "token"),
        (&[&[SECRET, FILE], &APP, &GITHUB, &APP_SERVICE], ClientSecret, "client-secret"),
        (&[&[FILE], &APP, &GITHUB, &PIPELINES, &APP_SERVICE], WorkloadIdentity, "workload-identity"),
        (&[&APP, &GITHUB, &PIPELINES, &APP_SERVICE], WorkloadIdentity, "azure-pipelines"),
        (&[&PIPELINES], WorkloadIdentity, "azure-pipelines"),
        (&[&APP, &GITHUB, &APP_SERVICE], WorkloadIdentity, "github-actions"),
        // A job without an app, a connection or its own token was not set up for this program.
        (&[&GITHUB, &APP_SERVICE], ManagedIdentity, "managed-identity"),
        (&[&APP, &PIPELINES[..1]], ManagedIdentity, "managed-identity"),
        (&[&APP, &PIPELINES[..1], &PIPELINES[2..]], ManagedIdentity, "managed-identity"),
        (&[&APP, &GITHUB[..1]], ManagedIdentity, "managed-identity"),
        (&[&APP], ManagedIdentity, "managed-identity"),
        (&[], ManagedIdentity, "managed-identity"),
    ] as [(&[&[(&str, &str)]], Auth, &str); 12]
    {
        assert_eq!(
            first_found(environment, CredentialSources::default()),
            Ok((auth, word)),
            "{environment:?}"
        );
    }
}

#[test]
fn flag_overrides_environment() {
    let everything: &[&[_]] = &[&[TOKEN, SECRET, FILE], &APP, &GITHUB, &PIPELINES, &APP_SERVICE];
    let guid = "5a1e0000-0000-4000-8000-0000000000a1".to_owned();
    for (sources, auth, word) in [
        (
            CredentialSources { federated_token_file: Some("f".into()), ..CredentialSources::default() },
            Auth::WorkloadIdentity,
            "workload-identity",
        ),
        (
            CredentialSources { service_connection: Some("c".into()), ..CredentialSources::default() },
            Auth::WorkloadIdentity,
            "azure-pipelines",
        ),
        (
            CredentialSources { identity: Some(guid), ..CredentialSources::default() },
            Auth::ManagedIdentity,
            "managed-identity",
        ),
        (
            CredentialSources { auth: Some(Auth::ManagedIdentity), ..CredentialSources::default() },
            Auth::ManagedIdentity,
            "managed-identity",
        ),
    ] {
        assert_eq!(first_found(everything, sources.clone()), Ok((auth, word)), "{sources:?}");
    }
}

#[test]
fn incomplete_setup_is_an_error_not_a_fallback() {
    for environment in [&[&[SECRET][..]][..], &[&[FILE]], &[&[FILE], &APP[..1], &APP_SERVICE]] {
        let taken = first_found(environment, CredentialSources::default());
        assert!(matches!(taken, Err(SignInError::Incomplete { .. })), "{taken:?}");
    }
    // An unsupported method does not block the ones after it, and is an error if it was chosen.
    let sources = CredentialSources { auth: Some(Auth::ManagedIdentity), ..CredentialSources::default() };
    assert!(matches!(first_found(&[&SHELL], sources), Err(SignInError::NotSetUp { .. })));
}
