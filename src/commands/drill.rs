//! `drill`: a run against the built-in simulator, with the same code but no tenant.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::confirm::ConfirmationLimits;
use super::connect::{SignedInApp, refuse_me_for_app, sign_in_with};
use super::run::{self, PreparedRun};
use super::synthetic_tenant::{self, SyntheticTenant};
use super::tenant_clients::AppClient;
use super::tenants::TenantSessions;
use super::{init_logging, profiles};
use crate::cli::{DrillArgs, DrillSimulatorArgs};
use crate::console;
use crate::console::OutputFormat;
use crate::directory::Selector;
use crate::error::Error;
use crate::graph::Priority;
use crate::http::MAX_WAIT;
use crate::identity::{Auth, Cloud, CredentialSources};
use crate::plan::{Operator, PlanTenants};
use crate::settings::chosen_profile;
use crate::settings::{CredentialSettings, NetworkSettings, SendingSettings, SignInSettings, plan_options};
use crate::simulator::{Config, Simulator};
use crate::text::sanitize::sanitize_truncated;

/// The simulated tenant.
const TENANT: &str = "d5111d51-0000-4000-8000-000000000001";

/// The simulated apps, by their number from 0.
fn app_id(number: u8) -> String {
    format!("d5111d51-0000-4000-8000-0000000000{:02x}", 0xa1 + number)
}

/// The apps' secret, which is worthless outside the simulator.
const SECRET: &str = "drill-secret-that-opens-nothing";

/// The simulator's settings in a drill, as `run.json` stores them for `resume`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DrillRecord {
    pub(super) speed: f64,
    latency_ms: u64,
    no_quota: bool,
    fault: Vec<String>,
    seed: u64,
    /// Number of apps that send.
    #[serde(default = "default_app_count")]
    apps: u8,
    /// The made-up tenant, if the drill reads the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<SyntheticTenant>,
}

/// Drills of older versions had one app.
fn default_app_count() -> u8 {
    1
}

impl DrillRecord {
    fn new(args: DrillSimulatorArgs, tenant: Option<SyntheticTenant>) -> DrillRecord {
        DrillRecord {
            speed: args.speed,
            latency_ms: args.latency.as_millis() as u64,
            no_quota: args.no_quota,
            fault: args.fault,
            seed: args.seed,
            apps: args.apps,
            tenant,
        }
    }

    /// The simulator's settings. Its clock runs faster, so the latency, which is in real time, is scaled.
    fn config(&self) -> Result<Config, Error> {
        let mut config = Config::realistic();
        config.speed = self.speed;
        config.seed = self.seed;
        config.latency = Duration::from_millis(self.latency_ms).mul_f64(self.speed);
        config.jitter = config.latency / 2;
        config.quota.enabled = !self.no_quota;
        if let Some(tenant) = &self.tenant {
            config.directory = Some(tenant.directory());
            config.token.roles = synthetic_tenant::PERMISSIONS.map(str::to_owned).to_vec();
        }
        config.faults = super::simulator::parse_faults(&self.fault)?;
        Ok(config)
    }
}

pub(super) async fn drill(mut args: DrillArgs) -> Result<u8, Error> {
    init_logging(&args.work.output.log)?;
    let profile = chosen_profile::choose_named(&args.profile)?;
    if let Some(profile) = &profile {
        profiles::print_profile(profile, "", args.work.output.output);
        profile.fill_work(&mut args.work);
    }
    let mut options = plan_options(&args.work)?;
    let tenant = match options.needs_directory() {
        true => {
            Some(SyntheticTenant::new(args.users, args.simulator.seed, &args.files, &args.work, &options)?)
        }
        false => None,
    };
    if tenant.is_some() && args.files.is_empty() && options.selectors.is_empty() {
        options.selectors.push(Selector::AllUsers);
    }
    let users_file = if tenant.is_some() { None } else { write_synthetic_users(args.users, &args.files)? };
    let files = users_file.as_ref().map_or(args.files.clone(), |file| vec![file.path().to_owned()]);
    let mut input = run::read_input(&files, &args.work, &options)?;
    match users_file {
        Some(_) => input.rename_inputs("made-up users"),
        None if args.work.output.output == OutputFormat::None => {}
        None => input.notices.iter().for_each(|notice| console::print_status(notice)),
    }
    if args.work.dry_run && tenant.is_none() {
        let draft =
            run::build_plan(input, &options, &PlanTenants::single(Operator::default(), None, []), &args.work)
                .await?;
        return run::print_dry_run(draft, args.work.output.output);
    }
    let drill = DrillRecord::new(args.simulator, tenant);
    let simulator = start_simulator(&drill).await?;
    let (network, sign_in, signed_in_app) = sign_in_to_simulator(&simulator, &drill, args.timeout).await?;
    let (signed, directory) = match &drill.tenant {
        Some(_) => (run::plan_operator(&signed_in_app), Some(&signed_in_app.directory)),
        None => (Operator::default(), None),
    };
    let directory = directory.filter(|_| !args.work.selection.no_lookup);
    let draft =
        run::build_plan(input, &options, &PlanTenants::single(signed, directory, []), &args.work).await?;
    if args.work.dry_run {
        return run::print_dry_run(draft, args.work.output.output);
    }
    refuse_me_for_app(draft.includes_me(), &signed_in_app)?;
    ConfirmationLimits::new(&args.work.safety.caps, false).check_count(draft.target_count())?;
    if args.work.output.output != OutputFormat::None {
        if let Some(column) = draft.tenant_column() {
            console::print_status(&single_tenant_warning(column));
        }
        console::print_status(&drill_banner(&simulator, &drill));
    }
    let sending = SendingSettings::new(&args.work.sending);
    let speed = drill.quota_speed();
    let drill = serde_json::to_value(&drill).ok();
    let sessions = TenantSessions::single(signed_in_app, &sign_in);
    let mut prepared =
        PreparedRun::new(draft, sending, network, CredentialSettings::single(sign_in), profile);
    prepared.drill = drill;
    let code = run::start_run(prepared, sessions, args.work, speed).await;
    simulator.stop().await;
    code
}

