CREATE TABLE outbox (
    id uuid NOT NULL PRIMARY KEY,
    subject_id uuid NOT NULL,
    subject_seq bigint NOT NULL,
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    data text NOT NULL
);

CREATE UNIQUE INDEX outbox_subject ON outbox (subject_id, subject_seq);

-- Progress per event and sink. There is no high-water mark: ids do not commit in order.
CREATE TABLE outbox_deliveries (
    event_id uuid NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    sink text NOT NULL,
    subject_id uuid NOT NULL,
    subject_seq bigint NOT NULL,
    attempts bigint NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    published_at timestamptz,
    last_error text,
    PRIMARY KEY (event_id, sink)
);

CREATE INDEX outbox_deliveries_pending ON outbox_deliveries (sink, event_id) WHERE published_at IS NULL;
CREATE INDEX outbox_deliveries_order ON outbox_deliveries (sink, subject_id, subject_seq) WHERE published_at IS NULL;

-- Who may do a job that only one replica does. `fence` rises with every change of holder.
CREATE TABLE leases (
    name text NOT NULL PRIMARY KEY,
    holder text NOT NULL,
    fence bigint NOT NULL,
    expires_at timestamptz NOT NULL
);
