//! A disk in memory that can fail, hang and lose power, for tests.
//!
//! It keeps apart what a program sees and what would be left after a power cut. A sync that fails marks what
//! was written as clean without keeping it, as Linux does: a later sync on the same bytes succeeds and keeps
//! nothing. Who trusts a file after a failed sync loses data here.

use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
};

use super::{Storage, StoredFile};

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Create,
    Open,
    Write,
    Truncate,
    Sync,
    SyncDirectory,
    Rename,
    Remove,
    Read,
}

#[derive(Clone, Debug, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Ranges of `seen` that the next sync will make durable.
    dirty: Vec<Range<usize>>,
}

type Names = BTreeMap<PathBuf, Arc<Mutex<Content>>>;

#[derive(Debug, Default)]
struct State {
    names: Names,
    durable_names: Names,
    /// Operations so far, of each kind that changes something.
    operations: u64,
    fail_at: Option<u64>,
    is_full: bool,
    is_sync_held: bool,
    /// Syncs that wait for `release_syncs`.
    held: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    state: Arc<Mutex<State>>,
    changed: Arc<Condvar>,
}

impl Memory {
    /// Lets the `n`-th operation from now on fail, 0 being the next one, whatever it is.
    pub(crate) fn fail_at(&self, n: u64) {
        let mut state = self.lock();
        state.fail_at = Some(state.operations + n);
    }

    /// Takes back a failure that has not happened yet.
    pub(crate) fn fail_no_more(&self) {
        self.lock().fail_at = None;
    }

    /// Whether the failure asked for has happened.
    pub(crate) fn has_failed(&self) -> bool {
        let state = self.lock();
        state.fail_at.is_some_and(|at| state.operations > at)
    }

    pub(crate) fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// From now on syncs of files wait.
    pub(crate) fn hold_syncs(&self) {
        self.lock().is_sync_held = true;
    }

    /// Waits until a sync waits.
    pub(crate) fn await_held_sync(&self) {
        let mut state = self.lock();
        while state.held == 0 {
            state = self.changed.wait(state).unwrap();
        }
    }

    pub(crate) fn release_syncs(&self) {
        self.lock().is_sync_held = false;
        self.changed.notify_all();
    }

