//! The keys of a profile. Each has the name of its flag, with underscores, and is read by the flag's parser.

use super::Profile;
use super::value::ConfigField;
use crate::dispatch::{BatchSize, HaltRule, InvalidWidth, Rate};
use crate::identity::{Auth, Cloud};
use crate::outcome::Outcome;
use crate::plan::MaxShare;
use crate::text::duration;
use crate::text::suggest::nearest;

/// A key: its name, an example of its value, and the function that puts a value into a profile.
pub(super) struct ConfigKey {
    pub(super) name: &'static str,
    pub(super) example: &'static str,
    pub(super) set: KeySetter,
}

type KeySetter = fn(&mut Profile, &ConfigField<'_>) -> Result<(), String>;

const fn key(name: &'static str, example: &'static str, take: KeySetter) -> ConfigKey {
    ConfigKey { name, example, set: take }
}

fn put<S, T: Into<S>>(slot: &mut S, value: Result<T, String>) -> Result<(), String> {
    *slot = value?.into();
    Ok(())
}

fn in_batch(size: u8) -> Result<BatchSize, String> {
    size.to_string().parse().map_err(|error: InvalidWidth| error.to_string())
}

/// All keys.
pub(super) static KEYS: [ConfigKey; 30] = [
    key("tenant", "\"contoso.onmicrosoft.com\"", |to, field| put(&mut to.tenant, field.text())),
    key("cloud", "\"usgov\"", |to, field| put(&mut to.cloud, field.parsed::<Cloud>())),
    key("client_id", "\"00000000-…\"", |to, field| put(&mut to.client_id, field.text())),
    key("auth", "\"certificate\"", |to, field| put(&mut to.sources.auth, field.parsed::<Auth>())),
    key("token_file", "\"~/token\"", |to, field| put(&mut to.sources.token_file, field.path())),
    key("client_secret_file", "\"~/secret\"", |to, field| {
        put(&mut to.sources.client_secret_file, field.path())
    }),
    key("certificate_file", "\"app.pem\"", |to, field| put(&mut to.sources.certificate_file, field.path())),
    key("certificate_key_file", "\"app.key\"", |to, field| {
        put(&mut to.sources.certificate_key_file, field.path())
    }),
    key("certificate_password_file", "\"app.password\"", |to, field| {
        put(&mut to.sources.certificate_password_file, field.path())
    }),
    key("federated_token_file", "\"/var/run/secrets/token\"", |to, field| {
        put(&mut to.sources.federated_token_file, field.path())
    }),
    key("service_connection", "\"00000000-…\"", |to, field| {
        put(&mut to.sources.service_connection, field.text())
    }),
    key("identity", "\"00000000-…\"", |to, field| put(&mut to.sources.identity, field.text())),
    key("protect", "[\"break-glass.csv\"]", |to, field| put(&mut to.protect, field.ids_or_paths())),
    key("approvers", "\"approvers\"", |to, field| put(&mut to.approvers, field.path())),
    key("exclude_file", "[\"on-leave.csv\"]", |to, field| put(&mut to.exclude_file, field.paths())),
    key("case_id", "\"INC-4711\"", |to, field| put(&mut to.case_id, field.text())),
    key("output_dir", "\"~/runs\"", |to, field| put(&mut to.output_dir, field.path())),
    key("jobs", "64", |to, field| put(&mut to.jobs, field.number::<u16>(1))),
    key("batch_size", "20", |to, field| put(&mut to.batch_size, field.number::<u8>(1).and_then(in_batch))),
    key("rate", "\"20/s\"", |to, field| put(&mut to.rate, field.parsed::<Rate>())),
    key("burst", "100", |to, field| put(&mut to.burst, field.number::<u32>(1))),
    key("retries", "5", |to, field| put(&mut to.retries, field.number::<u32>(0))),
    key("max_wait", "\"1h\"", |to, field| put(&mut to.max_wait, field.read(duration::parse))),
    key("deadline", "\"10m\"", |to, field| put(&mut to.deadline, field.read(duration::parse))),
    key("halt", "\"fail=10%\"", |to, field| put(&mut to.halt, field.parsed::<HaltRule>())),
    key("max_users", "500", |to, field| put(&mut to.max_users, field.number::<u32>(0))),
    key("max_share", "\"10%\"", |to, field| put(&mut to.max_share, field.parsed::<MaxShare>())),
    key("accept", "[\"not_found\"]", |to, field| put(&mut to.accept, field.words::<Outcome>())),
    key("timeout", "\"30s\"", |to, field| put(&mut to.timeout, field.read(duration::parse_positive))),
    key("ca_cert", "\"proxy-root.pem\"", |to, field| put(&mut to.ca_cert, field.path())),
];

/// Other names for keys, from Azure and other tools, in lower case and with underscores.
const OTHER_NAMES: [(&str, &str); 10] = [
    ("azure_tenant_id", "tenant"),
    ("tenant_id", "tenant"),
    ("azure_client_id", "client_id"),
    ("app_id", "client_id"),
    ("azure_client_certificate_path", "certificate_file"),
    ("certificate", "certificate_file"),
    ("certificate_path", "certificate_file"),
    ("azure_federated_token_file", "federated_token_file"),
    ("azure_authority_host", "cloud"),
    ("environment", "cloud"),
];

/// Flags that are only for one command line and are not keys.
const FLAGS_ONLY: [&str; 14] = [
    "yes",
    "yes_i_mean",
    "expect_count",
    "dry_run",
    "strict",
    "exclude",
    "column",
    "graph_url",
    "authority_url",
    "output",
    "progress",
    "log_file",
    "match",
    "skip",
];

/// A key in the form for lookups: in lower case, with underscores.
pub(super) fn normalize(key: &str) -> String {
    key.trim().to_lowercase().replace('-', "_")
}

/// The key of this name, written with underscores or hyphens.
pub(super) fn find(name: &str) -> Option<&'static ConfigKey> {
    let name = name.replace('-', "_");
    KEYS.iter().find(|key| key.name == name)
}

