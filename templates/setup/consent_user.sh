
# Admin consent for the permission, for all users who sign in with the app. What a user may revoke depends on their
# directory role: Helpdesk Administrator for users, Privileged Authentication Administrator for all.
again graph POST oauth2PermissionGrants \
    "{\"clientId\":\"$SP\",\"consentType\":\"AllPrincipals\",\"resourceId\":\"$RESOURCE\",\"scope\":\"User.RevokeSessions.All\"}" > /dev/null
