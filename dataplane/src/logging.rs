//! The node's own log: one line per event on stderr, as JSON or for people.
//!
//! Promise: in JSON every field of every span around an event stands at the top level of its line, the inner span's
//! value winning. The border opens a span with the field `trace_id`, so one id selects the path of one request.
//!
//! Filters come from `GREPZILLA_LOG`, else from `RUST_LOG` (`info,grepzilla=debug`), else `info`.

mod json;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people where stderr is a terminal, else JSON.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Human,
}

/// Sends all events of this process to stderr from now on, its panics among them. Called once, by `main`.
pub fn init(format: LogFormat) -> anyhow::Result<()> {
    let filter = filter()?;
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Human => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        registry.with(json_layer(std::io::stderr)).try_init()?;
    } else {
        let ansi = std::io::stderr().is_terminal();
        registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(ansi)).try_init()?;
    }
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        tracing::error!(%panic, thread = thread.name().unwrap_or_default(), "a bug was met");
    }));
    Ok(())
}

/// An error and everything below it in one line, because a `#[source]` stays out of an error's own text.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn filter() -> anyhow::Result<EnvFilter> {
    let text = ["GREPZILLA_LOG", EnvFilter::DEFAULT_ENV].iter().find_map(|name| std::env::var(name).ok());
    Ok(EnvFilter::try_new(text.as_deref().unwrap_or("info"))?)
}

fn json_layer<S, W>(writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new()).event_format(json::FlatJson).with_writer(writer)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use serde_json::Value;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(events: impl FnOnce()) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry().with(json_layer(move || writer.clone()));
        tracing::subscriber::with_default(subscriber, events);
        let bytes = lines.0.lock().clone();
        let text = String::from_utf8(bytes).expect("log lines are UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a line is one JSON value")).collect()
    }

    #[test]
    fn fields_of_all_spans_stand_at_the_top_level_and_the_inner_one_wins() {
        let lines = logged(|| {
            let _request = tracing::info_span!("request", trace_id = "4bf9", shard = 1).entered();
            let _append = tracing::info_span!("append", shard = 7u32).entered();
            tracing::warn!(seq = 12u64, error = %"a \"quoted\"\nthing", "batch appended");
        });
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["message"], "batch appended");
        assert_eq!((&line["trace_id"], &line["shard"], &line["seq"]), (&"4bf9".into(), &7.into(), &12.into()));
        assert_eq!((&line["level"], &line["error"]), (&"WARN".into(), &"a \"quoted\"\nthing".into()));
        assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    }

    #[test]
    fn an_event_outside_of_any_span_is_a_line_too() {
        let lines = logged(|| tracing::info!(ready = true, share = 0.5, "up"));
        assert_eq!((&lines[0]["ready"], &lines[0]["share"]), (&true.into(), &0.5.into()));
        assert_eq!(lines[0].get("trace_id"), None);
    }
}
