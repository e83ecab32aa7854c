//! What can go wrong, as it is written: a `[[fault]]` table in TOML, or `match=gone-*;answer=404;times=2` on a command
//! line.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::config::ConfigError;

/// One thing that goes wrong: whom it strikes, how often, and what they get.
///
/// Counts are kept for each id: its first request that comes as far as the faults (past sign-in and quotas) is number 0.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Pattern (`*`, `?`, case doesn't count) of the decoded user id; at the token endpoint, of the client id.
    #[serde(rename = "match", default = "everybody")]
    pub pattern: String,
    /// Where.
    #[serde(default)]
    pub endpoint: FaultEndpoint,
    /// Pattern of the tenant: of its id, or of the domain by which it is called. What a request without a token that is
    /// known asks for is in no tenant.
    #[serde(default = "everybody")]
    pub tenant: String,
    /// Pattern of the app's client id.
    #[serde(default = "everybody")]
    pub app: String,
    /// What they get.
    pub answer: FaultAnswer,
    /// Strike only with this chance, 0 to 1. The same seed, fault, id, and number strike alike in every run.
    #[serde(default = "always")]
    pub chance: f64,
    /// Strike only this many requests of each id, after those that `after` spares.
    pub times: Option<u32>,
    /// Spare the first requests of each id.
    #[serde(default)]
    pub after: u32,
    /// Strike only this many requests overall.
    pub first: Option<u64>,
    /// Spare so many requests overall: it begins in the middle of a run.
    #[serde(default)]
    pub beyond: u64,
    /// Whether the revocation takes effect although the answer says otherwise. Without it: only for answers that
    /// are a success, or the loss of one.
    pub effect: Option<bool>,
    /// `Retry-After`, verbatim. A 429 has `1` without it; empty leaves it out.
    pub retry_after: Option<String>,
    /// For `challenge`: only where the token says that its client declared `cp1`, as Graph does (`xms_cc`).
    #[serde(default)]
    pub cp1_only: bool,
    /// `Location` of a 3xx; without it, a path of the simulator that records whoever follows it.
    pub location: Option<String>,
    /// `error.code` instead of the usual. At the token endpoint the number of Entra's error, such as `"AADSTS700016"`.
    pub code: Option<String>,
    /// `error.message` instead of the usual.
    pub message: Option<String>,
    /// How the inner error is spelled.
    #[serde(default)]
    pub inner: InnerErrorCase,
    /// `json` (the usual body), `html`, `empty`, `truncated` (the usual one, cut in the middle), or the text itself.
    pub body: Option<String>,
    /// `Content-Type` instead of the usual.
    pub content_type: Option<String>,
    /// Further headers; they replace the usual ones of the same name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// False leaves out every mark by which Graph is known (`request-id`, `x-ms-ags-diagnostic`, …), as a proxy's
    /// answer does. Without it: true. `portal` and `portal-204` never have them.
    pub request_id: Option<bool>,
    /// For `delay`: how much longer. For `drip`: the time between two bytes. Simulated time.
    #[serde(default = "short", deserialize_with = "super::duration::deserialize")]
    pub delay: Duration,
}

fn everybody() -> String {
    "*".into()
}

fn always() -> f64 {
    1.0
}

fn short() -> Duration {
    Duration::from_millis(10)
}

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultEndpoint {
    /// Revocations.
    #[default]
    Graph,
    /// `GET` of a user.
    Read,
    /// A batch as a whole; `match` has nothing to choose from.
    Batch,
    /// The token endpoint.
    Token,
    /// Where a device code is given.
    DeviceCode,
    /// The instance metadata service; here and below `match` is about the identity's id, or `system`.
    Imds,
    /// App Service's.
    AppService,
    /// Azure Arc's agent.
    Arc,
    /// The service that gives GitHub's jobs their tokens.
    Github,
    /// The same of Azure Pipelines; `match` is about the service connection.
    Pipelines,
    /// Reads of the directory; `match` is about the path below the version, such as `groups/*/members`.
    Directory,
}

impl FaultEndpoint {
    /// The word for it.
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

/// How the inner error of a body is spelled. Graph's documents have both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum InnerErrorCase {
    /// `innerError`
    #[default]
    #[serde(rename = "innerError")]
    Camel,
    /// `innererror`
    #[serde(rename = "innererror")]
    Lower,
    /// None at all.
    #[serde(rename = "none")]
    None,
}

