//! The flags that `resume` needs in addition to the folder, which has no credentials and no trusted addresses.

use std::path::{Path, PathBuf};

use crate::identity::{AdditionalApp, Auth, CredentialSources, Endpoint};
use crate::journal::RunRecord;
use crate::profile::{ConfigLocation, NO_PROFILE};
use crate::settings::NetworkSettings;
use crate::settings::chosen_profile::ChosenProfile;
use crate::shell;

/// Flags, quoted for a shell.
#[derive(Clone, Debug, Default)]
pub(super) struct ResumeFlags {
    words: Vec<String>,
}

impl ResumeFlags {
    /// The flags for the sign-in and the network of this process.
    pub(super) fn new(
        sources: &CredentialSources,
        network: &NetworkSettings,
        profile: Option<&ChosenProfile>,
        further: &[AdditionalApp],
    ) -> ResumeFlags {
        let mut flags = ResumeFlags::default();
        let profile_settings = profile.map(ChosenProfile::profile);
        if let Some(chosen) = profile {
            flags.add_profile(&chosen.profile().name, &chosen.record().config);
        }
        if profile_settings.is_none_or(|profile| profile.sources != *sources) {
            flags.add_sources(sources);
        }
        match profile_settings.filter(|profile| !profile.apps.is_empty() && further.is_empty()) {
            Some(_) => flags.add("--app", NO_PROFILE),
            None => flags.add_apps(further),
        }
        if profile_settings.is_none_or(|profile| profile.ca_cert != network.ca_cert) {
            flags.add_path("--ca-cert", network.ca_cert.as_ref());
        }
        flags.add_optional("--graph-url", network.graph_url.as_ref().map(Endpoint::as_str));
        flags.add_optional("--authority-url", network.authority_url.as_ref().map(Endpoint::as_str));
        network.connect_to.iter().for_each(|to| flags.add("--connect-to", &to.to_string()));
        flags
    }

    /// The flags from a run's folder. The folder may come from another person, so an address or a certificate authority
    /// is only a placeholder, which the reader must fill in.
    pub(super) fn from_record(record: &RunRecord) -> ResumeFlags {
        let mut flags = ResumeFlags::default();
        if record.drill.is_some() {
            return flags;
        }
        let settings = &record.settings;
        if let Some(profile) = &record.profile {
            flags.add_profile(&profile.name, &profile.config);
        }
        flags.add_sources(&settings.sources);
        flags.add_apps(&settings.further);
        if settings.ca_cert.is_some() {
            flags.add("--ca-cert", "FILE");
        }
        for (flag, url) in
            [("--graph-url", &settings.graph_url), ("--authority-url", &settings.authority_url)]
        {
            let known = url.as_ref().and_then(|url| url.parse::<Endpoint>().ok());
            match known.filter(Endpoint::is_loopback) {
                Some(url) => flags.add_optional(flag, Some(url.as_str())),
                None => flags.add_optional(flag, url.as_ref().map(|_| "URL")),
            }
        }
        flags
    }

    /// The command that resumes the run.
    pub(super) fn command(&self, folder: &Path) -> String {
        let words = self.words.iter().map(String::as_str);
        let command = ["entra-revoke resume".to_owned(), shell::path(folder)];
        command.iter().map(String::as_str).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// The command that runs `remaining.csv` after its rows were corrected, with the protect lists of the run.
    pub(super) fn command_for_remaining(&self, remaining: &Path, record: &RunRecord) -> String {
        let mut flags = self.clone();
        for entry in record.settings.protect.iter().flat_map(|protect| &protect.entries) {
            flags.add("--protect", &entry.entry);
        }
        if let Some(case_id) = &record.case_id {
            flags.add("--case-id", case_id);
        }
        let words = flags.words.iter().map(String::as_str);
        let command = ["entra-revoke run".to_owned(), shell::path(remaining)];
        command.iter().map(String::as_str).chain(words).collect::<Vec<_>>().join(" ")
    }

    fn add_profile(&mut self, name: &str, config: &Path) {
        self.add("--profile", name);
        if ConfigLocation::find(None).path.as_deref() != Some(config) {
            self.add_path("--config", Some(&config.to_owned()));
        }
    }

    fn add_sources(&mut self, sources: &CredentialSources) {
        if let Some(auth) = sources.auth.filter(|auth| *auth != Auth::Auto) {
            self.add("--auth", auth.word());
        }
        for (flag, path) in [
            ("--token-file", &sources.token_file),
            ("--client-secret-file", &sources.client_secret_file),
            ("--certificate-file", &sources.certificate_file),
            ("--certificate-key-file", &sources.certificate_key_file),
            ("--certificate-password-file", &sources.certificate_password_file),
            ("--federated-token-file", &sources.federated_token_file),
        ] {
            self.add_path(flag, path.as_ref());
        }
        self.add_optional("--service-connection", sources.service_connection.as_deref());
        self.add_optional("--identity", sources.identity.as_deref());
    }

    /// Adds the further apps that have their own profile. Apps that a profile lists come with that profile.
    fn add_apps(&mut self, further: &[AdditionalApp]) {
        for name in further.iter().filter_map(|app| app.name.strip_prefix("profile ")) {
            self.add("--app", name);
        }
    }

    fn add_path(&mut self, flag: &str, path: Option<&PathBuf>) {
        if let Some(path) = path {
            self.words.extend([flag.to_owned(), shell::path(path)]);
        }
    }

    fn add_optional(&mut self, flag: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.add(flag, text);
        }
    }

    fn add(&mut self, flag: &str, text: &str) {
        self.words.extend([flag.to_owned(), shell::word(text)]);
    }
}
