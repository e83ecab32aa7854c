//! `drill`: a run against the built-in simulator. Same code, no tenant.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::confirm::ConfirmationLimits;
use super::connect::{SignedInApp, check_me, connect};
use super::made_up::{self, SyntheticTenant};
use super::posts::AppClient;
use super::run::{self, PreparedRun};
use super::tenants::TenantSessions;
use super::{profiles, start_logs};
use crate::cli::{DrillArgs, DrillSimulatorArgs};
use crate::console;
use crate::console::OutputFormat;
use crate::directory::Selector;
use crate::error::Error;
use crate::graph::Priority;
use crate::harmless::sanitize_truncated;
use crate::http::MAX_WAIT;
use crate::identity::{Auth, Cloud, CredentialSources};
use crate::plan::{Operator, PlanTenants};
use crate::settings::profiled;
use crate::settings::{CredentialSettings, NetworkSettings, SendingSettings, SignInSettings, wishes};
use crate::simulator::{Config, Simulator};

/// The simulated tenant.
const TENANT: &str = "d5111d51-0000-4000-8000-000000000001";

/// The simulated apps, by their number from 0.
fn app(number: u8) -> String {
    format!("d5111d51-0000-4000-8000-0000000000{:02x}", 0xa1 + number)
}

/// Its secret, which opens nothing.
const SECRET: &str = "drill-secret-that-opens-nothing";

/// The simulator of a drill, as `run.json` keeps it for `resume`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct DrillRecord {
    pub(super) speed: f64,
    latency_ms: u64,
    no_quota: bool,
    fault: Vec<String>,
    seed: u64,
    /// How many apps send.
    #[serde(default = "one")]
    apps: u8,
    /// The made-up tenant, where the drill reads one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<SyntheticTenant>,
}

/// Drills of older versions had one app.
fn one() -> u8 {
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

    /// The simulator's settings. Its clock runs faster, but latency is felt in real time.
    fn config(&self) -> Result<Config, Error> {
        let mut config = Config::realistic();
        config.speed = self.speed;
        config.seed = self.seed;
        config.latency = Duration::from_millis(self.latency_ms).mul_f64(self.speed);
        config.jitter = config.latency / 2;
        config.quota.enabled = !self.no_quota;
        if let Some(tenant) = &self.tenant {
            config.directory = Some(tenant.directory());
            config.token.roles = made_up::PERMISSIONS.map(str::to_owned).to_vec();
        }
        config.faults = super::simulator::faults(&self.fault)?;
        Ok(config)
    }
}

pub(super) async fn drill(mut args: DrillArgs) -> Result<u8, Error> {
    start_logs(&args.work.output.log)?;
    let profile = profiled::choose_named(&args.profile)?;
    if let Some(profile) = &profile {
        profiles::announce(profile, "", args.work.output.output);
        profile.work(&mut args.work);
    }
    let mut wishes = wishes(&args.work)?;
    let tenant = match wishes.need_directory() {
        true => {
            Some(SyntheticTenant::new(args.users, args.simulator.seed, &args.files, &args.work, &wishes)?)
        }
        false => None,
    };
    if tenant.is_some() && args.files.is_empty() && wishes.selectors.is_empty() {
        wishes.selectors.push(Selector::AllUsers);
    }
    let made_up = if tenant.is_some() { None } else { made_up_users(args.users, &args.files)? };
    let files = made_up.as_ref().map_or(args.files.clone(), |file| vec![file.path().to_owned()]);
    let mut gathered = run::gather(&files, &args.work, &wishes)?;
    match made_up {
        Some(_) => gathered.call_input("made-up users"),
        None if args.work.output.output == OutputFormat::None => {}
        None => gathered.notices.iter().for_each(|notice| console::print_status(notice)),
    }
    if args.work.dry_run && tenant.is_none() {
        let draft =
            run::build_plan(gathered, &wishes, &PlanTenants::one(Operator::default(), None, []), &args.work)
                .await?;
        return run::dry_run(draft, args.work.output.output);
    }
    let drill = DrillRecord::new(args.simulator, tenant);
    let simulator = start(&drill).await?;
    let (network, who, connection) = sign_in(&simulator, &drill, args.timeout).await?;
    let (signed, directory) = match &drill.tenant {
        Some(_) => (run::signed(&connection), Some(&connection.directory)),
        None => (Operator::default(), None),
    };
    let directory = directory.filter(|_| !args.work.choosing.no_lookup);
    let draft =
        run::build_plan(gathered, &wishes, &PlanTenants::one(signed, directory, []), &args.work).await?;
    if args.work.dry_run {
        return run::dry_run(draft, args.work.output.output);
    }
    check_me(draft.names_me(), &connection)?;
    ConfirmationLimits::new(&args.work.safety.caps, false).check_count(draft.targets())?;
    if args.work.output.output != OutputFormat::None {
        if let Some(column) = draft.tenant_column() {
            console::print_status(&one_tenant(column));
        }
        console::print_status(&banner(&simulator, &drill));
    }
    let sending = SendingSettings::new(&args.work.sending);
    let speed = drill.pace();
    let drill = serde_json::to_value(&drill).ok();
    let crew = TenantSessions::single(connection, &who);
    let mut prepared = PreparedRun::new(draft, sending, network, CredentialSettings::single(who), profile);
    prepared.drill = drill;
    let code = run::send(prepared, crew, args.work, speed).await;
    simulator.stop().await;
    code
}

