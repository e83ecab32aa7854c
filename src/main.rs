//! The `entra-revoke` binary.

fn main() {}
