//! A proxy that stops during a run.

use std::process::Child;

use crate::ctx::CommandResult;
use crate::support::proxies::{Proxy, ProxyAction};
use crate::support::site::{GRAPH, LOGIN, SECRET, Site, until};

const USERS: usize = 12;

/// A run through a proxy, two at a time, in whose middle the proxy has just died.
fn cut_short(retries: &str) -> (Site, Proxy, Child) {
    let site = Site::global(USERS);
    let proxy = Proxy::to_address(site.ctx.simulator.addr());
    site.ctx.simulator.change_config("latency = '20ms'").unwrap();
    let mut command = site.run();
    command.env("HTTPS_PROXY", format!("http://{}", proxy.addr));
    let run = site.ctx.start(command.args(["-j", "2", "--retries", retries, "--timeout", "5s"]));
    until("three are revoked", || site.ctx.stats().effects >= 3);
    proxy.stop();
    (site, proxy, run)
}

#[test]
fn outcomes_are_correct_if_the_proxy_stops() {
    let (site, _proxy, run) = cut_short("1");
    CommandResult::from(run.wait_with_output().unwrap()).exits(3);
    let outcomes = site.assert_honest_outcomes(&["revoked", "failed", "in_doubt", "not_attempted"]);
    assert_eq!(outcomes.len(), USERS);
    let failed = outcomes.iter().filter(|outcome| *outcome == "failed").count();
    assert!(failed >= USERS / 2, "{outcomes:?}");
    let rows = site.ctx.run_folder().rows();
    let row = rows.iter().find(|row| row["error_code"] == "no_connection").unwrap();
    for words in [GRAPH, "the proxy", "HTTPS_PROXY"] {
        assert!(row["detail"].contains(words), "{words:?} is not in {row:#?}");
    }
}

#[test]
fn a_run_completes_once_the_proxy_is_back() {
    let (site, proxy, run) = cut_short("8");
    until("somebody could not be sent", || {
        let folder = site.ctx.run_folders().into_iter().next();
        let journal = folder.and_then(|folder| std::fs::read_to_string(folder.join("journal.jsonl")).ok());
        journal.is_some_and(|journal| journal.contains("no_connection"))
    });
    proxy.restart();
    CommandResult::from(run.wait_with_output().unwrap()).exits(0);
    assert_eq!(site.assert_honest_outcomes(&["revoked"]).len(), USERS);
    site.assert_all_revoked(USERS);
}

#[test]
fn a_407_for_graph_never_counts_as_revoked() {
    let site = Site::global(4);
    let addr = site.ctx.simulator.addr();
    let proxy = Proxy::connect(move |asked| match asked.target.starts_with(GRAPH) {
        true => ProxyAction::Say(
            "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ),
        false => ProxyAction::Tunnel(addr),
    });
    let mut command = site.run();
    command.env("HTTPS_PROXY", format!("http://responder:CANARY@{}", proxy.addr));
    let done = site.ctx.finish(command.args(["--retries", "1"]));
    done.exits(3);
    assert_eq!(site.assert_honest_outcomes(&["failed"]).len(), 4);
    let row = site.ctx.run_folder().rows().remove(0);
    assert!(row["detail"].contains("407") && row["detail"].contains("HTTPS_PROXY"), "{row:#?}");
    assert_eq!(site.ctx.stats().effects, 0);
}

/// Takes 15 s, since the token endpoint is asked five times for the next token.
#[test]
fn a_proxy_that_stops_before_a_renewal_is_exit_4() {
    let site = Site::new(GRAPH, LOGIN, USERS, "");
    site.ctx.simulator.change_config(&format!("[token]\nsecret = '{SECRET}'\nlifetime = '4s'")).unwrap();
    let proxy = Proxy::to_address(site.ctx.simulator.addr());
    let mut command = site.run();
    command.env("HTTPS_PROXY", format!("http://responder:CANARY@{}", proxy.addr));
    let run = site.ctx.start(command.args(["--rate", "2/s", "--burst", "1", "--retries", "9"]));
    until("two are revoked", || site.ctx.stats().effects >= 2);
    proxy.stop();
    let done = CommandResult::from(run.wait_with_output().unwrap());
    done.exits(4);
    let outcomes = site.assert_honest_outcomes(&["revoked", "failed", "in_doubt", "not_attempted"]);
    assert!(
        outcomes.iter().filter(|outcome| *outcome == "not_attempted").count() >= USERS / 2,
        "{outcomes:?}"
    );
    let summary = site.ctx.run_folder().summary();
    let sentence = summary["stopped"]["sentence"].as_str().unwrap();
    for words in [LOGIN, "the proxy", "HTTPS_PROXY"] {
        assert!(sentence.contains(words), "{words:?} is not in {sentence}");
    }
    assert!(!sentence.contains("CANARY"));
}
