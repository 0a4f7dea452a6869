//! How much room the file system of the data folder has: asked once a second, away from requests, which read a number.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::statvfs;

/// How often it is asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// The room there is.
#[derive(Debug)]
pub(crate) struct DiskSpace {
    folder: PathBuf,
    free_bytes: AtomicU64,
}

impl DiskSpace {
    /// As long as nobody has looked there is room.
    pub(super) fn new(folder: PathBuf) -> DiskSpace {
        DiskSpace { folder, free_bytes: AtomicU64::new(u64::MAX) }
    }

    /// Bytes that this process may still use; [`u64::MAX`] where that cannot be found out.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.free_bytes.load(Ordering::Relaxed)
    }

    /// Looks, again and again, until `stop`.
    pub(crate) async fn watch(&self, stop: impl Future<Output = ()>) {
        let look_on = async {
            let mut could_look = true;
            loop {
                could_look = self.look(could_look).await;
                tokio::time::sleep(INTERVAL).await;
            }
        };
        tokio::select! {
            biased;
            () = stop => {}
            () = look_on => {}
        }
    }

    /// Gives whether it could look; says so in the log when that has just ended.
    async fn look(&self, could_look: bool) -> bool {
        let folder = self.folder.clone();
        let asked = tokio::task::spawn_blocking(move || statvfs(&folder)).await;
        let free = match asked {
            Ok(Ok(space)) => Ok(space.f_bavail.saturating_mul(space.f_frsize)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.free_bytes.store(*free.as_ref().unwrap_or(&u64::MAX), Ordering::Relaxed);
        if let (Err(error), true) = (&free, could_look) {
            tracing::warn!(folder = %self.folder.display(), %error, "cannot find out how full the disk is");
        }
        free.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_room_of_a_folder_is_found_and_a_folder_that_is_not_there_stops_nobody() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let space = DiskSpace::new(folder.path().to_owned());
        assert_eq!(space.free_bytes(), u64::MAX);
        assert!(space.look(true).await);
        assert!((1..1 << 60).contains(&space.free_bytes()), "{}", space.free_bytes());
        let nowhere = DiskSpace::new(folder.path().join("nowhere"));
        assert!(!nowhere.look(true).await);
        assert_eq!(nowhere.free_bytes(), u64::MAX);
    }
}
