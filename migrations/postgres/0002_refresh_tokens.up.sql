-- One row is one family, which is one session, for life: a rotation updates it in place.
-- Room in every page, and no index on a column that a rotation changes: each rotation is a HOT update.
CREATE TABLE refresh_tokens (
    id uuid NOT NULL PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users_auth (id) ON DELETE CASCADE,
    handle bytea NOT NULL,
    generation bigint NOT NULL,
    mac_key_id bigint NOT NULL,
    session_epoch bigint NOT NULL,
    client_id text NOT NULL,
    created_at timestamptz NOT NULL,
    rotated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    ip text,
    user_agent text
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX refresh_tokens_handle ON refresh_tokens (handle);
CREATE INDEX refresh_tokens_user_id ON refresh_tokens (user_id);
-- For the janitor. Neither column changes in a rotation.
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_ended_at ON refresh_tokens (ended_at) WHERE ended_at IS NOT NULL;
