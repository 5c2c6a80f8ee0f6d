"""What schemathesis needs to know of Keyward: how to log in, and which values are worth something."""

import os
import uuid

import requests
import schemathesis

BASE = os.environ["KEYWARD_TEST_BASE"]
ACCOUNT = {"email": f"user-{uuid.uuid4().hex}@example.com", "password": "a quiet lake at dawn"}


def post(path, body):
    answer = requests.post(BASE + path, json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def login():
    return post("/auth/login", ACCOUNT)


post("/auth/signup", ACCOUNT)


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """A fresh login for every case, since logging out is among the operations."""

    def get(self, case, context):
        return login()["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts credentials that are good into about half of the requests that could hold some."""
    operation = case.operation.definition.raw["operationId"]
    if case.meta is None or case.meta.generation.mode.is_negative or not isinstance(case.body, dict):
        return
    token, email, password = case.body.get("refresh_token"), case.body.get("email"), case.body.get("password")
    if operation in ("refresh", "logout") and isinstance(token, str) and len(token) % 2 == 0:
        case.body = case.body | {"refresh_token": login()["refresh_token"]}
    if operation == "login" and isinstance(email, str) and len(email) % 2 == 0:
        case.body = case.body | ACCOUNT
    if operation == "signup" and isinstance(password, str) and len(password) % 2 == 0:
        case.body = case.body | {"password": ACCOUNT["password"]}
