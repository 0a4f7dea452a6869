//! The cluster secret: 32 bytes that guard the peer port, never printed.

use std::fmt;
use std::path::{Path, PathBuf};

use grepzilla_api::contract::SECRET_BYTES;
use subtle::ConstantTimeEq;

/// The secret that all nodes of a cluster share.
#[derive(Clone)]
pub struct ClusterSecret([u8; SECRET_BYTES]);

impl ClusterSecret {
    /// Reads it from a file that holds its bytes and nothing else.
    pub fn load(path: &Path) -> Result<ClusterSecret, SecretError> {
        let bytes = std::fs::read(path).map_err(|source| SecretError::Unreadable { path: path.to_owned(), source })?;
        let found = bytes.len();
        bytes.try_into().map(ClusterSecret).map_err(|_| SecretError::Length { path: path.to_owned(), found })
    }

    /// As the peer port's `authorization` header carries it, without the `Bearer `: 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a peer knows the secret. The time taken tells nothing about where they differ.
    pub fn matches_hex(&self, digits: &str) -> bool {
        self.to_hex().as_bytes().ct_eq(digits.as_bytes()).into()
    }
}

impl From<[u8; SECRET_BYTES]> for ClusterSecret {
    fn from(bytes: [u8; SECRET_BYTES]) -> ClusterSecret {
        ClusterSecret(bytes)
    }
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterSecret(hidden)")
    }
}

/// A file that is not a cluster secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read.
    #[error("cannot read the cluster secret {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has another length.
    #[error("the cluster secret {path} must be {SECRET_BYTES} bytes, but is {found}")]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_its_own_digits_only_and_is_never_printed() {
        let secret = ClusterSecret::from([0xab; SECRET_BYTES]);
        assert!(secret.matches_hex(&"ab".repeat(SECRET_BYTES)));
        assert!(!secret.matches_hex(&"ac".repeat(SECRET_BYTES)));
        assert!(!secret.matches_hex("ab"));
        assert!(!format!("{secret:?}").contains("ab"), "{secret:?}");
    }

    #[test]
    fn a_file_of_another_length_is_refused_with_both_lengths() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, [1; 31]).expect("writes");
        let error = ClusterSecret::load(&path).expect_err("too short").to_string();
        assert!(error.contains("32 bytes, but is 31"), "{error}");
        std::fs::write(&path, [1; 32]).expect("writes");
        assert!(ClusterSecret::load(&path).is_ok());
    }
}
