//! Where a record belongs: the top 16 bits of a hash that never changes.

use xxhash_rust::xxh3::Xxh3;

use crate::{Bucket, IndexName};

/// The bucket of a document with an explicit id.
pub fn bucket_of_id(index: &IndexName, id: &str) -> Bucket {
    // The separator cannot occur in an index name, so ("ab", "c") and ("a", "bc") differ.
    bucket(&[index.as_str().as_bytes(), &[0], id.as_bytes()])
}

/// The bucket of all documents without an id that came with one Idempotency-Key, so a retry meets the same shard.
pub fn bucket_of_key(key: &str) -> Bucket {
    bucket(&[key.as_bytes()])
}

fn bucket(parts: &[&[u8]]) -> Bucket {
    let mut hasher = Xxh3::new();
    for part in parts {
        hasher.update(part);
    }
    Bucket((hasher.digest() >> 48) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_frozen() {
        // These figures are part of the format: a change would send documents to shards that do not hold them.
        let main = IndexName::default();
        let found = [bucket_of_id(&main, "a"), bucket_of_id(&main, ""), bucket_of_key("k-1")].map(|bucket| bucket.0);
        assert_eq!(found, [13_318, 33_365, 7_162]);
    }

    #[test]
    fn the_border_between_index_and_id_counts() {
        let (ab, a) = (IndexName::new("ab").expect("valid"), IndexName::new("a").expect("valid"));
        assert_ne!(bucket_of_id(&ab, "c"), bucket_of_id(&a, "bc"));
    }
}
