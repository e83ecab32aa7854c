//! Whether what a profile names is there on this machine, and is as it should be. Nothing is sent.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::{Profile, TenantEntry};
#[cfg(unix)]
use crate::files::{self, FileError};
use crate::identity::CredentialSources;
use crate::journal::ListRecord;
use crate::plan::{EXCLUDED, ListEntry, PROTECTED};
use crate::user_id::UserId;

/// What stands in the way of a run with this profile, but for the sign-in itself; each with what to do. `folder` is
/// the config file's.
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
        let read = ListEntry::File(path.to_owned()).check_readable(EXCLUDED);
        read.err().map(|error| format!("exclude_file: {error}"))
    }));
    found.extend(profile.output_dir.as_deref().and_then(output_dir));
    found
}

/// The lists of a profile, with their counts; those that can be read.
pub fn lists(profile: &Profile) -> Vec<ListRecord> {
    let protect = profile.protect.iter().map(|entry| ListEntry::parse(entry, false).count_entries(PROTECTED));
    let excluded =
        profile.exclude_file.iter().map(|path| ListEntry::File(path.to_owned()).count_entries(EXCLUDED));
    protect.chain(excluded).filter_map(|counted| counted.ok().flatten()).collect()
}

/// What is wrong with the files that somebody signs in with.
fn sign_in_files(sources: &CredentialSources) -> Vec<String> {
    let secret_files = [
        ("token_file", &sources.token_file),
        ("client_secret_file", &sources.client_secret_file),
        ("certificate_file", &sources.certificate_file),
        ("certificate_key_file", &sources.certificate_key_file),
        ("certificate_password_file", &sources.certificate_password_file),
    ];
    // A cluster gives everybody in the container its token; whom it lets read it is not ours to mend.
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

/// A file must be there, be one, hold something, and be readable.
fn file(key: &str, path: &Path) -> Result<Metadata, String> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| format!("{key}: {shown}: {error}"))?;
    if metadata.is_dir() {
        return Err(format!("{key}: {shown} is a directory: name the file in it"));
    }
    // A pipe is not opened: that would take what its reader waits for.
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
        Ok(metadata) => open_to_others(key, path, &metadata),
        Err(problem) => Some(problem),
    }
}

#[cfg(unix)]
fn open_to_others(key: &str, path: &Path, metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o777;
    let (name, word) = (path.display(), crate::shell::path(path));
    (mode & 0o066 != 0)
        .then(|| format!("{key}: others can read or write {name} (mode {mode:03o}): chmod 600 {word}"))
}

/// Windows keeps access lists, not modes; those of a home are its owner's alone.
#[cfg(not(unix))]
fn open_to_others(_key: &str, _path: &Path, _metadata: &Metadata) -> Option<String> {
    None
}

fn list(key: &str, entry: &str, folder: &Path) -> Option<String> {
    if let Err(error) = ListEntry::parse(entry, false).check_readable(PROTECTED) {
        return Some(format!("{key}: {error}"));
    }
    let is_id = UserId::read(entry).is_ok_and(|id| id.check().is_ok());
    let also_a_file = is_id && folder.join(entry).exists();
    also_a_file.then(|| {
        format!("{key}: {entry} is read as a user's name, but there is a file of that name: rename the file")
    })
}

fn output_dir(path: &Path) -> Option<String> {
    let in_the_way = path.exists() && !path.is_dir();
    in_the_way.then(|| format!("output_dir: {} is no folder", path.display()))
}

/// Why others than this account can change the file, if they can: whoever can chooses whom the secrets go to.
#[cfg(unix)]
pub fn exposed(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::getuid().as_raw();
    let reason = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        let (mode, owner) = (metadata.mode(), metadata.uid());
        // A group of the owner's own, of the same number, is nobody else.
        let group = mode & 0o020 != 0 && metadata.gid() != owner;
        // In a folder with the sticky bit, others can't replace what is not theirs.
        let sticky = metadata.is_dir() && mode & 0o1000 != 0;
        match () {
            () if owner != 0 && owner != user => Some(format!("{} belongs to somebody else", path.display())),
            () if (group || mode & 0o002 != 0) && !sticky => {
                Some(format!("others can write {}: chmod go-w {}", path.display(), crate::shell::path(path)))
            }
            () => None,
        }
    };
    // The folders further up, and links: what keeps a run from taking it.
    let further = || match files::check(path) {
        Err(FileError::Distrust(distrust)) => Some(distrust.to_string()),
        _ => None,
    };
    let why = reason(path).or_else(|| reason(path.parent()?)).or_else(further)?;
    Some(format!("{why}. Whoever can change the config file chooses where secrets go"))
}

/// Windows keeps access lists, not modes; those of a home are its owner's alone.
#[cfg(not(unix))]
pub fn exposed(_path: &Path) -> Option<String> {
    None
}
