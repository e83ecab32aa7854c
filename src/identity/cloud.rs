//! The national clouds: each has its own Graph root, authority and scope, and a token of one is no good in another.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;

/// A Microsoft cloud (learn.microsoft.com/graph/deployments).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// The global service, GCC included.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovDod,
    /// China, operated by 21Vianet.
    China,
}

/// A cloud's name, its aliases (those of the CLI for Microsoft 365 and of az among them), Graph root, authority.
type Row = (Cloud, &'static str, &'static [&'static str], &'static str, &'static str);

const CLOUDS: [Row; 4] = [
    (
        Cloud::Global,
        "global",
        &["public", "azurecloud", "azurepubliccloud", "gcc", "usgovgcc", "usgovernmentgcc"],
        "https://graph.microsoft.com",
        "https://login.microsoftonline.com",
    ),
    (
        Cloud::UsGov,
        "usgov",
        &["usgovhigh", "gcchigh", "l4", "usgovl4", "azureusgovernment", "usgovernment"],
        "https://graph.microsoft.us",
        "https://login.microsoftonline.us",
    ),
    (
        Cloud::UsGovDod,
        "usgov-dod",
        &["dod", "l5", "usgovl5", "usgovernmentdod"],
        "https://dod-graph.microsoft.us",
        "https://login.microsoftonline.us",
    ),
    (
        Cloud::China,
        "china",
        &["azurechinacloud", "21vianet", "mooncake"],
        "https://microsoftgraph.chinacloudapi.cn",
        "https://login.chinacloudapi.cn",
    ),
];

impl Cloud {
    fn row(self) -> &'static Row {
        CLOUDS.iter().find(|row| row.0 == self).unwrap_or(&CLOUDS[0])
    }

    /// The name, as `--cloud` takes it.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// Graph's root, without a trailing slash.
    pub fn graph_root(self) -> &'static str {
        self.row().3
    }

    /// The authority.
    pub fn authority(self) -> Endpoint {
        Endpoint(self.row().4.to_owned())
    }

    /// The scope that an app asks for.
    pub fn scope(self) -> String {
        format!("{}/.default", self.graph_root())
    }

    /// The cloud whose Graph an access token's `aud` names, if it names one by its address.
    pub fn of_audience(audience: &str) -> Option<Cloud> {
        let audience = audience.trim_end_matches('/');
        CLOUDS.iter().find(|row| row.3.eq_ignore_ascii_case(audience)).map(|row| row.0)
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no cloud's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no cloud; the names are: {names}", names = CLOUDS.map(|row| row.1).join(", "))]
pub struct UnknownCloud(String);

impl FromStr for Cloud {
    type Err = UnknownCloud;

    fn from_str(text: &str) -> Result<Self, UnknownCloud> {
        let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_', ' '], "");
        let wanted = plain(text);
        CLOUDS
            .iter()
            .find(|row| plain(row.1) == wanted || row.2.contains(&wanted.as_str()))
            .map(|row| row.0)
            .ok_or_else(|| UnknownCloud(text.to_owned()))
    }
}

/// The root of a service: HTTPS, or plain HTTP on loopback, without path, query or trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

/// An address that must not be used as a service's root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No URL.
    #[error("'{0}' is no URL")]
    NoUrl(String),
    /// Plain HTTP to another machine would carry the token in the clear.
    #[error("{0}: plain HTTP is allowed to loopback only")]
    PlainHttp(String),
    /// Anything but a scheme, a host and a port.
    #[error("{0}: give scheme, host and port only, such as https://graph.microsoft.com")]
    TooMuch(String),
}

impl Endpoint {
    /// Whether it is spoken to without TLS: only loopback ever is.
    pub fn is_plain_http(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| url.host_str().is_some_and(is_loopback))
    }

    /// The root, such as `https://graph.microsoft.com`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text).map_err(|_| EndpointError::NoUrl(text.to_owned()))?;
        let host = url.host_str().ok_or_else(|| EndpointError::NoUrl(text.to_owned()))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return Err(EndpointError::PlainHttp(text.to_owned())),
            _ => return Err(EndpointError::NoUrl(text.to_owned())),
        }
        let path = url.path().trim_end_matches('/');
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        // The version root is a natural thing to paste; the program adds it itself.
        if !bare || url.password().is_some() || !matches!(path, "" | "/v1.0") {
            return Err(EndpointError::TooMuch(text.to_owned()));
        }
        Ok(Endpoint(url.origin().ascii_serialization()))
    }
}

/// Whether a host, as it stands in a URL, is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_are_known_by_all_their_names() {
        for (name, cloud) in [
            ("Global", Cloud::Global),
            ("Public", Cloud::Global),
            ("USGov", Cloud::UsGov),
            ("USGovHigh", Cloud::UsGov),
            ("USGovDoD", Cloud::UsGovDod),
            ("usgov_dod", Cloud::UsGovDod),
            ("AzureChinaCloud", Cloud::China),
        ] {
            assert_eq!(name.parse(), Ok(cloud), "{name}");
        }
        assert!("mars".parse::<Cloud>().unwrap_err().to_string().contains("usgov-dod"));
    }

    #[test]
    fn no_two_clouds_share_a_name() {
        for (at, row) in CLOUDS.iter().enumerate() {
            for other in &CLOUDS[at + 1..] {
                assert!(row.2.iter().all(|alias| !other.2.contains(alias) && *alias != other.1));
                assert_ne!(row.3, other.3);
            }
        }
    }

    #[test]
    fn plain_http_goes_to_loopback_only() {
        let parse = |text: &str| text.parse::<Endpoint>();
        for good in ["http://127.0.0.1:8080", "http://[::1]:80/", "http://localhost:1/v1.0/"] {
            parse(good).unwrap();
        }
        assert_eq!(parse("https://graph.microsoft.us/").unwrap().as_str(), "https://graph.microsoft.us");
        assert_eq!(parse("http://127.0.0.1:8080/v1.0").unwrap().as_str(), "http://127.0.0.1:8080");
        assert!(matches!(parse("http://graph.microsoft.com"), Err(EndpointError::PlainHttp(_))));
        assert!(matches!(parse("http://127.0.0.1.example.com"), Err(EndpointError::PlainHttp(_))));
        assert!(matches!(parse("http://10.0.0.1"), Err(EndpointError::PlainHttp(_))));
        assert!(matches!(parse("https://user@graph.microsoft.com"), Err(EndpointError::TooMuch(_))));
        assert!(matches!(parse("https://graph.microsoft.com/beta"), Err(EndpointError::TooMuch(_))));
        assert!(matches!(parse("ftp://localhost"), Err(EndpointError::NoUrl(_))));
        assert!(matches!(parse("graph.microsoft.com"), Err(EndpointError::NoUrl(_))));
    }
}
