//! What holds in the database whenever nobody is in the middle of something.

use super::{Kind, TestDatabase, eventually};

/// Each statement counts what breaks the rule.
const RULES: [(&str, &str); 22] = [
    (
        "canonical e-mail addresses are unique",
        "SELECT count(*) FROM (
            SELECT email_canonical FROM users_auth GROUP BY email_canonical HAVING count(*) > 1
         ) AS twice",
    ),
    (
        "canonical e-mail addresses are lower case without white space around them",
        "SELECT count(*) FROM users_auth WHERE email_canonical <> lower(trim(email_canonical))",
    ),
    (
        "every user has one credential, an argon2id hash",
        "SELECT count(*) FROM users_auth WHERE password_hash NOT LIKE '$argon2id$%'",
    ),
    (
        "no session is live for a disabled user, or from before the user's last epoch",
        "SELECT count(*) FROM refresh_tokens AS r JOIN users_auth AS u ON u.id = r.user_id
         WHERE r.ended_at IS NULL AND (u.status <> 'active' OR u.session_epoch <> r.session_epoch)",
    ),
    (
        "no session is of a user who is not there",
        "SELECT count(*) FROM refresh_tokens WHERE user_id NOT IN (SELECT id FROM users_auth)",
    ),
    (
        "no session is of a later epoch than its user",
        "SELECT count(*) FROM refresh_tokens AS r JOIN users_auth AS u ON u.id = r.user_id
         WHERE r.session_epoch > u.session_epoch",
    ),
    (
        "an ended session has a time and a reason, a live one neither",
        "SELECT count(*) FROM refresh_tokens WHERE (ended_at IS NULL) <> (end_reason IS NULL)",
    ),
    (
        "a session that was never rotated is of generation 0",
        "SELECT count(*) FROM refresh_tokens WHERE generation < 0 OR (generation = 0 AND rotated_at <> created_at)",
    ),
    ("exactly one signing key is active", "SELECT abs(count(*) - 1) FROM signing_keys WHERE state = 'active'"),
    (
        "events of a subject are numbered from 1 without gaps",
        "SELECT count(*) FROM (
            SELECT subject_id FROM outbox GROUP BY subject_id
            HAVING min(subject_seq) <> 1 OR max(subject_seq) <> count(*)
         ) AS gaps",
    ),
    (
        "a user knows the number of its last event",
        "SELECT count(*) FROM users_auth AS u
         WHERE u.event_seq <> (SELECT count(*) FROM outbox AS o WHERE o.subject_id = u.id)",
    ),
    (
        "every event has its one delivery",
        "SELECT count(*) FROM outbox AS o
         WHERE (
            SELECT count(*) FROM outbox_deliveries AS d
            WHERE d.event_id = o.id AND d.subject_id = o.subject_id AND d.subject_seq = o.subject_seq
         ) <> 1",
    ),
    (
        "every delivery is of an event",
        "SELECT count(*) FROM outbox_deliveries WHERE event_id NOT IN (SELECT id FROM outbox)",
    ),
    (
        "no event was published before an earlier one of its subject",
        "SELECT count(*) FROM outbox_deliveries AS d
         WHERE d.published_at IS NOT NULL AND EXISTS (
            SELECT 1 FROM outbox_deliveries AS earlier
            WHERE earlier.sink = d.sink AND earlier.subject_id = d.subject_id
                AND earlier.subject_seq < d.subject_seq AND earlier.published_at IS NULL
         )",
    ),
    (
        "one event and one audit record for every user who is there or was deleted",
        "SELECT abs(users - (SELECT count(*) FROM outbox WHERE type = 'auth.user_created'))
            + abs(users - (SELECT count(*) FROM audit_log WHERE event = 'user_created'))
         FROM (
            SELECT (SELECT count(*) FROM users_auth)
                + (SELECT count(*) FROM outbox WHERE type = 'auth.user_deleted') AS users
         ) AS ever",
    ),
    (
        "who was deleted is not there, and has no event after that",
        "SELECT count(*) FROM outbox AS o
         WHERE o.type = 'auth.user_deleted' AND (
            EXISTS (SELECT 1 FROM users_auth AS u WHERE u.id = o.subject_id)
            OR EXISTS (
                SELECT 1 FROM outbox AS later
                WHERE later.subject_id = o.subject_id AND later.subject_seq > o.subject_seq
            )
         )",
    ),
    (
        "where an admin ever was, an active one is left",
        "SELECT count(*) FROM outbox
         WHERE type = 'auth.user_created' AND data LIKE '%\"admin\"%' AND NOT EXISTS (
            SELECT 1 FROM users_auth WHERE status = 'active' AND ' ' || roles || ' ' LIKE '% admin %'
         )",
    ),
    (
        "one event and one audit record for every reuse that ended a session",
        "SELECT abs(ended - (SELECT count(*) FROM outbox WHERE type = 'auth.refresh_token_reused'))
            + abs(ended - (SELECT count(*) FROM audit_log WHERE event = 'refresh_token_reused'))
         FROM (SELECT count(*) AS ended FROM refresh_tokens WHERE end_reason = 'refresh_token_reused') AS reused",
    ),
    (
        "one audit record for every session that its owner ended",
        "SELECT abs((SELECT count(*) FROM refresh_tokens WHERE end_reason IN ('logout', 'revoked')) - (
            SELECT count(*) FROM audit_log
            WHERE event = 'session_revoked' AND user_id IN (SELECT id FROM users_auth)
         ))",
    ),
    (
        "one audit record for every login that gave a session",
        "SELECT abs((SELECT count(*) FROM refresh_tokens) - (
            SELECT count(*) FROM audit_log
            WHERE event = 'login_succeeded' AND user_id IN (SELECT id FROM users_auth)
         ))",
    ),
    (
        "no pool of an identifier has failures below nothing, or more in a window than in a row",
        "SELECT count(*) FROM login_failures
         WHERE failures < 0 OR failures > in_a_row OR charged_at < began_at",
    ),
    (
        "one audit record for every event of a lock",
        "SELECT count(*) FROM users_auth AS u
         WHERE (SELECT count(*) FROM outbox AS o WHERE o.subject_id = u.id AND o.type = 'auth.user_locked')
            <> (
                SELECT count(*) FROM audit_log AS a
                WHERE a.user_id = u.id AND a.event = 'user_locked' AND a.detail LIKE '%\"untrusted\"%'
            )",
    ),
];

