//! Users who have signed up, and sessions of theirs.

use crate::Outcome;
use crate::http::{Connection, member};

pub(crate) struct Session {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// The body of a sign-up or a login.
pub(crate) fn credentials(email: &str) -> String {
    format!(r#"{{"email":"{email}","password":"a quiet lake at dawn"}}"#)
}

/// Signs up so many users and returns their credentials.
pub(crate) async fn sign_up(address: &str, who: &str, count: usize) -> Outcome<Vec<String>> {
    let mut connection = Connection::open(address).await?;
    let mut users = Vec::with_capacity(count);
    for number in 0..count {
        let user = credentials(&format!("{who}-{number}@example.com"));
        match connection.post("/auth/signup", &user).await? {
            // Or one of an earlier measurement.
            (201 | 409, _) => users.push(user),
            (status, body) => return Err(format!("a sign-up was answered {status} {body}").into()),
        }
    }
    Ok(users)
}

/// Signs up so many users and logs each of them in.
pub(crate) async fn log_in(address: &str, who: &str, count: usize) -> Outcome<Vec<Session>> {
    let mut sessions = Vec::with_capacity(count);
    for user in sign_up(address, who, count).await? {
        sessions.push(log_in_as(address, &user).await?);
    }
    Ok(sessions)
}

pub(crate) async fn log_in_as(address: &str, credentials: &str) -> Outcome<Session> {
    let mut connection = Connection::open(address).await?;
    let (status, pair) = connection.post("/auth/login", credentials).await?;
    let token = |name| {
        let token = member(pair, name).map(str::to_owned);
        token.ok_or_else(|| format!("a login was answered {status} {pair}"))
    };
    Ok(Session { access_token: token("access_token")?, refresh_token: token("refresh_token")? })
}
