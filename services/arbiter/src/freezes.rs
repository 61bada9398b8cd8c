//! Freezes: times in which less is done automatically.

use jiff::{
    civil::DateTime,
    tz::{TimeZone, TimeZoneDatabase},
};
use model::{Release, Timestamp};
use policy::{Freeze, FreezeEffect, Match, Policy, TimeInterval, TimeSpecification};

/// What the strictest freeze in force at `now` does to a rollback of `release`.
pub(crate) fn rollback_effect(policy: &Policy, release: &Release, now: Timestamp) -> FreezeEffect {
    let in_force = |freeze: &&Freeze| {
        covers(&freeze.matching, release)
            && (freeze.time_intervals.is_empty()
                || freeze.time_intervals.iter().any(|name| holds(policy.time_intervals.get(name), now)))
    };
    let effects = policy.freezes.iter().filter(in_force).map(|freeze| freeze.rollback);
    effects.max_by_key(|effect| strictness(*effect)).unwrap_or(FreezeEffect::Allow)
}

fn strictness(effect: FreezeEffect) -> u8 {
    match effect {
        FreezeEffect::Allow => 0,
        FreezeEffect::Approve => 1,
        FreezeEffect::Deny => 2,
    }
}

fn covers(matching: &Match, release: &Release) -> bool {
    let key = &release.key;
    matching.covers_release(&key.service, &key.environment, release.cluster.as_deref())
}

/// An interval that nobody defined holds always: a misspelt name must not thaw a freeze.
fn holds(interval: Option<&TimeInterval>, now: Timestamp) -> bool {
    interval.is_none_or(|interval| interval.specifications.iter().any(|part| part_holds(part, now)))
}

fn part_holds(part: &TimeSpecification, now: Timestamp) -> bool {
    // A moment outside the calendar, or a zone that the database lacks, leaves the freeze in force.
    let Some(local) = local_time(part.location.as_deref(), now) else { return true };
    let date = local.date();
    let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
    let weekday = i32::from(date.weekday().to_sunday_zero_offset());
    let days_in_month = i32::from(date.days_in_month());
    let day_of_month = |day: i8| if day < 0 { days_in_month + 1 + i32::from(day) } else { i32::from(day) };
    any_of(&part.times, |(start, end)| (i32::from(start)..i32::from(end)).contains(&minute))
        && any_of(&part.weekdays, |(first, last)| within(first, weekday, last))
        && any_of(&part.days_of_month, |(first, last)| {
            (day_of_month(first)..=day_of_month(last)).contains(&i32::from(date.day()))
        })
        && any_of(&part.months, |(first, last)| within(first, date.month().into(), last))
        && any_of(&part.years, |(first, last)| within(first, date.year().into(), last))
}

fn within(first: impl Into<i32>, value: i32, last: impl Into<i32>) -> bool {
    (first.into()..=last.into()).contains(&value)
}

/// A field that says nothing holds always.
fn any_of<T: Copy>(ranges: &[T], holds: impl Fn(T) -> bool) -> bool {
    ranges.is_empty() || ranges.iter().any(|range| holds(*range))
}

/// Zones come from the database compiled in, so that no machine decides otherwise than its neighbour.
fn local_time(location: Option<&str>, now: Timestamp) -> Option<DateTime> {
    let zone = match location {
        None => TimeZone::UTC,
        Some(name) => TimeZoneDatabase::bundled().get(name).ok()?,
    };
    let instant = jiff::Timestamp::from_millisecond(now.as_millis()).ok()?;
    Some(zone.to_datetime(instant))
}

#[cfg(test)]
mod tests {
    use model::ServiceKey;
    use policy::Pattern;

    use super::*;

    /// Monday, 2026-11-23T10:00Z.
    const NOW: Timestamp = Timestamp::from_millis(1_795_428_000_000);

