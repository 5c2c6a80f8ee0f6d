-- Services that may introspect tokens. The secret is random, so its plain SHA-256 tells nothing.
CREATE TABLE clients (
    id text NOT NULL PRIMARY KEY,
    secret_sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
