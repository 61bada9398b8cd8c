//! What is decided.

use model::*;
use proptest::{collection::vec, option, prelude::*};

use super::{
    incoming::{alert, delivery, halt, outcome, policy_load, verb},
    releases::{owner, release, release_ref},
    small::{actor, duration, key, maybe_text, number, one_of, text, timestamp},
};

fn kind() -> BoxedStrategy<BaselineKind> {
    prop_oneof![text().prop_map(|version| BaselineKind::Beside { version }), Just(BaselineKind::Before)]
        .boxed()
}

fn counts() -> impl Strategy<Value = Counts> {
    (any::<u64>(), any::<u64>()).prop_map(|(bad, total)| Counts { bad, total })
}

fn rise() -> impl Strategy<Value = Rise> {
    (timestamp(), timestamp(), counts(), counts()).prop_map(|(began_at, until, before, since)| Rise {
        began_at,
        until,
        before,
        since,
    })
}

fn comparison() -> impl Strategy<Value = Comparison> {
    (kind(), counts(), counts(), number(), number(), number()).prop_map(
        |(baseline, release, before, margin, level, probability)| Comparison {
            baseline,
            release,
            before,
            margin,
            level,
            probability,
        },
    )
}

pub(super) fn evidence() -> BoxedStrategy<Evidence> {
    let baseline = (kind(), number(), any::<u64>()).prop_map(|(kind, value, requests)| BaselineValue {
        kind,
        value,
        requests,
    });
    let test = prop_oneof![
        Just(Test::None),
        (number(), number()).prop_map(|(level, tail_probability)| Test::Exact { level, tail_probability }),
    ];
    let bound = one_of([ErrorBound::Exact, ErrorBound::Bucket]);
    let numbers = (number(), number(), any::<u64>(), any::<u64>(), number());
    (text(), numbers, option::of(baseline), test, bound, option::of(comparison()))
        .prop_map(|(metric, numbers, baseline, test, error_bound, comparison)| {
            let (value, limit, requests, errors, coverage) = numbers;
            Evidence {
                metric,
                value,
                limit,
                requests,
                errors,
                coverage,
                baseline,
                test,
                error_bound,
                comparison,
            }
        })
        .boxed()
}

pub(super) fn reason() -> BoxedStrategy<Reason> {
    let rule = (text(), text(), key(), maybe_text(), maybe_text(), duration(), duration());
    let ground = (vec(evidence(), 0..3), timestamp(), text(), any::<u64>());
    (rule, ground)
        .prop_map(|(rule, ground)| {
            let (trigger, condition, key, cluster, version, window, hold) = rule;
            let (evidence, evidence_at, cause, position) = ground;
            Reason {
                trigger,
                condition,
                key,
                cluster,
                version,
                window,
                hold,
                evidence,
                evidence_at,
                cause: EventId::from_text(cause),
                position: Position(position),
            }
        })
        .boxed()
}

pub(super) fn breach() -> BoxedStrategy<Breach> {
    use Action::*;
    let action =
        one_of([AlertTeam, Hold, PrepareRollback, AlertAndPrepareRollback, ImmediateRollback, Promote]);
    let blame =
        (option::of(number()), option::of(number()), any::<bool>(), option::of(rise()), any::<bool>());
    let blame = blame.prop_map(|(before, beside, is_unversioned, rise, names_others)| SharedBlame {
        before,
        beside,
        is_unversioned,
        rise,
        names_others,
    });
    (key(), option::of(release_ref()), action, reason(), blame)
        .prop_map(|(key, release, action, reason, blame)| Breach { key, release, action, reason, blame })
        .boxed()
}

pub(super) fn finding() -> BoxedStrategy<Finding> {
    use FindingKind::*;
    let kind = one_of([SenderSilent, ReleaseSilent, Torn, AmbiguousVersion, Unmeasured]);
    (key(), option::of(release_ref()), kind, any::<bool>(), text())
        .prop_map(|(key, release, kind, is_active, text)| Finding { key, release, kind, is_active, text })
        .boxed()
}

