//! What the catalogue promises of events, held against every one that a test wrote.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use jsonschema::Validator;
use keyward::events::catalogue;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

const EVENTS: &str = "SELECT type, data FROM outbox";

type Events = Vec<(String, String)>;

/// As served, but for members that the catalogue does not name: a reader ignores them, nobody is to write them.
static SCHEMAS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
    let strict = catalogue().iter().map(|kind| {
        let mut schema = kind.schema_document("https://auth.example.com");
        schema["additionalProperties"] = json!(false);
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema);
        (kind.kind, validator.expect("a good schema"))
    });
    strict.collect()
});

/// Panics when an event is not as its schema says.
pub fn check(events: &Events) {
    for (kind, data) in events {
        let schema = SCHEMAS.get(kind.as_str()).unwrap_or_else(|| panic!("{kind} is not in the catalogue"));
        let data: Value = serde_json::from_str(data).expect("data is JSON");
        schema.validate(&data).unwrap_or_else(|error| panic!("{kind}: {error} in {data}"));
    }
}

/// Reads all events; an error where there is no such table, as in tests of migrations.
pub async fn of_sqlite(file: &Path) -> Result<Events, sqlx::Error> {
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await?;
    let events = sqlx::query_as(EVENTS).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(events)
}

/// Reads all events; an error where there is no such table, as in tests of migrations.
pub async fn of_postgres(database: &PgConnectOptions) -> Result<Events, sqlx::Error> {
    let mut connection = database.connect().await?;
    let events = sqlx::query_as(EVENTS).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(events)
}
