//! Limits that services without a release under watch exceed: the ground for telling a shared cause from a bad
//! release.

use std::collections::BTreeMap;

use model::{LimitState, Timestamp};

use crate::bounds::MAX_EXCEEDANCES;

#[derive(Clone, Copy, Debug)]
struct Exceedance {
    since: Timestamp,
}

#[derive(Debug, Default)]
pub(crate) struct Exceedances {
    /// By environment and trigger, then by service.
    by_limit: BTreeMap<(String, String), BTreeMap<String, Exceedance>>,
    count: usize,
}

impl Exceedances {
    pub(crate) fn note(&mut self, now: Timestamp, limit: &LimitState) {
        let at = (limit.key.environment.clone(), limit.trigger.clone());
        let service = &limit.key.service;
        if !limit.is_exceeded {
            let Some(services) = self.by_limit.get_mut(&at) else { return };
            self.count -= usize::from(services.remove(service).is_some());
            if services.is_empty() {
                self.by_limit.remove(&at);
            }
            return;
        }
        let is_known = self.by_limit.get(&at).is_some_and(|services| services.contains_key(service));
        if is_known || self.count >= MAX_EXCEEDANCES {
            return;
        }
        self.by_limit.entry(at).or_default().insert(service.clone(), Exceedance { since: now });
        self.count += 1;
    }

    /// Services other than `service` that exceed the limit of `trigger` in `environment` since `not_before` or
    /// later. One that has been over it for longer is chronically so and says nothing about a common cause.
    pub(crate) fn others(
        &self,
        environment: &str,
        trigger: &str,
        service: &str,
        not_before: Timestamp,
    ) -> Vec<&str> {
        let Some(services) = self.by_limit.get(&(environment.to_owned(), trigger.to_owned())) else {
            return Vec::new();
        };
        let counts = |(other, exceedance): &(&String, &Exceedance)| {
            *other != service && exceedance.since >= not_before
        };
        services.iter().filter(counts).map(|(other, _)| other.as_str()).collect()
    }
}
