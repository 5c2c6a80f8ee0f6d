"""What schemathesis needs to know of Keyward: how to log in, and which values are worth something."""

import base64
import json
import os
import uuid

import requests
import schemathesis

BASE = os.environ["KEYWARD_TEST_BASE"]
CLIENT = base64.b64encode(os.environ["KEYWARD_TEST_CLIENT"].encode()).decode()
PASSWORD = "seven herons on one leg"
ADMIN = os.environ["KEYWARD_TEST_ADMIN"]


def post(path, body):
    answer = requests.post(BASE + path, json=body, timeout=10)
    answer.raise_for_status()
    return answer.json()


def new_account():
    account = {"email": f"user-{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    post("/auth/signup", account)
    return account


def login():
    """Someone new each time, since logging out and changing the password are among the operations."""
    return post("/auth/login", new_account())


def admin():
    return post("/auth/login", {"email": ADMIN, "password": PASSWORD})


def new_user_id():
    return post("/auth/signup", {"email": f"user-{uuid.uuid4().hex}@example.com", "password": PASSWORD})["id"]


def ask_as_admin(path):
    answer = requests.get(BASE + path, headers={"Authorization": f"Bearer {admin()['access_token']}"}, timeout=10)
    answer.raise_for_status()
    return answer.json()


@schemathesis.auth(refresh_interval=None)
class Credentials:
    def get(self, case, context):
        if operation_of(case) == "introspect":
            return f"Basic {CLIENT}"
        if case.operation.path.startswith("/admin/"):
            return f"Bearer {admin()['access_token']}"
        return f"Bearer {login()['access_token']}"

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = data


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts credentials that are good into about half of the requests that could hold some."""
    if case.meta is None or case.meta.generation.mode.is_negative:
        return
    if operation_of(case) == "endSession":
        case.path_parameters["id"] = own_session(case.headers["Authorization"])
    if case.operation.path.startswith("/admin/users/{id}"):
        # Never the admin itself, who would be without a password or a session.
        case.path_parameters["id"] = new_user_id()
    if operation_of(case) == "revokeKey":
        case.path_parameters["kid"] = next(
            key["kid"] for key in ask_as_admin("/admin/keys")["items"] if key["state"] == "pending"
        )
    if operation_of(case) in ("listUsers", "listAuditRecords") and case.query and "cursor" in case.query:
        # Good for this listing alone, which only the page before can tell.
        del case.query["cursor"]
    if not isinstance(case.body, dict):
        return
    good = {
        "signup": lambda: {"password": PASSWORD},
        "login": new_account,
        "refresh": lambda: {"refresh_token": login()["refresh_token"]},
        "logout": lambda: {"refresh_token": login()["refresh_token"]},
        "changePassword": lambda: {"current_password": PASSWORD, "new_password": f"{PASSWORD} or two"},
        "resetUserPassword": lambda: {"new_password": f"{PASSWORD} or two"},
        "introspect": lambda: {"token": login()["access_token"]},
        "revoke": lambda: {"token": login()["refresh_token"]},
    }.get(operation_of(case))
    if good is not None and sum(len(str(value)) for value in case.body.values()) % 2 == 0:
        case.body = case.body | good()


def own_session(authorization):
    payload = authorization.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))["sid"]


def operation_of(case):
    return case.operation.definition.raw["operationId"]
