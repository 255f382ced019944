#!/bin/sh
# Make a certificate authority for tests and a server certificate of it for 127.0.0.1, localhost and GitHub's names.
# Usage: ca.sh DIRECTORY   leaves ca.pem, server.pem and server.key there; existing ones are kept.
set -eu

mkdir -p "$1"
cd "$1"
if [ -s ca.pem ] && [ -s server.pem ] && [ -s server.key ]; then
    exit 0
fi

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=draftd tests' \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign' \
    -keyout ca.key -out ca.pem 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=localhost' \
    -keyout server.key -out server.csr 2>/dev/null
printf 'subjectAltName=DNS:localhost,DNS:api.github.com,DNS:github.com,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >server.ext
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext \
    -out server.pem 2>/dev/null
rm -f server.csr server.ext ca.srl
