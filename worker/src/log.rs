//! Where this process's log goes: mostly standard error, as text or as JSON, at the level that `RUST_LOG` names (`warn`).

use std::env;
use std::fmt;
use std::io;

use proto::visible::on_one_line;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a person who reads it later: with the time and the place.
    Text,
    /// For a person who waits for a command: one sentence, as errors are.
    Sentences,
    /// One JSON object a line.
    Json,
}

/// Sends this process's log to standard error. A second call changes nothing.
pub fn to_stderr(format: Format) {
    to(format, io::stderr);
}

/// Sends this process's log to what `writer` makes for each line. A second call changes nothing.
pub fn to(format: Format, writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) {
    let wanted = env::var("RUST_LOG").ok().and_then(|levels| levels.parse::<Targets>().ok());
    let wanted = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    let registry = tracing_subscriber::registry().with(wanted);
    let log = layer().with_writer(writer).with_ansi(false);
    let _ = match format {
        Format::Text => registry.with(log).try_init(),
        Format::Sentences => registry.with(log.event_format(Sentence)).try_init(),
        Format::Json => registry.with(log.json()).try_init(),
    };
}

/// `warning: what happened`, and no more: every message is a sentence of its own. Some quote a target or a file.
struct Sentence;

impl<S, N> FormatEvent<S, N> for Sentence
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = match *event.metadata().level() {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let mut message = Message::default();
        event.record(&mut message);
        writeln!(line, "{level}: {}", on_one_line(&message.0))
    }
}

/// An event's message, without its other fields.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Lines that were written.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_sentence_is_one_line_and_steers_no_terminal() {
        let lines = Lines::default();
        let of_log = lines.clone();
        let log =
            tracing_subscriber::fmt().event_format(Sentence).with_writer(move || of_log.clone()).finish();
        tracing::subscriber::with_default(log, || {
            tracing::warn!("the answer begins: {}", "a\nb\u{1b}]52;c;eA==\u{7}\u{202e}");
        });
        let written = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written, "warning: the answer begins: a b\u{fffd}]52;c;eA==\u{fffd}\u{fffd}\n");
    }
}
