CREATE TABLE users_auth (
    id uuid NOT NULL PRIMARY KEY,
    email text NOT NULL,
    email_canonical text NOT NULL,
    email_verified boolean NOT NULL,
    password_hash text NOT NULL,
    roles text NOT NULL,
    status text NOT NULL CHECK (status IN ('active', 'disabled')),
    session_epoch bigint NOT NULL,
    event_seq bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE UNIQUE INDEX users_auth_email_canonical ON users_auth (email_canonical);
