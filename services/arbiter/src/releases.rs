//! The releases of every place, in the order in which they went out: by when they began, whatever the order in
//! which they became known.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Breach, CommandId, Release, ReleaseId, ReleaseState, ServiceKey, Timestamp,
    checkpoint::{PlaceState, ReleaseRecord},
    is_same_version,
};

use crate::bounds::{MAX_PLACES, MAX_REASONS, MAX_RELEASES_PER_PLACE};

/// Where releases replace each other: a service in an environment and cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) environment: String,
    pub(crate) service: String,
    pub(crate) cluster: Option<String>,
}

impl Place {
    pub(crate) fn of(release: &Release) -> Self {
        Self {
            environment: release.key.environment.clone(),
            service: release.key.service.clone(),
            cluster: release.cluster.clone(),
        }
    }
}

/// One release and what became of it here.
#[derive(Debug)]
pub(crate) struct Record {
    /// As the analyzer last described it.
    pub(crate) release: Release,
    /// Grows with every release that opens anywhere.
    pub(crate) opened: u64,
    /// Rollbacks begun for it so far; also the number of the newest.
    pub(crate) attempts: u32,
    /// How often one was sent.
    pub(crate) sent: u32,
    /// Before this, a rollback that failed or was not sent is not tried again.
    pub(crate) retry_at: Option<Timestamp>,
    /// How many prepared rollbacks in a row expired.
    pub(crate) expired: u32,
    pub(crate) newest_command: Option<CommandId>,
    /// What is broken right now, by trigger.
    pub(crate) broken: BTreeMap<String, Breach>,
    /// `previous_version` was named only when the release was out already.
    pub(crate) is_previous_late: bool,
    /// A command's success is known before the analyzer says so.
    pub(crate) is_rolled_back: bool,
}

impl Record {
    fn state(&self) -> ReleaseRecord {
        ReleaseRecord {
            release: self.release.clone(),
            opened: self.opened,
            attempts: self.attempts,
            sent: self.sent,
            retry_at: self.retry_at,
            expired: self.expired,
            newest_command: self.newest_command.clone(),
            broken: self.broken.values().cloned().collect(),
            is_previous_late: self.is_previous_late,
            is_rolled_back: self.is_rolled_back,
        }
    }

    fn from_state(state: ReleaseRecord) -> Self {
        let broken = state.broken.into_iter().map(|breach| (breach.reason.trigger.clone(), breach));
        Self {
            release: state.release,
            opened: state.opened,
            attempts: state.attempts,
            sent: state.sent,
            retry_at: state.retry_at,
            expired: state.expired,
            newest_command: state.newest_command,
            broken: broken.collect(),
            is_previous_late: state.is_previous_late,
            is_rolled_back: state.is_rolled_back,
        }
    }

    /// Where it stands, as a word for people.
    pub(crate) fn standing(&self) -> ReleaseState {
        if self.is_rolled_back && !self.release.state.is_final() {
            ReleaseState::RolledBack
        } else {
            self.release.state
        }
    }

    pub(crate) fn is_under_watch(&self) -> bool {
        self.release.state.is_under_watch() && !self.is_rolled_back
    }

    /// Whether it is too early to try a rollback again.
    pub(crate) fn waits(&self, now: Timestamp) -> bool {
        self.retry_at.is_some_and(|at| now < at)
    }

    /// Remembers what is broken, as it now stands.
    pub(crate) fn note_broken(&mut self, breach: &Breach) {
        let trigger = &breach.reason.trigger;
        if self.broken.contains_key(trigger) || self.broken.len() < MAX_REASONS {
            self.broken.insert(trigger.clone(), breach.clone());
        }
    }

    /// What is broken and asks for a rollback.
    pub(crate) fn broken_for_rollback(&self) -> impl Iterator<Item = &Breach> {
        self.broken.values().filter(|breach| breach.action.is_rollback())
    }

