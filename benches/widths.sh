#!/usr/bin/env bash
# Measures users per second with one user and with 20 users in each request, with answers that take 5 to 500 ms and 16 to
# 128 requests in flight, over HTTP/1.1 and HTTP/2, and with `--jobs auto --batch-size auto`. There are no quotas, so that
# the connection is the limit. Prints a Markdown table for each protocol, and takes about ten minutes.
#
#   benches/widths.sh [latencies…, in ms]
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --quiet
binary=$PWD/target/release/entra-revoke
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
[ $# -gt 0 ] || set -- 5 20 50 100 200 500
seq -f 'user%07.0f@contoso.com' 40000 > all.txt

serve() { # serve NAME LATENCY [flags]
    local name=$1 latency=$2
    shift 2
    printf 'ledger = "counts"\nlatency = "%sms"\n[quota]\nenabled = false\n' "$latency" > simulator.toml
    "$binary" simulator --listen 127.0.0.1:0 --config simulator.toml "$@" > "$name" &
    until grep -q '^listening on ' "$name"; do :; done
    url=$(sed -n 's/^listening on //p' "$name")
}

# Runs over as many users as take about two seconds (200 to 40,000), and prints users per second.
cell() { # cell JOBS BATCH PER_SECOND [flags]
    local jobs=$1 batch=$2 users
    users=$(awk -v rate="$3" 'BEGIN { users = int(2 * rate); if (users < 200) users = 200; if (users > 40000) users = 40000; print users }')
    shift 3
    head -n "$users" all.txt > users.txt
    rm -rf runs
    ENTRA_REVOKE_TOKEN=fake-token "$binary" run users.txt --yes --graph-url "$url" --rate 1000000/s --jobs "$jobs" \
        --batch-size "$batch" --output none --progress none "$@" 2> /dev/null
    from=$(date -d "$(sed -n 's/.*"started_at": "\(.*\)".*/\1/p' runs/*/summary.json | head -n 1)" +%s.%N)
    to=$(date -d "$(sed -n 's/.*"ended_at": "\(.*\)".*/\1/p' runs/*/summary.json | head -n 1)" +%s.%N)
    awk -v users="$users" -v from="$from" -v to="$to" 'BEGIN { printf " %.0f |", users / (to - from) }'
}

table() { # table TITLE SIMULATOR_FLAGS CLIENT_FLAGS LATENCIES…
    local title=$1 simulator_flags=$2 client_flags=$3
    shift 3
    echo "$title"
    echo
    echo '| an answer takes | 16 | 16 × 20 | 32 | 32 × 20 | 64 | 64 × 20 | 128 | 128 × 20 | auto |'
    echo '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |'
    for latency; do
        # shellcheck disable=SC2086
        serve address "$latency" $simulator_flags
        printf '| %s ms |' "$latency"
        for jobs in 16 32 64 128; do
            for batch in 1 20; do
                # shellcheck disable=SC2086
                cell "$jobs" "$batch" $((jobs * batch * 1000 / latency)) $client_flags
            done
        done
        # shellcheck disable=SC2086
        cell auto auto $((64 * 20 * 1000 / latency)) $client_flags
        echo
        kill %% && wait %% 2> /dev/null || true
    done
    echo
}
"$binary" --version
echo "$(nproc) processors"
echo
table 'HTTP/1.1' '' '' "$@"
table 'HTTP/2 (over TLS)' '--tls --ca-file ca.pem' '--ca-cert ca.pem' "$@"
