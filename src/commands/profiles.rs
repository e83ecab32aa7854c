//! `profiles`: lists the profiles of the config file, and checks that they work on this machine. Also applies a profile
//! for the other subcommands.

use std::path::{Path, PathBuf};

use crate::cli::{ListFormat, NetworkArgs, ProfileArgs, ProfilesArgs, ProfilesCommand, SignInArgs};
use crate::console;
use crate::console::OutputFormat;
use crate::error::Error;
use crate::identity::{AdditionalApp, Cloud, additional_app_variables, process_variable};
use crate::profile::{self, ConfigFile, Profile};
use crate::settings::apps;
use crate::settings::chosen_profile::{self, ChosenProfile};
use crate::settings::{NetworkSettings, SignInSettings};
use crate::text::humanize;
use crate::text::sanitize;

pub(super) fn profiles(args: ProfilesArgs) -> Result<u8, Error> {
    match args.command {
        ProfilesCommand::List { config, output } => list(&read(config)?, output),
        ProfilesCommand::Check { names, config } => check(&read(config)?, &names),
    }
}

/// Fills in the profile's sign-in and network settings for flags that are not given, and prints the destination.
pub(super) fn apply_profile(
    profile: &ChosenProfile,
    sign_in: &mut SignInArgs,
    network: &mut NetworkArgs,
    output: OutputFormat,
) -> Result<(), Error> {
    let overruled = profile.sign_in(sign_in, &process_variable)?;
    profile.network(network);
    let tenant = SignInSettings::new(sign_in).tenant.map(|tenant| format!("tenant {tenant}"));
    let cloud = sign_in.cloud.map(|cloud| format!("cloud {cloud}"));
    let destination: Vec<String> = tenant.into_iter().chain(cloud).collect();
    print_profile(profile, &destination.join(", "), output);
    overruled.iter().for_each(|sentence| console::print_status(&format!("warning: {sentence}")));
    Ok(())
}

/// Prints which profile is used, and for what.
pub(super) fn print_profile(profile: &ChosenProfile, what_for: &str, output: OutputFormat) {
    if output != OutputFormat::None {
        let separator = if what_for.is_empty() { "" } else { ": " };
        console::print_status(&format!("{}{separator}{what_for}", profile.description()));
    }
    if let Some(why) = profile.exposure_reason() {
        console::print_status(&format!("warning: {why}"));
    }
}

fn read(config: Option<PathBuf>) -> Result<ConfigFile, Error> {
    Ok(chosen_profile::config_for_display(&ProfileArgs { config, profile: None })?)
}

fn print(text: &str) -> Result<(), Error> {
    console::print_stdout(text)
        .map_err(|source| Error::Io { what: "can't write to standard output".to_owned(), source })
}

fn list(config: &ConfigFile, format: ListFormat) -> Result<u8, Error> {
    match format {
        ListFormat::Text => print(&table(config))?,
        ListFormat::Json => print(&format!("{}\n", sanitize::sanitize_json(&format!("{:#}", json(config)))))?,
    }
    Ok(0)
}

fn json(config: &ConfigFile) -> serde_json::Value {
    let profile = |profile: &Profile| {
        serde_json::json!({
            "name": profile.name,
            "default": is_default(config, profile),
            "tenant": profile.tenant,
            "cloud": profile.cloud.map(Cloud::name),
            "client_id": profile.client_id,
            "auth": profile.sources.method().word(),
            "apps": profile.apps.iter().map(|app| &app.client_id).collect::<Vec<_>>(),
            "protect": profile.protect,
        })
    };
    serde_json::json!({
        "config": config.path,
        "default_profile": config.default,
        "profiles": config.profiles.iter().map(profile).collect::<Vec<_>>(),
    })
}

fn is_default(config: &ConfigFile, profile: &Profile) -> bool {
    config.default.as_ref() == Some(&profile.name)
}

