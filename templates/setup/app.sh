
# The app, which requests only this permission.
ACCESS="[{\"resourceAppId\":\"$GRAPH_APP\",\"resourceAccess\":[{\"id\":\"$PERMISSION\",\"type\":\"{type}\"}]}]"
MADE=$(graph POST applications "{\"displayName\":\"$NAME\",\"signInAudience\":\"AzureADMyOrg\",{more}\"requiredResourceAccess\":$ACCESS}")
APP=$(printf '%s' "$MADE" | field appId)
OBJECT=$(printf '%s' "$MADE" | field id)
SP=$(again graph POST servicePrincipals "{\"appId\":\"$APP\"}" | field id)
