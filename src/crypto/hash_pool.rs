//! Argon2id on threads of its own. What waits is bounded in number and in time, so that a storm of
//! logins costs its callers a 503 and everyone else nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use crate::domain::Password;
use crate::random;

const SALT_LEN: usize = 16;
const OUTPUT_LEN: usize = 32;

/// What a hash costs, and how many may run and wait.
#[derive(Debug, Clone, Copy)]
pub struct HashSettings {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
    /// Hashes that run at the same time, each on a thread with its own block memory.
    pub threads: usize,
    /// Hashes that may wait for a thread.
    pub queue: usize,
    /// How long one may wait before its caller gets [`HashError::Overloaded`].
    pub queue_timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    Right {
        /// Weaker than the settings ask for: hash it again while the password is at hand.
        weak: bool,
    },
    Wrong,
    /// The stored string is no hash of ours, or asks for absurd work. As much work was done as for
    /// any other password, so that nobody can tell from outside.
    Unusable(&'static str),
}

#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error("too many password hashes are waiting")]
    Overloaded,
    #[error("a stored password hash is not usable: {0}")]
    Stored(&'static str),
    #[error("hashing did not work: {0}")]
    Argon2(argon2::Error),
}

/// The bounded pool. Dropping the last handle ends its threads.
#[derive(Debug)]
pub struct HashPool {
    shared: Arc<Shared>,
    settings: HashSettings,
    /// Verified in place of a hash that does not exist, so that an unknown user costs the same.
    decoy: String,
}

type Work = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<(u64, Work)>,
    next_ticket: u64,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes waiting work back; false when a thread has it already.
    fn withdraw(&self, ticket: u64) -> bool {
        let mut queue = self.lock();
        let before = queue.waiting.len();
        queue.waiting.retain(|(waiting, _)| *waiting != ticket);
        queue.waiting.len() < before
    }

    fn run(&self) {
        let mut memory = Vec::new();
        let mut queue = self.lock();
        loop {
            if let Some((_, work)) = queue.waiting.pop_front() {
                drop(queue);
                work(&mut memory);
                queue = self.lock();
            } else if queue.closed {
                return;
            } else {
                queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Gives the place in the queue back when the caller goes away.
struct Ticket<'a> {
    shared: &'a Shared,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.shared.withdraw(self.number);
    }
}

impl HashPool {
    /// Starts the threads.
    pub fn start(settings: HashSettings) -> Result<Self, HashError> {
        // The hash of no password that anybody knows: to draw one at random costs a start nothing.
        let decoy = phc(&params(settings)?, &random::bytes(), &random::bytes())?;
        let shared = Arc::new(Shared::default());
        for number in 0..settings.threads {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("argon2-{number}"))
                .spawn(move || shared.run())
                .map_err(|_| HashError::Overloaded)?;
        }
        Ok(Self { shared, settings, decoy })
    }

    /// Hashes a password with a fresh salt into a PHC string.
    pub async fn hash(&self, password: Password) -> Result<String, HashError> {
        let params = params(self.settings)?;
        self.submit(move |memory| hash(&params, password.as_bytes(), memory)).await?
    }

    /// Compares a password with a stored PHC string, or does the same work for `None` and says `Wrong`.
    pub async fn verify(&self, password: Password, stored: Option<String>) -> Result<Verified, HashError> {
        let (settings, decoy) = (self.settings, self.decoy.clone());
        self.submit(move |memory| {
            let password = password.as_bytes();
            let instead = match stored.map(|stored| verify(settings, &stored, password, memory)) {
                None => Verified::Wrong,
                Some(Err(HashError::Stored(reason))) => Verified::Unusable(reason),
                Some(verified) => return verified,
            };
            verify(settings, &decoy, password, memory).map(|_| instead)
        })
        .await?
    }

    async fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let (reply, mut answer) = oneshot::channel();
        let ticket = {
            let mut queue = self.shared.lock();
            if queue.waiting.len() >= self.settings.queue {
                return Err(HashError::Overloaded);
            }
            let number = queue.next_ticket;
            queue.next_ticket += 1;
            queue.waiting.push_back((number, Box::new(move |memory| drop(reply.send(work(memory))))));
            Ticket { shared: &self.shared, number }
        };
        self.shared.arrived.notify_one();
        let answer = match tokio::time::timeout(self.settings.queue_timeout, &mut answer).await {
            Ok(answer) => answer,
            Err(_) if self.shared.withdraw(ticket.number) => return Err(HashError::Overloaded),
            // A thread has begun: what remains is the time of one hash.
            Err(_) => answer.await,
        };
        answer.map_err(|_| HashError::Overloaded)
    }
}

impl Drop for HashPool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.arrived.notify_all();
    }
}

fn params(settings: HashSettings) -> Result<Params, HashError> {
    Params::new(settings.memory_kib, settings.iterations, settings.parallelism, Some(OUTPUT_LEN))
        .map_err(HashError::Argon2)
}

fn hash(params: &Params, password: &[u8], memory: &mut Vec<Block>) -> Result<String, HashError> {
    let salt = random::bytes::<SALT_LEN>();
    let mut out = [0; OUTPUT_LEN];
    fill(Algorithm::Argon2id, Version::V0x13, params, (password, &salt), &mut out, memory)?;
    phc(params, &salt, &out)
}

fn phc(params: &Params, salt: &[u8; SALT_LEN], out: &[u8; OUTPUT_LEN]) -> Result<String, HashError> {
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|_| HashError::Stored("parameters"))?,
        salt: Some(Salt::new(salt).map_err(|_| HashError::Stored("salt"))?),
        hash: Some(Output::new(out).map_err(|_| HashError::Stored("output"))?),
    };
    Ok(phc.to_string())
}

