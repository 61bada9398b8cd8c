//! A copy of a data directory, made while a process writes it.
//!
//! Segments only grow, and what stands behind the copied end is as a power cut leaves it: it is cut off when the copy
//! is opened. Decisions are copied before events, so that no decision in the copy is about an event that is not.
//! Snapshots stay behind: they only save time. So does the operator's token, which is made anew.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::embedded::{segment, storage::create_private_directory};

/// What a backup copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    pub files: u64,
    pub bytes: u64,
}

/// Nothing usable was copied; each variant is a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Never retryable.
    #[error("{path} is no data directory of ripcord: it has no `format` file")]
    NotADataDirectory { path: PathBuf },
    /// Never retryable.
    #[error("{path} is not empty: name a folder that is, or one that does not exist")]
    NotEmpty { path: PathBuf },
    /// Retryable if the disk is.
    #[error("{path} cannot be copied: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// The topics in the order in which they have to be copied.
const TOPICS: [&str; 3] = ["decisions", "events", "dead-letters"];

/// Copies the data directory `from`, which may be in use, to `to`. Blocks.
pub fn backup(from: &Path, to: &Path) -> Result<Copied, BackupError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Io { path, source }
    };
    if !from.join("format").is_file() {
        return Err(BackupError::NotADataDirectory { path: from.to_owned() });
    }
    create_private_directory(to).map_err(failed(to))?;
    if fs::read_dir(to).map_err(failed(to))?.next().is_some() {
        return Err(BackupError::NotEmpty { path: to.to_owned() });
    }
    let mut copied = Copied::default();
    for topic in TOPICS {
        let (from, to) = (from.join(topic), to.join(topic));
        create_private_directory(&to).map_err(failed(&to))?;
        for name in names_in(&from).map_err(failed(&from))? {
            copied.add(copy(&from.join(&name), &to.join(&name)).map_err(failed(&from.join(name)))?);
        }
        sync_directory(&to).map_err(failed(&to))?;
    }
    let format = from.join("format");
    copied.add(copy(&format, &to.join("format")).map_err(failed(&format))?);
    sync_directory(to).map_err(failed(to))?;
    Ok(copied)
}

impl Copied {
    fn add(&mut self, bytes: Option<u64>) {
        self.files += u64::from(bytes.is_some());
        self.bytes += bytes.unwrap_or(0);
    }
}

/// The watermark first: one that is older than the segments beside it is harmless, a newer one reports a loss.
fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    let mut segments = Vec::new();
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string()
            && segment::parse_name(&name).is_some()
        {
            segments.push(name);
        }
    }
    segments.sort();
    Ok(std::iter::once("newest".to_owned()).chain(segments).collect())
}

/// `None`: retention removed the file meanwhile, or there is none.
fn copy(from: &Path, to: &Path) -> io::Result<Option<u64>> {
    let mut source = match File::open(from) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut target = File::create(to)?;
    target.set_permissions(source.metadata()?.permissions())?;
    let bytes = io::copy(&mut source, &mut target)?;
    target.sync_all()?;
    Ok(Some(bytes))
}

fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
