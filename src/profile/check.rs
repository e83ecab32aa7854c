//! Checks that the files and folders of a profile exist on this machine and are usable. Nothing is revoked.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::{Profile, TenantEntry};
#[cfg(unix)]
use crate::files::{self, FileError};
use crate::identity::CredentialSources;
use crate::journal::ListRecord;
use crate::plan::{EXCLUDE_LIST, ListEntry, PROTECT_LIST};
use crate::user_id::UserId;

/// The problems that would stop a run with this profile, except the sign-in itself, each with what to do. `folder` is
/// the folder of the config file.
pub fn problems(profile: &Profile, folder: &Path) -> Vec<String> {
    let mut found = sign_in_files(&profile.sources);
    for app in &profile.apps {
        found.extend(
            sign_in_files(&app.sources).into_iter().map(|problem| format!("{}: {problem}", app.name)),
        );
    }
    for TenantEntry { tenant, app, .. } in &profile.tenants {
        found.extend(
            sign_in_files(&app.sources).into_iter().map(|problem| format!("tenant {tenant}: {problem}")),
        );
    }
    found.extend(profile.ca_cert.as_deref().and_then(|path| file("ca_cert", path).err()));
    found.extend(profile.protect.iter().filter_map(|entry| list("protect", entry, folder)));
    let approvers = profile.approvers.as_deref().map(crate::approval::check_list);
    found.extend(approvers.and_then(Result::err).map(|error| format!("approvers: {error}")));
    let excluded = profile.exclude_file.iter().map(|path| path.as_path());
    found.extend(excluded.filter_map(|path| {
        let read = ListEntry::File(path.to_owned()).check_readable(EXCLUDE_LIST);
        read.err().map(|error| format!("exclude_file: {error}"))
    }));
    found.extend(profile.output_dir.as_deref().and_then(output_dir));
    found
}

/// The readable lists of a profile, with their counts.
pub fn lists(profile: &Profile) -> Vec<ListRecord> {
    let protect =
        profile.protect.iter().map(|entry| ListEntry::parse(entry, false).count_entries(PROTECT_LIST));
    let excluded =
        profile.exclude_file.iter().map(|path| ListEntry::File(path.to_owned()).count_entries(EXCLUDE_LIST));
    protect.chain(excluded).filter_map(|counted| counted.ok().flatten()).collect()
}

/// The problems with the files for the sign-in.
fn sign_in_files(sources: &CredentialSources) -> Vec<String> {
    let secret_files = [
        ("token_file", &sources.token_file),
        ("client_secret_file", &sources.client_secret_file),
        ("certificate_file", &sources.certificate_file),
        ("certificate_key_file", &sources.certificate_key_file),
        ("certificate_password_file", &sources.certificate_password_file),
    ];
    // The cluster decides who can read its token, usually everyone in the container, so the mode is not checked.
    let files = [("federated_token_file", &sources.federated_token_file)];
    let mut found: Vec<String> =
        list_given(&secret_files).filter_map(|(key, path)| secret_file(key, path)).collect();
    found.extend(list_given(&files).filter_map(|(key, path)| file(key, path).err()));
    found
}

fn list_given<'a>(
    files: &'a [(&'static str, &'a Option<PathBuf>)],
) -> impl Iterator<Item = (&'static str, &'a Path)> {
    let given = files.iter().filter_map(|(key, path)| Some((*key, path.as_deref()?)));
    given.filter(|(_, path)| *path != Path::new("-"))
}

/// Checks that the file exists, is not a directory, is readable, and is not empty.
fn file(key: &str, path: &Path) -> Result<Metadata, String> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| format!("{key}: {shown}: {error}"))?;
    if metadata.is_dir() {
        return Err(format!("{key}: {shown} is a directory: name the file in it"));
    }
    // A pipe is not opened, because that would consume the input of its reader.
    if metadata.is_file() {
        std::fs::File::open(path).map_err(|error| format!("{key}: {shown} can't be read: {error}"))?;
        if metadata.len() == 0 {
            return Err(format!("{key}: {shown} is empty"));
        }
    }
    Ok(metadata)
}

fn secret_file(key: &str, path: &Path) -> Option<String> {
    match file(key, path) {
        Ok(metadata) => mode_problem(key, path, &metadata),
        Err(problem) => Some(problem),
    }
}

#[cfg(unix)]
fn mode_problem(key: &str, path: &Path, metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    let (name, word) = (path.display(), crate::shell::path(path));
    (mode & 0o066 != 0).then(|| {
        format!("{key}: other accounts can read or write {name} (mode {mode:03o}): chmod 600 {word}")
    })
}

/// Windows has access lists instead of modes, and a home folder is only accessible to its owner.
#[cfg(not(unix))]
fn mode_problem(_key: &str, _path: &Path, _metadata: &Metadata) -> Option<String> {
    None
}

fn list(key: &str, entry: &str, folder: &Path) -> Option<String> {
    if let Err(error) = ListEntry::parse(entry, false).check_readable(PROTECT_LIST) {
        return Some(format!("{key}: {error}"));
    }
    let is_id = UserId::parse_lenient(entry).is_ok_and(|id| id.check().is_ok());
    let also_a_file = is_id && folder.join(entry).exists();
    also_a_file.then(|| {
        format!("{key}: {entry} is read as a user, but there is also a file with that name: rename the file")
    })
}

fn output_dir(path: &Path) -> Option<String> {
    let in_the_way = path.exists() && !path.is_dir();
    in_the_way.then(|| format!("output_dir: {} is not a folder", path.display()))
}

/// Why other accounts can change the file, if they can. Such an account decides where secrets are sent.
#[cfg(unix)]
pub fn exposed(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::getuid().as_raw();
    let reason = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        let (mode, owner) = (metadata.mode(), metadata.uid());
        // A group with the owner's number is the owner's private group, without other members.
        let group = mode & 0o020 != 0 && metadata.gid() != owner;
        // In a folder with the sticky bit, other accounts can't replace files that they do not own.
        let sticky = metadata.is_dir() && mode & 0o1000 != 0;
        match () {
            () if owner != 0 && owner != user => {
                Some(format!("{} belongs to another account", path.display()))
            }
            () if (group || mode & 0o002 != 0) && !sticky => Some(format!(
                "other accounts can write {}: chmod go-w {}",
                path.display(),
                crate::shell::path(path)
            )),
            () => None,
        }
    };
    // The folders further up, and links: the same check as for a run.
    let further = || match files::check_path(path) {
        Err(FileError::Distrust(distrust)) => Some(distrust.to_string()),
        _ => None,
    };
    let why = reason(path).or_else(|| reason(path.parent()?)).or_else(further)?;
    Some(format!("{why}. An account that can change the config file decides where secrets are sent"))
}

/// Windows has access lists instead of modes, and a home folder is only accessible to its owner.
#[cfg(not(unix))]
pub fn exposed(_path: &Path) -> Option<String> {
    None
}
