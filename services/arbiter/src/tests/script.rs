//! The script that scenarios are written in: `TIME WORD SERVICE VERSION key=value …`, a line a proposal.
//!
//! Each line is a record of its own; the timeouts due at its time are handled with it.

use std::{collections::BTreeMap, time::Duration};

use expect_test::Expect;
use model::{
    Action, Actor, Alert, Artifact, BaselineKind, BaselineValue, Breach, Command, CommandId, CommandState,
    Comparison, Counts, Decision, Delivery, EventId, Evidence, Finding, FindingKind, Halt, HaltId, HaltScope,
    Labels, LimitState, Notice, NoticeStatus, Outcome, OutcomeStatus, Owner, Proposal, Reason, Release,
    ReleaseId, ReleaseRef, ReleaseState, Rise, ServiceKey, SharedBlame, Test, Timestamp, Verb, VerbKind,
};
use policy::{Freeze, FreezeEffect, Match, Mode, Policy, Rules, Safety, Target, Unversioned};

use crate::Arbiter;

/// 2026-11-23T10:00:00Z: time 0 of every script.
pub(super) const START: Timestamp = Timestamp::from_millis(1_795_428_000_000);

/// Runs a script and compares what was decided, a line a decision.
pub(super) fn check(script: &str, expected: Expect) {
    expected.assert_eq(&run(script));
}

/// As [`check`], for commands, bad versions, halts and audits only.
pub(super) fn check_commands(script: &str, expected: Expect) {
    expected.assert_eq(&commands(script));
}

/// What a script leads to but for notices, a line a decision.
pub(super) fn commands(script: &str) -> String {
    let told = run(script);
    told.lines().filter(|line| !line.contains(" notice ")).map(|line| format!("{line}\n")).collect()
}

/// What a script leads to, a line a decision.
pub(super) fn told(script: &str) -> String {
    run(script)
}

fn run(script: &str) -> String {
    let run = run_all(script);
    run.decisions.iter().map(|(at, decision)| format!("{at} {}\n", describe(decision))).collect()
}

/// What a script leads to.
pub(super) fn decisions(script: &str) -> Vec<Decision> {
    run_all(script).decisions.into_iter().map(|(_, decision)| decision).collect()
}

fn run_all(script: &str) -> Run {
    let mut run = Run::default();
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let step = run.step(line);
        let at = line.split(' ').next().unwrap_or_default();
        run.decisions.extend(step.into_iter().map(|decision| (at.to_owned(), decision)));
    }
    run
}

/// An arbiter under a script.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) arbiter: Arbiter,
    pub(super) now: Timestamp,
    /// When each decision was made, as the script says it.
    decisions: Vec<(String, Decision)>,
    lines: u64,
}

/// One line, taken apart.
struct Line<'a> {
    words: Vec<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Line<'a> {
    fn parse(text: &'a str) -> Self {
        let (options, words): (Vec<&str>, Vec<&str>) =
            text.split_whitespace().partition(|word| word.contains('='));
        Self { words, options: options.iter().filter_map(|option| option.split_once('=')).collect() }
    }

    fn word(&self, at: usize) -> &'a str {
        self.words.get(at).copied().unwrap_or_default()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.options.get(name).map(|value| (*value).replace('_', " "))
    }

    fn exact(&self, name: &str) -> Option<String> {
        self.options.get(name).map(|value| (*value).to_owned())
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.options.get(name).map(|value| value.parse().unwrap())
    }

    fn span(&self, name: &str) -> Option<Duration> {
        self.options.get(name).map(|value| span(value))
    }

    /// `rise=4:1/1000:88/400`: it began at second 4, with so many bad requests before it and since.
    fn rise(&self, now: Timestamp) -> Option<Rise> {
        let parts: Vec<&str> = self.options.get("rise")?.split(':').collect();
        let began_at = START + Duration::from_secs(parts[0].parse().unwrap());
        Some(Rise { began_at, until: now, before: counts(parts[1]), since: counts(parts[2]) })
    }

    /// `worse=2.4.0:135/300:300/6000` or `no_worse=before:…`: the release and its baseline.
    fn comparison(&self) -> Option<Comparison> {
        let (text, probability) = match (self.options.get("worse"), self.options.get("no_worse")) {
            (Some(text), _) => (text, 1e-12),
            (None, text) => (text?, 0.4),
        };
        let parts: Vec<&str> = text.split(':').collect();
        let baseline = match parts[0] {
            "before" => BaselineKind::Before,
            version => BaselineKind::Beside { version: version.to_owned() },
        };
        let (release, before) = (counts(parts[1]), counts(parts[2]));
        Some(Comparison { baseline, release, before, margin: 1.25, level: 0.0001, probability })
    }

    fn key(&self) -> ServiceKey {
        ServiceKey::new(self.word(2), self.exact("env").unwrap_or_else(|| "production".into()))
    }

    fn release_id(&self) -> ReleaseId {
        let key = self.key();
        let cluster = self.exact("cluster").unwrap_or_default();
        ReleaseId::of(&key.service, &key.environment, &cluster, self.word(3), "")
    }

    fn reference(&self) -> ReleaseRef {
        ReleaseRef {
            id: self.release_id(),
            key: self.key(),
            cluster: self.exact("cluster"),
            version: self.word(3).to_owned(),
        }
    }

    fn command(&self) -> CommandId {
        let attempt = self.number("attempt").map_or(1, |attempt| attempt as u32);
        CommandId::of(&self.release_id(), "rollback", attempt)
    }
}

