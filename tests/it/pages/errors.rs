//! Error messages: each kind of error that the documents list, with its advice.

use std::net::TcpListener;
use std::time::Duration;

use entra_revoke::simulator::TokenKind;

use super::{assert_pages, dry_run, page, verb};
use crate::ctx::TestContext;
use crate::support::proxies::{Proxy, ProxyAction};
use crate::support::site::{LOGIN, Site, unused_address};

const UPN: &str = "ann@contoso.com";
const ID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

#[test]
fn wrong_usage() {
    let ctx = TestContext::new("");
    ctx.input("list.txt", "ann@contoso.com\n");
    let cases: [&[&str]; 31] = [
        &[],
        &["no-such.csv"],
        &["."],
        &["list.txt", "--no-such-flag"],
        &["list.txt", "--halt", "10%"],
        &["list.txt", "--accept", "gone"],
        &["list.txt", "-o", "xml"],
        &["list.txt", "--rate", "fast"],
        &["list.txt", "--cloud", "mars"],
        &["list.txt", "-j", "0"],
        &["list.txt", "--batch-size", "21"],
        &["list.txt", "--deadline", "soon"],
        &["list.txt", "--match", "Department"],
        &["list.txt", "--match", "Department=Sales"],
        &["list.txt", "--skip", "F=("],
        &["list.txt", "--delimiter", "ab"],
        &["list.txt", "--encoding", "klingon"],
        &["list.txt", "--graph-url", "http://graph.example.com"],
        &["list.txt", "--graph-url", "https://user:pw@graph.example.com"],
        &["list.txt", "--progress", "none", "--no-progress"],
        &["list.txt", "--ca-cert", "missing.pem"],
        &["list.txt", "--column", "Nowhere"],
        &["list.txt", "--sheet", "People"],
        &["list.txt", "--auth", "password"],
        &["list.txt", "--case-id", "a\tb"],
        &["list.txt", "--shard", "3/2"],
        &["list.txt", "--max-share", "0"],
        &["list.txt", "--yes-i-mean", "many"],
        &["list.txt", "--connect-to", "localhost=10.0.0.1"],
        &["list.txt", "--tenant", "no tenant"],
        &["list.txt", "--profile", "contoso"],
    ];
    let mut pages: Vec<String> = cases
        .iter()
        .map(|args| {
            let given = args.contains(&"--graph-url");
            let mut command = if given { ctx.command_without_token("run") } else { verb(&ctx, "run") };
            command.arg("--yes").env("ENTRA_REVOKE_TOKEN", crate::ctx::TOKEN);
            page(&ctx, command.args(*args))
        })
        .collect();
    for words in
        [&["rum", "list.txt"][..], &["resume", "runs"], &["report", "missing"], &["apply", "list.txt"]]
    {
        let mut command = ctx.command_without_token(words[0]);
        pages.push(page(&ctx, command.env("ENTRA_REVOKE_TOKEN", crate::ctx::TOKEN).args(&words[1..])));
    }
    assert_pages("errors_usage", &pages);
}

