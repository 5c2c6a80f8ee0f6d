-- Services that may introspect tokens. The secret is random, so its plain SHA-256 tells nothing.
CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    secret_sha256 BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
