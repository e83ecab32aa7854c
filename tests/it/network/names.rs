//! Names that can't be resolved at first, or at any time. The program runs in a namespace with an `/etc/hosts` that the
//! test writes.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Command;

use crate::ctx::CommandResult;
use crate::network::namespace::Namespace;
use crate::support::site::{Site, until};

const GRAPH: &str = "graph.entra-revoke.test";
const LOGIN: &str = "login.entra-revoke.test";

/// A site, and the file of the names that can be resolved.
struct Names {
    site: Site,
    hosts: PathBuf,
    namespace: Namespace,
}

impl Names {
    fn new(known: &[&str]) -> Option<Names> {
        let site = Site::new(GRAPH, LOGIN, 3, "");
        let hosts = site.ctx.input("hosts", lines(known));
        let namespace = Namespace::with_hosts(site.ctx.dir.path(), &hosts)?;
        Some(Names { site, hosts, namespace })
    }

    fn run(&self, args: &[&str]) -> Command {
        let port = self.site.ctx.simulator.addr().port();
        let mut command = self.site.run();
        command.args(["--graph-url", &format!("https://{GRAPH}:{port}")]);
        command.args(["--authority-url", &format!("https://{LOGIN}:{port}")]).args(args);
        self.namespace.inside(&command)
    }

    /// From now on these can be resolved. The file is overwritten and not replaced, because a new file would not be visible inside.
    fn learn(&self, known: &[&str]) {
        std::fs::write(&self.hosts, lines(known)).unwrap();
    }
}

fn lines(known: &[&str]) -> String {
    known.iter().map(|name| format!("127.0.0.1 {name}\n")).collect()
}

#[test]
fn a_name_that_resolves_again_lets_the_run_complete() {
    let Some(names) = Names::new(&[LOGIN]) else { return };
    let run = names.site.ctx.start(&mut names.run(&["--retries", "8"]));
    until("somebody could not be sent", || {
        let folder = names.site.ctx.run_folders().into_iter().next();
        let journal = folder.and_then(|folder| std::fs::read_to_string(folder.join("journal.jsonl")).ok());
        journal.is_some_and(|journal| journal.contains("no_connection"))
    });
    names.learn(&[LOGIN, GRAPH]);
    CommandResult::from(run.wait_with_output().unwrap()).exits(0);
    assert_eq!(names.site.assert_honest_outcomes(&["revoked"]).len(), 3);
    names.site.assert_all_revoked(3);
}

#[test]
fn a_name_lost_during_the_run_leaves_all_users_failed() {
    let Some(names) = Names::new(&[LOGIN]) else { return };
    names.site.ctx.finish(&mut names.run(&["--retries", "1"])).exits(3);
    assert_eq!(names.site.assert_honest_outcomes(&["failed"]).len(), 3);
    let detail = names.site.ctx.run_folder().row("u00@contoso.com")["detail"].clone();
    for words in [GRAPH, "can't be resolved", "--connect-to"] {
        assert!(detail.contains(words), "{words:?} is not in {detail}");
    }
}

#[test]
fn name_resolution_is_retried_at_sign_in() {
    let Some(names) = Names::new(&[GRAPH]) else { return };
    let mut run = names.site.ctx.start(&mut names.run(&[]));
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    let warning = said.find(|line| line.contains("can't be resolved")).expect("a warning");
    assert!(warning.contains(LOGIN), "{warning}");
    names.learn(&[GRAPH, LOGIN]);
    let rest: Vec<String> = said.collect();
    assert_eq!(run.wait().unwrap().code(), Some(0), "{rest:#?}");
    names.site.assert_all_revoked(3);
}

/// Takes 15 s, since the token endpoint is asked five times.
#[test]
fn an_unresolvable_name_at_sign_in_is_reported() {
    let Some(names) = Names::new(&[GRAPH]) else { return };
    let done = names.site.ctx.finish(&mut names.run(&[]));
    names.site.assert_sign_in_refused(
        &done,
        &[LOGIN, "can't be resolved", &format!("--connect-to {LOGIN}=ADDRESS")],
    );
}

#[test]
fn platform_roots_are_trusted() {
    let site = Site::global(1);
    let folder = site.ctx.dir.path().join("certs");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(&site.ca, folder.join("ca-certificates.crt")).unwrap();
    let Some(namespace) = Namespace::with_roots(&folder) else { return };
    let mut command = site.bare_run();
    site.resolve(&mut command);
    site.ctx.finish(&mut namespace.inside(&command)).exits(0);
    site.assert_all_revoked(1);
}
