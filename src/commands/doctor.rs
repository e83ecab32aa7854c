//! `doctor`: checks everything that a run needs, before the run.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use super::connect::token_claims;
use super::{device_code_prompt, fd_limit, init_logging, profiles, secret_files, stdin};
use crate::cli::DoctorArgs;
use crate::console::{self, OutputFormat};
use crate::directory::{Directory, DirectoryError, DirectoryUser, Permission, ResolvedId};
use crate::doctor::network::{self, ProbeResult, ProbedServer};
use crate::doctor::text::{self, DoctorFormat};
use crate::doctor::{
    Finding, Findings, break_glass, certificate, clock, machine, permissions, rate, roles, setup, token,
};
use crate::error::Error;
use crate::http::HttpClients;
use crate::identity::{
    Auth, Authority, CredentialChain, SignInError, SignInSuccess, SkippedCredential, TokenClaims, Tokens,
    check_audience, process_variable, tenant_from_configuration,
};
use crate::plan::{Draft, InputRows, ListEntry, Operator, PlanOptions};
use crate::settings::{
    AppSettings, EvidenceSettings, NetworkSettings, SendingSettings, SignInSettings, chosen_profile,
};
use crate::text::humanize;
use crate::user_id::UserId;

/// How long the sign-in may take. A run waits longer for a busy token endpoint, but here a person waits for the result.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(12);

/// The exit code of a run whose flags contradict each other, or whose protect list can't be used.
const EXIT_USAGE: u8 = 2;

/// The exit code of a run that can't sign in.
const EXIT_SIGN_IN: u8 = 4;

/// The exit code if Graph can't be reached. A run would try every user first.
const EXIT_RUNTIME: u8 = 1;

/// The checks that need a token.
const TOKEN_CHECKS: [&str; 7] =
    ["tenant", "audience", "identity", "token-end", "permission", "reading", "protection"];

pub(super) async fn doctor(mut args: DoctorArgs) -> Result<u8, Error> {
    init_logging(&args.log)?;
    let profile = chosen_profile::choose(&args.profile)?;
    if let Some(profile) = &profile {
        profiles::apply_profile(profile, &mut args.sign_in, &mut args.network, OutputFormat::Text)?;
        profile.examined(&mut args);
    }
    let network = NetworkSettings::new(&args.sign_in, &args.network)?.with_max_wait(args.sending.max_wait);
    let sign_in = SignInSettings::new(&args.sign_in);
    let apps = AppSettings::new(&args.apps, &args.profile, profile.as_ref(), &sign_in, network.cloud)?;
    stdin::check_single_use(&[], &sign_in.sources)?;
    if args.setup {
        return print(&setup::script(network.cloud, sign_in.sources.auth.unwrap_or_default())).map(|()| 0);
    }
    let sending = SendingSettings::new(&args.sending);
    network.notices.iter().for_each(|notice| console::print_status(notice));
    secret_files::warn_readable_files(&sign_in.sources, &process_variable);
    let mut findings = Findings::default();
    findings.add(version_finding());
    match network.clients() {
        Ok(clients) => {
            check_sign_in(&sign_in, &network, &args.protect, clients.clone(), &mut findings).await;
            check_additional_apps(&sign_in, &apps, &network, &clients, &mut findings).await;
        }
        Err(error) => skip_network_checks(error.into(), &mut findings),
    }
    let dir = &EvidenceSettings::new(&args.evidence).output_dir;
    findings.add(machine::run_folder(dir));
    findings.add(machine::disk(dir));
    findings.add(machine::open_files(sending.jobs.max(), fd_limit::jobs_within_limit(sending.jobs.max()).0));
    findings.add(rate::check(&sending, 1 + apps.further.len()));
    print(&match args.output {
        DoctorFormat::Text => text::render(&findings, use_colours(), console::stdout_columns()),
        DoctorFormat::Json => {
            format!("{}\n", crate::text::sanitize::sanitize_json(&format!("{:#}", findings.to_json())))
        }
    })?;
    Ok(findings.exit_code())
}

fn print(text: &str) -> Result<(), Error> {
    console::print_stdout(text)
        .map_err(|source| Error::Io { what: "can't write to standard output".to_owned(), source })
}

