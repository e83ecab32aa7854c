
# A key, which never leaves this machine, and a certificate for one year. Only the certificate is added to the app.
openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 365 -subj "/CN=$NAME" -keyout "$NAME.key" -out "$NAME.crt"
cat "$NAME.key" "$NAME.crt" > "$NAME.pem"
rm "$NAME.key"
KEY=$(openssl x509 -in "$NAME.crt" -outform DER | openssl base64 -A)
