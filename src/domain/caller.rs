use std::net::IpAddr;

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

    #[must_use]
    pub fn user_agent(&self) -> Option<&str> {
        self.user_agent.as_deref()
    }
}
