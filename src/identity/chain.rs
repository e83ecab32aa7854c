//! The choice of the credential: the one that the flags name, or the first one that is set up here.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    AppIdentity, Auth, Authority, ClientProof, Credential, Endpoint, Prompter, SignInError, certificate,
    cli_tool, device_code, federated, managed_identity, secret_text, static_token,
};

/// The sign-in settings of flags and profiles: the method, file names, IDs. None of them is a secret; secrets are read
/// from the environment and from the files when the credential is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CredentialSources {
    /// `--auth`.
    pub auth: Option<Auth>,
    /// `--token-file`; `-` is standard input.
    pub token_file: Option<PathBuf>,
    /// `--client-secret-file`; `-` is standard input.
    pub client_secret_file: Option<PathBuf>,
    /// `--certificate-file`: PEM or PFX.
    pub certificate_file: Option<PathBuf>,
    /// `--certificate-key-file`: the private key, if it is not in the certificate's file.
    pub certificate_key_file: Option<PathBuf>,
    /// `--certificate-password-file`; `-` is standard input.
    pub certificate_password_file: Option<PathBuf>,
    /// `--federated-token-file`.
    pub federated_token_file: Option<PathBuf>,
    /// `--service-connection`: the ID of a service connection of Azure Pipelines.
    pub service_connection: Option<String>,
    /// `--identity`: a user-assigned managed identity.
    pub identity: Option<String>,
}

impl CredentialSources {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == CredentialSources::default()
    }

    /// The method that is set by `--auth`, or by a flag that belongs to one method only.
    pub fn method(&self) -> Auth {
        let named = || self.flag_methods().next().map(|(auth, _)| auth);
        self.auth.or_else(named).unwrap_or_default()
    }

    /// Whether one of the files is standard input.
    pub fn reads_stdin(&self) -> bool {
        let files = [&self.token_file, &self.client_secret_file, &self.certificate_password_file];
        files.into_iter().flatten().any(|path| static_token::is_stdin(path))
    }

    /// Whether a flag that belongs to one method only is set, such as `--certificate-file`.
    pub fn has_method_flag(&self) -> bool {
        self.flag_methods().next().is_some()
    }

    /// The methods that have a flag of their own set, each with that flag.
    fn flag_methods(&self) -> impl Iterator<Item = (Auth, &'static str)> {
        let flags = [
            (self.token_file.is_some(), Auth::Token, "--token-file"),
            (self.client_secret_file.is_some(), Auth::ClientSecret, "--client-secret-file"),
            (self.certificate_file.is_some(), Auth::Certificate, "--certificate-file"),
            (self.federated_token_file.is_some(), Auth::WorkloadIdentity, "--federated-token-file"),
            (self.service_connection.is_some(), Auth::WorkloadIdentity, "--service-connection"),
            (self.identity.is_some(), Auth::ManagedIdentity, "--identity"),
        ];
        flags.into_iter().filter(|(given, ..)| *given).map(|(_, auth, flag)| (auth, flag))
    }
}

/// Everything that a credential is chosen and made from, except the environment.
#[derive(Clone, Debug)]
pub struct CredentialConfig {
    /// The authority's root.
    pub authority: Endpoint,
    /// The scope of a token, such as `https://graph.microsoft.com/.default`.
    pub scope: String,
    /// The tenant's ID or one of its domains.
    pub tenant: Option<String>,
    /// The app's ID.
    pub client_id: Option<String>,
    /// What to sign in with.
    pub sources: CredentialSources,
}

/// Looks up a variable of the environment by its name. An empty value counts as not set.
pub type EnvLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable of this process; `None` if it is blank.
pub fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Whether a sign-in method is set up here.
pub(super) enum CredentialSetup {
    /// It is set up; whether it works is not known yet.
    Ready(Credential),
    /// It is not set up, because this is missing.
    Absent(String),
    /// It is partly set up, so it may be intended; this is missing.
    Incomplete(String),
}

impl CredentialSetup {
    /// A method that is not set up, with what is missing.
    pub(super) fn absent(missing: impl Into<String>) -> CredentialSetup {
        CredentialSetup::Absent(missing.into())
    }

    /// A method that is partly set up, with what is missing.
    pub(super) fn incomplete(missing: impl Into<String>) -> CredentialSetup {
        CredentialSetup::Incomplete(missing.into())
    }
}

/// A sign-in method that was not used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedCredential {
    /// The method.
    pub auth: Auth,
    /// Why it was not used.
    pub reason: String,
    /// Whether it may be intended, because it is partly set up or was tried.
    pub maybe_intended: bool,
}

/// The credentials to try, in order.
#[derive(Debug)]
pub struct CredentialChain {
    /// The methods, each with its credential, or with what is missing for it.
    pub(super) methods: Vec<(Auth, Result<Credential, SkippedCredential>)>,
    /// Whether the next method is tried if this machine does not have one.
    pub(super) chain: bool,
}

impl CredentialChain {
    /// All methods with what is missing for each, if there is nothing to try; otherwise `None`.
    pub fn all_skipped(&self) -> Option<Vec<SkippedCredential>> {
        let missing = self.methods.iter().map(|(_, way)| match way {
            Ok(_) => None,
            Err(skipped) => Some(skipped.clone()),
        });
        missing.collect()
    }

