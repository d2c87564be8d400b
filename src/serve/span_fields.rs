//! The fields of spans as JSON, written in one go: every request that may change something has a span, and hardly any
//! of them ever stands in a log line.
use std::fmt::{self, Debug, Write};

use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, FormattedFields};

/// An object for each span, as the format of JSON lines expects it.
pub struct SpanFields;

impl<'w> FormatFields<'w> for SpanFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        writer.write_char('{')?;
        Members::of(&mut writer, fields, true)?;
        writer.write_char('}')
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let text = &mut current.fields;
        text.pop();
        let is_first = text.as_str() == "{";
        Members::of(text, fields, is_first)?;
        text.write_char('}')
    }
}

/// The members of an object, one after the other.
struct Members<'a, W> {
    out: &'a mut W,
    is_first: bool,
    outcome: fmt::Result,
}

impl<'a, W: Write> Members<'a, W> {
    fn of(out: &'a mut W, fields: impl RecordFields, is_first: bool) -> fmt::Result {
        let mut members = Self { out, is_first, outcome: Ok(()) };
        fields.record(&mut members);
        members.outcome
    }

    fn member(&mut self, field: &Field, write: impl FnOnce(&mut W) -> fmt::Result) {
        let comma = if self.is_first { "" } else { "," };
        self.is_first = false;
        // Names of fields are identifiers of the program.
        let written = write!(self.out, "{comma}\"{}\":", field.name()).and_then(|()| write(self.out));
        self.outcome = self.outcome.and(written);
    }
}

impl<W: Write> Visit for Members<'_, W> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |out| write!(out, "{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |out| write!(out, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |out| write!(out, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |out| quoted(out, |text| text.write_str(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field, |out| quoted(out, |text| write!(text, "{value:?}")));
    }
}

fn quoted<W: Write>(out: &mut W, text: impl FnOnce(&mut Escaped<'_, W>) -> fmt::Result) -> fmt::Result {
    out.write_char('"')?;
    text(&mut Escaped(out))?;
    out.write_char('"')
}

/// Text within a JSON string.
struct Escaped<'a, W>(&'a mut W);

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            return self.0.write_str(text);
        }
        let string = serde_json::to_string(text).map_err(|_| fmt::Error)?;
        self.0.write_str(string.get(1..string.len() - 1).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_the_fields_of_its_span() {
        let lines = Lines::default();
        let kept = lines.clone();
        let json = tracing_subscriber::fmt().with_writer(move || kept.clone()).json();
        let started = json.flatten_event(true).with_span_list(false).fmt_fields(SpanFields).finish();
        tracing::subscriber::with_default(started, || {
            let text = "quote \" backslash \\ line\n\u{1}ü";
            let span = tracing::info_span!("request", text, shown = %text, said = ?text, late = tracing::field::Empty);
            let _entered = span.enter();
            span.record("late", 1);
            tracing::info_span!("numbers", n = -1, ok = true, u = u64::MAX)
                .in_scope(|| tracing::info!("hello"));
            tracing::info!("hello");
            tracing::info_span!("empty").in_scope(|| tracing::info!("hello"));
        });
        let lines = lines.0.lock().unwrap().clone();
        let lines: Vec<Value> = lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let text = "quote \" backslash \\ line\n\u{1}ü";
        assert_eq!(lines[0]["span"], json!({ "n": -1, "ok": true, "u": u64::MAX, "name": "numbers" }));
        let said = format!("{text:?}");
        let request = json!({ "text": text, "shown": text, "said": said, "late": 1, "name": "request" });
        assert_eq!(lines[1]["span"], request);
        assert_eq!(lines[2]["span"], json!({ "name": "empty" }));
    }
}
