//! Limits that services without a release under watch exceed: the ground for telling a shared cause from a bad
//! release.

use std::{collections::BTreeMap, time::Duration};

use model::{LimitState, Rise, ServiceKey, Timestamp, checkpoint::ExceedanceRecord};
use policy::Attribution;

use crate::{attribution::is_comparable, bounds::MAX_EXCEEDANCES};

/// An exceedance that ended is remembered so long: longer than [`Attribution::within`] may sensibly be.
const REMEMBERED: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug)]
struct Exceedance {
    since: Timestamp,
    rise: Option<Rise>,
    ended_at: Option<Timestamp>,
}

impl Exceedance {
    /// What it had of the same cause may still show for as long as two rises may be apart: a release is excused
    /// until its own evidence is younger than that.
    fn lasts(&self, now: Timestamp, rules: &Attribution) -> bool {
        self.ended_at.is_none_or(|ended_at| self.rise.is_some() && now.since(ended_at) <= rules.within)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Exceedances {
    /// By environment and trigger, then by service.
    by_limit: BTreeMap<(String, String), BTreeMap<String, Exceedance>>,
    count: usize,
}

/// Who may excuse which release?
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) environment: &'a str,
    pub(crate) trigger: &'a str,
    /// The release's own.
    pub(crate) service: &'a str,
    /// What is older is a service's own trouble; for what cannot be counted.
    pub(crate) not_before: Timestamp,
    /// The release's; `None` where it cannot be counted.
    pub(crate) rise: Option<&'a Rise>,
    pub(crate) now: Timestamp,
}

/// A service that excuses a release.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Risen<'a> {
    pub(crate) service: &'a str,
    pub(crate) rise: Option<&'a Rise>,
}

impl Exceedances {
    pub(crate) fn state(&self) -> Vec<ExceedanceRecord> {
        let all =
            self.by_limit.iter().flat_map(|(limit, services)| services.iter().map(move |it| (limit, it)));
        all.map(|((environment, trigger), (service, exceedance))| ExceedanceRecord {
            key: ServiceKey::new(service, environment),
            trigger: trigger.clone(),
            since: exceedance.since,
            rise: exceedance.rise,
            ended_at: exceedance.ended_at,
        })
        .collect()
    }

    pub(crate) fn from_state(state: Vec<ExceedanceRecord>) -> Self {
        let mut exceedances = Self { count: state.len(), ..Self::default() };
        for ExceedanceRecord { key, trigger, since, rise, ended_at } in state {
            let services = exceedances.by_limit.entry((key.environment, trigger)).or_default();
            services.insert(key.service, Exceedance { since, rise, ended_at });
        }
        exceedances
    }

    pub(crate) fn note(&mut self, now: Timestamp, limit: &LimitState) {
        let at = (limit.key.environment.clone(), limit.trigger.clone());
        let service = &limit.key.service;
        let known = self.by_limit.get_mut(&at).and_then(|services| services.get_mut(service));
        if !limit.is_exceeded {
            if let Some(known) = known {
                known.ended_at = known.ended_at.or(Some(now));
            }
            return;
        }
        if let Some(known) = known {
            let since = if known.ended_at.is_some() { now } else { known.since };
            *known = Exceedance { since, rise: limit.rise, ended_at: None };
            return;
        }
        if self.count >= MAX_EXCEEDANCES {
            self.forget_ended(now);
        }
        if self.count < MAX_EXCEEDANCES {
            let exceedance = Exceedance { since: now, rise: limit.rise, ended_at: None };
            self.by_limit.entry(at).or_default().insert(service.clone(), exceedance);
            self.count += 1;
        }
    }

    fn forget_ended(&mut self, now: Timestamp) {
        let is_over = |it: &Exceedance| it.ended_at.is_some_and(|ended_at| now.since(ended_at) > REMEMBERED);
        self.by_limit.retain(|_, services| {
            services.retain(|_, it| !is_over(it));
            !services.is_empty()
        });
        self.count = self.by_limit.values().map(BTreeMap::len).sum();
    }

    /// The services that excuse a release: by a rise that began with its own and is comparable, as long as it lasts,
    /// if all of them together had enough bad requests; where either cannot be counted, by exceeding the same limit
    /// since `not_before` or later.
    pub(crate) fn excuses(&self, question: &Question<'_>, rules: &Attribution) -> Vec<Risen<'_>> {
        let at = (question.environment.to_owned(), question.trigger.to_owned());
        let Some(services) = self.by_limit.get(&at) else { return Vec::new() };
        let others = services.iter().filter(|(service, exceedance)| {
            *service != question.service
                && rules.neighbours.include(service)
                && exceedance.lasts(question.now, rules)
        });
        let (mut counted, mut uncounted) = (Vec::new(), Vec::new());
        for (service, exceedance) in others {
            match (&exceedance.rise, question.rise) {
                (Some(rise), Some(own)) if is_comparable(rise, own, rules) => {
                    counted.push(Risen { service, rise: Some(rise) });
                }
                (Some(_), Some(_)) => {}
                _ if exceedance.ended_at.is_none() && exceedance.since >= question.not_before => {
                    uncounted.push(Risen { service, rise: None });
                }
                _ => {}
            }
        }
        let bad = |rise: Option<&Rise>| rise.map_or(0.0, Rise::bad_per_second);
        let all: f64 = counted.iter().map(|other| bad(other.rise)).sum();
        if all < bad(question.rise) * rules.min_traffic {
            counted.clear();
        }
        counted.into_iter().chain(uncounted).collect()
    }
}
