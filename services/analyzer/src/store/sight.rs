//! Whether the series of a service can show what a metric is asked for: a selector that never matches measures
//! nothing, and nothing looks exactly like health.
//!
//! Client libraries create an error series at the first error, so that none is there yet proves little. What proves
//! something is that it could not be there: the label that the selector asks for is on none of the series, or none
//! of the values that the label takes can match.

use std::collections::{BTreeMap, BTreeSet};

use model::{Labels, ServiceKey};
use policy::{Identity, MetricSource, RatioKind, Selector};

use super::{
    Store, Versions,
    cell::Part,
    role::{Candidate, NAME},
    slab::NONE,
};

/// Labels that are named to a person, and values of each: those of a usual counter.
const LABELS_SHOWN_MAX: usize = 6;
const VALUES_SHOWN_MAX: usize = 4;

/// Values of one label that are remembered while looking: more than there are HTTP status codes in use.
const VALUES_MAX: usize = 64;

/// Labels that say where a series comes from and not what it counts.
const PLACE_LABELS: [&str; 6] = [NAME, "job", "instance", "le", "pod", "namespace"];

/// What can be seen of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    Clear,
    /// Why nothing can be, a sentence for a person.
    Blind(String),
}

/// The labels of some series and the values that they take.
#[derive(Default)]
struct Shape {
    series: usize,
    values: BTreeMap<String, BTreeSet<String>>,
}

/// What the service's series show of one ratio.
#[derive(Default)]
struct RatioSeen {
    has_part: bool,
    has_total: bool,
    /// Of the series that `total` counts.
    total: Shape,
    /// Of the series of the name that `part` asks for; of the versions asked about, and of all.
    named: Shape,
    named_anywhere: Shape,
}

impl Store {
    /// Whether `metric` can show anything of the `versions` of a service. Looks through all series: for the moments
    /// in which it is not known yet, not for every look.
    pub fn sight(&self, key: &ServiceKey, versions: Versions<'_>, metric: &str) -> Sight {
        let places = self.config.places(key, metric).iter();
        let sources: Vec<&MetricSource> =
            places.map(|&place| &self.config.sources[place as usize].definition).collect();
        let found = sources.iter().find_map(|source| self.sight_of(key, versions, source));
        found.unwrap_or_else(|| {
            let wanted: Vec<&str> = sources.iter().filter_map(|source| wanted_by(source)).collect();
            Sight::Blind(match wanted[..] {
                [] => format!("no series of {} counts for {metric}", key.service),
                _ => format!("no series of {} matches {}", key.service, wanted.join(" or ")),
            })
        })
    }

    /// `None`: there is nothing of this source at all.
    fn sight_of(&self, key: &ServiceKey, versions: Versions<'_>, source: &MetricSource) -> Option<Sight> {
        match source {
            MetricSource::Ratio { kind, part, total } => {
                let seen = self.ratio_seen(key, versions, source, part);
                seen.has_total.then(|| seen.judge(&self.config.identity, key, *kind, part, total))
            }
            MetricSource::RequestErrors
            | MetricSource::RequestDurations
            | MetricSource::RequestThroughput => {
                let service = self.catalog.service(key)?;
                let mut asked = service.versions.iter().filter(|(name, _)| versions.include(name.as_deref()));
                asked.any(|(_, &id)| self.catalog.versions[id].has_requests).then_some(Sight::Clear)
            }
            _ => {
                let mut is_seen = false;
                self.for_each_series(key, |version, labels, kind| {
                    let counts = || Candidate::new(labels, kind).part_in(source).is_some();
                    is_seen = is_seen || versions.include(version) && counts();
                    is_seen
                });
                is_seen.then_some(Sight::Clear)
            }
        }
    }

    fn ratio_seen(
        &self,
        key: &ServiceKey,
        versions: Versions<'_>,
        source: &MetricSource,
        part: &Selector,
    ) -> RatioSeen {
        let mut seen = RatioSeen::default();
        self.for_each_series(key, |version, labels, kind| {
            let is_asked = versions.include(version);
            if let (true, Some(Part::Ratio { is_part, is_total })) =
                (is_asked, Candidate::new(labels, kind).part_in(source))
            {
                seen.has_part |= is_part;
                seen.has_total |= is_total;
                if is_total {
                    seen.total.add(labels);
                }
            }
            if is_named(part, labels) {
                seen.named_anywhere.add(labels);
                if is_asked {
                    seen.named.add(labels);
                }
            }
            seen.has_part && seen.has_total
        });
        seen
    }

    /// Visits the series of a service with their version, until `visit` says that it has seen enough.
    fn for_each_series(
        &self,
        key: &ServiceKey,
        mut visit: impl FnMut(Option<&str>, &Labels, model::SeriesKind) -> bool,
    ) {
        let Some(service) = self.catalog.service(key) else { return };
        let own: BTreeMap<u32, Option<&str>> =
            service.versions.iter().map(|(name, &id)| (id, name.as_deref())).collect();
        for id in 0..self.table.series.end() {
            let series = &self.table.series[id];
            if !series.is_used() || series.version == NONE {
                continue;
            }
            let Some(version) = own.get(&series.version) else { continue };
            if visit(*version, &self.labels_of(id), series.kind) {
                return;
            }
        }
    }
}

