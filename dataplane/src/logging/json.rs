//! One event as one flat JSON object: `time`, `level`, `target`, `message`, then the fields of its spans and its own.

use std::fmt;
use std::time::SystemTime;

use grepzilla_model::TimeNs;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::logging::with_causes;

/// The format. Values are taken over as they are written: a request has more than one event, and nobody waits for a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlatJson;

impl<S, N> FormatEvent<S, N> for FlatJson
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut members = Members::default();
        for span in context.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            let extensions = span.extensions();
            if let Some(of_span) = extensions.get::<FormattedFields<JsonFields>>() {
                // What a span says of itself is JSON; if it were not, the event would still be told.
                let _read = serde_json::Deserializer::from_str(of_span).deserialize_map(&mut members);
            }
        }
        event.record(&mut members);
        let (time, metadata) = (TimeNs::from_system(SystemTime::now()), event.metadata());
        write!(writer, "{{\"time\":\"{time}\",\"level\":\"{}\",\"target\":", metadata.level())?;
        write!(writer, "{}", json(metadata.target())?)?;
        let message = members.take("message");
        write!(writer, ",\"message\":{}", message.as_deref().unwrap_or("null"))?;
        for (name, value) in &members.0 {
            write!(writer, ",{}:{value}", json(name)?)?;
        }
        writeln!(writer, "}}")
    }
}

/// The members of a line: names, and values as JSON. The last value of a name counts.
#[derive(Debug, Default)]
struct Members(Vec<(String, String)>);

impl Members {
    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(place).1)
    }
}

/// Reads what a span says of itself.
impl<'de> Visitor<'de> for &mut Members {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields of a span")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            self.set(&name, value.get().to_owned());
        }
        Ok(())
    }
}

impl Visit for Members {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field.name(), json(&value).unwrap_or_else(|_| "null".to_owned()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field.name(), value.to_string());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field.name(), value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field.name(), value.to_string());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), json(value).unwrap_or_else(|_| "null".to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_str(field, &with_causes(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, fmt::Error> {
    serde_json::to_string(value).map_err(|_| fmt::Error)
}
