//! What is read of a database without changing it, and copies of one.

use std::time::Duration;

use keyward::domain::{Roles, UserStatus};
use keyward::store::{DatabaseOptions, Location, NewUser, Store, StoreError};

use super::{insert_user, new_user, open, run};
use crate::support::Kind;

#[tokio::test]
async fn a_database_is_looked_at_and_stays_as_it_is() {
    let (database, store, now) = open().await;
    let with = |roles: &str, email: &str| NewUser {
        roles: Roles::from_words(roles).expect("names of roles"),
        ..new_user(email, now)
    };
    let (one, disabled) = (with("user admin", "a@example.com"), with("admin", "b@example.com"));
    let other = with("administrator user", "c@example.com");
    run(&store, move |tx| {
        Box::pin(async move {
            let away = disabled.id;
            for user in [one, disabled, other] {
                tx.user_insert(user).await?;
            }
            tx.user_set_status(away, UserStatus::Disabled, now).await.map(drop)
        })
    })
    .await;
    let state = store.schema_state().await.unwrap();
    assert!(state.missing.is_empty() && state.newer.is_empty() && state.foreign.is_empty(), "{state:?}");

    let (url, file) = (database.url(), database.sqlite_file());
    let location = match database.kind {
        Kind::Sqlite => Location::Sqlite(&file),
        Kind::Postgres => Location::Postgres(&url),
    };
    let options = DatabaseOptions { max_connections: 1, transaction_pooler: false };
    let looking = Store::open_to_look(location, options).await.unwrap();
    assert!(looking.database_version().await.unwrap().starts_with(|first: char| first.is_ascii_digit()));
    let there = looking.database_now().await.unwrap();
    assert!(there.since(now).max(now.since(there)) < Duration::from_secs(60), "{there} there, {now} here");
    let admins = looking.read("test", |tx| Box::pin(async move { tx.admins_count().await })).await;
    assert_eq!(admins.map_err(|error: StoreError| error.to_string()), Ok(1), "who is disabled is none");
    let user = new_user("d@example.com", now);
    let written = looking.transaction("test", |tx| Box::pin(async move { tx.user_insert(user).await })).await;
    assert!(written.is_err(), "it is not to be written to");
}

#[tokio::test]
async fn a_copy_has_what_was_there() {
    let (database, store, now) = open().await;
    if database.kind == Kind::Postgres {
        return;
    }
    insert_user(&store, now).await;
    let copy = database.folder.path().join("copy.db");
    std::fs::write(&copy, "").unwrap();
    Store::sqlite_copy(&database.sqlite_file(), &copy).await.unwrap();
    let state = Store::sqlite_copy_check(&copy).await.unwrap();
    assert_eq!((state.flaws, state.users), (Vec::new(), 1));
}