#[test]
fn inputs_that_are_refused() {
    let ctx = TestContext::new("");
    let two_columns = "Email,Work Email\nann@contoso.com,bob@contoso.com\ncyd@contoso.com,dan@contoso.com\n";
    let other = "Manager,Name\nann@contoso.com,Bob\n";
    let devices = format!("deviceId,displayName\n{ID},laptop\n");
    let concealed = "User Principal Name,Last Activity\n0123456789ABCDEF0123456789ABCDEF,2026-01-01\n";
    let second_header = "upn,name\nann@contoso.com,Ann\nname,upn\nBob,bob@contoso.com\n";
    let cases: [(&str, &[u8]); 24] = [
        ("empty.csv", b""),
        ("header.csv", b"userPrincipalName,name\n"),
        ("two-columns.csv", two_columns.as_bytes()),
        ("manager.csv", other.as_bytes()),
        ("devices.csv", devices.as_bytes()),
        ("concealed.csv", concealed.as_bytes()),
        ("second-header.csv", second_header.as_bytes()),
        ("page.html", b"<html><body><table><tr><td>ann@contoso.com</td></tr></table></body></html>"),
        ("users.xml", b"<?xml version=\"1.0\"?><users><user>ann@contoso.com</user></users>"),
        ("users.yaml", b"- upn: ann@contoso.com\n  name: Ann\n- upn: bob@contoso.com\n  name: Bob\n"),
        ("settings.ini", b"user = ann@contoso.com\nmode = all\n"),
        ("users.py", b"['ann@contoso.com', 'bob@contoso.com']\n"),
        ("table.txt", b"UserPrincipalName   DisplayName\n-----------------   -----------\nann@contoso.com     Ann\n"),
        ("list.txt", b"UserPrincipalName : ann@contoso.com\nDisplayName       : Ann\n\nUserPrincipalName : bob@contoso.com\nDisplayName       : Bob\n"),
        ("objects.csv", b"user\n@{UserPrincipalName=ann@contoso.com}\n"),
        ("users.ldif", b"dn: CN=Ann,OU=Users,DC=contoso,DC=com\nobjectClass: user\n"),
        ("contacts.vcf", b"BEGIN:VCARD\nEMAIL:ann@contoso.com\nEND:VCARD\n"),
        ("mail.eml", b"From: ann@contoso.com\nTo: bob@contoso.com\nSubject: leavers\n\nHello\n"),
        ("list.rtf", b"{\\rtf1 ann@contoso.com}"),
        ("list.pdf", b"%PDF-1.7\nann@contoso.com\n"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1ann"),
        ("quoted.csv", b"\"UPN,Name\"\n\"ann@contoso.com,Ann\"\n\"bob@contoso.com,Bob\"\n"),
        ("bullets.txt", b"- ann@contoso.com\n- bob@contoso.com\n"),
        ("warned.json", b"WARNING: update available\n[\n  {\"userPrincipalName\": \"ann@contoso.com\"}\n]\n"),
    ];
    let pages = cases.map(|(name, text)| dry_run(&ctx, name, text, &[]));
    assert_pages("errors_input", &pages);
}

#[test]
fn rows_that_are_invalid() {
    let ctx = TestContext::new("");
    let rows = "upn,name\no’brien@contoso.com,1\nann@contoso.com.,2\njörg@contoso.com,3\nmailto:ann@contoso.com,4\n\
        Ann Lee <ann@contoso.com>,5\nAzureAD\\ann@contoso.com,6\nann@contoso.com;,7\nme,8\nann,9\nann@contoso,10\n\
        00000000-0000-0000-0000-000000000000,11\n,12\n\"ann@contoso.com, bob@contoso.com\",13\nann@contoso.com,14\n";
    let pages = [
        dry_run(&ctx, "rows.csv", rows.as_bytes(), &["-o", "csv"]),
        dry_run(&ctx, "rows.csv", rows.as_bytes(), &["--strict"]),
        dry_run(&ctx, "shifted.csv", b"name,upn,mail\nA,a@contoso.com,a@x.y\nB,b@contoso.com,b@x.y\nLee, C,c@contoso.com,c@x.y\n", &["--column", "upn", "-o", "csv"]),
        dry_run(&ctx, "tenants.csv", b"upn,tenant\nann@contoso.com,contoso.com\nbob@contoso.com,no tenant\ncyd@contoso.com,contoso.com\n", &["-o", "csv"]),
    ];
    assert_pages("errors_rows", &pages);
}

#[test]
fn protect_lists_and_limits_that_refuse() {
    let ctx = TestContext::new(
        "[token]\nroles = ['User.RevokeSessions.All', 'User.Read.All', 'GroupMember.Read.All', 'RoleManagement.Read.Directory']\n\
         [directory]\n[[directory.user]]\nupn = 'ann@contoso.com'\n[[directory.user]]\nupn = 'bob@contoso.com'\n\
         [[directory.group]]\nname = 'Empty'\n[[directory.group]]\nname = 'Twins'\n[[directory.group]]\nname = 'Twins'\n\
         [[directory.role]]\nname = 'Global Administrator'\n",
    );
    ctx.input("list.txt", "ann@contoso.com\nbob@contoso.com\n");
    ctx.input("broken.txt", "boss@contoso.com\nnot a user\n");
    ctx.input("empty.txt", "");
    let refused = |ctx: &TestContext, args: &[&str]| {
        let token = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(3600));
        page(ctx, verb(ctx, "run").env("ENTRA_REVOKE_TOKEN", token).arg("--yes").args(args))
    };
    let cases: [&[&str]; 20] = [
        &["list.txt", "--protect", "no-such-file"],
        &["list.txt", "--protect", "broken.txt"],
        &["list.txt", "--protect", "empty.txt"],
        &["list.txt", "--protect", "gone@contoso.com"],
        &["list.txt", "--protect", "group:Empty"],
        &["list.txt", "--protect", "group:Nobody"],
        &["list.txt", "--protect", "group:Twins"],
        &["list.txt", "--protect", "role:Global Administrator"],
        &["list.txt", "--protect", "role:Nobody"],
        &["list.txt", "--exclude", "not a user"],
        &["list.txt", "--exclude-file", "broken.txt"],
        &["list.txt", "--unprotect", "ann@contoso.com"],
        &["list.txt", "--protect", "ann@contoso.com", "--protect", "bob@contoso.com"],
        &["list.txt", "--max-share", "10%"],
        &["list.txt", "--expect-count", "3"],
        &["list.txt", "--yes-i-mean", "3"],
        &["--group", "Empty"],
        &["--group", "Nobody"],
        &["--group", "Twins"],
        &["--role", "Nobody"],
    ];
    let mut pages: Vec<String> = cases.iter().map(|args| refused(&ctx, args)).collect();
    let weak = TestContext::new("[token]\nroles = ['User.RevokeSessions.All']\n");
    weak.input("list.txt", "ann@contoso.com\n");
    let cases: [&[&str]; 4] = [
        &["--group", "Finance"],
        &["--all-users"],
        &["list.txt", "--protect", "group:Board"],
        &["list.txt", "--max-share", "10%"],
    ];
    pages.extend(cases.iter().map(|args| refused(&weak, args)));
    assert_pages("errors_safety", &pages);
}

