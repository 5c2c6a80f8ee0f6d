use super::*;
use tokio::sync::Semaphore;

type Asked = Arc<std::sync::Mutex<Vec<Vec<u32>>>>;

/// A batcher of one lane whose statements wait for a permit, and what it was asked.
fn gated(capacity: usize) -> (Arc<Batcher<u32, u32>>, Arc<Semaphore>, Asked) {
    gated_lanes(1, capacity)
}

fn gated_lanes(lanes: usize, capacity: usize) -> (Arc<Batcher<u32, u32>>, Arc<Semaphore>, Asked) {
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
    let batcher = Batcher::start("test", (lanes, capacity), |_| {}, run);
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

#[tokio::test(start_paused = true)]
async fn calls_of_one_request_share_its_budget() {
    let (batcher, gate, _) = gated(64);
    let begun = Instant::now();
    crate::store::with_budget(async {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            gate.add_permits(1);
            std::future::pending::<()>().await;
        });
        assert_eq!(batcher.call(1).await.unwrap(), Some(2));
        assert!(matches!(batcher.call(2).await, Err(StoreError::Timeout { .. })));
        assert_eq!(begun.elapsed().as_secs(), 4);
        // A part of it that runs by itself has no more.
        let part = tokio::spawn(crate::store::with_budget(async move { batcher.call(3).await }));
        assert!(matches!(part.await.unwrap(), Err(StoreError::Timeout { .. })));
    })
    .await;
    assert_eq!(begun.elapsed().as_secs(), 4);
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

#[tokio::test(start_paused = true)]
async fn a_small_group_waits_for_the_statement_in_flight_but_not_for_long() {
    let (batcher, gate, asked) = gated_lanes(2, 64);
    let statements = |count| {
        let asked = Arc::clone(&asked);
        move || asked.lock().unwrap().len() == count
    };
    let first = spawn(&batcher, 1);
    until(statements(1)).await;
    let others = [2, 3].map(|key| spawn(&batcher, key));
    until(|| batcher.queue.capacity() == 64).await;
    assert!(statements(1)(), "they wait");
    gate.add_permits(1);
    first.await.unwrap().unwrap();
    until(statements(2)).await;
    assert_eq!(asked.lock().unwrap()[1], [2, 3]);

    let late = spawn(&batcher, 4);
    tokio::time::sleep(2 * PATIENCE).await;
    assert!(statements(3)(), "the statement in flight may be held up");
    gate.add_permits(2);
    for task in others.into_iter().chain([late]) {
        task.await.unwrap().unwrap();
    }
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
