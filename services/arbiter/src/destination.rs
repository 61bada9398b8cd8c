//! Where a rollback goes to: a version by content, never by "previous".

use std::cmp::Ordering;

use model::{ReleaseState, is_invisible, is_same_version};

use crate::{
    bad::BadVersions,
    releases::{Place, Record, Releases},
    version,
};

/// A version that a rollback may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) version: String,
    pub(crate) digest: Option<String>,
}

/// What a person says of where to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'a> {
    pub(crate) version: Option<&'a str>,
    /// Also where the version was never seen out.
    pub(crate) force: bool,
}

/// Who says where to: a person may name a version of which Ripcord does not know whether it is older than the
/// floor, Ripcord itself may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NamedBy {
    Ripcord,
    Person,
}

/// The release's `previous_version` if given, else the newest version that ended succeeded in its place; the
/// next older one where that may not be a target; else the one other version that telemetry showed running before.
/// Otherwise why there is none. Whether a rollback may go there unasked is [`doubt`]'s.
pub(crate) fn choose(releases: &Releases, bad: &BadVersions, record: &Record) -> Result<Destination, String> {
    let release = &record.release;
    let previous = release.previous_version.as_deref().filter(|_| !release.previous_is_guess);
    let seen = release.previous_version.as_deref();
    let seen = seen.filter(|_| release.previous_is_guess && !release.previous_is_unseen);
    let candidates = previous.into_iter().chain(releases.succeeded_before(record)).chain(seen);
    let mut refusals: Vec<String> = Vec::new();
    for candidate in candidates {
        match allow(releases, bad, record, candidate, NamedBy::Ripcord) {
            Ok(destination) => return Ok(destination),
            Err(why) if refusals.contains(&why) => {}
            Err(why) => refusals.push(why),
        }
    }
    if refusals.is_empty() {
        return Err("no earlier version is known to have succeeded".to_owned());
    }
    Err(format!("no version to go back to: {}", refusals.join(", ")))
}

/// Why a rollback does not go to `version` without being asked; `None` if it may.
pub(crate) fn doubt(releases: &Releases, record: &Record, version: &str) -> Option<String> {
    let release = &record.release;
    let is_previous = release.previous_version.as_deref().is_some_and(|it| is_same_version(it, version));
    let succeeded = releases.succeeded_before(record);
    if !is_previous || succeeded.iter().any(|it| is_same_version(it, version)) {
        return None;
    }
    if release.previous_is_guess {
        return Some(format!(
            "{version} ran before by the telemetry, but the release does not name it and it has not succeeded here"
        ));
    }
    // A word that comes when the release is out already, and perhaps failing, chooses where the rollback goes.
    if record.is_previous_late && !went_out_before(releases, record, version) {
        return Some(format!(
            "{version} was named as the version before only when the release was out, and was not seen out here"
        ));
    }
    release.previous_is_unseen.then(|| {
        format!("{version} is named as the version before, but the telemetry showed only others running here")
    })
}

/// Whether a version that a person named may be a target of a rollback of this release.
pub(crate) fn allow_named(
    releases: &Releases,
    bad: &BadVersions,
    record: &Record,
    version: &str,
    force: bool,
) -> Result<Destination, String> {
    let destination = allow(releases, bad, record, version, NamedBy::Person)?;
    if !force && !was_out(releases, record, version) {
        return Err(format!(
            "{version} was never seen out as {} in {}: check its spelling, or force it (--force)",
            record.release.key.service, record.release.key.environment
        ));
    }
    Ok(destination)
}

/// Whether a release of the version went out here before the one to be rolled back.
fn went_out_before(releases: &Releases, record: &Record, version: &str) -> bool {
    let mut older = releases.history(&Place::of(&record.release)).filter(|it| it.order() < record.order());
    older.any(|it| {
        let went_out = !matches!(it.release.state, ReleaseState::Pending | ReleaseState::Cancelled);
        went_out && is_same_version(&it.release.version, version)
    })
}

