#!/usr/bin/env bash
# Users per second of `entra-revoke run`, journal and reports on, beside `curl -Z --parallel-max 64` doing the same
# POSTs to the same simulator in the same minutes. Prints each pair and the median ratio.
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
seconds() { local from=$EPOCHREALTIME; "$@"; echo "$from $EPOCHREALTIME" | awk '{print $2 - $1}'; }

"$binary" --version
curl --version | head -n 1
echo "$users users, whole process from exec to exit, on $(nproc) processors"
ours; theirs
for round in $(seq "$rounds"); do
    a=$(seconds ours)
    b=$(seconds theirs)
    echo "$round $a $b $users" |
        awk '{printf "round %d: entra-revoke %6.0f users/s   curl %6.0f users/s   ratio %.2f\n", $1, $4/$2, $4/$3, $3/$2}' |
        tee -a ratios
done
sed 's/.*ratio //' ratios | sort -n | awk '{ ratio[NR] = $1 } END { print "median ratio " ratio[int((NR + 1) / 2)] }'
