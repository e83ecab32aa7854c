//! Looks for a secret in everything that a run wrote.

use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::ctx::{CommandResult, TestContext};

/// The secret, as it may show: plain, encoded at each of the three places where base64 may begin, percent-encoded.
fn shapes(secret: &str) -> Vec<Vec<u8>> {
    let mut shapes = vec![secret.as_bytes().to_vec()];
    for lead in ["", "x", "xx"] {
        let encoded = STANDARD.encode(format!("{lead}{secret}"));
        // The ends depend on what stands beside the secret.
        let end = encoded.trim_end_matches('=').len().saturating_sub(4);
        shapes.push(encoded.as_bytes()[4..end].to_vec());
    }
    let escaped = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
    shapes.push(escaped.to_string().into_bytes());
    shapes.push(URL_SAFE_NO_PAD.encode(secret).into_bytes());
    shapes
}

pub(crate) fn holds(bytes: &[u8], secret: &str) -> bool {
    shapes(secret).iter().any(|shape| bytes.windows(shape.len()).any(|window| window == shape))
}

#[track_caller]
pub(crate) fn shows_nothing(ctx: &TestContext, done: &CommandResult, secret: &str, except: Option<&Path>) {
    assert!(!holds(done.stdout.as_bytes(), secret), "standard output: {}", done.stdout);
    assert!(!holds(done.stderr.as_bytes(), secret), "standard error: {}", done.stderr);
    for (path, bytes) in ctx.all_files() {
        if except != Some(path.as_path()) {
            assert!(!holds(&bytes, secret), "{} holds the secret", path.display());
        }
    }
}

/// The loudest logs there are, as JSON, to a file.
pub(crate) fn loudly(command: &mut Command) -> &mut Command {
    command.args(["-vvv", "--log-format", "json", "--log-file", "run.log"])
}
