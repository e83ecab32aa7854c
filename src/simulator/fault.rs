//! Faults as they are configured: a `[[fault]]` table in TOML, or `match=gone-*;answer=404;times=2` on a command line.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::config::ConfigError;

/// A fault: which requests it applies to, how often, and what the client gets.
///
/// Counts are kept for each user ID. The first request that gets as far as the faults (past sign-in and quotas) has
/// number 0.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// A pattern (`*`, `?`, ignoring case) of the decoded user ID; at the token endpoint, of the client ID.
    #[serde(rename = "match", default = "match_all_pattern")]
    pub pattern: String,
    /// Which endpoint it applies to.
    #[serde(default)]
    pub endpoint: FaultEndpoint,
    /// A pattern of the tenant: of its ID, or of the domain under which it is addressed. A request without a known
    /// token has no tenant.
    #[serde(default = "match_all_pattern")]
    pub tenant: String,
    /// A pattern of the app's client ID.
    #[serde(default = "match_all_pattern")]
    pub app: String,
    /// What the client gets.
    pub answer: FaultAnswer,
    /// The probability, from 0 to 1. The same seed, fault, ID and number give the same result in every run.
    #[serde(default = "default_chance")]
    pub chance: f64,
    /// Apply it to only this many requests of each ID, after those that `after` skips.
    pub times: Option<u32>,
    /// Skip this many first requests of each ID.
    #[serde(default)]
    pub after: u32,
    /// Apply it to only this many requests in total.
    pub first: Option<u64>,
    /// Skip this many first requests in total, so that it starts in the middle of a run.
    #[serde(default)]
    pub beyond: u64,
    /// Whether the revocation takes effect although the answer says otherwise. By default only if the answer is a
    /// success, or the loss of one.
    pub effect: Option<bool>,
    /// `Retry-After`, verbatim. By default a 429 has `1`. An empty text leaves the header out.
    pub retry_after: Option<String>,
    /// For `challenge`: apply it only if the token says that its client declared `cp1` (`xms_cc`), as Graph does.
    #[serde(default)]
    pub cp1_only: bool,
    /// `Location` of a 3xx. By default a path of the simulator that counts the redirects that are followed.
    pub location: Option<String>,
    /// `error.code` instead of the default. At the token endpoint the number of Entra's error, such as
    /// `"AADSTS700016"`.
    pub code: Option<String>,
    /// `error.message` instead of the default.
    pub message: Option<String>,
    /// How the inner error's key is spelled.
    #[serde(default)]
    pub inner: InnerErrorCase,
    /// `json` (the default body), `html`, `empty`, `truncated` (the default body, cut in the middle), or the text
    /// itself.
    pub body: Option<String>,
    /// `Content-Type` instead of the default.
    pub content_type: Option<String>,
    /// Further headers. They replace default ones of the same name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// False leaves out every header that marks an answer of Graph's (`request-id`, `x-ms-ags-diagnostic`, …), as in a
    /// proxy's answer. The default is true. `portal` and `portal-204` never have them.
    pub request_id: Option<bool>,
    /// For `delay`: how much longer the answer takes. For `drip`: the time between two bytes. Simulated time.
    #[serde(default = "default_delay", deserialize_with = "super::duration::deserialize")]
    pub delay: Duration,
}

fn match_all_pattern() -> String {
    "*".into()
}

fn default_chance() -> f64 {
    1.0
}

fn default_delay() -> Duration {
    Duration::from_millis(10)
}

/// The endpoint that a fault applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultEndpoint {
    /// Revocations.
    #[default]
    Graph,
    /// `GET` of a user.
    Read,
    /// A batch as a whole. `match` does not apply.
    Batch,
    /// The token endpoint.
    Token,
    /// The endpoint for device codes.
    DeviceCode,
    /// The instance metadata service. Here and for the services below, `match` is a pattern of the identity's ID, or
    /// `system`.
    Imds,
    /// App Service's identity endpoint.
    AppService,
    /// Azure Arc's agent.
    Arc,
    /// The service that issues tokens for jobs of GitHub Actions.
    Github,
    /// The same of Azure Pipelines. `match` is a pattern of the service connection.
    Pipelines,
    /// Reads of the directory. `match` is a pattern of the path below the version, such as `groups/*/members`.
    Directory,
}

impl FaultEndpoint {
    /// The name in the configuration.
    pub(super) fn name(self) -> &'static str {
        match self {
            FaultEndpoint::Graph => "graph",
            FaultEndpoint::Read => "read",
            FaultEndpoint::Batch => "batch",
            FaultEndpoint::Directory => "directory",
            FaultEndpoint::Token => "token",
            FaultEndpoint::DeviceCode => "device_code",
            FaultEndpoint::Imds => "imds",
            FaultEndpoint::AppService => "app_service",
            FaultEndpoint::Arc => "arc",
            FaultEndpoint::Github => "github",
            FaultEndpoint::Pipelines => "pipelines",
        }
    }
}

