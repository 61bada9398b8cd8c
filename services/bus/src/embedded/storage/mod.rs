//! The port to the disk: the few operations the log needs, so that tests can let each of them fail.

mod files;
#[cfg(test)]
pub(crate) mod memory;

use std::{fmt, io, path::Path};

pub(crate) use files::{Files, PRIVATE_FILE_MODE, create_private_directory};

/// A directory tree.
pub(crate) trait Storage: fmt::Debug + Send + Sync + 'static {
    fn create_directory(&self, dir: &Path) -> io::Result<()>;
    /// Names of the files in `dir`, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// An empty file for writing and reading; what stood under the name is gone.
    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>>;
    /// An existing file for reading and cutting.
    fn open(&self, path: &Path) -> io::Result<Box<dyn StoredFile>>;
    /// Replaces what stands under `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in `dir` durable.
    fn sync_directory(&self, dir: &Path) -> io::Result<()>;
}

/// An open file.
pub(crate) trait StoredFile: Send {
    fn length(&mut self) -> io::Result<u64>;
    /// Fills `buffer` from `offset` on; fewer bytes only at the end of the file.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Makes content and length durable.
    fn sync(&mut self) -> io::Result<()>;
}
