# Registers an app that may revoke sign-in sessions, and nothing else ({what}).
# Paste it into bash, or save it and run it: entra-revoke doctor --setup > setup.sh; bash setup.sh
# It uses az if that is installed. Otherwise it uses curl, and TOKEN must be an access token of yours for {graph}.
# You must be a Privileged Role Administrator or Global Administrator, because the script gives admin consent.
# It does not run in PowerShell: use Git's bash or the Cloud Shell. Its last lines say what to set in bash or PowerShell.
(
set -euo pipefail
umask 077
NAME="${NAME:-entra-revoke}"                      # the name of the app and its files
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
# The first value of a field in an answer.
field() { grep -o "\"$1\" *: *\"[^\"]*\"" | head -n 1 | cut -d '"' -f 4; }
# Retries, because it takes a while until a new object is known everywhere.
again() { for n in 1 2 3 4 5; do "$@" && return; sleep "${PAUSE:-5}"; done; return 1; }

TENANT=$(graph GET 'organization?$select=id' | field id)
RESOURCE=$(graph GET "servicePrincipals(appId='$GRAPH_APP')?\$select=id" | field id)
