//! Each cloud under its own host names, over TLS: the run works, and no request goes anywhere else.

use std::collections::BTreeSet;

use crate::support::proxies::{Proxy, ProxyAction};
use crate::support::site::{SECRET, Site, TENANT};

/// A cloud's name, the host of its Graph and the host of its authority, as Microsoft's documents have them: written
/// down here once more, so that a slip in the program's own table shows.
const TABLE: [(&str, &str, &str); 7] = [
    ("global", "graph.microsoft.com", "login.microsoftonline.com"),
    ("usgov", "graph.microsoft.us", "login.microsoftonline.us"),
    ("usgov-dod", "dod-graph.microsoft.us", "login.microsoftonline.us"),
    ("china", "microsoftgraph.chinacloudapi.cn", "login.chinacloudapi.cn"),
    ("bleu", "graph.svc.sovcloud.fr", "login.sovcloud-identity.fr"),
    ("delos", "graph.svc.sovcloud.de", "login.sovcloud-identity.de"),
    ("govsg", "graph.svc.sovcloud.sg", "login.sovcloud-identity.sg"),
];

/// The cloud's simulator, with three users.
fn site(graph: &str, login: &str) -> Site {
    Site::new(graph, login, 3, "")
}

/// All users were revoked once, with one token.
#[track_caller]
fn went_well(site: &Site) {
    site.assert_all_revoked(3);
    let stats = site.ctx.stats();
    assert_eq!((stats.effects, stats.tokens_issued), (3, 1));
}

#[test]
fn each_cloud_uses_only_its_own_hosts() {
    for (name, graph, login) in TABLE {
        let site = site(graph, login);
        let mut command = site.run();
        site.resolve(command.args(["--cloud", name]));
        // A name that is not resolved above goes to a proxy of the test, which refuses everything.
        let elsewhere = Proxy::connect(|_| ProxyAction::Say("HTTP/1.1 403 Forbidden\r\n\r\n".to_owned()));
        command
            .env("HTTPS_PROXY", format!("http://{}", elsewhere.addr))
            .env("NO_PROXY", format!("{graph},{login}"));
        site.ctx.finish(&mut command).exits(0);
        went_well(&site);
        assert_eq!(elsewhere.requests(), [], "{name}");
        // Under Graph's own names the simulator takes only tokens for that Graph, so the scope was right as well.
        let summary = site.ctx.run_folder().summary();
        assert_eq!((&summary["cloud"], &summary["tenant_id"]), (&name.into(), &TENANT.into()));
    }
}

#[test]
fn each_cloud_uses_only_its_own_hosts_through_a_proxy() {
    for (name, graph, login) in TABLE {
        let site = site(graph, login);
        let proxy = Proxy::to_address(site.ctx.simulator.addr());
        let mut command = site.run();
        command.args(["--cloud", name]).env("HTTPS_PROXY", format!("http://{}", proxy.addr));
        site.ctx.finish(&mut command).exits(0);
        went_well(&site);
        let asked: BTreeSet<String> = proxy.requests().into_iter().map(|asked| asked.target).collect();
        assert_eq!(asked, BTreeSet::from([format!("{graph}:443"), format!("{login}:443")]), "{name}");
    }
}

#[test]
fn a_token_of_another_cloud_sends_nothing() {
    for (name, graph, login) in TABLE {
        let site = site(graph, login);
        let proxy = Proxy::to_address(site.ctx.simulator.addr());
        for (other, other_graph, _) in TABLE.into_iter().filter(|(other, ..)| *other != name) {
            let mut command = site.run();
            let token = token_for(&format!("https://{graph}/"));
            command.env_remove("AZURE_CLIENT_SECRET").env("ENTRA_REVOKE_TOKEN", token);
            command.args(["--cloud", other]).env("HTTPS_PROXY", format!("http://{}", proxy.addr));
            let done = site.ctx.finish(&mut command);
            done.exits(4);
            for words in [graph, other_graph, "nothing was revoked", &format!("--cloud {name}")] {
                assert!(done.stderr.contains(words), "{words:?} is not in {}", done.stderr);
            }
        }
        assert_eq!(proxy.requests(), [], "{name}");
    }
}

