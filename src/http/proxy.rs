//! The proxy that the environment names: `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`.
//!
//! The URL may contain a password, so no error and no warning here repeats it.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::ConnectTo;
use super::client::{ClientBuildError, error_causes};

/// The variables that may name a proxy, by precedence. An empty value counts as not set.
const NAMES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The schemes of supported proxies.
const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// A proxy for HTTPS.
pub(super) struct Proxy {
    /// The variable that names it.
    name: &'static str,
    /// Its URL, with its password.
    url: SecretString,
    scheme: String,
    /// Host and port, without scheme and credentials.
    place: String,
    /// `NO_PROXY`: the hosts that are reached directly.
    except: String,
}

impl Proxy {
    /// Reads the proxy from the environment, if one is set.
    pub(super) fn from_environment() -> Result<Option<Proxy>, ClientBuildError> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let Some((name, value)) = NAMES.into_iter().find_map(|name| Some((name, set(name)?))) else {
            return Ok(None);
        };
        let except = ["NO_PROXY", "no_proxy"].into_iter().find_map(set).unwrap_or_default();
        Proxy::read(name, value.trim(), except).map(Some)
    }

    /// Parses a proxy. An invalid value is an error and is never ignored, because requests would then take
    /// another route than intended.
    fn read(name: &'static str, value: &str, except: String) -> Result<Proxy, ClientBuildError> {
        let fail = |reason: String| ClientBuildError::Proxy { name, reason };
        let whole = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let no_address = || {
            fail(
                "it is not an address such as http://user:password@host:port; in a password, \
                 write # / ? % as %23 %2F %3F %25"
                    .to_owned(),
            )
        };
        let url = Url::parse(&whole).map_err(|_| no_address())?;
        if !SCHEMES.contains(&url.scheme()) {
            return Err(fail(format!("its scheme must be one of {}", SCHEMES.join(", "))));
        }
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let host = url.host_str().filter(|host| !host.is_empty() && bare).ok_or_else(no_address)?;
        let default =
            if url.scheme().starts_with("socks") { Some(1080) } else { url.port_or_known_default() };
        let port = url.port().or(default).map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Proxy {
            name,
            scheme: url.scheme().to_owned(),
            place: format!("{host}{port}"),
            url: SecretString::from(String::from(url)),
            except,
        })
    }

    /// The proxy for the HTTP client. Plain HTTP never uses it, because that would carry a token in the clear
    /// to another machine.
    pub(super) fn for_https(&self) -> Result<reqwest::Proxy, ClientBuildError> {
        let proxy = reqwest::Proxy::https(self.url.expose_secret())
            .map_err(|error| ClientBuildError::Proxy { name: self.name, reason: error_causes(&error) })?;
        Ok(proxy.no_proxy(reqwest::NoProxy::from_string(&self.except)))
    }

    /// Whether requests to this URL use the proxy.
    pub(super) fn applies_to(&self, url: &str) -> bool {
        let matcher = Matcher::builder().https(self.url.expose_secret()).no(self.except.as_str()).build();
        url.parse().is_ok_and(|uri| matcher.intercept(&uri).is_some())
    }

    /// Scheme, host and port, without user and password, and the variable that names the proxy.
    pub(super) fn describe(&self) -> String {
        format!("{}://{} ({})", self.scheme, self.place, self.name)
    }

    /// A warning if the proxy ignores this setting or a part of it.
    fn overrules(&self, connect_to: &ConnectTo) -> Option<String> {
        let host = connect_to.host();
        // This machine always resolves the proxy's own name.
        if !self.applies_to(&format!("https://{host}")) || self.place.split(':').next() == Some(host) {
            return None;
        }
        let itself = self.scheme != "socks5";
        let shown = self.describe();
        match connect_to.port() {
            _ if itself => Some(format!(
                "--connect-to {connect_to} has no effect: the proxy {shown} resolves names itself; \
                 NO_PROXY={host} bypasses it"
            )),
            Some(port) => Some(format!(
                "--connect-to {connect_to}: the proxy {shown} is asked for that address, but not for port \
                 {port}"
            )),
            None => None,
        }
    }
}

/// A warning for each `--connect-to` that the environment's proxy ignores, entirely or in part.
pub fn ignored_connect_to(connect_to: &[ConnectTo]) -> Vec<String> {
    let proxy = Proxy::from_environment().ok().flatten();
    proxy
        .iter()
        .flat_map(|proxy| connect_to.iter().filter_map(|connect_to| proxy.overrules(connect_to)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Proxy, ClientBuildError> {
        Proxy::read("HTTPS_PROXY", value, "intern.example, 10.0.0.0/8".to_owned())
    }

    #[test]
    fn proxies_are_read_as_people_write_them() {
        for (value, shown) in [
            ("proxy.example:3128", "http://proxy.example:3128 (HTTPS_PROXY)"),
            ("http://proxy.example", "http://proxy.example:80 (HTTPS_PROXY)"),
            ("http://user:p%40ss@proxy.example:3128/", "http://proxy.example:3128 (HTTPS_PROXY)"),
            ("user:p@ss@proxy.example:3128", "http://proxy.example:3128 (HTTPS_PROXY)"),
            ("https://[::1]:8443", "https://[::1]:8443 (HTTPS_PROXY)"),
            ("socks5h://proxy.example", "socks5h://proxy.example:1080 (HTTPS_PROXY)"),
        ] {
            let proxy = read(value).unwrap();
            assert_eq!(proxy.describe(), shown);
            proxy.for_https().unwrap();
            assert!(proxy.applies_to("https://graph.microsoft.com/v1.0"), "{value}");
            assert!(!proxy.applies_to("http://graph.microsoft.com/v1.0"), "{value}");
            assert!(!proxy.applies_to("https://a.intern.example") && !proxy.applies_to("https://10.1.2.3:1"));
        }
    }

    #[test]
    fn a_proxy_that_makes_no_sense_is_an_error_that_keeps_its_password() {
        for value in [
            "http://user:CANARY#1@proxy.example:3128",
            "http://user:CANARY/1@proxy.example:3128",
            "http://user:CANARY?1@proxy.example:3128",
            "ftp://user:CANARY@proxy.example",
            "socks4://user:CANARY@proxy.example",
            "http://",
            "http://user:CANARY@",
            "user:CANARY@proxy.example:port",
            "http://proxy.example/CANARY",
        ] {
            let Err(error) = read(value) else { panic!("{value} was taken") };
            let text = format!("{error} {error:?}");
            assert!(text.contains("HTTPS_PROXY") && !text.contains("CANARY"), "{text}");
        }
    }

    #[test]
    fn what_a_proxy_overrules_is_told() {
        let told = |proxy: &str, connect_to: &str| {
            read(proxy).unwrap().overrules(&connect_to.parse().unwrap()).unwrap_or_default()
        };
        for proxy in ["http://user:CANARY@p.example:1", "socks5h://user:CANARY@p.example"] {
            let text = told(proxy, "graph.microsoft.com=127.0.0.1");
            assert!(text.contains("no effect") && text.contains("NO_PROXY=graph.microsoft.com"), "{text}");
            assert!(!text.contains("CANARY"), "{text}");
            assert_eq!(told(proxy, "p.example=127.0.0.1"), "", "the proxy's own name");
            assert_eq!(told(proxy, "a.intern.example=127.0.0.1"), "", "not through it");
        }
        assert_eq!(told("socks5://p.example", "graph.microsoft.com=127.0.0.1"), "");
        assert!(told("socks5://p.example", "graph.microsoft.com=127.0.0.1:8443").contains("port 8443"));
    }
}
