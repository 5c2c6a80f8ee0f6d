//! What is limited, by whom it is counted, and what is given back. Charged before anything dear.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use aws_lc_rs::hmac;

use super::{App, Error};
use crate::clock::Clock;
use crate::config::{LimitSettings, Settings};
use crate::domain::{Caller, ClientId, Email, Handle};
use crate::limits::{Limit, Limiter, Policy, Refused, Tag, Taken, note};
use crate::telemetry::{Counters, LIMIT_DECISIONS};

/// `None`: limits are turned off.
#[derive(Debug)]
pub(super) struct Limits(Option<Box<Enabled>>);

#[derive(Debug)]
struct Enabled {
    limiter: Limiter,
    /// Of every request, so it is not to cost a question to Redis.
    flood: Limiter,
    /// Names addresses for it: nobody else is to understand them, so a cheaper hash will do.
    flood_names: RandomState,
    rates: LimitSettings,
    let_through: Counters<Policy>,
    refused: Counters<Policy>,
    identifiers: hmac::Key,
}

/// An attempt that was let through; `None` when there are no limits.
#[must_use = "what becomes of the attempt decides what is given back"]
pub(super) struct Charged(Option<Taken>);

impl Limits {
    /// The error says what is wrong with the settings. Redis is not looked for yet.
    pub(super) fn new(settings: &Settings, clock: &Clock, identifiers: hmac::Key) -> Result<Self, String> {
        if !settings.limits.enabled {
            return Ok(Self(None));
        }
        let limiter = match &settings.redis_url {
            None => Limiter::memory(clock.clone()),
            Some(target) => Limiter::redis(target, &settings.redis_key_prefix, clock.clone())
                .map_err(|error| format!("redis_url: {error}\n  fix: write redis://host:6379"))?,
        };
        let (flood, rates) = (Limiter::memory(clock.clone()), settings.limits.clone());
        let decided = |decision: &'static str| {
            move |policy: Policy| LIMIT_DECISIONS.counter(&[policy.as_str(), decision])
        };
        let (let_through, refused) = (Counters::by(decided("let_through")), Counters::by(decided("refused")));
        Ok(Self(Some(Box::new(Enabled {
            limiter,
            flood,
            rates,
            let_through,
            refused,
            identifiers,
            flood_names: RandomState::new(),
        }))))
    }
}

impl Enabled {
    /// Tells nothing without the master key; the kind keeps an address from being taken for an account.
    fn tag(&self, kind: &str, of: &[u8]) -> Tag {
        let mut context = hmac::Context::with_key(&self.identifiers);
        context.update(b"limit\0");
        context.update(kind.as_bytes());
        context.update(b"\0");
        context.update(of);
        let mut tag = [0; 16];
        tag.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        Tag(tag)
    }

    /// Callers without an address, which only a defect would make, are counted as one.
    fn address(&self, ip: Option<IpAddr>) -> Tag {
        self.tag("address", ip.map(|ip| ip.to_string()).unwrap_or_default().as_bytes())
    }

    fn flood_name(&self, ip: Option<IpAddr>) -> Tag {
        let halves = [0_u8, 1].map(|half| self.flood_names.hash_one((half, ip)).to_ne_bytes());
        let mut tag = [0; 16];
        tag.iter_mut().zip(halves.as_flattened()).for_each(|(to, from)| *to = *from);
        Tag(tag)
    }

    fn limit(&self, policy: Policy) -> Limit {
        let rates = &self.rates;
        let rate = match policy {
            Policy::PerIp => rates.per_ip,
            Policy::LoginPerIp => rates.login_per_ip,
            Policy::LoginPerAccountIp => rates.login_per_account_ip,
            Policy::SignupPerIp => rates.signup_per_ip,
            Policy::RefreshPerSession => rates.refresh_per_session,
            Policy::IntrospectPerClient => rates.introspect_per_client,
        };
        Limit { policy, object: None, rate }
    }

    fn account_limit(&self, email: &Email) -> Limit {
        let object = self.tag("account", email.canonical().as_bytes());
        Limit { object: Some(object), ..self.limit(Policy::LoginPerAccountIp) }
    }

    async fn take(&self, whose: Tag, limits: &[Limit]) -> Result<Charged, Error> {
        match self.limiter.take(whose, limits).await {
            Ok(taken) => {
                note(&taken.standings);
                for limit in limits {
                    self.let_through.increment(limit.policy);
                }
                Ok(Charged(Some(taken)))
            }
            Err(refused) => Err(self.refuse(&refused)),
        }
    }

