//! Which certificates TLS trusts: those in `--ca-cert` and `SSL_CERT_FILE`, and no others.

use std::process::Command;

use crate::ctx::TestContext;
use crate::support::site::{GRAPH, LOGIN, Site};

/// A run that finds the site and trusts only the platform's roots.
fn untrusting(site: &Site) -> Command {
    let mut command = site.bare_run();
    site.resolve(&mut command);
    command
}

#[test]
fn an_untrusted_server_is_refused_with_advice() {
    let site = Site::global(1);
    let began = std::time::Instant::now();
    let done = site.ctx.finish(&mut untrusting(&site));
    site.assert_sign_in_refused(&done, &["TLS", LOGIN, "--ca-cert", "SSL_CERT_FILE"]);
    assert!(began.elapsed().as_secs() < 5, "it was asked again, as if that could help");
    assert_eq!(site.ctx.stats().token_requests, 0);
}

#[test]
fn an_untrusted_server_revokes_no_user_with_a_ready_token() {
    let site = Site::global(2);
    let mut command = untrusting(&site);
    command.env_remove("AZURE_CLIENT_SECRET").env("ENTRA_REVOKE_TOKEN", crate::ctx::TOKEN);
    site.ctx.finish(command.args(["--retries", "0"])).exits(3);
    assert_eq!(site.assert_honest_outcomes(&["failed"]).len(), 2);
    let detail = site.ctx.run_folder().row("u00@contoso.com")["detail"].clone();
    for words in [GRAPH, "--ca-cert", "SSL_CERT_FILE"] {
        assert!(detail.contains(words), "{words:?} is not in {detail}");
    }
}

#[test]
fn roots_come_from_the_flag_and_from_the_environment() {
    let other = TestContext::new("tls = true");
    let stranger = other.input("stranger.pem", other.simulator.ca_pem().unwrap());
    for (flag, variable) in [(true, false), (false, true), (true, true)] {
        let site = Site::global(1);
        let mut command = untrusting(&site);
        if flag {
            command.arg("--ca-cert").arg(&site.ca);
        }
        if variable {
            command.env("SSL_CERT_FILE", if flag { &stranger } else { &site.ca });
        }
        site.ctx.finish(&mut command).exits(0);
        site.assert_all_revoked(1);
    }
}

#[test]
fn a_root_file_with_a_windows_encoding_is_read() {
    let site = Site::global(1);
    let pem = site.ctx.simulator.ca_pem().unwrap().replace("\r\n", "\n").replace('\n', "\r\n");
    let file = site.ctx.input("notepad.pem", format!("\u{feff}{pem}"));
    site.ctx.finish(untrusting(&site).arg("--ca-cert").arg(file)).exits(0);
    site.assert_all_revoked(1);
}

#[cfg(not(any(windows, target_vendor = "apple")))]
#[test]
fn a_folder_of_roots_is_read() {
    let site = Site::global(1);
    let folder = site.ctx.dir.path().join("roots");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(&site.ca, folder.join("own.pem")).unwrap();
    site.ctx.finish(untrusting(&site).env("SSL_CERT_DIR", &folder)).exits(0);
    site.assert_all_revoked(1);
}

#[test]
fn unusable_root_files_are_named() {
    let site = Site::global(1);
    let body = |text: &str| format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    site.ctx.input("empty.pem", "");
    site.ctx.input("text.pem", "no certificate");
    site.ctx.input("torn.pem", body("!!!"));
    site.ctx.input("garbage.pem", body("Z2FyYmFnZQ=="));
    for (name, says) in [
        ("missing.pem", ""),
        ("empty.pem", "no certificate"),
        ("text.pem", "no certificate"),
        ("torn.pem", ""),
        ("garbage.pem", ""),
    ] {
        for given_by in ["--ca-cert", "SSL_CERT_FILE"] {
            let mut command = untrusting(&site);
            match given_by {
                "--ca-cert" => command.args(["--ca-cert", name]),
                _ => command.env("SSL_CERT_FILE", name),
            };
            let done = site.ctx.finish(&mut command);
            done.exits(2);
            for words in [given_by, name, says] {
                assert!(done.stderr.contains(words), "{words:?} is not in {}", done.stderr);
            }
        }
    }
    let done = site.ctx.finish(untrusting(&site).env("SSL_CERT_FILE", ""));
    done.exits(2);
    assert!(done.stderr.contains("SSL_CERT_FILE") && done.stderr.contains("empty"), "{}", done.stderr);
    assert_eq!(site.ctx.stats().token_requests, 0);
}