fn verify(
    settings: HashSettings,
    stored: &str,
    password: &[u8],
    memory: &mut Vec<Block>,
) -> Result<Verified, HashError> {
    let phc = PasswordHash::new(stored).map_err(|_| HashError::Stored("not a PHC string"))?;
    let algorithm = Algorithm::new(phc.algorithm.as_str()).map_err(|_| HashError::Stored("algorithm"))?;
    let version = phc.version.and_then(|v| Version::try_from(v).ok()).ok_or(HashError::Stored("version"))?;
    let params = Params::try_from(&phc).map_err(|_| HashError::Stored("parameters"))?;
    let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
        return Err(HashError::Stored("salt or output is missing"));
    };
    if exceeds_ceiling(settings, &params) {
        return Err(HashError::Stored("parameters above the ceiling"));
    }
    let mut out = vec![0; expected.len()];
    fill(algorithm, version, &params, (password, salt.as_ref()), &mut out, memory)
        .map_err(|_| HashError::Stored("salt or output length"))?;
    if !bool::from(out.ct_eq(expected.as_bytes())) {
        return Ok(Verified::Wrong);
    }
    let weak = algorithm != Algorithm::Argon2id
        || version != Version::V0x13
        || params.m_cost() < settings.memory_kib
        || params.t_cost() < settings.iterations
        || expected.len() < OUTPUT_LEN;
    Ok(Verified::Right { weak })
}

/// Someone who can write one row must not be able to make a login cost gigabytes: four times the
/// settings, and never below what other libraries use as defaults, is the most that is worked on.
fn exceeds_ceiling(settings: HashSettings, params: &Params) -> bool {
    params.m_cost() > settings.memory_kib.saturating_mul(4).max(65_536)
        || params.t_cost() > settings.iterations.saturating_mul(4).max(10)
        || params.p_cost() > settings.parallelism.saturating_mul(4).max(4)
}

fn fill(
    algorithm: Algorithm,
    version: Version,
    params: &Params,
    (password, salt): (&[u8], &[u8]),
    out: &mut [u8],
    memory: &mut Vec<Block>,
) -> Result<(), HashError> {
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    Argon2::new(algorithm, version, params.clone())
        .hash_password_into_with_memory(password, salt, out, memory.as_mut_slice())
        .map_err(HashError::Argon2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashSettings = HashSettings {
        memory_kib: 64,
        iterations: 1,
        parallelism: 1,
        threads: 2,
        queue: 4,
        queue_timeout: Duration::from_secs(5),
    };

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_hash_verifies_and_is_argon2id() {
        let pool = HashPool::start(CHEAP).unwrap();
        let stored = pool.hash(password("right")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        assert_ne!(stored, pool.hash(password("right")).await.unwrap(), "fresh salt");
        let check = |text: &'static str, stored: Option<String>| pool.verify(password(text), stored);
        assert_eq!(check("right", Some(stored.clone())).await.unwrap(), Verified::Right { weak: false });
        assert_eq!(check("wrong", Some(stored)).await.unwrap(), Verified::Wrong);
        assert_eq!(check("right", None).await.unwrap(), Verified::Wrong);
    }

    #[test]
    fn the_decoy_costs_what_a_hash_costs() {
        let pool = HashPool::start(CHEAP).unwrap();
        assert!(pool.decoy.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", pool.decoy);
        let verified = verify(CHEAP, &pool.decoy, b"any", &mut Vec::new());
        assert_eq!(verified.unwrap(), Verified::Wrong, "worked on, not refused");
        assert_ne!(pool.decoy, HashPool::start(CHEAP).unwrap().decoy);
    }

    #[tokio::test]
    async fn weaker_hashes_are_told_and_absurd_ones_refused() {
        let weak = HashPool::start(CHEAP).unwrap().hash(password("right")).await.unwrap();
        let pool = HashPool::start(HashSettings { iterations: 2, ..CHEAP }).unwrap();
        assert_eq!(
            pool.verify(password("right"), Some(weak.clone())).await.unwrap(),
            Verified::Right { weak: true }
        );
        for absurd in [
            weak.replace("m=64", "m=4194304"),
            weak.replace("t=1", "t=1000"),
            weak.replace("argon2id", "scrypt"),
            String::new(),
        ] {
            assert!(matches!(pool.verify(password("right"), Some(absurd)).await, Ok(Verified::Unusable(_))));
        }
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_has_a_deadline() {
        let settings =
            HashSettings { threads: 1, queue: 1, queue_timeout: Duration::from_millis(20), ..CHEAP };
        let pool = Arc::new(HashPool::start(settings).unwrap());
        let (begun, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let running = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                pool.submit(move |_| {
                    begun.send(()).unwrap();
                    may_go_on.recv().unwrap();
                })
                .await
            }
        });
        has_begun.await.unwrap();
        let (waits, finds_no_place) = tokio::join!(pool.hash(password("x")), pool.hash(password("x")));
        assert!(matches!(waits, Err(HashError::Overloaded)), "past the deadline");
        assert!(matches!(finds_no_place, Err(HashError::Overloaded)), "past the bound");
        assert!(pool.shared.lock().waiting.is_empty(), "the place was given back");
        go_on.send(()).unwrap();
        running.await.unwrap().expect("what a thread has begun is waited for");
    }

    #[tokio::test]
    async fn an_abandoned_caller_gives_the_place_back() {
        let pool = HashPool::start(HashSettings { threads: 0, ..CHEAP }).unwrap();
        let call = pool.hash(password("x"));
        assert!(tokio::time::timeout(Duration::from_millis(5), call).await.is_err());
        assert!(pool.shared.lock().waiting.is_empty());
    }
}
