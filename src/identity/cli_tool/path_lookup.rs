//! Finding a program on the PATH, and nowhere else. Relative folders of the PATH are skipped, because they would be
//! resolved in the current folder, next to input files.

use std::path::{Path, PathBuf};

use super::super::chain::EnvLookup;

/// The first program of this name on the PATH.
pub(super) fn find(name: &str, vars: EnvLookup<'_>) -> Option<PathBuf> {
    let path = vars("PATH")?;
    let endings = executable_suffixes(vars);
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .flat_map(|folder| endings.iter().map(move |ending| folder.join(format!("{name}{ending}"))))
        .find(|path| is_executable(path))
}

/// The suffixes of executable files: on Windows, `az` is `az.cmd`.
fn executable_suffixes(vars: EnvLookup<'_>) -> Vec<String> {
    if !cfg!(windows) {
        return vec![String::new()];
    }
    let known = vars("PATHEXT").unwrap_or_else(|| ".COM;.EXE;.BAT;.CMD".to_owned());
    known.split(';').filter(|ending| ending.starts_with('.')).map(str::to_lowercase).collect()
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_program_on_the_path_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str, mode: Option<u32>| {
            let folder = dir.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            if let Some(mode) = mode {
                std::fs::write(folder.join("az"), "#!/bin/sh\n").unwrap();
                std::fs::set_permissions(folder.join("az"), PermissionsExt::from_mode(mode)).unwrap();
            }
            folder.display().to_string()
        };
        let (empty, plain) = (folder("empty", None), folder("plain", Some(0o644)));
        let (first, second) = (folder("first", Some(0o755)), folder("second", Some(0o755)));
        let found = |path: String| find("az", &|name| (name == "PATH").then(|| path.clone()));
        let expected = Some(Path::new(&first).join("az"));
        assert_eq!(found(format!("{empty}:{plain}:{first}:{second}")), expected);
        assert_eq!(found(format!("{empty}:{plain}")), None);
        // Tests run in the crate's folder, which is not searched by any name.
        for relative in [".", "", "target", "./src"] {
            assert_eq!(found(relative.to_owned()), None, "{relative}");
        }
        assert_eq!(find("az", &|_| None), None);
    }
}
