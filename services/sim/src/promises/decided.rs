//! Promises about what is decided: that it has grounds, and that it comes.

use model::{
    BaselineKind, Command, CommandMode, CommandState, Comparison, Decision, DecisionRecord, Notice,
    NoticeStatus, Origin, Position, Proposal, Release, ReleaseId, Rise, Test,
};

use super::{Exceeding, Promises, describe, truth_of};
use crate::{
    plan::{Plan, Telemetry},
    world::{World, second_of},
};

/// As in the policy's defaults.
pub(super) const MAX_DECISION_AGE_SECONDS: i64 = 60;

const MIN_REQUESTS: u64 = 10;
const MIN_EVENTS: u64 = 4;

/// A version that fails at a fifth of its requests or more is found within this: a window of 2 minutes begins to
/// exceed 5 % after 30 s at the latest, scrapes come every 15 s, settle 6 s, and the storm guard gathers 5 s. The
/// rest is for what is delayed or missing.
const FOUND_WITHIN_SECONDS: u32 = 150;

impl Promises {
    pub(super) fn note_counted(&mut self, place: Position, record: &DecisionRecord, plan: &Plan) {
        let at = second_of(record.at);
        let answers = match record.origin {
            Origin::Arbiter { answers, .. } => answers,
            _ => place,
        };
        for decision in &record.decisions {
            match decision {
                Decision::Proposal(proposal) => self.note_proposal(at, place, proposal),
                Decision::Command(command) => self.note_command(at, answers, command, plan),
                Decision::Notice(notice) => self.note_notice(at, notice),
                Decision::BadVersion { service, environment, version, is_bad, .. } => {
                    let key = (service.clone(), environment.clone(), version.clone());
                    if *is_bad {
                        self.bad.insert(key)
                    } else {
                        self.bad.remove(&key)
                    };
                }
                Decision::Halt { halt, is_active: true } => {
                    self.halts.insert(halt.id.clone(), halt.clone());
                }
                Decision::Halt { halt, is_active: false } => drop(self.halts.remove(&halt.id)),
                Decision::Audit { .. } => {}
            }
        }
    }

    /// What a superseded arbiter, or one that came twice, wrote.
    pub(super) fn note_void(&mut self, record: &DecisionRecord) {
        for decision in &record.decisions {
            if let Decision::Command(command) = decision
                && command.state == CommandState::Ready
            {
                self.void_intents.insert((command.id.clone(), command.fencing));
            }
        }
    }

    fn note_proposal(&mut self, at: i64, place: Position, proposal: &Proposal) {
        match proposal {
            Proposal::Release(release) => {
                self.changes.push((at, release.id.clone(), release.state));
                self.releases.insert(release.id.clone(), Release::clone(release));
            }
            Proposal::Limit(limit) => {
                let key = (limit.key.service.clone(), limit.trigger.clone());
                if limit.is_exceeded {
                    let exceeding = Exceeding { since: at, by: place, rise: limit.rise };
                    self.exceeding.entry(key).or_insert(exceeding);
                } else {
                    self.exceeding.remove(&key);
                }
            }
            Proposal::Breach(breach) | Proposal::BreachContinues(breach) => {
                if let Some(release) = &breach.release {
                    let key = (release.id.clone(), breach.reason.trigger.clone());
                    self.rises.insert(key, breach.blame.rise);
                }
            }
            _ => {}
        }
    }

    fn note_command(&mut self, at: i64, answers: Position, command: &Command, plan: &Plan) {
        self.first_command.entry(command.release.id.clone()).or_insert(at);
        let is_intent = command.state == CommandState::Ready
            && self.intents.insert((command.id.clone(), command.fencing));
        if !is_intent {
            return;
        }
        self.check_names_a_target(at, command);
        if command.mode == CommandMode::Immediate {
            self.check_evidence(at, command);
            self.check_attribution(at, answers, command);
            self.check_blame(at, command, plan);
        }
    }

    /// Named by content, never to itself, never to a bad version.
    pub(super) fn check_names_a_target(&mut self, at: i64, command: &Command) {
        let name = describe(command);
        let Some(to) = command.to_version.clone().filter(|to| !to.is_empty()) else {
            return self.broken("a rollback names its target", at, name);
        };
        if to == command.release.version {
            self.broken("no rollback leads to the version it rolls back", at, name.clone());
        }
        let key = (command.release.key.service.clone(), command.release.key.environment.clone(), to);
        if self.bad.contains(&key) {
            self.broken("no command leads to a bad version", at, name);
        }
    }

    fn check_evidence(&mut self, at: i64, command: &Command) {
        for evidence in command.reasons.iter().flat_map(|reason| &reason.evidence) {
            let is_enough = evidence.requests >= MIN_REQUESTS && evidence.errors >= MIN_EVENTS;
            let is_proven =
                matches!(evidence.test, Test::Exact { level, tail_probability } if tail_probability <= level);
            if !(is_enough && is_proven && evidence.value > evidence.limit) {
                let what = format!("{}: {evidence:?}", describe(command));
                self.broken("an automatic rollback has enough evidence", at, what);
            }
        }
        if at - second_of(command.evidence_at) > MAX_DECISION_AGE_SECONDS {
            self.broken("nothing acts on old evidence", at, describe(command));
        }
    }

