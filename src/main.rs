//! The `entra-revoke` binary: parse, execute, exit.

use std::process::ExitCode;

use clap::Parser;
use entra_revoke::{cli, commands};

fn main() -> ExitCode {
    commands::execute(cli::Cli::parse())
}
