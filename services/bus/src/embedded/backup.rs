//! A copy of a data directory, made while a process writes it.
//!
//! Segments only grow, and what stands behind the copied end is as a power cut leaves it: it is cut off when the copy
//! is opened. Decisions are copied before events, so that no decision in the copy is about an event that is not.
//! The checkpoint is copied before the decisions, so that it is not ahead of them. Snapshots stay behind: they only save
//! time. So does the operator's token, which is made anew.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use model::Partition;

use crate::embedded::{segment, snapshots::CHECKPOINTS, storage::create_private_directory};

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
    #[error(
        "{path} is no data directory of ripcord: it has no `format` file. A log on Kafka has none: it is kept by its \
         brokers' copies"
    )]
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
    let (checkpoints, to_checkpoints) = (from.join(CHECKPOINTS), to.join(CHECKPOINTS));
    create_private_directory(&to_checkpoints).map_err(failed(&to_checkpoints))?;
    let newest = Partition::HOME.to_string();
    let checkpoint = checkpoints.join(&newest);
    copied.add(copy(&checkpoint, &to_checkpoints.join(&newest)).map_err(failed(&checkpoint))?);
    sync_directory(&to_checkpoints).map_err(failed(&to_checkpoints))?;
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

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use model::{Position, Timestamp};

    use super::*;
    use crate::{
        EmbeddedConfig, NewRecord, TopicConfig,
        embedded::{Topic, open},
    };

    /// Segments of a few records, so that some begin while the copy is made.
    fn config(dir: &Path) -> EmbeddedConfig {
        let small = TopicConfig { segment_bytes: 500, ..TopicConfig::default() };
        EmbeddedConfig { events: small, decisions: small, ..EmbeddedConfig::new(dir) }
    }

    async fn append(topic: &Topic, n: u64) {
        topic.append(&NewRecord::new(Timestamp::from_millis(0), n.to_string())).await.unwrap();
    }

    /// Every record there is; each is the one that was written at its position.
    async fn count(topic: &Topic) -> u64 {
        let mut reader = topic.reader(Position(0));
        let mut count = 0;
        while let Some(record) = reader.next_before(topic.bounds().next).await.unwrap() {
            assert_eq!((record.position.0, record.missing_before), (count, 0));
            assert_eq!(record.payload, count.to_string());
            count += 1;
        }
        count
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_copy_made_under_load_opens_and_no_decision_in_it_is_about_an_event_that_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("data");
        let log = open(config(&from)).unwrap();
        let (events, decisions) = (log.events.clone(), log.decisions.clone());
        append(&events, 0).await;
        let stop = Arc::new(AtomicBool::new(false));
        let is_over = stop.clone();
        let writing = tokio::spawn(async move {
            let mut n = 0;
            while !is_over.load(Ordering::Relaxed) {
                append(&decisions, n).await;
                n += 1;
                append(&events, n).await;
            }
        });
        let mut before = 0;
        for round in 0..20 {
            let to = folder.path().join(format!("copy {round}"));
            let (source, target) = (from.clone(), to.clone());
            let copied =
                tokio::task::spawn_blocking(move || backup(&source, &target)).await.unwrap().unwrap();
            assert!(copied.files >= 3 && copied.bytes > 0, "{copied:?}");
            let copy = open(config(&to)).unwrap();
            let (events, decisions) = (count(&copy.events).await, count(&copy.decisions).await);
            assert!(decisions <= events, "round {round}: {decisions} decisions about {events} events");
            assert!(decisions >= before, "round {round}: what stood there before is in the copy");
            for topic in [&copy.events, &copy.decisions] {
                let corrupt = topic.statistics().corrupt_records;
                assert_eq!(corrupt, 0, "round {round}: nothing is missing from the middle");
            }
            append(&copy.events, events).await;
            before = log.decisions.bounds().next.0;
        }
        stop.store(true, Ordering::Relaxed);
        writing.await.unwrap();
        assert!(before > 20, "only {before} decisions were written meanwhile");
    }

    #[test]
    fn neither_a_folder_that_holds_something_nor_one_that_is_no_data_directory_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let (data, full, other) =
            (folder.path().join("data"), folder.path().join("full"), folder.path().join("other"));
        drop(open(config(&data)).unwrap());
        fs::create_dir_all(full.join("something")).unwrap();
        let refused = backup(&data, &full).unwrap_err();
        assert!(refused.to_string().contains("full is not empty"), "{refused}");
        assert_eq!(fs::read_dir(&full).unwrap().count(), 1, "nothing was copied");
        for from in [&full, &folder.path().join("nowhere")] {
            let refused = backup(from, &other).unwrap_err();
            assert!(refused.to_string().contains("is no data directory of ripcord"), "{refused}");
        }
        assert!(!other.exists(), "nothing was made");
        backup(&data, &other).unwrap();
        assert!(backup(&data, &other).is_err(), "a copy is not copied over");
        drop(open(config(&other)).unwrap());
    }
}
