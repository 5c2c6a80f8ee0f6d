use std::sync::{Arc, RwLock};

use keyward_verify::{Algorithm, Typ, Verifier};
use tokio::sync::Mutex;

use super::batches::Batches;
use super::keys::KeyRules;
use super::limits::Limits;
use super::measures::Measures;
use super::outbox_bell::OutboxBell;
use super::outlet::Outlet;
use super::refusals::Refusals;
use super::relay::relayed_sinks;
use super::{App, Error, Rules, Signup, Sinks, StartError, keys, master_key, the_server};
use crate::clock::Clock;
use crate::config::{AdminSettings, DatabaseUrl, Pooler, Settings, SigningAlgorithm, TokenTyp};
use crate::crypto::{Cursors, DeviceTokens, HashPool, HashSettings, RefreshTokens};
use crate::domain::{Email, FamilyLimits, LockRules, PasswordPolicy, Role, Roles, RotationRules};
use crate::events::Publisher;
use crate::store::{DatabaseOptions, Location, Store};

/// Replicas' clocks may differ by this much before tokens of one are "from the future" at another.
pub(super) const CLOCK_SKEW_SECONDS: u32 = 30;

/// For whom an [`App`] is brought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Server,
    Command,
}

/// Opens the database without touching its schema.
async fn open_store(settings: &Settings) -> Result<Store, StartError> {
    let location = match &settings.database_url {
        DatabaseUrl::Sqlite { path } => {
            master_key::create_data_dir(&settings.data_dir)?;
            Location::Sqlite(path)
        }
        DatabaseUrl::Postgres { url } => Location::Postgres(url.expose()),
    };
    Ok(Store::open(location, database_options(settings)).await?)
}

/// Opens the database without touching its schema, for what its owner does: past a pooler, and as another role, where
/// the settings say so.
pub async fn open_owner_store(settings: &Settings) -> Result<Store, StartError> {
    match open_store_directly(settings).await? {
        Some(direct) => Ok(direct),
        None => open_store(settings).await,
    }
}

async fn open_store_directly(settings: &Settings) -> Result<Option<Store>, StartError> {
    let Some(url) = &settings.database.direct_url else { return Ok(None) };
    let options = DatabaseOptions { max_connections: 1, transaction_pooler: false };
    Ok(Some(Store::open(Location::Postgres(url.expose()), options).await?))
}

/// Refuses sinks that cannot be made ready: events for them would pile up.
pub fn check_sinks(settings: &Settings) -> Result<(), StartError> {
    outlets(settings).map(drop)
}

/// Refuses a first admin whom a sign-up would refuse, whether or not one is to be made now.
pub fn check_first_admin(settings: &Settings) -> Result<(), StartError> {
    first_admin(settings).map(drop)
}

fn first_admin(settings: &Settings) -> Result<Option<Signup>, StartError> {
    let Some(AdminSettings { email, password }) = &settings.admin else { return Ok(None) };
    let email = Email::parse(email);
    let password = password_policy(settings).accept(password.expose(), email.as_ref().ok());
    match (email, password) {
        (Ok(email), Ok(password)) => Ok(Some(Signup { email, password })),
        (email, password) => {
            let email = email.err().map(|error| {
                format!("admin.email {error}\n  fix: write an address that could sign up: you@example.com")
            });
            let password = password
                .err()
                .map(|flaw| format!("admin.password {flaw}\n  fix: write a password of your own"));
            let problems: Vec<String> = email.into_iter().chain(password).collect();
            Err(StartError::Configuration(problems.join("\n")))
        }
    }
}

fn outlets(settings: &Settings) -> Result<Vec<Arc<Outlet>>, StartError> {
    let made = settings.events_url.iter().map(|sink| Publisher::new(sink, &settings.events));
    let (made, wrong): (Vec<_>, Vec<_>) = made.partition(Result::is_ok);
    let wrong: Vec<String> = wrong.into_iter().filter_map(Result::err).collect();
    if wrong.is_empty() {
        return Ok(made.into_iter().flatten().map(|publisher| Arc::new(Outlet::new(publisher))).collect());
    }
    Err(StartError::Configuration(wrong.join("\n")))
}

impl App {
    /// Brings up a replica: database, schema, master keys, signing keys, hash pool, first admin.
    pub async fn start(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        let first_admin = first_admin(settings)?;
        let app = Self::open(settings, clock, Part::Server).await?;
        if let Some(admin) = first_admin {
            app.ensure_first_admin(admin).await?;
        }
        Ok(app)
    }

    /// Brings up what a command at the command line works with, beside servers or without any. What it was not asked for it
    /// leaves to them, who may have other settings: keys that are due, the first admin, and where events go.
    pub async fn start_beside(settings: &Settings, clock: Clock) -> Result<Self, StartError> {
        Self::open(settings, clock, Part::Command).await
    }

