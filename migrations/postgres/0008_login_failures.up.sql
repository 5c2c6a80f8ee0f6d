-- Wrong passwords of an identifier (an HMAC of the canonical address, whether it is a user's or not), by who tried.
CREATE TABLE login_failures (
    identifier text NOT NULL,
    pool text NOT NULL,
    failures bigint NOT NULL,
    in_a_row bigint NOT NULL,
    began_at timestamptz NOT NULL,
    charged_at timestamptz NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (identifier, pool)
);

CREATE INDEX login_failures_expires_at ON login_failures (expires_at);