/// Whether colours may be used on standard output.
fn use_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stdout().is_terminal() && ::console::colors_enabled()
}

fn version_finding() -> Finding {
    let (version, arch, os) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS);
    Finding::ok("version", format!("entra-revoke {version} for {arch}-{os}; TLS by rustls and AWS-LC"))
}

fn skip_network_checks(error: Error, findings: &mut Findings) {
    let advice = "fix the file or omit the flag; see entra-revoke doctor --help, Network";
    findings.add(Finding::fatal("roots", error.to_string(), advice, error.exit_code()));
    let network =
        ["proxy", "graph-name", "graph-tls", "authority-name", "authority-tls", "clock", "credential"];
    for check in network.into_iter().chain(TOKEN_CHECKS) {
        findings.add(Finding::skipped(check, "HTTPS can't be set up"));
    }
}

/// Signs in with each further app. A run starts without an app that can't sign in.
async fn check_additional_apps(
    sign_in: &SignInSettings,
    apps: &AppSettings,
    network: &NetworkSettings,
    clients: &HttpClients,
    findings: &mut Findings,
) {
    for app in &apps.further {
        let name = crate::text::sanitize::sanitize_truncated(&app.display_name(), 160);
        let sign_in = sign_in.for_additional_app(app);
        let signing_in = super::sign_in_apps::sign_in_additional(app, &sign_in, network, clients.clone());
        let why = match tokio::time::timeout(SIGN_IN_TIMEOUT, signing_in).await {
            Ok(Ok(signed_in_app)) => {
                let how = &signed_in_app.operator.auth;
                findings.add(Finding::ok("app", format!("{name}: {how}: signed in, and may revoke")));
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no token within {}", crate::text::humanize::span(SIGN_IN_TIMEOUT)),
        };
        let advice = "a run continues without it, at the rate of the others; see docs/sign-in.md for what \
                      each method needs";
        findings.add(Finding::failed("app", format!("{name}: {why}"), advice));
    }
}

/// Checks both servers, signs in, and checks the token.
async fn check_sign_in(
    sign_in: &SignInSettings,
    network: &NetworkSettings,
    protect: &[String],
    clients: HttpClients,
    findings: &mut Findings,
) {
    findings.add(Finding::ok("roots", root_certificates(network)));
    let candidates = sign_in.credential_config(network).build_chain(&process_variable);
    let asks = candidates.as_ref().is_ok_and(|found| found.first_method().is_some_and(Auth::uses_authority));
    let (graph_root, authority_root) = (network.graph_root(), network.authority());
    let tenant = sign_in.tenant.clone().unwrap_or_else(|| "common".to_owned());
    let configuration = Authority { root: authority_root.clone(), tenant }.openid_configuration();
    let graph_url = format!("{graph_root}/v1.0/");
    let graph = ProbedServer {
        name_check: "graph-name",
        tls_check: "graph-tls",
        root: graph_root,
        url: &graph_url,
        read_body: false,
        is_graph: true,
        is_microsoft: graph_root == network.cloud.graph_root(),
        exit_code: Some(EXIT_RUNTIME),
    };
    let authority = ProbedServer {
        name_check: "authority-name",
        tls_check: "authority-tls",
        root: authority_root.as_str(),
        url: &configuration,
        read_body: true,
        is_graph: false,
        is_microsoft: authority_root == network.cloud.authority(),
        exit_code: asks.then_some(EXIT_SIGN_IN),
    };
    findings.add(network::check_proxies(graph.root, authority.root));
    let options = network.http();
    let (of_graph, of_authority) = tokio::join!(
        network::probe(&options, &clients, &graph),
        network::probe(&options, &clients, &authority)
    );
    for (server, sight) in [(&graph, &of_graph), (&authority, &of_authority)] {
        findings.add(network::check_name(server, sight));
        findings.add(network::check_tls(server, sight));
    }
    let ahead = clock_offset(&of_graph).or_else(|| clock_offset(&of_authority));
    findings.add(clock::check(ahead));
    if asks && of_authority.answer.is_err() {
        for check in ["credential"].into_iter().chain(TOKEN_CHECKS) {
            findings.add(Finding::skipped(check, "the authority can't be reached"));
        }
        return;
    }
    let resolved = of_authority
        .answer
        .ok()
        .and_then(|seen| tenant_from_configuration(&seen.body).map(|id| id.to_string()));
    let ahead = ahead.unwrap_or_default();
    let target = DoctorTarget {
        sign_in,
        network,
        protect,
        tenant_id: resolved.as_deref(),
        clock_offset_seconds: ahead,
    };
    match candidates.map(|candidates| candidates.with_prompter(&device_code_prompt::stderr_prompter())) {
        Ok(candidates) => check_credential(&target, candidates, clients, findings).await,
        Err(error) => report_no_token(&error, findings),
    }
}

/// The sources of the trusted root certificates, in words.
fn root_certificates(network: &NetworkSettings) -> String {
    // On Windows and Apple's systems the variables add to the system's store, elsewhere they replace it.
    let adds_to_store = cfg!(any(windows, target_vendor = "apple"));
    let variables: &[&str] =
        if adds_to_store { &["SSL_CERT_FILE"] } else { &["SSL_CERT_FILE", "SSL_CERT_DIR"] };
    let set = |name: &&str| Some(format!("{} ({name})", process_variable(name)?));
    let named = variables.iter().filter_map(set).collect::<Vec<_>>().join(" and ");
    let mut roots = match (named.is_empty(), adds_to_store) {
        (true, _) => "the system's root certificates".to_owned(),
        (false, true) => format!("the system's root certificates, and those in {named}"),
        (false, false) => format!("the root certificates in {named} instead of the system's"),
    };
    if let Some(path) = &network.ca_cert {
        roots.push_str(&format!(", and those in {} (--ca-cert)", path.display()));
    }
    roots
}

fn clock_offset(sight: &ProbeResult) -> Option<i64> {
    sight.answer.as_ref().ok()?.clock_offset
}

/// What a token is compared with.
struct DoctorTarget<'a> {
    sign_in: &'a SignInSettings,
    network: &'a NetworkSettings,
    /// The protect list that the run will have.
    protect: &'a [String],
    /// The ID of the tenant that is named.
    tenant_id: Option<&'a str>,
    /// How far this machine's clock is ahead of the server's, in seconds.
    clock_offset_seconds: i64,
}

