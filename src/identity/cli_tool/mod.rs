//! Tokens of the account that is signed in to the Azure CLI (`az`) or the Azure Developer CLI (`azd`)
//! (learn.microsoft.com/cli/azure/account#az-account-get-access-token,
//! learn.microsoft.com/azure/developer/azure-developer-cli/reference#azd-auth-token).

#[cfg(unix)]
mod descendants;
mod output;
mod path_lookup;
mod process;

use std::path::PathBuf;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use super::chain::{CredentialSetup, EnvLookup};
use super::token_service::redact_tokens;
use super::{Auth, Credential, CredentialConfig, IssuedToken, SignInError, TokenClaims};
use crate::text::sanitize::sanitize_truncated;
use process::{ToolExit, ToolFailure};

/// A program that has a signed-in account.
#[derive(Debug)]
pub struct CliTool {
    tool: Tool,
    path: PathBuf,
    scope: String,
    tenant: Option<String>,
    /// The tenant of the first token, for later requests if no tenant was named: the user may select another account in
    /// the meantime.
    first_tenant: OnceLock<String>,
}

/// The program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Az,
    Azd,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Tool::Az => "az",
            Tool::Azd => "azd",
        }
    }

    fn login(self) -> &'static str {
        match self {
            Tool::Az => "az login",
            Tool::Azd => "azd auth login",
        }
    }

    /// Whether its message says that no account is signed in.
    fn says_signed_out(self, message: &str) -> bool {
        let message = message.to_lowercase();
        match self {
            Tool::Az => message.contains("'az login'") || message.contains("az login to setup account"),
            Tool::Azd => message.contains("not logged in"),
        }
    }
}

/// The program, if it is installed.
pub(super) fn find(
    auth: Auth,
    config: &CredentialConfig,
    vars: EnvLookup<'_>,
) -> Result<CredentialSetup, SignInError> {
    let tool = if auth == Auth::AzureDeveloperCli { Tool::Azd } else { Tool::Az };
    let Some(path) = path_lookup::find(tool.name(), vars) else {
        let name = tool.name();
        return Ok(CredentialSetup::absent(format!(
            "{name} is not on the PATH: install it, then run `{}`",
            tool.login()
        )));
    };
    if let Some(tenant) = &config.tenant {
        check_tenant(tenant)?;
    }
    let (scope, tenant) = (config.scope.clone(), config.tenant.clone());
    let begun = OnceLock::new();
    Ok(CredentialSetup::Ready(Credential::Cli(CliTool { tool, path, scope, tenant, first_tenant: begun })))
}

/// Accepts an ID or a domain, and refuses everything that another program could take for a flag or a command.
fn check_tenant(tenant: &str) -> Result<(), SignInError> {
    let plain = tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if plain && !tenant.starts_with('-') && tenant.len() <= 253 {
        return Ok(());
    }
    Err(SignInError::Setting {
        name: "--tenant",
        reason: format!(
            "'{}' is neither a tenant's id nor one of its domains",
            sanitize_truncated(tenant, 100)
        ),
    })
}

impl CliTool {
    /// The sign-in method.
    pub(super) fn auth(&self) -> Auth {
        match self.tool {
            Tool::Az => Auth::AzureCli,
            Tool::Azd => Auth::AzureDeveloperCli,
        }
    }

    /// Gets a token from the program, which renews its own sign-in.
    pub(super) async fn request(&self, claims: Option<&str>) -> Result<IssuedToken, SignInError> {
        if let Some(claims) = claims {
            return Err(self.challenge_error(claims));
        }
        let ended =
            process::run(&self.path, &self.arguments()).await.map_err(|failure| self.run_error(&failure))?;
        if !ended.success {
            return Err(self.exit_error(&ended));
        }
        let issued = output::parse_token(&ended.stdout, Timestamp::now()).ok_or_else(|| {
            self.error(
                "its output has no usable token".to_owned(),
                &format!("is it up to date, and is this machine's clock right? Try `{}`", self.tool.login()),
            )
        })?;
        let claims = TokenClaims::from_jwt(issued.token.expose_secret());
        if let Some(tenant) = claims.tid.filter(|tenant| check_tenant(tenant).is_ok()) {
            let _ = self.first_tenant.set(tenant);
        }
        Ok(issued)
    }

