//! `defaults` and `storm`.

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    Attribution, Defaults, Neighbours, ReleaseOwners, Storm,
    yaml::{Node, Reader, parse_duration},
};

/// The longest any of these times may be: beyond a week a guess at what was meant is better than obedience.
const WEEK: Duration = Duration::from_secs(7 * 86_400);
const HOUR: Duration = Duration::from_secs(3600);
/// Two rises further apart than this have hardly one cause, and what ended is not remembered for longer.
const ATTRIBUTION_WITHIN_MAX: Duration = Duration::from_secs(600);
/// The most requests that a trigger may ask for.
pub(super) const REQUESTS: RangeInclusive<u64> = 1..=1_000_000_000;

pub(super) fn read(root: &mut Reader<'_, '_>) -> Defaults {
    let mut defaults = Defaults::default();
    let Some(mut reader) = root.mapping("defaults") else { return defaults };
    let watch = read_watch(&mut reader);
    defaults.watch = watch.time.unwrap_or(defaults.watch);
    defaults.watch_max = watch.max.unwrap_or(defaults.watch_max.max(defaults.watch));
    let second = Duration::from_secs(1);
    for (key, bounds, value) in [
        ("warmup", Duration::ZERO..=24 * HOUR, &mut defaults.warmup),
        ("settle", Duration::ZERO..=HOUR / 6, &mut defaults.settle),
        ("late", Duration::ZERO..=HOUR, &mut defaults.late),
        ("max_decision_age", second..=24 * HOUR, &mut defaults.max_decision_age),
        ("approval_expiry", second..=WEEK, &mut defaults.approval_expiry),
    ] {
        *value = reader.duration_within(key, bounds).unwrap_or(*value);
    }
    defaults.min_requests = reader.integer_within("min_requests", REQUESTS).unwrap_or(defaults.min_requests);
    read_release_owners(&mut reader, &mut defaults.release_owners);
    defaults.attribution =
        read_attribution(&mut reader, &defaults.attribution).unwrap_or(defaults.attribution);
    if defaults.watch > defaults.watch_max {
        let hint = "`max` bounds how long a watch can be asked for, `time` is how long it is unasked";
        reader.diagnostics().error_hint(&reader, "`watch.time` is longer than `watch.max`", hint);
    }
    reader.finish();
    defaults
}

fn read_release_owners(parent: &mut Reader<'_, '_>, owners: &mut ReleaseOwners) {
    let Some(mut reader) = parent.mapping("release_owners") else { return };
    for (key, list) in [
        ("teams", &mut owners.teams),
        ("channels", &mut owners.channels),
        ("addresses", &mut owners.addresses),
        ("domains", &mut owners.domains),
    ] {
        *list = reader.texts(key).unwrap_or_default();
    }
    let domains = reader.get("domains").and_then(Node::items).unwrap_or_default();
    for domain in domains.iter().filter(|it| it.text().is_some_and(|text| text.contains(['@', '*']))) {
        reader.diagnostics().error_hint(
            domain,
            "not a domain",
            "write it like example.org; subdomains are listed each",
        );
    }
    reader.finish();
}

/// `watch: 60m` or `watch: { time: 60m, max: 24h }`.
#[derive(Default)]
pub(super) struct Watch {
    pub(super) time: Option<Duration>,
    pub(super) max: Option<Duration>,
}

pub(super) fn read_watch(parent: &mut Reader<'_, '_>) -> Watch {
    let bounds = Duration::from_secs(1)..=WEEK;
    if parent.get("watch").is_some_and(|node| node.text().is_some()) {
        return Watch { time: parent.duration_within("watch", bounds), max: None };
    }
    let Some(mut reader) = parent.mapping("watch") else { return Watch::default() };
    let watch = Watch {
        time: reader.duration_within("time", bounds.clone()),
        max: reader.duration_within("max", bounds),
    };
    reader.finish();
    watch
}

/// `attribution`, whose missing keys are those of `usual`; `None` where the section is missing.
pub(super) fn read_attribution(parent: &mut Reader<'_, '_>, usual: &Attribution) -> Option<Attribution> {
    let mut reader = parent.mapping("attribution")?;
    let within = Duration::from_secs(1)..=ATTRIBUTION_WITHIN_MAX;
    let attribution = Attribution {
        margin: reader.number_within("margin", 1.0..=100.0).unwrap_or(usual.margin),
        neighbours: neighbours(&mut reader).unwrap_or_else(|| usual.neighbours.clone()),
        min_rise: reader.ratio_within("min_rise", 0.0..=1.0).unwrap_or(usual.min_rise),
        min_traffic: reader.ratio_within("min_traffic", 0.0..=1.0).unwrap_or(usual.min_traffic),
        within: reader.duration_within("within", within).unwrap_or(usual.within),
    };
    reader.finish();
    Some(attribution)
}

/// `all`, `none`, or the names of services.
fn neighbours(reader: &mut Reader<'_, '_>) -> Option<Neighbours> {
    let names = reader.texts("neighbours")?;
    Some(match names.as_slice() {
        [] => Neighbours::None,
        [word] if word == "all" => Neighbours::All,
        [word] if word == "none" => Neighbours::None,
        _ => Neighbours::Only(names),
    })
}

pub(super) fn read_storm(root: &mut Reader<'_, '_>) -> Storm {
    let mut storm = Storm::default();
    let Some(mut reader) = root.mapping("storm") else { return storm };
    let most = reader.integer_within("max_rollbacks", 1..=10_000).and_then(|most| usize::try_from(most).ok());
    storm.max_rollbacks = most.unwrap_or(storm.max_rollbacks);
    storm.per = reader.duration_within("per", Duration::from_secs(1)..=WEEK).unwrap_or(storm.per);
    storm.settle = reader.duration_within("settle", Duration::ZERO..=HOUR / 6).unwrap_or(storm.settle);
    reader.finish();
    storm
}

/// Whether a text is a duration at all; for values whose section does not act yet.
pub(super) fn check_duration(node: &Node, reader: &Reader<'_, '_>) {
    if let Some(Err(error)) = node.text().map(parse_duration) {
        reader.diagnostics().push(crate::Level::Error, node, error.message, error.hint);
    }
}
