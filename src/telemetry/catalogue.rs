//! Every metric that there is, with its labels. `docs/metrics.md` shows them; a test holds it against this.

/// What Prometheus calls the type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// A metric, for which [`Metric::counter`] and its like give handles.
#[derive(Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// Each has values of a closed set only, so the number of series is bounded.
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

use Kind::{Counter, Gauge, Histogram};

/// Seconds of a whole request, which has fifteen.
const REQUEST: Kind =
    Histogram(&[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0]);
/// Seconds in the database, of which a request has four.
const DATABASE: Kind =
    Histogram(&[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 4.0]);
const HASH: Kind = Histogram(&[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5]);
const REDIS: Kind = Histogram(&[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1]);
const PUBLISH: Kind = Histogram(&[0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0]);
const GROUP: Kind = Histogram(&[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]);

macro_rules! metrics {
    ($($id:ident = $kind:expr, $name:literal, [$($label:literal),*], $help:literal;)+) => {
        $(pub const $id: Metric = Metric { name: $name, kind: $kind, labels: &[$($label),*], help: $help };)+

        /// All of them, in the order of `docs/metrics.md`.
        pub const METRICS: &[Metric] = &[$($id),+];
    };
}

metrics! {
    HTTP_REQUESTS = REQUEST, "keyward_http_request_duration_seconds", ["method", "route", "status"],
        "Requests of the public listener until their answer begins; status 499 is a client that did not wait.";
    HTTP_IN_FLIGHT = Gauge, "keyward_http_requests_in_flight", [], "Requests that have no answer yet.";
    CONNECTIONS_REFUSED = Counter, "keyward_connections_refused_total", [],
        "Connections that were not taken: a broken handshake, or no room for more.";
    FORWARDED_IGNORED = Counter, "keyward_forwarded_ignored_total", [],
        "Requests that a near address forwarded without being in trusted_proxies.";
    CERTIFICATE_EXPIRES = Gauge, "keyward_tls_certificate_expires_timestamp_seconds", [],
        "When the certificate ends, since 1970; absent without tls.cert.";
    LOGINS = Counter, "keyward_logins_total", ["outcome"], "Attempts to log in.";
    SIGNUPS = Counter, "keyward_signups_total", ["outcome"], "Attempts to sign up.";
    REFRESHES = Counter, "keyward_refreshes_total", ["outcome"], "Presented refresh tokens.";
    LOCKS = Counter, "keyward_locks_total", ["pool"], "Locks that wrong passwords caused, by who is locked out.";
    HASH_QUEUE = Gauge, "keyward_hash_queue_length", [], "Password hashes that wait for a thread.";
    HASH_WAIT = HASH, "keyward_hash_wait_seconds", [], "How long hashes waited for a thread.";
    HASH_DURATION = HASH, "keyward_hash_duration_seconds", [], "How long hashes took on their thread.";
    HASH_REFUSED = Counter, "keyward_hash_refused_total", ["reason"], "Hashes that were not begun.";
    DB_CONNECTIONS = Gauge, "keyward_db_connections", ["pool", "state"], "Open connections to the database.";
    DB_CONNECTIONS_MAX = Gauge, "keyward_db_connections_max", ["pool"], "How many there may be.";
    DB_ACQUIRE = DATABASE, "keyward_db_acquire_duration_seconds", [], "How long work waited for a connection.";
    DB_STATEMENT = DATABASE, "keyward_db_statement_duration_seconds", [], "Single statements.";
    DB_WORK = DATABASE, "keyward_db_work_duration_seconds", ["work"],
        "Pieces of work, a transaction or a few statements, with the wait for a connection.";
    DB_ERRORS = Counter, "keyward_db_errors_total", ["kind"], "Pieces of work that the database failed.";
    BATCH_SIZE = GROUP, "keyward_batch_size", ["batch"], "Callers whom one statement served.";
    BATCH_WAIT = DATABASE, "keyward_batch_wait_seconds", ["batch"], "How long the first of them waited.";
    BATCH_QUEUE = Gauge, "keyward_batch_queue_length", ["batch"], "Callers who wait for the next statement.";
    LIMIT_DECISIONS = Counter, "keyward_limit_decisions_total", ["limit", "decision"],
        "Attempts that a rate limit let through or refused.";
    REDIS_UP = Gauge, "keyward_redis_up", [], "Whether replicas limit together; absent without redis_url.";
    REDIS_DURATION = REDIS, "keyward_redis_duration_seconds", [], "Questions to Redis that were answered.";
    LIMITS_WITHOUT_REDIS = Counter, "keyward_limits_without_redis_total", [],
        "Attempts that this server limited by itself, since Redis was away.";
    OUTBOX_PENDING = Gauge, "keyward_outbox_pending", ["sink"], "Events that a sink has not confirmed.";
    OUTBOX_OLDEST = Gauge, "keyward_outbox_oldest_seconds", ["sink"], "For how long the oldest of them has waited.";
    OUTBOX_PUBLISH = PUBLISH, "keyward_outbox_publish_seconds", ["sink"], "From handing over to the confirmation.";
    OUTBOX_ATTEMPTS = Counter, "keyward_outbox_attempts_total", ["sink", "outcome"], "Events that were handed over.";
    OUTBOX_SINK_UP = Gauge, "keyward_outbox_sink_up", ["sink"],
        "Whether it took the last event; that this replica knows only while it relays.";
    OUTBOX_RELAYING = Gauge, "keyward_outbox_relaying", ["sink"], "Whether this replica relays to it.";
    SIGNING_KEYS = Gauge, "keyward_signing_keys", ["state"], "Published signing keys.";
    SIGNING_KEY_AGE = Gauge, "keyward_signing_key_age_seconds", ["state"],
        "Since the active key began to sign; since the pending key was published.";
    TRACE_EXPORTS = Counter, "keyward_trace_exports_total", ["outcome"],
        "Batches of spans that were sent to otlp_endpoint, or lost; absent without it.";
    RUNTIME_TASKS = Gauge, "keyward_runtime_tasks", [], "Asynchronous tasks that have not ended.";
    RUNTIME_QUEUE = Gauge, "keyward_runtime_queue_length", [], "Tasks that wait for any worker thread.";
    BUILD_INFO = Gauge, "keyward_build_info", ["version"], "Always 1.";
    PROCESS_CPU = Counter, "process_cpu_seconds_total", [], "Processor time, of user and system.";
    PROCESS_RESIDENT = Gauge, "process_resident_memory_bytes", [], "Resident memory.";
    PROCESS_VIRTUAL = Gauge, "process_virtual_memory_bytes", [], "Virtual memory.";
    PROCESS_FDS = Gauge, "process_open_fds", [], "Open file descriptors.";
    PROCESS_FDS_MAX = Gauge, "process_max_fds", [], "How many there may be.";
    PROCESS_THREADS = Gauge, "process_threads", [], "Threads.";
    PROCESS_START = Gauge, "process_start_time_seconds", [], "When the process began, since 1970.";
}
