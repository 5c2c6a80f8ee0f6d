//! L4: on PostgreSQL the servers' role adds audit records and cannot change any, while servers do all that they do.

use std::sync::Arc;
use std::time::Duration;

use keyward::app::{AuditGuard, AuditLog, Error, Level, StartError, examine};
use keyward::clock::Clock;
use keyward::domain::SecurityEvent;
use keyward::store::{DatabaseOptions, Location, Store, grants};
use sqlx::AssertSqlSafe;

use crate::audit_events::expect_record;
use crate::lock::LOCK;
use crate::support::{Kind, TestDatabase, TestServer};

const PASSWORD: &str = "only-for-tests";

/// A database whose tables belong to one role, and another one for servers.
struct TwoRoles {
    database: Arc<TestDatabase>,
    owner: String,
    server: String,
}

impl TwoRoles {
    /// `None` on SQLite, which has no roles.
    async fn create() -> Option<Self> {
        if Kind::of_this_run() == Kind::Sqlite {
            return None;
        }
        let database = Arc::new(TestDatabase::create_empty().await);
        if database.url_through_pooler().is_some() {
            return None; // a pooler would have to be told of these roles
        }
        let tag = uuid::Uuid::from_bytes(keyward::random::bytes()).simple().to_string();
        let (owner, server) = (format!("keyward_owner_{tag}"), format!("keyward_app_{tag}"));
        for role in [&owner, &server] {
            database.execute(format!("CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")).await;
        }
        let name = database.texts("SELECT current_database()::text").await.concat();
        database.execute(format!("ALTER DATABASE {name} OWNER TO {owner}")).await;
        // Before PostgreSQL 15 the schema was somebody else's, and everybody might make tables in it.
        database.execute("ALTER SCHEMA public OWNER TO pg_database_owner").await;
        database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
        Some(Self { database, owner, server })
    }

    fn url(&self, role: &str) -> String {
        let mut url = url::Url::parse(&self.database.url()).expect("a URL");
        url.set_username(role).expect("a name");
        url.set_password(Some(PASSWORD)).expect("a password");
        url.into()
    }

    async fn open_as(&self, role: &str) -> Store {
        let options = DatabaseOptions { max_connections: 2, transaction_pooler: false };
        Store::open(Location::Postgres(&self.url(role)), options).await.expect("opens")
    }

    /// Roles are the whole cluster's, and outlive the database.
    async fn remove(self) {
        let (owner, server) = (&self.owner, &self.server);
        let name = self.database.texts("SELECT current_database()::text").await.concat();
        self.database.execute(format!("ALTER DATABASE {name} OWNER TO CURRENT_USER")).await;
        for role in [server, owner] {
            self.database.execute(format!("DROP OWNED BY {role} CASCADE")).await;
            self.database.execute(format!("DROP ROLE {role}")).await;
        }
    }
}

/// Runs statements as the role that a store was opened with.
async fn run(store: &Store, sql: impl Into<String>) -> Result<(), sqlx::Error> {
    let Store::Postgres { pool, .. } = store else { panic!("PostgreSQL") };
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(pool).await.map(drop)
}

#[tokio::test]
async fn a_server_with_a_role_of_its_own_works_and_cannot_change_records() {
    let Some(roles) = TwoRoles::create().await else { return };
    let (database, owner) = (Arc::clone(&roles.database), roles.open_as(&roles.owner).await);
    let as_server = roles.open_as(&roles.server).await;
    let flags = |more: &[(&str, String)]| {
        let limits = LOCK.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let url = [("database_url", roles.url(&roles.server))];
        limits.chain(url).chain(more.iter().cloned()).map(|(key, value)| (key.to_owned(), value)).collect()
    };

    // Without a schema, and without the right to make one, a server says who must.
    let now = Clock::System.now();
    let refused: StartError = as_server.migrate_up(now).await.expect_err("no right").into();
    let StartError::Configuration(said) = refused else { panic!("{refused:?}") };
    assert!(said.contains("permission denied") && said.contains("database.direct_url"), "{said}");

    owner.migrate_up(now).await.expect("the owner may");
    let script = grants(&roles.server).expect("a plain name");
    for _ in 0..2 {
        run(&owner, script.clone()).await.expect("the owner may give, again and again");
    }
    assert!(as_server.migrate_up(now).await.expect("nothing to do").0.is_empty());

    let mut server = TestServer::on(Arc::clone(&database), flags(&[]), Clock::shifted()).await;
    for event in SecurityEvent::ALL.iter().filter(|event| **event != SecurityEvent::AuditPruned) {
        expect_record(&server, *event).await;
    }
    assert_eq!(server.app.audit_guard().await.expect("asked"), AuditGuard::AppendOnly);
    let found = examine(server.settings(), &server.clock).await;
    let guard = found.iter().find(|finding| finding.code == "audit.append_only");
    assert_eq!(guard.map(|finding| finding.level), Some(Level::Ok), "{found:?}");

    let records = "SELECT count(*) FROM audit_log";
    let before = database.number(records).await;
    assert!(before > 20, "{before}");
    for statement in [
        "UPDATE audit_log SET event = 'nothing'",
        "UPDATE audit_log SET request_id = request_id",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "DROP TABLE audit_log",
        "ALTER TABLE audit_log DROP COLUMN ip",
        "ALTER TABLE audit_log RENAME TO gone",
        "ALTER TABLE audit_log OWNER TO CURRENT_USER",
        "CREATE RULE gone AS ON INSERT TO audit_log DO INSTEAD NOTHING",
        "DROP SCHEMA public CASCADE",
        "INSERT INTO audit_log SELECT * FROM audit_log ON CONFLICT (id) DO UPDATE SET event = 'nothing'",
        "DELETE FROM schema_migrations",
    ] {
        let error = run(&as_server, statement).await.expect_err(statement);
        let code = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
    }
    // No error, and no right: PostgreSQL only warns of a grant by somebody who has nothing to give.
    let _ = run(&as_server, format!("GRANT ALL ON audit_log TO {}", roles.server)).await;
    run(&as_server, "DELETE FROM audit_log").await.expect_err("still no right");
    assert_eq!(database.number(records).await, before);

    // The janitor does the rest of its work, and leaves old records to the owner.
    server.clock.advance(Duration::from_secs(100 * 24 * 60 * 60));
    server.app.maintain("janitor").await.expect("maintained");
    assert!(database.number(records).await >= before);
    let log = AuditLog::open(server.settings(), &server.clock).await.expect("opens");
    let now = server.clock.now();
    let refused = log.prune(&server.operator(), now, now).await.expect_err("no right");
    assert!(matches!(&refused, Error::Store(error) if error.forbidden()), "{refused:?}");
    log.close().await;
    server.stop().await;

    let direct = [("database.direct_url", roles.url(&roles.owner))];
    let mut server = TestServer::on(Arc::clone(&database), flags(&direct), server.clock.clone()).await;
    expect_record(&server, SecurityEvent::AuditPruned).await;
    assert!(database.number(records).await < before);
    assert_eq!(
        server.app.audit_guard().await.expect("asked"),
        AuditGuard::AppendOnly,
        "for itself it is not the owner"
    );
    server.stop().await;

    // What a later version brings is the servers', too.
    run(&owner, "CREATE TABLE later (id bigint)").await.expect("a table");
    run(&as_server, "INSERT INTO later VALUES (1); UPDATE later SET id = 2; DELETE FROM later")
        .await
        .expect("rights");
    owner.close().await;
    as_server.close().await;
    roles.remove().await;
}