    /// Its place among the releases of its place: a later one has a greater.
    pub(crate) fn order(&self) -> Order {
        (self.release.started_at, self.opened)
    }
}

/// When a release began, and how many had become known by then.
pub(crate) type Order = (Timestamp, u64);

#[derive(Debug, Default)]
struct History {
    /// Oldest first.
    order: Vec<ReleaseId>,
    last_automatic: Option<(Timestamp, ReleaseId)>,
}

/// What a release's proposal changed.
#[derive(Debug)]
pub(crate) struct Upserted {
    /// `None`: it opened.
    pub(crate) before: Option<Release>,
    /// What had to be forgotten for it.
    pub(crate) forgotten: Vec<Record>,
}

fn is_named_late(before: &Release, now: &Release) -> bool {
    before.state != ReleaseState::Pending
        && before.previous_is_guess
        && !now.previous_is_guess
        && before.previous_version != now.previous_version
}

#[derive(Debug, Default)]
pub(crate) struct Releases {
    records: BTreeMap<ReleaseId, Record>,
    places: BTreeMap<Place, History>,
    opened: u64,
}

impl Releases {
    /// By place, and how many were opened.
    pub(crate) fn state(&self) -> (Vec<PlaceState>, u64) {
        let place = |history: &History| PlaceState {
            releases: history.order.iter().filter_map(|id| Some(self.records.get(id)?.state())).collect(),
            last_automatic: history.last_automatic.clone(),
        };
        (self.places.values().map(place).collect(), self.opened)
    }

    pub(crate) fn from_state(state: Vec<PlaceState>, opened: u64) -> Self {
        let mut releases = Self { opened, ..Self::default() };
        for PlaceState { releases: records, last_automatic } in state {
            let Some(place) = records.first().map(|record| Place::of(&record.release)) else { continue };
            let order = records.iter().map(|record| record.release.id.clone()).collect();
            releases.places.insert(place, History { order, last_automatic });
            let entry = |it: ReleaseRecord| (it.release.id.clone(), Record::from_state(it));
            releases.records.extend(records.into_iter().map(entry));
        }
        releases
    }

    pub(crate) fn get(&self, id: &ReleaseId) -> Option<&Record> {
        self.records.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &ReleaseId) -> Option<&mut Record> {
        self.records.get_mut(id)
    }

    /// By its id; the bare id means the newest of that name.
    pub(crate) fn find(&self, id: &ReleaseId) -> Option<&Record> {
        if id.as_str() != id.bare() {
            return self.records.get(id);
        }
        let from = self.records.range(id.clone()..);
        from.take_while(|(have, _)| have.bare() == id.bare())
            .map(|(_, record)| record)
            .max_by_key(|record| record.order())
    }

    /// Takes a release in as it now stands.
    pub(crate) fn upsert(&mut self, release: &Release) -> Upserted {
        if let Some(record) = self.records.get_mut(&release.id) {
            let before = std::mem::replace(&mut record.release, release.clone());
            record.is_previous_late |= is_named_late(&before, release);
            return Upserted { before: Some(before), forgotten: Vec::new() };
        }
        let place = Place::of(release);
        let mut forgotten = self.make_room(&place);
        self.opened += 1;
        let record = Record {
            release: release.clone(),
            opened: self.opened,
            attempts: 0,
            sent: 0,
            retry_at: None,
            expired: 0,
            newest_command: None,
            broken: BTreeMap::new(),
            is_previous_late: false,
            is_rolled_back: false,
        };
        let order = record.order();
        self.records.insert(release.id.clone(), record);
        let history = self.places.entry(place).or_default();
        let is_older = |id: &ReleaseId| self.records.get(id).is_some_and(|it| it.order() < order);
        let at = history.order.iter().rposition(is_older).map_or(0, |at| at + 1);
        history.order.insert(at, release.id.clone());
        if history.order.len() > MAX_RELEASES_PER_PLACE {
            let is_over = |id: &ReleaseId| self.records.get(id).is_none_or(|it| it.release.state.is_final());
            let oldest = history.order.iter().position(is_over).unwrap_or(0);
            forgotten.extend(self.records.remove(&history.order.remove(oldest)));
        }
        Upserted { before: None, forgotten }
    }

