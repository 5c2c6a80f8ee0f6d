DROP INDEX audit_log_event;
DROP INDEX audit_log_actor_id;
ALTER TABLE audit_log DROP COLUMN origin;
ALTER TABLE audit_log DROP COLUMN outcome;