fn counts(text: &str) -> Counts {
    let (bad, total) = text.split_once('/').unwrap();
    Counts { bad: bad.parse().unwrap(), total: total.parse().unwrap() }
}

impl Run {
    /// Goes on from a checkpoint. A script's policy is none that was loaded: it is put into force again.
    pub(super) fn restart(&mut self) {
        let policy = self.arbiter.policy().cloned();
        self.arbiter = Arbiter::from_state(self.arbiter.state());
        if let Some(policy) = policy {
            self.arbiter.set_policy(policy);
        }
    }

    /// Takes one line; what is decided because of it, or because of the time it stands at.
    pub(super) fn step(&mut self, text: &str) -> Vec<Decision> {
        self.lines += 1;
        self.numbered_step(self.lines, text)
    }

    /// As [`Self::step`], as line `number` of a script that some lines were taken out of.
    pub(super) fn numbered_step(&mut self, number: u64, text: &str) -> Vec<Decision> {
        let line = Line::parse(text);
        if self.arbiter.policy().is_none() || line.word(0) == "policy" {
            self.arbiter.set_policy(policy(&line));
        }
        if line.word(0) == "policy" {
            return Vec::new();
        }
        self.now = START + span(line.word(0));
        let id = EventId::from_text(format!("evt_{number}"));
        self.arbiter.handle_record(self.now, &id, proposal(&line, self.now, &id).as_ref());
        std::iter::from_fn(|| self.arbiter.poll_decision()).collect()
    }
}

/// `mode=approve unversioned=auto targets=none approvals=2 cooldown=10m freeze=deny max_rollbacks=2 settle=5s per=10m`
fn policy(line: &Line<'_>) -> Policy {
    let mut policy = Policy::default_policy();
    let exec = |name: &str| Target::Exec { argv: vec![name.to_owned()], timeout: Duration::from_secs(20) };
    let targets = match line.exact("targets").as_deref() {
        Some("none") => Vec::new(),
        Some("two") => vec![exec("undo"), exec("flip")],
        _ => vec![exec("undo")],
    };
    let mode = line.exact("mode").map(|mode| match mode.as_str() {
        "observe" => Mode::Observe,
        "advise" => Mode::Advise,
        "approve" => Mode::Approve,
        _ => Mode::Auto,
    });
    let unversioned = line.exact("unversioned").map(|_| Unversioned::Auto);
    policy.base = Rules {
        mode,
        unversioned,
        targets: Some(targets),
        owner: Some(Owner { team: Some("payments".into()), ..Owner::default() }),
        attribution: None,
        safety: Some(Safety {
            cooldown: line.span("cooldown").unwrap_or(Duration::from_secs(600)),
            approvals: line.number("approvals").map_or(1, |it| it as u32),
        }),
        ..Rules::default()
    };
    policy.storm.max_rollbacks = line.number("max_rollbacks").map_or(5, |it| it as usize);
    policy.storm.settle = line.span("settle").unwrap_or(Duration::from_secs(5));
    policy.storm.per = line.span("per").unwrap_or(Duration::from_secs(600));
    if let Some(freeze) = line.exact("freeze") {
        policy.freezes.push(Freeze {
            place: None,
            matching: Match::new(),
            time_intervals: Vec::new(),
            promote: FreezeEffect::Deny,
            rollback: if freeze == "deny" { FreezeEffect::Deny } else { FreezeEffect::Approve },
        });
    }
    policy
}

