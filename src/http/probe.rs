//! What can be told of the way to a server: which proxy it leads through, and whether it broke at the certificate.

use std::error::Error;
use std::io;

use hyper_util::client::proxy::matcher::Matcher;
use tokio_rustls::rustls;

/// The proxy that requests to this address go through, without user and password; none where they go directly, as
/// plain HTTP always does.
pub fn proxy_for(url: &str) -> Option<String> {
    let url: hyper::Uri = url.parse().ok()?;
    if url.scheme_str() != Some("https") {
        return None;
    }
    let proxy = Matcher::from_system().intercept(&url)?;
    let (scheme, place) = (proxy.uri().scheme_str().unwrap_or("http"), proxy.uri().authority()?);
    let place = place.as_str().rsplit('@').next().unwrap_or_default();
    Some(format!("{scheme}://{place}"))
}

/// Whether a request failed because the server's certificate is not trusted, whatever the reason.
pub fn is_untrusted(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = cause.downcast_ref() {
            return true;
        }
        // What an I/O error was made of is not what it names as its source: that is one further.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| cause.source());
    }
    false
}
