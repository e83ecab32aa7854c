//! The `entra-revoke` binary: parse, execute, exit.

use std::process::ExitCode;

use clap::Parser;
use entra_revoke::{cli, commands, process_hardening};

fn main() -> ExitCode {
    process_hardening::disable_core_dumps();
    commands::run_command(cli::Cli::parse())
}