    fn make_room(&mut self, place: &Place) -> Vec<Record> {
        if self.places.contains_key(place) || self.places.len() < MAX_PLACES {
            return Vec::new();
        }
        let newest = |history: &History| {
            let record = history.order.last().and_then(|id| self.records.get(id));
            record.map(|record| (!record.release.state.is_final(), record.opened))
        };
        let quietest = self.places.iter().min_by_key(|(_, history)| newest(history));
        let Some(quietest) = quietest.map(|(place, _)| place.clone()) else { return Vec::new() };
        let order = self.places.remove(&quietest).unwrap_or_default().order;
        order.iter().filter_map(|id| self.records.remove(id)).collect()
    }

    /// The releases of a place, oldest first.
    pub(crate) fn history(&self, place: &Place) -> impl DoubleEndedIterator<Item = &Record> + use<'_> {
        let order = self.places.get(place).map_or(&[][..], |history| &history.order);
        order.iter().filter_map(|id| self.records.get(id))
    }

    /// Whether no later release went out in its place.
    pub(crate) fn is_newest(&self, record: &Record) -> bool {
        self.history(&Place::of(&record.release)).next_back().is_some_and(|it| it.order() == record.order())
    }

    /// The newest digest known of a version in a place.
    pub(crate) fn digest_of(&self, place: &Place, version: &str) -> Option<&str> {
        let mut same =
            self.history(place).rev().filter(|record| is_same_version(&record.release.version, version));
        same.find_map(|record| record.release.artifact.as_ref()?.digest.as_deref())
    }

    /// The newest release of each place of a service, where that is under watch; in one environment or in all.
    pub(crate) fn newest_under_watch<'a>(
        &'a self,
        service: &'a str,
        environment: Option<&'a str>,
    ) -> impl Iterator<Item = &'a Record> {
        let of_service = self.places.iter().filter(move |(place, _)| {
            place.service == service && environment.is_none_or(|only| only == place.environment)
        });
        let newest = of_service.filter_map(|(_, history)| self.records.get(history.order.last()?));
        newest.filter(|record| record.is_under_watch())
    }

    /// Every release of a service in an environment, of all clusters.
    pub(crate) fn of_service(&self, key: &ServiceKey) -> impl Iterator<Item = &Record> + use<'_> {
        let first =
            Place { environment: key.environment.clone(), service: key.service.clone(), cluster: None };
        let key = key.clone();
        let is_its =
            move |place: &Place| place.environment == key.environment && place.service == key.service;
        let places = self.places.range(first..).take_while(move |(place, _)| is_its(place));
        places.flat_map(|(_, history)| &history.order).filter_map(|id| self.records.get(id))
    }

    /// How many services of an environment have a release under watch.
    pub(crate) fn under_watch(&self, environment: &str) -> usize {
        let services = self.in_flight(environment).map(|record| record.release.key.service.as_str());
        services.collect::<BTreeSet<&str>>().len()
    }

    /// The releases of an environment that are under watch.
    pub(crate) fn in_flight<'a>(&'a self, environment: &'a str) -> impl Iterator<Item = &'a Record> {
        let first = Place { environment: environment.to_owned(), service: String::new(), cluster: None };
        let places =
            self.places.range(first..).take_while(move |(place, _)| place.environment == environment);
        let ids = places.flat_map(|(_, history)| &history.order);
        ids.filter_map(|id| self.records.get(id)).filter(|record| record.is_under_watch())
    }

    /// When the last automatic rollback of this place began, of another release than `release`.
    pub(crate) fn last_automatic(&self, release: &Release) -> Option<Timestamp> {
        let (at, of) = self.places.get(&Place::of(release))?.last_automatic.as_ref()?;
        (*of != release.id).then_some(*at)
    }

    pub(crate) fn note_automatic(&mut self, now: Timestamp, release: &Release) {
        if let Some(history) = self.places.get_mut(&Place::of(release)) {
            history.last_automatic = Some((now, release.id.clone()));
        }
    }

    /// Versions of a place that ended succeeded and went out before `record`, newest first.
    pub(crate) fn succeeded_before(&self, record: &Record) -> Vec<&str> {
        let older = self.history(&Place::of(&record.release)).rev().filter(|it| it.order() < record.order());
        older
            .filter(|it| it.release.state == ReleaseState::Succeeded && !it.is_rolled_back)
            .map(|it| it.release.version.as_str())
            .collect()
    }

    /// Where a version stands in the history of a place: the order of its newest release.
    pub(crate) fn newest_of_version(&self, place: &Place, version: &str) -> Option<Order> {
        let mut newest_first = self.history(place).rev();
        newest_first.find(|record| is_same_version(&record.release.version, version)).map(Record::order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(service: &str, version: &str, state: ReleaseState) -> Release {
        let key = ServiceKey::new(service, "production");
        Release {
            id: ReleaseId::of(service, "", "", version, ""),
            key,
            version: version.into(),
            state,
            ..Release::default()
        }
    }

    #[test]
    fn of_a_full_place_the_oldest_that_is_over_is_forgotten() {
        let mut releases = Releases::default();
        releases.upsert(&release("checkout", "0", ReleaseState::Watching));
        for number in 1..MAX_RELEASES_PER_PLACE {
            let upserted =
                releases.upsert(&release("checkout", &number.to_string(), ReleaseState::Superseded));
            assert!(upserted.forgotten.is_empty());
        }
        let upserted = releases.upsert(&release("checkout", "one more", ReleaseState::Watching));
        assert_eq!(upserted.forgotten.len(), 1);
        assert_eq!(upserted.forgotten[0].release.version, "1", "the oldest one is under watch and stays");
    }

    #[test]
    fn of_too_many_places_the_quietest_whose_releases_are_over_is_forgotten() {
        let mut releases = Releases::default();
        for number in 0..MAX_PLACES {
            let state = if number == 0 { ReleaseState::Watching } else { ReleaseState::Succeeded };
            releases.upsert(&release(&format!("service-{number}"), "1", state));
        }
        let upserted = releases.upsert(&release("one-more", "1", ReleaseState::Watching));
        assert_eq!(upserted.forgotten.len(), 1);
        assert_eq!(upserted.forgotten[0].release.key.service, "service-1");
        assert_eq!(releases.under_watch("production"), 2);
    }

    #[test]
    fn a_release_of_which_is_heard_late_stands_where_it_went_out() {
        let mut releases = Releases::default();
        let at = |second: i64, version: &str, state| Release {
            started_at: Timestamp::from_millis(second * 1000),
            ..release("checkout", version, state)
        };
        releases.upsert(&at(10, "1", ReleaseState::Succeeded));
        let newest = at(30, "3", ReleaseState::Watching);
        releases.upsert(&newest);
        releases.upsert(&at(20, "2", ReleaseState::Superseded));
        let order = |it: &Record| it.release.version.clone();
        let history: Vec<String> = releases.history(&Place::of(&newest)).map(order).collect();
        assert_eq!(history, ["1", "2", "3"]);
        assert!(releases.is_newest(releases.get(&newest.id).unwrap()));
        assert_eq!(releases.succeeded_before(releases.get(&newest.id).unwrap()), ["1"]);
    }

    #[test]
    fn the_bare_id_means_the_newest() {
        let mut releases = Releases::default();
        let first = release("checkout", "1", ReleaseState::Succeeded);
        let again = Release { id: first.id.again(2), ..first.clone() };
        releases.upsert(&first);
        releases.upsert(&again);
        assert_eq!(releases.find(&first.id).map(|record| &record.release.id), Some(&again.id));
    }
}
