//! One store, one shape of commit: what it costs to write, and to open and read all back.

#![allow(clippy::disallowed_methods, reason = "times are what is measured here")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use nix::sys::resource::{UsageWho, getrusage};

use crate::{Shape, records, store::Store};

#[derive(Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) cpu_us_per_record: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) mib_per_second: f64,
    pub(crate) written_per_byte: f64,
    /// From the first commit until the store is closed again with `FILL_BYTES` and more in it: what it writes a
    /// second time later counts here.
    pub(crate) lifetime_written_per_byte: f64,
    pub(crate) read_seconds_per_gb: f64,
}

/// Reading is measured on this much at least, so that every store has long left its buffers.
const FILL_BYTES: usize = 256 << 20;
const FILL_COMMIT_BYTES: usize = 4 << 20;

pub(crate) fn measure<S: Store>(place: &Path, shape: Shape, commits: usize) -> anyhow::Result<Figures> {
    let records = records(shape);
    let mut pool = records.iter().cloned().cycle();
    let mut batch = |count: usize| pool.by_ref().take(count).collect::<Vec<_>>();
    let mut store = S::open(place)?;
    store.commit(&batch(shape.records))?;

    let mut times = Vec::with_capacity(commits);
    let (written_before, cpu_before, began) = (written_bytes()?, cpu_time()?, Instant::now());
    for _ in 0..commits {
        let batch = batch(shape.records);
        let began = Instant::now();
        store.commit(&batch)?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_time()? - cpu_before);
    let written = written_bytes()? - written_before;
    times.sort_by(f64::total_cmp);
    let measured = commits * shape.records;
    let measured_bytes = (measured * shape.record_bytes) as f64;

    let mut count = measured + shape.records;
    let per_commit = FILL_COMMIT_BYTES / shape.record_bytes;
    while count * shape.record_bytes < FILL_BYTES {
        store.commit(&batch(per_commit))?;
        count += per_commit;
    }
    store.close()?;
    let bytes = count * shape.record_bytes;
    let lifetime_written = written_bytes()? - written_before;

    let began = Instant::now();
    let mut store = S::open(place)?;
    let (mut seen, mut seen_bytes) = (0, 0);
    store.read_all(&mut |record| {
        seen += 1;
        seen_bytes += record.len();
    })?;
    let read_seconds = began.elapsed().as_secs_f64();
    store.close()?;
    ensure!(
        (seen, seen_bytes) == (count, bytes),
        "{seen} of {count} records read, {seen_bytes} of {bytes} bytes"
    );

    Ok(Figures {
        cpu_us_per_record: cpu.as_secs_f64() * 1e6 / measured as f64,
        p50_ms: times[times.len() / 2],
        p99_ms: times[times.len() * 99 / 100],
        mib_per_second: measured_bytes / seconds / f64::from(1 << 20),
        written_per_byte: written as f64 / measured_bytes,
        lifetime_written_per_byte: lifetime_written as f64 / bytes as f64,
        read_seconds_per_gb: read_seconds / (bytes as f64 / 1e9),
    })
}

fn cpu_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let duration = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec() as u64, 0) + Duration::from_micros(time.tv_usec() as u64)
    };
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn written_bytes() -> anyhow::Result<u64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).context("no write_bytes")?;
    Ok(line.parse()?)
}