fn proposal(line: &Line<'_>, now: Timestamp, id: &EventId) -> Option<Proposal> {
    let who = line.exact("by").unwrap_or_else(|| "ann".into());
    let actor = Actor { name: who.clone(), via: "cli".into(), address: String::new() };
    let verb = |kind| {
        let comment = line.text("comment").unwrap_or_default();
        Some(Proposal::Verb { id: id.clone(), verb: Box::new(Verb { kind, actor: actor.clone(), comment }) })
    };
    let release = line.release_id();
    match line.word(1) {
        "tick" => None,
        "release" => Some(Proposal::Release(Box::new(release_of(line, now)))),
        "breach" => Some(Proposal::Breach(Box::new(breach_of(line, now, id)))),
        "continues" => Some(Proposal::BreachContinues(Box::new(breach_of(line, now, id)))),
        "ended" => Some(Proposal::BreachEnded {
            key: line.key(),
            release: (line.word(3) != "-").then(|| line.reference()),
            trigger: line.word(4).to_owned(),
        }),
        "limit" => Some(Proposal::Limit(LimitState {
            key: line.key(),
            trigger: line.word(3).to_owned(),
            condition: "error_rate > 1%".into(),
            is_exceeded: line.word(4) == "on",
            value: 0.05,
            rise: line.rise(now),
        })),
        "finding" => Some(Proposal::Finding(Finding {
            key: line.key(),
            release: (line.word(3) != "-").then(|| line.reference()),
            kind: finding_kind(line.word(4)),
            is_active: line.word(5) == "on",
            text: format!("{} is {}", line.word(4), line.word(5)),
        })),
        "stage" => Some(Proposal::StagePassed { release: line.reference(), stage: line.word(4).to_owned() }),
        "outcome" => Some(Proposal::Outcome(Box::new(outcome_of(line)))),
        "delivery" => Some(Proposal::Delivery(Box::new(delivery()))),
        "alert" => Some(Proposal::Alert {
            id: id.clone(),
            alert: Box::new(Alert {
                labels: Labels::from_pairs(
                    [("alertname", line.word(2).to_owned()), ("severity", "critical".to_owned())]
                        .into_iter()
                        .chain(
                            ["service", "environment", "version"]
                                .into_iter()
                                .filter_map(|name| Some((name, line.exact(name)?))),
                        ),
                ),
                annotations: Labels::from_pairs([("summary", "as sent")]),
                starts_at: START + line.span("starts").unwrap_or_default(),
                ends_at: line.span("ends").map(|ends| START + ends),
                generator_url: String::new(),
            }),
        }),
        "rollback" => verb(VerbKind::Rollback {
            release,
            to_version: line.exact("to"),
            force: line.exact("force").is_some(),
        }),
        "promote" => verb(VerbKind::Promote { release }),
        "hold" => verb(VerbKind::Hold { release }),
        "cancel" => verb(VerbKind::Cancel { release }),
        "approve" => verb(VerbKind::Approve {
            command: line.command(),
            to_version: line.exact("to"),
            force: line.exact("force").is_some(),
        }),
        "reject" => verb(VerbKind::Reject { command: line.command() }),
        "halt" => verb(VerbKind::Halt(Halt {
            id: HaltId::from_text(line.word(2)),
            scope: scope_of(line),
            reason: line.text("reason").unwrap_or_default(),
            until: now + line.span("for").unwrap_or_default(),
            by: who,
        })),
        "unhalt" => verb(VerbKind::Unhalt { id: HaltId::from_text(line.word(2)) }),
        "clear" => verb(VerbKind::ClearBad {
            service: line.key().service,
            environment: line.key().environment,
            version: line.word(3).to_owned(),
        }),
        unknown => panic!("no such word: {unknown}"),
    }
}

