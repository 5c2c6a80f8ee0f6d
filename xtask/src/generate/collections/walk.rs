//! Through every operation once or more, in an order that works.

/// Who makes the request.
pub(super) enum Caller {
    Anyone,
    /// With the access token that this variable holds.
    Bearer(&'static str),
    /// A service client, by its name and secret.
    Client,
}

/// One request, and what it must answer.
pub(super) struct Step {
    pub(super) operation: &'static str,
    /// Instead of the operation's own summary.
    pub(super) title: &'static str,
    pub(super) caller: Caller,
    pub(super) path_variable: &'static str,
    pub(super) query: &'static str,
    /// JSON, or `name=value` lines of a form.
    pub(super) body: &'static str,
    pub(super) status: u16,
    /// The code of the problem, where one is wanted.
    pub(super) code: &'static str,
    /// A member of the answer, and what it must be.
    pub(super) member: (&'static str, &'static str),
    /// Variables that are kept, each from a path in the answer. `[state=pending]` chooses of a list.
    pub(super) kept: &'static [(&'static str, &'static str)],
}

const STEP: Step = Step {
    operation: "",
    title: "",
    caller: Caller::Anyone,
    path_variable: "",
    query: "",
    body: "",
    status: 200,
    code: "",
    member: ("", ""),
    kept: &[],
};
const USER: Step = Step { caller: Caller::Bearer("access_token"), ..STEP };
const ADMIN: Step = Step { caller: Caller::Bearer("admin_access_token"), path_variable: "user_id", ..STEP };

const LOGIN: &str = "{\n  \"email\": \"{{email}}\",\n  \"password\": \"{{password}}\"\n}";
const LOGIN_AGAIN: &str = "{\n  \"email\": \"{{email}}\",\n  \"password\": \"{{new_password}}\",\n  \
     \"device_token\": \"{{device_token}}\"\n}";
const PAIR: &[(&str, &str)] = &[("access_token", "access_token"), ("refresh_token", "refresh_token")];

#[rustfmt::skip]
pub(super) const STEPS: [Step; 39] = [
    Step { operation: "health", ..STEP },
    Step { operation: "signup", body: LOGIN, status: 201, kept: &[("user_id", "id")], ..STEP },
    Step { operation: "signup", title: "Sign up again: the address is taken", body: LOGIN, status: 409, code: "email_taken", ..STEP },
    Step { operation: "login", body: LOGIN, kept: &[("access_token", "access_token"), ("refresh_token", "refresh_token"), ("device_token", "device_token")], ..STEP },
    Step { operation: "login", title: "Log in with a wrong password", body: "{\n  \"email\": \"{{email}}\",\n  \"password\": \"{{new_password}}\"\n}", status: 401, code: "invalid_credentials", ..STEP },
    Step { operation: "me", ..USER },
    Step { operation: "refresh", body: "{\n  \"refresh_token\": \"{{refresh_token}}\"\n}", kept: PAIR, ..STEP },
    Step { operation: "changePassword", body: "{\n  \"current_password\": \"{{password}}\",\n  \"new_password\": \"{{new_password}}\"\n}", status: 204, ..USER },
    Step { operation: "login", title: "Log in on another device", body: LOGIN_AGAIN, kept: &[("other_refresh_token", "refresh_token")], ..STEP },
    Step { operation: "listSessions", kept: &[("other_session_id", "items[current=false].id")], ..USER },
    Step { operation: "endSession", path_variable: "other_session_id", status: 204, ..USER },
    Step { operation: "refresh", title: "Refresh there: the session has ended", body: "{\n  \"refresh_token\": \"{{other_refresh_token}}\"\n}", status: 401, code: "session_ended", ..STEP },
    Step { operation: "introspect", caller: Caller::Client, body: "token={{access_token}}", member: ("active", "true"), ..STEP },
    Step { operation: "login", title: "Log in on a third device", body: LOGIN_AGAIN, kept: &[("other_refresh_token", "refresh_token")], ..STEP },
    Step { operation: "revoke", body: "token={{other_refresh_token}}", ..STEP },
    Step { operation: "introspect", title: "Ask about the token that was revoked", caller: Caller::Client, body: "token={{other_refresh_token}}", member: ("active", "false"), ..STEP },
    Step { operation: "logout", status: 204, ..USER },
    Step { operation: "me", title: "Who am I, after logout", status: 401, code: "session_ended", ..USER },
    Step { operation: "jwks", ..STEP },
    Step { operation: "openidConfiguration", ..STEP },
    Step { operation: "authorizationServer", ..STEP },
    Step { operation: "login", title: "Log in as an admin", body: "{\n  \"email\": \"{{admin_email}}\",\n  \"password\": \"{{admin_password}}\"\n}", kept: &[("admin_access_token", "access_token")], ..STEP },
    Step { operation: "listUsers", query: "email={{email}}", ..ADMIN },
    Step { operation: "showUser", ..ADMIN },
    Step { operation: "setUserRoles", body: "{\n  \"roles\": [\"user\", \"billing:read\"]\n}", ..ADMIN },
    Step { operation: "setUserStatus", title: "Disable a user", body: "{\n  \"status\": \"disabled\"\n}", ..ADMIN },
    Step { operation: "setUserStatus", title: "Enable a user", body: "{\n  \"status\": \"active\"\n}", ..ADMIN },
    Step { operation: "unlockUser", status: 204, ..ADMIN },
    Step { operation: "resetUserPassword", body: "{\n  \"new_password\": \"{{password}}\"\n}", status: 204, ..ADMIN },
    Step { operation: "login", title: "Log in with the password that was set", body: LOGIN, ..STEP },
    Step { operation: "listUserSessions", ..ADMIN },
    Step { operation: "endUserSessions", status: 204, ..ADMIN },
    Step { operation: "rotateKeys", body: "{\n  \"now\": true\n}", status: 201, ..ADMIN },
    Step { operation: "listKeys", kept: &[("kid", "items[state=pending].kid")], ..ADMIN },
    Step { operation: "revokeKey", path_variable: "kid", status: 204, ..ADMIN },
    Step { operation: "listAuditRecords", query: "user={{user_id}}&limit=50", ..ADMIN },
    Step { operation: "deleteUser", status: 204, ..ADMIN },
    Step { operation: "showUser", title: "Show a user who was deleted", status: 404, code: "not_found", ..ADMIN },
    Step { operation: "logout", title: "Log the admin out", status: 204, ..ADMIN },
];
