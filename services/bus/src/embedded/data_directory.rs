//! The data directory as a whole: one process, one format.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::embedded::{
    OpenError,
    storage::{PRIVATE_FILE_MODE, create_private_directory},
};

/// Changes with everything that an older ripcord would read wrongly.
pub(crate) const FORMAT_VERSION: u32 = 2;

const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format";
const FORMAT_FILE_NEW: &str = "format.new";
const FORMAT_NAME: &str = "ripcord-log";

/// Held as long as anything may be written; the kernel lets go of it when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Makes the directory if needed, takes it for this process and checks its format.
pub(crate) fn open(dir: &Path) -> Result<Lock, OpenError> {
    create_private_directory(dir).map_err(OpenError::io("create", dir))?;
    let lock = lock(dir)?;
    check_format(dir)?;
    Ok(lock)
}

fn lock(dir: &Path) -> Result<Lock, OpenError> {
    let path = dir.join(LOCK_FILE);
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).mode(PRIVATE_FILE_MODE);
    let file = options.open(&path).map_err(OpenError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { what: "lock", path, source }),
    }
}

fn check_format(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join(FORMAT_FILE);
    let text = match fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(OpenError::Io { what: "read", path, source }),
    };
    match text.as_deref().map(parse_format) {
        Some(Some(FORMAT_VERSION)) => return Ok(()),
        Some(Some(found)) => {
            return Err(OpenError::Format { path: dir.to_owned(), found, supported: FORMAT_VERSION });
        }
        // Every frame's checksum covers the format's version: nothing can be read wrongly for want of this file.
        Some(None) => tracing::warn!(file = %path.display(), "damaged format file is written anew"),
        None => {}
    }
    write_format(dir).map_err(OpenError::io("write", path))
}

fn write_format(dir: &Path) -> io::Result<()> {
    let new = dir.join(FORMAT_FILE_NEW);
    let mut options = File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(PRIVATE_FILE_MODE).open(&new)?;
    file.write_all(format_text(FORMAT_VERSION).as_bytes())?;
    file.sync_all()?;
    fs::rename(new, dir.join(FORMAT_FILE))?;
    File::open(dir)?.sync_all()
}

/// `ripcord-log 1 <CRC-32 of what stands before>`; every version's file has this shape.
fn format_text(version: u32) -> String {
    let stated = format!("{FORMAT_NAME} {version}");
    format!("{stated} {:08x}\n", crc32fast::hash(stated.as_bytes()))
}

fn parse_format(bytes: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(bytes).ok()?;
    let version = text.strip_prefix(FORMAT_NAME)?.split_ascii_whitespace().next()?.parse().ok()?;
    (format_text(version) == text).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_refused_with_a_sentence_and_a_damaged_file_is_mended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FORMAT_FILE);
        drop(open(dir.path()).unwrap());
        for damaged in ["", "ripcord-log 3 00000000\n", "ripcord-log", "\u{0}\u{0}\u{0}"] {
            fs::write(&path, damaged).unwrap();
            drop(open(dir.path()).unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), format_text(FORMAT_VERSION), "{damaged:?}");
        }
        fs::write(&path, format_text(3)).unwrap();
        let refused = open(dir.path()).unwrap_err();
        assert!(!refused.is_retryable());
        assert_eq!(
            refused.to_string(),
            format!(
                "the log in {} has format 3 and this ripcord reads format 2: start the version that wrote \
                 it, or name another data directory",
                dir.path().display()
            )
        );
    }
}
