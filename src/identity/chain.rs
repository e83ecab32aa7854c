//! Which credential is used: what the flags name, or the first that is set up here.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{
    AppIdentity, Auth, Authority, ClientProof, Credential, Endpoint, Prompter, SignInError, certificate,
    cli_tool, device_code, federated, managed_identity, secret_text, static_token,
};

/// What flags and profiles name to sign in with: the way, names of files, ids. No secret is among it; those are read
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
    /// `--certificate-key-file`: the private key, where it is not in the certificate's file.
    pub certificate_key_file: Option<PathBuf>,
    /// `--certificate-password-file`; `-` is standard input.
    pub certificate_password_file: Option<PathBuf>,
    /// `--federated-token-file`.
    pub federated_token_file: Option<PathBuf>,
    /// `--service-connection`: the id of a service connection of Azure Pipelines.
    pub service_connection: Option<String>,
    /// `--identity`: a user-assigned managed identity.
    pub identity: Option<String>,
}

impl CredentialSources {
    /// Whether anything is named.
    pub fn is_empty(&self) -> bool {
        *self == CredentialSources::default()
    }

    /// The way that is named, by itself or by what belongs to it alone.
    pub fn method(&self) -> Auth {
        let named = || self.flag_methods().next().map(|(auth, _)| auth);
        self.auth.or_else(named).unwrap_or_default()
    }

    /// Whether something comes through standard input.
    pub fn reads_stdin(&self) -> bool {
        let files = [&self.token_file, &self.client_secret_file, &self.certificate_password_file];
        files.into_iter().flatten().any(|path| static_token::is_stdin(path))
    }

    /// Whether a way to sign in is named by what belongs to it alone, such as a certificate's file.
    pub fn has_method_flag(&self) -> bool {
        self.flag_methods().next().is_some()
    }

    /// The way that a flag of its own names, with the flag.
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

/// All that a credential is chosen and made from, but for the environment.
#[derive(Clone, Debug)]
pub struct CredentialConfig {
    /// The authority's root.
    pub authority: Endpoint,
    /// What a token is for, such as `https://graph.microsoft.com/.default`.
    pub scope: String,
    /// The tenant's id or one of its domains.
    pub tenant: Option<String>,
    /// The app's id.
    pub client_id: Option<String>,
    /// What is named to sign in with.
    pub sources: CredentialSources,
}

/// The environment, as far as it is asked for: a value by its name. An empty one is none.
pub type EnvVariables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables of this process.
pub fn process_variables(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Whether a way to sign in is set up here.
pub(super) enum FoundCredential {
    /// It is; whether it works is another matter.
    Ready(Credential),
    /// It is not: what is missing.
    Absent(String),
    /// Part of it is, so that it may have been meant: what is missing.
    Incomplete(String),
}

impl FoundCredential {
    /// It is not set up: what is missing.
    pub(super) fn absent(missing: impl Into<String>) -> FoundCredential {
        FoundCredential::Absent(missing.into())
    }

    /// Part of it is set up: what is missing.
    pub(super) fn incomplete(missing: impl Into<String>) -> FoundCredential {
        FoundCredential::Incomplete(missing.into())
    }
}

/// A way that was not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedCredential {
    /// Which.
    pub auth: Auth,
    /// Why.
    pub reason: String,
    /// Whether it may have been meant: part of it is set up, or it was tried.
    pub notable: bool,
}

/// The credentials to try, in order.
#[derive(Debug)]
pub struct CredentialChain {
    /// The ways, each with its credential, or with what is missing for it.
    pub(super) methods: Vec<(Auth, Result<Credential, SkippedCredential>)>,
    /// Whether one that can't be used makes room for the next.
    pub(super) chain: bool,
}

impl CredentialChain {
    /// Why there is nothing to try, if there is nothing: the ways, and what each of them misses.
    pub fn all_skipped(&self) -> Option<Vec<SkippedCredential>> {
        let missing = self.methods.iter().map(|(_, way)| match way {
            Ok(_) => None,
            Err(skipped) => Some(skipped.clone()),
        });
        missing.collect()
    }

    /// Whether nobody named the way, so that it is chosen from what is set up here.
    pub fn is_chain(&self) -> bool {
        self.chain
    }

    /// Where a person must do something, they are asked like this.
    pub fn with_prompter(mut self, prompter: &Prompter) -> CredentialChain {
        for (_, way) in &mut self.methods {
            if let Ok(Credential::Device(person)) = way {
                person.set_prompter(prompter.clone());
            }
        }
        self
    }

