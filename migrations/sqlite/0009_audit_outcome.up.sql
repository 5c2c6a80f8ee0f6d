-- Whether the caller got what they asked for, and where the deed began: http, command_line or server. What an older
-- version writes has neither.
ALTER TABLE audit_log ADD COLUMN outcome TEXT;
ALTER TABLE audit_log ADD COLUMN origin TEXT;

-- Listings are newest first, and an id begins with the time: each filter has its index, in the order of ids.
CREATE INDEX audit_log_actor_id ON audit_log (actor_id, id) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_log_event ON audit_log (event, id);