    /// The disk after a power cut: what was synced, and of what was not an arbitrary part that `seed` picks.
    pub(crate) fn after_power_cut(&self, seed: u64) -> Self {
        let state = self.lock();
        let mut dice = seed;
        let names: Names = state
            .durable_names
            .iter()
            .map(|(path, content)| {
                let content = content.lock().unwrap();
                let bytes = torn(&content, &mut dice);
                let content = Content { seen: bytes.clone(), durable: bytes, dirty: Vec::new() };
                (path.clone(), Arc::new(Mutex::new(content)))
            })
            .collect();
        let state = State { durable_names: names.clone(), names, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), changed: Arc::default() }
    }

    /// The disk as another process finds it when this one is killed: what was written is seen, and what was not
    /// synced is not durable.
    pub(crate) fn after_kill(&self) -> Self {
        let state = self.lock();
        // One copy of each file, also where it stands under a name that is seen and one that is durable.
        let mut copies = BTreeMap::new();
        let mut copy = |names: &Names| -> Names {
            let mut copy_of = |content: &Arc<Mutex<Content>>| {
                let copied = || Arc::new(Mutex::new(content.lock().unwrap().clone()));
                copies.entry(Arc::as_ptr(content).addr()).or_insert_with(copied).clone()
            };
            names.iter().map(|(path, content)| (path.clone(), copy_of(content))).collect()
        };
        let (names, durable_names) = (copy(&state.names), copy(&state.durable_names));
        let state = State { names, durable_names, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), changed: Arc::default() }
    }

    /// Paths of all files.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.lock().names.keys().cloned().collect()
    }

    /// Changes a file behind everybody's back.
    pub(crate) fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let state = self.lock();
        let mut content = state.names[path].lock().unwrap();
        change(&mut content.seen);
        content.durable = content.seen.clone();
        content.dirty.clear();
    }

    pub(crate) fn delete(&self, path: &Path) {
        let mut state = self.lock();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    /// Lets two files change names.
    pub(crate) fn swap(&self, one: &Path, other: &Path) {
        let mut state = self.lock();
        let (a, b) = (state.names[one].clone(), state.names[other].clone());
        state.names.insert(one.to_owned(), b);
        state.names.insert(other.to_owned(), a);
        state.durable_names = state.names.clone();
    }

    /// Puts a copy of `from` under `to`.
    pub(crate) fn copy(&self, from: &Path, to: &Path) {
        let mut state = self.lock();
        let content = state.names[from].lock().unwrap().clone();
        state.names.insert(to.to_owned(), Arc::new(Mutex::new(content)));
        state.durable_names = state.names.clone();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn count(&self, operation: Operation) -> io::Result<()> {
        let mut state = self.lock();
        let at = state.operations;
        state.operations += 1;
        if state.fail_at == Some(at) {
            return Err(io::Error::other(format!("injected failure of {operation:?}")));
        }
        Ok(())
    }

    fn find(&self, path: &Path) -> io::Result<Arc<Mutex<Content>>> {
        self.lock().names.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// What the disk holds of a file whose last writes were under way: each of them up to some byte.
fn torn(content: &Content, dice: &mut u64) -> Vec<u8> {
    let mut bytes = content.durable.clone();
    for range in &content.dirty {
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let kept = (*dice >> 33) as usize % (range.len() + 1);
        let end = (range.start + kept).min(content.seen.len());
        if kept == 0 || end <= range.start {
            continue;
        }
        bytes.resize(bytes.len().max(end), 0);
        bytes[range.start..end].copy_from_slice(&content.seen[range.start..end]);
    }
    bytes
}

impl Storage for Memory {
    fn create_directory(&self, _dir: &Path) -> io::Result<()> {
        self.count(Operation::Create)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.count(Operation::Read)?;
        let in_dir = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            (path.parent() == Some(dir)).then(|| name.to_owned())
        };
        Ok(self.lock().names.keys().filter_map(in_dir).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        self.count(Operation::Create)?;
        let content = Arc::new(Mutex::new(Content::default()));
        self.lock().names.insert(path.to_owned(), content.clone());
        Ok(Box::new(MemoryFile { disk: self.clone(), content }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn StoredFile>> {
        self.count(Operation::Open)?;
        Ok(Box::new(MemoryFile { disk: self.clone(), content: self.find(path)? }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.count(Operation::Rename)?;
        let content = self.find(from)?;
        let mut state = self.lock();
        state.names.remove(from);
        state.names.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.count(Operation::Remove)?;
        self.find(path)?;
        self.lock().names.remove(path);
        Ok(())
    }

    fn sync_directory(&self, _dir: &Path) -> io::Result<()> {
        self.count(Operation::SyncDirectory)?;
        let mut state = self.lock();
        state.durable_names = state.names.clone();
        Ok(())
    }
}

struct MemoryFile {
    disk: Memory,
    content: Arc<Mutex<Content>>,
}

impl StoredFile for MemoryFile {
    fn length(&mut self) -> io::Result<u64> {
        Ok(self.content.lock().unwrap().seen.len() as u64)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.count(Operation::Read)?;
        let content = self.content.lock().unwrap();
        let rest = content.seen.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let counted = self.disk.count(Operation::Write);
        let is_full = self.disk.lock().is_full;
        // A write that fails may have written a part.
        let written = if counted.is_err() || is_full { bytes.len() / 2 } else { bytes.len() };
        let mut content = self.content.lock().unwrap();
        let range = offset as usize..offset as usize + written;
        let length = content.seen.len().max(range.end);
        content.seen.resize(length, 0);
        content.seen[range.clone()].copy_from_slice(&bytes[..written]);
        content.dirty.push(range);
        counted?;
        if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk.count(Operation::Truncate)?;
        self.content.lock().unwrap().seen.resize(length as usize, 0);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        {
            let mut state = self.disk.lock();
            state.held += 1;
            self.disk.changed.notify_all();
            while state.is_sync_held {
                state = self.disk.changed.wait(state).unwrap();
            }
            state.held -= 1;
        }
        let counted = self.disk.count(Operation::Sync);
        let mut content = self.content.lock().unwrap();
        let dirty = std::mem::take(&mut content.dirty);
        counted?;
        let Content { seen, durable, .. } = &mut *content;
        durable.resize(seen.len(), 0);
        for range in dirty {
            let range = range.start..range.end.min(seen.len());
            if range.start < range.end {
                durable[range.clone()].copy_from_slice(&seen[range]);
            }
        }
        Ok(())
    }
}
