//! The least a log can be: frames with a checksum in files of 64 MiB, and one fdatasync a commit.

use std::{
    fs::{File, OpenOptions, read_dir},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::ensure;
use bytes::Bytes;

use super::Store;

const SEGMENT_BYTES: usize = 64 << 20;
const HEAD: usize = 8;

pub(crate) struct Segments {
    dir: PathBuf,
    count: usize,
    active: File,
    size: usize,
    buffer: Vec<u8>,
}

impl Segments {
    fn files(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
        files.sort();
        Ok(files)
    }
}

fn create(dir: &Path, number: usize) -> anyhow::Result<File> {
    let file = OpenOptions::new().append(true).create_new(true).open(dir.join(format!("{number:08}.log")))?;
    File::open(dir)?.sync_all()?;
    Ok(file)
}

impl Store for Segments {
    fn open(dir: &Path) -> anyhow::Result<Self> {
        let count = Self::files(dir)?.len();
        let active = create(dir, count)?;
        Ok(Self { dir: dir.to_owned(), count: count + 1, active, size: 0, buffer: Vec::new() })
    }

    fn commit(&mut self, records: &[Bytes]) -> anyhow::Result<()> {
        if self.size >= SEGMENT_BYTES {
            self.active = create(&self.dir, self.count)?;
            (self.count, self.size) = (self.count + 1, 0);
        }
        self.buffer.clear();
        for record in records {
            self.buffer.extend((record.len() as u32).to_le_bytes());
            self.buffer.extend(crc32fast::hash(record).to_le_bytes());
            self.buffer.extend(record);
        }
        self.active.write_all(&self.buffer)?;
        self.active.sync_data()?;
        self.size += self.buffer.len();
        Ok(())
    }

    fn read_all(&mut self, take: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        for file in Self::files(&self.dir)? {
            let content = std::fs::read(file)?;
            let mut rest = content.as_slice();
            while let Some((head, after)) = rest.split_first_chunk::<HEAD>() {
                let (length, checksum) = head.split_at(4);
                let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                let (record, after) = after.split_at(number(length) as usize);
                ensure!(crc32fast::hash(record) == number(checksum), "a record is damaged");
                take(record);
                rest = after;
            }
        }
        Ok(())
    }

    fn close(self) -> anyhow::Result<()> {
        Ok(())
    }
}
