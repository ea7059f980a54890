//! Writes all counts as OpenMetrics text.

use super::{Metrics, counters::Counters, spread::Seconds};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use std::{fmt, sync::atomic::Ordering};

/// A number that is asked for when the page is written.
#[derive(Debug)]
pub(crate) struct Reading {
    pub name: &'static str,
    pub help: &'static str,
    pub labels: Vec<(&'static str, &'static str)>,
    pub value: Value,
}

impl Reading {
    /// Adds a label.
    pub(crate) fn with(mut self, label: &'static str, value: &'static str) -> Self {
        self.labels.push((label, value));
        self
    }
}

/// What a reading's number is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// How much there is now.
    Now(f64),
    /// How much there has been since the start.
    Since(u64),
}

/// Everything that the page shows.
#[derive(Debug)]
struct Page {
    metrics: Metrics,
    readings: Vec<Reading>,
}

impl Metrics {
    /// Writes all counts, and these readings.
    pub(crate) fn text(&self, readings: Vec<Reading>) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("weir");
        registry.register_collector(Box::new(Page { metrics: self.clone(), readings }));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let to = &mut encoder;
        let all = &*self.metrics.0;
        counters(to, &all.calls.answered)?;
        seconds(to, &all.calls.own_time)?;
        seconds(to, &all.calls.upstream_time)?;
        counters(to, &all.calls.own_answers)?;
        counters(to, &all.calls.hangups)?;
        counters(to, &all.calls.ungoverned)?;
        seconds(to, &all.calls.ungoverned_time)?;
        counters(to, &all.rules.hits)?;
        counters(to, &all.rules.unjudged)?;
        counters(to, &all.rules.lost_credits)?;
        seconds(to, &all.turns.waits)?;
        counters(to, &all.asking.look_ups)?;
        counters(to, &all.asking.look_ups_sent)?;
        counters(to, &all.asking.repairs)?;
        counters(to, &all.asking.faults)?;
        counters(to, &all.edge.connections)?;
        counters(to, &all.edge.bounds)?;
        counters(to, &all.edge.refused)?;
        counters(to, &all.config.reloads)?;
        counters(to, &all.traces.spans)?;
        self.metrics.readings().iter().chain(&self.readings).try_for_each(|one| reading(to, one))
    }
}

impl Metrics {
    /// Returns what the counts hold that is no count.
    fn readings(&self) -> [Reading; 4] {
        let now = |name, help, value| {
            let value = Value::Now(value);
            Reading { name, help, labels: Vec::new(), value }
        };
        let (open, config) = (&self.0.edge.open, &self.0.config);
        [
            now(
                "connections_open",
                "Connections of callers that are open.",
                open.load(Ordering::Relaxed) as f64,
            ),
            now(
                "config_generation",
                "Configurations that were read and taken, the one of the start included.",
                config.generation.load(Ordering::Relaxed) as f64,
            ),
            now(
                "config_taken_timestamp_seconds",
                "When the configuration in force was read.",
                config.at.load(Ordering::Relaxed) as f64,
            ),
            now(
                "config_refused",
                "1 where the configuration was read again and refused, and the one before holds.",
                f64::from(u8::from(config.refused.load(Ordering::Relaxed))),
            ),
        ]
    }
}

fn counters<const L: usize>(to: &mut DescriptorEncoder<'_>, of: &Counters<L>) -> fmt::Result {
    let mut to = to.encode_descriptor(of.name, of.help, None, MetricType::Counter)?;
    for (labels, count) in of.all() {
        let labels = labels.as_slice();
        ConstCounter::new(count).encode(to.encode_family(&labels)?)?;
    }
    Ok(())
}

fn seconds<const L: usize>(to: &mut DescriptorEncoder<'_>, of: &Seconds<L>) -> fmt::Result {
    let mut to = to.encode_descriptor(of.name, of.help, None, MetricType::Histogram)?;
    for (labels, (sum, count, within)) in of.all() {
        let labels = labels.as_slice();
        let mut to = to.encode_family(&labels)?;
        to.encode_histogram::<NoLabelSet>(sum, count, &within, None)?;
    }
    Ok(())
}

fn reading(to: &mut DescriptorEncoder<'_>, of: &Reading) -> fmt::Result {
    let (labels, kind) = (
        of.labels.as_slice(),
        match of.value {
            Value::Now(_) => MetricType::Gauge,
            Value::Since(_) => MetricType::Counter,
        },
    );
    let mut to = to.encode_descriptor(of.name, of.help, None, kind)?;
    let to = to.encode_family(&labels)?;
    match of.value {
        Value::Now(value) => ConstGauge::new(value).encode(to),
        Value::Since(count) => ConstCounter::new(count).encode(to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn counts_times_and_readings_are_written_in_their_forms() {
        let metrics = Metrics::default();
        metrics.repair("stranded");
        metrics.turn(Duration::from_millis(3));
        metrics.config_taken();
        metrics.config_refused();
        let labels = vec![("mode", "enforce")];
        let value = Value::Now(1.0);
        let text = metrics.text(vec![Reading { name: "mode", help: "Now.", labels, value }]);
        let text = text.unwrap();
        for line in [
            "# TYPE weir_repairs counter",
            "weir_repairs_total{end=\"stranded\"} 1",
            "weir_repairs_total{end=\"done\"} 0",
            "# TYPE weir_turn_wait_seconds histogram",
            "weir_turn_wait_seconds_sum 0.003",
            "weir_turn_wait_seconds_count 1",
            "weir_turn_wait_seconds_bucket{le=\"0.0025\"} 0",
            "weir_turn_wait_seconds_bucket{le=\"0.005\"} 1",
            "weir_turn_wait_seconds_bucket{le=\"+Inf\"} 1",
            "weir_config_generation 1.0",
            "weir_config_refused 1.0",
            "weir_config_reloads_total{result=\"refused\"} 1",
            "# HELP weir_mode Now.",
            "weir_mode{mode=\"enforce\"} 1.0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
