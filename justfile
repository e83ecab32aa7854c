# The commands of a day; see CONTRIBUTING.md. `just` alone lists them.

default:
    @just --list

# Does it compile?
check:
    cargo check --all-targets --locked

# All tests
test:
    cargo test --locked

# Tests of behaviour by name, such as `just one crash::`
one name:
    cargo test --locked --test it {{quote(name)}}

# Format, clippy with and without features
lint:
    cargo fmt --check
    cargo clippy --all-targets --locked -- -D warnings
    cargo clippy --all-targets --locked --no-default-features -- -D warnings

# Everything that must pass before a change is taken, or some steps: `just ci lint doc`
ci *steps:
    .ci/run {{steps}}
