#!/usr/bin/env bash
# Runs one process over many tenants, each with its own app at 20 users a second. Prints the total users per second, the
# processor time and the peak memory. The simulator runs on the same machine, so its processor time is printed too.
#
#   benches/tenants.sh [tenants] [seconds] [batch size]
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --quiet
binary=$PWD/target/release/entra-revoke
tenants=${1:-500} seconds=${2:-60} batch=${3:-auto}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

printf 'ledger = "counts"\nlatency = "50ms"\n' > simulator.toml
/usr/bin/time -f '%U %S %M' -o simulator.time "$binary" simulator --listen 127.0.0.1:0 --config simulator.toml > address &
until grep -q '^listening on ' address; do :; done
url=$(sed -n 's/^listening on //p' address)

{
    echo 'user,tenant'
    for tenant in $(seq "$tenants"); do
        printf '00000000-0000-4000-8000-%012d\n' "$tenant"
    done | awk -v users=$((20 * seconds)) '{ for (user = 1; user <= users; user++) printf "user%06d@contoso.com,%s\n", user, $1 }'
} > users.csv
echo "fake-secret" > secret && chmod 600 secret
{
    echo '[profile.fleet]'
    echo 'client_id = "00000000-0000-4000-8000-0000000000a0"'
    echo 'client_secret_file = "secret"'
    for tenant in $(seq "$tenants"); do
        printf '[[profile.fleet.tenants]]\ntenant = "00000000-0000-4000-8000-%012d"\nclient_id = "00000000-0000-4000-a000-%012d"\nclient_secret_file = "secret"\n' \
            "$tenant" "$tenant"
    done
} > config.toml

"$binary" --version
echo "$tenants tenants, $((tenants * 20 * seconds)) users, $(nproc) processors"
/usr/bin/time -f '%U %S %M %e' -o ours.time "$binary" run users.csv --yes --graph-url "$url" --authority-url "$url" \
    --config config.toml --profile fleet --rate 20/s --batch-size "$batch" --no-lookup --output json --progress none > summary.json
pkill -TERM -P "$(jobs -p | head -n 1)" 2> /dev/null || true
wait || true
from=$(date -d "$(sed -n 's/.*"started_at": "\(.*\)".*/\1/p' summary.json | head -n 1)" +%s.%N)
to=$(date -d "$(sed -n 's/.*"ended_at": "\(.*\)".*/\1/p' summary.json | head -n 1)" +%s.%N)
awk -v users=$((tenants * 20 * seconds)) -v from="$from" -v to="$to" '{
    printf "%.1f s from the first to the last user: %.0f users a second; %.1f s user, %.1f s system, peak %.1f MB\n",
        to - from, users / (to - from), $1, $2, $3 / 1024 }' ours.time
awk '{ printf "simulator: %.1f s user, %.1f s system\n", $1, $2 }' simulator.time
