#!/usr/bin/env bash
# Makes the certificates and keys here anew. They are for tests only: the keys are public.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

cat > "$work/ca.cnf" <<END
[ca]
default_ca = here
[here]
database = $work/index
serial = $work/serial
new_certs_dir = $work
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[nameless]
basicConstraints = CA:FALSE
[leaf]
subjectAltName = \$ENV::NAMES
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = serverAuth
END
touch "$work/index"
openssl rand -hex 8 > "$work/serial"
export NAMES=DNS:localhost

key() {
  openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"
}

# sign FILE KEY START END, and how to sign it
sign() {
  openssl req -new -key "$2" -subj "/CN=$(basename "$1" .pem)" -out "$work/request"
  openssl ca -batch -notext -config "$work/ca.cnf" -in "$work/request" -out "$1" \
    -startdate "$3" -enddate "$4" "${@:5}" 2> /dev/null
}

# authority NAME
authority() {
  key "$work/$1.key"
  sign "$1.pem" "$work/$1.key" 20200101000000Z 20991231000000Z \
    -selfsign -keyfile "$work/$1.key" -extensions authority
}

# leaf FILE KEY START END
leaf() {
  sign "$@" -cert ca.pem -keyfile "$work/ca.key" -extensions leaf
}

authority ca
authority other_ca
for name in one two; do
  key "$name.key"
  NAMES="DNS:localhost, DNS:$name.test, IP:127.0.0.1, IP:::1" \
    leaf "$name.pem" "$name.key" 20200101000000Z 20991231000000Z
done
leaf expired.pem one.key 20200101000000Z 20210101000000Z
leaf future.pem one.key 20900101000000Z 20991231000000Z
sign nameless.pem one.key 20200101000000Z 20991231000000Z -selfsign -keyfile one.key \
  -extensions nameless
openssl pkcs8 -topk8 -in one.key -passout pass:secret -out encrypted.key
openssl x509 -in one.pem -outform der -out one.der
openssl genrsa -out weak.key 1024
cat ca.pem one.pem > reversed.pem
for file in one.pem one.key; do
  sed '2s/.*/bm90aGluZw==/' "$file" > "damaged.${file#one.}"
done
