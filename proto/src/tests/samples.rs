//! One record of each kind with every field filled; `golden` holds their bytes.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use model::{target::KAFKA_TIMEOUT, *};

use crate::{EnvelopeBody, EventEnvelope, TelemetryEncoding};

/// Each kind of event under the name of its bytes.
pub(super) fn events() -> Vec<(&'static str, EventEnvelope)> {
    let telemetry = EnvelopeBody::Telemetry {
        encoding: TelemetryEncoding::OtlpMetricsJson,
        body: Bytes::from_static(b"{\"resourceMetrics\":[]}"),
    };
    let mut batch = Batch { is_whole: true, ..Batch::default() };
    let sample = Sample { value: -0.0, at: at(5), start: Some(at(1)) };
    let stale = Sample { value: f64::from_bits(telemetry::STALE_NAN_BITS), at: at(6), start: None };
    batch.push([("__name__", "up"), ("service", "checkout")], SeriesKind::Cumulative, [sample, stale]);
    let request = RequestEvent {
        key: key(),
        version: Some("2.4.1".into()),
        route: Some("/pay".into()),
        is_error: true,
        duration_ms: Some(12.5),
        at: at(7),
    };
    let other = EnvelopeBody::Other;
    let bodies = [
        ("event_telemetry", telemetry),
        ("event_batch", other(EventBody::Telemetry(batch))),
        ("event_requests", other(EventBody::Requests(vec![request]))),
        ("event_deployment", other(EventBody::Deployment(Box::new(deployment())))),
        ("event_alerts", other(EventBody::Alerts(vec![alert()]))),
        ("event_outcome", other(EventBody::Outcome(Box::new(outcome())))),
        ("event_delivery", other(EventBody::Delivery(Box::new(delivery())))),
        ("event_verb", other(EventBody::Verb(Box::new(verb())))),
        ("event_policy_load", other(EventBody::PolicyLoad(Box::new(policy_load())))),
        ("event_tick", other(EventBody::Tick)),
    ];
    let envelope = |body| EventEnvelope {
        id: EventId::from_text("evt_1"),
        at: at(1_795_428_000_123),
        source: "prometheus".into(),
        is_copy: false,
        body,
    };
    let copy = EnvelopeBody::Other(EventBody::PolicyLoad(Box::new(policy_load())));
    let copy = ("event_copy", EventEnvelope { is_copy: true, ..envelope(copy) });
    let slice = EnvelopeBody::Telemetry {
        encoding: TelemetryEncoding::RemoteWriteV1Protobuf,
        body: Bytes::from_static(b"\x0a\x00"),
    };
    let slice = ("event_slice", envelope(slice));
    let columns = EnvelopeBody::Telemetry {
        encoding: TelemetryEncoding::BatchColumns,
        body: Bytes::from_static(b"\x08\x01"),
    };
    let columns = ("event_columns", envelope(columns));
    bodies.into_iter().map(|(name, body)| (name, envelope(body))).chain([copy, slice, columns]).collect()
}

