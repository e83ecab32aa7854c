//! The words of the command line. Nothing is read or decided here; [`crate::settings`] takes it from here.

mod plans;
mod users;

pub use plans::{ApplyArgs, PlanArgs};
pub use users::{CapArgs, ChoosingArgs, ConsentArgs, InputArgs, OrderArgs, SafetyArgs};

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::console::OutputFormat;
use crate::console::Progress;
use crate::console::log::LogFormat;
use crate::dispatch::{BatchSize, HaltRule, Jobs, Rate};
use crate::doctor::text::DoctorFormat;
use crate::graph::Priority;
use crate::http::ConnectTo;
use crate::identity::{Auth, Cloud, Endpoint};
use crate::outcome::Outcome;
use crate::text::duration;

/// Signs users out of Microsoft Entra ID in bulk, and proves user by user what happened.
#[derive(Debug, Parser)]
#[command(
    name = "entra-revoke",
    version,
    about,
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Exit codes: 0 all done · 1 could not go on · 2 wrong usage or unreadable input · 3 some users not \
                  done · 4 sign-in or permission · 5 halted · 130, 143 interrupted"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Take secrets, configuration and protect lists also from files that others than you and root may change
    #[arg(long, global = true, help_heading = "Safety")]
    pub insecure_files: bool,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Revoke the sign-in sessions of users: of files, of standard input, of groups, roles and filters
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// The same against a built-in simulator: no tenant is touched
    #[command(after_help = DRILL_EXAMPLES)]
    Drill(Box<DrillArgs>),
    /// Write the plan of a run to a file, for somebody to look at and approve; nothing is sent
    #[command(after_help = plans::PLAN_EXAMPLES)]
    Plan(Box<PlanArgs>),
    /// Send exactly what a plan file holds
    #[command(after_help = plans::APPLY_EXAMPLES)]
    Apply(Box<ApplyArgs>),
    /// Go on with a run that was cut short, or try again what was not done
    #[command(after_help = RESUME_EXAMPLES)]
    Resume(Box<ResumeArgs>),
    /// Check all that a run needs, and say what to do where something is missing
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Box<DoctorArgs>),
    /// Make a run's reports again from its journal; or join those of several shards
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// Show the profiles of the config file, or check that they can be used here
    Profiles(ProfilesArgs),
    /// Serve the simulator alone: Microsoft Graph and its token endpoint on loopback
    #[command(after_help = SIMULATOR_EXAMPLES)]
    Simulator(SimulatorArgs),
}

const RUN_EXAMPLES: &str = "Examples:
  See what would happen, without sending anything:
      entra-revoke run leavers.csv --dry-run
  The members of a group, administrators first (docs/incident.md has more):
      entra-revoke run --group Finance --admins-first --protect break-glass.txt
  With an app's secret (AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are set):
      entra-revoke run leavers.csv --protect break-glass.txt --case-id INC-4711
  With the tenant, the app and the protect lists of a profile (docs/profiles.md):
      entra-revoke run leavers.csv --profile contoso
  With a token that you have, for the rows of one department, without a question:
      ENTRA_REVOKE_TOKEN=… entra-revoke run staff.csv --match Department=Sales --yes
  From another program:
      list-compromised | entra-revoke run - --yes -o jsonl";

const DRILL_EXAMPLES: &str = "Examples:
      entra-revoke drill samples/offboarding-hr.csv
      entra-revoke drill --users 5000
      entra-revoke drill --group Finance --exclude-group IT --dry-run
      entra-revoke drill samples/list.txt --fault 'answer=503;chance=0.2' --fault 'match=p*;answer=404'";

const RESUME_EXAMPLES: &str = "Of how to sign in and of addresses, only the cloud, the tenant and the app's id are taken from the folder. Give
again what names a way to sign in, a certificate authority or an address; the end of the run prints the
whole command.

Examples:
  With the secret or the token in the environment, as for the run:
      entra-revoke resume runs/20261122T030000Z-1a2b3c4d
  As a run with these flags was begun:
      entra-revoke resume runs/20261122T030000Z-1a2b3c4d --certificate-file app.pem
      entra-revoke resume runs/20261122T030000Z-1a2b3c4d --profile contoso
  With another pace, and with somebody more to protect:
      entra-revoke resume runs/20261122T030000Z-1a2b3c4d --rate 10/s --protect ann@contoso.com";