    fn arguments(&self) -> Vec<&str> {
        let (begin, tenant): (&[&str], _) = match self.tool {
            Tool::Az => (&["account", "get-access-token", "--output", "json"], "--tenant"),
            Tool::Azd => (&["auth", "token", "--output", "json", "--no-prompt"], "--tenant-id"),
        };
        let mut arguments = begin.to_vec();
        arguments.extend(["--scope", &self.scope]);
        if let Some(id) = self.tenant.as_ref().or(self.first_tenant.get()) {
            arguments.extend([tenant, id]);
        }
        arguments
    }

    /// The error for a claims challenge, which neither program can answer without its user.
    fn challenge_error(&self, claims: &str) -> SignInError {
        let tenant = self.tenant.as_deref().map(|tenant| format!(" {tenant}"));
        let advice = match self.tool {
            Tool::Az => format!(
                "sign in again: az login{} --scope {} --claims-challenge {} (before az 2.76, omit the last flag), \
                 then `resume` the run",
                tenant.map(|tenant| format!(" --tenant{tenant}")).unwrap_or_default(),
                self.scope,
                STANDARD.encode(claims),
            ),
            Tool::Azd => format!(
                "sign in again: azd auth login{} --scope {}, then `resume` the run",
                tenant.map(|tenant| format!(" --tenant-id{tenant}")).unwrap_or_default(),
                self.scope,
            ),
        };
        self.error("Graph requires a new sign-in (a claims challenge)".to_owned(), &advice)
    }

    fn run_error(&self, failure: &ToolFailure) -> SignInError {
        match failure {
            ToolFailure::Start(error) => {
                self.unavailable(format!("can't start {}: {error}", self.path.display()))
            }
            ToolFailure::TimedOut(time) => self.error(
                format!("no answer within {} s", time.as_secs()),
                &format!("does `{}` work in a terminal?", self.tool.name()),
            ),
            ToolFailure::Io(error) => self.error(error.to_string(), ""),
        }
    }

    fn exit_error(&self, ended: &ToolExit) -> SignInError {
        if self.tool.says_signed_out(&ended.stderr) {
            return self.unavailable(format!("no account is signed in: run `{}`", self.tool.login()));
        }
        let message = match ended.stderr.trim() {
            "" => "it failed without a message".to_owned(),
            message => format!("it failed: {}", sanitize_truncated(&redact_tokens(message), 400)),
        };
        self.error(message, &format!("try `{}`", self.tool.login()))
    }

    fn unavailable(&self, why: String) -> SignInError {
        SignInError::Unavailable { auth: self.auth(), why }
    }

    fn error(&self, reason: String, advice: &str) -> SignInError {
        let advice = if advice.is_empty() { String::new() } else { format!(" — {advice}") };
        SignInError::Service { service: self.tool.name().to_owned(), reason, advice }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_tenant_is_never_passed_as_an_argument() {
        for good in ["contoso.onmicrosoft.com", "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f"] {
            assert_eq!(check_tenant(good), Ok(()));
        }
        for bad in ["--help", "a b", "a&b", "a;b", "a\"b", "a%PATH%", "$(id)", "a\nb", "é.com", "a|b", "a^b"]
        {
            assert!(check_tenant(bad).is_err(), "{bad}");
        }
    }

    fn tool(tool: Tool) -> CliTool {
        CliTool {
            tool,
            path: "az".into(),
            scope: "https://graph.example/.default".into(),
            tenant: Some("t.com".into()),
            first_tenant: OnceLock::new(),
        }
    }

    #[test]
    fn claims_challenge_asks_the_user_to_sign_in() {
        let message = |kind| tool(kind).challenge_error("{}").to_string();
        assert!(message(Tool::Az).contains(
            "az login --tenant t.com --scope https://graph.example/.default --claims-challenge e30="
        ));
        assert!(
            message(Tool::Azd)
                .contains("azd auth login --tenant-id t.com --scope https://graph.example/.default,")
        );
    }
}
