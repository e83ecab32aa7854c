
# The issuer of the tokens that the app trusts. For GitHub Actions, a job in an environment of a repository:
ISSUER="${ISSUER:-https://token.actions.githubusercontent.com}"
SUBJECT="${SUBJECT:-repo:OWNER/REPOSITORY:environment:ENVIRONMENT}"
# For Kubernetes, a service account (az aks show -n CLUSTER -g GROUP --query oidcIssuerProfile.issuerUrl -o tsv):
#   ISSUER=https://…   SUBJECT=system:serviceaccount:NAMESPACE:ACCOUNT
again graph POST "applications/$OBJECT/federatedIdentityCredentials" \
    "{\"name\":\"$NAME\",\"issuer\":\"$ISSUER\",\"subject\":\"$SUBJECT\",\"audiences\":[\"{audience}\"]}" > /dev/null