/// How the inner error's key is spelled. Graph's documentation has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum InnerErrorCase {
    /// `innerError`
    #[default]
    #[serde(rename = "innerError")]
    Camel,
    /// `innererror`
    #[serde(rename = "innererror")]
    Lower,
    /// No inner error.
    #[serde(rename = "none")]
    None,
}

/// What the client gets. In TOML a status, or one of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAnswer {
    /// `404`: a status from 200 to 599, with the default body for that status.
    Status(u16),
    /// `"409-other"`: a 409 that is not `Directory_ConcurrencyViolation`.
    OtherConflict,
    /// `"ok-false"`: 200 from Graph with `"value":false`. Nothing took effect.
    OkFalse,
    /// `"portal"`: 200 and HTML without Graph's headers, as from a captive portal or a proxy.
    Portal,
    /// `"portal-204"`: 204 without Graph's headers.
    PortalNoContent,
    /// `"truncated-success"`: the revocation took effect, but the body is cut off and the connection closes.
    TruncatedSuccess,
    /// `"reset-before"`: the connection is reset and nothing took effect.
    ResetBefore,
    /// `"reset-after"`: the revocation took effect, then the connection is reset without an answer.
    ResetAfter,
    /// `"hang-before"`: nothing took effect, and no answer ever comes.
    HangBefore,
    /// `"hang-after"`: the revocation took effect, and no answer ever comes.
    HangAfter,
    /// `"drip"`: the default answer, one byte at a time.
    Drip,
    /// `"delay"`: the default answer, later. Faults further down the list can still apply.
    Delay,
    /// `"expired-token"`: 401, as for an expired token.
    ExpiredToken,
    /// `"challenge"`: 401 with a claims challenge (continuous access evaluation), until the client sends a token that
    /// was issued after the first challenge and with its claims (or, if another issuer made it, that was first seen
    /// after it).
    Challenge,
    /// `"revoke-token"`: 401 for this request and for every later one with the same token.
    RevokeToken,
}

impl FaultAnswer {
    const WORDS: [(&'static str, FaultAnswer); 14] = [
        ("409-other", FaultAnswer::OtherConflict),
        ("ok-false", FaultAnswer::OkFalse),
        ("portal", FaultAnswer::Portal),
        ("portal-204", FaultAnswer::PortalNoContent),
        ("truncated-success", FaultAnswer::TruncatedSuccess),
        ("reset-before", FaultAnswer::ResetBefore),
        ("reset-after", FaultAnswer::ResetAfter),
        ("hang-before", FaultAnswer::HangBefore),
        ("hang-after", FaultAnswer::HangAfter),
        ("drip", FaultAnswer::Drip),
        ("delay", FaultAnswer::Delay),
        ("expired-token", FaultAnswer::ExpiredToken),
        ("challenge", FaultAnswer::Challenge),
        ("revoke-token", FaultAnswer::RevokeToken),
    ];
}

impl FromStr for FaultAnswer {
    type Err = String;

    fn from_str(word: &str) -> Result<FaultAnswer, String> {
        if let Ok(status) = word.parse::<u16>() {
            return if (200..600).contains(&status) {
                Ok(FaultAnswer::Status(status))
            } else {
                Err(format!("{status} is not a status from 200 to 599"))
            };
        }
        let known = FaultAnswer::WORDS.iter().find(|(name, _)| *name == word);
        known.map(|&(_, answer)| answer).ok_or_else(|| {
            let names: Vec<_> = FaultAnswer::WORDS.iter().map(|(name, _)| *name).collect();
            format!("{word:?} is neither a status nor one of {}", names.join(", "))
        })
    }
}

impl<'de> Deserialize<'de> for FaultAnswer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<FaultAnswer, D::Error> {
        struct FaultAnswerVisitor;
        impl Visitor<'_> for FaultAnswerVisitor {
            type Value = FaultAnswer;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a status or the name of an answer")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<FaultAnswer, E> {
                word.parse().map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, status: i64) -> Result<FaultAnswer, E> {
                status.to_string().parse().map_err(E::custom)
            }
        }
        from.deserialize_any(FaultAnswerVisitor)
    }
}

impl Fault {
    /// A fault that applies to every request.
    #[must_use]
    pub fn new(answer: FaultAnswer) -> Fault {
        Fault {
            pattern: match_all_pattern(),
            tenant: match_all_pattern(),
            app: match_all_pattern(),
            endpoint: FaultEndpoint::default(),
            answer,
            chance: default_chance(),
            times: None,
            after: 0,
            first: None,
            beyond: 0,
            effect: None,
            retry_after: None,
            cp1_only: false,
            location: None,
            code: None,
            message: None,
            inner: InnerErrorCase::default(),
            body: None,
            content_type: None,
            headers: BTreeMap::new(),
            request_id: None,
            delay: default_delay(),
        }
    }

