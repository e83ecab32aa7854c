//! Reads one value of a profile as the type that its key needs. Text is read by the flag's parser.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use crate::plan::ListEntry;

/// A value, and the folder for relative paths in it.
pub(super) struct ConfigField<'a> {
    pub(super) value: &'a Spanned<DeValue<'a>>,
    pub(super) folder: &'a Path,
}

impl ConfigField<'_> {
    /// Text that is not blank.
    pub(super) fn text(&self) -> Result<String, String> {
        text(self.value)
    }

    /// Text, read by a flag's parser.
    pub(super) fn read<T, E: Display>(&self, read: impl Fn(&str) -> Result<T, E>) -> Result<T, String> {
        read(&self.text()?).map_err(|error| error.to_string())
    }

    /// Text, read by the type's parser.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self) -> Result<T, String> {
        self.read(str::parse)
    }

    /// A whole number of at least `min`.
    pub(super) fn number<T: TryFrom<u64>>(&self, min: u64) -> Result<T, String> {
        let DeValue::Integer(number) = self.value.get_ref() else {
            return Err(format!("it must be a whole number, not {}", type_name(self.value.get_ref())));
        };
        let number = u64::from_str_radix(number.as_str(), number.radix()).ok();
        let fits = number.filter(|number| *number >= min).and_then(|number| T::try_from(number).ok());
        fits.ok_or_else(|| format!("the number is too small or too large (minimum {min})"))
    }

    /// A path; `-` is standard input.
    pub(super) fn path(&self) -> Result<PathBuf, String> {
        self.text().map(|text| resolve_path(self.folder, &text))
    }

    /// Paths.
    pub(super) fn paths(&self) -> Result<Vec<PathBuf>, String> {
        Ok(self.texts()?.iter().map(|text| resolve_path(self.folder, text)).collect())
    }

    /// IDs, and paths of files with IDs. As for `--protect`, a text that is not an ID is a path.
    pub(super) fn ids_or_paths(&self) -> Result<Vec<String>, String> {
        let read = |text: String| match ListEntry::parse(&text, false) {
            ListEntry::Id(_) | ListEntry::Selector(_) => Ok(text),
            ListEntry::File(_) => path_text(resolve_path(self.folder, &text)),
        };
        self.texts()?.into_iter().map(read).collect()
    }

    /// Words in a list, or in one text with commas between.
    pub(super) fn words<T: FromStr<Err: Display>>(&self) -> Result<Vec<T>, String> {
        let texts = self.texts()?;
        let words = texts.iter().flat_map(|text| text.split(','));
        words.map(|word| word.trim().parse().map_err(|error: T::Err| error.to_string())).collect()
    }

    /// A list of texts; a single text is a list of one.
    fn texts(&self) -> Result<Vec<String>, String> {
        match self.value.get_ref() {
            DeValue::Array(items) => items.iter().map(text).collect(),
            DeValue::String(_) => Ok(vec![self.text()?]),
            other => Err(format!("it must be a list of texts, not {}", type_name(other))),
        }
    }
}

fn text(value: &Spanned<DeValue<'_>>) -> Result<String, String> {
    match value.get_ref() {
        DeValue::String(text) if text.trim().is_empty() => Err("it is empty".to_owned()),
        DeValue::String(text) => Ok(text.to_string()),
        other => Err(format!("it must be text in quotes, not {}", type_name(other))),
    }
}

/// The type of a value, in a word for people.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a decimal point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Makes a path of the config file absolute: `~/` is the home, and other relative paths start at the file's folder.
fn resolve_path(folder: &Path, text: &str) -> PathBuf {
    let below_home = text.strip_prefix("~/").or_else(|| text.strip_prefix("~\\").filter(|_| cfg!(windows)));
    match below_home.and_then(|rest| Some(std::env::home_dir()?.join(rest))) {
        Some(path) => path,
        None if text == "-" => PathBuf::from(text),
        None => folder.join(text),
    }
}

fn path_text(path: PathBuf) -> Result<String, String> {
    path.into_os_string().into_string().map_err(|_| "its path is not valid text on this system".to_owned())
}
