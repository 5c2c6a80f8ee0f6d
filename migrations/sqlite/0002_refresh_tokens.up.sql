-- One row is one family, which is one session, for life: a rotation updates it in place.
CREATE TABLE refresh_tokens (
    id BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users_auth (id) ON DELETE CASCADE,
    handle BLOB NOT NULL,
    generation INTEGER NOT NULL,
    mac_key_id INTEGER NOT NULL,
    session_epoch INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    end_reason TEXT,
    ip TEXT,
    user_agent TEXT
) STRICT;

CREATE UNIQUE INDEX refresh_tokens_handle ON refresh_tokens (handle);
CREATE INDEX refresh_tokens_user_id ON refresh_tokens (user_id);
-- For the janitor. Neither column changes in a rotation.
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_ended_at ON refresh_tokens (ended_at) WHERE ended_at IS NOT NULL;
