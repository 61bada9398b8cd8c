//! Snapshots as files: `snapshots/<partition>` in the data directory, and `checkpoints/<partition>` in the same way.
//!
//! `payload | crc u32 | length u64`, little endian. A new one is written beside the old one and renamed over it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use model::Partition;

use crate::{SnapshotError, embedded::storage::Storage};

/// The folder of the checkpoints.
pub(crate) const CHECKPOINTS: &str = "checkpoints";

/// Bytes behind the payload.
const TRAILER_BYTES: usize = 12;

/// The largest file that is taken for a snapshot: ten million series at about 400 bytes.
const BYTES_MAX: u64 = 4 << 30;

#[derive(Clone, Debug)]
pub(crate) struct Snapshots {
    storage: Arc<dyn Storage>,
    dir: PathBuf,
    /// The one before the newest is kept, for the case that the newest is damaged.
    keeps_previous: bool,
}

impl Snapshots {
    pub(crate) fn new(storage: Arc<dyn Storage>, data_dir: &Path) -> Self {
        Self { storage, dir: data_dir.join("snapshots"), keeps_previous: false }
    }

    /// Those of the decisions log.
    pub(crate) fn checkpoints(storage: Arc<dyn Storage>, data_dir: &Path) -> Self {
        Self { storage, dir: data_dir.join(CHECKPOINTS), keeps_previous: true }
    }

    pub(crate) async fn save(&self, partition: Partition, snapshot: Bytes) -> Result<(), SnapshotError> {
        let snapshots = self.clone();
        blocking(move || snapshots.write(partition, &snapshot)).await
    }

    pub(crate) async fn load(&self, partition: Partition) -> Result<Option<Bytes>, SnapshotError> {
        let snapshots = self.clone();
        blocking(move || snapshots.read(partition)).await
    }

    fn write(&self, partition: Partition, snapshot: &[u8]) -> io::Result<()> {
        self.storage.create_directory(&self.dir)?;
        let (path, new) = (self.path(partition), self.dir.join(format!("{partition}.new")));
        let mut file = self.storage.create(&new)?;
        file.write_at(0, snapshot)?;
        file.write_at(snapshot.len() as u64, &trailer(snapshot))?;
        file.sync()?;
        if self.keeps_previous && self.read_file(&path)?.is_some() {
            self.storage.rename(&path, &self.previous(partition))?;
        }
        self.storage.rename(&new, &path)?;
        self.storage.sync_directory(&self.dir)
    }

    fn read(&self, partition: Partition) -> io::Result<Option<Bytes>> {
        match self.read_file(&self.path(partition))? {
            None if self.keeps_previous => self.read_file(&self.previous(partition)),
            newest => Ok(newest),
        }
    }

    fn previous(&self, partition: Partition) -> PathBuf {
        self.dir.join(format!("{partition}.previous"))
    }

    fn read_file(&self, path: &Path) -> io::Result<Option<Bytes>> {
        let mut file = match self.storage.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = file.length()?;
        if length > BYTES_MAX {
            tracing::warn!(file = %path.display(), length, "no snapshot is that large; it is not used");
            return Ok(None);
        }
        let mut bytes = vec![0; length as usize];
        let read = file.read_at(0, &mut bytes)?;
        bytes.truncate(read);
        let payload = verified(bytes);
        if payload.is_none() {
            tracing::warn!(file = %path.display(), "a damaged file is not used");
        }
        Ok(payload)
    }

    fn path(&self, partition: Partition) -> PathBuf {
        self.dir.join(partition.to_string())
    }
}

fn trailer(payload: &[u8]) -> [u8; TRAILER_BYTES] {
    let mut trailer = [0; TRAILER_BYTES];
    trailer[..4].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    trailer[4..].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    trailer
}

fn verified(mut bytes: Vec<u8>) -> Option<Bytes> {
    let length = bytes.len().checked_sub(TRAILER_BYTES)?;
    let is_whole = bytes[length..] == trailer(&bytes[..length]);
    bytes.truncate(length);
    is_whole.then(|| bytes.into())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, SnapshotError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other).flatten().map_err(|error| SnapshotError(Arc::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::storage::Files;

    #[test]
    fn of_checkpoints_the_one_before_the_newest_stands_in_for_a_damaged_one() {
        let dir = tempfile::tempdir().unwrap();
        let checkpoints = Snapshots::checkpoints(Arc::new(Files), dir.path());
        let (home, newest) = (Partition::HOME, checkpoints.path(Partition::HOME));
        for payload in ["first", "second"] {
            checkpoints.write(home, payload.as_bytes()).unwrap();
        }
        assert_eq!(checkpoints.read(home).unwrap().unwrap(), "second");
        std::fs::write(&newest, "nonsense").unwrap();
        assert_eq!(checkpoints.read(home).unwrap().unwrap(), "first");
        checkpoints.write(home, b"third").unwrap();
        std::fs::remove_file(&newest).unwrap();
        assert_eq!(checkpoints.read(home).unwrap().unwrap(), "first", "the damaged one took nobody's place");
    }

    #[test]
    fn the_newest_snapshot_is_read_back_and_a_damaged_one_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::new(Arc::new(Files), dir.path());
        assert_eq!(snapshots.read(Partition(3)).unwrap(), None, "there is none yet");
        for payload in ["", "first", "second"] {
            snapshots.write(Partition(3), payload.as_bytes()).unwrap();
            assert_eq!(snapshots.read(Partition(3)).unwrap().unwrap(), payload);
        }
        assert_eq!(snapshots.read(Partition(4)).unwrap(), None, "of another partition");
        let path = snapshots.path(Partition(3));
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(snapshots.read(Partition(3)).unwrap(), None, "bit {bit}");
        }
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(snapshots.read(Partition(3)).unwrap(), None, "{length} bytes");
        }
    }
}
