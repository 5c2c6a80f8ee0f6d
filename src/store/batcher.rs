//! Gathers concurrent calls while a statement is in flight, and sends them together as the next
//! one. Under load a statement then serves hundreds of callers; alone, a caller waits for nobody.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use super::{StoreError, budget, measures};
use crate::telemetry::Span;

/// The most callers of one statement.
const GROUP_MAX: usize = 256;

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
    pub waited: std::time::Duration,
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
        for _ in 0..lanes {
            tokio::spawn(lane(Arc::clone(&calls), Arc::clone(&run), watch.clone()));
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
        let answer = tokio::time::timeout(budget::left(), answer).await;
        match answer {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(error))) => Err(StoreError::Shared(error)),
            Ok(Err(_)) => Err(StoreError::Stopped { work: self.name, reason: "its lane ended".to_owned() }),
            Err(_elapsed) => Err(StoreError::Timeout { work: self.name }),
        }
    }
}

async fn lane<K, V>(calls: Arc<Mutex<mpsc::Receiver<Call<K, V>>>>, run: Arc<Run<K, V>>, watch: impl Fn(Group))
where
    K: Copy + Eq + Hash,
    V: Clone,
{
    let mut group = Vec::with_capacity(GROUP_MAX);
    loop {
        // One lane waits at the door; the others are at work or in line behind it.
        let received = calls.lock().await.recv_many(&mut group, GROUP_MAX).await;
        let Some(first) = group.first() else {
            debug_assert_eq!(received, 0, "a closed queue is empty");
            return;
        };
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    type Asked = Arc<std::sync::Mutex<Vec<Vec<u32>>>>;

    /// A batcher whose statements wait for a permit, and what it was asked.
    fn gated(capacity: usize) -> (Arc<Batcher<u32, u32>>, Arc<Semaphore>, Asked) {
        let gate = Arc::new(Semaphore::new(0));
        let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
        let run = {
            let (gate, asked) = (Arc::clone(&gate), Arc::clone(&asked));
            move |keys: Vec<u32>| -> BoxFuture<'static, Result<HashMap<u32, u32>, StoreError>> {
                let (gate, asked) = (Arc::clone(&gate), Arc::clone(&asked));
                Box::pin(async move {
                    asked.lock().unwrap().push(keys.clone());
                    gate.acquire().await.unwrap().forget();
                    if keys.contains(&13) {
                        return Err(StoreError::Timeout { work: "test" });
                    }
                    if keys.contains(&14) {
                        return Err(StoreError::column("test", &"a bad item"));
                    }
                    Ok(keys.into_iter().filter(|key| *key < 100).map(|key| (key, key * 2)).collect())
                })
            }
        };
        let batcher = Batcher::start("test", (1, capacity), |_| {}, run);
        (Arc::new(batcher), gate, asked)
    }

    fn spawn(
        batcher: &Arc<Batcher<u32, u32>>,
        key: u32,
    ) -> tokio::task::JoinHandle<Result<Option<u32>, StoreError>> {
        let batcher = Arc::clone(batcher);
        tokio::spawn(async move { batcher.call(key).await })
    }

    async fn until(condition: impl Fn() -> bool) {
        while !condition() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn calls_gather_while_a_statement_is_in_flight() {
        let (batcher, gate, asked) = gated(64);
        let first = spawn(&batcher, 1);
        until(|| asked.lock().unwrap().len() == 1).await;
        let rest: Vec<_> = [2, 3, 2, 3, 2].into_iter().map(|key| spawn(&batcher, key)).collect();
        until(|| batcher.queue.capacity() == 64 - 5).await;
        gate.add_permits(2);
        assert_eq!(first.await.unwrap().unwrap(), Some(2));
        for (task, expected) in rest.into_iter().zip([4, 6, 4, 6, 4]) {
            assert_eq!(task.await.unwrap().unwrap(), Some(expected));
        }
        assert_eq!(*asked.lock().unwrap(), [vec![1], vec![2, 3]], "one statement, each key once");
    }

    #[tokio::test]
    async fn no_answer_is_none_and_an_error_is_everyones() {
        let (batcher, gate, _) = gated(64);
        gate.add_permits(2);
        assert_eq!(spawn(&batcher, 100).await.unwrap().unwrap(), None);
        let error = spawn(&batcher, 13).await.unwrap().unwrap_err();
        assert!(error.transient());
    }

    #[tokio::test]
    async fn a_bad_item_fails_alone() {
        let (batcher, gate, asked) = gated(64);
        let first = spawn(&batcher, 1);
        until(|| asked.lock().unwrap().len() == 1).await;
        let (bad, good) = (spawn(&batcher, 14), spawn(&batcher, 2));
        until(|| batcher.queue.capacity() == 64 - 2).await;
        gate.add_permits(4);
        assert_eq!(first.await.unwrap().unwrap(), Some(2));
        assert_eq!(good.await.unwrap().unwrap(), Some(4));
        assert!(!bad.await.unwrap().unwrap_err().transient());
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_an_abandoned_caller_harms_nobody() {
        let (batcher, gate, asked) = gated(2);
        let first = spawn(&batcher, 1);
        until(|| asked.lock().unwrap().len() == 1).await;
        let (second, third) = (spawn(&batcher, 2), spawn(&batcher, 3));
        until(|| batcher.queue.capacity() == 0).await;
        assert!(matches!(batcher.call(4).await.unwrap_err(), StoreError::Busy { .. }));
        second.abort();
        gate.add_permits(2);
        assert_eq!(first.await.unwrap().unwrap(), Some(2));
        assert_eq!(third.await.unwrap().unwrap(), Some(6));
    }

    #[tokio::test]
    async fn lanes_end_with_the_batcher() {
        static ENDED: AtomicUsize = AtomicUsize::new(0);
        struct OnDrop;
        impl Drop for OnDrop {
            fn drop(&mut self) {
                ENDED.fetch_add(1, Ordering::SeqCst);
            }
        }
        let held = Arc::new(OnDrop);
        let batcher: Batcher<u32, u32> = Batcher::start(
            "test",
            (3, 8),
            |_| {},
            move |_| {
                let _held = &held;
                Box::pin(async { Ok(HashMap::new()) })
            },
        );
        assert_eq!(batcher.call(1).await.unwrap(), None);
        drop(batcher);
        until(|| ENDED.load(Ordering::SeqCst) == 1).await;
    }
}
