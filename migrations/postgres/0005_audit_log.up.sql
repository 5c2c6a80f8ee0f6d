CREATE TABLE audit_log (
    id uuid NOT NULL PRIMARY KEY,
    occurred_at timestamptz NOT NULL,
    event text NOT NULL,
    user_id uuid,
    actor_id uuid,
    session_id uuid,
    ip text,
    user_agent text,
    request_id text NOT NULL,
    detail text
);

CREATE INDEX audit_log_user_id ON audit_log (user_id, id);
