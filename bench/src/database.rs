//! A database of this run's own.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::Outcome;

/// Lends a fresh database, and drops it afterwards however that went.
pub(crate) async fn with(postgres: &str, work: impl AsyncFnOnce(String) -> Outcome<()>) -> Outcome<()> {
    let admin = PgPoolOptions::new().max_connections(1).connect(postgres).await?;
    let name = format!("keyward_bench_{}", Uuid::new_v4().simple());
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await?;
    let measured = work(in_database(postgres, &name)?).await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&admin).await?;
    measured
}

/// Names another database in a PostgreSQL URL.
fn in_database(url: &str, name: &str) -> Outcome<String> {
    let (url, query) = url.split_once('?').map_or((url, None), |(url, query)| (url, Some(query)));
    let (server, _) =
        url.rsplit_once('/').filter(|(server, _)| server.contains("://")).ok_or("no database in the URL")?;
    Ok(query.map_or_else(|| format!("{server}/{name}"), |query| format!("{server}/{name}?{query}")))
}
