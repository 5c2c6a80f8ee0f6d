//! Gathers concurrent calls while a statement is in flight, and sends them together as the next
//! one. Under load a statement then serves hundreds of callers; alone, a caller waits for nobody.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::{StoreError, measures, within_budget};
use crate::telemetry::Span;

/// The most callers of one statement.
const GROUP_MAX: usize = 256;
/// A group that is smaller waits for the statement in flight to end: what a statement costs by itself is then shared by
/// more callers, at the price of a part of its time ...
const GROUP_SMALL: usize = 32;
/// ... but no longer than this, since that statement may be waiting for something.
const PATIENCE: Duration = Duration::from_millis(1);

type Reply<V> = oneshot::Sender<Result<Option<V>, Arc<StoreError>>>;
type Run<K, V> = dyn Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, StoreError>> + Send + Sync;

struct Call<K, V> {
    key: K,
    reply: Reply<V>,
    arrived: Instant,
}

/// What a group looked like, for metrics.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    pub size: usize,
    /// How long its first caller waited for a lane.
    pub waited: Duration,
}

/// Runs `K → V` for many callers with few statements.
///
/// Equal keys in one group are asked for once, and all their callers get the same answer. A caller
/// who goes away harms nobody. The queue is bounded: past it, and past the request's budget, the
/// answer is [`StoreError::Busy`] or [`StoreError::Timeout`].
pub struct Batcher<K, V> {
    name: &'static str,
    queue: mpsc::Sender<Call<K, V>>,
}

impl<K, V> fmt::Debug for Batcher<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<K, V> Batcher<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Starts as many lanes as statements may be in flight. They end when the batcher is dropped.
    ///
    /// `run` gets distinct keys and answers those that it can; `watch` is told of every group.
    pub fn start(
        name: &'static str,
        (lanes, capacity): (usize, usize),
        watch: impl Fn(Group) + Send + Sync + Clone + 'static,
        run: impl Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, StoreError>> + Send + Sync + 'static,
    ) -> Self {
        let (queue, calls) = mpsc::channel(capacity);
        let calls = Arc::new(Mutex::new(calls));
        let run: Arc<Run<K, V>> = Arc::new(run);
        let flight = Arc::new(Flight::default());
        for _ in 0..lanes {
            tokio::spawn(lane(Arc::clone(&calls), Arc::clone(&run), Arc::clone(&flight), watch.clone()));
        }
        Self { name, queue }
    }

    /// How many callers wait for the next statement.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Waits for the answer to `key`; `None` when the statement gave none.
    pub async fn call(&self, key: K) -> Result<Option<V>, StoreError> {
        let (reply, answer) = oneshot::channel();
        let call = Call { key, reply, arrived: Instant::now() };
        if self.queue.try_send(call).is_err() {
            let busy = StoreError::Busy { work: self.name };
            measures::error(&busy);
            return Err(busy);
        }
        let _span = Span::begin("database", self.name);
        match within_budget(self.name, answer).await? {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(StoreError::Shared(error)),
            Err(_) => Err(StoreError::Stopped { work: self.name, reason: "its lane ended".to_owned() }),
        }
    }
}

/// Statements that are under way.
#[derive(Default)]
struct Flight {
    count: AtomicUsize,
    /// Rings when one has ended.
    ended: Notify,
}

async fn lane<K, V>(
    calls: Arc<Mutex<mpsc::Receiver<Call<K, V>>>>,
    run: Arc<Run<K, V>>,
    flight: Arc<Flight>,
    watch: impl Fn(Group),
) where
    K: Copy + Eq + Hash,
    V: Clone,
{
    let mut group = Vec::with_capacity(GROUP_MAX);
    loop {
        // One lane waits at the door; the others are at work or in line behind it.
        gather(&mut *calls.lock().await, &mut group, &flight).await;
        let Some(first) = group.first() else { return };
        flight.count.fetch_add(1, Ordering::Relaxed);
        watch(Group { size: group.len(), waited: first.arrived.elapsed() });
        let mut waiting: HashMap<K, Vec<Reply<V>>> = HashMap::with_capacity(group.len());
        let mut keys = Vec::with_capacity(group.len());
        for Call { key, reply, .. } in group.drain(..) {
            match waiting.entry(key) {
                Entry::Occupied(same) => same.into_mut().push(reply),
                Entry::Vacant(new) => {
                    new.insert(vec![reply]);
                    keys.push(key);
                }
            }
        }
        match run(keys).await {
            Ok(answers) => answer_all(waiting, &answers),
            // Not the database's state but one of the items: find out which, so that it fails alone.
            Err(error) if !error.transient() && waiting.len() > 1 => {
                for (key, replies) in waiting {
                    let alone = HashMap::from([(key, replies)]);
                    match run(vec![key]).await {
                        Ok(answers) => answer_all(alone, &answers),
                        Err(error) => fail_all(alone, &Arc::new(error)),
                    }
                }
            }
            Err(error) => fail_all(waiting, &Arc::new(error)),
        }
        flight.count.fetch_sub(1, Ordering::Relaxed);
        flight.ended.notify_one();
    }
}

/// Takes the callers of the next statement; none when the batcher is gone.
async fn gather<K, V>(calls: &mut mpsc::Receiver<Call<K, V>>, group: &mut Vec<Call<K, V>>, flight: &Flight) {
    let mut open = calls.recv_many(group, GROUP_MAX).await > 0;
    let patience = tokio::time::sleep(PATIENCE);
    tokio::pin!(patience);
    while open && group.len() < GROUP_SMALL && flight.count.load(Ordering::Relaxed) > 0 {
        let room = GROUP_MAX - group.len();
        tokio::select! {
            () = flight.ended.notified() => return,
            () = &mut patience => return,
            more = calls.recv_many(group, room) => open = more > 0,
        }
    }
}

fn answer_all<K: Eq + Hash, V: Clone>(waiting: HashMap<K, Vec<Reply<V>>>, answers: &HashMap<K, V>) {
    for (key, replies) in waiting {
        for reply in replies {
            // A caller who has gone away needs no answer.
            let _ = reply.send(Ok(answers.get(&key).cloned()));
        }
    }
}

fn fail_all<K, V>(waiting: HashMap<K, Vec<Reply<V>>>, error: &Arc<StoreError>) {
    for reply in waiting.into_values().flatten() {
        let _ = reply.send(Err(Arc::clone(error)));
    }
}
