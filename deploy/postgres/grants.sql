-- What the role of the servers may do. The role that owns the tables runs this, after `keyward migrate`; again is no harm.
-- Records of the audit log can then be added and read, but neither changed nor deleted, whatever becomes of a server.
--
--   CREATE ROLE "keyward_app" LOGIN PASSWORD '…';   -- first, by whoever may make roles
--   psql "$OWNER_URL" -f deploy/postgres/grants.sql
--
-- `keyward migrate grants NAME` prints it for a role of another name.
BEGIN;

DO $$ BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO "keyward_app"', current_schema());
END $$;

GRANT SELECT ON schema_migrations TO "keyward_app";
GRANT SELECT, INSERT, UPDATE, DELETE ON
    users_auth, refresh_tokens, login_failures, signing_keys, master_keys, installation, clients, leases, outbox,
    outbox_deliveries
TO "keyward_app";

REVOKE ALL ON audit_log FROM "keyward_app";
GRANT SELECT, INSERT ON audit_log TO "keyward_app";

-- Tables that a later version brings, made by the role that runs this.
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "keyward_app";

COMMIT;