    /// Whether no method was chosen, so that it depends on what is set up here.
    pub fn is_automatic(&self) -> bool {
        self.chain
    }

    /// The same chain, with the function that shows the device code to a person.
    pub fn with_prompter(mut self, prompter: &Prompter) -> CredentialChain {
        for (_, way) in &mut self.methods {
            if let Ok(Credential::Device(person)) = way {
                person.set_prompter(prompter.clone());
            }
        }
        self
    }

    /// The first method that is set up here. If it is refused, no other is tried.
    pub fn first_method(&self) -> Option<Auth> {
        self.methods.iter().find(|(_, way)| way.is_ok()).map(|(auth, _)| *auth)
    }
}

impl CredentialConfig {
    /// The credentials that these settings and the environment allow.
    pub fn build_chain(&self, vars: EnvLookup<'_>) -> Result<CredentialChain, SignInError> {
        let asked = match self.sources.auth {
            None | Some(Auth::Auto) => self.method_from_flags()?,
            Some(asked) => Some(self.check_flags_match(asked)?),
        };
        let Some(auth) = asked else { return self.automatic_chain(vars) };
        match self.find_credential(auth, vars)? {
            CredentialSetup::Ready(credential) => {
                Ok(CredentialChain { methods: vec![(auth, Ok(credential))], chain: false })
            }
            CredentialSetup::Absent(missing) | CredentialSetup::Incomplete(missing) => {
                Err(SignInError::NotSetUp { auth, missing })
            }
        }
    }

    /// The chosen method, unless a flag belongs to another one. A flag must not be ignored silently.
    fn check_flags_match(&self, asked: Auth) -> Result<Auth, SignInError> {
        match self.sources.flag_methods().find(|(auth, _)| *auth != asked) {
            Some((_, flag)) => Err(SignInError::ConflictingFlag { auth: asked, flag }),
            None => Ok(asked),
        }
    }

    /// The method whose own flag is set. It takes precedence over the environment.
    fn method_from_flags(&self) -> Result<Option<Auth>, SignInError> {
        let mut named = self.sources.flag_methods();
        match (named.next(), named.next()) {
            (Some((_, one)), Some((_, other))) => Err(SignInError::Ambiguous { one, other }),
            (one, _) => Ok(one.map(|(auth, _)| auth)),
        }
    }

    /// Goes through the chain as far as it may be needed. A method that is set up by hand is intended, so it ends the
    /// chain. One that depends on the machine may turn out to be missing; then the next one is tried.
    fn automatic_chain(&self, vars: EnvLookup<'_>) -> Result<CredentialChain, SignInError> {
        let mut ways = Vec::new();
        for auth in Auth::CHAIN {
            let skipped =
                |why, notable| Err(SkippedCredential { auth, reason: why, maybe_intended: notable });
            let way = match self.find_credential(auth, vars)? {
                CredentialSetup::Ready(credential) => Ok(credential),
                CredentialSetup::Absent(missing) => skipped(missing, false),
                CredentialSetup::Incomplete(missing) => skipped(missing, true),
            };
            let ends = way.is_ok() && !auth.depends_on_machine();
            ways.push((auth, way));
            if ends {
                break;
            }
        }
        Ok(CredentialChain { methods: ways, chain: true })
    }

    fn find_credential(&self, auth: Auth, vars: EnvLookup<'_>) -> Result<CredentialSetup, SignInError> {
        match auth {
            Auth::Token => static_token::find(self, vars),
            Auth::ClientSecret => self.client_secret(vars),
            Auth::Certificate => certificate::find(self, vars),
            Auth::WorkloadIdentity => federated::find(self, vars),
            Auth::ManagedIdentity => managed_identity::find(self, vars),
            Auth::AzureCli | Auth::AzureDeveloperCli => cli_tool::find(auth, self, vars),
            Auth::DeviceCode => device_code::find(self, vars),
            Auth::Auto => Ok(CredentialSetup::absent("auto is not a credential")),
        }
    }

    fn client_secret(&self, vars: EnvLookup<'_>) -> Result<CredentialSetup, SignInError> {
        let (given, secret) = match &self.sources.client_secret_file {
            Some(path) => {
                ("--client-secret-file is set", static_token::read_secret("--client-secret-file", path)?)
            }
            None => match secret_text::from_variable(vars, "AZURE_CLIENT_SECRET") {
                Some(secret) => ("AZURE_CLIENT_SECRET is set", secret),
                None => {
                    return Ok(CredentialSetup::absent(
                        "neither AZURE_CLIENT_SECRET nor --client-secret-file is set",
                    ));
                }
            },
        };
        Ok(CredentialSetup::Ready(Credential::App(self.build_app(ClientProof::Secret(secret), given)?)))
    }

    /// The app with this proof. `given` says in the error which part is already set.
    pub(super) fn build_app(
        &self,
        proof: ClientProof,
        given: &'static str,
    ) -> Result<AppIdentity, SignInError> {
        let missing = |missing| SignInError::Incomplete { given, missing };
        let tenant = self.tenant.clone().ok_or(missing("the tenant (--tenant or AZURE_TENANT_ID)"))?;
        let client_id = self.client_id.clone().ok_or(missing("the app (--client-id or AZURE_CLIENT_ID)"))?;
        let authority = Authority { root: self.authority.clone(), tenant };
        Ok(AppIdentity { authority, client_id, scope: self.scope.clone(), proof })
    }
}
