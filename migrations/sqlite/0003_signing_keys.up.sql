CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'retired', 'removed')),
    public_jwk TEXT NOT NULL,
    sealed_private BLOB NOT NULL,
    master_key_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    promoted_at INTEGER,
    retired_at INTEGER
) STRICT;

-- However many replicas start together, one of them makes the active key.
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (state) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_one_pending ON signing_keys (state) WHERE state = 'pending';

-- What a replica must know before it may touch anything: a value that only the right key gives.
CREATE TABLE master_keys (
    key_id INTEGER NOT NULL PRIMARY KEY,
    check_value BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;

-- One row. `token_epoch` is part of every refresh token's MAC.
CREATE TABLE installation (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    token_epoch INTEGER NOT NULL,
    event_seq INTEGER NOT NULL
) STRICT;

INSERT INTO installation (id, token_epoch, event_seq) VALUES (1, 0, 0);
