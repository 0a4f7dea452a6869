//! Which keys a cluster has in the metadata store, and the form of their values.
//!
//! ```text
//! <root>/cluster                          ClusterIdentity   operator   created once
//! <root>/operator                         OperatorTerm      operator   raised by compare-and-swap
//! <root>/ring                             StoredRing        operator   intent only
//! <root>/nodes/<node>                     NodeRecord        node       leased
//! <root>/shards/<id>/config               StoredConfig      leader     what is
//! <root>/shards/<id>/leader               LeaderRecord      leader     leased; liveness and discovery only
//! <root>-manifests/<id>                   ManifestHead      leader     which generation counts
//! <root>-manifests/<id>/<generation>      ManifestList      leader     created once; removed when long superseded
//! ```
//!
//! Manifests stand beside the root and not below it: everybody watches all that is below, a list of segments has up to
//! 256 KiB, and only its shard's leader and who asks for a manifest have a use for it.
//!
//! The root is `/<namespace>/<cluster>/gz/v1`, so one etcd serves many clusters. Each value is JSON,
//! `{"v": 1, "value": ...}`; each kind has a file of its own. No key that a transaction compares is ever deleted,
//! but leased ones and lists of generations, whose numbers never come again.

mod cluster;
mod manifest;
mod manifest_list;
mod nodes;
mod operator;
mod ring;
mod shard_config;
mod shard_leader;
mod value;

use std::sync::Arc;

use grepzilla_model::{Generation, NodeName, ShardId};

pub use cluster::ClusterIdentity;
pub use manifest::{ListHash, ManifestHead};
pub use manifest_list::ManifestList;
pub use nodes::{NodeRecord, NodeState};
pub use operator::OperatorTerm;
pub use ring::StoredRing;
pub use shard_config::StoredConfig;
pub use shard_leader::LeaderRecord;
pub use value::{Nonce, VALUE_VERSION, Value, ValueError};

/// The map: one name for each key of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Whose cluster it is.
    Cluster,
    /// Which operator may write.
    Operator,
    /// What should be.
    Ring,
    /// A node that is there.
    Node(NodeName),
    /// What a shard is.
    ShardConfig(ShardId),
    /// Who leads a shard now.
    ShardLeader(ShardId),
    /// Which generation of a shard's manifest counts.
    Manifest(ShardId),
    /// The segments of one generation.
    ManifestList(ShardId, Generation),
}

/// The keys of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    root: Arc<str>,
}

/// A root that keys cannot stand under.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the root of a cluster's keys begins with / and does not end with one, but is {found:?}")]
pub struct InvalidRoot {
    /// What was given.
    pub found: String,
}

impl Keys {
    /// The keys under a root such as `/<namespace>/<cluster>/gz/v1`.
    pub fn new(root: &str) -> Result<Keys, InvalidRoot> {
        if !root.starts_with('/') || root.ends_with('/') {
            return Err(InvalidRoot { found: root.to_owned() });
        }
        Ok(Keys { root: root.into() })
    }

    /// The keys of a node that is alone and keeps its metadata on its own disk.
    pub fn local() -> Keys {
        Keys { root: "/local/gz/v1".into() }
    }

    /// The prefix of what everybody watches: all keys of the cluster but those of manifests, and no key of another one.
    pub fn prefix(&self) -> String {
        format!("{}/", self.root)
    }

    /// The prefix that the lists of a shard's generations have, and no other key.
    pub fn manifest_lists(&self, shard: ShardId) -> String {
        format!("{}/", self.text(&Key::Manifest(shard)))
    }

    /// The text of a key.
    pub fn text(&self, key: &Key) -> String {
        let root = &self.root;
        match key {
            Key::Cluster => format!("{root}/cluster"),
            Key::Operator => format!("{root}/operator"),
            Key::Ring => format!("{root}/ring"),
            Key::Node(node) => format!("{root}/nodes/{node}"),
            Key::ShardConfig(shard) => format!("{root}/shards/{shard}/config"),
            Key::ShardLeader(shard) => format!("{root}/shards/{shard}/leader"),
            Key::Manifest(shard) => format!("{root}-manifests/{shard}"),
            Key::ManifestList(shard, generation) => format!("{root}-manifests/{shard}/{generation}"),
        }
    }

