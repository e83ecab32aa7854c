//! The configuration of a simulator, from TOML or built in code.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use super::batch::BatchConfig;
use super::device_code::DeviceConfig;
use super::fault::Fault;
use super::federated::FederatedConfig;
use super::managed_identity::ManagedIdentityConfig;
use super::quota::QuotaConfig;
use super::store::DirectoryConfig;
use super::tenant_overrides::TenantConfig;
use super::token::assertion::RegisteredCertificate;

/// The configuration of a simulator. With `Config::default()` every user exists, answers come at once, and the
/// documented quotas apply.
///
/// Durations are simulated time (they are divided by `speed`). In TOML they are strings (`"80ms"`, `"2m30s"`) or
/// numbers of seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The address to listen on. With port 0 the system chooses a port.
    pub listen: SocketAddr,
    /// Allow an address in `listen` that other machines can reach. The simulator has no access control.
    pub allow_remote: bool,
    /// How many times faster than real time simulated time runs. With 60, a window of 150 s lasts 2.5 s.
    pub speed: f64,
    /// Seconds by which the simulator's clock is ahead of this machine's; negative if it is behind.
    pub clock_ahead: i64,
    /// Seed for everything that is decided by chance.
    pub seed: u64,
    /// How long Graph takes to answer.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub latency: Duration,
    /// The maximum by which an answer takes more or less time than `latency`.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub jitter: Duration,
    /// The answer to a successful revocation.
    pub success: SuccessResponse,
    /// The case of header names over HTTP/1.1. Over HTTP/2 they are always lower case.
    pub header_case: HeaderCase,
    /// What the ledger keeps.
    pub ledger: LedgerDetail,
    /// Accept any bearer token that is not empty, except tokens from this simulator that have expired or were revoked.
    /// If false, only tokens from this simulator are accepted.
    pub accept_any_token: bool,
    /// `Host` headers that are expected in addition to the simulator's own names and addresses, as `host` or
    /// `host:port`.
    pub expected_hosts: Vec<String>,
    /// For how long after a 429 was sent a request still counts as sent before the client knew. Real time.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub grace: Duration,
    /// Users that exist if `only_known` is set: object IDs or user principal names.
    pub users: Vec<String>,
    /// Answer 404 for every user who is not in `users`.
    pub only_known: bool,
    /// Patterns (`*`, `?`) of user IDs that are answered with 404.
    pub unknown: Vec<String>,
    /// Patterns of user IDs that are answered with 403.
    pub deny: Vec<String>,
    /// Patterns of external users, in addition to all IDs that contain `#ext#`. They are answered with 200 and nothing
    /// happens.
    pub external: Vec<String>,
    /// Use TLS, with a certificate from the simulator's own authority, for `localhost`, 127.0.0.1, and `::1`.
    pub tls: bool,
    /// Offer HTTP/2 in the TLS handshake. If false, only HTTP/1.1 is spoken there.
    pub http2: bool,
    /// Further names and addresses in the certificate.
    pub tls_names: Vec<String>,
    /// The token endpoint.
    pub token: TokenConfig,
    /// Managed identities.
    pub managed_identity: ManagedIdentityConfig,
    /// The quotas.
    pub quota: QuotaConfig,
    /// Tenants and apps that differ from the rest. If several blocks set the same key, the first one counts.
    #[serde(rename = "tenant")]
    pub tenants: Vec<TenantConfig>,
    /// JSON batching.
    pub batch: BatchConfig,
    /// The directory. Without it, every user exists and no user is in a group.
    pub directory: Option<DirectoryConfig>,
    /// Faults to inject. If several match a request, the first one is applied.
    #[serde(rename = "fault")]
    pub faults: Vec<Fault>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_remote: false,
            speed: 1.0,
            clock_ahead: 0,
            seed: 0,
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            success: SuccessResponse::default(),
            header_case: HeaderCase::default(),
            ledger: LedgerDetail::default(),
            accept_any_token: true,
            expected_hosts: Vec::new(),
            grace: Duration::from_millis(100),
            users: Vec::new(),
            only_known: false,
            unknown: Vec::new(),
            deny: Vec::new(),
            external: Vec::new(),
            tls: false,
            http2: true,
            tls_names: Vec::new(),
            token: TokenConfig::default(),
            managed_identity: ManagedIdentityConfig::default(),
            quota: QuotaConfig::default(),
            tenants: Vec::new(),
            batch: BatchConfig::default(),
            directory: None,
            faults: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a configuration in TOML. A key that is missing has its value from [`Config::default`].
    ///
    /// ```
    /// # use entra_revoke::simulator::Config;
    /// let config = Config::from_toml_str(r#"
    /// speed = 60
    /// seed = 7
    /// latency = "120ms"
    /// jitter = "60ms"
    /// success = "boolean"
    /// ledger = "full"
    /// unknown = ["gone-*"]
    /// deny = ["admin@*"]
    /// external = ["partner-*"]
    ///
    /// [token]
    /// tenant = "contoso.onmicrosoft.com"
    /// secret = "s3cret"
    /// lifetime = "1h"
    ///
    /// [quota]
    /// retry_after = "decimal"
    /// body = "documented"
    /// app = { limit = 3000, window = "150s", style = "strict-bucket" }
    /// tenant = { limit = 18000, window = "300s" }
    ///
    /// [[fault]]
    /// match = "flaky-*"
    /// answer = 503
    /// retry_after = "2"
    /// times = 2
    /// chance = 0.5
    ///
    /// [[fault]]
    /// match = "proxy-*"
    /// answer = 502
    /// body = "html"
    /// request_id = false
    /// headers = { Via = "1.1 proxy" }
    ///
    /// [[fault]]
    /// endpoint = "token"
    /// answer = 429
    /// first = 1
    /// "#)?;
    /// assert_eq!(config.faults.len(), 3);
    /// # Ok::<(), entra_revoke::simulator::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// If the text is not TOML, or has an unknown key or an invalid value.
    pub fn from_toml_str(text: &str) -> Result<Config, ConfigError> {
        let config: Config =
            toml::from_str(text).map_err(|error| ConfigError::from_toml_error(text, &error))?;
        config.check()?;
        Ok(config)
    }

    /// A configuration with the latency of a real tenant (120 ms ± 60 ms) and the documented quotas.
    #[must_use]
    pub fn realistic() -> Config {
        Config { latency: Duration::from_millis(120), jitter: Duration::from_millis(60), ..Config::default() }
    }

    /// Checks what the types can't express.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(self.speed.is_finite() && self.speed > 0.0) {
            return Err(ConfigError::Value("speed", "must be a positive number".into()));
        }
        if let Some(certificate) = &self.token.certificate {
            RegisteredCertificate::load(certificate)
                .map_err(|error| ConfigError::Value("certificate", error))?;
        }
        self.quota.check()?;
        self.tenants.iter().try_for_each(TenantConfig::check)?;
        self.faults.iter().try_for_each(Fault::check)
    }
}