    fn effect(freezes: &[(&str, Option<TimeSpecification>, FreezeEffect)]) -> FreezeEffect {
        let mut policy = Policy::default_policy();
        for (number, (matching, part, rollback)) in freezes.iter().enumerate() {
            let name = number.to_string();
            let pairs = matching.split(',').filter_map(|pair| pair.split_once('='));
            let of = |label: &str| {
                let found = pairs.clone().find(|(name, _)| *name == label);
                found.map(|(_, value)| Pattern::literal(value))
            };
            policy.freezes.push(Freeze {
                place: None,
                matching: Match {
                    service: of("service"),
                    environment: of("environment"),
                    cluster: of("cluster"),
                },
                time_intervals: part.iter().map(|_| name.clone()).collect(),
                promote: FreezeEffect::Allow,
                rollback: *rollback,
            });
            if let Some(part) = part {
                policy.time_intervals.insert(name, TimeInterval { specifications: vec![part.clone()] });
            }
        }
        let key = ServiceKey::new("checkout", "production");
        rollback_effect(&policy, &Release { key, cluster: Some("eu-1".into()), ..Release::default() }, NOW)
    }

    #[test]
    fn a_freeze_holds() {
        use FreezeEffect::{Allow, Approve, Deny};
        let part = |change: &dyn Fn(&mut TimeSpecification)| {
            let mut part = TimeSpecification::default();
            change(&mut part);
            Some(part)
        };
        for (why, freezes, expected) in [
            ("nowhere where none is written", vec![], Allow),
            ("always where no interval is named", vec![("", None, Approve)], Approve),
            ("the strictest wins", vec![("", None, Deny), ("", None, Approve)], Deny),
            ("for what it matches", vec![("environment=production,cluster=eu-1", None, Deny)], Deny),
            (
                "not for others",
                vec![("environment=staging", None, Deny), ("cluster=us-1", None, Deny)],
                Allow,
            ),
            ("on its weekdays", vec![("", part(&|it| it.weekdays = vec![(1, 5)]), Deny)], Deny),
            ("not on others", vec![("", part(&|it| it.weekdays = vec![(0, 0), (6, 6)]), Deny)], Allow),
            (
                "before its end, which is exclusive",
                vec![("", part(&|it| it.times = vec![(540, 600)]), Deny)],
                Allow,
            ),
            ("from its start on", vec![("", part(&|it| it.times = vec![(600, 601)]), Deny)], Deny),
            (
                "in the last days of a month",
                vec![("", part(&|it| it.days_of_month = vec![(-8, -1)]), Deny)],
                Deny,
            ),
            ("not before them", vec![("", part(&|it| it.days_of_month = vec![(-7, -1)]), Deny)], Allow),
            (
                "in its months and years",
                vec![(
                    "",
                    part(&|it| {
                        it.months = vec![(11, 12)];
                        it.years = vec![(2026, 2026)]
                    }),
                    Deny,
                )],
                Deny,
            ),
            (
                "not in another year",
                vec![(
                    "",
                    part(&|it| {
                        it.months = vec![(11, 12)];
                        it.years = vec![(2027, 2027)]
                    }),
                    Deny,
                )],
                Allow,
            ),
            (
                "by its own clock: 11:00 in Berlin",
                vec![(
                    "",
                    part(&|it| {
                        it.times = vec![(660, 661)];
                        it.location = Some("Europe/Berlin".into())
                    }),
                    Deny,
                )],
                Deny,
            ),
            (
                "always where the zone does not exist",
                vec![(
                    "",
                    part(&|it| {
                        it.times = vec![(0, 1)];
                        it.location = Some("Mars/Olympus".into())
                    }),
                    Deny,
                )],
                Deny,
            ),
        ] {
            assert_eq!(effect(&freezes), expected, "{why}");
        }
    }

    #[test]
    fn a_freeze_whose_interval_nobody_defined_holds() {
        let mut policy = Policy::default_policy();
        policy.freezes.push(Freeze {
            place: None,
            matching: Match::new(),
            time_intervals: vec!["black-firday".into()],
            promote: FreezeEffect::Deny,
            rollback: FreezeEffect::Approve,
        });
        assert_eq!(rollback_effect(&policy, &Release::default(), NOW), FreezeEffect::Approve);
    }
}
