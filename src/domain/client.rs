use std::fmt;
use std::str::FromStr;

/// Names a service client: `[a-z][a-z0-9_-]{0,63}`; the `client_id` of HTTP Basic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientId(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client's name is 1 to 64 of a-z, 0-9, '_' or '-', and starts with a letter")]
pub struct ClientIdError;

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        let first = text.starts_with(|c: char| c.is_ascii_lowercase());
        let rest =
            text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
        if first && rest && text.len() <= 64 { Ok(Self(text.to_owned())) } else { Err(ClientIdError) }
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "billing", "user-service_2"] {
            assert_eq!(good.parse::<ClientId>().unwrap().to_string(), good);
        }
        for bad in ["", "1a", "A", "a:b", "a b", &"a".repeat(65)] {
            assert_eq!(bad.parse::<ClientId>(), Err(ClientIdError), "{bad}");
        }
    }
}
