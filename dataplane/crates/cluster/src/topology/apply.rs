//! Bringing the picture up to date: pure, but for the log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Topology, no_ring};
use crate::keyspace::{
    ClusterIdentity, Key, Keys, LeaderRecord, NodeRecord, StoredConfig, StoredRing, Value, ValueError,
};
use crate::store::{Change, Changes, Entry, Listing, Revision};

impl Topology {
    /// Shows a listing. What is not in it is gone.
    pub(super) fn replace(&mut self, keys: &Keys, listing: &Listing) {
        let listed: BTreeSet<&str> = listing.entries.iter().map(|entry| entry.key.as_str()).collect();
        let shown: Vec<String> = self.shown(keys);
        for key in shown.iter().filter(|key| !listed.contains(key.as_str())) {
            self.remove(keys, key);
        }
        for entry in &listing.entries {
            self.put(keys, entry);
        }
        self.revision = listing.revision;
    }

    /// Shows changes. Says whether anything but the revision is different.
    pub(super) fn advance(&mut self, keys: &Keys, changes: &Changes) -> bool {
        for change in &changes.changes {
            match change {
                Change::Put(entry) => self.put(keys, entry),
                Change::Delete { key, .. } => self.remove(keys, key),
            }
        }
        self.revision = self.revision.max(changes.revision);
        !changes.changes.is_empty()
    }

    /// Notes whether the store is in touch.
    pub(super) fn touch(&mut self, contact: Result<(), &str>) {
        if self.connected != contact.is_ok() {
            self.connected = contact.is_ok();
            self.since = SystemTime::now();
        }
        self.trouble = contact.err().map(str::to_owned);
    }

    fn shown(&self, keys: &Keys) -> Vec<String> {
        let single = [(self.cluster.is_some(), Key::Cluster), (self.has_ring(), Key::Ring)];
        let single = single.into_iter().filter(|(shown, _)| *shown).map(|(_, key)| key);
        let nodes = self.nodes.keys().cloned().map(Key::Node);
        let configs = self.configs.keys().copied().map(Key::ShardConfig);
        let leaders = self.leaders.keys().copied().map(Key::ShardLeader);
        let known = single.chain(nodes).chain(configs).chain(leaders).map(|key| keys.text(&key));
        known.chain(self.refused.keys().cloned()).collect()
    }

    fn put(&mut self, keys: &Keys, entry: &Entry) {
        let Some(key) = keys.parse(&entry.key) else { return };
        match self.take(key, entry) {
            Ok(()) => {
                self.refused.remove(&entry.key);
            }
            Err(error) => {
                let reason = error.to_string();
                if self.refused.insert(entry.key.clone(), reason.clone()).as_ref() != Some(&reason) {
                    tracing::error!(%error, "a value in the metadata store cannot be used; the last good one stays");
                }
            }
        }
    }

    fn take(&mut self, key: Key, entry: &Entry) -> Result<(), ValueError> {
        let (text, bytes) = (&entry.key, &entry.value);
        match key {
            Key::Cluster => self.cluster = Some(ClusterIdentity::decode(text, bytes)?.uuid),
            Key::Ring => {
                self.ring = Arc::new(StoredRing::decode(text, bytes)?.ring);
                self.ring_revision = entry.mod_revision;
            }
            Key::Node(node) => {
                self.nodes.insert(node, NodeRecord::decode(text, bytes)?);
            }
            Key::ShardConfig(shard) => {
                self.configs.insert(shard, StoredConfig::decode(text, bytes)?.config);
            }
            Key::ShardLeader(shard) => {
                self.leaders.insert(shard, LeaderRecord::decode(text, bytes)?);
            }
            // Between operators: not part of the picture. Manifests are not even watched.
            Key::Operator | Key::Manifest(_) | Key::ManifestList(..) => {}
        }
        Ok(())
    }

    fn remove(&mut self, keys: &Keys, text: &str) {
        self.refused.remove(text);
        match keys.parse(text) {
            Some(Key::Cluster) => self.cluster = None,
            Some(Key::Ring) => {
                self.ring = Arc::new(no_ring());
                self.ring_revision = Revision(0);
            }
            Some(Key::Node(node)) => {
                self.nodes.remove(&node);
            }
            Some(Key::ShardConfig(shard)) => {
                self.configs.remove(&shard);
            }
            Some(Key::ShardLeader(shard)) => {
                self.leaders.remove(&shard);
            }
            Some(Key::Operator | Key::Manifest(_) | Key::ManifestList(..)) | None => {}
        }
    }
}