    async fn open(settings: &Settings, clock: Clock, part: Part) -> Result<Self, StartError> {
        let outlets = outlets(settings)?;
        let store = open_store(settings).await?;
        let direct = open_store_directly(settings).await?;
        let migrated = direct.as_ref().unwrap_or(&store).migrate_up(clock.now()).await?;
        if !migrated.0.is_empty() {
            tracing::info!(steps = migrated.0.join(", "), "schema brought up to date");
        }
        let keyring = master_key::keyring(settings, &store, clock.now()).await?;
        let token_epoch = keys::token_epoch(&store).await?;
        let key_rules = key_rules(settings);
        let sinks: Sinks = outlets.iter().map(|outlet| outlet.sink().to_owned()).collect();
        let events_for = match part {
            Part::Server => Sinks::clone(&sinks),
            Part::Command => match relayed_sinks(&store, clock.now()).await? {
                none if none.is_empty() => Sinks::clone(&sinks),
                relayed => relayed.into(),
            },
        };
        let due = part == Part::Server || !keys::can_sign(&store).await?;
        let advance = due.then_some(&events_for);
        let signing_keys = keys::start(&store, &keyring, &key_rules, advance, clock.now()).await?;
        let hash_pool = HashPool::start(hash_settings(settings))
            .map_err(|error| StartError::Configuration(format!("argon2: {error}")))?;
        let refresh_tokens = RefreshTokens::new(&keyring, token_epoch);
        let rules = rules(settings);
        let identifiers = keyring.current().identifier_mac();
        let limits = Limits::new(settings, &clock, identifiers.clone()).map_err(StartError::Configuration)?;
        Ok(Self {
            batches: Batches::start(&store, &clock, &refresh_tokens, rules.family_limits),
            refresh_tokens,
            limits,
            identifiers,
            cursors: Cursors::new(&keyring),
            devices: DeviceTokens::new(&keyring),
            refusals: Refusals::default(),
            signing_keys: RwLock::new(signing_keys),
            verifier: Verifier::new(&settings.issuer, &settings.audience)
                .typ(key_rules.typ)
                .leeway_seconds(CLOCK_SKEW_SECONDS)
                .expiry_leeway_seconds(0),
            outbox_bell: OutboxBell::new(),
            measures: Measures::new(),
            last_key_look: Mutex::new(None),
            keyring: Arc::new(keyring),
            key_rules,
            rules,
            store,
            clock,
            hash_pool,
            outlets,
            sinks,
            events_for,
            pooler: settings.database.pooler,
            log_emails: settings.log_emails,
        })
    }

    /// Makes the configured admin if nobody is one. Never promotes an account that a stranger may have made.
    async fn ensure_first_admin(&self, admin: Signup) -> Result<(), StartError> {
        if self.admin_exists().await? {
            return Ok(());
        }
        let roles = Roles::new([Role::user(), Role::admin()])
            .map_err(|error| StartError::Internal(error.to_string()))?;
        match self.user_create(admin, roles, true, &the_server(self.now())).await {
            Ok(user) => tracing::info!(user_id = %user.id, "first admin made"),
            // Another replica that started with us may have been first.
            Err(Error::EmailTaken) if self.admin_exists().await? => {}
            Err(Error::EmailTaken) => {
                return Err(StartError::Configuration(
                    "admin.email belongs to an existing account, which is not promoted\n  fix: choose another \
                     address, or give that account the role yourself"
                        .to_owned(),
                ));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

pub(super) fn database_options(settings: &Settings) -> DatabaseOptions {
    DatabaseOptions {
        max_connections: settings.database.max_connections,
        transaction_pooler: settings.database.pooler == Pooler::Transaction,
    }
}

fn hash_settings(settings: &Settings) -> HashSettings {
    let argon2 = &settings.argon2;
    HashSettings {
        memory_kib: argon2.memory_kib,
        iterations: argon2.iterations,
        parallelism: argon2.parallelism,
        threads: argon2.threads,
        queue: argon2.queue,
        queue_timeout: argon2.queue_timeout,
    }
}

fn rules(settings: &Settings) -> Rules {
    let token = &settings.token;
    Rules {
        issuer: settings.issuer.clone(),
        audience: settings.audience.clone(),
        signup_enabled: settings.signup.enabled,
        docs: settings.docs,
        email_claim: token.email_claim,
        access_ttl: token.access_ttl,
        refresh_absolute_ttl: token.refresh_absolute_ttl,
        family_limits: FamilyLimits { idle: token.refresh_idle_ttl, grace: token.refresh_grace },
        max_sessions_per_user: settings.max_sessions_per_user,
        jwks_max_age: settings.keys.jwks_max_age,
        password_policy: password_policy(settings),
        require_route: settings.events.require_route.clone(),
        outbox_retention: settings.retention.outbox,
        audit_retention: settings.retention.audit,
        lock: settings.limits.enabled.then(|| lock_rules(settings)),
    }
}

fn host(issuer: &str) -> String {
    let url = url::Url::parse(issuer).ok();
    url.as_ref().and_then(url::Url::host_str).unwrap_or_default().to_owned()
}

fn lock_rules(settings: &Settings) -> LockRules {
    let lock = &settings.lock;
    LockRules {
        failures: lock.failures,
        window: lock.window,
        first_duration: lock.first_duration,
        max_duration: lock.max_duration,
        hard_stop: lock.hard_stop,
    }
}

fn password_policy(settings: &Settings) -> PasswordPolicy {
    PasswordPolicy {
        min_length: settings.password.min_length,
        max_length: settings.password.max_length,
        service_host: host(&settings.issuer),
    }
}

pub(super) fn key_rules(settings: &Settings) -> KeyRules {
    let algorithm = algorithm(settings.token.algorithm);
    KeyRules {
        algorithm,
        typ: typ(settings.token.typ),
        rotation: RotationRules {
            algorithm: algorithm.as_str().to_owned(),
            rotate_every: settings.keys.rotate_every,
            publish_before: settings.keys.publish_before,
            retire_for: settings.token.access_ttl + keys::HEARD_WITHIN,
        },
    }
}

const fn algorithm(setting: SigningAlgorithm) -> Algorithm {
    match setting {
        SigningAlgorithm::Es256 => Algorithm::Es256,
        SigningAlgorithm::EdDsa => Algorithm::EdDsa,
        SigningAlgorithm::Rs256 => Algorithm::Rs256,
    }
}

const fn typ(setting: TokenTyp) -> Typ {
    match setting {
        TokenTyp::AtJwt => Typ::AtJwt,
        TokenTyp::Jwt => Typ::Jwt,
    }
}
