//! The profile of a command. It fills in arguments that neither a flag nor the environment sets, and they then work as
//! if they had been passed.
//!
//! Lists of users to protect or exclude are combined, never replaced. Like a flag, the profile's credential takes
//! precedence over credentials in the environment.

use crate::cli::{
    ApplyArgs, CommonRunArgs, DoctorArgs, EvidenceArgs, LimitArgs, NetworkArgs, ProfileArgs, SendingArgs,
    SignInArgs,
};
use crate::dispatch::Jobs;
use crate::error::Error;
use crate::identity::{Auth, EnvLookup};
use crate::journal::ProfileRecord;
use crate::profile::{self, ConfigFile, ConfigLocation, Profile, ProfileError};

use super::SignInSettings;

/// The variable that names the profile.
const VARIABLE: &str = "ENTRA_REVOKE_PROFILE";

/// The profile that a command uses.
#[derive(Clone, Debug)]
pub struct ChosenProfile {
    profile: Profile,
    config: std::path::PathBuf,
    /// Whether it was named on the command line or in the environment; otherwise it is the file's default.
    named: bool,
}

/// The profile of a `run`: the named one, or the config file's default. With [`profile::NO_PROFILE`] there is no
/// profile, and
/// no file is read.
pub fn choose(args: &ProfileArgs) -> Result<Option<ChosenProfile>, ProfileError> {
    let variable = || std::env::var_os(VARIABLE).map(|name| name.to_string_lossy().trim().to_owned());
    let named = args.profile.clone().or_else(variable).filter(|name| !name.is_empty());
    match named {
        Some(name) => named_in(args, &name),
        None => default_of(args),
    }
}

/// The profile of a `resume` or a `drill`: only the one that a flag names.
pub fn choose_named(args: &ProfileArgs) -> Result<Option<ChosenProfile>, ProfileError> {
    match (&args.profile, &args.config) {
        (Some(name), _) => named_in(args, name),
        (None, Some(path)) => Err(ProfileError::NotChosen { path: path.clone(), hint: "" }),
        (None, None) => Ok(None),
    }
}

fn named_in(args: &ProfileArgs, name: &str) -> Result<Option<ChosenProfile>, ProfileError> {
    if name == profile::NO_PROFILE {
        return Ok(None);
    }
    let config = config(args)?;
    let profile = config.profile(name)?.clone();
    Ok(Some(ChosenProfile { profile, config: config.path, named: true }))
}

fn default_of(args: &ProfileArgs) -> Result<Option<ChosenProfile>, ProfileError> {
    let Some(config) = ConfigFile::find(&ConfigLocation::find(args.config.as_deref()))? else {
        return Ok(None);
    };
    match (&config.default, &args.config) {
        (Some(name), _) => {
            let profile = config.profile(name)?.clone();
            Ok(Some(ChosenProfile { profile, config: config.path, named: false }))
        }
        (None, Some(path)) => {
            let hint = ", or set default_profile in it";
            Err(ProfileError::NotChosen { path: path.clone(), hint })
        }
        (None, None) => Ok(None),
    }
}

/// The config file, which must exist.
pub fn config(args: &ProfileArgs) -> Result<ConfigFile, ProfileError> {
    let place = ConfigLocation::find(args.config.as_deref());
    ConfigFile::find(&place)?.ok_or(ProfileError::NoFile(place.path))
}

/// The config file, only to show or check it, even if other accounts may change it.
pub fn config_for_display(args: &ProfileArgs) -> Result<ConfigFile, ProfileError> {
    let place = ConfigLocation::find(args.config.as_deref());
    ConfigFile::read_for_display(&place)?.ok_or(ProfileError::NoFile(place.path))
}

impl ChosenProfile {
    /// A profile, as if it had been named.
    pub fn from_profile(profile: &Profile, config: &ConfigFile) -> ChosenProfile {
        ChosenProfile { profile: profile.clone(), config: config.path.clone(), named: true }
    }

    /// Fills in the sign-in settings that neither a flag nor the environment sets. Returns sentences about the
    /// profile's values that the environment overrides.
    ///
    /// # Errors
    /// If the profile was named and the environment has another tenant or app, because a variable that is left over
    /// from other work must not lead to another tenant. A flag overrides both.
    pub fn sign_in(&self, args: &mut SignInArgs, vars: EnvLookup<'_>) -> Result<Vec<String>, ProfileError> {
        let profile = &self.profile;
        let mut overruled = Vec::new();
        for (key, slot, ours, variable, flag) in [
            ("tenant", &mut args.tenant, &profile.tenant, "AZURE_TENANT_ID", "--tenant"),
            ("client_id", &mut args.client_id, &profile.client_id, "AZURE_CLIENT_ID", "--client-id"),
        ] {
            let (None, Some(ours)) = (slot.as_ref(), ours) else { continue };
            match vars(variable).filter(|theirs| !theirs.trim().eq_ignore_ascii_case(ours.trim())) {
                Some(theirs) if self.named => {
                    return Err(ProfileError::Environment {
                        profile: profile.name.clone(),
                        key,
                        ours: ours.clone(),
                        variable,
                        theirs,
                        flag,
                    });
                }
                Some(theirs) => overruled.push(format!(
                    "{variable} is {theirs} and overrides the {key} of the default profile, {ours}"
                )),
                None => *slot = Some(ours.clone()),
            }
        }
        args.cloud = args.cloud.or(profile.cloud);
        self.sources(args);
        Ok(overruled)
    }

