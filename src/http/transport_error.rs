//! Why there was no answer, in words: what failed, for which host, and what to do about it.

use std::error::Error;
use std::io;

use tokio_rustls::rustls::{self, CertificateError};

use super::client::error_causes;
use super::proxy::Proxy;

/// A request that got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransportError {
    /// What failed and what to do, without the URL, because it contains a user's name.
    pub(crate) text: String,
    /// Whether a retry can't help, because a person has to change something first.
    pub(crate) lasting: bool,
}

impl TransportError {
    /// Explains an error of [`reqwest`].
    pub(crate) fn from_reqwest(error: &reqwest::Error) -> TransportError {
        let url = error.url();
        let host = url.and_then(|url| url.host_str()).unwrap_or("the server").to_owned();
        let proxy = Proxy::from_environment().ok().flatten();
        let proxy = proxy.filter(|proxy| url.is_some_and(|url| proxy.applies_to(url.as_str())));
        let facts = ErrorFacts::collect(error, error.is_connect(), error.is_timeout(), error.is_dns());
        facts
            .explain(&host, proxy.map(|proxy| proxy.describe()).as_deref())
            .unwrap_or_else(|| TransportError::passing(error_causes(error)))
    }

    fn passing(text: String) -> TransportError {
        TransportError { text, lasting: false }
    }

    fn lasting(text: String) -> TransportError {
        TransportError { text, lasting: true }
    }
}

/// Explains in words why there was no answer.
pub(crate) fn describe(error: &reqwest::Error) -> String {
    TransportError::from_reqwest(error).text
}

/// Whether a request failed because the server's certificate is not trusted, whatever the reason.
pub fn is_untrusted(error: &reqwest::Error) -> bool {
    let facts = ErrorFacts::collect(error, false, false, false);
    matches!(facts.tls, Some(rustls::Error::InvalidCertificate(_)))
}

/// What the causes of an error reveal.
#[derive(Debug, Default)]
struct ErrorFacts {
    connecting: bool,
    timed_out: bool,
    dns: bool,
    tls: Option<rustls::Error>,
    /// The text of each cause, from the outermost to the innermost.
    causes: Vec<String>,
}

impl ErrorFacts {
    fn collect(error: &(dyn Error + 'static), connecting: bool, timed_out: bool, dns: bool) -> ErrorFacts {
        let mut facts = ErrorFacts { connecting, timed_out, dns, ..ErrorFacts::default() };
        let mut next = error.source();
        while let Some(cause) = next {
            facts.tls = facts.tls.or_else(|| cause.downcast_ref::<rustls::Error>().cloned());
            facts.causes.push(cause.to_string());
            // The error inside an I/O error is not its `source()`, which is one step further.
            let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| cause.source());
        }
        facts
    }

    fn says(&self, words: &str) -> bool {
        self.causes.iter().any(|cause| cause.contains(words))
    }

    fn last(&self) -> &str {
        self.causes.last().map_or("no reason given", String::as_str)
    }

    /// The explanation, or `None` if it would say no more than the causes do.
    fn explain(&self, host: &str, proxy: Option<&str>) -> Option<TransportError> {
        if let Some(tls) = &self.tls {
            return Some(match proxy {
                // TLS with the proxy itself failed, before it was asked to connect to the host.
                Some(proxy) if self.says("failed to create underlying connection") => {
                    explain_tls(tls, &format!("the proxy {proxy}"), None)
                }
                proxy => explain_tls(tls, host, proxy),
            });
        }
        if self.dns {
            return Some(TransportError::passing(self.explain_dns(host, proxy)));
        }
        if self.timed_out {
            let through = through(proxy);
            return Some(TransportError::passing(match self.connecting {
                true => format!(
                    "no connection to {host}{through} within the timeout, including the TLS \
                     handshake"
                ),
                false => "no answer within the timeout".to_owned(),
            }));
        }
        if self.says("tls handshake eof") {
            let through = through(proxy);
            return Some(TransportError::passing(format!(
                "TLS with {host}{through} was interrupted: is something else answering there?"
            )));
        }
        if let Some(proxy) = proxy.filter(|_| self.connecting) {
            return Some(self.explain_proxy(host, proxy));
        }
        self.connecting.then(|| TransportError::passing(format!("can't connect to {host} ({})", self.last())))
    }