/// Each kind of decision under the name of its bytes, one a record.
pub(super) fn decisions() -> Vec<(&'static str, DecisionRecord)> {
    let id = || EventId::from_text("evt_1");
    let limit = LimitState {
        key: key(),
        trigger: "error_rate".into(),
        condition: "error_rate > 1%".into(),
        is_exceeded: true,
        value: 0.083,
        rise: None,
    };
    let rise = Rise {
        began_at: at(1_795_428_000_000),
        until: at(1_795_428_060_000),
        before: Counts { bad: 1, total: 1000 },
        since: Counts { bad: 88, total: 400 },
    };
    let risen = LimitState { rise: Some(rise), ..limit.clone() };
    let blame = SharedBlame {
        before: Some(0.02),
        beside: Some(0.03),
        is_unversioned: true,
        rise: None,
        names_others: false,
    };
    let breach = Breach {
        key: key(),
        release: Some(release_ref()),
        action: Action::ImmediateRollback,
        reason: reason(),
        blame,
    };
    let mut unnamed = breach.clone();
    unnamed.blame.names_others = true;
    let mut compared = breach.clone();
    compared.blame = SharedBlame { rise: Some(rise), ..SharedBlame::default() };
    compared.reason.evidence[0].comparison = Some(Comparison {
        baseline: BaselineKind::Before,
        release: Counts { bad: 1513, total: 18_231 },
        before: Counts { bad: 9, total: 10_000 },
        margin: 1.25,
        level: 0.0001,
        probability: 3e-12,
    });
    let finding = Finding {
        key: key(),
        release: Some(release_ref()),
        kind: FindingKind::ReleaseSilent,
        is_active: true,
        text: "no requests for 2m".into(),
    };
    let proposal = Decision::Proposal;
    let bad = Decision::BadVersion {
        service: "checkout".into(),
        environment: "production".into(),
        cluster: Some("eu".into()),
        version: "2.4.1".into(),
        digest: Some("sha256:1".into()),
        is_bad: true,
        why: "rolled back".into(),
    };
    let audit = Decision::Audit {
        actor: actor(),
        about: ServiceKey::default(),
        what: "approve".into(),
        why: "seen it".into(),
        result: "done".into(),
    };
    let audit_of_a_service = Decision::Audit {
        actor: actor(),
        about: key(),
        what: "halt".into(),
        why: "a look".into(),
        result: "done".into(),
    };
    let continues = Proposal::BreachContinues(Box::new(breach.clone()));
    let retryable =
        Outcome { status: OutcomeStatus::Failed, is_stale: false, is_retryable: true, ..outcome() };
    let forced =
        VerbKind::Rollback { release: release_ref().id, to_version: Some("2.3.0".into()), force: true };
    let forced = Verb { kind: forced, ..verb() };
    let ignored =
        Proposal::Ignored { release: Some(release_ref().id), why: "this event was taken before".into() };
    let ended =
        Proposal::BreachEnded { key: key(), release: Some(release_ref()), trigger: "error_rate".into() };
    let record = |decision| DecisionRecord {
        origin: Origin::Analyzer,
        cause: id(),
        partition: Partition::HOME,
        position: Position(42),
        at: at(1_795_428_000_123),
        decisions: vec![decision],
    };
    let by = |origin, decision| DecisionRecord { origin, partition: Partition(7), ..record(decision) };
    let halt = |is_active| Decision::Halt { halt: halt(), is_active };
    let topic = TargetRef { kind: TargetKind::Kafka, name: "kafka deploys".into(), timeout: KAFKA_TIMEOUT };
    let to_topic = Command { targets: vec![topic], ..command() };
    let written = [
        ("record_analyzer", by(Origin::Analyzer, halt(true))),
        ("record_arbiter", by(Origin::Arbiter { epoch: 3, answers: Position(41) }, halt(true))),
        ("record_claim", by(Origin::Claim { instance: "ripcord-0".into() }, halt(false))),
        ("record_clock", by(Origin::Clock { epoch: 3 }, halt(false))),
        ("record_teller", by(Origin::Teller, halt(false))),
        ("audit_of_a_service", record(audit_of_a_service)),
        ("limit_risen", record(Decision::Proposal(Proposal::Limit(risen)))),
        ("breach_compared", record(Decision::Proposal(Proposal::Breach(Box::new(compared))))),
        ("breach_of_other_versions", record(Decision::Proposal(Proposal::Breach(Box::new(unnamed))))),
        ("command_kafka", record(Decision::Command(Box::new(to_topic)))),
    ];
    [
        ("decision_release", proposal(Proposal::Release(Box::new(release())))),
        ("decision_limit", proposal(Proposal::Limit(limit))),
        ("decision_breach", proposal(Proposal::Breach(Box::new(breach)))),
        ("decision_breach_ended", proposal(ended)),
        ("decision_finding", proposal(Proposal::Finding(finding))),
        (
            "decision_stage_passed",
            proposal(Proposal::StagePassed { release: release_ref(), stage: "Canary".into() }),
        ),
        ("decision_alert", proposal(Proposal::Alert { id: id(), alert: Box::new(alert()) })),
        ("decision_verb", proposal(Proposal::Verb { id: id(), verb: Box::new(verb()) })),
        ("decision_outcome", proposal(Proposal::Outcome(Box::new(outcome())))),
        ("decision_delivery", proposal(Proposal::Delivery(Box::new(delivery())))),
        ("decision_policy_load", proposal(Proposal::PolicyLoad(Box::new(policy_load())))),
        ("decision_breach_continues", proposal(continues)),
        ("decision_outcome_retryable", proposal(Proposal::Outcome(Box::new(retryable)))),
        ("decision_verb_forced", proposal(Proposal::Verb { id: id(), verb: Box::new(forced) })),
        ("decision_ignored", proposal(ignored)),
        ("decision_command", Decision::Command(Box::new(command()))),
        ("decision_notice", Decision::Notice(Box::new(notice()))),
        ("decision_halt", halt(true)),
        ("decision_bad_version", bad),
        ("decision_audit", audit),
    ]
    .map(|(name, decision)| (name, record(decision)))
    .into_iter()
    .chain(written)
    .collect()
}

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn key() -> ServiceKey {
    ServiceKey::new("checkout", "production")
}