/// Whether a version went out here, or ran before the release: a name that was only ever written in an order may be
/// a typing error.
fn was_out(releases: &Releases, record: &Record, version: &str) -> bool {
    let was_out = |it: &Record| {
        let went_out = !matches!(it.release.state, ReleaseState::Pending | ReleaseState::Cancelled);
        is_same_version(&it.release.version, version) && went_out
            || it.release.previous_version.as_deref().is_some_and(|it| is_same_version(it, version))
    };
    releases.history(&Place::of(&record.release)).any(was_out)
}

fn allow(
    releases: &Releases,
    bad: &BadVersions,
    record: &Record,
    version: &str,
    named_by: NamedBy,
) -> Result<Destination, String> {
    let release = &record.release;
    let place = Place::of(release);
    let digest = releases.digest_of(&place, version).map(str::to_owned);
    if version.is_empty() {
        return Err("a version needs a name".to_owned());
    }
    // Announced names are checked when they come in; those that telemetry shows are not.
    if version.chars().any(is_invisible) || version.starts_with('-') {
        return Err(format!("{version:?} is a name that no target is given"));
    }
    if is_same_version(version, &release.version) {
        return Err(format!("{version} is the version to be rolled back"));
    }
    let own_digest = release.artifact.as_ref().and_then(|artifact| artifact.digest.as_ref());
    if digest.is_some() && digest.as_ref() == own_digest {
        return Err(format!("{version} is the same artifact as {}", release.version));
    }
    if let Some(bad) = bad.find(&release.key, version, digest.as_deref()) {
        return Err(format!("{version} is marked bad ({})", bad.why));
    }
    if let Some(floor) = release.rollback_floor.as_deref() {
        match age(releases, &place, version, floor) {
            Some(Ordering::Less) => {
                return Err(format!("{version} is older than the rollback floor {floor}"));
            }
            None if named_by == NamedBy::Ripcord => {
                return Err(format!(
                    "it is not known whether {version} is older than the rollback floor {floor}"
                ));
            }
            _ => {}
        }
    }
    Ok(Destination { version: version.to_owned(), digest })
}

/// Semantic versions are compared as such; others by the order in which they went out here, if both did.
fn age(releases: &Releases, place: &Place, version: &str, floor: &str) -> Option<Ordering> {
    if is_same_version(version, floor) {
        return Some(Ordering::Equal);
    }
    version::compare(version, floor).or_else(|| {
        let (version, floor) =
            (releases.newest_of_version(place, version)?, releases.newest_of_version(place, floor)?);
        Some(version.cmp(&floor))
    })
}

#[cfg(test)]
mod tests {
    use model::{Artifact, Release, ReleaseId, ReleaseState, ServiceKey, Timestamp};

    use super::*;
    use model::BadVersion;

