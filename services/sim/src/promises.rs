//! What may never happen, each promise a small function; looked at after every step, from outside of the cores.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    Command, CommandId, CommandMode, CommandState, Decision, DecisionRecord, Event, EventBody, Halt, HaltId,
    Labels, Notice, NoticeStatus, Proposal, Release, ReleaseId, Test, Timestamp, VerbKind,
};

use crate::{
    outside::{Arrived, Execution},
    plan::{Plan, Telemetry, VersionPlan},
    world::second_of,
};

/// As in the policy's defaults.
const MAX_DECISION_AGE_SECONDS: i64 = 60;

const MIN_REQUESTS: u64 = 10;
const MIN_EVENTS: u64 = 4;

/// A version that fails at a fifth of its requests or more is found within this: a window of 2 minutes begins to
/// exceed 5 % after 30 s at the latest, scrapes come every 15 s, settle 6 s, and the storm guard gathers 5 s. The
/// rest is for what is delayed or missing.
const FOUND_WITHIN_SECONDS: u32 = 150;

/// How much of a difference is shown, and of what stands before it, in characters.
const SHOWN: usize = 240;
const SHOWN_BEFORE: usize = 80;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub promise: &'static str,
    /// Since the run's beginning.
    pub second: i64,
    pub what: String,
}

/// What was seen so far, kept apart from what the cores know.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    pub(crate) violations: Vec<Violation>,
    intents: BTreeSet<(CommandId, u64)>,
    commands: BTreeMap<CommandId, Command>,
    /// When each release was first answered for: a command made, whatever its state.
    pub(crate) first_command: BTreeMap<ReleaseId, i64>,
    releases: BTreeMap<ReleaseId, Release>,
    changes: Vec<(i64, ReleaseId, model::ReleaseState)>,
    bad: BTreeSet<(String, String, String)>,
    halts: BTreeMap<HaltId, Halt>,
    exceeding: BTreeMap<(String, String), i64>,
    effective: BTreeMap<CommandId, String>,
    pub(crate) automatic: Vec<(i64, String, String)>,
    pub(crate) blameless: Vec<(i64, String, String)>,
    firing: BTreeMap<Labels, (i64, Notice)>,
    resolved: BTreeMap<Labels, i64>,
}

impl Promises {
    fn broken(&mut self, promise: &'static str, at: i64, what: impl Into<String>) {
        self.violations.push(Violation { promise, second: at, what: what.into() });
    }

    /// People's halts, from the events themselves.
    pub(crate) fn note_event(&mut self, event: &Event) {
        let EventBody::Verb(verb) = &event.body else { return };
        match &verb.kind {
            VerbKind::Halt(halt) if halt.until > event.at => {
                self.halts.insert(halt.id.clone(), halt.clone());
            }
            VerbKind::Unhalt { id } => drop(self.halts.remove(id)),
            _ => {}
        }
    }

    pub(crate) fn note_record(&mut self, record: &DecisionRecord, plan: &Plan) {
        let at = second_of(record.at);
        for decision in &record.decisions {
            match decision {
                Decision::Proposal(proposal) => self.note_proposal(at, proposal),
                Decision::Command(command) => self.note_command(at, command, plan),
                Decision::Notice(notice) => self.note_notice(at, notice),
                Decision::BadVersion { service, environment, version, is_bad, .. } => {
                    let key = (service.clone(), environment.clone(), version.clone());
                    if *is_bad {
                        self.bad.insert(key)
                    } else {
                        self.bad.remove(&key)
                    };
                }
                Decision::Halt { .. } | Decision::Audit { .. } => {}
            }
        }
    }

    fn note_proposal(&mut self, at: i64, proposal: &Proposal) {
        match proposal {
            Proposal::Release(release) => {
                self.changes.push((at, release.id.clone(), release.state));
                self.releases.insert(release.id.clone(), Release::clone(release));
            }
            Proposal::Limit(limit) => {
                let key = (limit.key.service.clone(), limit.trigger.clone());
                if limit.is_exceeded {
                    self.exceeding.entry(key).or_insert(at);
                } else {
                    self.exceeding.remove(&key);
                }
            }
            _ => {}
        }
    }

