//! What a test's commands may know of the machine that it runs on: nothing that they could sign in with.

use std::ffi::OsString;
use std::process::Command;

/// How the names of variables begin that say who somebody is, or where.
const BEGIN: [&str; 12] = [
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

/// Takes away what a command could sign in with. Nothing listens where it would look for the machine's own identity,
/// so that no test ever speaks to the real address.
pub(crate) fn forget(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        if BEGIN.iter().any(|begin| upper.starts_with(begin)) || upper.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1");
}

/// The PATH without the folders that hold `az` or `azd`.
pub(crate) fn system_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let holds = |folder: &std::path::Path| {
        ["az", "azd", "az.cmd", "azd.exe"].iter().any(|name| folder.join(name).exists())
    };
    std::env::join_paths(std::env::split_paths(&path).filter(|folder| !holds(folder))).unwrap_or_default()
}
