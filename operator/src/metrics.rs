//! What is seen of the operator from outside: `grepzilla_operator_*`.

use prometheus::{Encoder, Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// How a reconcile ended.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    /// Nothing waits.
    Done,
    /// Something waits for a named gate.
    Blocked,
    /// It failed and is tried again.
    Transient,
    /// Nothing can be done until the spec changes.
    Terminal,
}

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// 1 while this replica leads.
    pub leader: IntGauge,
    /// How long a reconcile takes.
    pub reconcile_seconds: Histogram,
    reconciles: IntCounterVec,
}

impl Metrics {
    /// Registers them.
    pub fn new() -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let leader = IntGauge::new("grepzilla_operator_leader", "1 while this replica leads, else 0")?;
        let buckets = vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let reconcile_seconds = Histogram::with_opts(
            HistogramOpts::new("grepzilla_operator_reconcile_seconds", "time of one reconcile").buckets(buckets),
        )?;
        let reconciles = IntCounterVec::new(
            Opts::new("grepzilla_operator_reconciles_total", "reconciles by how they ended"),
            &["outcome"],
        )?;
        registry.register(Box::new(leader.clone()))?;
        registry.register(Box::new(reconcile_seconds.clone()))?;
        registry.register(Box::new(reconciles.clone()))?;
        Ok(Metrics { registry, leader, reconcile_seconds, reconciles })
    }

    /// Counts a reconcile.
    pub fn reconciled(&self, outcome: Outcome) {
        let label = match outcome {
            Outcome::Done => "done",
            Outcome::Blocked => "blocked",
            Outcome::Transient => "transient",
            Outcome::Terminal => "terminal",
        };
        self.reconciles.with_label_values(&[label]).inc();
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text).expect("a Vec takes every byte");
        String::from_utf8(text).expect("the format is text")
    }
}
