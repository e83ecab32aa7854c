
# No app is made: the machine's identity gets the permission. PRINCIPAL is the identity's object id
# (az identity show -n NAME -g GROUP --query principalId -o tsv; az vm identity show … for that of a machine).
: "${PRINCIPAL:?set PRINCIPAL to the object id of the managed identity}"
again graph POST "servicePrincipals/$RESOURCE/appRoleAssignedTo" \
    "{\"principalId\":\"$PRINCIPAL\",\"resourceId\":\"$RESOURCE\",\"appRoleId\":\"$PERMISSION\"}" > /dev/null
