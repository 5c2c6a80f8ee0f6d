DROP INDEX outbox_deliveries_due;
CREATE INDEX outbox_deliveries_pending ON outbox_deliveries (sink, event_id) WHERE published_at IS NULL;
ALTER TABLE outbox_deliveries DROP COLUMN outcome;
