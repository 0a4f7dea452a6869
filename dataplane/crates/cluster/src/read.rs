//! Reading one typed value.

use crate::keyspace::{Key, Keys, Value, ValueError};
use crate::store::{Entry, MetadataStore, Revision, StoreError};

/// A value, and the revision that last changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known<V> {
    pub(crate) value: V,
    pub(crate) revision: Revision,
}

/// Reads what stands under a key now.
pub(crate) async fn read<V: Value, E>(store: &dyn MetadataStore, keys: &Keys, key: &Key) -> Result<Option<Known<V>>, E>
where
    E: From<StoreError> + From<ValueError>,
{
    match store.get(&keys.text(key)).await? {
        Some(entry) => Ok(Some(Known { value: decode(&entry)?, revision: entry.mod_revision })),
        None => Ok(None),
    }
}

/// Reads the value of an entry.
pub(crate) fn decode<V: Value>(entry: &Entry) -> Result<V, ValueError> {
    V::decode(&entry.key, &entry.value)
}
