//! Compiles the log's schemas with protox, so that no `protoc` is needed.

use std::{error::Error, fs, path::PathBuf};

const SCHEMA_ROOT: &str = "schema";
const PACKAGE_DIR: &str = "schema/ripcord/v1";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={SCHEMA_ROOT}");
    let mut files = Vec::<PathBuf>::new();
    for entry in fs::read_dir(PACKAGE_DIR)? {
        files.push(entry?.path());
    }
    files.sort();
    prost_build::Config::new()
        // Maps in order of keys: the same record always gives the same bytes.
        .btree_map(["."])
        // The sender's body is the bulk of the log and is handed on without a copy.
        .bytes([".ripcord.v1.Telemetry.body"])
        .compile_fds(protox::compile(&files, [SCHEMA_ROOT])?)?;
    Ok(())
}
