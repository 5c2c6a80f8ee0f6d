use std::fmt;
use std::str::FromStr;

/// The most roles that one user may hold.
const ROLES_MAX: usize = 16;
const ROLE_LENGTH_MAX: usize = 64;

/// The name of a role: `[a-z][a-z0-9:_-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Role(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    #[error("a role is 1 to 64 of a-z, 0-9, ':', '_' or '-', and starts with a letter")]
    Name,
    #[error("a user holds at most {ROLES_MAX} roles")]
    TooMany,
}

impl Role {
    pub fn parse(text: &str) -> Result<Self, RoleError> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase());
        let rest = text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b':' | b'_' | b'-'));
        if first && rest && text.len() <= ROLE_LENGTH_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(RoleError::Name)
        }
    }

    /// The built-in role that every new user holds.
    #[must_use]
    pub fn user() -> Self {
        Self("user".to_owned())
    }

    /// The built-in role that opens the admin routes.
    #[must_use]
    pub fn admin() -> Self {
        Self("admin".to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// The roles of a user: sorted, without repeats, at most sixteen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Roles(Vec<Role>);

impl Roles {
    pub fn new(roles: impl IntoIterator<Item = Role>) -> Result<Self, RoleError> {
        let mut roles: Vec<Role> = roles.into_iter().collect();
        roles.sort();
        roles.dedup();
        if roles.len() > ROLES_MAX {
            return Err(RoleError::TooMany);
        }
        Ok(Self(roles))
    }

    /// What a sign-up is given.
    #[must_use]
    pub fn of_new_user() -> Self {
        Self(vec![Role::user()])
    }

    /// Reads the form in which the databases keep roles: names with one space between.
    pub fn from_words(words: &str) -> Result<Self, RoleError> {
        let roles: Result<Vec<Role>, RoleError> = words.split_ascii_whitespace().map(Role::parse).collect();
        Self::new(roles?)
    }

    #[must_use]
    pub fn to_words(&self) -> String {
        self.names().join(" ")
    }

    #[must_use]
    pub fn contains(&self, role: &Role) -> bool {
        self.0.binary_search(role).is_ok()
    }

    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(Role::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "admin", "billing:read", "x-1_2", &"a".repeat(64)] {
            assert!(Role::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "Admin", "a b", "ä", "-a", "a.b", &"a".repeat(65)] {
            assert_eq!(Role::parse(bad), Err(RoleError::Name), "{bad}");
        }
    }

    #[test]
    fn a_set_is_sorted_and_survives_storage() {
        let roles = Roles::new([Role::user(), Role::admin(), Role::user()]).unwrap();
        assert_eq!(roles.names(), ["admin", "user"]);
        assert_eq!(Roles::from_words(&roles.to_words()).unwrap(), roles);
        let many = (0..17).map(|n| Role::parse(&format!("r{n}")).unwrap());
        assert_eq!(Roles::new(many), Err(RoleError::TooMany));
    }
}