impl RatioSeen {
    fn judge(
        &self,
        identity: &Identity,
        key: &ServiceKey,
        kind: RatioKind,
        part: &Selector,
        total: &Selector,
    ) -> Sight {
        if self.has_part {
            return Sight::Clear;
        }
        let named = if self.named.series > 0 { &self.named } else { &self.named_anywhere };
        let Some(why) = why_never(part, named) else { return Sight::Clear };
        let side = match kind {
            RatioKind::Bad => "bad",
            RatioKind::Good => "good",
        };
        let (service, there) = (&key.service, self.total.text(identity));
        Sight::Blind(format!(
            "`{side}: {}` can match no series of {service}: {why}; those of `total: {}` have {there}",
            part.text, total.text
        ))
    }
}

impl Shape {
    fn add(&mut self, labels: &Labels) {
        self.series += 1;
        for (name, value) in labels.iter().filter(|(name, _)| *name != NAME) {
            let values = self.values.entry(name.to_owned()).or_default();
            if values.len() < VALUES_MAX {
                values.insert(value.to_owned());
            }
        }
    }

    /// `status (200, 404), method (GET)`: what counts first, so labels that take several values.
    fn text(&self, identity: &Identity) -> String {
        let place = [&identity.service, &identity.environment, &identity.version, &identity.cluster];
        let is_place = |name: &String| place.iter().any(|names| names.contains(name));
        let is_shown = |name: &&String| !PLACE_LABELS.contains(&name.as_str()) && !is_place(name);
        let mut names: Vec<&String> = self.values.keys().filter(is_shown).collect();
        names.sort_by_key(|name| (std::cmp::Reverse(self.values[*name].len() > 1), *name));
        let shown = names.iter().take(LABELS_SHOWN_MAX).map(|name| {
            let values: Vec<&str> = self.values[*name].iter().map(String::as_str).collect();
            let more = if values.len() > VALUES_SHOWN_MAX { ", …" } else { "" };
            format!("{name} ({}{more})", values[..values.len().min(VALUES_SHOWN_MAX)].join(", "))
        });
        let shown: Vec<String> = shown.collect();
        if shown.is_empty() { "no labels".to_owned() } else { format!("the labels {}", shown.join(", ")) }
    }
}

/// The selector by whose series a source is known.
fn wanted_by(source: &MetricSource) -> Option<&str> {
    match source {
        MetricSource::Ratio { total, .. } => Some(&total.text),
        MetricSource::Histogram(histogram) => Some(&histogram.family.text),
        MetricSource::Gauge(selector) | MetricSource::Throughput(selector) => Some(&selector.text),
        MetricSource::RequestErrors | MetricSource::RequestDurations | MetricSource::RequestThroughput => {
            None
        }
    }
}

/// Whether the series has the name that the selector asks for.
fn is_named(selector: &Selector, labels: &Labels) -> bool {
    let name = labels.get(NAME).unwrap_or_default();
    let by_matcher = || selector.matchers.iter().filter(|it| it.name == NAME).all(|it| it.is_match(name));
    selector.name.as_ref().is_none_or(|wanted| wanted == name) && by_matcher()
}

/// Why no series of this shape can ever match; `None` if one could.
fn why_never(selector: &Selector, named: &Shape) -> Option<String> {
    if named.series == 0 {
        let name = selector.name.as_deref().unwrap_or("such a name");
        return Some(format!("none is called {name}"));
    }
    let asked = selector.matchers.iter().filter(|it| it.name != NAME && !it.is_match(""));
    asked.into_iter().find_map(|matcher| {
        let Some(values) = named.values.get(&matcher.name) else {
            return Some(format!("none has the label {}", matcher.name));
        };
        let can_match = values.iter().any(|value| matcher.is_match(value))
            || vocabulary(values).is_none_or(|words| words.iter().any(|word| matcher.is_match(word)));
        let seen: Vec<&str> = values.iter().take(VALUES_SHOWN_MAX).map(String::as_str).collect();
        (!can_match).then(|| format!("no value of {} like {} can match", matcher.name, seen.join(", ")))
    })
}

/// Every value that a label can take, as far as those that were seen show it; `None` where they show nothing.
fn vocabulary(values: &BTreeSet<String>) -> Option<Vec<String>> {
    let is_code = |value: &String| {
        value.len() == 3
            && value.bytes().all(|it| it.is_ascii_digit())
            && value.starts_with(['1', '2', '3', '4', '5'])
    };
    let is_class = |value: &String| {
        let mut letters = value.chars();
        value.len() == 3
            && letters.next().is_some_and(|it| it.is_ascii_digit())
            && letters.all(|it| it == 'x' || it == 'X')
    };
    let is_grpc = |value: &String| value.parse::<u8>().is_ok_and(|it| it <= 16) && value.len() <= 2;
    if values.iter().all(is_code) {
        return Some((100..600).map(|code| code.to_string()).collect());
    }
    if values.iter().all(is_class) {
        return Some((1..6).flat_map(|class| [format!("{class}xx"), format!("{class}XX")]).collect());
    }
    values.iter().all(is_grpc).then(|| (0..17).map(|code| code.to_string()).collect())
}
