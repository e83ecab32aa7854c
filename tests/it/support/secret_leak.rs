//! Searches for a secret in everything that a run wrote.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::ctx::{CommandResult, TestContext};

/// The forms in which a secret can leak: plain, base64 at each of its three possible offsets, percent-encoded.
fn encodings(secret: &str) -> Vec<Vec<u8>> {
    let mut shapes = vec![secret.as_bytes().to_vec()];
    for lead in ["", "x", "xx"] {
        let encoded = STANDARD.encode(format!("{lead}{secret}"));
        // The first and last characters depend on the text around the secret.
        let end = encoded.trim_end_matches('=').len().saturating_sub(4);
        shapes.push(encoded.as_bytes()[4..end].to_vec());
    }
    let escaped = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
    shapes.push(escaped.to_string().into_bytes());
    shapes.push(URL_SAFE_NO_PAD.encode(secret).into_bytes());
    shapes
}

pub(crate) fn contains_secret(bytes: &[u8], secret: &str) -> bool {
    encodings(secret).iter().any(|shape| bytes.windows(shape.len()).any(|window| window == shape))
}

#[track_caller]
pub(crate) fn assert_no_leak(ctx: &TestContext, done: &CommandResult, secret: &str, except: Option<&Path>) {
    assert!(!contains_secret(done.stdout.as_bytes(), secret), "standard output: {}", done.stdout);
    assert!(!contains_secret(done.stderr.as_bytes(), secret), "standard error: {}", done.stderr);
    for (path, bytes) in ctx.all_files() {
        if except != Some(path.as_path()) {
            assert!(!contains_secret(&bytes, secret), "{} holds the secret", path.display());
        }
    }
}

/// Turns on the most detailed logs, as JSON, in a file.
pub(crate) fn with_verbose_log(command: &mut Command) -> &mut Command {
    command.args(["-vvv", "--log-format", "json", "--log-file", "run.log"])
}