pub(super) fn actor() -> Actor {
    Actor { name: "ada".into(), via: "slack".into(), address: "192.0.2.1".into() }
}

fn map() -> BTreeMap<String, String> {
    BTreeMap::from([("b".into(), "2".into()), ("a".into(), "1".into())])
}

fn release_ref() -> ReleaseRef {
    release().reference()
}

fn deployment() -> DeploymentEvent {
    DeploymentEvent {
        release_id: ReleaseId::from_text("rel_1"),
        key: key(),
        cluster: Some("eu".into()),
        version: "2.4.1".into(),
        previous_version: Some("2.4.0".into()),
        status: DeploymentStatus::Promoted,
        kind: ChangeKind::Schema,
        change_id: Some("change 7".into()),
        stage: Some("Canary".into()),
        traffic_percentage: Some(5.0),
        artifact: Some(Artifact { reference: "shop:2.4.1".into(), digest: Some("sha256:1".into()) }),
        commit: Some("abc123".into()),
        committed_at: Some(at(3)),
        revertible: Some(false),
        rollback_floor: Some("2.3.0".into()),
        owner: Some(Owner {
            team: Some("pay".into()),
            slack: Some("#pay".into()),
            email: Some("p@x".into()),
            mention: None,
        }),
        links: map(),
        facts: map(),
        occurred_at: Some(at(4)),
    }
}

fn release() -> Release {
    let event = deployment();
    Release {
        id: event.release_id,
        key: event.key,
        cluster: event.cluster,
        version: event.version,
        previous_version: event.previous_version,
        kind: event.kind,
        change_id: event.change_id,
        stage: event.stage,
        traffic_percentage: event.traffic_percentage,
        artifact: event.artifact,
        commit: event.commit,
        committed_at: event.committed_at,
        revertible: true,
        rollback_floor: event.rollback_floor,
        owner: event.owner,
        links: event.links,
        facts: event.facts,
        started_at: at(10),
        watch_until: Some(at(20)),
        state: ReleaseState::RollingBack,
        state_since: at(15),
        state_reason: "error_rate > 1%".into(),
        previous_is_guess: false,
        previous_is_unseen: false,
    }
}

fn alert() -> Alert {
    Alert {
        labels: Labels::from_pairs([("alertname", "Down"), ("service", "checkout")]),
        annotations: Labels::from_pairs([("summary", "down")]),
        starts_at: at(1),
        ends_at: Some(at(2)),
        generator_url: "http://prometheus/graph".into(),
    }
}

