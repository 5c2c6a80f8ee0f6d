use std::net::IpAddr;

use super::{SessionId, Timestamp};

/// A live session, as its owner sees it in a list.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: SessionId,
    pub created_at: Timestamp,
    /// The login, or the latest refresh.
    pub last_used_at: Timestamp,
    /// The earlier of the idle and the absolute limit.
    pub expires_at: Timestamp,
    /// Of the login.
    pub ip: Option<IpAddr>,
    /// Of the login.
    pub user_agent: Option<String>,
}
