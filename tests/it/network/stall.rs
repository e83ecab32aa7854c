//! Connections that stall in the TLS handshake, or are refused.

use std::net::TcpListener;

use crate::support::site::{Site, unused_address};

/// Takes connections and never says a word.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, format!("https://localhost:{port}"))
}

#[test]
fn a_stalled_connection_fails_users_within_the_timeout() {
    let (_listener, silent) = silent();
    let (_socket, nobody) = unused_address();
    let nobody = format!("https://localhost:{}", nobody.port());
    for (graph, says) in [(silent, "within the timeout"), (nobody, "can't connect to localhost")] {
        let site = Site::global(3);
        let mut command = site.run();
        command.args(["--graph-url", &graph, "--authority-url", &site.ctx.simulator.url()]);
        let done = site.ctx.finish(command.args(["--timeout", "300ms", "--retries", "1"]));
        done.exits(3);
        assert_eq!(site.assert_honest_outcomes(&["failed"]).len(), 3);
        let row = site.ctx.run_folder().row("u00@contoso.com");
        assert_eq!([&row["error_code"], &row["attempts"]], ["no_connection", "2"]);
        assert!(row["detail"].contains(says), "{row:#?}");
        assert_eq!(site.ctx.stats().revocations, 0);
    }
}

/// Takes 15 s, since the token endpoint is asked five times: all at once.
#[test]
fn a_stalled_sign_in_ends_and_names_the_host() {
    let (_listener, silent) = silent();
    let (_socket, nobody) = unused_address();
    let nobody = format!("https://localhost:{}", nobody.port());
    std::thread::scope(|scope| {
        for (authority, says) in [(silent, "within the timeout"), (nobody, "refused")] {
            scope.spawn(move || {
                let site = Site::global(1);
                let mut command = site.run();
                command.args(["--graph-url", &site.ctx.simulator.url(), "--authority-url", &authority]);
                let done = site.ctx.finish(command.args(["--timeout", "300ms"]));
                site.assert_sign_in_refused(&done, &["localhost", says]);
            });
        }
    });
}

#[test]
fn a_silent_proxy_is_reported_within_the_timeout() {
    let (_listener, silent) = silent();
    let site = Site::global(2);
    let mut command = site.run();
    command.env_remove("AZURE_CLIENT_SECRET").env("ENTRA_REVOKE_TOKEN", crate::ctx::TOKEN);
    command.env("HTTPS_PROXY", silent.replace("https:", "http:"));
    site.ctx.finish(command.args(["--timeout", "300ms", "--retries", "0"])).exits(3);
    assert_eq!(site.assert_honest_outcomes(&["failed"]).len(), 2);
    let detail = site.ctx.run_folder().row("u00@contoso.com")["detail"].clone();
    for words in ["graph.microsoft.com", "through the proxy http://localhost", "within the timeout"] {
        assert!(detail.contains(words), "{words:?} is not in {detail}");
    }
}
