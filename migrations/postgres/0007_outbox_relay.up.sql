-- How a delivery ended: published, or no_subscriber when nobody had asked the sink for it.
ALTER TABLE outbox_deliveries ADD COLUMN outcome text;
UPDATE outbox_deliveries SET outcome = 'published' WHERE published_at IS NOT NULL;

-- What is due comes first, however much else is waiting for a later attempt.
DROP INDEX outbox_deliveries_pending;
CREATE INDEX outbox_deliveries_due ON outbox_deliveries (sink, next_attempt_at, event_id) WHERE published_at IS NULL;
