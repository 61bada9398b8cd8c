//! What comes in.

use model::*;
use proptest::{collection::vec, option, prelude::*};

use super::{
    releases::{deployment, release_ref},
    small::{actor, key, labels, maybe_text, maybe_timestamp, number, one_of, text, timestamp},
};

pub(crate) fn batch() -> BoxedStrategy<Batch> {
    use SeriesKind::*;
    let sample =
        (number(), timestamp(), maybe_timestamp()).prop_map(|(value, at, start)| Sample { value, at, start });
    let kind = one_of([Unknown, Cumulative, Delta, Gauge]);
    let series = (vec((text(), text()), 0..3), kind, vec(sample, 0..3));
    (vec(series, 0..4), any::<bool>())
        .prop_map(|(all, is_whole)| {
            let mut batch = Batch { is_whole, ..Batch::default() };
            for (labels, kind, samples) in &all {
                let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                batch.push(labels, *kind, samples.iter().copied());
            }
            batch
        })
        .boxed()
}

pub(super) fn request() -> BoxedStrategy<RequestEvent> {
    (key(), maybe_text(), maybe_text(), any::<bool>(), option::of(number()), timestamp())
        .prop_map(|(key, version, route, is_error, duration_ms, at)| RequestEvent {
            key,
            version,
            route,
            is_error,
            duration_ms,
            at,
        })
        .boxed()
}

pub(super) fn alert() -> BoxedStrategy<Alert> {
    (labels(), labels(), timestamp(), maybe_timestamp(), text())
        .prop_map(|(labels, annotations, starts_at, ends_at, generator_url)| Alert {
            labels,
            annotations,
            starts_at,
            ends_at,
            generator_url,
        })
        .boxed()
}

pub(super) fn outcome() -> BoxedStrategy<Outcome> {
    use OutcomeStatus::*;
    let status = one_of([Accepted, Succeeded, Failed, Refused]);
    let flags = (any::<bool>(), any::<bool>());
    (text(), release_ref(), status, flags, text(), any::<u32>(), text(), option::of(actor()))
        .prop_map(|(command, release, status, (is_stale, is_retryable), target, attempts, detail, actor)| {
            Outcome {
                command: CommandId::from_text(command),
                release,
                status,
                is_stale,
                is_retryable,
                target,
                attempts,
                detail,
                actor,
            }
        })
        .boxed()
}

pub(super) fn delivery() -> BoxedStrategy<Delivery> {
    use DeliveryResult::*;
    let result = one_of([Delivered, Failed, Suppressed]);
    let to = (text(), vec(text(), 0..3), option::of(release_ref()), text(), text(), any::<u32>(), text());
    let states = one_of([RecipientState::Reached, RecipientState::Refused, RecipientState::Waiting]);
    let recipient = (text(), states, text()).prop_map(|(to, state, detail)| Recipient { to, state, detail });
    let prints = || vec(any::<u64>(), 0..3);
    let how = (result, any::<u32>(), text(), maybe_text(), prints(), prints(), vec(recipient, 0..3));
    (to, how)
        .prop_map(|(to, how)| {
            let (send, notices, release, receiver, integration, index, group_key) = to;
            let (result, attempts, detail, thread, firing, resolved, recipients) = how;
            Delivery {
                send: SendId::from_text(send),
                notices: notices.into_iter().map(NoticeId::from_text).collect(),
                release,
                receiver,
                integration,
                index,
                group_key,
                result,
                attempts,
                detail,
                thread,
                firing,
                resolved,
                recipients,
            }
        })
        .boxed()
}

pub(super) fn halt() -> BoxedStrategy<Halt> {
    let scope = prop_oneof![
        Just(HaltScope::All),
        text().prop_map(HaltScope::Environment),
        (text(), maybe_text()).prop_map(|(service, environment)| HaltScope::Service { service, environment }),
    ];
    (text(), scope, text(), timestamp(), text())
        .prop_map(|(id, scope, reason, until, by)| Halt {
            id: HaltId::from_text(id),
            scope,
            reason,
            until,
            by,
        })
        .boxed()
}

pub(super) fn verb() -> BoxedStrategy<Verb> {
    let release = || text().prop_map(ReleaseId::from_text);
    let command = || text().prop_map(CommandId::from_text);
    let kind =
        prop_oneof![
            (release(), maybe_text(), any::<bool>())
                .prop_map(|(release, to_version, force)| VerbKind::Rollback { release, to_version, force }),
            release().prop_map(|release| VerbKind::Promote { release }),
            release().prop_map(|release| VerbKind::Hold { release }),
            release().prop_map(|release| VerbKind::Cancel { release }),
            (command(), maybe_text(), any::<bool>())
                .prop_map(|(command, to_version, force)| VerbKind::Approve { command, to_version, force }),
            command().prop_map(|command| VerbKind::Reject { command }),
            halt().prop_map(VerbKind::Halt),
            text().prop_map(|id| VerbKind::Unhalt { id: HaltId::from_text(id) }),
            (text(), text(), text()).prop_map(|(service, environment, version)| VerbKind::ClearBad {
                service,
                environment,
                version
            }),
        ];
    (kind, actor(), text()).prop_map(|(kind, actor, comment)| Verb { kind, actor, comment }).boxed()
}

pub(super) fn policy_load() -> impl Strategy<Value = PolicyLoad> {
    (vec((text(), text()), 0..3), text()).prop_map(|(files, origin)| PolicyLoad { files, origin })
}

pub(super) fn event_body() -> BoxedStrategy<EventBody> {
    prop_oneof![
        batch().prop_map(EventBody::Telemetry),
        vec(request(), 0..3).prop_map(EventBody::Requests),
        deployment().prop_map(|event| EventBody::Deployment(Box::new(event))),
        vec(alert(), 0..3).prop_map(EventBody::Alerts),
        outcome().prop_map(|outcome| EventBody::Outcome(Box::new(outcome))),
        delivery().prop_map(|delivery| EventBody::Delivery(Box::new(delivery))),
        verb().prop_map(|verb| EventBody::Verb(Box::new(verb))),
        policy_load().prop_map(|load| EventBody::PolicyLoad(Box::new(load))),
        Just(EventBody::Tick),
    ]
    .boxed()
}