#[test]
fn sign_ins_that_fail() {
    /// The environment of an app with its secret.
    const APP: &[(&str, &str)] = &[
        ("AZURE_TENANT_ID", "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f"),
        ("AZURE_CLIENT_ID", "5a1e0000-0000-4000-8000-0000000000a1"),
        ("AZURE_CLIENT_SECRET", "fake-CANARY"),
    ];
    const NO_TENANT: &[(&str, &str)] = &[
        ("AZURE_CLIENT_ID", "5a1e0000-0000-4000-8000-0000000000a1"),
        ("AZURE_CLIENT_SECRET", "fake-CANARY"),
    ];
    /// The simulator's settings, the environment, and further flags.
    type SignIn = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);
    let cases: [SignIn; 14] = [
        ("", &[], &[]),
        ("", NO_TENANT, &[]),
        ("[token]\nsecret = 'another'\n", APP, &[]),
        ("[token]\nsecret_expired = true\n", APP, &[]),
        ("[token]\ntenant = 'elsewhere.example'\n", APP, &[]),
        ("[token]\nclient_id = 'another'\n", APP, &[]),
        ("[token]\nroles = ['User.Read.All']\n", APP, &[]),
        ("[[fault]]\nendpoint = 'token'\nanswer = 400\ncode = 'AADSTS53003'\n", APP, &[]),
        ("[[fault]]\nendpoint = 'token'\nanswer = 429\nretry_after = '900'\n", APP, &[]),
        ("", APP, &["--auth", "token"]),
        ("", APP, &["--token-file", "missing"]),
        ("", APP, &["--certificate-file", "list.txt"]),
        ("", APP, &["--auth", "azure-cli"]),
        ("", APP, &["--auth", "workload-identity"]),
    ];
    let pages = cases.map(|(toml, variables, args)| {
        let ctx = TestContext::new(toml);
        ctx.input("list.txt", "ann@contoso.com\n");
        let mut command = verb(&ctx, "run");
        command.env_remove("ENTRA_REVOKE_TOKEN").envs(variables.iter().copied());
        page(&ctx, command.args(["list.txt", "--yes"]).args(args))
    });
    assert_pages("errors_sign_in", &pages);
}