    fn explain_dns(&self, host: &str, proxy: Option<&str>) -> String {
        match proxy {
            // With this proxy, we resolve the host's name.
            Some(_) if self.says("resolving for socks") => {}
            Some(proxy) => {
                return format!("the name of the proxy {proxy} can't be resolved ({})", self.last());
            }
            None => {}
        }
        let last = self.last();
        format!(
            "the name {host} can't be resolved ({last}): check DNS, or set its address with --connect-to \
             {host}=ADDRESS"
        )
    }

    fn explain_proxy(&self, host: &str, proxy: &str) -> TransportError {
        let credentials = "set http://user:password@host:port (or socks5://…) in HTTPS_PROXY";
        if self.says("proxy authorization required") {
            return TransportError::lasting(format!(
                "the proxy {proxy} needs credentials, or rejected yours (407): {credentials}"
            ));
        }
        if self.says("SOCKS error") && (self.says("credentials") || self.says("authentication")) {
            return TransportError::lasting(format!(
                "the proxy {proxy} needs credentials, or rejected yours ({}): {credentials}",
                self.last()
            ));
        }
        let last = self.last();
        TransportError::passing(if self.says("tunnel error: unsuccessful") {
            format!(
                "the proxy {proxy} refused to connect to {host}: check that it allows this host, and that the \
                 user name and password are right"
            )
        } else if self.says("tunnel error: unexpected end") {
            format!("the proxy {proxy} closed the connection before it connected to {host}")
        } else {
            format!("no connection to {host} through the proxy {proxy} ({last})")
        })
    }
}

fn through(proxy: Option<&str>) -> String {
    proxy.map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default()
}