impl TestDatabase {
    /// Checks every rule, and the health of the database itself.
    pub async fn check_invariants(&self) {
        for (rule, violations) in RULES {
            assert_eq!(self.number(violations).await, 0, "{rule}");
        }
        match self.kind {
            Kind::Sqlite => {
                assert_eq!(self.texts("PRAGMA integrity_check").await, ["ok"]);
                assert_eq!(self.number("SELECT count(*) FROM pragma_foreign_key_check").await, 0);
            }
            // Between two statements of its transaction a working connection is "idle" for a moment; one that
            // was left behind stays so.
            Kind::Postgres => {
                self.check_indexes().await;
                eventually("no connection is idle in a transaction", async || {
                    self.number(
                        "SELECT count(*) FROM pg_stat_activity
                         WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
                    )
                    .await
                        == 0
                })
                .await;
            }
        }
    }

    /// What `pg_amcheck` does, where the server has it: every index in order, and with every row of its table in it.
    async fn check_indexes(&self) {
        let available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'amcheck'";
        let superuser = "SELECT count(*) FROM pg_roles WHERE rolname = current_user AND rolsuper";
        if self.number(available).await == 0 || self.number(superuser).await == 0 {
            return;
        }
        self.execute("CREATE EXTENSION IF NOT EXISTS amcheck").await;
        let checked = "SELECT count(bt_index_check(i.indexrelid, true))
            FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS a ON a.oid = c.relam
            WHERE a.amname = 'btree' AND c.relnamespace = 'public'::regnamespace AND i.indisvalid";
        assert!(self.number(checked).await > 5);
        let corrupt = "SELECT count(*) FROM pg_class AS t, LATERAL verify_heapam(t.oid)
            WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace";
        assert_eq!(self.number(corrupt).await, 0, "a table is corrupt");
    }
}
