//! The storm guard: more rollbacks at once than `storm.max_rollbacks` are a shared cause, not that many bad
//! releases.
//!
//! Counted per environment: that is what causes are shared in, and trouble in staging must not disarm
//! production. Three rules. Where more releases are under watch than may be rolled back, a storm is possible,
//! and breaches are gathered for `storm.settle` before the first one acts, longer when a second service suffers
//! too: each is scraped in a second of its own, and a shared cause shows in one after the other. Otherwise the window
//! alone counts: the services, more than `max_rollbacks`, whose rollback was wanted within `storm.per`. And a storm lasts until none was wanted
//! for `storm.per`, so that a straggler does not act alone.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use model::{
    Timestamp,
    checkpoint::{GatherState, HeldBreach, StormState},
};

use crate::bounds::{MAX_DEMANDS, MAX_ENVIRONMENTS, MAX_HELD};

/// Once two services suffer, so many times `storm.settle` are waited from the first one on: with the default the
/// usual scrape interval of 15 s, in which each service has been scraped once.
const SETTLES_OF_A_SCRAPE: u32 = 3;

/// Where services go on joining, a gather lasts at most so many times `storm.settle`: with the default the slower
/// usual scrape interval of 30 s.
const SETTLES_MAX: u32 = 6;

#[derive(Debug, Default)]
pub(crate) struct Gather {
    pub(crate) begun: Timestamp,
    pub(crate) held: Vec<HeldBreach>,
    /// Every service whose release broke a limit meanwhile, held or prepared for other reasons.
    pub(crate) services: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Weather {
    /// Services whose rollback was wanted, oldest first. A service counts once: its clusters, and its releases that
    /// follow each other, are no sign of a shared cause, and many of them must not disarm other services.
    demands: VecDeque<(Timestamp, String)>,
    gather: Option<Gather>,
    is_storm: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Storms {
    by_environment: BTreeMap<String, Weather>,
}

impl Storms {
    pub(crate) fn state(&self) -> Vec<StormState> {
        let state = |(environment, weather): (&String, &Weather)| StormState {
            environment: environment.clone(),
            is_storm: weather.is_storm,
            demands: weather.demands.iter().cloned().collect(),
            gather: weather.gather.as_ref().map(|gather| GatherState {
                begun: gather.begun,
                services: gather.services.clone(),
                held: gather.held.clone(),
            }),
        };
        self.by_environment.iter().map(state).collect()
    }

    pub(crate) fn from_state(state: Vec<StormState>) -> Self {
        let weather = |it: StormState| {
            let gather = it.gather.map(|it| Gather { begun: it.begun, held: it.held, services: it.services });
            (it.environment, Weather { demands: it.demands.into(), gather, is_storm: it.is_storm })
        };
        Self { by_environment: state.into_iter().map(weather).collect() }
    }

    pub(crate) fn is_storm(&self, environment: &str) -> bool {
        self.by_environment.get(environment).is_some_and(|weather| weather.is_storm)
    }

    pub(crate) fn is_gathering(&self, environment: &str) -> bool {
        self.by_environment.get(environment).is_some_and(|weather| weather.gather.is_some())
    }

    /// A service's rollback is wanted; whether those of more than `max_rollbacks` services are now, within `per`.
    pub(crate) fn demand(
        &mut self,
        environment: &str,
        now: Timestamp,
        service: &str,
        per: Duration,
        max_rollbacks: usize,
    ) -> bool {
        if self.by_environment.len() >= MAX_ENVIRONMENTS {
            self.by_environment.retain(|_, weather| !weather.is_calm(now, per));
        }
        let demands = &mut self.weather(environment).demands;
        while demands.front().is_some_and(|(at, _)| *at + per <= now) || demands.len() >= MAX_DEMANDS {
            demands.pop_front();
        }
        demands.retain(|(_, of)| of != service);
        demands.push_back((now, service.to_owned()));
        demands.len() > max_rollbacks
    }

    pub(crate) fn begin_storm(&mut self, environment: &str) {
        self.weather(environment).is_storm = true;
    }

    pub(crate) fn end_storm(&mut self, environment: &str) {
        if let Some(weather) = self.by_environment.get_mut(environment) {
            weather.is_storm = false;
        }
    }

    /// Holds a breach until the gather ends; `false` when no more can be held.
    pub(crate) fn hold(
        &mut self,
        environment: &str,
        service: &str,
        now: Timestamp,
        held: HeldBreach,
    ) -> bool {
        let begin = || Gather { begun: now, ..Gather::default() };
        let gather = self.weather(environment).gather.get_or_insert_with(begin);
        gather.services.insert(service.to_owned());
        if gather.held.len() >= MAX_HELD {
            return false;
        }
        gather.held.push(held);
        true
    }

    /// A breach that does not act counts too while breaches are gathered; the gather, if the service is new there.
    pub(crate) fn note_service(&mut self, environment: &str, service: &str) -> Option<&Gather> {
        let gather = self.by_environment.get_mut(environment)?.gather.as_mut()?;
        gather.services.insert(service.to_owned()).then_some(&*gather)
    }

    pub(crate) fn end_gather(&mut self, environment: &str) -> Option<Gather> {
        self.by_environment.get_mut(environment)?.gather.take()
    }

    /// Lets go of held breaches that no longer matter; what was let go, and whether none is held any more.
    pub(crate) fn release(
        &mut self,
        environment: &str,
        is_moot: impl Fn(&HeldBreach) -> bool,
    ) -> (Vec<HeldBreach>, bool) {
        let gather = self.by_environment.get_mut(environment).and_then(|weather| weather.gather.as_mut());
        let Some(gather) = gather else { return (Vec::new(), false) };
        let moot = gather.held.extract_if(.., |held| is_moot(held)).collect();
        (moot, gather.held.is_empty())
    }

    fn weather(&mut self, environment: &str) -> &mut Weather {
        self.by_environment.entry(environment.to_owned()).or_default()
    }
}

impl Gather {
    /// When it ends, now that another service has joined it at `now`; `longest` bounds what is waited in all.
    pub(crate) fn until(
        &self,
        now: Timestamp,
        settle: Duration,
        longest: Duration,
        max_rollbacks: usize,
    ) -> Timestamp {
        let soonest = self.begun + settle;
        if self.services.len() > max_rollbacks {
            return soonest.max(now);
        }
        let of_scrape = self.begun + settle * SETTLES_OF_A_SCRAPE;
        let latest = self.begun + longest.min(settle * SETTLES_MAX);
        of_scrape.max(now + settle).min(latest).max(soonest)
    }
}

impl Weather {
    fn is_calm(&self, now: Timestamp, per: Duration) -> bool {
        let is_old = self.demands.back().is_none_or(|(at, _)| *at + per <= now);
        !self.is_storm && self.gather.is_none() && is_old
    }
}
