//! The subcommands, one file for each. They connect the other modules and have little logic of their own.

mod apply;
mod approvals;
mod confirm;
mod connect;
mod device_code_prompt;
mod directory_progress;
mod doctor;
mod drill;
mod execute;
mod fd_limit;
mod merge;
mod plan;
mod preflight;
mod profiles;
mod report;
mod result_stream;
mod resume;
mod resume_flags;
mod run;
mod secret_files;
mod sign_in_apps;
mod signals;
mod simulator;
mod stdin;
mod synthetic_tenant;
mod tenant_clients;
mod tenants;
mod verified_tenant;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::{Cli, Command, LogArgs, OutputArgs};
use crate::console::{self, Progress, log};
use crate::error::Error;
use crate::files;

/// Executes a command line and returns the process's exit code.
pub fn run_command(cli: Cli) -> ExitCode {
    if cli.insecure_files {
        files::disable_trust_checks();
    }
    let done = match cli.command {
        Command::Run(args) => block_on(run::run(*args)),
        Command::Drill(args) => block_on(drill::drill(*args)),
        Command::Plan(args) => block_on(plan::plan(*args)),
        Command::Apply(args) => block_on(apply::apply(*args)),
        Command::Resume(args) => block_on(resume::resume(*args)),
        Command::Doctor(args) => block_on(doctor::doctor(*args)),
        Command::Report(args) => block_on(async move { report::report(&args) }),
        Command::Profiles(args) => profiles::profiles(args),
        Command::Simulator(args) => block_on(simulator::simulator(args)),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            console::print_status(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

/// How long remaining tasks may take to end: long enough to drop a task, and with it a program that it runs.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs the future. At the end it does not wait for a thread that hangs, for example in a read from a mount that is
/// gone or in a DNS query without an answer. `work` has already written everything that must be written.
fn block_on(work: impl Future<Output = Result<u8, Error>>) -> Result<u8, Error> {
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        signals::ignore_file_size_signal();
        work.await
    });
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    done
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Io { what: "can't start".to_owned(), source })
}

fn init_logging(args: &LogArgs) -> Result<(), Error> {
    log::init(&log::LogOptions {
        verbosity: args.verbose,
        format: args.log_format,
        file: args.log_file.clone(),
    })?;
    Ok(())
}

fn progress(args: &OutputArgs) -> Progress {
    if args.no_progress { Progress::None } else { args.progress }
}
