//! The text exposition format, through the `prometheus` crate's model and encoder.
//!
//! In: families and samples in any order. Out: text, families sorted by name. Never: emits a
//! family without samples.

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

use super::cell::DurationsSum;

/// Media type of [`super::Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A scrape in the making.
#[derive(Default)]
pub struct Exposition(Vec<MetricFamily>);

/// A family that samples are added to.
pub struct Family<'a>(&'a mut MetricFamily);

impl Exposition {
    pub fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(MetricType::COUNTER, name, help)
    }

    pub fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(MetricType::GAUGE, name, help)
    }

    pub fn histogram(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(MetricType::HISTOGRAM, name, help)
    }

    pub fn family(&mut self, kind: MetricType, name: &str, help: &str) -> Family<'_> {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        let at = self.0.len();
        self.0.push(family);
        Family(&mut self.0[at])
    }

    pub fn render(mut self) -> String {
        self.0.retain(|family| !family.get_metric().is_empty());
        self.0.sort_by(|a, b| a.name().cmp(b.name()));
        let mut text = String::with_capacity(16 << 10);
        if let Err(error) = TextEncoder::new().encode_utf8(&self.0, &mut text) {
            // Only a family without name or sample is refused, and there is none.
            tracing::error!(%error, "metrics cannot be written in full");
        }
        text
    }
}

impl Family<'_> {
    /// Adds a counter's or a gauge's value.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        let mut metric = Metric::from_label(pairs(labels));
        if self.0.get_field_type() == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.metric(metric)
    }

    /// Adds a histogram of durations in seconds.
    pub fn durations(
        &mut self,
        labels: &[(&str, &str)],
        bounds: &[u64],
        sum: &DurationsSum,
    ) -> &mut Self {
        let seconds_bounds: Vec<f64> = bounds.iter().map(|bound| seconds(*bound)).collect();
        let (within, beyond) = sum.buckets.split_at(bounds.len().min(sum.buckets.len()));
        let counts = within.iter().copied().chain([beyond.iter().sum()]);
        self.observations(labels, &seconds_bounds, counts, seconds(sum.nanos))
    }

    /// Adds a histogram: counts for each bound, and one for what is beyond the last.
    pub fn observations(
        &mut self,
        labels: &[(&str, &str)],
        bounds: &[f64],
        counts: impl Iterator<Item = u64>,
        sum: f64,
    ) -> &mut Self {
        let mut cumulative = 0;
        let mut bounds = bounds.iter();
        let mut buckets = Vec::new();
        for count in counts {
            cumulative += count;
            // The last count has no bound: the encoder writes it as `+Inf`.
            let Some(bound) = bounds.next() else { break };
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(cumulative);
            buckets.push(bucket);
        }
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets);
        histogram.set_sample_count(cumulative);
        histogram.set_sample_sum(sum);
        let mut metric = Metric::from_label(pairs(labels));
        metric.set_histogram(histogram);
        self.metric(metric)
    }

    pub fn metric(&mut self, metric: Metric) -> &mut Self {
        self.0.mut_metric().push(metric);
        self
    }
}

/// Nanoseconds as seconds. Dividing keeps `0.005` from being written as `0.005000000000000001`.
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

fn pairs(labels: &[(&str, &str)]) -> Vec<LabelPair> {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}
