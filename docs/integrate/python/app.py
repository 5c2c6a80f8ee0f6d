"""A FastAPI service that trusts Keyward: uvicorn app:app"""

import logging
import os
from typing import Annotated

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

ISSUER = os.environ["KEYWARD_ISSUER"]
AUDIENCE = os.environ.get("KEYWARD_AUDIENCE", ISSUER)

# Fetched at the first token and kept for five minutes, as Keyward's max-age says; anew for an unknown key. Everything
# else about a key is read from this document and nothing from the token, whose header a stranger may have written.
keys = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", cache_jwk_set=True, lifespan=300, timeout=5)
bearer = HTTPBearer(auto_error=False)
app = FastAPI()
log = logging.getLogger("uvicorn.error")


def refused(description: str) -> HTTPException:
    challenge = f'Bearer realm="keyward", error="invalid_token", error_description="{description}"'
    return HTTPException(401, description, {"WWW-Authenticate": challenge})


# Not `async`: fetching keys blocks, and FastAPI runs plain functions in threads.
def caller(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> dict:
    """The claims of a caller whose token is good."""
    if credentials is None:
        raise HTTPException(401, "send a Bearer token", {"WWW-Authenticate": 'Bearer realm="keyward"'})
    token = credentials.credentials
    try:
        key = keys.get_signing_key_from_jwt(token)
        decoded = jwt.decode_complete(
            token,
            key,
            algorithms=["ES256"],  # Keyward's token.algorithm, and no other
            issuer=ISSUER,
            audience=AUDIENCE,
            leeway=30,
            options={"require": ["iss", "sub", "aud", "exp", "iat", "jti", "sid", "roles"]},
        )
    except jwt.PyJWKClientConnectionError as error:
        log.warning("no keys to verify tokens with: %r", error)
        raise HTTPException(503, "tokens cannot be verified just now", {"Retry-After": "1"}) from error
    except jwt.ExpiredSignatureError as error:
        raise refused("the access token has expired") from error
    except jwt.PyJWTError as error:
        log.warning("an access token was refused: %r", error)  # escaped: a stranger may have written parts of it
        raise refused("the access token is not valid") from error
    # PyJWT does not look at typ: without this a token of another kind, signed by the same key, would pass.
    if decoded["header"].get("typ", "").lower() not in ("at+jwt", "application/at+jwt"):
        raise refused("the token is not an access token")
    return decoded["payload"]


Caller = Annotated[dict, Depends(caller)]


def require_role(role: str):
    def check(claims: Caller) -> dict:
        if not isinstance(claims["roles"], list) or role not in claims["roles"]:
            challenge = 'Bearer realm="keyward", error="insufficient_scope"'
            raise HTTPException(403, f"this needs the role {role}", {"WWW-Authenticate": challenge})
        return claims

    return check


@app.get("/me")
def me(claims: Caller):
    return {"id": claims["sub"], "roles": claims["roles"]}


@app.get("/report")
def report(claims: Annotated[dict, Depends(require_role("admin"))]):
    return {"for": claims["sub"]}