    /// The first way that is set up here; one that is refused is also the last.
    pub fn first_method(&self) -> Option<Auth> {
        self.methods.iter().find(|(_, way)| way.is_ok()).map(|(auth, _)| *auth)
    }
}

impl CredentialConfig {
    /// What can be tried with what is given and what the environment holds.
    pub fn build_chain(&self, vars: EnvVariables<'_>) -> Result<CredentialChain, SignInError> {
        let asked = match self.sources.auth {
            None | Some(Auth::Auto) => self.method_from_flags()?,
            Some(asked) => Some(self.check_flags_match(asked)?),
        };
        let Some(auth) = asked else { return self.automatic_chain(vars) };
        match self.find_credential(auth, vars)? {
            FoundCredential::Ready(credential) => {
                Ok(CredentialChain { methods: vec![(auth, Ok(credential))], chain: false })
            }
            FoundCredential::Absent(missing) | FoundCredential::Incomplete(missing) => {
                Err(SignInError::NotSetUp { auth, missing })
            }
        }
    }

    /// A way that was asked for, unless a flag belongs to another: what is given must not be passed over in silence.
    fn check_flags_match(&self, asked: Auth) -> Result<Auth, SignInError> {
        match self.sources.flag_methods().find(|(auth, _)| *auth != asked) {
            Some((_, flag)) => Err(SignInError::ConflictingFlag { auth: asked, flag }),
            None => Ok(asked),
        }
    }

    /// The way that a flag of its own names: that is meant, whatever the environment holds.
    fn method_from_flags(&self) -> Result<Option<Auth>, SignInError> {
        let mut named = self.sources.flag_methods();
        match (named.next(), named.next()) {
            (Some((_, one)), Some((_, other))) => Err(SignInError::Ambiguous { one, other }),
            (one, _) => Ok(one.map(|(auth, _)| auth)),
        }
    }

    /// Goes through the chain as far as it may be needed. What is set up by hand is meant, and ends it; what the
    /// machine offers may not be there after all, and then the next one counts.
    fn automatic_chain(&self, vars: EnvVariables<'_>) -> Result<CredentialChain, SignInError> {
        let mut ways = Vec::new();
        for auth in Auth::CHAIN {
            let skipped = |why, notable| Err(SkippedCredential { auth, reason: why, notable });
            let way = match self.find_credential(auth, vars)? {
                FoundCredential::Ready(credential) => Ok(credential),
                FoundCredential::Absent(missing) => skipped(missing, false),
                FoundCredential::Incomplete(missing) => skipped(missing, true),
            };
            let ends = way.is_ok() && !auth.depends_on_machine();
            ways.push((auth, way));
            if ends {
                break;
            }
        }
        Ok(CredentialChain { methods: ways, chain: true })
    }

    fn find_credential(&self, auth: Auth, vars: EnvVariables<'_>) -> Result<FoundCredential, SignInError> {
        match auth {
            Auth::Token => static_token::find(self, vars),
            Auth::ClientSecret => self.client_secret(vars),
            Auth::Certificate => certificate::find(self, vars),
            Auth::WorkloadIdentity => federated::find(self, vars),
            Auth::ManagedIdentity => managed_identity::find(self, vars),
            Auth::AzureCli | Auth::AzureDeveloperCli => cli_tool::find(auth, self, vars),
            Auth::DeviceCode => device_code::find(self, vars),
            Auth::Auto => Ok(FoundCredential::absent("auto is no credential")),
        }
    }

    fn client_secret(&self, vars: EnvVariables<'_>) -> Result<FoundCredential, SignInError> {
        let (given, secret) = match &self.sources.client_secret_file {
            Some(path) => {
                ("--client-secret-file is given", static_token::read_secret("--client-secret-file", path)?)
            }
            None => match secret_text::from_variable(vars, "AZURE_CLIENT_SECRET") {
                Some(secret) => ("AZURE_CLIENT_SECRET is set", secret),
                None => {
                    return Ok(FoundCredential::absent(
                        "AZURE_CLIENT_SECRET is not set, and no --client-secret-file is given",
                    ));
                }
            },
        };
        Ok(FoundCredential::Ready(Credential::App(self.build_app(ClientProof::Secret(secret), given)?)))
    }

    /// The app that proves itself like this; `given` says what of it is there already.
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
