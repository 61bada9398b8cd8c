//! Raw request events in.

use std::time::Duration;

use model::{RequestEvent, Timestamp};

use super::{FUTURE_TOLERANCE, Store, durations::DurationUs, ring::Lane};

impl Store {
    /// Takes in request events, in any order. They settle at once: each stands for itself.
    pub fn handle_requests(&mut self, now: Timestamp, requests: &[RequestEvent]) {
        self.now = self.now.max(now);
        self.last_arrival = Some(self.now);
        self.catalog.ledger.begin();
        let mut newest: Vec<(u32, Timestamp)> = Vec::new();
        let mut last: Option<(&RequestEvent, u32)> = None;
        for request in requests {
            self.counters.requests += 1;
            let known = last.filter(|(it, _)| it.version == request.version && it.key == request.key);
            let Some(version) = known.map(|it| it.1).or_else(|| self.version_of(request)) else {
                self.counters.dropped_series += 1;
                continue;
            };
            last = Some((request, version));
            let Some(at) = self.take_request(version, request) else { continue };
            let service = self.catalog.versions[version].service;
            match newest.last_mut() {
                Some(it) if it.0 == service => it.1 = it.1.max(at),
                _ => newest.push((service, at)),
            }
        }
        for (service, at) in newest {
            let service = &mut self.catalog.services[service];
            service.newest_request_at = service.newest_request_at.max(Some(at));
        }
        self.sweep.ensure(self.now, &self.config);
    }

    /// The version whose request it is; `None` if a limit forbids it.
    fn version_of(&mut self, request: &RequestEvent) -> Option<u32> {
        let (key, name) = (&request.key, request.version.as_deref());
        let room = match self.catalog.known(key, name) {
            // How many versions a service has bounds what a full one still takes; blind it must not be.
            Some(_) => self.catalog.may_grow(key).or_else(super::ledger::Refusal::unless_of_service),
            None => self.catalog.may_open(key, &self.sender),
        };
        match room {
            Ok(()) => self.catalog.version(key, name, (&self.sender, self.now), &self.config),
            Err(refusal) => {
                self.refuse(refusal, key);
                None
            }
        }
    }

    /// Counts a request; when it happened, as far as that is believed, or `None` if it came too late.
    fn take_request(&mut self, version: u32, request: &RequestEvent) -> Option<Timestamp> {
        let mut at = request.at;
        if at > self.now + FUTURE_TOLERANCE {
            self.counters.future += 1;
            at = self.now;
        }
        let state = &mut self.catalog.versions[version];
        let newest_at = self.catalog.services[state.service].newest_request_at;
        if at.as_millis() < 0 || newest_at.is_some_and(|newest_at| at < newest_at - self.config.late) {
            self.counters.late += 1;
            return None;
        }
        let duration = request.duration_ms.and_then(DurationUs::of_ms);
        self.counters.not_a_number += u64::from(request.duration_ms.is_some() && duration.is_none());
        let mut grown = 0;
        state.requests.for_each(|ring| {
            let bytes_before = ring.lane.bytes() as isize;
            if let Some(place) = ring.place(at) {
                ring.lane.add(place, request.is_error, duration);
            }
            grown += ring.lane.bytes() as isize - bytes_before;
        });
        state.has_requests = true;
        let service = state.service;
        self.catalog.book(service, grown);
        self.catalog.see(version, at, Duration::ZERO, self.now);
        Some(at)
    }
}
