CREATE TABLE signing_keys (
    kid text NOT NULL PRIMARY KEY,
    algorithm text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'active', 'retired', 'removed')),
    public_jwk text NOT NULL,
    sealed_private bytea NOT NULL,
    master_key_id bigint NOT NULL,
    created_at timestamptz NOT NULL,
    promoted_at timestamptz,
    retired_at timestamptz
);

-- However many replicas start together, one of them makes the active key.
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (state) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_one_pending ON signing_keys (state) WHERE state = 'pending';

-- What a replica must know before it may touch anything: a value that only the right key gives.
CREATE TABLE master_keys (
    key_id bigint NOT NULL PRIMARY KEY,
    check_value bytea NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz
);

-- One row. `token_epoch` is part of every refresh token's MAC.
CREATE TABLE installation (
    id bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    token_epoch bigint NOT NULL,
    event_seq bigint NOT NULL
);

INSERT INTO installation (id, token_epoch, event_seq) VALUES (1, 0, 0);
