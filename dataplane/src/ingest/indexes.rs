//! What this node's configuration says of each index, made ready for requests.

use std::collections::HashMap;
use std::sync::Arc;

use grepzilla_api::config::{DEFAULT_INDEX, IndexConfig, NodeConfig};
use grepzilla_model::IndexName;
use grepzilla_model::document::DocumentRules;
use tokio::time::Instant;

use crate::admission::RateLimit;

/// All indexes: those that the configuration names, and one entry for all others.
#[derive(Debug)]
pub(crate) struct Indexes {
    named: HashMap<String, Index>,
    others: Index,
}

/// What is said of one.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) rules: Arc<DocumentRules>,
    /// Shared by all indexes that the configuration does not name.
    pub(crate) rate: RateLimit,
}

impl Indexes {
    /// From a configuration that was checked.
    pub(crate) fn new(config: &NodeConfig) -> Indexes {
        let index = |index: &IndexConfig| {
            let rules = index.rules(&config.ingest).expect("a checked configuration has rules that can be kept");
            Index { rules: Arc::new(rules), rate: RateLimit::new(&index.rate, Instant::now()) }
        };
        let others = config.indexes.get(DEFAULT_INDEX).map_or_else(|| index(&IndexConfig::default()), index);
        let named = config.indexes.iter().map(|(name, entry)| (name.clone(), index(entry))).collect();
        Indexes { named, others }
    }

    /// What is said of one index.
    pub(crate) fn of(&self, index: &IndexName) -> &Index {
        self.named.get(index.as_str()).unwrap_or(&self.others)
    }
}
