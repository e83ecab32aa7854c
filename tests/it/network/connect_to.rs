//! `--connect-to`: addresses for names that DNS does not know, or lies about.

use crate::support::site::{GRAPH, LOGIN, Site, nobody};

#[test]
fn a_name_is_looked_for_at_the_given_address_and_must_still_prove_itself() {
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
    site.refused(&done, &[LOGIN, "another name", "--connect-to"]);
    assert_eq!(other.ctx.stats().token_requests, 0, "the secret went to somebody else");

    let mut command = site.run();
    site.resolve(&mut command);
    site.ctx.finish(&mut command).exits(0);
    site.all_revoked(2);
}

fn pem(site: &Site) -> String {
    site.ctx.simulator.ca_pem().unwrap().to_owned()
}

#[test]
fn of_several_addresses_one_that_answers_is_enough() {
    let site = Site::global(1);
    let mut command = site.run();
    let (_socket, dead) = nobody();
    for host in [GRAPH, LOGIN] {
        command.args(["--connect-to", &format!("{host}={dead}")]);
    }
    site.resolve(&mut command);
    site.ctx.finish(&mut command).exits(0);
    site.all_revoked(1);
}

#[test]
fn it_is_not_remembered_by_a_runs_folder() {
    let site = Site::global(2);
    site.ctx.simulator.change("[[fault]]\nmatch = 'u01@*'\nanswer = 400").unwrap();
    let mut command = site.run();
    site.resolve(&mut command);
    site.ctx.finish(&mut command).exits(3);
    let folder = site.ctx.folder();
    let record = folder.text("run.json");
    assert!(!record.contains("127.0.0.1"), "{record}");
}

#[test]
fn what_is_no_address_is_a_usage_error() {
    let site = Site::global(1);
    for (given, says) in [
        ("graph.microsoft.com", "HOST=ADDRESS"),
        ("graph.microsoft.com=::1", "brackets"),
        ("graph.microsoft.com=localhost", "no IP address"),
        ("https://graph.microsoft.com=127.0.0.1", "no host name"),
        ("graph.microsoft.com=127.0.0.1:0", "no port"),
        // What is for this machine may go in plain HTTP.
        ("localhost=203.0.113.7", "localhost is this machine"),
        ("LOCALHOST.=[2001:db8::7]:80", "localhost is this machine"),
    ] {
        let done = site.ctx.finish(site.run().args(["--connect-to", given]));
        done.exits(2);
        assert!(done.stderr.contains(says), "{says:?} is not in {}", done.stderr);
    }
    assert_eq!(site.ctx.stats().token_requests, 0);
}