/// Takes 15 s, since the token endpoint is asked five times where a repeat may help: all at once.
#[test]
fn connections_that_fail() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("https://localhost:{}", silent.local_addr().unwrap().port());
    let (_socket, nobody) = unused_address();
    let nobody = format!("https://localhost:{}", nobody.port());
    let plain = TestContext::new("");
    let plain = plain.simulator.url().replace("http://", "https://");
    let proxy = |status: &'static str| {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        Proxy::connect(move |_| ProxyAction::Say(answer.clone()))
    };
    let (locked, strict) = (proxy("407 Proxy Authentication Required"), proxy("403 Forbidden"));
    let other = Site::new("graph.microsoft.us", "login.microsoftonline.us", 1, "");
    let site = Site::global(1);
    let at = |url: &str| {
        let mut command = site.run();
        command.args(["--authority-url", url, "--timeout", "300ms"]);
        command
    };
    let through = |proxy: &Proxy| {
        let mut command = site.run();
        command.env("HTTPS_PROXY", format!("http://{}", proxy.addr));
        command
    };
    let mut untrusted = site.bare_run();
    site.resolve(&mut untrusted);
    let root = rcgen::generate_simple_self_signed(["root.example".to_owned()]).unwrap();
    untrusted.env("SSL_CERT_FILE", site.ctx.input("root.pem", root.cert.pem()));
    let mut misnamed = other.run();
    misnamed.arg("--connect-to").arg(format!("{LOGIN}={}", other.ctx.simulator.addr()));
    let commands = [
        ("refuses connections", at(&nobody)),
        ("never answers", at(&silent)),
        ("speaks no TLS", at(&plain)),
        ("has an unknown certificate", untrusted),
        ("has a certificate for another name", misnamed),
        ("is behind a proxy that wants a password", through(&locked)),
        ("is behind a proxy that refuses", through(&strict)),
    ];
    let pages: Vec<String> = std::thread::scope(|scope| {
        let pages = commands.map(|(title, mut command)| {
            let site = &site;
            scope.spawn(move || format!("The authority {title}:\n{}", page(&site.ctx, &mut command)))
        });
        pages.map(|page| page.join().unwrap()).into()
    });
    assert_pages("errors_connection", &pages);
}

#[test]
fn config_files_that_are_refused() {
    let ctx = TestContext::new("");
    let cases = [
        "[profile.c]\ntennant = 'contoso.com'\n",
        "[profile.c]\ntenant = 7\n",
        "[profile.c\n",
        "[profile.c]\nrate = 'fast'\n",
        "[profile.c]\nclient_secret = 'fake'\n",
        "[profile.c]\n[[profile.c.tenants]]\ntenant = 'contoso.com'\nauth = 'azure-cli'\nprofile = 'c'\n",
        "[profile.c]\n[[profile.c.tenants]]\ntenant = 'contoso.com'\nprofile = 'd'\n",
        "[profile.c]\ntoken_file = 'a'\nclient_secret_file = 'b'\n",
        "[profile.c]\nhalt = '10%'\n",
        "default_profile = 'd'\n[profile.c]\n",
    ];
    let pages = cases.map(|toml| {
        ctx.input("c.toml", toml);
        format!(
            "{toml}{}",
            page(&ctx, ctx.command_without_token("profiles").args(["check", "--config", "c.toml"]))
        )
    });
    assert_pages("errors_config", &pages);
}

#[test]
fn run_folders_that_are_refused() {
    let ctx = TestContext::new("");
    ctx.input("list.txt", UPN);
    let done = ctx.run(&ctx.dir.path().join("list.txt"), &[]);
    done.exits(0);
    let folder = ctx.run_folders().remove(0);
    let change = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let kept: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect();
    let mut pages = Vec::new();
    for (name, text) in [
        ("run.json", "{}"),
        ("run.json", "not JSON"),
        ("plan.csv", "order,line\n"),
        ("journal.jsonl", "{\"event\":\"unheard\"}\n"),
        ("report.csv", "changed\n"),
        ("manifest.json", "{}"),
    ] {
        for (name, bytes) in &kept {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        change(name, text);
        let mut command = ctx.command_without_token("report");
        pages.push(format!("{name} changed:\n{}", page(&ctx, command.arg(&folder))));
    }
    assert_pages("errors_run_folder", &pages);
}
