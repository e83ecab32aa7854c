//! The arguments of the command line. Nothing is read or decided here; [`crate::settings`] evaluates them.

mod plans;
mod users;

pub use plans::{ApplyArgs, PlanArgs};
pub use users::{ConfirmArgs, InputArgs, LimitArgs, OrderArgs, SafetyArgs, SelectionArgs};

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
    after_help = "Exit codes: 0 all done · 1 could not continue · 2 wrong usage or unreadable input · \
                  3 some users not done · 4 sign-in or permission · 5 halted · 130, 143 interrupted"
)]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
    /// Also accept secrets, configuration and protect lists from files that can be changed by accounts other than yours
    /// and root
    #[arg(long, global = true, help_heading = "Safety")]
    pub insecure_files: bool,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Revoke the sign-in sessions of users from files, standard input, groups, roles and filters
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// Practice with a built-in simulator; no tenant is touched
    #[command(after_help = DRILL_EXAMPLES)]
    Drill(Box<DrillArgs>),
    /// Write the plan of a run to a file for review and approval; nothing is revoked
    #[command(after_help = plans::PLAN_EXAMPLES)]
    Plan(Box<PlanArgs>),
    /// Revoke exactly the users in a plan file
    #[command(after_help = plans::APPLY_EXAMPLES)]
    Apply(Box<ApplyArgs>),
    /// Continue an interrupted run, or retry the users that are not done
    #[command(after_help = RESUME_EXAMPLES)]
    Resume(Box<ResumeArgs>),
    /// Check everything that a run needs, and say how to fix what is missing
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Box<DoctorArgs>),
    /// Rebuild a run's reports from its journal, or merge the reports of several shards
    #[command(after_help = REPORT_EXAMPLES)]
    Report(ReportArgs),
    /// List the profiles of the config file, or check that they work on this machine
    Profiles(ProfilesArgs),
    /// Run the simulator on its own: Microsoft Graph and its token endpoint on loopback
    #[command(after_help = SIMULATOR_EXAMPLES)]
    Simulator(SimulatorArgs),
}

const RUN_EXAMPLES: &str = "Examples:
  See what would happen; nothing is revoked:
      entra-revoke run leavers.csv --dry-run
  The members of a group, administrators first (docs/incident.md has more):
      entra-revoke run --group Finance --admins-first --protect break-glass.txt
  With an app's secret (AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are set):
      entra-revoke run leavers.csv --protect break-glass.txt --case-id INC-4711
  With the tenant, the app and the protect lists of a profile (docs/profiles.md):
      entra-revoke run leavers.csv --profile contoso
  With an access token, for the rows of one department, without asking for confirmation:
      ENTRA_REVOKE_TOKEN=… entra-revoke run staff.csv --match Department=Sales --yes
  From another program:
      list-compromised | entra-revoke run - --yes -o jsonl";

const DRILL_EXAMPLES: &str = "Examples:
      entra-revoke drill samples/offboarding-hr.csv
      entra-revoke drill --users 5000
      entra-revoke drill --group Finance --exclude-group IT --dry-run
      entra-revoke drill samples/list.txt --fault 'answer=503;chance=0.2' --fault 'match=p*;answer=404'";

const RESUME_EXAMPLES: &str = "\
The folder stores the cloud, the tenant and the app's ID, but no credentials and no addresses.
Pass the flags for the sign-in, a certificate authority or an address again. If a run ends before
all users are done, it prints the whole command.

Examples:
  With the secret or the token in the environment, as for the run:
      entra-revoke resume runs/20261122T030000Z-1a2b3c4d
  If the run was started with these flags:
      entra-revoke resume runs/20261122T030000Z-1a2b3c4d --certificate-file app.pem
      entra-revoke resume runs/20261122T030000Z-1a2b3c4d --profile contoso
  At another rate, and with one more protected user:
      entra-revoke resume runs/20261122T030000Z-1a2b3c4d --rate 10/s --protect ann@contoso.com";