    /// What a service without a release has begun to show as well, at the same time and as much, is not the release's
    /// fault, unless the old version beside it is spared.
    fn check_attribution(&mut self, at: i64, answers: Position, command: &Command) {
        let Some(release) = self.releases.get(&command.release.id) else {
            return self.broken("a command is about a known release", at, describe(command));
        };
        let Some(reason) = command.reasons.first() else { return };
        let is_beside = |it: &Comparison| {
            matches!(it.baseline, BaselineKind::Beside { .. }) && it.probability <= it.level
        };
        let evidence = command.reasons.iter().flat_map(|reason| &reason.evidence);
        if evidence.filter_map(|it| it.comparison.as_ref()).any(is_beside) {
            return;
        }
        let not_before = second_of(release.started_at - reason.window);
        let own = self.rises.get(&(release.id.clone(), reason.trigger.clone())).copied().flatten();
        // What stands behind the record that is answered was not known then.
        let others = self.exceeding.iter().filter(|((service, trigger), exceeding)| {
            *service != release.key.service && *trigger == reason.trigger && exceeding.by <= answers
        });
        let mut bad_per_second = 0.0;
        let mut is_shared = false;
        for (_, exceeding) in others {
            match (exceeding.rise, own) {
                (Some(rise), Some(own)) if is_like(&rise, &own) => bad_per_second += rise.bad_per_second(),
                (Some(_), Some(_)) => {}
                _ => is_shared |= exceeding.since >= not_before,
            }
        }
        let enough = own.map_or(0.0, |own| own.bad_per_second() * 0.1);
        if is_shared || bad_per_second > enough {
            self.broken("a shared cause is nobody's fault", at, describe(command));
        }
    }

    fn check_blame(&mut self, at: i64, command: &Command, plan: &Plan) {
        let service = command.release.key.service.clone();
        let version = command.release.version.clone();
        self.automatic.push((at, service.clone(), version.clone()));
        let truth = truth_of(plan, &service, &version);
        // A stamp may be a little behind the world's time.
        let was_bad = truth.and_then(|it| it.bad_from).is_some_and(|from| i64::from(from) <= at + 1);
        if was_bad {
            return;
        }
        self.blameless.push((at, service, version));
        if !plan.has_outage() {
            self.broken("a good release is not rolled back", at, describe(command));
        }
    }

    fn note_notice(&mut self, at: i64, notice: &Notice) {
        match notice.status {
            NoticeStatus::Firing => {
                self.firing.entry(notice.labels.clone()).or_insert((at, notice.clone()));
                self.resolved.remove(&notice.labels);
            }
            NoticeStatus::Resolved => {
                self.firing.remove(&notice.labels);
                self.resolved.insert(notice.labels.clone(), at);
            }
        }
    }

    /// At the end of the run.
    pub(crate) fn check_bad_releases_were_found(
        &mut self,
        plan: &Plan,
        world: &World,
        is_quiet: impl Fn(u32, u32) -> bool,
    ) {
        let releases: Vec<Release> = self.releases.values().cloned().collect();
        for release in releases {
            let Some((from, until)) = due_span(&release, plan) else { continue };
            if !is_quiet(from.saturating_sub(30), until) || !self.was_watched(&release.id, from, until) {
                continue;
            }
            // One whose requests another version got, promoted late, has shown nothing that could be found.
            if !was_served(&release, plan, world, from, until) {
                continue;
            }
            let found = self.first_command.get(&release.id);
            if found.is_none_or(|at| *at > i64::from(until)) {
                let what = format!("{} {} bad from {from}", release.key, release.version);
                self.broken("a bad release is found", i64::from(until), what);
            }
        }
    }

    /// Whether triggers judged the release from `from` to `until` without a break.
    fn was_watched(&self, id: &ReleaseId, from: u32, until: u32) -> bool {
        let (from, until) = (i64::from(from), i64::from(until));
        let mut own = self.changes.iter().filter(|(_, release, _)| release == id);
        let begun = own.clone().any(|(at, _, state)| *at <= from + 5 && state.is_under_watch());
        begun && !own.any(|(at, _, state)| *at <= until && !state.is_under_watch())
    }
}

/// As in the policy's defaults: they began within 90 s of each other, and the other is at least half as large.
fn is_like(other: &Rise, own: &Rise) -> bool {
    let apart = (second_of(other.began_at) - second_of(own.began_at)).abs();
    apart < 90 && other.size() > own.size() * 0.5
}

fn was_served(release: &Release, plan: &Plan, world: &World, from: u32, until: u32) -> bool {
    let service = plan.services.iter().position(|it| it.name == release.key.service);
    service.is_some_and(|service| {
        let versions = &plan.services[service].versions;
        let version = versions.iter().position(|it| it.name == release.version);
        version.is_some_and(|version| world.services[service].serves(version, from, until))
    })
}

/// From when on a release was bad while it should have been found, and until when; `None`: it need not be found.
fn due_span(release: &Release, plan: &Plan) -> Option<(u32, u32)> {
    let service = plan.services.iter().find(|it| it.name == release.key.service)?;
    let truth = truth_of(plan, &service.name, &release.version)?;
    // At a canary's quarter of the traffic enough requests must come for the test.
    let is_enough = service.requests_per_second >= 8.0;
    let is_first_time = !release.id.as_str().contains('-');
    let bad_from = truth.bad_from?.max(truth.released_at);
    let begun = second_of(release.started_at);
    let is_own = begun >= i64::from(truth.released_at) && begun <= i64::from(bad_from) + 5;
    let is_told_apart = service.telemetry != Telemetry::Unversioned;
    (is_enough && is_first_time && is_own && is_told_apart)
        .then_some((bad_from, bad_from + FOUND_WITHIN_SECONDS))
}
