//! The location of the config file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The variable that names the config file.
const VARIABLE: &str = "ENTRA_REVOKE_CONFIG";

/// Where the config file is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigLocation {
    /// Its absolute path; `None` if this account has no home.
    pub path: Option<PathBuf>,
    /// Whether a flag or variable names it, so that it must exist.
    pub named: bool,
}

impl ConfigLocation {
    /// The location by `--config`, or else `ENTRA_REVOKE_CONFIG`, or else the platform's default.
    pub fn find(flag: Option<&Path>) -> ConfigLocation {
        ConfigLocation::new(flag, |name| std::env::var_os(name), std::env::home_dir())
    }

    fn new(
        flag: Option<&Path>,
        var: impl Fn(&str) -> Option<OsString>,
        home: Option<PathBuf>,
    ) -> ConfigLocation {
        let set = |name: &str| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let named = flag.map(Path::to_owned).or_else(|| set(VARIABLE));
        if let Some(path) = named {
            // Absolute, because paths in the file and in the run's record must not depend on the current folder.
            return ConfigLocation { path: Some(std::path::absolute(&path).unwrap_or(path)), named: true };
        }
        let folder = if cfg!(windows) {
            set("APPDATA")
        } else {
            // The XDG Base Directory Specification says to ignore a relative path.
            let xdg = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
            xdg.or_else(|| home.filter(|home| home.is_absolute()).map(|home| home.join(".config")))
        };
        ConfigLocation {
            path: folder.map(|folder| folder.join("entra-revoke").join("config.toml")),
            named: false,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn place(flag: Option<&str>, vars: &[(&str, &str)], home: Option<&str>) -> ConfigLocation {
        let var = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        ConfigLocation::new(flag.map(Path::new), var, home.map(PathBuf::from))
    }

    #[test]
    fn the_flag_goes_before_the_variable_and_that_before_the_platforms_place() {
        let vars = [(VARIABLE, "/v.toml"), ("XDG_CONFIG_HOME", "/xdg")];
        let named = |path: &str| ConfigLocation { path: Some(path.into()), named: true };
        let usual = |path: &str| ConfigLocation { path: Some(path.into()), named: false };
        assert_eq!(place(Some("/f.toml"), &vars, None), named("/f.toml"));
        assert_eq!(place(None, &vars, None), named("/v.toml"));
        assert_eq!(place(None, &vars[1..], Some("/h")), usual("/xdg/entra-revoke/config.toml"));
        let home = usual("/h/.config/entra-revoke/config.toml");
        for odd in ["", "relative"] {
            assert_eq!(place(None, &[(VARIABLE, ""), ("XDG_CONFIG_HOME", odd)], Some("/h")), home);
        }
        assert_eq!(place(None, &[], None), ConfigLocation { path: None, named: false });
        assert!(place(Some("f.toml"), &[], None).path.unwrap().is_absolute());
    }
}