impl DrillRecord {
    /// Whether its users are in a directory that can be read.
    pub(super) fn reads_directory(&self) -> bool {
        self.tenant.is_some()
    }

    /// How much faster than Graph's the simulated quota is.
    pub(super) fn pace(&self) -> f64 {
        if self.no_quota { 1e6 } else { self.speed }
    }
}

/// Starts the drill's simulator on loopback.
pub(super) async fn start(drill: &DrillRecord) -> Result<Simulator, Error> {
    Simulator::start(drill.config()?).await.map_err(|error| Error::Simulator(error.to_string()))
}

/// Signs in to the drill's simulator, with a secret that is none.
pub(super) async fn sign_in(
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
    let who = SignInSettings {
        tenant: Some(TENANT.to_owned()),
        client_id: Some(app(0)),
        sources: CredentialSources { auth: Some(Auth::ClientSecret), ..CredentialSources::default() },
    };
    let secret = |name: &str| (name == "AZURE_CLIENT_SECRET").then(|| SECRET.to_owned());
    let mut connection = connect(who.offer(&network).build_chain(&secret)?, &who, &network).await?;
    for number in 1..drill.apps {
        let who = SignInSettings { client_id: Some(app(number)), ..who.clone() };
        let partner = connect(who.offer(&network).build_chain(&secret)?, &who, &network).await?;
        connection.apps.extend(partner.apps);
        connection.partners.push(AppClient { graph: partner.graph, operator: partner.operator });
    }
    Ok((network, who, connection))
}

/// Says in the first line that no tenant is touched.
pub(super) fn banner(simulator: &Simulator, drill: &DrillRecord) -> String {
    format!(
        "DRILL: no tenant is touched. Graph is a simulator at {}, its clock {} times as fast.",
        simulator.url(),
        drill.speed
    )
}

/// Says that a drill does not tell tenants apart.
fn one_tenant(column: &str) -> String {
    format!(
        "warning: a drill has one tenant, so column `{}` counts for nothing: one name in two tenants is one user here",
        sanitize_truncated(column, 80)
    )
}

/// A file of made-up users, where no file was given.
fn made_up_users(users: u32, files: &[PathBuf]) -> Result<Option<tempfile::NamedTempFile>, Error> {
    if !files.is_empty() {
        return Ok(None);
    }
    let fail = |error| {
        let source = crate::files::temporary(error);
        Error::Io { what: "can't write the made-up users".to_owned(), source }
    };
    let mut file =
        tempfile::Builder::new().prefix("made-up-users-").suffix(".txt").tempfile().map_err(fail)?;
    let mut out = std::io::BufWriter::new(&mut file);
    for number in 1..=users {
        writeln!(out, "user{number:05}@{}", made_up::DOMAIN).map_err(fail)?;
    }
    out.flush().map_err(fail)?;
    drop(out);
    Ok(Some(file))
}