/// The key of the list of further apps in a profile.
pub(super) const APPS: &str = "app";

/// The keys of a further app.
const APP_KEYS: [&str; 10] = [
    "client_id",
    "auth",
    "token_file",
    "client_secret_file",
    "certificate_file",
    "certificate_key_file",
    "certificate_password_file",
    "federated_token_file",
    "service_connection",
    "identity",
];

/// The key of this name, if it is allowed in a further app.
pub(super) fn find_app_key(name: &str) -> Option<&'static ConfigKey> {
    find(name).filter(|key| APP_KEYS.contains(&key.name))
}

/// The key of the list of tenants with their own app in a profile.
pub(super) const TENANTS: &str = "tenants";

/// The key with which such a tenant uses the app of another profile.
pub(super) const PROFILE_KEY: &str = "profile";

/// The key of this name, if it is allowed in a tenant.
pub(super) fn find_tenant_key(name: &str) -> Option<&'static ConfigKey> {
    find(name).filter(|key| key.name == "tenant" || APP_KEYS.contains(&key.name))
}

/// What to do about a key that is not allowed in a tenant; `unknown` is in the form of [`normalize`].
pub(super) fn advice_of_tenant(unknown: &str) -> String {
    if find(unknown).is_some() {
        return "it belongs in the profile itself, above its tenants".to_owned();
    }
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == unknown).map(|(_, key)| *key);
    let keys = || ["tenant", PROFILE_KEY].into_iter().chain(APP_KEYS);
    match other.filter(|key| find_tenant_key(key).is_some()).or_else(|| nearest(unknown, keys())) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("the keys of a tenant are {}", keys().collect::<Vec<_>>().join(", ")),
    }
}

/// What to do about a key that is not allowed in a further app; `unknown` is in the form of [`normalize`].
pub(super) fn advice_of_app(unknown: &str) -> String {
    if ["tenant", "cloud"].contains(&unknown) {
        return "an app uses the tenant and the cloud of its profile: remove this key".to_owned();
    }
    if find(unknown).is_some() {
        return "it belongs in the profile itself, above its apps".to_owned();
    }
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == unknown).map(|(_, key)| *key);
    let meant = other.filter(|key| APP_KEYS.contains(key)).or_else(|| nearest(unknown, APP_KEYS));
    match meant {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("the keys of an app are {}", APP_KEYS.join(", ")),
    }
}

/// The key that is not a flag of `run`.
const APPLY_ONLY_KEY: &str = "approvers";

/// What to do about an unknown key; `unknown` is in the form of [`normalize`].
pub(super) fn advice(unknown: &str) -> String {
    if FLAGS_ONLY.contains(&unknown) {
        return format!("this is only allowed on the command line (--{})", unknown.replace('_', "-"));
    }
    let other = OTHER_NAMES.iter().find(|(name, _)| *name == unknown).map(|(_, key)| *key);
    let names = || KEYS.iter().map(|key| key.name);
    match other.or_else(|| nearest(unknown, names())) {
        Some(meant) => format!("did you mean {meant}?"),
        None => {
            let of_run: Vec<&str> = names().filter(|name| *name != APPLY_ONLY_KEY).collect();
            format!("the keys are {} (and {APPLY_ONLY_KEY} for `apply`)", of_run.join(", "))
        }
    }
}