fn release_of(line: &Line<'_>, now: Timestamp) -> Release {
    Release {
        id: line.release_id(),
        key: line.key(),
        cluster: line.exact("cluster"),
        version: line.word(3).to_owned(),
        previous_version: line.exact("previous"),
        stage: line.exact("stage"),
        artifact: line.exact("digest").map(|it| Artifact { reference: String::new(), digest: Some(it) }),
        revertible: line.exact("revertible").is_none_or(|it| it != "false"),
        rollback_floor: line.exact("floor"),
        started_at: line.span("started").map_or(now, |started| START + started),
        state: state_of(line.word(4)),
        state_reason: line.text("reason").unwrap_or_default(),
        state_since: now,
        ..Release::default()
    }
}

fn breach_of(line: &Line<'_>, now: Timestamp, id: &EventId) -> Breach {
    let trigger = if line.word(4).is_empty() { "error_rate" } else { line.word(4) };
    let is_latency = trigger.contains("time");
    let beside = line.exact("version_beside");
    let was = line.number("was");
    Breach {
        key: line.key(),
        release: (line.word(3) != "-").then(|| line.reference()),
        action: match line.exact("action").as_deref() {
            Some("alert_team") => Action::AlertTeam,
            Some("hold") => Action::Hold,
            Some("prepare_rollback") => Action::PrepareRollback,
            Some("alert_and_prepare_rollback") => Action::AlertAndPrepareRollback,
            _ => Action::ImmediateRollback,
        },
        reason: Reason {
            trigger: trigger.to_owned(),
            condition: if is_latency { "response_time_p95 > 1s".into() } else { "error_rate > 1%".into() },
            key: line.key(),
            window: Duration::from_secs(300),
            evidence: vec![Evidence {
                metric: if is_latency { "response_time_p95".into() } else { "error_rate".into() },
                value: if is_latency { 1.4 } else { 0.083 },
                limit: if is_latency { 1.0 } else { 0.01 },
                requests: 18_231,
                errors: 1513,
                coverage: 1.0,
                baseline: beside
                    .map(|version| BaselineValue {
                        kind: BaselineKind::Beside { version },
                        value: 0.02,
                        requests: 9000,
                    })
                    .or(was.map(|value| BaselineValue { kind: BaselineKind::Before, value, requests: 9000 })),
                test: Test::Exact { level: 0.0001, tail_probability: 0.000_000_3 },
                comparison: line.comparison(),
                ..Evidence::default()
            }],
            evidence_at: now - line.span("age").unwrap_or_default(),
            cause: id.clone(),
            ..Reason::default()
        },
        blame: SharedBlame {
            before: line.number("before"),
            beside: line.number("beside"),
            is_unversioned: line.exact("unversioned").is_some(),
            rise: line.rise(now),
            names_others: line.exact("unversioned").as_deref() == Some("others"),
        },
    }
}

fn outcome_of(line: &Line<'_>) -> Outcome {
    Outcome {
        command: line.command(),
        release: line.reference(),
        status: match line.word(4) {
            "accepted" => OutcomeStatus::Accepted,
            "succeeded" => OutcomeStatus::Succeeded,
            "failed" => OutcomeStatus::Failed,
            _ => OutcomeStatus::Refused,
        },
        is_stale: line.exact("stale").is_some(),
        is_retryable: line.exact("retryable").is_some(),
        target: format!("exec {}", line.exact("target").unwrap_or_else(|| "undo".into())),
        attempts: 1,
        detail: line.text("detail").unwrap_or_default(),
        actor: line.exact("by").map(|name| Actor { name, via: "api".into(), address: String::new() }),
    }
}

fn delivery() -> Delivery {
    Delivery {
        send: model::SendId::default(),
        notices: Vec::new(),
        release: None,
        receiver: "sre".into(),
        integration: "slack".into(),
        index: 0,
        group_key: String::new(),
        result: model::DeliveryResult::Delivered,
        attempts: 1,
        detail: String::new(),
        thread: None,
        firing: Vec::new(),
        resolved: Vec::new(),
        recipients: Vec::new(),
    }
}

