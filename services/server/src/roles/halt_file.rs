//! The `HALT` file: the brake that needs neither API nor log. Every send looks at it itself; this role only
//! makes its presence a halt that is shown and told.

use std::{path::PathBuf, time::Duration};

use model::{Actor, EventBody, Halt, HaltId, HaltScope, Timestamp, Verb, VerbKind};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::writer::EventWriter;

const PERIOD: Duration = Duration::from_secs(1);

/// Name of the file in the data directory.
pub(crate) const FILE_NAME: &str = "HALT";

/// The halt in force while the file exists.
fn halt_id() -> HaltId {
    HaltId::from_text("hlt_file")
}

/// Watches the file until told to stop; `is_shown`: whether the projection shows its halt.
pub(crate) async fn run(
    path: PathBuf,
    writer: EventWriter,
    is_shown: impl Fn(&HaltId) -> bool + Send,
    stop: CancellationToken,
) {
    let mut interval = tokio::time::interval(PERIOD);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = is_shown(&halt_id());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        let exists = path.exists();
        if exists == told {
            continue;
        }
        writer.append_surely("halt file", EventBody::Verb(Box::new(verb(exists))), &stop).await;
        told = exists;
    }
}

fn verb(exists: bool) -> Verb {
    let kind = if exists {
        VerbKind::Halt(Halt {
            id: halt_id(),
            scope: HaltScope::All,
            reason: "the HALT file exists in the data directory; delete it to go on".to_owned(),
            until: Timestamp::from_millis(FAR_FUTURE_MS),
            by: "HALT file".to_owned(),
        })
    } else {
        VerbKind::Unhalt { id: halt_id() }
    };
    let actor = Actor { name: "HALT file".to_owned(), via: "file".to_owned(), address: String::new() };
    Verb { kind, actor, comment: String::new() }
}

/// 9999-12-31: the file ends the halt, not the clock.
const FAR_FUTURE_MS: i64 = 253_402_214_400_000;