impl DrillRecord {
    /// Whether the drill's users are in a directory that can be read.
    pub(super) fn has_directory(&self) -> bool {
        self.tenant.is_some()
    }

    /// The factor by which the simulated quota is larger than Graph's.
    pub(super) fn quota_speed(&self) -> f64 {
        if self.no_quota { 1e6 } else { self.speed }
    }
}

/// Starts the drill's simulator on loopback.
pub(super) async fn start_simulator(drill: &DrillRecord) -> Result<Simulator, Error> {
    Simulator::start(drill.config()?).await.map_err(|error| Error::Simulator(error.to_string()))
}

/// Signs in to the drill's simulator, with a fixed secret.
pub(super) async fn sign_in_to_simulator(
    simulator: &Simulator,
    drill: &DrillRecord,
    timeout: Duration,
) -> Result<(NetworkSettings, SignInSettings, SignedInApp), Error> {
    let url = simulator.url().parse().map_err(|error| Error::Simulator(format!("{error}")))?;
    let network = NetworkSettings {
        cloud: Cloud::Global,
        graph_url: Some(url),
        authority_url: simulator.url().parse().ok(),
        timeout,
        max_wait: MAX_WAIT,
        ca_cert: None,
        connect_to: Vec::new(),
        priority: Priority::default(),
        notices: Vec::new(),
    };
    let sign_in = SignInSettings {
        tenant: Some(TENANT.to_owned()),
        client_id: Some(app_id(0)),
        sources: CredentialSources { auth: Some(Auth::ClientSecret), ..CredentialSources::default() },
    };
    let secret = |name: &str| (name == "AZURE_CLIENT_SECRET").then(|| SECRET.to_owned());
    let mut signed_in_app =
        sign_in_with(sign_in.credential_config(&network).build_chain(&secret)?, &sign_in, &network).await?;
    for number in 1..drill.apps {
        let sign_in = SignInSettings { client_id: Some(app_id(number)), ..sign_in.clone() };
        let additional_app =
            sign_in_with(sign_in.credential_config(&network).build_chain(&secret)?, &sign_in, &network)
                .await?;
        signed_in_app.apps.extend(additional_app.apps);
        signed_in_app
            .additional_clients
            .push(AppClient { graph: additional_app.graph, operator: additional_app.operator });
    }
    Ok((network, sign_in, signed_in_app))
}

/// The first line of a drill, which says that no tenant is touched.
pub(super) fn drill_banner(simulator: &Simulator, drill: &DrillRecord) -> String {
    format!(
        "DRILL: no tenant is touched. Graph is a simulator at {}, and its clock runs {} times as fast as real \
         time.",
        simulator.url(),
        drill.speed
    )
}

/// A warning that a drill does not distinguish tenants.
fn single_tenant_warning(column: &str) -> String {
    format!(
        "warning: a drill has one tenant, so column `{}` is ignored: the same name in two tenants is one user \
         here",
        sanitize_truncated(column, 80)
    )
}

/// A file of made-up users, if no file was given.
fn write_synthetic_users(users: u32, files: &[PathBuf]) -> Result<Option<tempfile::NamedTempFile>, Error> {
    if !files.is_empty() {
        return Ok(None);
    }
    let fail = |error| {
        let source = crate::files::temporary_file_error(error);
        Error::Io { what: "can't write the made-up users".to_owned(), source }
    };
    let mut file =
        tempfile::Builder::new().prefix("made-up-users-").suffix(".txt").tempfile().map_err(fail)?;
    let mut out = std::io::BufWriter::new(&mut file);
    for number in 1..=users {
        writeln!(out, "user{number:05}@{}", synthetic_tenant::DOMAIN).map_err(fail)?;
    }
    out.flush().map_err(fail)?;
    drop(out);
    Ok(Some(file))
}