    fn refuse(&self, refused: &Refused) -> Error {
        note(&refused.standings);
        for used_up in refused.standings.iter().filter(|standing| standing.remaining == 0) {
            self.refused.increment(used_up.policy);
        }
        Error::TooManyAttempts { retry_after: refused.retry_after }
    }
}

impl App {
    /// Looks for Redis, if there is one, and goes on looking in the background while it does not answer.
    pub async fn limits_connect(&self) {
        if let Some(limits) = &self.limits.0 {
            limits.limiter.connect().await;
        }
    }

    /// Tells whether replicas count together at this moment.
    #[must_use]
    pub fn limits_shared(&self) -> bool {
        self.limits.0.as_ref().is_some_and(|limits| limits.limiter.counts_together())
    }

    /// Says so when replicas should count together and do not.
    pub(super) fn limits_degraded(&self) -> Option<String> {
        let limits = self.limits.0.as_ref()?;
        let cut_off = matches!(limits.limiter, Limiter::Redis(_)) && !limits.limiter.counts_together();
        cut_off.then(|| "limits: redis is away: this server limits by its own counters".to_owned())
    }

    /// Lets a request in, whatever it is about. Only a flood is refused here, by each server for itself.
    pub async fn admit(&self, caller: &Caller) -> Result<(), Error> {
        let Some(limits) = &self.limits.0 else { return Ok(()) };
        let whose = limits.flood_name(caller.limited_as());
        let taken = limits.flood.take(whose, &[limits.limit(Policy::PerIp)]).await;
        taken.map(|_| limits.let_through.increment(Policy::PerIp)).map_err(|refused| limits.refuse(&refused))
    }

    pub(super) async fn login_limit(&self, email: &Email, caller: &Caller) -> Result<Charged, Error> {
        let Some(limits) = &self.limits.0 else { return Ok(Charged(None)) };
        let both = [limits.limit(Policy::LoginPerIp), limits.account_limit(email)];
        limits.take(limits.address(caller.limited_as()), &both).await
    }

    /// A login that succeeded was none of those that the address is limited for.
    pub(super) fn login_limit_settle<T>(&self, attempt: Charged, outcome: &Result<T, Error>) {
        match outcome {
            Ok(_) => self.give_back(attempt, &[Policy::LoginPerIp]),
            outcome => self.limit_settle(attempt, outcome),
        }
    }

    /// A current password that is asked for can be guessed as at a login.
    pub(super) async fn password_limit(&self, email: &Email, caller: &Caller) -> Result<Charged, Error> {
        let Some(limits) = &self.limits.0 else { return Ok(Charged(None)) };
        limits.take(limits.address(caller.limited_as()), &[limits.account_limit(email)]).await
    }

    pub(super) async fn signup_limit(&self, caller: &Caller) -> Result<Charged, Error> {
        let Some(limits) = &self.limits.0 else { return Ok(Charged(None)) };
        limits.take(limits.address(caller.limited_as()), &[limits.limit(Policy::SignupPerIp)]).await
    }

    /// By the handle of a token that is ours: nobody can use up the limit of a session that is not theirs.
    pub(super) async fn refresh_limit(&self, handle: Handle) -> Result<(), Error> {
        let Some(limits) = &self.limits.0 else { return Ok(()) };
        let whose = limits.tag("session", &handle.0);
        limits.take(whose, &[limits.limit(Policy::RefreshPerSession)]).await.map(drop)
    }

    pub(super) async fn introspect_limit(&self, client: &ClientId) -> Result<(), Error> {
        let Some(limits) = &self.limits.0 else { return Ok(()) };
        let whose = limits.tag("client", client.to_string().as_bytes());
        limits.take(whose, &[limits.limit(Policy::IntrospectPerClient)]).await.map(drop)
    }

    /// What was turned away before it was worked on was no attempt.
    pub(super) fn limit_settle<T>(&self, attempt: Charged, outcome: &Result<T, Error>) {
        if let Err(Error::Overloaded { .. }) = outcome {
            self.give_back(attempt, &[Policy::LoginPerIp, Policy::LoginPerAccountIp, Policy::SignupPerIp]);
        }
    }

    fn give_back(&self, Charged(taken): Charged, policies: &[Policy]) {
        if let (Some(limits), Some(taken)) = (&self.limits.0, taken) {
            note(&limits.limiter.give_back(taken, policies).standings);
        }
    }
}
