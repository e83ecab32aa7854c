//! The list of approvers: OpenSSH's `allowed_signers` (ssh-keygen(1)). A list with an invalid line is
//! refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::NAMESPACE;
use super::key::{self, KeyError, PublicKey};
use super::pattern::matches_list;

/// A line of the list.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) line: usize,
    /// The owners of the key: names or patterns.
    pub(super) principals: String,
    pub(super) key: PublicKey,
    namespaces: Option<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

/// A line that can't be used, and why. Its content is never shown, because the path can name any file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) line: usize,
    pub(super) why: String,
}

impl Signer {
    /// Why a signature with the key is not valid now, if so.
    pub(super) fn refusal_reason(&self, now: Timestamp) -> Option<&'static str> {
        match self {
            _ if self.namespaces.as_deref().is_some_and(|list| !matches_list(list, NAMESPACE)) => {
                Some("its namespaces do not allow it")
            }
            _ if self.valid_after.is_some_and(|after| now < after) => Some("it is not valid yet"),
            _ if self.valid_before.is_some_and(|before| now > before) => Some("it has expired"),
            _ => None,
        }
    }

    /// Whether the principals match a name, ignoring case.
    pub(super) fn matches_name(&self, name: &str) -> bool {
        matches_list(&self.principals.to_lowercase(), &name.to_lowercase())
    }

    /// Whether a principal is the name of an account on a machine, alone or before its `@`.
    pub(super) fn has_account(&self, account: &str) -> bool {
        let account = account.to_lowercase();
        let principals = self.principals.to_lowercase();
        principals.split(',').any(|principal| {
            let principal = principal.trim();
            principal == account || principal.split_once('@').is_some_and(|(name, _)| name == account)
        })
    }
}

/// Reads the whole list.
pub(super) fn read(text: &str) -> Result<Vec<Signer>, BadLine> {
    let mut signers = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse_line(at + 1, line) {
            Ok(Some(signer)) => signers.push(signer),
            Ok(None) => {}
            Err(why) => return Err(BadLine { line: at + 1, why }),
        }
    }
    Ok(signers)
}

/// Parses one line; `None` if it is for other purposes and has something that is not supported.
fn parse_line(line: usize, text: &str) -> Result<Option<Signer>, String> {
    let form = || "it does not have the form: principals, options, key type, key".to_owned();
    let (principals, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or_else(form)?,
        None => text.split_once([' ', '\t']).ok_or_else(form)?,
    };
    let rest = rest.trim_start();
    if principals.is_empty() {
        return Err(form());
    }
    let first = rest.split([' ', '\t']).next().unwrap_or_default();
    let (options, rest) = match key::is_type(first) {
        true => (SignerOptions::default(), rest),
        false => {
            let (options, rest) = split_options(rest).ok_or_else(form)?;
            (SignerOptions::read(options)?, rest)
        }
    };
    let elsewhere = options.namespaces.as_deref().is_some_and(|list| !matches_list(list, NAMESPACE));
    if options.is_authority {
        let what = "it names a certificate authority (cert-authority), which is not supported: list the \
             approvers' own keys";
        return if elsewhere { Ok(None) } else { Err(what.to_owned()) };
    }
    let mut words = rest.split_ascii_whitespace();
    let (kind, key) = words.next().zip(words.next()).ok_or_else(form)?;
    let blob = STANDARD.decode(key).map_err(|_| KeyError::Unreadable.to_string())?;
    let key = match PublicKey::read(&blob) {
        Ok(key) => key,
        Err(_) if elsewhere => return Ok(None),
        Err(why) => return Err(why.to_string()),
    };
    if key.type_name() != kind {
        return Err("its key has another type than the line says".to_owned());
    }
    let SignerOptions { namespaces, valid_after, valid_before, .. } = options;
    let principals = principals.to_owned();
    Ok(Some(Signer { line, principals, key, namespaces, valid_after, valid_before }))
}

/// Splits the options from the rest. They end at the first blank outside quotes.
fn split_options(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let end = text.find(|c: char| {
        let is_end = !quoted && (c == ' ' || c == '\t');
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        is_end
    })?;
    Some((&text[..end], text[end..].trim_start()))
}

#[derive(Debug, Default)]
struct SignerOptions {
    is_authority: bool,
    namespaces: Option<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

impl SignerOptions {
    fn read(mut text: &str) -> Result<SignerOptions, String> {
        let mut options = SignerOptions::default();
        loop {
            let end = text.find([',', '=']).unwrap_or(text.len());
            let (name, mut rest) = text.split_at(end);
            let mut value = None;
            if let Some(quoted) = rest.strip_prefix("=\"") {
                let (inside, after) =
                    quoted.split_once('"').ok_or("the quotes of an option are not closed")?;
                (value, rest) = (Some(inside), after);
            }
            options.set(&name.to_ascii_lowercase(), value)?;
            match rest.strip_prefix(',') {
                Some(more) if !more.is_empty() => text = more,
                None if rest.is_empty() => break,
                _ => return Err("its options can't be read".to_owned()),
            }
        }
        match (options.valid_after, options.valid_before) {
            (Some(after), Some(before)) if before <= after => {
                Err("its valid-before is not after its valid-after".to_owned())
            }
            _ => Ok(options),
        }
    }

    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let twice = |is_there: bool| match is_there {
            true => Err("an option occurs twice".to_owned()),
            false => Ok(()),
        };
        match (name, value) {
            ("cert-authority", None) => self.is_authority = true,
            ("namespaces", Some(list)) => {
                twice(self.namespaces.is_some())?;
                self.namespaces = Some(list.to_owned());
            }
            ("valid-after", Some(time)) => {
                twice(self.valid_after.is_some())?;
                self.valid_after = Some(parse_time(time)?);
            }
            ("valid-before", Some(time)) => {
                twice(self.valid_before.is_some())?;
                self.valid_before = Some(parse_time(time)?);
            }
            _ => {
                return Err("it has an unknown option; the known ones are namespaces=\"…\", \
                            valid-after=\"…\" and valid-before=\"…\""
                    .to_owned());
            }
        }
        Ok(())
    }
}

/// Parses `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`: in the machine's time zone, or in UTC with a `Z` at
/// the end.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    let wrong =
        || "a time is written YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with Z at the end for UTC".to_owned();
    let (digits, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, TimeZone::UTC),
        None => (text, TimeZone::system()),
    };
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let two = |at: usize| digits.get(at..at + 2).map_or(Ok(0), str::parse::<i8>).map_err(|_| wrong());
    let year = digits[..4].parse::<i16>().map_err(|_| wrong())?;
    let time = DateTime::new(year, two(4)?, two(6)?, two(8)?, two(10)?, two(12)?, 0).map_err(|_| wrong())?;
    Ok(zone.to_zoned(time).map_err(|_| wrong())?.timestamp())
}