/// The answer to a successful revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuccessResponse {
    /// 200 and the OData Boolean `true`, as Graph sends it.
    #[default]
    Boolean,
    /// 204 without a body, as Graph's known-issues page says it should be.
    NoContent,
    /// 200 and JSON of another shape.
    Odd,
}

/// The case of header names over HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderCase {
    /// `Retry-After`
    #[default]
    Title,
    /// `retry-after`, as seen from some of Graph's front ends
    Lowercase,
}

/// What the ledger keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerDetail {
    /// A record for each user, and counters.
    #[default]
    Full,
    /// Counters only: for benchmarks.
    Counts,
}

/// The token endpoint, and the tokens it gives.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenConfig {
    /// The only tenant, as it is in the URL. Without it, any tenant exists.
    pub tenant: Option<String>,
    /// The only app. Without it, any app exists.
    pub client_id: Option<String>,
    /// The app's secret. Without it, any secret that is not empty is accepted.
    pub secret: Option<String>,
    /// Whether the secret has expired (AADSTS7000222).
    pub secret_expired: bool,
    /// The app's certificate: PEM, or the path of a PEM file. Client assertions must then be signed with its key.
    /// Without it, any assertion that has the shape of a JWT is accepted.
    pub certificate: Option<String>,
    /// The lifetime of a token, in simulated time.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub lifetime: Duration,
    /// The application permissions in an app's token.
    pub roles: Vec<String>,
    /// The delegated permissions in a user's token.
    pub scopes: Vec<String>,
    /// The object ID of the signed-in user, in a user's token.
    pub user_id: String,
    /// The principal name of the same user.
    pub user_principal_name: String,
    /// The issuer that the app trusts, and the services that act as that issuer.
    pub federated: FederatedConfig,
    /// The device code flow.
    pub device: DeviceConfig,
    /// Template IDs of the directory roles that this user holds (`wids` in a user's token).
    pub directory_roles: Vec<String>,
}

