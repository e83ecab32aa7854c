//! A run through each kind of proxy, set by each variable that the environment can have for it.

use std::net::SocketAddr;

use crate::support::proxies::{Proxy, ProxyAction, ProxyRequest};
use crate::support::site::{GRAPH, LOGIN, Site};

/// An obvious fake, with signs that must be percent-encoded in a URL.
const PASSWORD: &str = "CANARY-pw#1/%?@:ü";
const ENCODED: &str = "CANARY-pw%231%2F%25%3F%40:%C3%BC";

fn targets(proxy: &Proxy) -> Vec<String> {
    let mut targets: Vec<String> = proxy.requests().into_iter().map(|asked| asked.target).collect();
    targets.sort();
    targets.dedup();
    targets
}

/// Runs with these variables to its end; all users are revoked.
fn run(site: &Site, variables: &[(&str, String)]) {
    let mut command = site.run();
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    site.ctx.finish(&mut command).exits(0);
    site.assert_all_revoked(2);
}

#[test]
fn every_proxy_variable_is_honoured() {
    let dead = "http://127.0.0.1:9".to_owned();
    for (names, form) in [
        (&["HTTPS_PROXY"][..], "http://"),
        (&["https_proxy"], ""),
        (&["ALL_PROXY"], "http://"),
        (&["all_proxy"], ""),
        // The more particular name wins, and an empty one is none.
        (&["HTTPS_PROXY", "ALL_PROXY=dead", "HTTP_PROXY=dead"], "http://"),
        (&["HTTPS_PROXY=", "ALL_PROXY"], "http://"),
    ] {
        let site = Site::global(2);
        let proxy = Proxy::to_address(site.ctx.simulator.addr());
        let variables: Vec<(&str, String)> = names
            .iter()
            .map(|name| match name.split_once('=') {
                Some((name, "dead")) => (name, dead.clone()),
                Some((name, _)) => (name, String::new()),
                None => (*name, format!("{form}{}", proxy.addr)),
            })
            .collect();
        run(&site, &variables);
        assert_eq!(targets(&proxy), [format!("{GRAPH}:443"), format!("{LOGIN}:443")], "{names:?}");
    }
}

#[test]
fn credentials_in_the_url_reach_the_proxy() {
    let site = Site::global(2);
    let addr = site.ctx.simulator.addr();
    let proxy = Proxy::connect(move |asked| match asked.credentials.as_str() {
        "responder:CANARY-pw#1/%?@:ü" => ProxyAction::Tunnel(addr),
        _ => ProxyAction::Say("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".to_owned()),
    });
    run(&site, &[("HTTPS_PROXY", format!("http://responder:{ENCODED}@{}", proxy.addr))]);
    assert!(proxy.requests().iter().all(|asked| asked.credentials == format!("responder:{PASSWORD}")));
}

/// A SOCKS proxy that takes names and the simulator's address.
fn socks(addr: SocketAddr) -> Proxy {
    Proxy::socks(move |_| ProxyAction::Tunnel(addr))
}

#[test]
fn socks5h_resolves_names_at_the_proxy() {
    let site = Site::global(2);
    let proxy = socks(site.ctx.simulator.addr());
    run(&site, &[("ALL_PROXY", format!("socks5h://responder:{ENCODED}@{}", proxy.addr))]);
    assert_eq!(targets(&proxy), [format!("{GRAPH}:443"), format!("{LOGIN}:443")]);
    assert!(proxy.requests().iter().all(|asked| asked.credentials == format!("responder:{PASSWORD}")));
}

#[test]
fn socks5_resolves_names_locally() {
    let site = Site::global(2);
    let proxy = socks(site.ctx.simulator.addr());
    let mut command = site.run();
    command.env("HTTPS_PROXY", format!("socks5://responder:{ENCODED}@{}", proxy.addr));
    for host in [GRAPH, LOGIN] {
        command.args(["--connect-to", &format!("{host}=203.0.113.9")]);
    }
    let done = site.ctx.finish(&mut command);
    done.exits(0);
    site.assert_all_revoked(2);
    assert_eq!(targets(&proxy), ["203.0.113.9:443"]);
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
}

#[test]
fn hosts_in_no_proxy_are_reached_directly() {
    let site = Site::global(2);
    let proxy = Proxy::to_address(site.ctx.simulator.addr());
    let mut command = site.run();
    site.resolve(&mut command);
    command
        .env("HTTPS_PROXY", format!("http://{}", proxy.addr))
        .env("NO_PROXY", "intern.example, .microsoft.com");
    let done = site.ctx.finish(&mut command);
    done.exits(0);
    site.assert_all_revoked(2);
    assert_eq!(targets(&proxy), [format!("{LOGIN}:443")]);
    // The proxy resolves this name itself, and a warning says so.
    let warnings: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("warning")).collect();
    assert_eq!(warnings.len(), 1, "{}", done.stderr);
    for words in ["--connect-to", LOGIN, "no effect", "NO_PROXY"] {
        assert!(warnings[0].contains(words), "{words:?} is not in {}", warnings[0]);
    }

    let site = Site::global(2);
    let mut command = site.run();
    site.resolve(&mut command);
    command.env("https_proxy", "http://127.0.0.1:9").env("no_proxy", "*");
    site.ctx.finish(&mut command).exits(0);
    site.assert_all_revoked(2);
}

#[test]
fn connect_to_applies_to_the_proxys_name() {
    let site = Site::global(2);
    let proxy = Proxy::to_address(site.ctx.simulator.addr());
    let mut command = site.run();
    command.env("HTTPS_PROXY", format!("http://proxy.intern.example:{}", proxy.addr.port()));
    let done = site.ctx.finish(command.args(["--connect-to", "proxy.intern.example=127.0.0.1"]));
    done.exits(0);
    assert!(!done.stderr.contains("warning"), "{}", done.stderr);
    let own = ProxyRequest { target: format!("{LOGIN}:443"), credentials: String::new() };
    assert!(proxy.requests().contains(&own));
}

#[test]
fn an_invalid_proxy_stops_the_run() {
    for value in ["http://responder:CANARY#1@127.0.0.1:9", "ftp://responder:CANARY@127.0.0.1:9", "http://"] {
        let site = Site::global(2);
        let mut command = site.run();
        site.resolve(command.env("HTTPS_PROXY", value));
        let done = site.ctx.finish(&mut command);
        done.exits(2);
        assert!(done.stderr.contains("HTTPS_PROXY") && !done.stderr.contains("CANARY"), "{}", done.stderr);
        assert_eq!(site.ctx.stats().token_requests, 0, "{value}");
    }
}
