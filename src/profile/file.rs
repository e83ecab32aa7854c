//! The config file, read as a whole: whatever is wrong in it is told at once, by line, and nothing of it is used.

use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::{ConfigField, kind};
use super::within::Section;
use super::{ConfigLocation, NONE, Profile, ProfileError, ProfileProblem, keys, secrets};
use crate::files::{self, FileError, PipePolicy};
use crate::text::sanitize::sanitize_truncated;
use crate::text::suggest::nearest;

/// No config file is longer than this, in bytes.
const LONGEST: u64 = 1 << 20;

/// A config file's contents.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// Its path.
    pub path: PathBuf,
    /// `default_profile`.
    pub default: Option<String>,
    /// The profiles, as they stand in the file.
    pub profiles: Vec<Profile>,
}

impl ConfigFile {
    /// Reads the config file that lies there; none where there is no file and nobody named one.
    ///
    /// # Errors
    /// When it is wrong, or others may change it: they would choose where secrets go, and who is protected.
    pub fn find(place: &ConfigLocation) -> Result<Option<ConfigFile>, ProfileError> {
        ConfigFile::read(place, |path| {
            files::read_secret(path, LONGEST, PipePolicy::Open).map(|bytes| bytes.to_vec())
        })
    }

    /// The same for looking at it only: whoever may change it. [`super::exposed`] tells.
    ///
    /// # Errors
    /// When it is wrong.
    pub fn examine(place: &ConfigLocation) -> Result<Option<ConfigFile>, ProfileError> {
        ConfigFile::read(place, |path| files::read(path, LONGEST))
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
            Err(FileError::TooLong(_)) => Err(unreadable("it is far too long for a config file".to_owned())),
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
        let text = std::str::from_utf8(bytes).map_err(|_| unreadable("it is no UTF-8"))?;
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
            false => Err(ProfileError::Wrong { path: path.to_owned(), problems }),
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

/// Which profile may be meant, or which there are.
fn hint(name: &str, names: &[&str]) -> String {
    match nearest(name, names.iter().copied()) {
        _ if names.is_empty() => "; it has none at all".to_owned(),
        Some(near) => format!(": did you mean {near}?"),
        None => format!("; it has {}", names.join(", ")),
    }
}

/// A file that is being read, and what was found wrong so far.
pub(super) struct ConfigReader<'a> {
    text: &'a str,
    folder: &'a Path,
    /// Whether it has a profile, or names one.
    is_config: bool,
    problems: Vec<ProfileProblem>,
}

impl<'a> ConfigReader<'a> {
    fn file(&mut self) -> (Option<String>, Vec<Profile>) {
        let table = match DeTable::parse(self.text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                // Not the error's own words: they show what stands there, and it may be any file, with a secret in it.
                let at = error.span().map_or(0, |span| span.start);
                self.wrong(at, "this is no TOML".to_owned());
                return (None, Vec::new());
            }
        };
        let (mut default, mut profiles) = (None, Vec::new());
        let is_own = |key: &str| ["profile", "default_profile", "default-profile"].contains(&key);
        self.is_config = table.keys().any(|key| is_own(key.get_ref()));
        for (key, value) in by_place(&table) {
            let at = key.span().start;
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("default_profile" | "default-profile", DeValue::String(name)) => {
                    default = Some((at, name.to_string()));
                }
                ("default_profile" | "default-profile", other) => {
                    self.wrong(at, format!("default_profile is {}, not a profile's name", kind(other)));
                }
                ("profile", DeValue::Table(tables)) => profiles = self.profiles(tables),
                ("profile", other) => {
                    self.wrong(
                        at,
                        format!("profile is {}; a profile begins with [profile.NAME]", kind(other)),
                    );
                }
                (unknown, _) => self.unknown_above(at, unknown, value),
            }
        }
        self.resolve_inherited(&mut profiles);
        (self.default(default, &profiles), profiles)
    }

    /// `default_profile` must name a profile, or none.
    fn default(&mut self, default: Option<(usize, String)>, profiles: &[Profile]) -> Option<String> {
        let (at, name) = default.filter(|(_, name)| name != NONE)?;
        // Where a profile is wrong, that is told already.
        if self.problems.is_empty() && !profiles.iter().any(|profile| profile.name == name) {
            let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
            let shown = sanitize_truncated(&name, 60);
            self.wrong(at, format!("default_profile: there is no profile {shown}{}", hint(&name, &names)));
        }
        Some(name)
    }

    fn profiles(&mut self, tables: &DeTable<'a>) -> Vec<Profile> {
        let mut profiles = Vec::new();
        for (name, value) in by_place(tables) {
            let (at, name) = (name.span().start, name.get_ref());
            match value.get_ref() {
                _ if !is_name(name) => {
                    let what = "is no name for a profile: use letters, digits, '-', '_' and '.'";
                    self.wrong(at, format!("{} {what}", display_key(name)));
                }
                _ if name == NONE => {
                    self.wrong(at, format!("a profile can't be called {NONE}: that word means no profile"));
                }
                DeValue::Table(table) => profiles.push(self.profile(name, table)),
                other => {
                    let name = display_key(name);
                    self.wrong(
                        at,
                        format!("profile.{name} is {}; a profile begins with [profile.{name}]", kind(other)),
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
        for (key, value) in by_place(table) {
            match key.get_ref().as_ref() {
                keys::APPS => profile.apps = self.apps(name, value),
                keys::TENANTS => profile.tenants = self.tenants(name, value),
                _ => self.key((key, value), &mut profile, &mut seen, &Section::Profile(&place)),
            }
        }
        profile
    }

    /// Takes one key of a profile, or of a further app in it.
    pub(super) fn key(
        &mut self,
        (key, value): ProfileEntry<'_, 'a>,
        profile: &mut Profile,
        seen: &mut Vec<&'static str>,
        within: &Section<'_>,
    ) {
        let at = key.span().start;
        let found = within.find(key.get_ref());
        let place = within.place();
        if self.holds_secret(key.get_ref(), found.is_some(), value, within) {
            return;
        }
        let Some(found) = found else {
            let advice = within.advice(&keys::plain(key.get_ref()));
            self.wrong(at, format!("there is no key {}{place}: {advice}", display_key(key.get_ref())));
            return;
        };
        let name = found.name;
        if seen.contains(&name) {
            self.wrong(at, format!("{name} stands twice{place}"));
        }
        seen.push(name);
        if let Err(why) = (found.take)(profile, &ConfigField { value, folder: self.folder }) {
            let why = sanitize_truncated(&why, 300);
            self.wrong(
                value.span().start,
                format!("{name}{place}: {why}; write for instance {name} = {}", found.example),
            );
        }
    }

    /// A key that has no place outside of profiles.
    fn unknown_above(&mut self, at: usize, key: &str, value: &Spanned<DeValue<'a>>) {
        let within = Section::Top;
        let place = within.place();
        if self.holds_secret(key, keys::find(key).is_some(), value, &within) {
            return;
        }
        let advice = match value.get_ref() {
            _ if key == keys::APPS => "an app belongs into a profile: [[profile.NAME.app]]".to_owned(),
            _ if keys::find(key).is_some() => "it belongs into a profile, below [profile.NAME]".to_owned(),
            _ => match nearest(key, ["default_profile", "profile"]) {
                Some(meant) => format!("did you mean {meant}?"),
                None if value.get_ref().is_table() => {
                    format!("a profile begins with [profile.{}]", display_key(key))
                }
                None => "only default_profile stands there".to_owned(),
            },
        };
        // A file without a profile may be any file: of that, only what may be a profile's header is shown.
        let named = match self.is_config || value.get_ref().is_table() {
            true => format!("no key {}", display_key(key)),
            false => "no such key".to_owned(),
        };
        self.wrong(at, format!("there is {named}{place}: {advice}"));
    }

    /// Whether a key is one for a secret, or something in its value looks like one: that is told, without the value.
    fn holds_secret(
        &mut self,
        key: &str,
        known: bool,
        value: &Spanned<DeValue<'a>>,
        within: &Section<'_>,
    ) -> bool {
        let line_of = value.span().start;
        let place = within.place();
        if let Some(instead) = secrets::by_key(&keys::plain(key)).filter(|_| !known) {
            let (key, instead) = (display_key(key), within.instead(instead));
            self.wrong(line_of, format!("{key}{place}: no secret may stand in a config file; {instead}"));
            return true;
        }
        let in_key = secrets::by_value(key).map(|(what, instead)| (line_of, what, instead));
        let Some((at, looks_like, instead)) = in_key.or_else(|| secret_in(value)) else { return false };
        let (key, instead) = (display_key(key), within.instead(instead));
        self.wrong(
            at,
            format!("{key}{place} looks like {looks_like}: no secret may stand in a config file; {instead}"),
        );
        true
    }

    /// How much is wrong so far.
    pub(super) fn problem_count(&self) -> usize {
        self.problems.len()
    }

    pub(super) fn wrong(&mut self, at: usize, what: String) {
        let line = self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        self.problems.push(ProfileProblem { line, what });
    }
}

/// A key with its value.
pub(super) type ProfileEntry<'t, 'a> = (&'t Spanned<toml::de::DeString<'a>>, &'t Spanned<DeValue<'a>>);

/// The entries in the file's order.
pub(super) fn by_place<'t, 'a>(table: &'t DeTable<'a>) -> Vec<ProfileEntry<'t, 'a>> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// The first text in a value, or in a key below it, that looks like a secret, and where it stands.
fn secret_in(value: &Spanned<DeValue<'_>>) -> Option<(usize, &'static str, &'static str)> {
    match value.get_ref() {
        DeValue::String(text) => {
            secrets::by_value(text).map(|(what, instead)| (value.span().start, what, instead))
        }
        DeValue::Array(items) => items.iter().find_map(secret_in),
        DeValue::Table(table) => table.iter().find_map(|(key, value)| {
            let by_key = secrets::by_key(&keys::plain(key.get_ref()));
            let found = by_key.map(|instead| (key.span().start, "a secret", instead));
            found.or_else(|| secret_in(value))
        }),
        _ => None,
    }
}

/// A key for a message; one that looks like a secret itself is not shown.
pub(super) fn display_key(key: &str) -> String {
    if secrets::by_value(key).is_some() { "(hidden)".to_owned() } else { sanitize_truncated(key, 60) }
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
        /// Whatever is in the file, what is said of it names lines of it and shows nothing of what is told to be a
        /// secret.
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
            let ProfileError::Wrong { problems, .. } = error else { panic!("{error}") };
            let lines = text.lines().count() + 1;
            prop_assert!(problems.iter().all(|problem| (1..=lines).contains(&problem.line)));
        }

        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>) {
            let _ = ConfigFile::parse(Path::new("c.toml"), &bytes);
        }
    }
}
