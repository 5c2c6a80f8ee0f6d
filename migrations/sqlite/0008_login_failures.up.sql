-- Wrong passwords of an identifier (an HMAC of the canonical address, whether it is a user's or not), by who tried.
CREATE TABLE login_failures (
    identifier TEXT NOT NULL,
    pool TEXT NOT NULL,
    failures INTEGER NOT NULL,
    in_a_row INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    charged_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (identifier, pool)
) STRICT;

CREATE INDEX login_failures_expires_at ON login_failures (expires_at);