/// Why TLS failed. An untrusted certificate is lasting. Other TLS errors may pass, for example if the answer
/// is not TLS.
fn explain_tls(error: &rustls::Error, host: &str, proxy: Option<&str>) -> TransportError {
    let through = through(proxy);
    let rustls::Error::InvalidCertificate(fault) = error else {
        return TransportError::passing(format!(
            "TLS with {host}{through} failed ({error}): is something else answering there?"
        ));
    };
    TransportError::lasting(match fault {
        CertificateError::UnknownIssuer => format!(
            "TLS: this machine does not trust the certificate of {host}{through}; if your proxy inspects TLS, \
             pass its CA with --ca-cert or SSL_CERT_FILE"
        ),
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => format!(
            "TLS: the certificate of {host}{through} is not valid at this time ({fault}); is this machine's \
             clock right?"
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
            "TLS: the server that answers as {host}{through} has a certificate for another name; is this a \
             captive portal, or is the address in DNS or --connect-to wrong?"
        ),
        _ => format!("TLS: the certificate of {host}{through} can't be trusted ({fault})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "http://p.example:3128 (HTTPS_PROXY)";

    fn facts(causes: &[&str]) -> ErrorFacts {
        let causes = causes.iter().map(|cause| (*cause).to_owned()).collect();
        ErrorFacts { connecting: true, causes, ..ErrorFacts::default() }
    }

    fn from_facts(facts: &ErrorFacts, proxy: Option<&str>) -> TransportError {
        facts.explain("graph.example", proxy).unwrap()
    }

    #[track_caller]
    fn says(trouble: &TransportError, lasting: bool, words: &[&str]) {
        assert_eq!(trouble.lasting, lasting, "{trouble:?}");
        for word in words {
            assert!(trouble.text.contains(word), "{word:?} is not in {trouble:?}");
        }
        assert!(trouble.text.len() <= 300, "the report would cut it off: {trouble:?}");
    }

    #[test]
    fn names_that_can_not_be_resolved_are_named() {
        let dns = ErrorFacts {
            dns: true,
            ..facts(&["client error (Connect)", "dns error", "Name or service not known"])
        };
        says(
            &from_facts(&dns, None),
            false,
            &["graph.example", "not known", "--connect-to graph.example=ADDRESS"],
        );
        says(&from_facts(&dns, Some(PROXY)), false, &["name of the proxy", "p.example"]);
        let local = ErrorFacts { dns: true, ..facts(&["error resolving for socks proxy", "not known"]) };
        says(
            &from_facts(&local, Some("socks5://p.example:1080 (ALL_PROXY)")),
            false,
            &["the name graph.example"],
        );
    }

    #[test]
    fn proxies_are_named_with_what_they_want() {
        let through = |causes: &[&str]| from_facts(&facts(causes), Some(PROXY));
        says(
            &through(&["client error (Connect)", "tunnel error: proxy authorization required"]),
            true,
            &["p.example:3128", "407", "http://user:password@host:port", "HTTPS_PROXY"],
        );
        says(&through(&["tunnel error: unsuccessful"]), false, &["p.example:3128", "graph.example"]);
        says(&through(&["tunnel error: unexpected end of file"]), false, &["closed the connection"]);
        let socks = ["error connecting to socks proxy", "SOCKS error: credentials not accepted"];
        says(&through(&socks), true, &["p.example:3128", "not accepted", "HTTPS_PROXY"]);
        says(&through(&["SOCKS error: connection not allowed"]), false, &["not allowed"]);
        says(&through(&["tls handshake eof"]), false, &["TLS", "p.example:3128", "something else"]);
        says(&through(&["tcp connect error", "Connection refused"]), false, &["p.example:3128", "refused"]);
    }

    #[test]
    fn time_outs_say_of_what() {
        let late = ErrorFacts { timed_out: true, ..facts(&[]) };
        says(&from_facts(&late, None), false, &["no connection to graph.example", "TLS"]);
        let unanswered = ErrorFacts { connecting: false, ..late };
        assert_eq!(from_facts(&unanswered, None).text, "no answer within the timeout");
    }

    #[test]
    fn certificates_that_are_not_trusted_say_why_and_what_to_do() {
        let with = |fault| ErrorFacts { tls: Some(rustls::Error::InvalidCertificate(fault)), ..facts(&[]) };
        let unknown = with(CertificateError::UnknownIssuer);
        says(&from_facts(&unknown, None), true, &["graph.example", "--ca-cert", "SSL_CERT_FILE"]);
        says(&from_facts(&unknown, Some(PROXY)), true, &["p.example:3128", "--ca-cert", "SSL_CERT_FILE"]);
        let own = ErrorFacts {
            causes: vec!["tunnel error: failed to create underlying connection".into()],
            ..unknown
        };
        says(&from_facts(&own, Some(PROXY)), true, &["the certificate of the proxy http://p.example:3128"]);
        says(&from_facts(&with(CertificateError::Expired), None), true, &["clock"]);
        says(
            &from_facts(&with(CertificateError::NotValidForName), None),
            true,
            &["another name", "--connect-to"],
        );
        says(&from_facts(&with(CertificateError::Revoked), None), true, &["can't be trusted"]);
        let no_tls = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        says(&from_facts(&ErrorFacts { tls: Some(no_tls), ..facts(&[]) }, None), false, &["something else"]);
    }

    #[test]
    fn causes_are_found_inside_of_io_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct OuterError(#[source] io::Error);
        let fault = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let outer = OuterError(io::Error::other(io::Error::other(fault)));
        assert!(ErrorFacts::collect(&outer, true, false, false).tls.is_some());
    }

    #[test]
    fn what_is_not_about_connecting_speaks_for_itself() {
        let broken = ErrorFacts { connecting: false, ..facts(&["connection reset"]) };
        assert_eq!(broken.explain("graph.example", Some(PROXY)), None);
    }
}
