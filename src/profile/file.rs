//! Reading the config file. All errors are reported together, by line, and a file with an error is not used.

use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::section::Section;
use super::value::{ConfigField, type_name};
use super::{ConfigLocation, NO_PROFILE, Profile, ProfileError, ProfileProblem, keys, secrets};
use crate::files::{self, FileError, PipePolicy};
use crate::text::sanitize::sanitize_truncated;
use crate::text::suggest::nearest;

/// Longest config file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A config file's contents.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// Its path.
    pub path: PathBuf,
    /// `default_profile`.
    pub default: Option<String>,
    /// The profiles, in the order of the file.
    pub profiles: Vec<Profile>,
}

impl ConfigFile {
    /// Reads the config file; `None` if there is no file at the default location and none was named.
    ///
    /// # Errors
    /// If it is invalid, or if other accounts may change it and so decide where secrets are sent and who is protected.
    pub fn find(place: &ConfigLocation) -> Result<Option<ConfigFile>, ProfileError> {
        ConfigFile::read(place, |path| {
            files::read_secret(path, MAX_FILE_BYTES, PipePolicy::Open).map(|bytes| bytes.to_vec())
        })
    }

    /// Reads the config file only to show or check it, even if other accounts may change it. [`super::exposed`] reports
    /// that.
    ///
    /// # Errors
    /// If it is invalid.
    pub fn read_for_display(place: &ConfigLocation) -> Result<Option<ConfigFile>, ProfileError> {
        ConfigFile::read(place, |path| files::read(path, MAX_FILE_BYTES))
    }

