//! Argon2id on threads of its own. What waits is bounded in number and in time, so that a storm of
//! logins costs its callers a 503 and everyone else nothing.

mod measures;
mod phc;

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use argon2::Block;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::domain::Password;
use crate::telemetry::Span;
use measures::{Measures, Refused};
use phc::{decoy, hash, params, verify};

/// What a hash costs, and how many may run and wait.
#[derive(Debug, Clone, Copy)]
pub struct HashSettings {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
    /// Hashes that run at the same time, each on a thread with its own block memory.
    pub threads: usize,
    /// Hashes that may wait for a thread, beside those that run.
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
    places: Arc<Semaphore>,
    settings: HashSettings,
    /// Verified in place of a hash that does not exist, so that an unknown user costs the same.
    decoy: String,
    measures: Measures,
}

/// The right to hash, one password at a time. Taken before anything else is spent on a request, so
/// that what finds no place costs nothing.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

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

    /// Works until the pool is closed, and keeps `blocks` of memory in between.
    fn run(&self, blocks: usize) {
        let mut memory = Vec::new();
        let mut queue = self.lock();
        loop {
            if let Some((_, work)) = queue.waiting.pop_front() {
                drop(queue);
                work(&mut memory);
                // A stored hash may have asked for more; it must not be held ever after.
                memory.truncate(blocks);
                memory.shrink_to(blocks);
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
        let params = params(settings)?;
        let decoy = decoy(&params)?;
        let shared = Arc::new(Shared::default());
        for number in 0..settings.threads {
            let (shared, blocks) = (Arc::clone(&shared), params.block_count());
            thread::Builder::new()
                .name(format!("argon2-{number}"))
                .spawn(move || shared.run(blocks))
                .map_err(|_| HashError::Overloaded)?;
        }
        let places = Arc::new(Semaphore::new(settings.threads.saturating_add(settings.queue)));
        Ok(Self { shared, places, settings, decoy, measures: Measures::new() })
    }

    /// Takes a place among those that hash or wait for it, or refuses at once when there is none.
    pub fn admit(&self) -> Result<Place, HashError> {
        Arc::clone(&self.places).try_acquire_owned().map(Place).map_err(|_| {
            self.measures.refused.increment(Refused::Full);
            HashError::Overloaded
        })
    }

    /// How many hashes wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// Hashes a password with a fresh salt into a PHC string.
    pub async fn hash(&self, _: &Place, password: Password) -> Result<String, HashError> {
        let params = params(self.settings)?;
        let _span = Span::begin("hash", "hash");
        self.submit(pending(), move |memory| hash(&params, password.as_bytes(), memory)).await?
    }

    /// Compares a password with a stored PHC string, or does the same work for `None` and says
    /// `Wrong`. Once its caller is `gone` it is not begun any more; what was begun is finished.
    pub async fn verify(
        &self,
        _: &Place,
        password: Password,
        stored: Option<String>,
        gone: impl Future<Output = ()>,
    ) -> Result<Verified, HashError> {
        let (settings, decoy) = (self.settings, self.decoy.clone());
        let _span = Span::begin("hash", "verify");
        self.submit(gone, move |memory| {
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
        gone: impl Future<Output = ()>,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let (reply, mut answer) = oneshot::channel();
        let work = self.measures.timed(work);
        let ticket = {
            let mut queue = self.shared.lock();
            let number = queue.next_ticket;
            queue.next_ticket += 1;
            queue.waiting.push_back((number, Box::new(move |memory| drop(reply.send(work(memory))))));
            Ticket { shared: &self.shared, number }
        };
        self.shared.arrived.notify_one();
        let given_up = tokio::time::timeout(self.settings.queue_timeout, gone);
        let answer = tokio::select! {
            answer = &mut answer => answer,
            given_up = given_up => {
                if self.shared.withdraw(ticket.number) {
                    let reason = if given_up.is_ok() { Refused::Abandoned } else { Refused::Late };
                    self.measures.refused.increment(reason);
                    return Err(HashError::Overloaded);
                }
                // A thread has begun: what remains is the time of one hash.
                answer.await
            }
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

    /// Hashes if there is a place.
    async fn hash(pool: &HashPool, text: &str) -> Result<String, HashError> {
        pool.hash(&pool.admit()?, password(text)).await
    }

    async fn verify(pool: &HashPool, text: &str, stored: Option<String>) -> Result<Verified, HashError> {
        pool.verify(&pool.admit()?, password(text), stored, pending()).await
    }

    #[tokio::test]
    async fn a_hash_verifies_and_is_argon2id() {
        let pool = HashPool::start(CHEAP).unwrap();
        let stored = hash(&pool, "right").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        assert_ne!(stored, hash(&pool, "right").await.unwrap(), "fresh salt");
        let check = |text: &'static str, stored: Option<String>| verify(&pool, text, stored);
        assert_eq!(check("right", Some(stored.clone())).await.unwrap(), Verified::Right { weak: false });
        assert_eq!(check("wrong", Some(stored)).await.unwrap(), Verified::Wrong);
        assert_eq!(check("right", None).await.unwrap(), Verified::Wrong);
    }

    #[test]
    fn the_decoy_costs_what_a_hash_costs() {
        let pool = HashPool::start(CHEAP).unwrap();
        assert!(pool.decoy.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", pool.decoy);
        let verified = super::verify(CHEAP, &pool.decoy, b"any", &mut Vec::new());
        assert_eq!(verified.unwrap(), Verified::Wrong, "worked on, not refused");
        assert_ne!(pool.decoy, HashPool::start(CHEAP).unwrap().decoy);
    }

    #[tokio::test]
    async fn weaker_hashes_are_told_and_absurd_ones_refused() {
        let weak = hash(&HashPool::start(CHEAP).unwrap(), "right").await.unwrap();
        let pool = HashPool::start(HashSettings { iterations: 2, ..CHEAP }).unwrap();
        assert_eq!(verify(&pool, "right", Some(weak.clone())).await.unwrap(), Verified::Right { weak: true });
        for absurd in [
            weak.replace("m=64", "m=4194304"),
            weak.replace("t=1", "t=1000"),
            weak.replace("argon2id", "scrypt"),
            String::new(),
        ] {
            let verified = verify(&pool, "right", Some(absurd)).await;
            assert!(matches!(verified, Ok(Verified::Unusable(_))));
        }
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_has_a_deadline() {
        let settings =
            HashSettings { threads: 1, queue: 1, queue_timeout: Duration::from_millis(500), ..CHEAP };
        let pool = Arc::new(HashPool::start(settings).unwrap());
        let (begun, has_begun) = oneshot::channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let place = pool.admit().unwrap();
        let running = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move {
                let _place = place;
                pool.submit(pending(), move |_| {
                    begun.send(()).unwrap();
                    may_go_on.recv().unwrap();
                })
                .await
            }
        });
        has_begun.await.unwrap();
        let (waits, finds_no_place) = tokio::join!(hash(&pool, "x"), hash(&pool, "x"));
        assert!(matches!(waits, Err(HashError::Overloaded)), "past the deadline");
        assert!(matches!(finds_no_place, Err(HashError::Overloaded)), "past the bound");
        assert!(pool.shared.lock().waiting.is_empty());
        assert!(pool.admit().is_ok(), "the place was given back");
        go_on.send(()).unwrap();
        running.await.unwrap().expect("what a thread has begun is waited for");
    }

    #[tokio::test]
    async fn an_abandoned_caller_gives_the_place_back() {
        let pool = HashPool::start(HashSettings { threads: 0, ..CHEAP }).unwrap();
        let call = hash(&pool, "x");
        assert!(tokio::time::timeout(Duration::from_millis(5), call).await.is_err());
        assert!(pool.shared.lock().waiting.is_empty());
        let places: Vec<_> = (0..CHEAP.queue).map(|_| pool.admit().unwrap()).collect();
        let told = pool.verify(&places[0], password("x"), None, async {}).await;
        assert!(matches!(told, Err(HashError::Overloaded)));
        assert!(pool.shared.lock().waiting.is_empty());
    }

    #[tokio::test]
    async fn what_was_begun_is_finished_though_its_caller_is_gone() {
        let pool = HashPool::start(CHEAP).unwrap();
        let (begun, has_begun) = oneshot::channel::<()>();
        let gone = async { drop(has_begun.await) };
        let slow = pool.submit(gone, move |_| {
            drop(begun);
            thread::sleep(Duration::from_millis(20));
        });
        slow.await.expect("the outcome counts, whoever hears of it");
    }

    #[tokio::test]
    async fn memory_that_one_row_asked_for_is_not_kept() {
        let one = HashSettings { threads: 1, ..CHEAP };
        let pool = HashPool::start(one).unwrap();
        let dear = HashPool::start(HashSettings { memory_kib: 4_096, ..one }).unwrap();
        let stored = hash(&dear, "right").await.unwrap();
        let right = verify(&pool, "right", Some(stored)).await.unwrap();
        assert_eq!(right, Verified::Right { weak: false });
        let kept = pool.submit(pending(), |memory| memory.capacity()).await.unwrap();
        assert_eq!(kept, 64);
    }
}
