//! Rate limits: how often something may be done, counted in this process or, through Redis, by all
//! replicas together. Both count by the same arithmetic (GCRA); what a counter is called tells
//! nothing without the master key.

mod gcra;
mod link;
mod look;
mod memory;
mod shared;
mod standing;

use std::time::Duration;

use tokio::task::JoinHandle;

pub use look::{RedisLook, look_at_redis};
pub use shared::Shared;
pub use standing::{Standing, note, noting};

use gcra::Gcra;
use memory::Counters;

use crate::clock::Clock;
use crate::config::{Rate, RedisTarget};
use crate::telemetry::{Closed as _, closed};

/// Where counters live. The set is closed.
#[derive(Debug)]
pub enum Limiter {
    /// This process counts for itself.
    Memory { counters: Counters, clock: Clock },
    /// All replicas count together; without Redis, each for itself.
    Redis(Shared),
}

closed!(
    /// What is limited; the names are those of the settings.
    #[derive(Hash)]
    pub Policy {
        PerIp = "per_ip",
        LoginPerIp = "login_per_ip",
        LoginPerAccountIp = "login_per_account_ip",
        SignupPerIp = "signup_per_ip",
        RefreshPerSession = "refresh_per_session",
        IntrospectPerClient = "introspect_per_client",
    }
);

impl Policy {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.word()
    }
}

/// Stands for an address, an account or a session: the first half of an HMAC of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub [u8; 16]);

/// One thing that may be done so often by whoever is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub policy: Policy,
    /// What it is done to, where that is counted apart: the account of a login.
    pub object: Option<Tag>,
    pub rate: Rate,
}

/// An attempt that was let through and charged.
#[derive(Debug)]
pub struct Taken {
    whose: Tag,
    charges: Vec<Charge>,
    pub standings: Vec<Standing>,
}

/// One counter as the attempt left it, here and in Redis: what can be given back is in there.
#[derive(Debug, Clone, Copy)]
struct Charge {
    limit: Limit,
    local: i64,
    shared: Option<i64>,
}

/// Where the caller stands after something was given back.
#[derive(Debug)]
pub struct GivenBack {
    pub standings: Vec<Standing>,
    /// Ends when Redis knows it too; the caller's answer need not wait for that.
    pub shared: Option<JoinHandle<()>>,
}

/// An attempt that was not let through, and for which nothing was charged.
#[derive(Debug)]
pub struct Refused {
    pub retry_after: Duration,
    pub standings: Vec<Standing>,
}

impl Limiter {
    #[must_use]
    pub fn memory(clock: Clock) -> Self {
        Self::Memory { counters: Counters::new(), clock }
    }

    /// Counts in Redis once [`Self::connect`] has found it; the error says what is wrong with the URL.
    pub fn redis(target: &RedisTarget, key_prefix: &str, clock: Clock) -> Result<Self, String> {
        Ok(Self::Redis(Shared::new(target, key_prefix, clock)?))
    }

    /// Looks for Redis, and goes on looking in the background if it does not answer.
    pub async fn connect(&self) {
        if let Self::Redis(shared) = self {
            shared.connect().await;
        }
    }

    /// Tells whether replicas count together at this moment.
    #[must_use]
    pub fn counts_together(&self) -> bool {
        match self {
            Self::Memory { .. } => false,
            Self::Redis(shared) => shared.connected(),
        }
    }

    /// Charges an attempt to all of its limits, or to none if one of them is used up.
    pub async fn take(&self, whose: Tag, limits: &[Limit]) -> Result<Taken, Refused> {
        match self {
            Self::Memory { counters, clock } => {
                let now = clock.now().micros();
                let local = counters.take(whose, limits, now)?;
                let charges = limits.iter().zip(local);
                let charges = charges.map(|(limit, local)| Charge { limit: *limit, local, shared: None });
                Ok(Taken::new(whose, charges.collect(), now))
            }
            Self::Redis(shared) => shared.take(whose, limits).await,
        }
    }

    /// Gives back what `taken` was charged under one of these policies, as far as time has not done so already.
    #[must_use = "it says where the caller stands"]
    pub fn give_back(&self, taken: Taken, policies: &[Policy]) -> GivenBack {
        let Taken { whose, charges, standings } = taken;
        let returned: Vec<_> =
            charges.into_iter().filter(|charge| policies.contains(&charge.limit.policy)).collect();
        let shared = match self {
            Self::Memory { counters, clock } => {
                counters.give_back(whose, &returned, clock.now().micros());
                None
            }
            Self::Redis(shared) => shared.give_back(whose, returned),
        };
        let after = |standing: Standing| {
            if policies.contains(&standing.policy) { standing.with_one_more() } else { standing }
        };
        GivenBack { standings: standings.into_iter().map(after).collect(), shared }
    }
}

impl Taken {
    fn new(whose: Tag, charges: Vec<Charge>, now: i64) -> Self {
        let standing = |charge: &Charge| {
            Gcra::of(charge.limit.rate).standing(charge.limit, charge.shared.unwrap_or(charge.local), now)
        };
        let standings = charges.iter().map(standing).collect();
        Self { whose, charges, standings }
    }
}

impl Refused {
    /// `found` is what each counter held, and was left at.
    fn new(limits: &[Limit], found: &[i64], now: i64) -> Self {
        let each = || limits.iter().zip(found).map(|(limit, found)| (Gcra::of(limit.rate), *limit, *found));
        Self {
            retry_after: each().map(|(gcra, _, found)| gcra.wait(found, now)).max().unwrap_or_default(),
            standings: each().map(|(gcra, limit, found)| gcra.standing(limit, found, now)).collect(),
        }
    }
}