/// What whoever is struck gets. In TOML a status, or one of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAnswer {
    /// `404`: a status from 200 to 599 with the body that is usual for it.
    Status(u16),
    /// `"409-other"`: a 409 that is not `Directory_ConcurrencyViolation`.
    OtherConflict,
    /// `"ok-false"`: 200 from Graph with `"value":false`; nothing took effect.
    OkFalse,
    /// `"portal"`: 200, HTML, and none of Graph's marks: a captive portal or a proxy.
    Portal,
    /// `"portal-204"`: 204 and none of Graph's marks.
    PortalNoContent,
    /// `"truncated-success"`: it took effect; the answer's body breaks off, and the connection closes.
    TruncatedSuccess,
    /// `"reset-before"`: the connection is reset, nothing took effect.
    ResetBefore,
    /// `"reset-after"`: it took effect, then the connection is reset without an answer.
    ResetAfter,
    /// `"hang-before"`: nothing took effect, and no answer ever comes.
    HangBefore,
    /// `"hang-after"`: it took effect, and no answer ever comes.
    HangAfter,
    /// `"drip"`: the usual answer, a byte at a time.
    Drip,
    /// `"delay"`: the usual answer, later. Faults further down may still strike.
    Delay,
    /// `"expired-token"`: 401 as for an expired token.
    ExpiredToken,
    /// `"challenge"`: 401 with a claims challenge (continuous access evaluation), until a token comes that was
    /// issued after the first challenge and with its claims (or, if it is not of this simulator, first seen after it).
    Challenge,
    /// `"revoke-token"`: 401, now and for whatever else comes with the same token.
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
    /// A fault that strikes everybody, always.
    #[must_use]
    pub fn new(answer: FaultAnswer) -> Fault {
        Fault {
            pattern: everybody(),
            tenant: everybody(),
            app: everybody(),
            endpoint: FaultEndpoint::default(),
            answer,
            chance: always(),
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
            delay: short(),
        }
    }

    /// Checks what types can't.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let bad = |what: String| Err(ConfigError::Value("fault", what));
        if !(0.0..=1.0).contains(&self.chance) {
            return bad(format!("a chance of {} is not between 0 and 1", self.chance));
        }
        let of_a_token = [
            FaultAnswer::OkFalse,
            FaultAnswer::ExpiredToken,
            FaultAnswer::Challenge,
            FaultAnswer::RevokeToken,
        ];
        let of_graph =
            [FaultEndpoint::Graph, FaultEndpoint::Read, FaultEndpoint::Directory, FaultEndpoint::Batch];
        let no_boolean = self.endpoint == FaultEndpoint::Batch && self.answer == FaultAnswer::OkFalse;
        if no_boolean || (!of_graph.contains(&self.endpoint) && of_a_token.contains(&self.answer)) {
            return bad(format!("{:?} is no answer of the endpoint {}", self.answer, self.endpoint.name()));
        }
        let special = [&self.retry_after, &self.location, &self.content_type];
        let values = special.into_iter().flatten().chain(self.headers.values());
        if let Some(value) = values.into_iter().find(|value| HeaderValue::from_str(value).is_err()) {
            return bad(format!("{value:?} can't stand in a header"));
        }
        match self.headers.keys().find(|name| HeaderName::from_str(name).is_err()) {
            Some(name) => bad(format!("{name:?} is no header's name")),
            None => Ok(()),
        }
    }
}

/// Reads `match=gone-*;answer=404;times=2;header.X-Proxy=yes`: the keys of a `[[fault]]` table with `=` between key and
/// value, `;` between pairs, and `header.NAME` for a header.
impl FromStr for Fault {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Fault, ConfigError> {
        let bad = |what: String| ConfigError::Value("fault", what);
        let mut table = toml::Table::new();
        let mut headers = toml::Table::new();
        for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) =
                pair.split_once('=').ok_or_else(|| bad(format!("{pair:?} has no `=` in it")))?;
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

/// The value with the type that its key has in TOML.
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
    fn a_flag_says_what_a_table_says() {
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
    fn refuses_what_can_not_be() {
        for text in
            ["", "answer", "answer=melt", "answer=600", "answer=500;chance=1.5", "answer=500;times=often"]
        {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
        assert!("answer=500;retry_after=a\nb".parse::<Fault>().is_err());
        assert!("answer=500;header.bad name=x".parse::<Fault>().is_err());
    }
}