fn outcome() -> Outcome {
    Outcome {
        command: CommandId::from_text("cmd_1"),
        release: release_ref(),
        status: OutcomeStatus::Refused,
        is_stale: true,
        is_retryable: false,
        target: "webhook https://deploy".into(),
        attempts: 3,
        detail: "503".into(),
        actor: Some(actor()),
    }
}

fn delivery() -> Delivery {
    Delivery {
        send: SendId::from_text("snd_1"),
        notices: vec![NoticeId::from_text("ntc_1"), NoticeId::from_text("ntc_2")],
        release: Some(release_ref()),
        receiver: "team".into(),
        integration: "slack".into(),
        index: 1,
        group_key: "{}:{}".into(),
        result: DeliveryResult::Suppressed,
        attempts: 2,
        detail: "muted".into(),
        thread: Some("C1 1.2".into()),
        firing: vec![1, u64::MAX],
        resolved: vec![2],
        recipients: Vec::new(),
    }
}

pub(super) fn halt() -> Halt {
    Halt {
        id: HaltId::from_text("hlt_1"),
        scope: HaltScope::Service { service: "checkout".into(), environment: Some("production".into()) },
        reason: "incident".into(),
        until: at(99),
        by: "ada".into(),
    }
}

fn verb() -> Verb {
    Verb { kind: VerbKind::Halt(halt()), actor: actor(), comment: "stop".into() }
}

pub(super) fn policy_load() -> PolicyLoad {
    PolicyLoad {
        files: vec![("ripcord.yml".into(), "rollback_triggers: {}".into())],
        origin: "reload".into(),
    }
}

fn reason() -> Reason {
    let baseline = BaselineValue {
        kind: BaselineKind::Beside { version: "2.4.0".into() },
        value: 0.0009,
        requests: 1000,
    };
    let evidence = Evidence {
        metric: "error_rate".into(),
        value: 0.083,
        limit: 0.01,
        requests: 18_231,
        errors: 1513,
        coverage: 0.97,
        baseline: Some(baseline),
        test: Test::Exact { level: 0.001, tail_probability: 1e-9 },
        error_bound: ErrorBound::Bucket,
        comparison: None,
    };
    Reason {
        trigger: "error_rate".into(),
        condition: "error_rate > 1%".into(),
        key: key(),
        cluster: Some("eu".into()),
        version: Some("2.4.1".into()),
        window: Duration::from_secs(300),
        hold: Duration::from_millis(1500),
        evidence: vec![evidence],
        evidence_at: at(8),
        cause: EventId::from_text("evt_1"),
        position: Position(41),
    }
}

fn command() -> Command {
    let webhook = TargetRef {
        kind: TargetKind::Webhook,
        name: "webhook https://deploy".into(),
        timeout: Duration::from_secs(10),
    };
    let exec = TargetRef { kind: TargetKind::Exec, name: "exec rollback".into(), timeout: Duration::ZERO };
    Command {
        id: CommandId::from_text("cmd_1"),
        attempt: 2,
        verb: CommandVerb::Rollback,
        release: release_ref(),
        to_version: Some("2.4.0".into()),
        to_digest: Some("sha256:0".into()),
        mode: CommandMode::Approved,
        state: CommandState::Ready,
        state_reason: "approved".into(),
        targets: vec![webhook, exec],
        reasons: vec![reason()],
        decided_at: at(11),
        deadline: at(12),
        evidence_at: at(8),
        fencing: 17,
        approvals_needed: 2,
        approved_by: vec!["ada".into(), "bob".into()],
    }
}

fn notice() -> Notice {
    Notice {
        id: NoticeId::from_text("ntc_1"),
        kind: NoticeKind::RollbackStarted,
        severity: Severity::Critical,
        status: NoticeStatus::Resolved,
        labels: alert().labels,
        annotations: alert().annotations,
        starts_at: at(1),
        ends_at: Some(at(2)),
        generator_url: "http://ripcord".into(),
        release: Some(Box::new(release())),
        command: Some(Box::new(command())),
        reasons: vec![reason()],
        owner: release().owner,
        cause: EventId::from_text("evt_1"),
    }
}
