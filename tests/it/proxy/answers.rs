//! Proxies that answer instead of the server, and proxy passwords that must stay secret.

use std::thread::Scope;

use base64::Engine;

use crate::support::proxies::{Proxy, ProxyAction};
use crate::support::site::{GRAPH, LOGIN, Site};

const PAGE: &str = "<html><body>Please sign in to the network</body></html>";

/// What proxies say to CONNECT where they don't connect.
fn answers() -> [(&'static str, String, &'static [&'static str]); 3] {
    let page = |status: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\r\n{PAGE}",
            PAGE.len()
        )
    };
    [
        (
            "407",
            page("407 Proxy Authentication Required"),
            &["407", "http://user:password@host:port", "HTTPS_PROXY"],
        ),
        ("502", page("502 Bad Gateway"), &["refused to connect"]),
        // As if connected, and then a page where TLS should begin.
        ("200", page("200 OK"), &["TLS"]),
    ]
}

/// Takes 15 s, since the token endpoint is asked five times where a repeat may help: all at once.
#[test]
fn proxy_errors_at_sign_in_have_advice() {
    std::thread::scope(|scope| {
        socks_at_sign_in(scope);
        for (name, answer, words) in answers() {
            scope.spawn(move || {
                let site = Site::global(2);
                let proxy = Proxy::connect(move |_| ProxyAction::Say(answer.clone()));
                let mut command = site.run();
                command.env("HTTPS_PROXY", format!("http://responder:CANARY@{}", proxy.addr));
                let done = site.ctx.finish(&mut command);
                site.assert_sign_in_refused(&done, words);
                for words in [LOGIN, "the proxy", &proxy.addr.to_string()] {
                    assert!(done.stderr.contains(words), "{name}: {words:?} is not in {}", done.stderr);
                }
                assert!(!done.stderr.contains("CANARY"), "{}", done.stderr);
                // A wrong password stays wrong; the other errors may pass.
                let tries = if name == "407" { 1 } else { 5 };
                assert_eq!(proxy.requests().len(), tries, "{name}");
            });
        }
    });
}

#[test]
fn a_proxy_page_never_counts_as_revoked() {
    for (name, answer, _) in answers() {
        let site = Site::global(3);
        let addr = site.ctx.simulator.addr();
        let proxy = Proxy::connect(move |asked| match asked.target.starts_with(GRAPH) {
            true => ProxyAction::Say(answer.clone()),
            false => ProxyAction::Tunnel(addr),
        });
        let mut command = site.run();
        command.env("HTTPS_PROXY", format!("http://{}", proxy.addr));
        site.ctx.finish(command.args(["--retries", "1"])).exits(3);
        assert_eq!(site.assert_honest_outcomes(&["failed"]).len(), 3, "{name}");
        assert_eq!(site.ctx.stats().revocations, 0, "{name}");
    }
}

/// SOCKS proxies that refuse have messages of their own.
fn socks_at_sign_in<'scope>(scope: &'scope Scope<'scope, '_>) {
    for (password, words, tries) in [
        // The proxy of the test hangs up on these before it is asked for anything.
        ("wrong-CANARY", &["needs credentials", "HTTPS_PROXY"][..], 0),
        ("CANARY", &["no connection", "not allowed"], 5),
    ] {
        scope.spawn(move || {
            let site = Site::global(2);
            let proxy = Proxy::socks(|_| ProxyAction::Say(String::new()));
            let mut command = site.run();
            command.env("ALL_PROXY", format!("socks5h://responder:{password}@{}", proxy.addr));
            let done = site.ctx.finish(&mut command);
            site.assert_sign_in_refused(&done, words);
            assert!(done.stderr.contains("the proxy socks5h://") && !done.stderr.contains("CANARY"));
            assert_eq!(proxy.requests().len(), tries, "{password}");
        });
    }
}

#[test]
fn the_proxy_password_does_not_leak() {
    const PASSWORD: &str = "CANARY-proxy-pw@1";
    const ENCODED: &str = "CANARY-proxy-pw%401";
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("responder:{PASSWORD}"));
    for (kind, refuses) in [("http", false), ("http", true), ("socks5h", false), ("socks5h", true)] {
        let site = Site::global(2);
        let addr = site.ctx.simulator.addr();
        let decide = move |asked: &crate::support::proxies::ProxyRequest| match refuses
            && asked.target.starts_with(GRAPH)
        {
            true => ProxyAction::Say("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".to_owned()),
            false => ProxyAction::Tunnel(addr),
        };
        let proxy = if kind == "http" { Proxy::connect(decide) } else { Proxy::socks(decide) };
        let mut command = site.run();
        command.env("HTTPS_PROXY", format!("{kind}://responder:{ENCODED}@{}", proxy.addr));
        command.args(["-vvv", "--log-format", "json", "--log-file", "log.json", "--retries", "1"]);
        // A host that the proxy overrules is warned about, with the proxy's name.
        let done = site.ctx.finish(command.args(["--connect-to", &format!("{GRAPH}=127.0.0.1")]));
        done.exits(if refuses { 3 } else { 0 });
        assert!(proxy.requests().iter().all(|asked| asked.credentials == format!("responder:{PASSWORD}")));
        let mut written = site.ctx.all_files();
        assert!(written.iter().any(|(path, bytes)| path.ends_with("log.json") && !bytes.is_empty()));
        written.push(("standard output".into(), done.stdout.into_bytes()));
        written.push(("standard error".into(), done.stderr.into_bytes()));
        for (path, bytes) in written {
            let text = String::from_utf8_lossy(&bytes);
            for secret in [PASSWORD, ENCODED, &basic, "CANARY-proxy"] {
                assert!(!text.contains(secret), "{kind}: {} holds {secret}", path.display());
            }
        }
    }
}
