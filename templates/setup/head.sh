# Registers an app that may revoke sign-in sessions, and nothing else ({what}).
# Paste it into bash, or save it and run it: entra-revoke doctor --setup > setup.sh; bash setup.sh
# It uses az where that is installed, and curl with TOKEN otherwise: an access token of yours for {graph}.
# Whoever runs it must be a Privileged Role Administrator or Global Administrator: an administrator's consent is part
# of it. In PowerShell, run it with Git's bash or in the Cloud Shell; only the last lines are for PowerShell as well.
(
set -euo pipefail
umask 077
NAME="${NAME:-entra-revoke}"                      # what the app and its files are called
GRAPH={graph}
GRAPH_APP=00000003-0000-0000-c000-000000000000    # Microsoft Graph, in every cloud
PERMISSION={permission}   # {kind} permission User.RevokeSessions.All

if command -v az > /dev/null; then
    {az_cloud}
    az account show > /dev/null 2>&1 || az login --allow-no-subscriptions > /dev/null
    graph() {
        az rest --method "$1" --url "$GRAPH/v1.0/$2" --resource "$GRAPH" --headers Content-Type=application/json \
            ${3:+--body "$3"}
    }
else
    : "${TOKEN:?set TOKEN to an access token for $GRAPH, or install az}"
    graph() {
        printf 'header = "Authorization: Bearer %s"\n' "$TOKEN" |
            curl -sS --fail-with-body -K - -X "$1" -H 'Content-Type: application/json' ${3:+--data "$3"} "$GRAPH/v1.0/$2"
    }
fi
# The first value of a name in an answer.
field() { grep -o "\"$1\" *: *\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }
# What was just made is not known everywhere at once.
again() { for n in 1 2 3 4 5; do "$@" && return; sleep "${PAUSE:-5}"; done; return 1; }

TENANT=$(graph GET 'organization?$select=id' | field id)
RESOURCE=$(graph GET "servicePrincipals(appId='$GRAPH_APP')?\$select=id" | field id)
