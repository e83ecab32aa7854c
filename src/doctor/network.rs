//! The connection to a server: its name, a proxy, TLS and its time. Nothing secret is sent, only a request that anyone
//! may make.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, DATE};

use super::Finding;
use super::tls_issuer::Issuer;
use crate::http::{self, HttpClients, HttpOptions};

/// The time limit of one probe.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum size of a response body, in bytes. The authority's openid-configuration is about 2,000 bytes.
const MAX_BODY: usize = 64 << 10;

/// A server to probe, and the names of its checks.
#[derive(Clone, Copy, Debug)]
pub struct ProbedServer<'a> {
    /// The check of its host name.
    pub name_check: &'static str,
    /// The check of TLS.
    pub tls_check: &'static str,
    /// Its root, such as `https://graph.microsoft.com`.
    pub root: &'a str,
    /// The URL that the probe requests.
    pub url: &'a str,
    /// Whether the body of its answer is needed. The headers always are.
    pub read_body: bool,
    /// Whether it is Graph, whose answers can be recognized.
    pub is_graph: bool,
    /// Whether it is a server of the cloud itself, whose certificates come from a few known issuers.
    pub is_microsoft: bool,
    /// The exit code of a run without this server. `None` if a run can do without it.
    pub exit_code: Option<u8>,
}

/// The result of a probe.
#[derive(Debug)]
pub struct ProbeResult {
    /// The answer, or why there is none.
    pub answer: Result<ServerAnswer, ProbeFailure>,
    /// The addresses of its host name, or why there are none.
    addresses: Result<Vec<IpAddr>, String>,
}

/// A server answered.
#[derive(Debug)]
pub struct ServerAnswer {
    /// How far this machine's clock is ahead of the server's, in seconds. Negative if it is behind.
    pub clock_offset: Option<i64>,
    /// The body.
    pub body: Vec<u8>,
    issuer: Option<Issuer>,
    elapsed: Duration,
    /// What shows that the answer is not Graph's: see [`not_graph_reason`].
    not_graph: Option<String>,
}

/// A server did not answer.
#[derive(Debug)]
pub enum ProbeFailure {
    /// Its certificate is not trusted.
    Untrusted {
        /// The reason.
        reason: String,
        /// The issuer that the certificate names.
        issuer: Option<Issuer>,
    },
    /// It could not be reached.
    Unreachable(String),
}

/// Probes a server: resolves its name, requests an answer and reads its certificate, all at the same time.
pub async fn probe(options: &HttpOptions, clients: &HttpClients, server: &ProbedServer<'_>) -> ProbeResult {
    let options = HttpOptions { timeout: options.timeout.min(TIMEOUT), ..options.clone() };
    let (answer, issuer, addresses) = tokio::join!(
        tokio::time::timeout(TIMEOUT, send_request(clients.pooled(), server)),
        fetch_issuer(&options, server),
        resolve_addresses(server.root)
    );
    let seen = match answer {
        Ok(Ok(answer)) => Ok(ServerAnswer { issuer, ..answer }),
        Ok(Err(error)) if http::is_untrusted(&error) => {
            Err(ProbeFailure::Untrusted { reason: reason(error), issuer })
        }
        Ok(Err(error)) => Err(ProbeFailure::Unreachable(reason(error))),
        Err(_) => Err(ProbeFailure::Unreachable("no answer within the timeout".to_owned())),
    };
    ProbeResult { answer: seen, addresses }
}

async fn fetch_issuer(options: &HttpOptions, server: &ProbedServer<'_>) -> Option<Issuer> {
    if server.root.starts_with("http://") {
        return None;
    }
    let certificate = tokio::time::timeout(TIMEOUT, http::certificate_of(options, server.url)).await;
    Issuer::from_der(&certificate.ok()??)
}

async fn send_request(
    client: &reqwest::Client,
    server: &ProbedServer<'_>,
) -> Result<ServerAnswer, reqwest::Error> {
    let began = tokio::time::Instant::now();
    let mut response = client.get(server.url).send().await?;
    let took = began.elapsed();
    let date = response.headers().get(DATE).and_then(|date| date.to_str().ok());
    let ahead = date.and_then(|date| seconds_ahead(SystemTime::now(), httpdate::parse_http_date(date).ok()?));
    let not_graph = not_graph_reason(&response).filter(|_| server.is_graph);
    let mut body = Vec::new();
    while server.read_body && body.len() < MAX_BODY {
        let Some(chunk) = response.chunk().await? else { break };
        body.extend_from_slice(&chunk);
    }
    Ok(ServerAnswer { clock_offset: ahead, body, issuer: None, elapsed: took, not_graph })
}

