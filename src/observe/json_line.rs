//! Writes an event of the log as one line of JSON.
//!
//! In: an event. Out: one object of `timestamp`, `level`, the event's fields in their order, and
//! `target`. That is the line that tracing-subscriber writes with its fields flattened, to the
//! byte; it writes each in a quarter of the instructions, because the line is put together in one
//! buffer and not passed on piece by piece. Every governed change leaves a line.

use jiff::Timestamp;
use std::{
    cell::RefCell,
    fmt::{self, Debug, Write},
    time::{Duration, SystemTime},
};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_log::NormalizeEvent;
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// The format of lines for machines.
pub(super) struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Events of the `log` crate hide where they are from.
        let normal = event.normalized_metadata();
        let about = normal.as_ref().unwrap_or_else(|| event.metadata());
        let mut line = Line { bytes: Vec::with_capacity(640), text: String::new() };
        line.bytes.extend_from_slice(b"{\"timestamp\":\"");
        push_time(&mut line.bytes, SystemTime::now());
        line.bytes.extend_from_slice(b"\",\"level\":\"");
        line.bytes.extend_from_slice(about.level().as_str().as_bytes());
        line.bytes.push(b'"');
        event.record(&mut line);
        line.name("target");
        line.value(about.target());
        line.bytes.extend_from_slice(b"}\n");
        writer.write_str(std::str::from_utf8(&line.bytes).map_err(|_| fmt::Error)?)
    }
}

/// A line that is being written.
struct Line {
    bytes: Vec<u8>,
    /// A value, before it is escaped.
    text: String,
}

impl Line {
    fn name(&mut self, name: &str) {
        self.bytes.push(b',');
        self.value(name);
        self.bytes.push(b':');
    }

    fn value<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        // Neither text nor a number fails, and a vector takes all.
        let _ = serde_json::to_writer(&mut self.bytes, value);
    }

    fn field<T: serde::Serialize + ?Sized>(&mut self, field: &Field, value: &T) {
        self.name(field.name());
        self.value(value);
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        // What cannot be written whole is written as far as it goes.
        let _ = write!(text, "{value:?}");
        self.field(field, text.as_str());
        self.text = text;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, &value);
    }
}

/// Writes the time in UTC, to the microsecond. What is the same for a second is written once.
fn push_time(line: &mut Vec<u8>, now: SystemTime) {
    thread_local! {
        /// The second that was written last, and its text.
        static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != since.as_secs() {
            *second = since.as_secs();
            let at = i64::try_from(*second).ok().and_then(|at| Timestamp::from_second(at).ok());
            *text = at.unwrap_or(Timestamp::UNIX_EPOCH).to_string();
        }
        line.extend_from_slice(text.trim_end_matches('Z').as_bytes());
    });
    let micros = since.subsec_micros();
    line.push(b'.');
    for unit in [100_000, 10_000, 1_000, 100, 10, 1] {
        // One digit of six.
        line.push(b'0' + (micros / unit % 10) as u8);
    }
    line.push(b'Z');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io,
        sync::{Arc, Mutex},
        time::Duration,
    };

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

    impl Lines {
        /// Returns the lines, without the time at their beginning.
        fn told(&self) -> Vec<String> {
            let all = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let begin = "{\"timestamp\":\"2026-11-29T12:54:24.828680Z".len();
            all.lines().map(|line| line[begin..].to_owned()).collect()
        }
    }

    fn events() {
        let nasty: String = (0..=0x10_ffff).step_by(7).filter_map(char::from_u32).collect();
        let all_low: String = ('\0'..='\u{ff}').collect();
        tracing::info!("plain");
        tracing::warn!(target: "weir::decision", id = "a", none = None::<&str>, "{} {}", 1, "x");
        tracing::error!(nasty, all_low, "a \"quoted\" text\nof two lines");
        tracing::debug!(yes = true, small = i64::MIN, large = u64::MAX, half = 0.5, nan = f64::NAN);
        tracing::trace!(wide = u128::MAX, shown = %"a\tb", seen = ?Some("c\\d"), "odd name" = 1);
        let error = io::Error::other("it \"failed\"");
        tracing::error!(error = &error as &dyn std::error::Error, some = Some(3), "failed");
        let span = tracing::info_span!("outer", of = 1);
        span.in_scope(|| tracing::info!(level = "twice", "in a span"));
    }

    #[test]
    fn a_line_is_the_one_that_tracing_subscriber_writes() {
        let (ours, theirs) = (Lines::default(), Lines::default());
        let (mine, other) = (ours.clone(), theirs.clone());
        let all = || tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
        let line = all().event_format(JsonLine).with_writer(move || mine.clone()).finish();
        tracing::subscriber::with_default(line, events);
        let line = all().json().flatten_event(true).with_span_list(false).with_current_span(false);
        let line = line.with_writer(move || other.clone()).finish();
        tracing::subscriber::with_default(line, events);
        let (ours, theirs) = (ours.told(), theirs.told());
        assert_eq!(ours.len(), 7);
        assert_eq!(ours, theirs);
    }

    #[test]
    fn a_time_is_told_to_the_microsecond_in_every_second() {
        let at = |micros| {
            let mut line = Vec::new();
            push_time(&mut line, SystemTime::UNIX_EPOCH + Duration::from_micros(micros));
            String::from_utf8(line).unwrap()
        };
        assert_eq!(at(1_795_956_864_828_680), "2026-11-29T12:54:24.828680Z");
        assert_eq!(at(1_795_956_864_000_001), "2026-11-29T12:54:24.000001Z");
        assert_eq!(at(1_795_956_865_999_999), "2026-11-29T12:54:25.999999Z");
        assert_eq!(at(1_795_956_864_100_000), "2026-11-29T12:54:24.100000Z");
        assert_eq!(at(0), "1970-01-01T00:00:00.000000Z");
    }
}
