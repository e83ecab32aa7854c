
# No app is registered; the managed identity gets the permission. PRINCIPAL is the object ID of the identity
# (az identity show -n NAME -g GROUP --query principalId -o tsv; for a machine's own identity: az vm identity show …).
: "${PRINCIPAL:?set PRINCIPAL to the object ID of the managed identity}"
again graph POST "servicePrincipals/$RESOURCE/appRoleAssignedTo" \
    "{\"principalId\":\"$PRINCIPAL\",\"resourceId\":\"$RESOURCE\",\"appRoleId\":\"$PERMISSION\"}" > /dev/null