    struct Case {
        why: &'static str,
        /// Versions that went out before, oldest first; `!` ended superseded instead of succeeded, `@` a digest.
        history: &'static [&'static str],
        bad: &'static [&'static str],
        previous: Option<&'static str>,
        is_guess: bool,
        floor: Option<&'static str>,
        expected: Result<&'static str, &'static str>,
    }

    const NOTHING: Case = Case {
        why: "",
        history: &[],
        bad: &[],
        previous: None,
        is_guess: false,
        floor: None,
        expected: Err(""),
    };

    fn release(text: &str) -> Release {
        let state = if text.contains('!') { ReleaseState::Superseded } else { ReleaseState::Succeeded };
        let (version, digest) =
            text.trim_end_matches('!').split_once('@').unwrap_or((text.trim_end_matches('!'), ""));
        let digest = (!digest.is_empty()).then(|| digest.to_owned());
        Release {
            id: ReleaseId::of("checkout", "production", "", version, ""),
            key: ServiceKey::new("checkout", "production"),
            version: version.into(),
            artifact: digest.map(|digest| Artifact { reference: String::new(), digest: Some(digest) }),
            state,
            ..Release::default()
        }
    }

    #[test]
    fn a_rollback_goes_unasked_only_to_what_was_seen_out() {
        for (succeeded, previous, is_guess, is_unseen, may_go, why) in [
            (None, "1.1.0", false, false, true, "named, and nothing speaks against it"),
            (None, "1.1.0", false, true, false, "named, and others ran before by the telemetry"),
            (
                Some("v1.1.0"),
                "1.1.0",
                false,
                true,
                true,
                "named, and it succeeded here under another spelling",
            ),
            (None, "1.1.0", true, false, false, "not named: it only ran"),
            (Some("1.1.0"), "1.1.0", true, false, true, "not named, but it succeeded here"),
        ] {
            let mut releases = Releases::default();
            succeeded.into_iter().for_each(|version| drop(releases.upsert(&release(version))));
            let subject = Release {
                previous_version: Some(previous.to_owned()),
                previous_is_guess: is_guess,
                previous_is_unseen: is_unseen,
                state: ReleaseState::Watching,
                ..release("2.0.0")
            };
            releases.upsert(&subject);
            let doubt = doubt(&releases, releases.get(&subject.id).unwrap(), previous);
            assert_eq!(doubt.is_none(), may_go, "{why}: {doubt:?}");
        }
    }

    #[test]
    fn a_version_that_is_named_when_the_release_is_out_already_is_a_target_only_if_it_went_out() {
        for (earlier, first, before, may_go, why) in [
            (None, ReleaseState::Watching, None, false, "never heard of"),
            (Some("6.6.6"), ReleaseState::Watching, None, true, "it went out here, and succeeded"),
            (Some("6.6.6!"), ReleaseState::Watching, None, true, "it went out here, and was replaced"),
            (None, ReleaseState::Pending, None, true, "named before the release was out"),
            (None, ReleaseState::Watching, Some("6.6.6"), true, "telemetry had shown it already"),
        ] {
            let mut releases = Releases::default();
            earlier.into_iter().for_each(|version| drop(releases.upsert(&release(version))));
            let opened = Release {
                previous_version: before.map(str::to_owned),
                previous_is_guess: true,
                state: first,
                started_at: Timestamp::from_millis(1),
                ..release("2.0.0")
            };
            releases.upsert(&opened);
            let named = Release {
                previous_version: Some("6.6.6".to_owned()),
                previous_is_guess: false,
                state: ReleaseState::Watching,
                ..opened
            };
            releases.upsert(&named);
            let doubt = doubt(&releases, releases.get(&named.id).unwrap(), "6.6.6");
            assert_eq!(doubt.is_none(), may_go, "{why}: {doubt:?}");
        }
    }

    #[test]
    fn a_rollback_goes_to() {
        let known = "no earlier version is known to have succeeded";
        for case in [
            Case {
                why: "the version that the release names",
                history: &["1.0.0"],
                previous: Some("1.1.0"),
                expected: Ok("1.1.0"),
                ..NOTHING
            },
            Case {
                why: "one that succeeded, before one that only ran",
                history: &["1.0.0"],
                previous: Some("1.1.0"),
                is_guess: true,
                expected: Ok("1.0.0"),
                ..NOTHING
            },
            Case {
                why: "else the newest that succeeded",
                history: &["1.0.0", "1.1.0"],
                expected: Ok("1.1.0"),
                ..NOTHING
            },
            Case {
                why: "not one that was superseded before its watch ended",
                history: &["1.0.0", "1.1.0!"],
                expected: Ok("1.0.0"),
                ..NOTHING
            },
            Case {
                why: "the next older where the named one is bad",
                history: &["1.0.0"],
                bad: &["1.1.0"],
                previous: Some("1.1.0"),
                expected: Ok("1.0.0"),
                ..NOTHING
            },
            Case {
                why: "with the digest that is known of it",
                history: &["1.0.0@sha256:a"],
                expected: Ok("1.0.0@sha256:a"),
                ..NOTHING
            },
            Case {
                why: "never to what is bad by content",
                history: &["0.9.0", "1.0.0@sha256:bad"],
                bad: &["0.8.0@sha256:bad"],
                expected: Ok("0.9.0"),
                ..NOTHING
            },
            Case {
                why: "never to a name that telemetry shows and nobody could have announced",
                previous: Some("1.1.0\u{200b}"),
                is_guess: true,
                expected: Err(
                    "no version to go back to: \"1.1.0\\u{200b}\" is a name that no target is given",
                ),
                ..NOTHING
            },
            Case {
                why: "nor to one that a program would take for an option",
                history: &["1.0.0"],
                previous: Some("--version"),
                is_guess: true,
                expected: Ok("1.0.0"),
                ..NOTHING
            },
            Case {
                why: "never to itself, even where the release says so",
                previous: Some("2.0.0"),
                expected: Err("no version to go back to: 2.0.0 is the version to be rolled back"),
                ..NOTHING
            },
            Case {
                why: "never to the same artifact under another name",
                history: &["1.0.0@sha256:own"],
                expected: Err("no version to go back to: 1.0.0 is the same artifact as 2.0.0"),
                ..NOTHING
            },
            Case {
                why: "nowhere where nothing succeeded",
                history: &["1.0.0!"],
                expected: Err(known),
                ..NOTHING
            },
            Case {
                why: "to the one that ran, where none succeeded",
                previous: Some("1.1.0"),
                is_guess: true,
                expected: Ok("1.1.0"),
                ..NOTHING
            },
            Case {
                why: "to the one that the release names, however soon it was replaced",
                history: &["1.0.0", "1.1.0!"],
                previous: Some("1.1.0"),
                expected: Ok("1.1.0"),
                ..NOTHING
            },
            Case {
                why: "but to one that had succeeded before",
                history: &["1.0.0", "0.9.0", "1.0.0-2!"],
                previous: Some("1.0.0"),
                expected: Ok("1.0.0"),
                ..NOTHING
            },
            Case {
                why: "nowhere below the floor",
                history: &["1.0.0"],
                floor: Some("1.1.0"),
                expected: Err("no version to go back to: 1.0.0 is older than the rollback floor 1.1.0"),
                ..NOTHING
            },
            Case {
                why: "to the floor itself",
                history: &["1.0.0"],
                floor: Some("1.0.0"),
                expected: Ok("1.0.0"),
                ..NOTHING
            },
            Case {
                why: "by the order of going out where versions are no numbers",
                history: &["aaa", "bbb"],
                previous: Some("aaa"),
                floor: Some("bbb"),
                expected: Ok("bbb"),
                ..NOTHING
            },
            Case {
                why: "nowhere where the order is not known",
                previous: Some("aaa"),
                floor: Some("bbb"),
                expected: Err(
                    "no version to go back to: it is not known whether aaa is older than the rollback floor bbb",
                ),
                ..NOTHING
            },
        ] {
            let (mut releases, mut bad) = (Releases::default(), BadVersions::default());
            for version in case.history {
                releases.upsert(&release(version));
            }
            for version in case.bad {
                let release = release(version);
                bad.mark(BadVersion {
                    key: release.key,
                    cluster: None,
                    version: release.version,
                    digest: release.artifact.and_then(|artifact| artifact.digest),
                    why: String::new(),
                    since: Timestamp::default(),
                });
            }
            let subject = Release {
                previous_version: case.previous.map(str::to_owned),
                previous_is_guess: case.is_guess,
                rollback_floor: case.floor.map(str::to_owned),
                state: ReleaseState::Watching,
                ..release("2.0.0@sha256:own")
            };
            releases.upsert(&subject);
            let chosen = choose(&releases, &bad, releases.get(&subject.id).unwrap()).map(|destination| {
                let digest = destination.digest.map(|digest| format!("@{digest}")).unwrap_or_default();
                format!("{}{digest}", destination.version)
            });
            assert_eq!(chosen, case.expected.map(str::to_owned).map_err(str::to_owned), "{}", case.why);
        }
    }
}
