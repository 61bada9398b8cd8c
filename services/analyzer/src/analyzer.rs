//! The analyzer: events in, proposals out.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use model::{
    Alert, DeploymentEvent, Event, EventBody, EventId, PolicyLoad, Position, Proposal, Release, ReleaseId,
    ServiceKey, Timestamp, Verb, VerbKind, values::Discovery,
};
use policy::Policy;

use crate::{
    agenda::Agenda,
    counters::Counters,
    judge::{
        alerts::{Affected, Alerts},
        condition::has_alert,
        subject::Sources,
    },
    outbox::Outbox,
    release::tracked::{Tracked, TriggerState},
    service::{Context, Scope, Service},
    store::{Refused, Store},
};

/// When something that was due could not be done, it is asked about again after this.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Judges services and proposes. State and five verbs: no I/O, no clock, no randomness; what it proposes is a
/// function of the events it was handed.
#[derive(Debug)]
pub struct Analyzer {
    pub(crate) now: Timestamp,
    pub(crate) policy: Policy,
    /// What `policy` was compiled from; `None` before the first load.
    pub(crate) load: Option<PolicyLoad>,
    pub(crate) store: Store,
    pub(crate) services: BTreeMap<ServiceKey, Service>,
    /// How many services each sender has.
    pub(crate) senders: BTreeMap<Arc<str>, usize>,
    /// Whose event is at hand.
    pub(crate) sender: Arc<str>,
    /// When no service was found last that could be forgotten.
    pub(crate) room_tried_at: Timestamp,
    pub(crate) alerts: Alerts,
    pub(crate) outbox: Outbox,
    pub(crate) cause: EventId,
    pub(crate) position: Position,
    pub(crate) is_replay: bool,
    /// When each service is due.
    pub(crate) agenda: Agenda,
    /// Something was put in from outside: every service may be due.
    pub(crate) is_woken: bool,
    pub(crate) counters: Counters,
}

impl Default for Analyzer {
    fn default() -> Self {
        Self::new()
    }
}

impl Analyzer {
    /// Starts with nothing known and a policy that measures but triggers nothing; the policy in force arrives as
    /// an event.
    pub fn new() -> Self {
        let policy = Policy::default_policy();
        let mut store = Store::default();
        store.configure(&policy);
        Self {
            now: Timestamp::MIN,
            policy,
            load: None,
            store,
            services: BTreeMap::new(),
            senders: BTreeMap::new(),
            sender: Arc::default(),
            room_tried_at: Timestamp::MIN,
            alerts: Alerts::default(),
            outbox: Outbox::default(),
            cause: EventId::default(),
            position: Position::default(),
            is_replay: false,
            agenda: Agenda::default(),
            is_woken: false,
            counters: Counters::default(),
        }
    }

    /// Takes the record at `position`. `now` is its stamp; one that goes back counts as the latest seen.
    pub fn handle_event(&mut self, now: Timestamp, position: Position, event: &Event) {
        self.now = self.now.max(now);
        self.cause.clone_from(&event.id);
        self.position = position;
        self.outbox.begin(event.is_copy);
        if *self.sender != *event.source {
            self.sender = event.source.as_str().into();
        }
        self.store.begin(&self.sender);
        self.take(event);
        self.advance();
        self.make_room();
    }

