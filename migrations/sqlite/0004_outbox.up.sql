CREATE TABLE outbox (
    id BLOB NOT NULL PRIMARY KEY,
    subject_id BLOB NOT NULL,
    subject_seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    data TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX outbox_subject ON outbox (subject_id, subject_seq);

-- Progress per event and sink. There is no high-water mark: ids do not commit in order.
CREATE TABLE outbox_deliveries (
    event_id BLOB NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    sink TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    subject_seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    published_at INTEGER,
    last_error TEXT,
    PRIMARY KEY (event_id, sink)
) STRICT;

CREATE INDEX outbox_deliveries_pending ON outbox_deliveries (sink, event_id) WHERE published_at IS NULL;
CREATE INDEX outbox_deliveries_order ON outbox_deliveries (sink, subject_id, subject_seq) WHERE published_at IS NULL;

-- Who may do a job that only one replica does. `fence` rises with every change of holder.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    fence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