    /// Fills in the credential. Flags for a sign-in method replace the profile's credential and are not combined with
    /// it: the password of its certificate is not that of another certificate.
    fn sources(&self, args: &mut SignInArgs) {
        let ours = self.profile.sources.clone();
        let asks_for_another = args.auth.is_some_and(|auth| auth != Auth::Auto && auth != ours.method());
        if asks_for_another || SignInSettings::new(args).sources.has_method_flag() {
            return;
        }
        args.auth = args.auth.or(ours.auth);
        for (slot, ours) in [
            (&mut args.token_file, ours.token_file),
            (&mut args.client_secret_file, ours.client_secret_file),
            (&mut args.certificate_file, ours.certificate_file),
            (&mut args.certificate_key_file, ours.certificate_key_file),
            (&mut args.certificate_password_file, ours.certificate_password_file),
            (&mut args.federated_token_file, ours.federated_token_file),
        ] {
            *slot = slot.take().or(ours);
        }
        args.service_connection = args.service_connection.take().or(ours.service_connection);
        args.identity = args.identity.take().or(ours.identity);
    }

    /// Fills in the network settings that the flags do not set.
    pub fn network(&self, args: &mut NetworkArgs) {
        args.timeout = args.timeout.or(self.profile.timeout);
        args.ca_cert = args.ca_cert.take().or_else(|| self.profile.ca_cert.clone());
    }

    /// Fills in the settings of a run that the flags do not set: protection, sending and evidence.
    pub fn fill_work(&self, args: &mut CommonRunArgs) {
        args.safety.protect.extend(self.profile.protect.iter().cloned());
        args.selection.exclude_file.extend(self.profile.exclude_file.iter().cloned());
        self.caps(&mut args.safety.caps);
        self.sending(&mut args.sending);
        self.evidence(&mut args.evidence);
    }

    /// Fills in the settings that `doctor` checks.
    pub fn examined(&self, args: &mut DoctorArgs) {
        args.protect.extend(self.profile.protect.iter().cloned());
        self.sending(&mut args.sending);
        self.evidence(&mut args.evidence);
    }

    fn sending(&self, args: &mut SendingArgs) {
        let profile = &self.profile;
        // A burst belongs to its rate, so a flag for the rate drops the profile's burst.
        args.burst = args.burst.or(profile.burst.filter(|_| args.rate.is_none()));
        args.rate = args.rate.or(profile.rate);
        args.jobs = args.jobs.or(profile.jobs.map(|jobs| Jobs::Fixed(jobs.into())));
        args.batch_size = args.batch_size.or(profile.batch_size);
        args.retries = args.retries.or(profile.retries);
        args.max_wait = args.max_wait.or(profile.max_wait);
        args.deadline = args.deadline.or(profile.deadline);
        args.halt = args.halt.or(profile.halt);
        args.max_users = args.max_users.or(profile.max_users);
        if args.accept.is_empty() {
            args.accept.clone_from(&profile.accept);
        }
    }

    /// Fills in the settings for applying a plan. The profile adds protect lists but does not choose users.
    pub fn fill_apply(&self, args: &mut ApplyArgs) {
        args.protect.extend(self.profile.protect.iter().cloned());
        // A flag adds a list and never removes the profile's.
        args.approvers.extend(self.profile.approvers.iter().cloned());
        self.caps(&mut args.caps);
        self.sending(&mut args.sending);
        self.evidence(&mut args.evidence);
    }

    /// Refuses a run without a plan, which no one can have approved, if the profile requires approval.
    ///
    /// # Errors
    /// If the profile has a list of approvers.
    pub fn refuse_unapproved(&self) -> Result<(), Error> {
        match &self.profile.approvers {
            Some(_) => Err(Error::Usage(format!(
                "profile {} requires an approver's signature: make a plan with `entra-revoke plan`, have an \
                 approver sign it, and apply it with `entra-revoke apply`. Nothing was revoked",
                self.profile.name
            ))),
            None => Ok(()),
        }
    }

    fn caps(&self, args: &mut LimitArgs) {
        args.max_share = args.max_share.or(self.profile.max_share);
    }

    fn evidence(&self, args: &mut EvidenceArgs) {
        args.case_id = args.case_id.take().or_else(|| self.profile.case_id.clone());
        args.output_dir = args.output_dir.take().or_else(|| self.profile.output_dir.clone());
    }

    /// The profile itself.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// A sentence about which profile is used.
    pub fn description(&self) -> String {
        let from = if self.named { "from" } else { "the default of" };
        format!("profile {}, {from} {}", self.profile.name, self.config.display())
    }

    /// Why other accounts can change the config file, if they can.
    pub fn exposure_reason(&self) -> Option<String> {
        profile::exposed(&self.config)
    }

    /// The record for `run.json`.
    pub fn record(&self) -> ProfileRecord {
        ProfileRecord { name: self.profile.name.clone(), config: self.config.clone() }
    }
}
