
# A secret that is valid for 180 days, in a file that only you can read.
ENDS=$(date -u -d '+180 days' +%Y-%m-%dT00:00:00Z 2> /dev/null || date -u -v +180d +%Y-%m-%dT00:00:00Z)
again graph POST "applications/$OBJECT/addPassword" \
    "{\"passwordCredential\":{\"displayName\":\"$NAME\",\"endDateTime\":\"$ENDS\"}}" | field secretText > "$NAME.secret"
