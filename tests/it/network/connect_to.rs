//! `--connect-to`: addresses for names that DNS does not know or resolves to another address.

use crate::support::site::{GRAPH, LOGIN, Site, unused_address};

#[test]
fn the_certificate_is_still_checked_at_the_given_address() {
    let site = Site::global(2);
    let other = Site::new("graph.microsoft.us", "login.microsoftonline.us", 1, "");
    // Who answers has a certificate that is trusted, but for other names.
    let both = site.ctx.input("both.pem", format!("{}{}", pem(&site), pem(&other)));
    let mut command = site.bare_run();
    command.arg("--ca-cert").arg(&both);
    for host in [GRAPH, LOGIN] {
        command.args(["--connect-to", &format!("{host}={}", other.ctx.simulator.addr())]);
    }
    let done = site.ctx.finish(&mut command);
    site.assert_sign_in_refused(&done, &[LOGIN, "another name", "--connect-to"]);
    assert_eq!(other.ctx.stats().token_requests, 0, "the secret went to somebody else");

    let mut command = site.run();
    site.resolve(&mut command);
    site.ctx.finish(&mut command).exits(0);
    site.assert_all_revoked(2);
}

fn pem(site: &Site) -> String {
    site.ctx.simulator.ca_pem().unwrap().to_owned()
}

#[test]
fn one_reachable_address_is_enough() {
    let site = Site::global(1);
    let mut command = site.run();
    let (_socket, dead) = unused_address();
    for host in [GRAPH, LOGIN] {
        command.args(["--connect-to", &format!("{host}={dead}")]);
    }
    site.resolve(&mut command);
    site.ctx.finish(&mut command).exits(0);
    site.assert_all_revoked(1);
}

#[test]
fn connect_to_is_not_stored_in_the_run_folder() {
    let site = Site::global(2);
    site.ctx.simulator.change_config("[[fault]]\nmatch = 'u01@*'\nanswer = 400").unwrap();
    let mut command = site.run();
    site.resolve(&mut command);
    site.ctx.finish(&mut command).exits(3);
    let folder = site.ctx.run_folder();
    let record = folder.text("run.json");
    assert!(!record.contains("127.0.0.1"), "{record}");
}

#[test]
fn an_invalid_address_is_a_usage_error() {
    let site = Site::global(1);
    for (given, says) in [
        ("graph.microsoft.com", "HOST=ADDRESS"),
        ("graph.microsoft.com=::1", "brackets"),
        ("graph.microsoft.com=localhost", "invalid IP address"),
        ("https://graph.microsoft.com=127.0.0.1", "invalid host name"),
        ("graph.microsoft.com=127.0.0.1:0", "invalid port"),
        // Plain HTTP is allowed to this machine.
        ("localhost=203.0.113.7", "localhost must be a loopback address"),
        ("LOCALHOST.=[2001:db8::7]:80", "localhost must be a loopback address"),
    ] {
        let done = site.ctx.finish(site.run().args(["--connect-to", given]));
        done.exits(2);
        assert!(done.stderr.contains(says), "{says:?} is not in {}", done.stderr);
    }
    assert_eq!(site.ctx.stats().token_requests, 0);
}
