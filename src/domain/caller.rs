use std::net::{IpAddr, Ipv6Addr};

use serde::Serialize;

use super::{SessionId, UserId};

/// The longest user agent that is kept, in code points.
const USER_AGENT_MAX: usize = 256;

/// Where a deed began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Http,
    CommandLine,
    /// Keyward itself, as its settings say: a key was due, the first admin was missing.
    #[default]
    Server,
}

impl Origin {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::CommandLine => "command_line",
            Self::Server => "server",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::CommandLine, Self::Server].into_iter().find(|origin| origin.as_str() == text)
    }
}

/// Who is at the other end of a request, as far as the connection tells.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    pub origin: Origin,
    pub ip: Option<IpAddr>,
    user_agent: Option<String>,
    /// Names the request, the command, or the round of the server's own work.
    pub request_id: String,
    /// The session that asks, once it is known.
    pub session: Option<SessionId>,
    /// The admin who acts on somebody else; nobody when users act for themselves.
    pub actor: Option<UserId>,
}

impl Caller {
    /// Somebody over HTTP. Keeps at most 256 code points of the user agent, without what ends a line.
    #[must_use]
    pub fn new(ip: Option<IpAddr>, user_agent: Option<&str>, request_id: String) -> Self {
        let user_agent =
            user_agent.map(|agent| agent.chars().filter(|c| !ends_line(*c)).take(USER_AGENT_MAX).collect());
        Self { origin: Origin::Http, ip, user_agent, request_id, session: None, actor: None }
    }

    /// A person at the command line of the server itself.
    #[must_use]
    pub fn command_line(request_id: String) -> Self {
        Self { origin: Origin::CommandLine, request_id, ..Self::default() }
    }

    /// Keyward itself.
    #[must_use]
    pub fn server(request_id: String) -> Self {
        Self { request_id, ..Self::default() }
    }

    #[must_use]
    pub fn in_session(mut self, session: SessionId) -> Self {
        self.session = Some(session);
        self
    }

    #[must_use]
    pub fn acting_as(mut self, admin: UserId) -> Self {
        self.actor = Some(admin);
        self
    }

    /// Returns the address as limits count it: of IPv6 the /64, which one subscriber has whole.
    #[must_use]
    pub fn limited_as(&self) -> Option<IpAddr> {
        self.ip.map(|ip| match ip.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        })
    }

    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }
}

/// Controls, and what some readers of a log take for the end of a line.
fn ends_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_stays_on_its_line() {
        let agent = "a\r\n{}\u{1b}[31m\u{85}\u{2028}\u{2029}\0b";
        let caller = Caller::new(None, Some(agent), String::new());
        assert_eq!(caller.user_agent(), Some("a{}[31mb"));
        let long = Caller::new(None, Some(&"ä".repeat(300)), String::new());
        assert_eq!(long.user_agent().map(|agent| agent.chars().count()), Some(256));
    }

    #[test]
    fn limits_count_a_subscriber_once() {
        let counted = |ip: &str| {
            let caller = Caller::new(Some(ip.parse().unwrap()), None, String::new());
            caller.limited_as().unwrap().to_string()
        };
        assert_eq!(counted("192.0.2.7"), "192.0.2.7");
        assert_eq!(counted("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("2001:db8:1:2:ffff::1"), "2001:db8:1:2::");
        assert_eq!(counted("2001:db8:1:3::1"), "2001:db8:1:3::");
    }
}
