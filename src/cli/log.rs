mod json;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, stderr, stdout};
use std::panic::PanicHookInfo;

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, reload};

use self::json::JsonLine;
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
    let writer = move || Lines(stream);
    let lines = if is_text(settings, stream) {
        let colours = if to_stdout { stdout().is_terminal() } else { stderr().is_terminal() };
        fmt::layer().with_writer(writer).with_ansi(colours).with_target(false).boxed()
    } else {
        fmt::layer().with_writer(writer).event_format(JsonLine).boxed()
    };
    // The relay says what matters about a broker; the clients would put whole messages into a line.
    let broker = |target: &str| BROKER_CLIENTS.iter().any(|client| target.starts_with(client));
    let ours = tracing_subscriber::filter::filter_fn(move |metadata| {
        let target = metadata.target();
        target.starts_with("keyward") || (*metadata.level() <= Level::WARN && !broker(target))
    });
    std::panic::set_hook(Box::new(log_panic));
    // Filters of the whole, not `with_filter`: such a one remembers what it said to `enabled!` until the thread's next
    // event, and drops that. librdkafka and sqlx ask so.
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(level).with(ours).with(lines).try_init();
    LevelHandle(handle)
}

/// Says where it was, and what only if that stands in the code: what is made up on the spot may quote somebody's data.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(tracing::field::display);
    let said = panic.payload().downcast_ref::<&'static str>();
    tracing::error!(location, said, "panicked");
}

impl io::Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout => stdout().write(bytes),
            Self::Stderr => stderr().write(bytes),
        }
    }

    /// Under one lock, so that lines of two threads do not mix.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => stdout().write_all(bytes),
            Self::Stderr => stderr().write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout => stdout().flush(),
            Self::Stderr => stderr().flush(),
        }
    }
}

/// Writes lines of which every reader agrees where they end and which way they run.
struct Lines<W>(W);

impl<W: io::Write> io::Write for Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_all(line)?;
        Ok(line.len())
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.write_all(&escaped(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Escapes, as JSON does, what JSON leaves as it is although some readers end a line at it, or turn what follows around.
fn escaped(line: &[u8]) -> Cow<'_, [u8]> {
    let odd = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    match std::str::from_utf8(line) {
        Ok(text) if !text.is_ascii() || text.contains('\u{7f}') => {
            let mut plain = String::with_capacity(text.len());
            for c in text.chars() {
                if odd(c) {
                    // Writing to a text does not fail.
                    let _ = write!(plain, "\\u{:04x}", u32::from(c));
                } else {
                    plain.push(c);
                }
            }
            Cow::Owned(plain.into_bytes())
        }
        _ => Cow::Borrowed(line),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_escaped_as_they_are_written() {
        let mut written = Vec::new();
        Lines(&mut written).write_all("a\u{2028}b\n".as_bytes()).unwrap();
        assert_eq!(written, b"a\\u2028b\n");
    }

    #[test]
    fn what_ends_or_turns_a_line_is_escaped_and_nothing_else() {
        let text = "a\u{2028}b\u{85}c\u{202e}d\u{7f} \u{e9} \u{1b}[31m\n";
        let escaped = escaped(text.as_bytes());
        let escaped = std::str::from_utf8(&escaped).unwrap();
        assert_eq!(escaped, "a\\u2028b\\u0085c\\u202ed\\u007f \u{e9} \u{1b}[31m\n");
        assert!(matches!(super::escaped(b"plain\n"), Cow::Borrowed(_)));
    }
}
