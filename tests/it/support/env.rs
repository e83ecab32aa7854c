//! Removes everything from a command's environment that it could sign in with on this machine.

use std::ffi::OsString;
use std::process::Command;

/// Prefixes of variables that contain an identity or an address.
const PREFIXES: [&str; 12] = [
    "AZURE_",
    "AZURESUBSCRIPTION_",
    "ENTRA_REVOKE_",
    "ACTIONS_",
    "GITHUB_",
    "SYSTEM_",
    "IDENTITY_",
    "IMDS_",
    "MSI_",
    "ARM_",
    "AZD_",
    "SSL_CERT_",
];

/// Removes the variables that a command could sign in with. The address for the machine's own identity becomes one
/// where nothing listens, so that a test never sends anything to the real one.
pub(crate) fn remove_sign_in_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        if PREFIXES.iter().any(|begin| upper.starts_with(begin)) || upper.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1");
}

/// The PATH without folders that contain `az` or `azd`.
pub(crate) fn system_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let holds = |folder: &std::path::Path| {
        ["az", "azd", "az.cmd", "azd.exe"].iter().any(|name| folder.join(name).exists())
    };
    std::env::join_paths(std::env::split_paths(&path).filter(|folder| !holds(folder))).unwrap_or_default()
}
