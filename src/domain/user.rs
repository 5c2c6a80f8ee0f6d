use std::fmt;
use std::str::FromStr;

use super::{Email, Role, Roles, Timestamp, UserId};

/// Rises with every change that must end the sessions made before it: password change, disable,
/// logout of everything. A session is live only while its epoch equals its user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStatus {
    Active,
    Disabled,
}

impl UserStatus {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for UserStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown user status")]
pub struct UnknownStatus;

impl FromStr for UserStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "active" => Ok(Self::Active),
            "disabled" => Ok(Self::Disabled),
            _ => Err(UnknownStatus),
        }
    }
}

/// A user as everyone but the password check sees it.
#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    pub email: Email,
    pub email_verified: bool,
    pub roles: Roles,
    pub status: UserStatus,
    pub session_epoch: Epoch,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl User {
    /// Tells whether this user can do what admins do. An installation always has one who can.
    #[must_use]
    pub fn active_admin(&self) -> bool {
        self.status == UserStatus::Active && self.roles.contains(&Role::admin())
    }
}

/// Which users a listing shows: those for whom everything that is named holds.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    pub email: Option<Email>,
    pub role: Option<Role>,
    pub status: Option<UserStatus>,
}

impl UserFilter {
    #[must_use]
    pub fn matches(&self, user: &User) -> bool {
        self.email.as_ref().is_none_or(|email| email.canonical() == user.email.canonical())
            && self.role.as_ref().is_none_or(|role| user.roles.contains(role))
            && self.status.is_none_or(|status| user.status == status)
    }
}

/// One text for each filter: a cursor is good for the listing that it came from.
impl fmt::Display for UserFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let email = self.email.as_ref().map(Email::canonical).unwrap_or_default();
        let role = self.role.as_ref().map(Role::as_str).unwrap_or_default();
        let status = self.status.map(UserStatus::as_str).unwrap_or_default();
        // Neither a role nor a status holds a space.
        write!(f, "{role} {status} {email}")
    }
}
