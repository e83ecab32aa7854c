//! Addresses of services that a token or a secret is sent to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;

/// The root of a service: HTTPS, or plain HTTP on loopback, without path, query or trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

/// An address that must not be used as a service's root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL.
    #[error("invalid URL '{0}'")]
    InvalidUrl(String),
    /// Plain HTTP to another machine, which would send the token unencrypted.
    #[error("{0}: plain HTTP is only allowed to loopback")]
    PlainHttp(String),
    /// A URL with more than a scheme, a host and a port.
    #[error("{0}: use only scheme, host and port, such as https://graph.microsoft.com")]
    NotAnOrigin(String),
}

impl Endpoint {
    /// An endpoint from an address that is known to be valid and has no trailing slash.
    pub(super) fn from_known(known: &str) -> Endpoint {
        Endpoint(known.to_owned())
    }

    /// Whether requests to it use no TLS, which only loopback allows.
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
        let url = Url::parse(text).map_err(|_| EndpointError::InvalidUrl(text.to_owned()))?;
        let host = url.host_str().ok_or_else(|| EndpointError::InvalidUrl(text.to_owned()))?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return Err(EndpointError::PlainHttp(text.to_owned())),
            _ => return Err(EndpointError::InvalidUrl(text.to_owned())),
        }
        let path = url.path().trim_end_matches('/');
        let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        // People often paste the version root, which the program adds itself.
        if !bare || url.password().is_some() || !matches!(path, "" | "/v1.0") {
            return Err(EndpointError::NotAnOrigin(text.to_owned()));
        }
        Ok(Endpoint(url.origin().ascii_serialization()))
    }
}

/// Whether a host, as written in a URL, is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(matches!(parse("https://user@graph.microsoft.com"), Err(EndpointError::NotAnOrigin(_))));
        assert!(matches!(parse("https://graph.microsoft.com/beta"), Err(EndpointError::NotAnOrigin(_))));
        assert!(matches!(parse("ftp://localhost"), Err(EndpointError::InvalidUrl(_))));
        assert!(matches!(parse("graph.microsoft.com"), Err(EndpointError::InvalidUrl(_))));
    }
}
