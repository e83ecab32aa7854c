//! A file a verb; each wires the rooms together and holds no logic of its own.

mod apply;
mod approvals;
mod apps;
mod carry_out;
mod confirm;
mod connect;
mod doctor;
mod drill;
mod forewarn;
mod made_up;
mod merge;
mod open_files;
mod plan;
mod posts;
mod profiles;
mod prompt;
mod protection;
mod reading;
mod report;
mod results;
mod resume;
mod resume_flags;
mod run;
mod secret_files;
mod signals;
mod simulator;
mod standard_input;
mod tenants;
mod verified;

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::{Cli, Command, LogArgs, OutputArgs};
use crate::console::{self, Progress, log};
use crate::error::Error;
use crate::files;

/// Carries out a command line and gives the process's exit code.
pub fn execute(cli: Cli) -> ExitCode {
    if cli.insecure_files {
        files::trust_all();
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

/// How long what is left over may take to end: long enough to drop a task, and with it a program that it runs.
const LEFT_OVER: Duration = Duration::from_millis(500);

/// Works, and at the end does not wait for a thread that hangs, such as one that reads from a mount that is gone, or a
/// question to DNS that nobody answers. The work itself has written all that must be written.
fn block_on(work: impl Future<Output = Result<u8, Error>>) -> Result<u8, Error> {
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        signals::outlive_size_limits();
        work.await
    });
    runtime.shutdown_timeout(LEFT_OVER);
    done
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Io { what: "can't start".to_owned(), source })
}

fn start_logs(args: &LogArgs) -> Result<(), Error> {
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