const REPORT_EXAMPLES: &str = "Examples:
      entra-revoke report runs/20261122T030000Z-1a2b3c4d
  Of four machines, each of which ran with --shard I/4:
      entra-revoke report --merge all machine1/runs/* machine2/runs/* machine3/runs/* machine4/runs/*";

const DOCTOR_EXAMPLES: &str = "Examples:
  With the flags that the run will have:
      entra-revoke doctor --tenant contoso.com --client-id … --certificate-file app.pem --protect break-glass.csv
  For a pipeline: exits with 0 only when a run would start
      entra-revoke doctor -o json
  The commands that register the app:
      entra-revoke doctor --setup --auth certificate > setup.sh";

const SIMULATOR_EXAMPLES: &str = "Examples:
      entra-revoke simulator --listen 127.0.0.1:8080
      entra-revoke run users.csv --yes --graph-url http://127.0.0.1:8080 --authority-url http://127.0.0.1:8080
      curl -s http://127.0.0.1:8080/_simulator/stats";

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Files with users: CSV, plain lists, .xlsx, JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub work: WorkArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profile: ProfileArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sign_in: SignInArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub apps: AppArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub consent: ConsentArgs,
}

/// `drill`.
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// Files with users; without any, made-up users are taken
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How many made-up users to take where no file is given
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = "Simulator")]
    pub users: u32,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub simulator: DrillSimulatorArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub work: WorkArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profile: ProfileArgs,
    /// How long an answer may take
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive, default_value = "30s", help_heading = "Network")]
    pub timeout: Duration,
}

/// The simulator behind a drill.
#[derive(Debug, Args)]
#[command(next_help_heading = "Simulator")]
pub struct DrillSimulatorArgs {
    /// How many times as fast as real time the simulator's quotas run: at 60, 150 s pass in 2.5 s
    #[arg(long, value_name = "N", value_parser = speed, default_value = "60")]
    pub speed: f64,
    /// How long the simulated Graph takes to answer (in real time, give or take half)
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "120ms")]
    pub latency: Duration,
    /// Simulate no quotas
    #[arg(long)]
    pub no_quota: bool,
    /// How many apps send, each with a quota of its own under the tenant's
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub apps: u8,
    /// What goes wrong, such as 'match=gone-*;answer=404;times=2;chance=0.1'; repeatable
    #[arg(long, value_name = "RULE")]
    pub fault: Vec<String>,
    /// Seed of what goes wrong by chance
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The run's folder
    #[arg(value_name = "RUN_FOLDER")]
    pub folder: PathBuf,
    /// Go on without a question where something differs from what was approved: the tenant, the app, the person, the
    /// protect lists, or who is on them
    #[arg(short, long, alias = "force", help_heading = "Safety")]
    pub yes: bool,
    /// Protect these, too, from now on: an id, a file of ids, group:ID or role:ID. The lists of the run are read again in
    /// any case, and those of the profile. Repeatable
    #[arg(long, value_name = "FILE|ID|group:ID|role:ID", help_heading = "Safety")]
    pub protect: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sending: SendingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profile: ProfileArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sign_in: SignInArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub apps: AppArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print the commands that register the app and give it what it needs; nothing is checked
    #[arg(long)]
    pub setup: bool,
    /// Standard output: text, json
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value_t,
        conflicts_with = "setup",
        help_heading = "Output"
    )]
    pub output: DoctorFormat,
    /// Whom the run will protect: an id, a file of ids, group:ID or role:ID; checked in full. Repeatable
    #[arg(long, value_name = "FILE|ID|group:ID|role:ID", help_heading = "Safety")]
    pub protect: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profile: ProfileArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sending: SendingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub evidence: EvidenceArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sign_in: SignInArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub apps: AppArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub log: LogArgs,
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run's folder; with --merge, the folders of all shards of one input
    #[arg(value_name = "RUN_FOLDER", required = true)]
    pub folders: Vec<PathBuf>,
    /// Join the runs of --shard I/N into one report in this folder
    #[arg(long, value_name = "OUT")]
    pub merge: Option<PathBuf>,
    /// Standard output: text or json (the summary), jsonl or csv (all rows), none
    #[arg(short, long, value_name = "FORMAT", default_value_t, help_heading = "Output")]
    pub output: OutputFormat,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub log: LogArgs,
}

/// `profiles`.
#[derive(Debug, Args)]
pub struct ProfilesArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: ProfilesCommand,
}

/// The verbs of `profiles`.
#[derive(Debug, Subcommand)]
pub enum ProfilesCommand {
    /// Show the profiles: name, tenant, cloud, way to sign in, protect lists
    List {
        /// The config file; or ENTRA_REVOKE_CONFIG [default: ~/.config/entra-revoke/config.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Standard output: text, json
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "text")]
        output: ListFormat,
    },
    /// Check that each profile can be used here: its files, its lists, its sign-in. Nothing is sent
    Check {
        /// Check these profiles only
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// The config file; or ENTRA_REVOKE_CONFIG [default: ~/.config/entra-revoke/config.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// How profiles are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// A table.
    Text,
    /// JSON.
    Json,
}

/// `simulator`.
#[derive(Debug, Args)]
pub struct SimulatorArgs {
    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: std::net::SocketAddr,
    /// The simulator's settings, in TOML
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve HTTPS with an own certificate authority
    #[arg(long)]
    pub tls: bool,
    /// Write that authority's certificate to this file, for --ca-cert
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_file: Option<PathBuf>,
    /// How many times as fast as real time the quotas run
    #[arg(long, value_name = "N", value_parser = speed)]
    pub speed: Option<f64>,
    /// How long an answer takes
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub latency: Option<Duration>,
    /// Simulate no quotas
    #[arg(long)]
    pub no_quota: bool,
    /// What goes wrong, such as 'match=gone-*;answer=404;times=2;chance=0.1'; repeatable
    #[arg(long, value_name = "RULE")]
    pub fault: Vec<String>,
    /// Make up a directory of so many users, 1 to 200,000, with groups and roles
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub users: Option<u32>,
    /// The directory's initial domain
    #[arg(long, value_name = "NAME", requires = "users")]
    pub domain: Option<String>,
    /// Seed of who is made up, and of what goes wrong by chance
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub log: LogArgs,
}

/// Which profile fills what the flags leave open.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Profile")]
pub struct ProfileArgs {
    /// Take what no flag says from this profile of the config file; none takes no profile. Or ENTRA_REVOKE_PROFILE
    /// [default for run, plan, apply and doctor: the file's default_profile]
    #[arg(long, value_name = "NAME", value_parser = filled)]
    pub profile: Option<String>,
    /// The config file; or ENTRA_REVOKE_CONFIG [default: ~/.config/entra-revoke/config.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What `run` and `drill` share.
#[derive(Debug, Args)]
pub struct WorkArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub choosing: ChoosingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub input: InputArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub order: OrderArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub safety: SafetyArgs,
    /// Show the plan and send nothing
    #[arg(long, alias = "what-if", help_heading = "Safety")]
    pub dry_run: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sending: SendingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub evidence: EvidenceArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
}

/// How requests are sent. `resume` takes what the run had where nothing is given.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sending")]
pub struct SendingArgs {
    /// Requests in flight at most, in each tenant: a number, or auto (as many as the latency asks for) [default: auto]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<Jobs>,
    /// Users in one request: 1 to 20 (above 1 in a $batch), or auto: one, or more where answers are slow and --jobs is auto
    /// [default: auto]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<BatchSize>,
    /// How fast users leave, for each app in each tenant: auto (Graph's documented quota), 20/s, 600/m, 3000/150s
    /// [default: auto]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,
    /// How many users may leave at once after a pause, for each app in each tenant
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub burst: Option<u32>,
    /// Tries after the first, where a repeat may help; throttling costs none [default: 5]
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
    /// Longest wait that a server may ask for (Retry-After): whoever is asked to wait longer is throttled_out, for resume
    /// [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub max_wait: Option<Duration>,
    /// End the sending after this time, such as 10m
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub deadline: Option<Duration>,
    /// Stop when so many are not done: fail=10 or fail=10%
    #[arg(long, value_name = "RULE")]
    pub halt: Option<HaltRule>,
    /// Send nothing if the plan holds more users than this
    #[arg(long, value_name = "N")]
    pub max_users: Option<u32>,
    /// Outcomes that count as done, such as not_found,accepted_no_effect
    #[arg(long, value_name = "OUTCOME", value_delimiter = ',')]
    pub accept: Vec<Outcome>,
}

/// What is kept as evidence, and where.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Evidence")]
pub struct EvidenceArgs {
    /// Your case's id: it stands in every row of the report
    #[arg(long, value_name = "TEXT")]
    pub case_id: Option<String>,
    /// Where run folders are made [default: runs]
    #[arg(long, value_name = "FOLDER")]
    pub output_dir: Option<PathBuf>,
}

/// Who signs in, and where. Secrets come from the environment or from files, never from an argument.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sign-in")]
pub struct SignInArgs {
    /// The tenant: its id or one of its domains; or AZURE_TENANT_ID. Where a column names tenants, that of rows without one
    #[arg(long, value_name = "TENANT", value_parser = filled)]
    pub tenant: Option<String>,
    /// How to sign in: auto, token, client-secret, certificate, workload-identity, managed-identity, azure-cli,
    /// azure-developer-cli, device-code [default: auto, the first that is set up here]
    #[arg(long, value_name = "WAY")]
    pub auth: Option<Auth>,
    /// The app's id; or AZURE_CLIENT_ID
    #[arg(long, value_name = "ID", alias = "app-id", value_parser = filled)]
    pub client_id: Option<String>,
    /// A file that holds an access token (- is standard input); or ENTRA_REVOKE_TOKEN
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A file that holds the app's secret (- is standard input); or AZURE_CLIENT_SECRET
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// The app's certificate with its private key: PEM or PFX; or AZURE_CLIENT_CERTIFICATE_PATH
    #[arg(long, value_name = "FILE")]
    pub certificate_file: Option<PathBuf>,
    /// The private key, where it is not in the certificate's file
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    pub certificate_key_file: Option<PathBuf>,
    /// A file that holds the certificate's password (- is standard input); or AZURE_CLIENT_CERTIFICATE_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub certificate_password_file: Option<PathBuf>,
    /// A file with the token of a cluster or pipeline that the app trusts; or AZURE_FEDERATED_TOKEN_FILE
    #[arg(long, value_name = "FILE")]
    pub federated_token_file: Option<PathBuf>,
    /// The service connection of Azure Pipelines that the app trusts, by its id
    #[arg(long, value_name = "ID")]
    pub service_connection: Option<String>,
    /// A user-assigned managed identity: its client id, object:ID, or its resource id
    #[arg(long, value_name = "ID")]
    pub identity: Option<String>,
    /// The cloud: global, usgov, usgov-dod, china, bleu, delos, govsg; the names of az are known, too [default: that of
    /// AZURE_AUTHORITY_HOST, or global]
    #[arg(long, value_name = "CLOUD")]
    pub cloud: Option<Cloud>,
}

/// Which further apps send, beside the first one.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sign-in")]
pub struct AppArgs {
    /// A profile whose app sends, too, in the same tenant with a quota of its own; repeatable. Instead of the profile's
    /// own further apps; none takes none
    #[arg(long, value_name = "PROFILE", value_parser = filled)]
    pub app: Vec<String>,
}

/// How the network is used. HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE are taken from the environment.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// How long an answer may take [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive)]
    pub timeout: Option<Duration>,
    /// Trust the certificates in this PEM file, beside the system's
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Connect to this address for a host instead of asking DNS; TLS still checks the host. Repeatable
    #[arg(long, value_name = "HOST=ADDRESS[:PORT]")]
    pub connect_to: Vec<ConnectTo>,
    /// What Graph should throttle last: high, normal or low (x-ms-throttle-priority) [default: high]
    #[arg(long, value_name = "WORD")]
    pub throttle_priority: Option<Priority>,
    /// Another Graph root, for tests: https, or http to loopback
    #[arg(long, value_name = "URL")]
    pub graph_url: Option<Endpoint>,
    /// Another authority, for tests: https, or http to loopback; wins over AZURE_AUTHORITY_HOST
    #[arg(long, value_name = "URL")]
    pub authority_url: Option<Endpoint>,
}

/// What is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Standard output: text or json (the summary), jsonl or csv (each result as it settles), none
    #[arg(short, long, value_name = "FORMAT", default_value_t)]
    pub output: OutputFormat,
    /// Progress on standard error: auto, bar, plain, none
    #[arg(long, value_name = "KIND", default_value_t)]
    pub progress: Progress,
    /// The same as --progress none
    #[arg(long, conflicts_with = "progress")]
    pub no_progress: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub log: LogArgs,
}

/// What is logged.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct LogArgs {
    /// Log more; -vv and -vvv still more
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// How logs are written: text, json
    #[arg(long, value_name = "FORMAT", default_value_t)]
    pub log_format: LogFormat,
    /// Write logs to this file instead of standard error
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

/// Text that is not blank: a shell's unset variable must not pass for a flag that was not given.
fn filled(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// How many times as fast as real time a simulator's clock may run.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.001..=1e6).contains(&speed) => Ok(speed),
        _ => Err("write a number from 0.001 to 1000000".to_owned()),
    }
}
