CREATE TABLE audit_log (
    id BLOB NOT NULL PRIMARY KEY,
    occurred_at INTEGER NOT NULL,
    event TEXT NOT NULL,
    user_id BLOB,
    actor_id BLOB,
    session_id BLOB,
    ip TEXT,
    user_agent TEXT,
    request_id TEXT NOT NULL,
    detail TEXT
) STRICT;

CREATE INDEX audit_log_user_id ON audit_log (user_id, id);
