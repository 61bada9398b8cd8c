//! `ripcord backup`: a copy of the data directory that a server can be started on.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;

use super::output;
use crate::{config, roles::halt_file};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// The folder to copy to; made here, or empty.
    to: PathBuf,
    /// The server's data directory; otherwise what --config says, else ./data.
    #[arg(long, env = "RIPCORD_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// The server's configuration.
    #[arg(long, env = "RIPCORD_CONFIG")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &BackupArgs) -> ExitCode {
    let data_dir = match &args.data_dir {
        Some(data_dir) => data_dir.clone(),
        None => match config::place(args.config.as_deref()) {
            Ok(place) => place.data_dir,
            Err(errors) => {
                output::error(&errors.to_string());
                return ExitCode::from(super::serve::EXIT_CONFIG);
            }
        },
    };
    let copied = bus::backup(&data_dir, &args.to)
        .map_err(anyhow::Error::new)
        .and_then(|copied| copy_halt_file(&data_dir, &args.to).map(|()| copied));
    match copied {
        Ok(copied) => {
            let (files, bytes, to) = (copied.files, copied.bytes, args.to.display());
            output::line(&format!("{files} files, {bytes} bytes copied to {to}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::error(&format!("ripcord: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// A brake that is on stays on: a server on the copy would take the file's absence for its end.
fn copy_halt_file(from: &Path, to: &Path) -> anyhow::Result<()> {
    let file = from.join(halt_file::FILE_NAME);
    match std::fs::copy(&file, to.join(halt_file::FILE_NAME)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be copied", file.display())),
    }
}