pub(super) fn proposal() -> BoxedStrategy<Proposal> {
    let limit = (key(), text(), text(), any::<bool>(), number(), option::of(rise())).prop_map(
        |(key, trigger, condition, is_exceeded, value, rise)| LimitState {
            key,
            trigger,
            condition,
            is_exceeded,
            value,
            rise,
        },
    );
    let id = || text().prop_map(EventId::from_text);
    prop_oneof![
        release().prop_map(|release| Proposal::Release(Box::new(release))),
        limit.prop_map(Proposal::Limit),
        breach().prop_map(|breach| Proposal::Breach(Box::new(breach))),
        breach().prop_map(|breach| Proposal::BreachContinues(Box::new(breach))),
        (maybe_text(), text())
            .prop_map(|(release, why)| Proposal::Ignored { release: release.map(ReleaseId::from_text), why }),
        (key(), option::of(release_ref()), text())
            .prop_map(|(key, release, trigger)| Proposal::BreachEnded { key, release, trigger }),
        finding().prop_map(Proposal::Finding),
        (release_ref(), text()).prop_map(|(release, stage)| Proposal::StagePassed { release, stage }),
        (id(), alert()).prop_map(|(id, alert)| Proposal::Alert { id, alert: Box::new(alert) }),
        (id(), verb()).prop_map(|(id, verb)| Proposal::Verb { id, verb: Box::new(verb) }),
        outcome().prop_map(|outcome| Proposal::Outcome(Box::new(outcome))),
        delivery().prop_map(|delivery| Proposal::Delivery(Box::new(delivery))),
        policy_load().prop_map(|load| Proposal::PolicyLoad(Box::new(load))),
    ]
    .boxed()
}

pub(super) fn target() -> BoxedStrategy<TargetRef> {
    let kind = one_of([TargetKind::Webhook, TargetKind::Exec, TargetKind::Kafka]);
    (kind, text(), duration()).prop_map(|(kind, name, timeout)| TargetRef { kind, name, timeout }).boxed()
}

pub(super) fn command() -> BoxedStrategy<Command> {
    use CommandState::*;
    let verb = one_of([CommandVerb::Rollback, CommandVerb::Promote, CommandVerb::Hold]);
    let mode = one_of([CommandMode::Immediate, CommandMode::Approved]);
    let state = one_of([Prepared, Ready, Accepted, Succeeded, Failed, Rejected, Expired, Cancelled]);
    let what = (text(), any::<u32>(), verb, release_ref(), maybe_text(), maybe_text(), mode, state, text());
    let lists = (vec(target(), 0..3), vec(reason(), 0..2), vec(text(), 0..3));
    let numbers = (timestamp(), timestamp(), timestamp(), any::<u64>(), any::<u32>());
    (what, lists, numbers)
        .prop_map(|(what, lists, numbers)| {
            let (id, attempt, verb, release, to_version, to_digest, mode, state, state_reason) = what;
            let (targets, reasons, approved_by) = lists;
            let (decided_at, deadline, evidence_at, fencing, approvals_needed) = numbers;
            Command {
                id: CommandId::from_text(id),
                attempt,
                verb,
                release,
                to_version,
                to_digest,
                mode,
                state,
                state_reason,
                targets,
                reasons,
                decided_at,
                deadline,
                evidence_at,
                fencing,
                approvals_needed,
                approved_by,
            }
        })
        .boxed()
}

pub(super) fn notice() -> BoxedStrategy<Notice> {
    use NoticeKind::*;
    let kind = one_of([
        ReleaseProgress,
        Breach,
        RollbackPrepared,
        RollbackStarted,
        RolledBack,
        RollbackFailed,
        Recovered,
        Finding,
        Safety,
        Alert,
    ]);
    let severity = one_of([Severity::Info, Severity::Warning, Severity::Critical]);
    let status = one_of([NoticeStatus::Firing, NoticeStatus::Resolved]);
    let about = (option::of(release()), option::of(command()), vec(reason(), 0..2), owner(), text());
    ((text(), kind, severity, status), alert(), about)
        .prop_map(|(what, alert, about)| {
            let (id, kind, severity, status) = what;
            let (release, command, reasons, owner, cause) = about;
            Notice {
                id: NoticeId::from_text(id),
                kind,
                severity,
                status,
                labels: alert.labels,
                annotations: alert.annotations,
                starts_at: alert.starts_at,
                ends_at: alert.ends_at,
                generator_url: alert.generator_url,
                release: release.map(Box::new),
                command: command.map(Box::new),
                reasons,
                owner,
                cause: EventId::from_text(cause),
            }
        })
        .boxed()
}

pub(super) fn decision() -> BoxedStrategy<Decision> {
    let bad = (text(), text(), maybe_text(), text(), maybe_text(), any::<bool>(), text());
    prop_oneof![
        4 => proposal().prop_map(Decision::Proposal),
        2 => command().prop_map(|command| Decision::Command(Box::new(command))),
        2 => notice().prop_map(|notice| Decision::Notice(Box::new(notice))),
        1 => (halt(), any::<bool>()).prop_map(|(halt, is_active)| Decision::Halt { halt, is_active }),
        1 => bad.prop_map(|(service, environment, cluster, version, digest, is_bad, why)| {
            Decision::BadVersion { service, environment, cluster, version, digest, is_bad, why }
        }),
        1 => (actor(), text(), text(), text(), text(), text()).prop_map(
            |(actor, service, environment, what, why, result)| {
                let about = ServiceKey::new(service, environment);
                Decision::Audit { actor, about, what, why, result }
            }
        ),
    ]
    .boxed()
}
