#!/bin/sh
# Whether what compose.yml starts works together: signs up, logs in, and waits until the other service has heard of it.
#
#   deploy/compose/smoke.sh [KEYWARD [USER-SERVICE]]
set -eu
keyward=${1:-http://127.0.0.1:7300}
profiles=${2:-http://127.0.0.1:7310}
email="smoke-$(od -An -N6 -tx1 /dev/urandom | tr -d ' \n')@example.com"
body="{\"email\":\"$email\",\"password\":\"a quiet lake at dawn\"}"

post() {
    curl --silent --show-error --fail-with-body --max-time 10 "$keyward$1" --header 'content-type: application/json' --data "$body"
}

post /auth/signup >/dev/null
token=$(post /auth/login | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
bearer="authorization: Bearer $token"
curl --silent --show-error --fail-with-body --max-time 10 "$keyward/auth/me" --header "$bearer" >/dev/null

# The event travels through the broker, so it may take a moment.
tries=0
until curl --silent --fail --max-time 10 "$profiles/profiles/me" --header "$bearer"; do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || { echo "no profile of $email after 30 s" >&2; exit 1; }
    sleep 1
done
echo