    /// Checks what the types can't express.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let bad = |what: String| Err(ConfigError::Value("fault", what));
        if !(0.0..=1.0).contains(&self.chance) {
            return bad(format!("`chance` is {}, but must be from 0 to 1", self.chance));
        }
        let needs_graph_token = [
            FaultAnswer::OkFalse,
            FaultAnswer::ExpiredToken,
            FaultAnswer::Challenge,
            FaultAnswer::RevokeToken,
        ];
        let graph_endpoints =
            [FaultEndpoint::Graph, FaultEndpoint::Read, FaultEndpoint::Directory, FaultEndpoint::Batch];
        let no_boolean = self.endpoint == FaultEndpoint::Batch && self.answer == FaultAnswer::OkFalse;
        if no_boolean
            || (!graph_endpoints.contains(&self.endpoint) && needs_graph_token.contains(&self.answer))
        {
            return bad(format!("the endpoint {} can't answer with {:?}", self.endpoint.name(), self.answer));
        }
        let special = [&self.retry_after, &self.location, &self.content_type];
        let values = special.into_iter().flatten().chain(self.headers.values());
        if let Some(value) = values.into_iter().find(|value| HeaderValue::from_str(value).is_err()) {
            return bad(format!("{value:?} is not a valid header value"));
        }
        match self.headers.keys().find(|name| HeaderName::from_str(name).is_err()) {
            Some(name) => bad(format!("{name:?} is not a valid header name")),
            None => Ok(()),
        }
    }
}

/// Parses `match=gone-*;answer=404;times=2;header.X-Proxy=yes`: the keys of a `[[fault]]` table with `=` between key
/// and value, `;` between pairs, and `header.NAME` for a header.
impl FromStr for Fault {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Fault, ConfigError> {
        let bad = |what: String| ConfigError::Value("fault", what);
        let mut table = toml::Table::new();
        let mut headers = toml::Table::new();
        for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or_else(|| bad(format!("{pair:?} has no `=`")))?;
            match key.trim().strip_prefix("header.") {
                Some(name) => headers.insert(name.into(), value.into()),
                None => table.insert(key.trim().into(), toml_value(key.trim(), value)),
            };
        }
        if !headers.is_empty() {
            table.insert("headers".into(), headers.into());
        }
        let fault = Fault::deserialize(table).map_err(|e| bad(e.message().to_owned()))?;
        fault.check()?;
        Ok(fault)
    }
}

/// The value, with the type that its key has in TOML.
fn toml_value(key: &str, value: &str) -> toml::Value {
    let number =
        matches!(key, "times" | "after" | "first" | "beyond").then(|| value.trim().parse::<i64>().ok());
    let chance = (key == "chance").then(|| value.trim().parse::<f64>().ok());
    let flag = matches!(key, "request_id" | "effect" | "cp1_only").then(|| value.trim().parse::<bool>().ok());
    if let Some(Some(number)) = number {
        number.into()
    } else if let Some(Some(chance)) = chance {
        chance.into()
    } else if let Some(Some(flag)) = flag {
        flag.into()
    } else {
        value.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_tables_parse_to_the_same_fault() {
        let flag: Fault =
            "match=gone-*;answer=404;times=2;chance=0.1;header.X-Proxy=a=b;delay=2s;request_id=false;retry_after=7"
                .parse()
                .unwrap();
        assert_eq!((flag.pattern.as_str(), flag.answer), ("gone-*", FaultAnswer::Status(404)));
        assert_eq!((flag.times, flag.chance, flag.delay), (Some(2), 0.1, Duration::from_secs(2)));
        assert_eq!(flag.headers["X-Proxy"], "a=b");
        assert_eq!((flag.request_id, flag.retry_after.as_deref()), (Some(false), Some("7")));
    }

    #[test]
    fn every_word_parses() {
        for (word, answer) in FaultAnswer::WORDS {
            assert_eq!(format!("answer={word}").parse::<Fault>().unwrap().answer, answer);
            assert_eq!(toml::from_str::<Fault>(&format!("answer = '{word}'")).unwrap().answer, answer);
        }
    }

    #[test]
    fn invalid_faults_are_refused() {
        for text in
            ["", "answer", "answer=melt", "answer=600", "answer=500;chance=1.5", "answer=500;times=often"]
        {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
        assert!("answer=500;retry_after=a\nb".parse::<Fault>().is_err());
        assert!("answer=500;header.bad name=x".parse::<Fault>().is_err());
    }
}