/// Signs in, and checks the token.
async fn check_credential(
    target: &DoctorTarget<'_>,
    candidates: CredentialChain,
    clients: HttpClients,
    findings: &mut Findings,
) {
    // A person who signs in with a device code may take longer.
    let waits = candidates.first_method() != Some(Auth::DeviceCode);
    let began = tokio::time::Instant::now();
    let signing_in = Tokens::sign_in(candidates, clients.clone());
    let signed_in = match waits {
        true => tokio::time::timeout(SIGN_IN_TIMEOUT, signing_in).await,
        false => Ok(signing_in.await),
    };
    match signed_in {
        Ok(Ok(signed_in)) => {
            let took = began.elapsed().as_millis();
            let finding = Finding::ok("credential", format!("{}: got a token in {took} ms", signed_in.auth));
            findings.add(finding.with_details(skipped_lines(&signed_in.skipped)));
            check_token(target, &signed_in, findings);
            let claims = token_claims(&signed_in.tokens);
            let tokens = Arc::new(signed_in.tokens);
            let directory = Directory::new(clients, target.network.graph_root(), tokens, &claims);
            findings.add(check_protect_list(target.protect, &claims, &directory).await);
        }
        Ok(Err(error)) => report_no_token(&error, findings),
        Err(_) => {
            let finding = format!("no token within {}", crate::text::humanize::span(SIGN_IN_TIMEOUT));
            let advice =
                "the token endpoint is busy or slow (-v shows more); a run would keep trying for a while";
            findings.add(Finding::fatal("credential", finding, advice, EXIT_SIGN_IN));
            skip_token_checks(findings);
        }
    }
}

/// One line for each method that was skipped.
fn skipped_lines(ways: &[SkippedCredential]) -> impl Iterator<Item = String> {
    ways.iter().map(|way| format!("skipped {}: {}", way.auth, way.reason))
}