    /// Takes a record that was judged before a restart, and what was proposed of it then: windows, alerts,
    /// stretches and what was said of releases are rebuilt from the record, what began and ended from the
    /// proposals; nothing is proposed.
    pub(crate) fn replay_event(
        &mut self,
        now: Timestamp,
        position: Position,
        event: &Event,
        proposed: &[Proposal],
    ) {
        self.is_replay = true;
        // What was due came before the event then, too: a deployment is compared with what had settled before it.
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.handle_timeout(now);
        }
        proposed.iter().for_each(|proposal| self.restore(now, proposal));
        self.handle_event(now, position, event);
        self.is_replay = false;
    }

    /// Time has come: settles what has waited long enough, ends watches, tells of silence.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.advance();
    }

    /// When [`Self::handle_timeout`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let woken = self.is_woken.then_some(self.now);
        let own = [woken, self.agenda.next(), self.alerts.next_end()];
        own.into_iter().chain([self.store.poll_timeout()]).flatten().min()
    }

    /// The next proposal, in the order in which the arbiter has to see them.
    pub fn poll_proposal(&mut self) -> Option<Proposal> {
        self.outbox.take()
    }

    /// The windows.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// How many series could not be placed, and of how many services nothing is counted.
    pub fn unseen(&self) -> (usize, usize) {
        (self.store.unplaced_series(), self.store.uncounted_services())
    }

    /// What `ripcord discover` prints.
    pub fn discovery(&self) -> Discovery {
        self.store.discovery()
    }

    /// What was refused since the last call, the first of each reason.
    pub fn take_refused(&mut self) -> Vec<Refused> {
        self.store.take_refused()
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What the policy in force was loaded from; `None` while it is the default.
    pub fn policy_load(&self) -> Option<&PolicyLoad> {
        self.load.as_ref()
    }

    /// Where the record taken last stands on the log.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Every release remembered, by service, oldest first.
    pub fn releases(&self) -> impl Iterator<Item = &Release> {
        self.services.values().flat_map(|service| service.releases.iter().map(|it| &it.release))
    }

    /// What was counted since the start.
    pub fn counters(&self) -> Counters {
        let releases = self.services.values().map(|service| service.releases.len() as u64).sum();
        Counters { services: self.services.len() as u64, releases, ..self.counters }
    }

    fn take(&mut self, event: &Event) {
        match &event.body {
            EventBody::Telemetry(batch) => self.store.handle_batch(self.now, batch),
            EventBody::Requests(requests) => self.store.handle_requests(self.now, requests),
            EventBody::Deployment(deployment) => self.take_deployment(deployment),
            EventBody::Alerts(alerts) => self.take_alerts(&event.id, alerts),
            EventBody::Outcome(outcome) => {
                self.outbox.pass(Proposal::Outcome(outcome.clone()));
                self.with_service(&outcome.release.key, |service, context, outbox| {
                    // In a replay the proposal that passed through has told it.
                    if !context.is_replay {
                        service.handle_outcome(outcome, context, outbox);
                    }
                });
            }
            EventBody::Verb(verb) => self.take_verb(&event.id, verb),
            EventBody::PolicyLoad(load) => self.take_policy(load),
            EventBody::Delivery(delivery) => self.outbox.pass(Proposal::Delivery(delivery.clone())),
            EventBody::Tick => {}
        }
    }

    fn take_deployment(&mut self, deployment: &DeploymentEvent) {
        self.ensure_service(&deployment.key);
        let mut is_taken = false;
        self.with_service(&deployment.key, |service, context, outbox| {
            is_taken = if context.is_replay {
                service.replay_deployment(deployment, context)
            } else {
                let before = service.standing_of(deployment);
                let is_taken = service.handle_deployment(deployment, context, outbox);
                if !outbox.has_release() {
                    let (release, why) = service.why_ignored(deployment, before);
                    outbox.ignored(release, why);
                }
                is_taken
            };
        });
        self.counters.deployments_ignored += u64::from(!is_taken);
        // What is to be heard of the release counts from here on.
        self.schedule(&deployment.key, Some(self.now));
    }

    fn take_alerts(&mut self, id: &EventId, alerts: &[Alert]) {
        for alert in alerts {
            self.outbox.pass(Proposal::Alert { id: id.clone(), alert: Box::new(alert.clone()) });
        }
        let heard =
            alerts.iter().filter_map(|alert| self.alerts.handle(self.now, alert, &self.policy.identity));
        let affected: Vec<Affected> = heard.collect();
        self.judge_affected(&affected);
    }

    fn take_verb(&mut self, id: &EventId, verb: &Verb) {
        self.outbox.pass(Proposal::Verb { id: id.clone(), verb: Box::new(verb.clone()) });
        let release = match &verb.kind {
            VerbKind::Rollback { release, .. } | VerbKind::Cancel { release } => release,
            _ => return,
        };
        let Some((key, index)) = self.find_release(release) else { return };
        self.with_service(&key, |service, context, outbox| {
            service.handle_verb(index, verb, context, outbox);
        });
    }

    /// The release of that id; a bare id means the newest.
    fn find_release(&self, id: &ReleaseId) -> Option<(ServiceKey, usize)> {
        self.services.iter().find_map(|(key, service)| {
            let exact = service.releases.iter().rposition(|it| it.release.id == *id);
            let newest = || service.newest_of(id.as_str());
            let index = if id.bare() == id.as_str() { newest() } else { exact };
            index.map(|index| (key.clone(), index))
        })
    }

    fn take_policy(&mut self, load: &PolicyLoad) {
        self.outbox.pass(Proposal::PolicyLoad(Box::new(load.clone())));
        self.put_in_force(load);
    }

    pub(crate) fn put_in_force(&mut self, load: &PolicyLoad) {
        let (Some(policy), _) = policy::compile(load) else {
            self.counters.policies_refused += 1;
            return;
        };
        self.store.configure(&policy);
        self.policy = policy;
        self.load = Some(load.clone());
        self.services.values_mut().for_each(Service::forget_policy);
        self.wake();
    }

    /// What every event and every timeout ends with: what has settled is looked at, and what is due is done.
    fn advance(&mut self) {
        self.store.handle_timeout(self.now);
        for look in self.store.take_looks() {
            self.counters.looks += 1;
            self.ensure_service(&look.key);
            self.with_service(&look.key, |service, context, outbox| service.look(look.at, context, outbox));
        }
        self.do_due();
        if self.is_replay {
            self.outbox.discard();
        }
        self.outbox.flush();
    }

    /// Costs as much as is due, however many services are remembered.
    fn do_due(&mut self) {
        if self.alerts.next_end().is_some_and(|end| end <= self.now) {
            let over = self.alerts.expire(self.now);
            self.judge_affected(&over);
        }
        let due = if std::mem::take(&mut self.is_woken) {
            let waiting = self.services.iter().filter(|(_, service)| service.needs_time());
            waiting.map(|(key, _)| key.clone()).collect()
        } else {
            self.agenda.due(self.now)
        };
        for key in &due {
            self.with_service(key, Service::tend);
        }
        // Whatever could not be done at its time is tried again later, not in a loop.
        for key in self.agenda.due(self.now) {
            self.schedule(&key, Some(self.now + RETRY_AFTER));
        }
    }

    pub(crate) fn schedule(&mut self, key: &ServiceKey, due_at: Option<Timestamp>) {
        let Some(service) = self.services.get_mut(key) else { return };
        let before = std::mem::replace(&mut service.due_at, due_at);
        self.agenda.move_to(key, before, due_at);
    }

    /// An alert came or went: triggers that ask for one are judged without waiting for telemetry.
    fn judge_affected(&mut self, affected: &[Affected]) {
        for who in affected {
            let from = ServiceKey::new(who.service.clone(), "");
            let of_service = self.services.range(from..).take_while(|(key, _)| key.service == who.service);
            let keys: Vec<_> =
                of_service.filter(|(key, _)| who.covers(key)).map(|(key, _)| key.clone()).collect();
            for key in &keys {
                self.with_service(key, |service, context, outbox| {
                    service.judge_all(Scope::Alerts, context, outbox);
                });
            }
        }
    }

    /// Something was put in from outside: what is due is found anew.
    pub(crate) fn wake(&mut self) {
        self.is_woken = true;
    }

    fn with_service(
        &mut self,
        key: &ServiceKey,
        handle: impl FnOnce(&mut Service, Context<'_>, &mut Outbox),
    ) {
        let Some(service) = self.services.get_mut(key) else { return };
        let sources =
            Sources { store: &self.store, policy: &self.policy, alerts: &self.alerts, now: self.now };
        let context =
            Context { sources, cause: &self.cause, position: self.position, is_replay: self.is_replay };
        handle(service, context, &mut self.outbox);
        let next = if service.needs_time() { service.next_deadline(context) } else { None };
        self.schedule(key, next);
    }
}

impl Service {
    /// Does what is due.
    fn tend(&mut self, context: Context<'_>, outbox: &mut Outbox) {
        (0..self.releases.len()).for_each(|index| self.judge_silence(index, context, outbox));
        self.judge_held_alerts(context, outbox);
        self.judge_overdue(context, outbox);
        self.end_watches(context, outbox);
    }

    /// When time alone next changes something.
    fn next_deadline(&mut self, context: Context<'_>) -> Option<Timestamp> {
        let policy = self.effective(context.sources.policy);
        let watches =
            self.releases.iter().filter_map(|it| it.watch_deadline(policy.defaults.watch_max)).min();
        let silences = self.releases.iter().filter_map(Tracked::silence_deadline).min();
        let states =
            self.releases.iter().filter(|it| it.is_under_watch()).flat_map(|it| it.triggers.values());
        let waits = states.filter_map(TriggerState::overdue_at).min();
        [watches, silences, waits, self.held_alerts_deadline(context)].into_iter().flatten().min()
    }

    /// A stretch of an alert grows with time, not with samples.
    fn judge_held_alerts(&mut self, context: Context<'_>, outbox: &mut Outbox) {
        if self.held_alerts_deadline(context).is_some_and(|due| due <= context.now()) {
            self.judge_all(Scope::Alerts, context, outbox);
        }
    }

    fn held_alerts_deadline(&mut self, context: Context<'_>) -> Option<Timestamp> {
        let policy = self.effective(context.sources.policy);
        let asks = policy.triggers.iter().filter(|trigger| has_alert(&trigger.condition));
        let deadlines = asks.flat_map(|trigger| {
            let released = self.releases.iter().filter_map(|it| it.triggers.get(&trigger.name));
            let own = self.own.get(&trigger.name).map(|own| &own.state);
            released.chain(own).filter_map(|state| state.phase.due(trigger.hold))
        });
        deadlines.min()
    }
}