fn finding_kind(name: &str) -> FindingKind {
    match name {
        "sender_silent" => FindingKind::SenderSilent,
        "release_silent" => FindingKind::ReleaseSilent,
        "ambiguous_version" => FindingKind::AmbiguousVersion,
        _ => FindingKind::Torn,
    }
}

fn scope_of(line: &Line<'_>) -> HaltScope {
    match (line.exact("service"), line.exact("env")) {
        (Some(service), environment) => HaltScope::Service { service, environment },
        (None, Some(environment)) => HaltScope::Environment(environment),
        (None, None) => HaltScope::All,
    }
}

pub(super) fn state_of(name: &str) -> ReleaseState {
    use ReleaseState::*;
    let all = [
        Pending,
        Progressing,
        Watching,
        Succeeded,
        Unproven,
        RolledBack,
        Recovered,
        RollbackFailed,
        Superseded,
        Cancelled,
    ];
    all.into_iter().find(|state| state.as_str() == name).unwrap_or_else(|| panic!("no such state: {name}"))
}

fn span(text: &str) -> Duration {
    let (digits, unit) = text.split_at(text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("no duration: {text}"));
    match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        "h" => Duration::from_secs(number * 3600),
        _ => panic!("no duration: {text}"),
    }
}

/// One decision as one line.
pub(super) fn describe(decision: &Decision) -> String {
    match decision {
        Decision::Proposal(_) => "a proposal, which is not the arbiter's to record".to_owned(),
        Decision::Command(command) => {
            let release = &command.release;
            let cluster = release.cluster.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
            let digest = command.to_digest.as_ref().map(|it| format!("@{it}")).unwrap_or_default();
            let reasons: Vec<&str> = command.reasons.iter().map(|reason| reason.trigger.as_str()).collect();
            let why = if command.state_reason.is_empty() { "" } else { ": " };
            format!(
                "command {} {}{cluster} #{} {} {} to {}{digest} for {} until {}s{}{why}{}",
                release.key.service,
                release.version,
                command.attempt,
                command.state.as_str(),
                intent(command),
                command.to_version.as_deref().unwrap_or("?"),
                reasons.join("+"),
                command.deadline.since(START).as_secs(),
                approvals(&command.approved_by),
                command.state_reason
            )
        }
        Decision::Notice(notice) => describe_notice(notice),
        Decision::Halt { halt, is_active } => {
            format!("halt {} {}", halt.id, if *is_active { "begins" } else { "ends" })
        }
        Decision::BadVersion { service, version, digest, is_bad, why, .. } => {
            let digest = digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
            let verb = if *is_bad { "is bad" } else { "is not bad any more" };
            format!("version {service} {version}{digest} {verb}: {why}")
        }
        Decision::Audit { actor, about: _, what, why, result } => {
            let what: Vec<&str> = what
                .split(' ')
                .map(|it| if it.starts_with("rel_") || it.starts_with("cmd_") { &it[..3] } else { it })
                .collect();
            let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
            format!("audit {} {}{why}: {}", actor.name, what.join(" "), without_ids(result))
        }
    }
}

/// What is to be sent carries its fencing number.
fn intent(command: &Command) -> String {
    let mode = command.mode.as_str();
    if command.state == CommandState::Ready {
        format!("{mode} ({})", command.fencing)
    } else {
        mode.to_owned()
    }
}

fn approvals(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" approved by {}", names.join("+")) }
}

/// Hashes say nothing to the reader of a test.
fn without_ids(text: &str) -> String {
    let words = text
        .split(' ')
        .map(|word| if word.starts_with("cmd_") || word.starts_with("rel_") { &word[..3] } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn describe_notice(notice: &Notice) -> String {
    let status = if notice.status == NoticeStatus::Firing { "firing" } else { "resolved" };
    let summary = notice.annotations.get("summary").unwrap_or_default();
    format!("notice {status} {} {}: {summary}", notice.kind.as_str(), notice.severity.as_str())
}