fn report_no_token(error: &SignInError, findings: &mut Findings) {
    let help = "see docs/sign-in.md for what each method needs";
    let code = if error.is_usage() { EXIT_USAGE } else { EXIT_SIGN_IN };
    let fatal = |finding: String, advice: &str| Finding::fatal("credential", finding, advice, code);
    findings.add(match error {
        SignInError::NoCredential(ways) => fatal(
            "no sign-in method is set up on this machine".to_owned(),
            "to set one up, run `entra-revoke doctor --setup`",
        )
        .with_details(skipped_lines(ways)),
        SignInError::Endpoint { code, message, advice } => {
            let advice = advice.trim_start_matches([' ', '—']);
            fatal(format!("{code}: {message}"), if advice.is_empty() { help } else { advice })
        }
        error => fatal(error.to_string(), help),
    });
    skip_token_checks(findings);
}

fn skip_token_checks(findings: &mut Findings) {
    for check in TOKEN_CHECKS {
        findings.add(Finding::skipped(check, "there is no token"));
    }
}

fn check_token(target: &DoctorTarget<'_>, signed_in: &SignInSuccess, findings: &mut Findings) {
    let claims = token_claims(&signed_in.tokens);
    if let Some(certificate) = signed_in.tokens.credential().certificate() {
        let (subject, thumbprint) = (certificate.subject(), certificate.thumbprint());
        let now = jiff::Timestamp::now();
        findings.add(certificate::check(subject, &thumbprint, certificate.not_after(), now));
    }
    findings.add(token::check_tenant(target.sign_in.tenant.as_deref(), target.tenant_id, &claims));
    findings.add(check_token_audience(target.network, &claims));
    findings.add(token::check_identity(&claims));
    let now = jiff::Timestamp::now().as_second() - target.clock_offset_seconds;
    findings.add(token::check_expiry(&claims, now, signed_in.auth != Auth::Token));
    findings.add(permissions::check(&claims, signed_in.tokens.current().claims()));
    findings.add(permissions::check_reads(&claims));
    if claims.is_app_only() == Some(false) {
        findings.add(roles::check(&claims));
    }
}

fn check_token_audience(network: &NetworkSettings, claims: &TokenClaims) -> Finding {
    let Some(audience) = claims.aud.as_deref() else {
        return Finding::info("audience", "the token does not say what audience it is for");
    };
    let shown = crate::text::sanitize::sanitize_truncated(audience, 100);
    match check_audience(audience, network.cloud, network.graph_root()) {
        Ok(()) => Finding::ok("audience", format!("{shown}, in the cloud {}", network.cloud)),
        Err(error) => {
            Finding::fatal("audience", error.to_string(), "name the token's cloud with --cloud", EXIT_SIGN_IN)
        }
    }
}

/// Checks that the protect list can be resolved; if there is none, suggests accounts for it.
async fn check_protect_list(lists: &[String], claims: &TokenClaims, directory: &Directory) -> Finding {
    let options = PlanOptions {
        protect: lists.iter().map(|entry| ListEntry::parse(entry, false)).collect(),
        ..PlanOptions::default()
    };
    if !lists.is_empty() {
        return match Draft::build(InputRows::default(), &options, &Operator::default(), Some(directory)).await
        {
            Ok(draft) => {
                let counts = draft.summary().lists.iter().map(|list| humanize::protect_list(list, false));
                break_glass::check(lists, Err("")).with_details(counts)
            }
            Err(error) => {
                let advice = "fix the protect list: nothing is revoked until all of it can be read and \
                     resolved";
                Finding::fatal("protection", error.to_string(), advice, EXIT_USAGE)
            }
        };
    }
    if !permissions::can_read_roles(claims) {
        return break_glass::check(lists, Err(&format!("this needs {}", Permission::Roles)));
    }
    match global_administrators(directory).await {
        Ok(people) => break_glass::check(lists, Ok(&people)),
        Err(error) => break_glass::check(lists, Err(&error.to_string())),
    }
}

/// The tenant's Global Administrators, as far as users can be read.
async fn global_administrators(directory: &Directory) -> Result<Vec<DirectoryUser>, DirectoryError> {
    let ids: Vec<UserId> =
        directory.privileged_users().await?.global_administrators.into_iter().map(UserId::Object).collect();
    let known = directory.resolve(&ids).await?.into_iter();
    Ok(known.filter_map(|one| if let ResolvedId::User(person) = one { Some(person) } else { None }).collect())
}
