//! Which store for the log? The same records into each of them, one durable commit after another.

mod measure;
mod store;
mod table;

use std::path::PathBuf;

use anyhow::{Context, bail};
use bytes::Bytes;

use crate::{
    measure::{Figures, measure},
    store::{OurLog, Segments, fjall::Fjall, raft_engine::RaftEngine, redb::Redb, sqlite::Sqlite},
};

/// What one commit carries.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) record_bytes: usize,
    pub(crate) records: usize,
}

const SHAPES: [Shape; 4] = [
    Shape { record_bytes: 32 * 1024, records: 1 },
    Shape { record_bytes: 32 * 1024, records: 4 },
    Shape { record_bytes: 32 * 1024, records: 16 },
    Shape { record_bytes: 300, records: 64 },
];

type Measure = fn(&std::path::Path, Shape, usize) -> anyhow::Result<Figures>;

const STORES: [(&str, Measure); 6] = [
    ("segments", measure::<Segments>),
    ("bus", measure::<OurLog>),
    ("raft-engine", measure::<RaftEngine>),
    ("fjall", measure::<Fjall>),
    ("redb", measure::<Redb>),
    ("sqlite", measure::<Sqlite>),
];

fn main() -> anyhow::Result<()> {
    let (mut dir, mut rounds, mut commits) = (PathBuf::from("target/stores/data"), 3, 400);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--dir" => dir = PathBuf::from(value),
            "--rounds" => rounds = value.parse()?,
            "--commits" => commits = value.parse()?,
            _ => bail!("usage: stores [--dir DIR] [--rounds N] [--commits N]"),
        }
    }
    // Rounds lie outermost, so that a slow minute of the machine falls on every store alike.
    let mut figures = vec![vec![Vec::new(); STORES.len()]; SHAPES.len()];
    for round in 1..=rounds {
        for (of_shape, shape) in figures.iter_mut().zip(SHAPES) {
            for (of_store, (name, measure)) in of_shape.iter_mut().zip(STORES) {
                eprintln!(
                    "round {round} of {rounds}: {name}, {} x {} bytes",
                    shape.records, shape.record_bytes
                );
                let place = dir.join(name);
                if place.exists() {
                    std::fs::remove_dir_all(&place)?;
                }
                std::fs::create_dir_all(&place)?;
                of_store.push(measure(&place, shape, commits).with_context(|| name.to_owned())?);
                std::fs::remove_dir_all(&place)?;
            }
        }
    }
    println!(
        "Medians of {rounds} rounds of {commits} commits each; segments is a plain file with fdatasync.\n"
    );
    table::print(&SHAPES, &STORES.map(|(name, _)| name), &figures);
    Ok(())
}

/// Records that no store can compress, of which each commit takes the next ones.
pub(crate) fn records(shape: Shape) -> Vec<Bytes> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let record =
        |_| (0..shape.record_bytes / 4).flat_map(|_| next().to_le_bytes().into_iter().take(4)).collect();
    (0..1024).map(record).collect()
}
