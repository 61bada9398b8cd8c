//! What is checked of a command before it is carried out, whoever wrote it.
//!
//! The arbiter keeps to all of this. A record on a shared log may be somebody else's: what it asks for is compared with
//! what this process has seen of the log.

use console::Projection;
use model::{Command, CommandId, CommandMode, is_same_version};
use prometheus::{IntCounterVec, Registry};

/// Why a command is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("its id is not that of attempt {attempt} at this release")]
    ForeignId { attempt: u32 },
    #[error("{version} is marked bad ({why})")]
    Bad { version: String, why: String },
    #[error("nothing on the log says that {version} was ever out here")]
    Unknown { version: String },
}

impl Unfit {
    /// A metric's label.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::ForeignId { .. } => "foreign_id",
            Self::Bad { .. } => "bad_version",
            Self::Unknown { .. } => "unknown_version",
        }
    }
}

/// Commands that were not carried out, by [`Unfit::reason`].
pub(crate) fn counter(registry: &Registry) -> anyhow::Result<IntCounterVec> {
    let help = "Commands of the decisions log that this process refused to carry out, by reason.";
    Ok(telemetry::metrics::counter(registry, "ripcord_refused_commands_total", help, &["reason"])?)
}

/// Compares a command with what is known.
pub(crate) fn vet(projection: &Projection, command: &Command) -> Result<(), Unfit> {
    let attempt = command.attempt;
    if command.id != CommandId::of(&command.release.id, command.verb.as_str(), attempt) {
        return Err(Unfit::ForeignId { attempt });
    }
    let Some(version) = &command.to_version else { return Ok(()) };
    let (key, cluster) = (&command.release.key, &command.release.cluster);
    let bad = projection.bad_versions().find(|line| {
        let is_here = line.key == *key && (line.cluster.is_none() || line.cluster == *cluster);
        is_here && is_same_version(&line.version, version)
    });
    if let Some(line) = bad {
        return Err(Unfit::Bad { version: version.clone(), why: line.why.clone() });
    }
    // A person may name a version that nobody has seen. What retention has taken may have been out.
    let must_be_known = command.mode == CommandMode::Immediate && projection.is_whole();
    if must_be_known && !was_out(projection, command, version) {
        return Err(Unfit::Unknown { version: version.clone() });
    }
    Ok(())
}

/// Whether the version is that of a release of the service, or what one of them replaced.
fn was_out(projection: &Projection, command: &Command, version: &str) -> bool {
    let own = projection.releases().map(|view| &view.release);
    own.filter(|release| release.key == command.release.key).any(|release| {
        let named = [Some(release.version.as_str()), release.previous_version.as_deref()];
        named.into_iter().flatten().any(|named| is_same_version(named, version))
    })
}

#[cfg(test)]
mod tests;