    fn note_command(&mut self, at: i64, command: &Command, plan: &Plan) {
        self.first_command.entry(command.release.id.clone()).or_insert(at);
        self.commands.insert(command.id.clone(), command.clone());
        let is_intent = command.state == CommandState::Ready
            && self.intents.insert((command.id.clone(), command.fencing));
        if !is_intent {
            return;
        }
        self.check_names_a_target(at, command);
        if command.mode == CommandMode::Immediate {
            self.check_evidence(at, command);
            self.check_attribution(at, command);
            self.check_blame(at, command, plan);
        }
    }

    /// Named by content, never to itself, never to a bad version.
    fn check_names_a_target(&mut self, at: i64, command: &Command) {
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

    /// What a service without a release has begun to show as well is not the release's fault.
    fn check_attribution(&mut self, at: i64, command: &Command) {
        let Some(release) = self.releases.get(&command.release.id) else {
            return self.broken("a command is about a known release", at, describe(command));
        };
        let Some(reason) = command.reasons.first() else { return };
        let not_before = second_of(release.started_at - reason.window);
        let is_shared = |((service, trigger), since): (&(String, String), &i64)| {
            *service != command.release.key.service && *trigger == reason.trigger && *since >= not_before
        };
        if self.exceeding.iter().any(is_shared) {
            self.broken("a shared cause is nobody's fault", at, describe(command));
        }
    }

    fn check_blame(&mut self, at: i64, command: &Command, plan: &Plan) {
        let service = command.release.key.service.clone();
        let version = command.release.version.clone();
        self.automatic.push((at, service.clone(), version.clone()));
        let truth = truth_of(plan, &service, &version);
        let was_bad = truth.and_then(|it| it.bad_from).is_some_and(|from| i64::from(from) <= at);
        if was_bad {
            return;
        }
        self.blameless.push((at, service, version));
        if !plan.has_outage() {
            self.broken("a good release is not rolled back", at, describe(command));
        }
    }

    /// How many releases there were.
    pub(crate) fn releases(&self) -> usize {
        self.releases.len()
    }

    /// A request reached the deployment tool.
    pub(crate) fn note_execution(&mut self, execution: &Execution, now: Timestamp) {
        let (command, at) = (&execution.command, i64::from(execution.second));
        let is_on_log = self.intents.contains(&(command.id.clone(), command.fencing));
        if !is_on_log {
            self.broken("only what is on the log is carried out", at, describe(command));
        }
        self.check_names_a_target(at, command);
        let to = command.to_version.clone().unwrap_or_default();
        let before = self.effective.get(&command.id).cloned();
        if let Some(before) = &before
            && execution.is_effective
        {
            let what = format!("{} again, first to {before}", describe(command));
            self.broken("a rollback is carried out once", at, what);
        }
        if before.is_some_and(|before| before != to) {
            self.broken("one id never names two targets", at, describe(command));
        }
        if execution.is_effective {
            self.effective.insert(command.id.clone(), to);
        }
        if command.mode == CommandMode::Immediate {
            self.check_halts(at, command, now);
            if now.since(command.evidence_at).as_secs() as i64 > MAX_DECISION_AGE_SECONDS {
                self.broken("nothing acts on old evidence", at, describe(command));
            }
        }
    }

    fn check_halts(&mut self, at: i64, command: &Command, now: Timestamp) {
        let key = &command.release.key;
        let covers = |halt: &Halt| halt.until > now && halt.scope.covers(&key.service, &key.environment);
        if self.halts.values().any(covers) {
            self.broken("halt wins over everything", at, describe(command));
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
    pub(crate) fn check_bad_releases_were_found(&mut self, plan: &Plan, is_quiet: impl Fn(u32, u32) -> bool) {
        let releases: Vec<Release> = self.releases.values().cloned().collect();
        for release in releases {
            let Some((from, until)) = due_span(&release, plan) else { continue };
            if !is_quiet(from.saturating_sub(30), until) || !self.was_watched(&release.id, from, until) {
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

    /// At the end of the run, when all messages had time to arrive.
    pub(crate) fn check_messages(&mut self, arrived: &[Arrived], failed: &BTreeSet<String>, end: u32) {
        let mut told: BTreeMap<(String, u64), NoticeStatus> = BTreeMap::new();
        for message in arrived {
            for notice in &message.send.notices {
                let key = (message.send.receiver.clone(), notice.labels.fingerprint());
                told.insert(key, notice.status);
            }
        }
        let end = i64::from(end);
        for (labels, at) in self.resolved.clone() {
            let print = labels.fingerprint();
            for receiver in ["sre", "pager"] {
                let is_open = told.get(&(receiver.to_owned(), print)) == Some(&NoticeStatus::Firing);
                if is_open && end - at > 300 {
                    let what = format!("{receiver} was never told that {labels} is over since {at}");
                    self.broken("each firing that was delivered gets its resolved", end, what);
                }
            }
        }
        for (labels, (at, notice)) in self.firing.clone() {
            let print = labels.fingerprint();
            let is_told = ["sre", "pager"].iter().any(|it| told.contains_key(&((*it).to_owned(), print)));
            if !is_told && end - at > 300 && !failed.contains(notice.id.as_str()) {
                self.broken(
                    "each firing notice is delivered or its failure is seen",
                    end,
                    labels.to_string(),
                );
            }
        }
    }

    /// At the end of the run: nothing fires for what is over.
    pub(crate) fn check_nothing_fires_for_what_is_over(&mut self, end: u32) {
        for (labels, (at, notice)) in self.firing.clone() {
            let release = notice.release.as_ref().and_then(|it| self.releases.get(&it.id));
            let Some(release) = release.filter(|release| release.state.is_final()) else { continue };
            let what = format!("{labels} since {at}, the release is {}", release.state);
            self.broken("nothing fires for a release that is over", i64::from(end), what);
        }
    }

    pub(crate) fn check_counted_at_most_once(&mut self, at: u32, service: &str, counted: u64, served: u64) {
        if counted > served {
            let what = format!("{service}: {counted} requests counted, {served} served");
            self.broken("each request counts once", i64::from(at), what);
        }
    }

    /// Two texts of decisions, line by line.
    pub(crate) fn check_equal(&mut self, promise: &'static str, have: &[String], want: &[String]) {
        let longest = have.len().max(want.len());
        let differs = (0..longest).find(|&at| have.get(at) != want.get(at));
        let Some(at) = differs else { return };
        let text = |lines: &[String]| lines.get(at).cloned().unwrap_or_else(|| "nothing".to_owned());
        let (have, want) = (text(have), text(want));
        let common = have.chars().zip(want.chars()).take_while(|(a, b)| a == b).count();
        let cut = |text: &str| {
            text.chars().skip(common.saturating_sub(SHOWN_BEFORE)).take(SHOWN).collect::<String>()
        };
        let head: String = have.chars().take(SHOWN).collect();
        let what = format!("decision {at}: {head}\n    have …{}\n    want …{}", cut(&have), cut(&want));
        self.broken(promise, -1, what);
    }

    pub(crate) fn check_bound(&mut self, at: u32, name: &str, value: usize, most: usize) {
        if value > most {
            self.broken("memory is bounded", i64::from(at), format!("{name}: {value}, at most {most}"));
        }
    }
}

/// How many messages came again under another id, though the first was not reported as failed.
pub(crate) fn messages_under_two_ids(arrived: &[Arrived], failed: &BTreeSet<String>) -> u64 {
    let mut last: BTreeMap<(String, String), (String, String)> = BTreeMap::new();
    let mut count = 0;
    for message in arrived {
        let send = &message.send;
        let notices = send.notices.iter().map(|it| format!("{} {:?}", it.id, it.status));
        let content = format!("{:?} {}", send.reason, notices.collect::<Vec<_>>().join(","));
        let key = (send.receiver.clone(), send.group_key.clone());
        let before = last.insert(key, (send.id.to_string(), content.clone()));
        let Some((id, same)) = before else { continue };
        let is_repeat = send.reason == model::SendReason::RepeatIntervalElapsed || failed.contains(&id);
        count += u64::from(same == content && id != send.id.as_str() && !is_repeat);
    }
    count
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

fn truth_of<'a>(plan: &'a Plan, service: &str, version: &str) -> Option<&'a VersionPlan> {
    let service = plan.services.iter().find(|it| it.name == service)?;
    service.versions.iter().find(|it| it.name == version)
}

fn describe(command: &Command) -> String {
    let to = command.to_version.as_deref().unwrap_or("?");
    let key = &command.release.key;
    format!("{} {} {} to {to} ({:?})", command.id, key.service, command.release.version, command.mode)
}
