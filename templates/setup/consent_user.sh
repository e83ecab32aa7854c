
# An administrator's consent to that permission, for everybody who signs in by the app. What a person may do with it
# depends on their directory role: Helpdesk Administrator for users, Privileged Authentication Administrator for all.
again graph POST oauth2PermissionGrants \
    "{\"clientId\":\"$SP\",\"consentType\":\"AllPrincipals\",\"resourceId\":\"$RESOURCE\",\"scope\":\"User.RevokeSessions.All\"}" > /dev/null