/// Describes, in a few words, an answer that is not Graph's. Graph's answers have a `request-id`, and their bodies are
/// JSON (learn.microsoft.com/graph/errors, learn.microsoft.com/graph/best-practices-concept).
fn not_graph_reason(response: &reqwest::Response) -> Option<String> {
    let kind = response.headers().get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    let is_json = kind.as_ref().is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
    if is_json || response.headers().contains_key("request-id") {
        return None;
    }
    let kind = kind
        .map_or("no content type".to_owned(), |kind| crate::text::sanitize::sanitize_truncated(&kind, 60));
    Some(format!("{}, {kind}, and no request-id", response.status().as_u16()))
}

/// How far `here` is ahead of `there`, in seconds.
fn seconds_ahead(here: SystemTime, there: SystemTime) -> Option<i64> {
    let seconds = |time: SystemTime| jiff::Timestamp::try_from(time).ok().map(jiff::Timestamp::as_second);
    Some(seconds(here)? - seconds(there)?)
}

fn reason(error: reqwest::Error) -> String {
    http::describe(&error)
}

async fn resolve_addresses(root: &str) -> Result<Vec<IpAddr>, String> {
    let url = Url::parse(root).map_err(|error| error.to_string())?;
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    // A proxy resolves names itself, so asking DNS here would prove nothing. In some networks DNS is not even
    // reachable.
    if host.parse::<IpAddr>().is_ok() || http::proxy_for(root).is_some() {
        return Ok(Vec::new());
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let asked = tokio::time::timeout(TIMEOUT, tokio::net::lookup_host((host, port))).await;
    match asked {
        Ok(Ok(found)) => {
            let mut found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            found.dedup();
            Ok(found)
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("DNS did not answer".to_owned()),
    }
}

/// The host of a root, with its port if that is not the default.
pub fn host(root: &str) -> &str {
    root.split_once("://").map_or(root, |(_, host)| host)
}

/// The proxies used for Graph and for the authority.
pub fn check_proxies(graph: &str, authority: &str) -> Finding {
    let way = |root: &str| http::proxy_for(root);
    match (way(graph), way(authority)) {
        (None, None) => Finding::ok("proxy", "none: Graph and the authority are reached directly"),
        (Some(one), Some(other)) if one == other => Finding::ok("proxy", format!("{one}, for both servers")),
        (one, other) => {
            let or_none = |proxy: Option<String>| proxy.unwrap_or_else(|| "none".to_owned());
            let (one, other) = (or_none(one), or_none(other));
            Finding::ok("proxy", format!("{one} for {}, {other} for {}", host(graph), host(authority)))
        }
    }
}

/// Checks whether the server's name can be resolved.
pub fn check_name(server: &ProbedServer<'_>, result: &ProbeResult) -> Finding {
    let (check, shown) = (server.name_check, host(server.root));
    let proxy = http::proxy_for(server.root);
    match (&result.addresses, &result.answer) {
        (Ok(_), _) if proxy.is_some() => Finding::info(check, format!("{shown}: the proxy resolves it")),
        (Ok(found), _) if found.is_empty() => Finding::ok(
            check,
            format!(
                "{shown}: an IP address, so DNS is \
             not needed"
            ),
        ),
        (Ok(found), _) => {
            let few: Vec<String> = found.iter().take(3).map(IpAddr::to_string).collect();
            let more = if found.len() > few.len() { ", …" } else { "" };
            Finding::ok(check, format!("{shown}: {}{more}", few.join(", ")))
        }
        (Err(_), Ok(_)) => Finding::ok(check, format!("{shown}: reached without DNS")),
        (Err(why), Err(_)) => {
            let finding =
                format!("{shown} can't be resolved: {}", crate::text::sanitize::sanitize_truncated(why, 160));
            let advice = "check DNS, the network of this machine and the spelling of the host";
            failed_or_warning(server, check, finding, advice)
        }
    }
}

/// Checks whether the server can be reached, and which certificate it presents.
pub fn check_tls(server: &ProbedServer<'_>, result: &ProbeResult) -> Finding {
    let (check, shown) = (server.tls_check, host(server.root));
    match (&result.answer, &result.addresses) {
        (Err(ProbeFailure::Unreachable(_)), Err(_)) => {
            Finding::skipped(check, format!("{shown} has no address"))
        }
        (Err(ProbeFailure::Unreachable(why)), _) => {
            let through =
                http::proxy_for(server.root).map(|proxy| format!(" through {proxy}")).unwrap_or_default();
            let why = crate::text::sanitize::sanitize_truncated(why, 200);
            let advice = "check the network, a firewall, and the proxy (HTTPS_PROXY, NO_PROXY)";
            failed_or_warning(server, check, format!("{shown} can't be reached{through}: {why}"), advice)
        }
        (Err(ProbeFailure::Untrusted { reason, issuer }), _) => {
            untrusted_finding(server, reason, issuer.as_ref())
        }
        (Ok(seen), _) => not_graph_finding(server, seen, reached_finding(server, seen)),
    }
}

fn failed_or_warning(
    server: &ProbedServer<'_>,
    check: &'static str,
    finding: String,
    advice: &str,
) -> Finding {
    match server.exit_code {
        Some(code) => Finding::fatal(check, finding, advice, code),
        None => Finding::warning(check, format!("{finding} (this sign-in method does not need it)"), advice),
    }
}

fn untrusted_finding(server: &ProbedServer<'_>, reason: &str, issuer: Option<&Issuer>) -> Finding {
    let shown = host(server.root);
    // The advice below already says what to do.
    let reason = reason.split(';').next().unwrap_or(reason).trim_start_matches("TLS: ");
    let reason = crate::text::sanitize::sanitize_truncated(reason, 160);
    let Some(issuer) = issuer else {
        let finding = format!("the certificate of {shown} is not trusted: {reason}");
        return failed_or_warning(
            server,
            server.tls_check,
            finding,
            "pass the issuer's certificate with --ca-cert",
        );
    };
    let reads = if server.is_microsoft && !issuer.is_known() {
        ", which is not Microsoft's: TLS is intercepted"
    } else {
        ""
    };
    failed_or_warning(
        server,
        server.tls_check,
        format!("the certificate of {shown} is not trusted ({reason}); it was issued by {issuer}{reads}"),
        "if your organization's proxy inspects TLS, pass its CA certificate (PEM) with --ca-cert; if not, \
         someone is intercepting the connection: do not continue from this network",
    )
}

/// If something other than Graph answers, reports that first, and `found` as a detail.
fn not_graph_finding(server: &ProbedServer<'_>, seen: &ServerAnswer, found: Finding) -> Finding {
    let Some(foreign) = &seen.not_graph else { return found };
    let (check, shown) = (server.tls_check, host(server.root));
    let took = seen.elapsed.as_millis();
    Finding::warning(
        check,
        format!(
            "{shown} answers in {took} ms, but not as Graph: a portal or proxy answers instead ({foreign})"
        ),
        format!(
            "open {} in a browser on this machine: sign in to the network's portal, or have the proxy or \
             firewall allow {shown}; check --graph-url if you used it",
            server.url
        ),
    )
    .with_details(std::iter::once(found.finding))
}

fn reached_finding(server: &ProbedServer<'_>, seen: &ServerAnswer) -> Finding {
    let (check, shown) = (server.tls_check, host(server.root));
    let took = format!("answers in {} ms", seen.elapsed.as_millis());
    if server.root.starts_with("http://") {
        return Finding::info(
            check,
            format!("{shown} {took}; without TLS, which is allowed only for tests on this machine"),
        );
    }
    match &seen.issuer {
        Some(issuer) if server.is_microsoft && !issuer.is_known() => Finding::warning(
            check,
            format!("{shown} {took}; TLS is intercepted by {issuer}, which reads the access token"),
            "exclude the host from the inspection if you can (NO_PROXY, or the proxy's own list)",
        ),
        Some(issuer) => Finding::ok(check, format!("{shown} {took}; certificate issued by {issuer}")),
        None => Finding::ok(check, format!("{shown} {took}; its certificate is trusted")),
    }
}
