//! IPv6, on loopback.

use std::io::Write;
use std::net::{Ipv6Addr, TcpListener};

use crate::ctx::TestContext;
use crate::support::site::{GRAPH, LOGIN, Site};

/// Whether this machine has it; says so where it has not.
fn here() -> bool {
    let bound = TcpListener::bind((Ipv6Addr::LOCALHOST, 0));
    if let Err(error) = &bound {
        // Not by `eprintln!`, which the test harness keeps to itself where a test passes.
        let _ = writeln!(std::io::stderr(), "skipped: this machine has no IPv6 on loopback ({error})");
    }
    bound.is_ok()
}

#[test]
fn plain_http_reaches_a_simulator_on_ipv6() {
    if !here() {
        return;
    }
    let ctx = TestContext::new("listen = '[::1]:0'");
    assert!(ctx.simulator.url().starts_with("http://[::1]:"));
    let input = ctx.input("users.txt", "ann@contoso.com\nben@contoso.com\n");
    ctx.run(&input, &[]).exits(0);
    assert_eq!((ctx.stats().effects, ctx.stats().unexpected_hosts.len()), (2, 0));
}

#[test]
fn names_can_resolve_to_ipv6_addresses() {
    if !here() {
        return;
    }
    let site = Site::new(GRAPH, LOGIN, 2, "listen = '[::1]:0'");
    let mut command = site.run();
    site.resolve(&mut command);
    site.ctx.finish(&mut command).exits(0);
    site.assert_all_revoked(2);
}
