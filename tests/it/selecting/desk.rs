//! The library's directory reader, signed in to its own simulator.

use std::sync::Arc;
use std::time::Duration;

use entra_revoke::directory::{Directory, DirectoryError, DirectoryUser, Selector, UserSelection};
use entra_revoke::http::{HttpClients, HttpOptions};
use entra_revoke::identity::{CredentialConfig, CredentialSources, Tokens};
use entra_revoke::simulator::{Config, Simulator, TokenKind};

/// An obvious fake.
const TOKEN: &str = "fake-token-CANARY-9f2c";

/// What a run that reads everything may have.
pub(crate) const ALL: &str = r#"[token]
roles = ["User.RevokeSessions.All", "User.Read.All", "GroupMember.Read.All", "RoleManagement.Read.Directory",
    "RoleEligibilitySchedule.Read.Directory", "AdministrativeUnit.Read.All", "IdentityRiskyUser.Read.All",
    "Application.Read.All", "Organization.Read.All"]
"#;

/// A token with these permissions.
pub(crate) fn only(permissions: &[&str]) -> String {
    format!("[token]\nroles = {permissions:?}\n")
}

/// A directory, whose service lives as long as this.
pub(crate) struct DirectoryFixture {
    /// Ends when it is dropped.
    pub simulator: Option<Simulator>,
    pub directory: Directory,
    runtime: tokio::runtime::Runtime,
}

impl DirectoryFixture {
    /// A simulator with this configuration (TOML), read with an opaque token; quotas are off unless it names them.
    pub(crate) fn new(toml: &str) -> DirectoryFixture {
        DirectoryFixture::start(toml, None)
    }

    /// The same with a token that says what it is.
    pub(crate) fn telling(toml: &str, kind: TokenKind) -> DirectoryFixture {
        DirectoryFixture::start(toml, Some(kind))
    }

    /// The same for an app with a secret, whose token can be renewed.
    pub(crate) fn of_an_app(toml: &str) -> DirectoryFixture {
        let mut desk = DirectoryFixture::new(toml);
        let url = desk.simulator.as_ref().map(Simulator::url).unwrap_or_default();
        desk.directory = desk.runtime.block_on(sign_in_with(&url, "client-secret", &|name| match name {
            "AZURE_CLIENT_SECRET" => Some("fake-secret-CANARY".to_owned()),
            _ => None,
        }));
        desk
    }

    fn start(toml: &str, kind: Option<TokenKind>) -> DirectoryFixture {
        let mut config = Config::from_toml_str(toml).expect("the test's configuration");
        config.quota.enabled = toml.contains("quota");
        let runtime = runtime();
        let simulator = runtime.block_on(Simulator::start(config)).expect("the simulator");
        let minted = kind.map(|kind| simulator.mint_token(kind, Duration::from_secs(600)));
        let directory = runtime.block_on(sign_in(&simulator.url(), minted.as_deref().unwrap_or(TOKEN)));
        DirectoryFixture { simulator: Some(simulator), directory, runtime }
    }

    /// A service of the test's own at this address.
    pub(crate) fn at(url: &str) -> DirectoryFixture {
        let runtime = runtime();
        let directory = runtime.block_on(sign_in(url, TOKEN));
        DirectoryFixture { simulator: None, directory, runtime }
    }

    /// Runs something of the directory to its end.
    pub(crate) fn wait<T>(&self, of: impl Future<Output = T>) -> T {
        self.runtime.block_on(of)
    }

    /// All whom a selector names, as they came, and what it was read as.
    pub(crate) fn read(
        &self,
        selector: &Selector,
    ) -> Result<(UserSelection, Vec<DirectoryUser>), DirectoryError> {
        self.wait(async {
            let mut people = self.directory.select_users(selector).await?;
            let mut all = Vec::new();
            while let Some(page) = people.next_page().await? {
                all.extend(page);
            }
            Ok((people, all))
        })
    }

    /// Their names before the `@`, each once, sorted.
    #[track_caller]
    pub(crate) fn names(&self, selector: &Selector) -> Vec<String> {
        let (_, people) = self.read(selector).unwrap_or_else(|error| panic!("{selector}: {error}"));
        let mut names: Vec<String> = people.iter().map(name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Why a selector can't be read.
    #[track_caller]
    pub(crate) fn refusal(&self, selector: &Selector) -> DirectoryError {
        match self.read(selector) {
            Ok((people, all)) => panic!("{} was read: {all:?}", people.name()),
            Err(error) => error,
        }
    }
}

fn name(person: &DirectoryUser) -> String {
    match &person.upn {
        Some(upn) => upn.split('@').next().unwrap().to_owned(),
        None => person.id.to_string(),
    }
}

pub(crate) fn group(name: &str) -> Selector {
    Selector::Group { name: name.to_owned(), direct: false }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build().unwrap()
}

async fn sign_in(url: &str, token: &str) -> Directory {
    sign_in_with(url, "token", &|name| (name == "ENTRA_REVOKE_TOKEN").then(|| token.to_owned())).await
}

async fn sign_in_with(url: &str, auth: &str, variables: &dyn Fn(&str) -> Option<String>) -> Directory {
    let options = HttpOptions {
        timeout: Duration::from_secs(20),
        ca_cert: None,
        connect_to: Vec::new(),
        plain_http: true,
    };
    let clients = HttpClients::new(&options).unwrap();
    let offer = CredentialConfig {
        authority: url.parse().unwrap(),
        scope: format!("{url}/.default"),
        tenant: Some("contoso.example".to_owned()),
        client_id: Some("11111111-2222-4333-8444-555555555555".to_owned()),
        sources: CredentialSources { auth: Some(auth.parse().unwrap()), ..CredentialSources::default() },
    };
    let signed = Tokens::sign_in(offer.build_chain(variables).unwrap(), clients.clone()).await.unwrap();
    let claims = signed.tokens.current().claims().clone();
    Directory::new(clients, url, Arc::new(signed.tokens), &claims)
}