const REPORT_EXAMPLES: &str = "Examples:
      entra-revoke report runs/20261122T030000Z-1a2b3c4d
  For four machines that each ran with --shard I/4:
      entra-revoke report --merge all machine1/runs/* machine2/runs/* machine3/runs/* machine4/runs/*";

const DOCTOR_EXAMPLES: &str = "Examples:
  With the flags of the run:
      entra-revoke doctor --tenant contoso.com --client-id … --certificate-file app.pem --protect \
      break-glass.csv
  In a pipeline (exits with 0 only if a run would start):
      entra-revoke doctor -o json
  Print the commands that register the app:
      entra-revoke doctor --setup --auth certificate > setup.sh";

const SIMULATOR_EXAMPLES: &str = "Examples:
      entra-revoke simulator --listen 127.0.0.1:8080
      entra-revoke run users.csv --yes --graph-url http://127.0.0.1:8080 --authority-url http://127.0.0.1:8080
      curl -s http://127.0.0.1:8080/_simulator/stats";

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Files of users: CSV, plain lists, .xlsx or JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub work: CommonRunArgs,
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
    pub consent: ConfirmArgs,
}

/// `drill`.
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// Files of users; without any, the drill uses made-up users
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Number of made-up users, if there is no file
    #[arg(long, value_name = "N", default_value_t = 200, help_heading = "Simulator")]
    pub users: u32,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub simulator: DrillSimulatorArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub work: CommonRunArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profile: ProfileArgs,
    /// Time limit for a response
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive, default_value = "30s", help_heading = "Network")]
    pub timeout: Duration,
}

/// The simulator behind a drill.
#[derive(Debug, Args)]
#[command(next_help_heading = "Simulator")]
pub struct DrillSimulatorArgs {
    /// Speed of the simulator's clock for quotas: at 60, 150 s pass in 2.5 s
    #[arg(long, value_name = "N", value_parser = parse_speed, default_value = "60")]
    pub speed: f64,
    /// Response time of the simulated Graph (in real time, ±50%)
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "120ms")]
    pub latency: Duration,
    /// Simulate no quotas
    #[arg(long)]
    pub no_quota: bool,
    /// Number of apps that share the work, each with its own quota, within the tenant's quota
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub apps: u8,
    /// A fault to simulate, such as 'match=gone-*;answer=404;times=2;chance=0.1'; repeatable
    #[arg(long, value_name = "RULE")]
    pub fault: Vec<String>,
    /// Seed for random faults
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The run folder
    #[arg(value_name = "RUN_FOLDER")]
    pub folder: PathBuf,
    /// Continue without asking if something differs from what was approved: the app, the signed-in user, the server,
    /// the
    /// protect lists or their members
    #[arg(short, long, alias = "force", help_heading = "Safety")]
    pub yes: bool,
    /// Also protect these from now on: an ID, a file of IDs, group:ID or role:ID. The lists of the run and of the
    /// profile are always read again. Repeatable
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
    /// Print the commands that register the app with its permission; nothing is checked
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
    /// Accounts that the run will protect: an ID, a file of IDs, group:ID or role:ID; checked in full. Repeatable
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
    /// The run folder; with --merge, the run folders of all shards of one input
    #[arg(value_name = "RUN_FOLDER", required = true)]
    pub folders: Vec<PathBuf>,
    /// Merge the runs of --shard I/N into one report in this folder
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
    /// The subcommand.
    #[command(subcommand)]
    pub command: ProfilesCommand,
}

/// The subcommands of `profiles`.
#[derive(Debug, Subcommand)]
pub enum ProfilesCommand {
    /// List the profiles: name, tenant, cloud, sign-in method, protect lists
    List {
        /// Config file, or ENTRA_REVOKE_CONFIG [default: ~/.config/entra-revoke/config.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Standard output: text, json
        #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "text")]
        output: ListFormat,
    },
    /// Check that each profile works on this machine: its files, lists and sign-in. Nothing is revoked
    Check {
        /// Check only these profiles
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Config file, or ENTRA_REVOKE_CONFIG [default: ~/.config/entra-revoke/config.toml]
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
    /// Address to listen on; port 0 chooses a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: std::net::SocketAddr,
    /// The simulator's settings, in TOML
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve HTTPS with a certificate authority of its own
    #[arg(long)]
    pub tls: bool,
    /// Write the certificate of that CA to this file, for --ca-cert
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_file: Option<PathBuf>,
    /// Speed of the clock for quotas, as a multiple of real time
    #[arg(long, value_name = "N", value_parser = parse_speed)]
    pub speed: Option<f64>,
    /// Response time
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub latency: Option<Duration>,
    /// Simulate no quotas
    #[arg(long)]
    pub no_quota: bool,
    /// A fault to simulate, such as 'match=gone-*;answer=404;times=2;chance=0.1'; repeatable
    #[arg(long, value_name = "RULE")]
    pub fault: Vec<String>,
    /// Make up a directory with this many users, 1 to 200,000, with groups and roles
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub users: Option<u32>,
    /// The directory's initial domain
    #[arg(long, value_name = "NAME", requires = "users")]
    pub domain: Option<String>,
    /// Seed for the made-up users and for random faults
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub log: LogArgs,
}

/// The profile, which supplies the settings that flags do not.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Profile")]
pub struct ProfileArgs {
    /// Profile to read defaults from, or ENTRA_REVOKE_PROFILE; `none` disables profiles [default for run, plan, apply
    /// and doctor: the file's default_profile]
    #[arg(long, value_name = "NAME", value_parser = parse_non_blank)]
    pub profile: Option<String>,
    /// Config file, or ENTRA_REVOKE_CONFIG [default: ~/.config/entra-revoke/config.toml]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The arguments that `run` and `drill` share.
#[derive(Debug, Args)]
pub struct CommonRunArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub selection: SelectionArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub input: InputArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub order: OrderArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub safety: SafetyArgs,
    /// Show the plan and revoke nothing
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

/// How requests are sent. For a flag that is not given, `resume` keeps the run's setting.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sending")]
pub struct SendingArgs {
    /// Maximum number of requests in flight in each tenant, or auto (depends on the latency) [default: auto]
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<Jobs>,
    /// Users in one request, 1 to 20 (2 or more use $batch), or auto: one, or more if responses are slow and --jobs is
    /// auto [default: auto]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<BatchSize>,
    /// Maximum rate at which users are revoked, for each app and tenant: auto (Graph's documented quota), 20/s, 600/m
    /// or 3000/150s
    /// [default: auto]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,
    /// Number of users that may be revoked at once after an idle period, for each app and tenant
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub burst: Option<u32>,
    /// Retries after the first attempt, for transient errors; throttling does not count [default: 5]
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
    /// Longest wait that a server may ask for (Retry-After); if it asks for more, the run ends, and you can resume it
    /// later [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub max_wait: Option<Duration>,
    /// Stop sending after this time, such as 10m
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub deadline: Option<Duration>,
    /// Stop once this many users could not be revoked: fail=10 or fail=10%
    #[arg(long, value_name = "RULE")]
    pub halt: Option<HaltRule>,
    /// Revoke nothing if the plan has more users than this
    #[arg(long, value_name = "N")]
    pub max_users: Option<u32>,
    /// Also count these outcomes as done, such as not_found,accepted_no_effect
    #[arg(long, value_name = "OUTCOME", value_delimiter = ',')]
    pub accept: Vec<Outcome>,
}

/// What is kept as evidence, and where.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Evidence")]
pub struct EvidenceArgs {
    /// Your case ID, for every row of the report
    #[arg(long, value_name = "TEXT")]
    pub case_id: Option<String>,
    /// Folder in which run folders are created [default: runs]
    #[arg(long, value_name = "FOLDER")]
    pub output_dir: Option<PathBuf>,
}

/// How to sign in, and where. Secrets come from the environment or from files, never from an argument.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sign-in")]
pub struct SignInArgs {
    /// The tenant's ID or one of its domains, or AZURE_TENANT_ID. With a tenant column, the tenant of rows whose tenant
    /// cell is empty
    #[arg(long, value_name = "TENANT", value_parser = parse_non_blank)]
    pub tenant: Option<String>,
    /// Sign-in method: auto, token, client-secret, certificate, workload-identity, managed-identity, azure-cli,
    /// azure-developer-cli, device-code [default: auto, the first that is set up here]
    #[arg(long, value_name = "METHOD")]
    pub auth: Option<Auth>,
    /// The app's ID, or AZURE_CLIENT_ID
    #[arg(long, value_name = "ID", alias = "app-id", value_parser = parse_non_blank)]
    pub client_id: Option<String>,
    /// File with an access token (- is standard input), or ENTRA_REVOKE_TOKEN
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the app's secret (- is standard input), or AZURE_CLIENT_SECRET
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// The app's certificate with its private key, PEM or PFX, or AZURE_CLIENT_CERTIFICATE_PATH
    #[arg(long, value_name = "FILE")]
    pub certificate_file: Option<PathBuf>,
    /// The private key, if it is not in the certificate file
    #[arg(long, value_name = "FILE", requires = "certificate_file")]
    pub certificate_key_file: Option<PathBuf>,
    /// File with the certificate's password (- is standard input), or AZURE_CLIENT_CERTIFICATE_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub certificate_password_file: Option<PathBuf>,
    /// File with the token of a cluster or pipeline that the app trusts, or AZURE_FEDERATED_TOKEN_FILE
    #[arg(long, value_name = "FILE")]
    pub federated_token_file: Option<PathBuf>,
    /// ID of the Azure Pipelines service connection that the app trusts
    #[arg(long, value_name = "ID")]
    pub service_connection: Option<String>,
    /// A user-assigned managed identity: its client ID, object:ID, or its resource ID
    #[arg(long, value_name = "ID")]
    pub identity: Option<String>,
    /// The cloud: global, usgov, usgov-dod, china, bleu, delos, govsg, or a name that `az cloud list` shows [default:
    /// the cloud of
    /// AZURE_AUTHORITY_HOST, or global]
    #[arg(long, value_name = "CLOUD")]
    pub cloud: Option<Cloud>,
}

/// The apps that send in addition to the first one.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Sign-in")]
pub struct AppArgs {
    /// Profile of an additional app for the same tenant, with its own quota; repeatable. Overrides the additional apps
    /// of --profile; `none` for no additional apps
    #[arg(long, value_name = "PROFILE", value_parser = parse_non_blank)]
    pub app: Vec<String>,
}

/// How the network is used. HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE are read from the environment.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// Time limit for a response [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive)]
    pub timeout: Option<Duration>,
    /// Trust the certificates in this PEM file in addition to the system's
    #[arg(long, value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
    /// Connect to this address for a host instead of asking DNS; TLS still checks the host name. Repeatable
    #[arg(long, value_name = "HOST=ADDRESS[:PORT]")]
    pub connect_to: Vec<ConnectTo>,
    /// Priority of the requests when Graph throttles: high, normal or low (x-ms-throttle-priority) [default: high]
    #[arg(long, value_name = "WORD")]
    pub throttle_priority: Option<Priority>,
    /// Use this base URL for Graph (for tests): https, or http to loopback
    #[arg(long, value_name = "URL")]
    pub graph_url: Option<Endpoint>,
    /// Use this base URL for the authority, the server that issues tokens (for tests): https, or http to loopback;
    /// overrides AZURE_AUTHORITY_HOST
    #[arg(long, value_name = "URL")]
    pub authority_url: Option<Endpoint>,
}

/// What is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Standard output: text or json (the summary), jsonl or csv (each result as soon as it is final), none
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
    /// Log more (-vv and -vvv: even more)
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log format: text, json
    #[arg(long, value_name = "FORMAT", default_value_t)]
    pub log_format: LogFormat,
    /// Write logs to this file instead of standard error
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

/// Refuses blank text, because a shell's unset variable must not count as a flag that was not given.
fn parse_non_blank(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}

/// Parses how many times as fast as real time a simulator's clock runs.
fn parse_speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.001..=1e6).contains(&speed) => Ok(speed),
        _ => Err("write a number from 0.001 to 1000000".to_owned()),
    }
}
