use std::io::{IsTerminal as _, stderr, stdout};

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, reload};

use crate::config::{LogFormat, Settings};

const BROKER_CLIENTS: [&str; 3] = ["lapin", "async_nats", "rdkafka"];

/// Where log lines go: a server's are its output, a command's stay out of the way of its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Changes the level of a running server.
#[derive(Debug)]
pub(super) struct LevelHandle(reload::Handle<LevelFilter, Registry>);

impl LevelHandle {
    pub(super) fn set(&self, level: Level) {
        // The subscriber lives as long as the process, so this cannot miss it.
        let _ = self.0.reload(LevelFilter::from_level(level));
    }
}

/// Tells whether lines are for eyes rather than for machines.
pub(super) fn is_text(settings: &Settings, stream: Stream) -> bool {
    match settings.log_format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => match stream {
            Stream::Stdout => stdout().is_terminal(),
            Stream::Stderr => stderr().is_terminal(),
        },
    }
}

/// Starts logging: readable on a terminal, one JSON object a line otherwise.
pub(super) fn start(settings: &Settings, stream: Stream) -> LevelHandle {
    let (level, handle) = reload::Layer::new(LevelFilter::from_level(settings.log_level));
    let to_stdout = stream == Stream::Stdout;
    let writer = move || -> Box<dyn std::io::Write> {
        if to_stdout { Box::new(stdout()) } else { Box::new(stderr()) }
    };
    let lines = if is_text(settings, stream) {
        let colours = if to_stdout { stdout().is_terminal() } else { stderr().is_terminal() };
        fmt::layer().with_writer(writer).with_ansi(colours).with_target(false).boxed()
    } else {
        fmt::layer().with_writer(writer).json().flatten_event(true).with_current_span(false).boxed()
    };
    // The relay says what matters about a broker; the clients would put whole messages into a line.
    let broker = |target: &str| BROKER_CLIENTS.iter().any(|client| target.starts_with(client));
    let ours = tracing_subscriber::filter::filter_fn(move |metadata| {
        let target = metadata.target();
        target.starts_with("keyward") || (*metadata.level() <= Level::WARN && !broker(target))
    });
    // Filters of the whole, not `with_filter`: such a one remembers what it said to `enabled!` until the thread's next
    // event, and drops that. librdkafka and sqlx ask so.
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(level).with(ours).with(lines).try_init();
    LevelHandle(handle)
}
