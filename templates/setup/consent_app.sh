
# Admin consent for the permission.
again graph POST "servicePrincipals/$SP/appRoleAssignments" \
    "{\"principalId\":\"$SP\",\"resourceId\":\"$RESOURCE\",\"appRoleId\":\"$PERMISSION\"}" > /dev/null
