//! Reads the protect lists again: those of the run, of its profile and of the flags. Users that are on them now are
//! skipped.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use crate::cli::ProfileArgs;
use crate::console;
use crate::directory::Directory;
use crate::error::Error;
use crate::event::{TargetNo, TenantIndex};
use crate::journal::{ProtectEntry, RunFolder, RunRecord, sha256_of_regular_file};
use crate::plan::{Draft, InputRows, ListEntry, PROTECT_LIST, PlanOptions, PlanReader, PlanTenants};
use crate::profile::{ConfigFile, ConfigLocation, NO_PROFILE};
use crate::settings::chosen_profile::ChosenProfile;
use crate::text::sanitize::sanitize_truncated;

/// The protect lists that hold from now on.
pub(super) struct CurrentLists {
    options: PlanOptions,
    /// The changes of the run's own lists, as sentences without a full stop.
    pub(super) differences: Vec<String>,
    /// Whether IDs are compared as written, without a lookup (the run's `--no-lookup`).
    pub(super) no_lookup: bool,
}

/// The users that may not be revoked, although the plan has them.
#[derive(Default)]
pub(super) struct ProtectListCheck {
    /// The targets' numbers, each with the reason.
    pub(super) protected: BTreeMap<TargetNo, String>,
    /// The tenants in which users can't be compared with the lists, each with the reason.
    pub(super) blocked_tenants: BTreeMap<TenantIndex, String>,
}

impl CurrentLists {
    /// Finds the lists. `flags` are those of this command line, `profile` those of its profile and of the run's.
    ///
    /// # Errors
    /// When a list of the run is missing or can't be read in full, and no list of `flags` or `profile` replaces it.
    pub(super) fn find(
        record: &RunRecord,
        flags: &[String],
        profile: &[String],
    ) -> Result<CurrentLists, Error> {
        let had = record.settings.protect.clone().unwrap_or_default();
        let eligible = had.eligible;
        let given: Vec<ProtectEntry> =
            flags.iter().chain(profile).map(|text| ProtectEntry::new(text, eligible)).collect();
        let (mut protect, mut changed) = (Vec::new(), Vec::new());
        for entry in &had.entries {
            let listed = ListEntry::parse(&entry.entry, eligible);
            if let Some(path) = entry.file(eligible) {
                let shown = sanitize_truncated(&path.display().to_string(), 200);
                match sha256_of_regular_file(&path) {
                    Ok(sha256) if Some(&sha256) == entry.sha256.as_ref() => {}
                    Ok(_) => {
                        changed.push(format!("the protect list {shown} was changed after the run began"))
                    }
                    Err(error) => match given.iter().find(|one| replaces_list(one, entry, eligible)) {
                        Some(one) if one.sha256 == entry.sha256 => continue,
                        Some(one) => {
                            let now = sanitize_truncated(&one.entry, 200);
                            changed.push(format!("the protect list {now} replaces {shown}"));
                            continue;
                        }
                        None => return Err(missing_list_error(&path, &error.to_string())),
                    },
                }
                // The file's content is not shown, because the folder that names it may come from another person.
                listed.check_readable(PROTECT_LIST).map_err(|_| unreadable_list_error(&shown))?;
            }
            protect.push(listed);
        }
        protect.extend(given.iter().map(|one| ListEntry::parse(&one.entry, eligible)));
        let unprotect = had.unprotect.iter().map(|id| {
            id.parse().map_err(|why| Error::Usage(format!("run.json: --unprotect: not a user ID: {why}")))
        });
        let options = PlanOptions {
            protect,
            protect_always: flags.iter().map(|text| ListEntry::parse(text, eligible)).collect(),
            unprotect: unprotect.collect::<Result<_, _>>()?,
            allow_unused_unprotect: true,
            allow_empty: had.allow_empty,
            ..PlanOptions::default()
        };
        Ok(CurrentLists { options, differences: changed, no_lookup: had.no_lookup })
    }

    /// Compares the users that are left with the lists, as a new plan would. The person who started the run may revoke
    /// themselves, as the plan says (`same_person`).
    ///
    /// # Errors
    /// When a list can't be resolved in full.
    pub(super) async fn recheck(
        mut self,
        folder: &RunFolder,
        record: &RunRecord,
        left: &HashSet<TargetNo>,
        tenants: &PlanTenants<'_, Directory>,
        same_person: bool,
    ) -> Result<ProtectListCheck, Error> {
        if self.options.protect.is_empty() || left.is_empty() {
            return Ok(ProtectListCheck::default());
        }
        self.options.include_self = same_person;
        let rows = PlanReader::open(folder.dir(), &record.plan.sha256)?;
        let rows = rows.filter(|row| match row {
            Ok(row) => row.order().is_some_and(|order| left.contains(&order)),
            Err(_) => true,
        });
        let draft =
            Draft::build_with_progress(InputRows::from_plan_targets(rows)?, &self.options, tenants, &|_| {})
                .await?;
        let closed = draft.closed_tenants().clone();
        Ok(ProtectListCheck {
            protected: draft.currently_protected()?.into_iter().collect(),
            blocked_tenants: closed,
        })
    }
}

/// Whether a list that is given now replaces a list of the run: it has the same content or the same file name.
fn replaces_list(given: &ProtectEntry, had: &ProtectEntry, eligible: bool) -> bool {
    let name =
        |entry: &ProtectEntry| entry.file(eligible).and_then(|path| Some(path.file_name()?.to_owned()));
    let same_text = given.sha256.is_some() && given.sha256 == had.sha256;
    same_text || (name(given).is_some() && name(given) == name(had))
}

fn missing_list_error(path: &Path, why: &str) -> Error {
    let shown = sanitize_truncated(&path.display().to_string(), 200);
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let name = sanitize_truncated(&name, 80);
    Error::Usage(format!(
        "the protect list {shown}, which the run was started with, can't be read: {why}. Nothing was revoked. \
         Put it back, or give its new location (--protect FILE): a file named {name}, or one with the same \
         content, replaces it"
    ))
}

fn unreadable_list_error(shown: &str) -> Error {
    Error::Usage(format!(
        "the protect list {shown}, which the run was started with, can no longer be read in full. Nothing was \
         revoked. `entra-revoke doctor --protect FILE` shows what is wrong with it"
    ))
}

/// The protect lists of the profile that is named now, and of the profile that the run was started with, as they are in
/// the config file of this account. With `--profile none` there are none.
pub(super) fn lists_from_profiles(
    record: &RunRecord,
    args: &ProfileArgs,
    chosen: Option<&ChosenProfile>,
) -> Vec<String> {
    if args.profile.as_deref() == Some(NO_PROFILE) {
        return Vec::new();
    }
    let mut lists = chosen.map(|chosen| chosen.profile().protect.clone()).unwrap_or_default();
    let other = record.profile.as_ref().map(|used| &used.name);
    let Some(name) = other.filter(|name| chosen.is_none_or(|chosen| chosen.profile().name != **name)) else {
        return lists;
    };
    match ConfigFile::find(&ConfigLocation::find(args.config.as_deref())) {
        Ok(Some(config)) => match config.profile(name) {
            Ok(profile) => lists.extend(
                profile.protect.iter().filter(|list| !lists.contains(list)).cloned().collect::<Vec<_>>(),
            ),
            Err(_) => warn_missing_profile(name),
        },
        _ => warn_missing_profile(name),
    }
    lists
}

fn warn_missing_profile(name: &str) {
    let name = sanitize_truncated(name, 60);
    console::print_status(&format!(
        "note: the profile {name}, which the run was started with, is not in a config file here: its protect \
         lists apply as they were then"
    ));
}
