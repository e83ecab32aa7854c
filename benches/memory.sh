#!/usr/bin/env bash
# Prints the peak memory of `entra-revoke run` for CSV files of 1,000, 100,000 and 1,000,000 rows with four columns.
#
#   benches/memory.sh [rows…]
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --quiet
binary=$PWD/target/release/entra-revoke
work=$(mktemp -d)
trap 'kill "$simulator" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

printf 'ledger = "counts"\n[quota]\nenabled = false\n' > simulator.toml
"$binary" simulator --listen 127.0.0.1:0 --config simulator.toml > address & simulator=$!
until grep -q '^listening on ' address; do :; done
url=$(sed 's/^listening on //' address)

"$binary" --version
[ $# -gt 0 ] || set -- 1000 100000 1000000
for rows; do
    seq -f '%07.0f' "$rows" |
        sed 's/.*/user&@contoso.com,Given Surname &,Department,Some notes about &/' |
        sed '1i UPN,Name,Department,Notes' > users.csv
    ENTRA_REVOKE_TOKEN=fake-token /usr/bin/time -f '%M %e %U %S' -o time \
        "$binary" run users.csv --yes --graph-url "$url" --rate 1000000/s --output none --progress none
    bytes=$(du -sb runs | cut -f 1)
    awk -v rows="$rows" -v bytes="$bytes" '{
        printf "%8d rows: peak %6.1f MB, %6.1f s (user %.1f s, system %.1f s), run folder %.0f bytes a row\n",
            rows, $1 / 1024, $2, $3, $4, bytes / rows }' time
    rm -rf runs
done
