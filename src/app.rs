//! Keyward without HTTP: each public method of [`App`] is one use case. It reads, lets the domain
//! decide, and writes state, audit record and event in one transaction.

mod admin;
mod audit;
mod backup;
mod batches;
mod calibration;
mod clients;
mod doctor;
mod email_in_logs;
mod error;
mod introspection;
mod keys;
mod limits;
mod lock;
mod login;
mod logout;
mod maintenance;
mod master_key;
mod me;
mod measures;
mod outbox_abandon;
mod outbox_bell;
mod outbox_replay;
mod outbox_status;
mod outbox_upkeep;
mod outlet;
mod pages;
mod password;
mod refresh;
mod refusals;
mod relay;
mod relays;
mod sessions;
mod signup;
mod start;
mod to_the_end;
mod tokens;
mod user_changes;
mod users;
mod verified_tokens;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use keyward_verify::Verifier;
use tokio::sync::Mutex;

pub use admin::Admin;
pub use audit::AuditLog;
pub use backup::{Backup, BackupError, backup};
use batches::Batches;
pub use calibration::{HashCost, hash_cost};
pub use clients::ServiceClient;
pub use doctor::{Fault, Finding, Level, examine, mistakes};
pub use email_in_logs::EmailInLogs;
pub use error::{Error, StartError};
pub use introspection::{ActiveToken, TokenKind};
pub use keys::RotateWhen;
use keys::{KeyRules, Loaded};
use limits::Limits;
pub use login::{Credentials, Login};
pub use logout::{LogoutScope, SessionCredential};
pub use master_key::create_data_dir;
pub use me::Principal;
use measures::Measures;
use outbox_bell::OutboxBell;
pub use outbox_replay::{OutboxError, Replay};
pub use outbox_status::SinkStatus;
use outlet::Outlet;
pub use pages::Page;
use refusals::Refusals;
pub use relay::{Relay, Relayed};
pub use signup::Signup;
pub use start::{check_first_admin, check_sinks, open_owner_store};
pub use tokens::TokenPair;
use verified_tokens::VerifiedTokens;

pub use crate::events::{EventType, Member, asyncapi_document, catalogue as event_catalogue};
pub use crate::limits::{Standing, noting};
pub use crate::store::{AuditGuard, AuditPage, HeldLease, UserPage, grants, with_budget};

use crate::clock::Clock;
use crate::config::Pooler;
use crate::crypto::{Cursors, DeviceTokens, HashPool, Keyring, RefreshTokens, SigningKeys};
use crate::domain::{Caller, EventId, FamilyLimits, LockRules, PasswordPolicy, Timestamp};
use crate::random;
use crate::store::Store;
use crate::telemetry;

/// The names of all sinks: an event is written with a delivery for each.
type Sinks = Arc<[String]>;

/// Everything a replica holds. All of it can be made again from the settings and the database.
#[derive(Debug)]
pub struct App {
    store: Store,
    clock: Clock,
    hash_pool: HashPool,
    refresh_tokens: RefreshTokens,
    devices: DeviceTokens,
    batches: Batches,
    limits: Limits,
    identifiers: aws_lc_rs::hmac::Key,
    cursors: Cursors,
    refusals: Refusals,
    signing_keys: RwLock<Loaded>,
    last_key_look: Mutex<Option<keys::KeyLook>>,
    keyring: Arc<Keyring>,
    key_rules: KeyRules,
    verifier: Verifier,
    outlets: Vec<Arc<Outlet>>,
    /// Those of the settings.
    sinks: Sinks,
    /// Those that events are written for: beside servers, theirs.
    events_for: Sinks,
    outbox_bell: OutboxBell,
    measures: Measures,
    pooler: Pooler,
    /// Whether log lines show e-mail addresses as they are.
    log_emails: bool,
    rules: Rules,
}

/// The settings that use cases go by.
#[derive(Debug, Clone)]
pub struct Rules {
    pub issuer: String,
    pub audience: String,
    pub signup_enabled: bool,
    /// Whether `/docs` is served.
    pub docs: bool,
    pub email_claim: bool,
    pub access_ttl: Duration,
    pub refresh_absolute_ttl: Duration,
    pub family_limits: FamilyLimits,
    pub max_sessions_per_user: u32,
    pub jwks_max_age: Duration,
    pub password_policy: PasswordPolicy,
    /// `None`: wrong passwords lock nobody out.
    pub lock: Option<LockRules>,
    /// Types of events that wait until a queue takes them.
    pub require_route: Vec<String>,
    /// How long events are kept that every sink has.
    pub outbox_retention: Duration,
    /// How long audit records are kept.
    pub audit_retention: Duration,
}

impl App {
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Asks the database for a sign of life.
    pub async fn ready(&self) -> Result<(), Error> {
        Ok(self.store.ping().await?)
    }

    /// Says what works less well than it should although requests are served, a line each.
    #[must_use]
    pub fn degraded(&self) -> Vec<String> {
        self.sinks_degraded().into_iter().chain(self.limits_degraded()).collect()
    }

    /// Closes the database, once what runs on it has ended.
    pub async fn close(&self) {
        self.store.close().await;
    }

    fn signing_keys(&self) -> Arc<SigningKeys> {
        Arc::clone(&self.signing_keys.read().unwrap_or_else(PoisonError::into_inner).keys)
    }

    fn verifying_keys(&self) -> (Arc<SigningKeys>, Arc<VerifiedTokens>) {
        let loaded = self.signing_keys.read().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&loaded.keys), Arc::clone(&loaded.verified))
    }

    fn sinks(&self) -> Sinks {
        Arc::clone(&self.events_for)
    }
}

/// Keyward itself, in one round of its own work.
fn the_server(now: Timestamp) -> Caller {
    Caller::server(random::uuid_v7(now).to_string())
}

fn new_event_id(now: Timestamp) -> EventId {
    let id = EventId::new(random::uuid_v7(now));
    telemetry::remember_origin(id);
    id
}
