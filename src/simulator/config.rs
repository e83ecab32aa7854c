//! What a simulator is to be: read from TOML, or built by hand.

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

/// What the simulator is to be. `Config::default()` is a tenant that knows everybody, answers at once, and has the
/// documented quotas.
///
/// Durations are simulated time (divided by `speed`); in TOML a string (`"80ms"`, `"2m30s"`) or a number of seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Allow `listen` to be an address that others can reach. The simulator protects nothing.
    pub allow_remote: bool,
    /// How many times as fast as real time simulated time runs: 60 makes a window of 150 s last 2.5 s.
    pub speed: f64,
    /// Seconds by which its clock is ahead of this machine's; below zero, behind.
    pub clock_ahead: i64,
    /// Seed of what faults strike by chance.
    pub seed: u64,
    /// How long Graph takes to answer.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub latency: Duration,
    /// The answer takes up to this much more or less than `latency`.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub jitter: Duration,
    /// What a revocation that worked answers.
    pub success: SuccessResponse,
    /// The case of header names over HTTP/1.1 (they are always in lower case over HTTP/2).
    pub header_case: HeaderCase,
    /// What the ledger keeps.
    pub ledger: LedgerDetail,
    /// Accept any bearer token that is not empty, save those minted here that have expired or were revoked. When
    /// false, only tokens minted here are accepted.
    pub accept_any_token: bool,
    /// `Host` headers that are expected beside the simulator's own names and addresses, as `host` or `host:port`.
    pub expected_hosts: Vec<String>,
    /// How long after a 429 has left the requests that still arrive count as sent before the client knew. Real time.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub grace: Duration,
    /// Users that exist when `only_known` is set: object ids or user principal names.
    pub users: Vec<String>,
    /// Answer 404 for everybody who is not in `users`.
    pub only_known: bool,
    /// Patterns (`*`, `?`) of ids that answer 404.
    pub unknown: Vec<String>,
    /// Patterns of ids that answer 403.
    pub deny: Vec<String>,
    /// Patterns of external users, beside all ids that contain `#ext#`: they answer 200, and nothing happens.
    pub external: Vec<String>,
    /// Speak TLS with a certificate of an own authority, for `localhost`, 127.0.0.1, and `::1`.
    pub tls: bool,
    /// Offer HTTP/2 in the TLS handshake; without it HTTP/1.1 alone is spoken there.
    pub http2: bool,
    /// Further names and addresses for the certificate.
    pub tls_names: Vec<String>,
    /// The token endpoint.
    pub token: TokenConfig,
    /// The managed identities.
    pub managed_identity: ManagedIdentityConfig,
    /// The quotas.
    pub quota: QuotaConfig,
    /// Tenants and apps that differ from the rest; of several blocks, the first that names a thing counts.
    #[serde(rename = "tenant")]
    pub tenants: Vec<TenantConfig>,
    /// Batches of requests.
    pub batch: BatchConfig,
    /// The directory; without one everybody exists, and nobody is in a group.
    pub directory: Option<DirectoryConfig>,
    /// What goes wrong; of several faults that match a request, the first in the list strikes.
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
    /// Reads a configuration in TOML. What it doesn't name has the value of [`Config::default`].
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
    /// When the text is not TOML, names something unknown, or gives a value that can't be.
    pub fn from_toml_str(text: &str) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|error| ConfigError::at(text, &error))?;
        config.check()?;
        Ok(config)
    }

    /// A tenant as it is met: answers in 120 ms ± 60 ms, and the documented quotas.
    #[must_use]
    pub fn realistic() -> Config {
        Config { latency: Duration::from_millis(120), jitter: Duration::from_millis(60), ..Config::default() }
    }

    /// Checks what types can't.
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

/// What a revocation that worked answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuccessResponse {
    /// 200 and an OData Boolean, `true`: what Graph sends.
    #[default]
    Boolean,
    /// 204 and no body: what Graph's known-issues page says it should send.
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
    /// `retry-after`, as some of Graph's front ends were seen to send it
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
    /// The one tenant there is, as it stands in the URL; without it, any.
    pub tenant: Option<String>,
    /// The one app there is; without it, any.
    pub client_id: Option<String>,
    /// The app's secret; without it, any that is not empty.
    pub secret: Option<String>,
    /// Whether the secret has expired (AADSTS7000222).
    pub secret_expired: bool,
    /// The app's certificate: PEM, or the path of a PEM file. Client assertions must then be signed with its key;
    /// without it, any that has the shape of a JWT is accepted.
    pub certificate: Option<String>,
    /// How long a token lives, in simulated time.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub lifetime: Duration,
    /// The application permissions in a token.
    pub roles: Vec<String>,
    /// The delegated permissions in a user's token.
    pub scopes: Vec<String>,
    /// Object id of the user who signed in, for a user's token.
    pub user_id: String,
    /// User principal name of the same.
    pub user_principal_name: String,
    /// The issuer whom the app trusts, and the services that play it.
    pub federated: FederatedConfig,
    /// Signing in with a device code.
    pub device: DeviceConfig,
    /// Template ids of the directory roles that the same user holds (`wids` in a user's token).
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

/// A configuration that can't be.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not TOML, or not of this shape.
    #[error("the simulator's configuration can't be read: line {line}: {what}")]
    Toml {
        /// The line.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A value that can't be: its name, and why.
    #[error("the simulator's configuration has a bad `{0}`: {1}")]
    Value(&'static str, String),
}

impl ConfigError {
    /// Of the parser's words only what it expected: the rest shows what stands in the file.
    pub(super) fn at(text: &str, error: &toml::de::Error) -> ConfigError {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
        let expected = error.message().rsplit_once("expected ").map(|(_, expected)| expected);
        let what =
            expected.map_or("it is no TOML of this form".to_owned(), |what| format!("expected {what}"));
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
    fn refuses_what_can_not_be() {
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
