use std::net::{IpAddr, Ipv6Addr};

use super::UserId;

/// The longest user agent that is kept, in code points.
const USER_AGENT_MAX: usize = 256;

/// Who is at the other end of a request, as far as the connection tells.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    pub ip: Option<IpAddr>,
    user_agent: Option<String>,
    pub request_id: String,
    /// The admin who acts on somebody else; nobody when users act for themselves.
    pub actor: Option<UserId>,
}

impl Caller {
    /// Keeps at most 256 code points of the user agent, without control characters.
    #[must_use]
    pub fn new(ip: Option<IpAddr>, user_agent: Option<&str>, request_id: String) -> Self {
        let user_agent =
            user_agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX).collect());
        Self { ip, user_agent, request_id, actor: None }
    }

    #[must_use]
    pub fn acting_as(mut self, admin: UserId) -> Self {
        self.actor = Some(admin);
        self
    }

    /// A person at the command line of the server itself.
    #[must_use]
    pub fn command_line() -> Self {
        Self::new(None, Some("keyward command line"), String::new())
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

#[cfg(test)]
mod tests {
    use super::*;

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