#[test]
fn a_token_for_another_audience_sends_nothing() {
    let (name, graph, login) = TABLE[3];
    let site = site(graph, login);
    site.ctx.simulator.change_config("accept_any_token = true").unwrap();
    let proxy = Proxy::to_address(site.ctx.simulator.addr());
    let with = |audience: &str| {
        let mut command = site.run();
        command.env_remove("AZURE_CLIENT_SECRET").env("ENTRA_REVOKE_TOKEN", token_for(audience));
        command.args(["--cloud", name]).env("HTTPS_PROXY", format!("http://{}", proxy.addr));
        site.ctx.finish(&mut command)
    };
    let done = with("https://management.azure.com/");
    done.exits(4);
    assert!(done.stderr.contains("not Microsoft Graph") && done.stderr.contains(graph), "{}", done.stderr);
    assert_eq!(proxy.requests(), []);
    with("00000003-0000-0000-C000-000000000000").exits(0);
    with("https://MicrosoftGraph.chinacloudapi.cn/").exits(0);
}

/// A token in shape, with this audience.
fn token_for(audience: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = serde_json::json!({ "aud": audience, "tid": TENANT, "idtyp": "app" });
    format!("e30.{}.ZmFrZQ", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[test]
fn the_authority_in_the_environment_selects_the_cloud() {
    for (variable, name, graph, login) in [
        ("login.microsoftonline.us", "usgov", "graph.microsoft.us", "login.microsoftonline.us"),
        (
            "https://login.sovcloud-identity.fr/",
            "bleu",
            "graph.svc.sovcloud.fr",
            "login.sovcloud-identity.fr",
        ),
        (
            "https://login.partner.microsoftonline.cn",
            "china",
            "microsoftgraph.chinacloudapi.cn",
            "login.partner.microsoftonline.cn",
        ),
    ] {
        let site = site(graph, login);
        let mut command = site.run();
        site.resolve(command.env("AZURE_AUTHORITY_HOST", variable));
        let done = site.ctx.finish(&mut command);
        done.exits(0);
        went_well(&site);
        let told = done.stderr.lines().find(|line| line.contains("AZURE_AUTHORITY_HOST")).unwrap();
        assert!(told.contains(&format!("cloud {name}")), "{told}");
        assert_eq!(told.contains("--cloud usgov-dod"), name == "usgov", "{told}");
        assert_eq!(site.ctx.run_folder().summary()["cloud"], name);
    }
}

#[test]
fn the_authority_in_the_environment_must_match_the_cloud() {
    let (name, graph, login) = TABLE[2];
    let site = site(graph, login);
    let mut command = site.run();
    site.resolve(command.args(["--cloud", name]).env("AZURE_AUTHORITY_HOST", login));
    site.ctx.finish(&mut command).exits(0);
    went_well(&site);

    let done = site.ctx.finish(site.run().args(["--cloud", "china"]).env("AZURE_AUTHORITY_HOST", login));
    done.exits(2);
    for words in ["AZURE_AUTHORITY_HOST", login, "china", "unset", "--cloud usgov-dod"] {
        assert!(done.stderr.contains(words), "{words:?} is not in {}", done.stderr);
    }
    // What a flag says about the authority itself needs no agreement.
    let graph_flag = format!("--graph-url=https://localhost:{}", site.ctx.simulator.addr().port());
    let authority_flag = graph_flag.replace("graph", "authority");
    let mut command = site.run();
    command.args(["--cloud", "china", &graph_flag, &authority_flag]).env("AZURE_AUTHORITY_HOST", login);
    site.ctx.finish(&mut command).exits(0);
    assert_eq!(site.ctx.stats().unexpected_hosts.len(), 0);
}

#[test]
fn an_unknown_authority_is_only_accepted_from_a_flag() {
    let (_, graph, _) = TABLE[0];
    let login = "login.internal.example";
    let site = site(graph, login);
    site.ctx.simulator.change_config("[[fault]]\nmatch = 'u01@*'\nanswer = 400").unwrap();
    let flag = format!("--authority-url=https://{login}");
    for host in [login, "login.microsoftonline.com.internal.example", "http://127.0.0.1:8080"] {
        let mut command = site.run();
        site.resolve(command.env("AZURE_AUTHORITY_HOST", host));
        let done = site.ctx.finish(&mut command);
        done.exits(2);
        for words in ["AZURE_AUTHORITY_HOST", host, "not the authority of any cloud", "--authority-url"] {
            assert!(done.stderr.contains(words), "{words:?} is not in {}", done.stderr);
        }
    }
    assert_eq!(site.ctx.stats().token_requests, 0);
    let mut command = site.run();
    site.resolve(command.env("AZURE_AUTHORITY_HOST", login).arg(&flag));
    let done = site.ctx.finish(&mut command);
    done.exits(3);
    let told = format!("signing in at https://{login}, which is not the authority of any cloud");
    assert!(done.stderr.contains(&told), "{}", done.stderr);
    site.ctx.simulator.change_config("fault = []").unwrap();
    let folder = site.ctx.run_folder();

    let resume = || {
        let mut command = site.ctx.command_without_token("resume");
        command.env("AZURE_CLIENT_SECRET", SECRET).arg("--ca-cert").arg(&site.ca).arg(&folder.path);
        site.resolve(&mut command);
        command
    };
    let asked = site.ctx.stats().token_requests;
    let done = site.ctx.finish(&mut resume());
    done.exits(2);
    assert!(done.stderr.contains(login) && done.stderr.contains("--authority-url"), "{}", done.stderr);
    // Another cloud's authority can't be slipped in by the environment, either.
    let done = site.ctx.finish(resume().env("AZURE_AUTHORITY_HOST", "login.microsoftonline.us"));
    done.exits(2);
    assert_eq!(site.ctx.stats().token_requests, asked, "a secret was sent");
    site.ctx.finish(resume().env("AZURE_AUTHORITY_HOST", login)).exits(2);
    assert_eq!(site.ctx.stats().token_requests, asked, "a secret was sent");
    site.ctx.finish(resume().arg(&flag)).exits(0);
    let ledger = site.ctx.ledger();
    assert!(ledger.users.iter().all(|user| user.effects == 1));
    assert_eq!(ledger.stats.unexpected_hosts.len(), 0);
}

#[test]
fn the_document_lists_the_same_hosts() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/network.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| `--cloud` |")).skip(2);
    let documented: Vec<Vec<&str>> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('`').skip(1).step_by(2).take(3).collect())
        .collect();
    let table = TABLE.map(|(name, graph, login)| {
        [name.to_owned(), format!("https://{graph}"), format!("https://{login}")]
    });
    assert_eq!(documented, table);
    for row in text.lines().filter(|line| line.starts_with("| `") && line.contains("https://login.")) {
        let words: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        for alias in &words[3..] {
            let known = alias.parse::<entra_revoke::identity::Cloud>();
            assert_eq!(known.map(|cloud| cloud.name().to_owned()).as_deref(), Ok(words[0]), "{alias}");
        }
    }
}

/// `USGov` is GCC for the CLI for Microsoft 365 and GCC High here and for Microsoft's PowerShell SDK.
#[test]
fn a_wrong_cloud_fails_at_sign_in() {
    let (_, graph, login) = TABLE[1];
    let site = site(graph, login);
    let proxy = Proxy::to_address(site.ctx.simulator.addr());
    let mut command = site.run();
    command.args(["--cloud", "USGov"]).env("AZURE_TENANT_ID", "11111111-0000-4000-8000-000000000001");
    let done = site.ctx.finish(command.env("HTTPS_PROXY", format!("http://{}", proxy.addr)));
    site.assert_sign_in_refused(&done, &["AADSTS90002", "--cloud"]);
    let asked: Vec<String> = proxy.requests().into_iter().map(|asked| asked.target).collect();
    assert_eq!(asked, [format!("{login}:443")]);
}
