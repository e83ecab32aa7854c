//! The list of approvers: OpenSSH's `allowed_signers` (ssh-keygen(1)). One bad line, and the list is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::NAMESPACE;
use super::key::{self, KeyProblem, PublicKey};
use super::pattern::list_fits;

/// A line of the list.
#[derive(Debug)]
pub(super) struct Signer {
    pub(super) line: usize,
    /// Whose key it is: names, or patterns of them.
    pub(super) principals: String,
    pub(super) key: PublicKey,
    namespaces: Option<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

/// A line that can't be used, and why. What stands there is never shown: the file may be any file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadLine {
    pub(super) line: usize,
    pub(super) why: String,
}

impl Signer {
    /// Why a signature by the key does not count now, if so.
    pub(super) fn refuses(&self, now: Timestamp) -> Option<&'static str> {
        match self {
            _ if self.namespaces.as_deref().is_some_and(|list| !list_fits(list, NAMESPACE)) => {
                Some("its namespaces do not allow it")
            }
            _ if self.valid_after.is_some_and(|after| now < after) => Some("its time has not come yet"),
            _ if self.valid_before.is_some_and(|before| now > before) => Some("its time is over"),
            _ => None,
        }
    }

    /// Whether the principals fit a name; names of users compare without case.
    pub(super) fn is_called(&self, name: &str) -> bool {
        list_fits(&self.principals.to_lowercase(), &name.to_lowercase())
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
        match signer(at + 1, line) {
            Ok(Some(signer)) => signers.push(signer),
            Ok(None) => {}
            Err(why) => return Err(BadLine { line: at + 1, why }),
        }
    }
    Ok(signers)
}

/// One line; none where it is for other purposes, and of a kind that this program need not understand.
fn signer(line: usize, text: &str) -> Result<Option<Signer>, String> {
    let form = || "it is not of the form: principals, options, type of key, key".to_owned();
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
    let elsewhere = options.namespaces.as_deref().is_some_and(|list| !list_fits(list, NAMESPACE));
    if options.is_authority {
        let what = "it names a certificate authority (cert-authority), which is not supported: list the approvers' own keys";
        return if elsewhere { Ok(None) } else { Err(what.to_owned()) };
    }
    let mut words = rest.split_ascii_whitespace();
    let (kind, key) = words.next().zip(words.next()).ok_or_else(form)?;
    let blob = STANDARD.decode(key).map_err(|_| KeyProblem::Unreadable.to_string())?;
    let key = match PublicKey::read(&blob) {
        Ok(key) => key,
        Err(_) if elsewhere => return Ok(None),
        Err(why) => return Err(why.to_string()),
    };
    if key.type_name() != kind {
        return Err("its key is of another type than it says".to_owned());
    }
    let SignerOptions { namespaces, valid_after, valid_before, .. } = options;
    let principals = principals.to_owned();
    Ok(Some(Signer { line, principals, key, namespaces, valid_after, valid_before }))
}

/// Options end at the first blank that is not within quotes.
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
                let (inside, after) = quoted.split_once('"').ok_or("an option's quotes do not end")?;
                (value, rest) = (Some(inside), after);
            }
            options.take(&name.to_ascii_lowercase(), value)?;
            match rest.strip_prefix(',') {
                Some(more) if !more.is_empty() => text = more,
                None if rest.is_empty() => break,
                _ => return Err("its options can't be read".to_owned()),
            }
        }
        match (options.valid_after, options.valid_before) {
            (Some(after), Some(before)) if before <= after => {
                Err("its valid-before is not behind its valid-after".to_owned())
            }
            _ => Ok(options),
        }
    }

    fn take(&mut self, name: &str, value: Option<&str>) -> Result<(), String> {
        let twice = |is_there: bool| match is_there {
            true => Err("an option stands twice".to_owned()),
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
                self.valid_after = Some(instant(time)?);
            }
            ("valid-before", Some(time)) => {
                twice(self.valid_before.is_some())?;
                self.valid_before = Some(instant(time)?);
            }
            _ => {
                return Err("it has an option that is not known; the known ones are namespaces=\"…\", \
                            valid-after=\"…\" and valid-before=\"…\""
                    .to_owned());
            }
        }
        Ok(())
    }
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`: in the time of this machine, or with a `Z` behind it in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    let wrong =
        || "a time is written YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with Z behind it for UTC".to_owned();
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