    fn read(
        place: &ConfigLocation,
        bytes: impl Fn(&Path) -> Result<Vec<u8>, FileError>,
    ) -> Result<Option<ConfigFile>, ProfileError> {
        let Some(path) = &place.path else { return Ok(None) };
        let unreadable = |reason: String| ProfileError::Unreadable { path: path.clone(), reason };
        match bytes(path) {
            Ok(bytes) => ConfigFile::parse(path, &bytes).map(Some),
            Err(FileError::Io(error)) if error.kind() == io::ErrorKind::NotFound && !place.named => Ok(None),
            Err(FileError::TooLong(_)) => Err(unreadable("it is too long for a config file".to_owned())),
            Err(error @ FileError::Distrust(_)) => Err(ProfileError::Insecure(error.to_string())),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<ConfigFile, ProfileError> {
        let unreadable = |reason: &str| ProfileError::Unreadable {
            path: path.to_owned(),
            reason: format!("{reason}; save it as UTF-8"),
        };
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(unreadable("it is UTF-16"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reading = ConfigReader {
            text,
            folder: path.parent().unwrap_or(Path::new("")),
            is_config: false,
            problems: Vec::new(),
        };
        let (default, profiles) = reading.file();
        let mut problems = reading.problems;
        problems.sort_by_key(|problem| problem.line);
        match problems.is_empty() {
            true => Ok(ConfigFile { path: path.to_owned(), default, profiles }),
            false => Err(ProfileError::Invalid { path: path.to_owned(), problems }),
        }
    }

    /// The profile of this name.
    pub fn profile(&self, name: &str) -> Result<&Profile, ProfileError> {
        self.profiles.iter().find(|profile| profile.name == name).ok_or_else(|| ProfileError::NoSuch {
            name: sanitize_truncated(name, 60),
            path: self.path.clone(),
            hint: hint(name, &self.names()),
        })
    }

    /// The profiles' names.
    pub fn names(&self) -> Vec<&str> {
        self.profiles.iter().map(|profile| profile.name.as_str()).collect()
    }
}

/// The profile that may be intended, or all profiles.
fn hint(name: &str, names: &[&str]) -> String {
    match nearest(name, names.iter().copied()) {
        _ if names.is_empty() => "; the file has no profiles".to_owned(),
        Some(near) => format!(": did you mean {near}?"),
        None => format!("; the file has {}", names.join(", ")),
    }
}

/// Reads a config file and collects the problems.
pub(super) struct ConfigReader<'a> {
    text: &'a str,
    folder: &'a Path,
    /// Whether the file has a profile or names one, so that it is surely a config file.
    is_config: bool,
    problems: Vec<ProfileProblem>,
}

impl<'a> ConfigReader<'a> {
    fn file(&mut self) -> (Option<String>, Vec<Profile>) {
        let table = match DeTable::parse(self.text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                // The error's own text is not shown: it quotes the file, which may be any file and contain a secret.
                let at = error.span().map_or(0, |span| span.start);
                self.report(at, "this is not TOML".to_owned());
                return (None, Vec::new());
            }
        };
        let (mut default, mut profiles) = (None, Vec::new());
        let is_own = |key: &str| ["profile", "default_profile", "default-profile"].contains(&key);
        self.is_config = table.keys().any(|key| is_own(key.get_ref()));
        for (key, value) in in_file_order(&table) {
            let at = key.span().start;
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("default_profile" | "default-profile", DeValue::String(name)) => {
                    default = Some((at, name.to_string()));
                }
                ("default_profile" | "default-profile", other) => {
                    let what = type_name(other);
                    self.report(at, format!("default_profile must be the name of a profile, not {what}"));
                }
                ("profile", DeValue::Table(tables)) => profiles = self.profiles(tables),
                ("profile", other) => {
                    let right = "begin each profile with [profile.NAME]";
                    self.report(at, format!("profile must be a table, not {}: {right}", type_name(other)));
                }
                (unknown, _) => self.report_unknown_top_level_key(at, unknown, value),
            }
        }
        self.resolve_inherited(&mut profiles);
        (self.default(default, &profiles), profiles)
    }

    /// Checks that `default_profile` names a profile; `none` means no default.
    fn default(&mut self, default: Option<(usize, String)>, profiles: &[Profile]) -> Option<String> {
        let (at, name) = default.filter(|(_, name)| name != NO_PROFILE)?;
        // If a profile has problems, those are already reported.
        if self.problems.is_empty() && !profiles.iter().any(|profile| profile.name == name) {
            let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
            let shown = sanitize_truncated(&name, 60);
            self.report(at, format!("default_profile: there is no profile {shown}{}", hint(&name, &names)));
        }
        Some(name)
    }

    fn profiles(&mut self, tables: &DeTable<'a>) -> Vec<Profile> {
        let mut profiles = Vec::new();
        for (name, value) in in_file_order(tables) {
            let (at, name) = (name.span().start, name.get_ref());
            match value.get_ref() {
                _ if !is_name(name) => {
                    let what = "is not a valid profile name: use letters, digits, '-', '_' and '.'";
                    self.report(at, format!("{} {what}", display_key(name)));
                }
                _ if name == NO_PROFILE => {
                    self.report(
                        at,
                        format!("a profile can't be named {NO_PROFILE}, because that means no profile"),
                    );
                }
                DeValue::Table(table) => profiles.push(self.profile(name, table)),
                other => {
                    let name = display_key(name);
                    let right = format!("begin the profile with [profile.{name}]");
                    self.report(
                        at,
                        format!("profile.{name} must be a table, not {}: {right}", type_name(other)),
                    );
                }
            }
        }
        profiles
    }

    fn profile(&mut self, name: &str, table: &DeTable<'a>) -> Profile {
        let mut profile = Profile { name: name.to_owned(), ..Profile::default() };
        let place = format!(" in profile {name}");
        let mut seen = Vec::new();
        for (key, value) in in_file_order(table) {
            match key.get_ref().as_ref() {
                keys::APPS => profile.apps = self.apps(name, value),
                keys::TENANTS => profile.tenants = self.tenants(name, value),
                _ => self.key((key, value), &mut profile, &mut seen, &Section::Profile(&place)),
            }
        }
        profile
    }

    /// Reads one key of a profile, or of an app or tenant in it.
    pub(super) fn key(
        &mut self,
        (key, value): ProfileEntry<'_, 'a>,
        profile: &mut Profile,
        seen: &mut Vec<&'static str>,
        within: &Section<'_>,
    ) {
        let at = key.span().start;
        let found = within.find(key.get_ref());
        let place = within.label();
        if self.reject_secret(key.get_ref(), found.is_some(), value, within) {
            return;
        }
        let Some(found) = found else {
            let advice = within.advice(&keys::normalize(key.get_ref()));
            self.report(at, format!("unknown key {}{place}: {advice}", display_key(key.get_ref())));
            return;
        };
        let name = found.name;
        if seen.contains(&name) {
            self.report(at, format!("{name} occurs twice{place}"));
        }
        seen.push(name);
        if let Err(why) = (found.set)(profile, &ConfigField { value, folder: self.folder }) {
            let why = sanitize_truncated(&why, 300);
            self.report(
                value.span().start,
                format!("{name}{place}: {why}; for example, write {name} = {}", found.example),
            );
        }
    }

    /// Reports a key at the top level that is not allowed there.
    fn report_unknown_top_level_key(&mut self, at: usize, key: &str, value: &Spanned<DeValue<'a>>) {
        let within = Section::Top;
        let place = within.label();
        if self.reject_secret(key, keys::find(key).is_some(), value, &within) {
            return;
        }
        let advice = match value.get_ref() {
            _ if key == keys::APPS => "an app belongs in a profile: [[profile.NAME.app]]".to_owned(),
            _ if keys::find(key).is_some() => "it belongs in a profile, below [profile.NAME]".to_owned(),
            _ => match nearest(key, ["default_profile", "profile"]) {
                Some(meant) => format!("did you mean {meant}?"),
                None if value.get_ref().is_table() => {
                    format!("to add a profile, begin it with [profile.{}]", display_key(key))
                }
                None => "only default_profile and profiles are allowed there".to_owned(),
            },
        };
        // A file without a profile may be any file, so only a possible profile header is quoted from it.
        let name = match self.is_config || value.get_ref().is_table() {
            true => format!(" {}", display_key(key)),
            false => String::new(),
        };
        self.report(at, format!("unknown key{name}{place}: {advice}"));
    }

    /// Whether a key is for a secret, or something in its value looks like a secret. If so, it is reported without the
    /// value.
    fn reject_secret(
        &mut self,
        key: &str,
        known: bool,
        value: &Spanned<DeValue<'a>>,
        within: &Section<'_>,
    ) -> bool {
        let line_of = value.span().start;
        let place = within.label();
        if let Some(instead) = secrets::advice_for_key(&keys::normalize(key)).filter(|_| !known) {
            let (key, instead) = (display_key(key), within.instead(instead));
            self.report(
                line_of,
                format!("{key}{place}: secrets are not allowed in a config file; {instead}"),
            );
            return true;
        }
        let in_key = secrets::detect_secret(key).map(|(what, instead)| (line_of, what, instead));
        let Some((at, looks_like, instead)) = in_key.or_else(|| find_secret(value)) else { return false };
        let (key, instead) = (display_key(key), within.instead(instead));
        self.report(
            at,
            format!(
                "{key}{place} looks like {looks_like}: secrets are not allowed in a config file; {instead}"
            ),
        );
        true
    }

    /// The number of problems so far.
    pub(super) fn problem_count(&self) -> usize {
        self.problems.len()
    }

    /// Reports a problem on the line of the byte offset `at`.
    pub(super) fn report(&mut self, at: usize, what: String) {
        let line = self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        self.problems.push(ProfileProblem { line, what });
    }
}

/// A key with its value.
pub(super) type ProfileEntry<'t, 'a> = (&'t Spanned<toml::de::DeString<'a>>, &'t Spanned<DeValue<'a>>);

/// The entries in the order of the file.
pub(super) fn in_file_order<'t, 'a>(table: &'t DeTable<'a>) -> Vec<ProfileEntry<'t, 'a>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The first text in a value, or in a key below it, that looks like a secret: its offset, its kind, and what to do
/// instead.
fn find_secret(value: &Spanned<DeValue<'_>>) -> Option<(usize, &'static str, &'static str)> {
    match value.get_ref() {
        DeValue::String(text) => {
            secrets::detect_secret(text).map(|(what, instead)| (value.span().start, what, instead))
        }
        DeValue::Array(items) => items.iter().find_map(find_secret),
        DeValue::Table(table) => table.iter().find_map(|(key, value)| {
            let by_key = secrets::advice_for_key(&keys::normalize(key.get_ref()));
            let found = by_key.map(|instead| (key.span().start, "a secret", instead));
            found.or_else(|| find_secret(value))
        }),
        _ => None,
    }
}

/// A key for a message; a key that looks like a secret is hidden.
pub(super) fn display_key(key: &str) -> String {
    if secrets::detect_secret(key).is_some() { "(hidden)".to_owned() } else { sanitize_truncated(key, 60) }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && name.chars().count() <= 60 && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// For any text in the file, the messages name valid lines and never show a secret.
        #[test]
        fn no_text_shows_its_secret(
            before in "[a-z_=\\[\\]{}'\",.# \n]{0,40}",
            key in "(client_|access-|x_)?(secret|token|password)",
            equals in "( = | |=\\[|\\.)",
            quote in "['\"]{0,3}",
            after in "[a-z=\\[\\]{}'\",. \n\\\\]{0,20}",
        ) {
            let text = format!("{before}\n[profile.c]\n{key}{equals}{quote}CANARY{quote}{after}");
            let error = ConfigFile::parse(Path::new("c.toml"), text.as_bytes()).unwrap_err();
            prop_assert!(!error.to_string().contains("CANARY"), "{error}");
            let ProfileError::Invalid { problems, .. } = error else { panic!("{error}") };
            let lines = text.lines().count() + 1;
            prop_assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)));
        }

        #[test]
        fn any_bytes_are_parsed_without_a_panic(bytes: Vec<u8>) {
            let _ = ConfigFile::parse(Path::new("c.toml"), &bytes);
        }
    }
}
