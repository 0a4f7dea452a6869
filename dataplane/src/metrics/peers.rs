//! What the client for peers counts.

use prometheus::{IntCounterVec, Opts, Registry};

/// The counters of requests to other nodes.
#[derive(Debug)]
pub(crate) struct PeerMetrics {
    requests: IntCounterVec,
}

/// What a request to a peer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerOperation {
    /// To append a batch.
    Append,
    /// To search shards.
    Search,
    /// To look up a document.
    LookUp,
}

/// How a request to a peer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerOutcome {
    /// It was done.
    Done,
    /// The peer said no.
    Refused,
    /// The peer was not reached; nothing happened.
    Unreachable,
    /// The peer was reached and its answer never came, or could not be read.
    NoAnswer,
}

impl PeerMetrics {
    pub(super) fn new(registry: &Registry) -> Result<PeerMetrics, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new("grepzilla_peer_requests_total", "Requests to other nodes, by what they ask and how they ended."),
            &["operation", "outcome"],
        )?;
        for operation in PeerOperation::ALL {
            for outcome in PeerOutcome::ALL {
                requests.with_label_values(&[operation.word(), outcome.word()]);
            }
        }
        registry.register(Box::new(requests.clone()))?;
        Ok(PeerMetrics { requests })
    }

    /// A request ended.
    pub(crate) fn ended(&self, operation: PeerOperation, outcome: PeerOutcome) {
        self.requests.with_label_values(&[operation.word(), outcome.word()]).inc();
    }
}

impl PeerOperation {
    const ALL: [PeerOperation; 3] = [PeerOperation::Append, PeerOperation::Search, PeerOperation::LookUp];

    fn word(self) -> &'static str {
        match self {
            PeerOperation::Append => "append",
            PeerOperation::Search => "search",
            PeerOperation::LookUp => "look_up",
        }
    }
}

impl PeerOutcome {
    const ALL: [PeerOutcome; 4] =
        [PeerOutcome::Done, PeerOutcome::Refused, PeerOutcome::Unreachable, PeerOutcome::NoAnswer];

    fn word(self) -> &'static str {
        match self {
            PeerOutcome::Done => "done",
            PeerOutcome::Refused => "refused",
            PeerOutcome::Unreachable => "unreachable",
            PeerOutcome::NoAnswer => "no_answer",
        }
    }
}
