
# An administrator's consent to that permission.
again graph POST "servicePrincipals/$SP/appRoleAssignments" \
    "{\"principalId\":\"$SP\",\"resourceId\":\"$RESOURCE\",\"appRoleId\":\"$PERMISSION\"}" > /dev/null
