//! `ripcord backup`: a copy of the data directory that a server can be started on.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::output;
use crate::config;

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
    match bus::backup(&data_dir, &args.to) {
        Ok(copied) => {
            let (files, bytes, to) = (copied.files, copied.bytes, args.to.display());
            output::line(&format!("{files} files, {bytes} bytes copied to {to}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            output::error(&format!("ripcord: {error}"));
            ExitCode::FAILURE
        }
    }
}
