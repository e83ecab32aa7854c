#!/usr/bin/env bash
# Users per second of `entra-revoke run`, journal and reports on, beside `curl -Z --parallel-max 64` doing the same
# POSTs to the same simulator in the same minutes. Prints each pair and the median ratios: from exec to the last user
# settled and synced (what an attacker has left), and to the process's end, its reports written.
#
#   benches/beside-curl.sh [users] [rounds]
set -euo pipefail
cd "$(dirname "$0")/.."
users=${1:-20000}
rounds=${2:-5}
cargo build --release --locked --quiet
binary=$PWD/target/release/entra-revoke
work=$(mktemp -d)
trap 'kill "$simulator" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"

printf 'ledger = "counts"\n[quota]\nenabled = false\n' > simulator.toml
"$binary" simulator --listen 127.0.0.1:0 --config simulator.toml > address & simulator=$!
until grep -q '^listening on ' address; do :; done
url=$(sed 's/^listening on //' address)

seq -f 'user%07.0f@contoso.com' "$users" > users.txt
sed "s|.*|url = \"$url/v1.0/users/&/revokeSignInSessions\"\noutput = /dev/null|" users.txt > curl.cfg

ours() {
    ENTRA_REVOKE_TOKEN=fake-token "$binary" run users.txt --yes --graph-url "$url" --rate 1000000/s \
        --output none --progress none
}
theirs() {
    curl -s -Z --parallel-max 64 -X POST -H 'Authorization: Bearer fake-token' \
        -H 'Content-Type: application/json' -d '{}' -K curl.cfg 2> /dev/null
}
"$binary" --version
curl --version | head -n 1
echo "$users users on $(nproc) processors"
ours; theirs
for round in $(seq "$rounds"); do
    rm -rf runs
    from=$EPOCHREALTIME
    ours
    whole=$EPOCHREALTIME
    settled=$(date -d "$(sed -n 's/.*"ended_at": "\(.*\)".*/\1/p' runs/*/summary.json)" +%s.%N)
    between=$EPOCHREALTIME
    theirs
    echo "$round $from $settled $whole $between $EPOCHREALTIME $users" | awk '{
        last = $7 / ($3 - $2); whole = $7 / ($4 - $2); curl = $7 / ($6 - $5)
        printf "round %d: last user %6.0f users/s   with reports %6.0f users/s   curl %6.0f users/s   ratios %.2f %.2f\n",
            $1, last, whole, curl, last / curl, whole / curl }' | tee -a rounds
done
median() { awk -v column="$1" '{ print $(NF - column) }' rounds | sort -n | awk '{ r[NR] = $1 } END { print r[int((NR + 1) / 2)] }'; }
echo "median ratio: $(median 1) to the last user, $(median 0) with reports"