    /// The key of a text. `None`: not a key of this cluster, or of a kind that this version does not know.
    pub fn parse(&self, text: &str) -> Option<Key> {
        let below = text.strip_prefix(&*self.root)?;
        let key = match below.strip_prefix("-manifests/") {
            Some(path) => manifest(path)?,
            None => watched(below.strip_prefix('/')?)?,
        };
        // `07` and `+7` are numbers too, but not how a shard or a generation is written.
        (self.text(&key) == text).then_some(key)
    }
}

fn watched(path: &str) -> Option<Key> {
    match path {
        "cluster" => return Some(Key::Cluster),
        "operator" => return Some(Key::Operator),
        "ring" => return Some(Key::Ring),
        _ => {}
    }
    if let Some(node) = path.strip_prefix("nodes/") {
        return (!node.is_empty()).then(|| Key::Node(node.into()));
    }
    let (id, kind) = path.strip_prefix("shards/")?.split_once('/')?;
    let shard = ShardId(id.parse().ok()?);
    match kind {
        "config" => Some(Key::ShardConfig(shard)),
        "leader" => Some(Key::ShardLeader(shard)),
        _ => None,
    }
}

fn manifest(path: &str) -> Option<Key> {
    let Some((id, generation)) = path.split_once('/') else {
        return Some(Key::Manifest(ShardId(path.parse().ok()?)));
    };
    Some(Key::ManifestList(ShardId(id.parse().ok()?), Generation(generation.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_again_in_its_text() {
        let keys = Keys::new("/team-a/logs/gz/v1").expect("a root");
        let all = [
            (Key::Cluster, "/team-a/logs/gz/v1/cluster"),
            (Key::Operator, "/team-a/logs/gz/v1/operator"),
            (Key::Ring, "/team-a/logs/gz/v1/ring"),
            (Key::Node("logs-0".into()), "/team-a/logs/gz/v1/nodes/logs-0"),
            (Key::ShardConfig(ShardId(7)), "/team-a/logs/gz/v1/shards/7/config"),
            (Key::ShardLeader(ShardId(4_000_000_000)), "/team-a/logs/gz/v1/shards/4000000000/leader"),
            (Key::Manifest(ShardId(7)), "/team-a/logs/gz/v1-manifests/7"),
            (Key::ManifestList(ShardId(7), Generation(12)), "/team-a/logs/gz/v1-manifests/7/12"),
        ];
        for (key, text) in all {
            assert_eq!(keys.text(&key), text);
            assert_eq!(keys.parse(text), Some(key));
        }
    }

    #[test]
    fn what_everybody_watches_is_everything_but_manifests() {
        let keys = Keys::new("/a/logs/gz/v1").expect("a root");
        let shard = ShardId(7);
        let manifests = [Key::Manifest(shard), Key::ManifestList(shard, Generation(12))];
        let others = [Key::Cluster, Key::Ring, Key::Node("n".into()), Key::ShardConfig(shard), Key::ShardLeader(shard)];
        assert!(manifests.iter().all(|key| !keys.text(key).starts_with(&keys.prefix())));
        assert!(others.iter().all(|key| keys.text(key).starts_with(&keys.prefix())));
    }

    #[test]
    fn foreign_and_unknown_keys_are_nobodys() {
        let keys = Keys::new("/a/logs/gz/v1").expect("a root");
        for text in [
            "/a/logs/gz/v1",
            "/a/logs/gz/v1/",
            "/a/logs/gz/v10/ring",
            "/a/logs2/gz/v1/ring",
            "/a/logs/gz/v1/nodes/",
            "/a/logs/gz/v1/shards/x/config",
            "/a/logs/gz/v1/shards/07/config",
            "/a/logs/gz/v1/shards/1/manifest",
            "/a/logs/gz/v1-manifests/",
            "/a/logs/gz/v1-manifests/x",
            "/a/logs/gz/v1-manifests/1/",
            "/a/logs/gz/v1-manifests/1/012",
            "/a/logs/gz/v1-manifests/1/1/2",
            "/a/logs/gz/v1-manifests",
            "/a/logs/gz/v1/shards/1",
            "/a/logs/gz/v1/ring/more",
        ] {
            assert_eq!(keys.parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_root_is_absolute_and_has_no_slash_at_its_end() {
        for bad in ["", "/", "a/b", "/a/"] {
            assert!(Keys::new(bad).is_err(), "{bad:?} was taken");
        }
    }
}
