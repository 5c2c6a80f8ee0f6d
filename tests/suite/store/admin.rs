//! What admins and operators do, one statement at a time.

use std::time::Duration;

use keyward::domain::{EndReason, Epoch, Roles, UserFilter, UserStatus};
use keyward::store::{NewUser, UserPage};

use super::{family, insert_user, new_user, open, role, run};

#[tokio::test]
async fn users_are_listed_by_role_and_status() {
    let (_database, store, now) = open().await;
    run(&store, move |tx| {
        Box::pin(async move {
            let (one, other) = (new_user("a@example.com", now), new_user("b@example.com", now));
            let (id, other_id) = (one.id, other.id);
            tx.user_insert(NewUser { roles: roles("a_b"), ..one }).await?;
            tx.user_insert(NewUser { roles: roles("axb xa_b a_bc"), ..other }).await?;
            tx.user_set_status(other_id, UserStatus::Disabled, now).await?;
            for (filter, expected) in [
                (UserFilter { role: Some(role("a_b")), ..UserFilter::default() }, vec![id]),
                (UserFilter { role: Some(role("axb")), ..UserFilter::default() }, vec![other_id]),
                (UserFilter { status: Some(UserStatus::Disabled), ..UserFilter::default() }, vec![other_id]),
                (UserFilter { role: Some(role("a")), ..UserFilter::default() }, vec![]),
            ] {
                let found = tx.users_list(filter, UserPage { after: None, limit: 9 }).await?;
                assert_eq!(found.iter().map(|user| user.id).collect::<Vec<_>>(), expected);
            }
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn users_are_disabled_given_roles_and_passwords_and_deleted() {
    let (_database, store, now) = open().await;
    let user = insert_user(&store, now).await;
    run(&store, move |tx| {
        Box::pin(async move {
            let later = now + Duration::from_secs(1);
            let other = new_user("other@example.com", now);
            let (id, other_id) = (user.id, other.id);
            tx.user_insert(other).await?;
            tx.admins_lock().await?;
            assert!(tx.admin_active_without(id).await?);
            let disabled = tx.user_set_status(other_id, UserStatus::Disabled, later).await?;
            assert_eq!((disabled.status, disabled.updated_at), (UserStatus::Disabled, later));
            assert!(!tx.admin_active_without(id).await?, "who is disabled does not count");
            tx.user_set_status(other_id, UserStatus::Active, later).await?;
            let demoted = tx.user_set_roles(other_id, roles("administrator user"), later).await?;
            assert_eq!((demoted.roles, demoted.updated_at), (roles("administrator user"), later));
            assert!(!tx.admin_active_without(id).await?, "whole names only");
            tx.user_set_password(id, "changed".to_owned(), later).await?;
            let credential = tx.user_credential_by_id(id).await?.expect("one");
            assert_eq!(credential.password_hash, "changed");

            let session = family(&user, 1, now);
            let session_id = session.id;
            assert!(tx.session_insert(session).await?);
            tx.user_delete(id).await?;
            assert!(tx.user_by_id(id).await?.is_none() && tx.session_by_id(session_id).await?.is_none());
            assert!(tx.user_by_id(other_id).await?.is_some());
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn everything_ends_at_once() {
    let (_database, store, now) = open().await;
    let user = insert_user(&store, now).await;
    run(&store, move |tx| {
        Box::pin(async move {
            let session = family(&user, 1, now);
            let id = session.id;
            assert!(tx.session_insert(session).await?);
            tx.unhurried().await?;
            let before = tx.installation_token_epoch().await?;
            assert_eq!(tx.installation_advance_token_epoch().await?, before + 1);
            assert_eq!(tx.installation_token_epoch().await?, before + 1);
            assert_eq!(tx.users_advance_epoch(now).await?, 1);
            assert_eq!(tx.user_by_id(user.id).await?.expect("one").session_epoch, Epoch(1));
            assert_eq!(tx.sessions_end_everywhere(EndReason::Admin, now).await?, 1);
            assert_eq!(tx.session_by_id(id).await?.expect("one").family.ended, Some(EndReason::Admin));
            assert_eq!(tx.sessions_end_everywhere(EndReason::Admin, now).await?, 0);
            Ok(())
        })
    })
    .await;
}

fn roles(words: &str) -> Roles {
    Roles::from_words(words).expect("names of roles")
}
