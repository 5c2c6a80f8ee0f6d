DROP TABLE leases;
DROP TABLE outbox_deliveries;
DROP TABLE outbox;