fn table(config: &ConfigFile) -> String {
    let mut rows = vec![["", "name", "tenant", "cloud", "auth", "protect"].map(str::to_owned)];
    rows.extend(config.profiles.iter().map(|profile| row(config, profile)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut text = format!("{}\n", sanitize::sanitize_line(&config.path.display().to_string()));
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    if config.default.is_some() {
        text.push_str("* the default of `run`, `plan`, `apply` and `doctor`\n");
    }
    text
}

fn row(config: &ConfigFile, profile: &Profile) -> [String; 6] {
    let or_dash = |text: Option<&str>| sanitize::sanitize_truncated(text.unwrap_or("-"), 60);
    [
        if is_default(config, profile) { "*" } else { "" }.to_owned(),
        profile.name.clone(),
        or_dash(profile.tenant.as_deref()),
        or_dash(profile.cloud.map(Cloud::name)),
        profile.sources.method().to_string(),
        profile.protect.len().to_string(),
    ]
}

/// Prints one line for each good profile, and one for each problem of the others.
fn check(config: &ConfigFile, names: &[String]) -> Result<u8, Error> {
    let profiles: Vec<&Profile> = match names {
        [] => config.profiles.iter().collect(),
        names => names.iter().map(|name| config.profile(name)).collect::<Result<_, _>>()?,
    };
    let mut good = true;
    let mut report = |name: &str, problems: Vec<String>| {
        good &= problems.is_empty();
        let lines = problems.iter().map(|problem| format!("{name}: {}\n", join_lines(problem)));
        lines.collect::<String>()
    };
    let mut general: Vec<String> = profile::exposed(&config.path).into_iter().collect();
    if profiles.is_empty() {
        general.push("it has no profiles; a profile begins with [profile.NAME]".to_owned());
    }
    let mut text = report(&sanitize::sanitize_line(&config.path.display().to_string()), general);
    for profile in profiles {
        let problem_lines = report(&profile.name, problems(profile, config));
        text.push_str(&if problem_lines.is_empty() {
            format!("{}: good\n", profile.name)
        } else {
            problem_lines
        });
        for list in profile::lists(profile) {
            text.push_str(&format!(
                "{}: {} list {}\n",
                profile.name,
                list.list,
                humanize::protect_list(&list, false)
            ));
        }
    }
    print(&text)?;
    Ok(if good { 0 } else { 2 })
}

fn problems(profile: &Profile, config: &ConfigFile) -> Vec<String> {
    let mut problems = profile::problems(profile, config.path.parent().unwrap_or(Path::new("")));
    // The sign-in reads the same files, so their problems would be reported twice.
    if problems.is_empty() {
        problems.extend(sign_in_problem(profile, config));
    }
    problems
}

/// The reason why `--profile NAME` can't sign in here, as far as it is known without a request.
fn sign_in_problem(profile: &Profile, config: &ConfigFile) -> Option<String> {
    let (mut sign_in, mut network) = (SignInArgs::default(), NetworkArgs::default());
    let chosen = ChosenProfile::from_profile(profile, config);
    if let Err(error) = chosen.sign_in(&mut sign_in, &process_variable) {
        return Some(error.to_string());
    }
    chosen.network(&mut network);
    let network = match NetworkSettings::new(&sign_in, &network) {
        Ok(network) => network,
        Err(error) => return Some(error.to_string()),
    };
    let sign_in = SignInSettings::new(&sign_in);
    // A secret on standard input is not available yet.
    if sign_in.sources.reads_stdin() {
        return None;
    }
    if let Err(error) = apps::check(&sign_in, &profile.apps) {
        return Some(error.to_string());
    }
    let further = |app: &AdditionalApp| {
        let candidates = sign_in
            .for_additional_app(app)
            .credential_config(&network)
            .build_chain(&additional_app_variables);
        candidates.err().map(|error| format!("{}: {error}", app.name))
    };
    if let Some(problem) = profile.apps.iter().find_map(further) {
        return Some(problem);
    }
    match sign_in.credential_config(&network).build_chain(&process_variable) {
        Err(error) => Some(error.to_string()),
        Ok(candidates) => candidates.all_skipped().map(|ways| {
            let ways: Vec<String> = ways.iter().map(|way| format!("{}: {}", way.auth, way.reason)).collect();
            format!("no sign-in method is set up on this machine; {}", ways.join("; "))
        }),
    }
}

fn join_lines(text: &str) -> String {
    sanitize::sanitize_line(&text.lines().map(str::trim).collect::<Vec<_>>().join("; ")).into_owned()
}