impl Default for TokenConfig {
    fn default() -> TokenConfig {
        TokenConfig {
            tenant: None,
            client_id: None,
            secret: None,
            secret_expired: false,
            certificate: None,
            lifetime: Duration::from_secs(3599),
            roles: vec!["User.RevokeSessions.All".into()],
            scopes: vec!["User.RevokeSessions.All".into()],
            user_id: "0b5e5d1e-1111-4222-8333-444455556666".into(),
            user_principal_name: "operator@example.com".into(),
            federated: FederatedConfig::default(),
            device: DeviceConfig::default(),
            directory_roles: Vec::new(),
        }
    }
}

/// An invalid configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or TOML with other keys or types.
    #[error("the simulator's configuration can't be read: line {line}: {what}")]
    Toml {
        /// The line.
        line: usize,
        /// What is wrong in this line.
        what: String,
    },
    /// An invalid value: the key, and what is wrong with it.
    #[error("the simulator's configuration has an invalid `{0}`: {1}")]
    Value(&'static str, String),
}

impl ConfigError {
    /// Quotes only what the parser expected, because the rest of its message shows the file's content.
    pub(super) fn from_toml_error(text: &str, error: &toml::de::Error) -> ConfigError {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        let expected = error.message().rsplit_once("expected ").map(|(_, expected)| expected);
        let what = expected.map_or("not valid TOML, or a required key is missing".to_owned(), |what| {
            format!("expected {what}")
        });
        ConfigError::Toml { line, what }
    }
}

#[cfg(test)]
mod tests {
    use super::super::quota::LimitStyle;
    use super::*;

    #[test]
    fn reads_durations_quotas_and_faults() {
        let config = Config::from_toml_str(
            r#"
            speed = 60
            latency = "80ms"
            success = "no_content"
            [quota]
            retry_after = "decimal"
            app = { limit = 10, window = 5, style = "strict-bucket" }
            [[fault]]
            match = "gone-*"
            answer = 404
            "#,
        )
        .unwrap();
        assert_eq!(config.latency, Duration::from_millis(80));
        assert_eq!(config.quota.app.style, LimitStyle::StrictBucket);
        assert_eq!(config.quota.tenant.limit, 18_000, "what isn't named keeps its default");
        assert_eq!(config.faults.len(), 1);
    }

    #[test]
    fn invalid_configurations_are_refused() {
        for text in [
            "sped = 2",
            "speed = 0",
            "speed = -1",
            "[quota]\napp = { limit = 0, window = 1 }",
            "[quota]\napp = { limit = 1, window = 0 }",
            "[[fault]]\nanswer = 99",
            "[[fault]]\nanswer = 'melt'",
            "[[fault]]\nanswer = 500\nchance = 2.0",
        ] {
            assert!(Config::from_toml_str(text).is_err(), "{text}");
        }
    }
}
