//! The `entra-revoke` binary: parse, execute, exit.

use std::process::ExitCode;

use clap::Parser;
use entra_revoke::{cli, commands, private_memory};

fn main() -> ExitCode {
    private_memory::disable_core_dumps();
    commands::run_command(cli::Cli::parse())
}
