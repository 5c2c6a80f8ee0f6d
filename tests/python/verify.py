"""Verifies an access token as another service would, knowing nothing but the issuer's URL.

usage: verify.py ISSUER AUDIENCE < TOKEN        prints the claims, or exits 1 and says why not
"""

import json
import sys
import urllib.request

import jwt

issuer, audience = sys.argv[1:]
token = sys.stdin.readline().strip()

with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration", timeout=10) as answer:
    metadata = json.load(answer)
if metadata["issuer"] != issuer:
    sys.exit(f"the metadata is of {metadata['issuer']}")

try:
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    decoded = jwt.decode_complete(
        token,
        key,
        algorithms=metadata["id_token_signing_alg_values_supported"],
        audience=audience,
        issuer=issuer,
        options={"require": ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]},
    )
except jwt.PyJWTError as error:
    sys.exit(f"{type(error).__name__}: {error}")
if decoded["header"]["typ"] != "at+jwt":
    sys.exit(f"an access token is at+jwt, not {decoded['header']['typ']}")
json.dump(decoded["payload"], sys.stdout)
