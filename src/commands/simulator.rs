//! `simulator`: serves only the simulator, until a signal comes.

use std::time::Duration;

use super::{init_logging, signals};
use crate::cli::SimulatorArgs;
use crate::console;
use crate::error::Error;
use crate::files::write_to;
use crate::simulator::{Config, Fault, GenerateConfig, Simulator, StartError};

pub(super) async fn simulator(args: SimulatorArgs) -> Result<u8, Error> {
    init_logging(&args.log)?;
    let config = config(&args)?;
    let simulator = Simulator::start(config).await.map_err(|error| match error {
        StartError::NotLoopback(_) => Error::Usage(error.to_string()),
        error => Error::Simulator(error.to_string()),
    })?;
    let fail = |what: &str| {
        let what = what.to_owned();
        move |source| Error::Io { what, source }
    };
    if let (Some(path), Some(pem)) = (&args.ca_file, simulator.ca_pem()) {
        write_to(path, pem.as_bytes()).map_err(fail(&format!("can't write {}", path.display())))?;
    }
    console::print_stdout(&format!("listening on {}\n", simulator.url()))
        .map_err(fail("can't write to standard output"))?;
    let mut interrupts = signals::listen_once().map_err(fail("can't listen for signals"))?;
    let _ = interrupts.recv().await;
    // Simulated faults may hang on purpose, so the wait is limited.
    let _ = tokio::time::timeout(Duration::from_secs(2), simulator.stop()).await;
    Ok(0)
}

fn config(args: &SimulatorArgs) -> Result<Config, Error> {
    let mut config = match &args.config {
        Some(path) => {
            let unreadable = |reason: String| Error::Usage(format!("{}: {reason}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
            Config::from_toml_str(&text).map_err(|error| unreadable(error.to_string()))?
        }
        None => Config::default(),
    };
    config.listen = args.listen;
    config.tls |= args.tls;
    config.speed = args.speed.unwrap_or(config.speed);
    config.latency = args.latency.unwrap_or(config.latency);
    config.seed = args.seed.unwrap_or(config.seed);
    if let Some(users) = args.users {
        let directory = config.directory.get_or_insert_default();
        directory.generate = Some(GenerateConfig { users, seed: config.seed });
        directory.domain = args.domain.clone().unwrap_or_else(|| directory.domain.clone());
    }
    config.quota.enabled &= !args.no_quota;
    config.faults.extend(parse_faults(&args.fault)?);
    Ok(config)
}

/// Reads `--fault` rules.
pub(super) fn parse_faults(rules: &[String]) -> Result<Vec<Fault>, Error> {
    let read =
        |rule: &String| rule.parse().map_err(|error| Error::Usage(format!("--fault '{rule}': {error}")));
    rules.iter().map(read).collect()
}
