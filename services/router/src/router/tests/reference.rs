//! A naive model of plain alerts beside the router: second by second, sets instead of entries.

use std::collections::{BTreeMap, BTreeSet};

use model::{DeliveryResult, NoticeKind, NoticeStatus, Send, SendReason};
use proptest::prelude::*;

use super::world::*;
use crate::{Config, Router, limits::MAX_TRIES_PER_TICK};

#[derive(Clone, Copy, Debug)]
enum Step {
    Fire(u8),
    Resolve(u8),
    Deliver { group: u8, is_ok: bool },
}

#[derive(Clone, Copy, Debug)]
struct Terms {
    wait: i64,
    interval: i64,
    repeat: i64,
    send_resolved: bool,
}

/// Second, group, reason, firing and resolved alerts.
type Message = (i64, u8, SendReason, BTreeSet<u8>, BTreeSet<u8>);

fn group_of(alert: u8) -> u8 {
    alert % 2
}

#[derive(Debug, Default)]
struct Group {
    opened: i64,
    next: i64,
    ticked: Option<i64>,
    /// Alert → whether it fires.
    alerts: BTreeMap<u8, bool>,
    settled: BTreeSet<u8>,
    told: BTreeSet<u8>,
    last: i64,
    flight: Option<Message>,
    is_late: bool,
}

struct Model {
    terms: Terms,
    groups: BTreeMap<u8, Group>,
    messages: Vec<Message>,
}

impl Model {
    fn run(terms: Terms, steps: &[(i64, Step)], end: i64) -> Vec<Message> {
        let mut model = Self { terms, groups: BTreeMap::new(), messages: Vec::new() };
        for now in 0..=end {
            model.tick_all(now);
            for (_, step) in steps.iter().filter(|(at, _)| *at == now) {
                model.step(now, *step);
                model.tick_all(now);
            }
        }
        model.messages
    }

    fn step(&mut self, now: i64, step: Step) {
        match step {
            Step::Fire(alert) => {
                let opened = Group { opened: now, next: now + self.terms.wait, ..Group::default() };
                let group = self.groups.entry(group_of(alert)).or_insert(opened);
                let is_change = group.alerts.insert(alert, true) != Some(true);
                group.settled.remove(&alert);
                if is_change && self.terms.wait == 0 && group.opened == now {
                    group.next = now;
                }
            }
            Step::Resolve(alert) => {
                let Some(group) = self.groups.get_mut(&group_of(alert)) else { return };
                let Some(fires) = group.alerts.get_mut(&alert) else { return };
                let is_change = std::mem::take(fires);
                group.settled.remove(&alert);
                if is_change && self.terms.wait == 0 && group.opened == now {
                    group.next = now;
                }
            }
            Step::Deliver { group: key, is_ok } => {
                let Some(group) = self.groups.get_mut(&key) else { return };
                let Some((sent, _, _, firing, resolved)) = group.flight.take() else { return };
                if is_ok {
                    group.told.extend(firing);
                    group.told.retain(|alert| !resolved.contains(alert));
                    group.last = sent;
                }
                if std::mem::take(&mut group.is_late) {
                    self.tell(now, key);
                }
                self.tidy(key);
            }
        }
    }

    fn tick_all(&mut self, now: i64) {
        for key in [0, 1] {
            let Some(group) = self.groups.get_mut(&key).filter(|group| group.next <= now) else { continue };
            group.next = now + self.terms.interval;
            group.ticked = Some(now);
            group.settled =
                group.alerts.iter().filter(|(_, fires)| !**fires).map(|(alert, _)| *alert).collect();
            self.tell(now, key);
            self.tidy(key);
        }
    }

    fn tell(&mut self, now: i64, key: u8) {
        let Terms { repeat, send_resolved, .. } = self.terms;
        let Some(group) = self.groups.get_mut(&key) else { return };
        if group.flight.is_some() {
            group.is_late = true;
            return;
        }
        let fires = |alert: &u8| group.alerts.get(alert) == Some(&true);
        let firing: BTreeSet<u8> = group.alerts.keys().copied().filter(|alert| fires(alert)).collect();
        let ended: BTreeSet<u8> = group.told.iter().copied().filter(|alert| !fires(alert)).collect();
        let resolved = if send_resolved { ended } else { BTreeSet::new() };
        if !send_resolved {
            group.told.retain(|alert| firing.contains(alert));
        }
        let reason = if !firing.is_subset(&group.told) {
            if group.told.is_empty() { SendReason::FirstNotification } else { SendReason::NewAlertsAdded }
        } else if !resolved.is_empty() {
            if firing.is_empty() { SendReason::AllAlertsResolved } else { SendReason::SomeAlertsResolved }
        } else if !firing.is_empty() && group.last + repeat <= now {
            SendReason::RepeatIntervalElapsed
        } else {
            return;
        };
        let message = (now, key, reason, firing, resolved);
        group.flight = Some(message.clone());
        self.messages.push(message);
    }

    fn tidy(&mut self, key: u8) {
        let Some(group) = self.groups.get_mut(&key).filter(|group| group.flight.is_none()) else { return };
        group.alerts.retain(|alert, _| !group.settled.contains(alert) || group.told.contains(alert));
        if group.alerts.is_empty() {
            self.groups.remove(&key);
        }
    }
}

fn config_of(terms: Terms) -> Config {
    let seconds = |seconds: i64| Some(std::time::Duration::from_secs(seconds.unsigned_abs()));
    let mut config = config();
    config.route.group_wait = seconds(terms.wait);
    config.route.group_interval = seconds(terms.interval);
    config.route.repeat_interval = seconds(terms.repeat);
    config.receivers.get_mut("sre").unwrap().integrations[0].send_resolved = terms.send_resolved;
    config
}

fn message(at: i64, send: &Send) -> Message {
    let alerts = |status: NoticeStatus| {
        let notices = send.notices.iter().filter(move |notice| notice.status == status);
        notices.map(|notice| notice.labels.get("alertname").unwrap().parse().unwrap()).collect()
    };
    let group = send.group_labels.get("group").unwrap().parse().unwrap();
    (at, group, send.reason, alerts(NoticeStatus::Firing), alerts(NoticeStatus::Resolved))
}

/// Runs the router; where it is not `prompt`, time is only told with records, and the messages' seconds are
/// those of the next record.
fn run(terms: Terms, steps: &[(i64, Step)], end: i64, is_prompt: bool) -> Vec<Message> {
    let mut router = Router::new(config_of(terms));
    let mut messages = Vec::new();
    let mut steps = steps.iter().peekable();
    for now in 0..=end {
        if is_prompt || now == end {
            router.handle_timeout(second(now));
        }
        poll(&mut router, now, &mut messages);
        while let Some((_, step)) = steps.next_if(|(at, _)| *at == now) {
            match *step {
                Step::Fire(alert) | Step::Resolve(alert) => {
                    let is_firing = matches!(step, Step::Fire(_));
                    let status = if is_firing { NoticeStatus::Firing } else { NoticeStatus::Resolved };
                    let words = [alert.to_string(), format!("group={}", group_of(alert))];
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    router
                        .handle_notice(second(now), &notice(NoticeKind::Alert, status, &words, second(now)));
                }
                Step::Deliver { group, is_ok } => {
                    router.handle_timeout(second(now));
                    // What is delivered before it is polled is not handed out again.
                    poll(&mut router, now, &mut messages);
                    let group = group.to_string();
                    let flying = router.unfinished();
                    let send = flying.iter().find(|send| send.group_labels.get("group") == Some(&group));
                    let result = if is_ok { DeliveryResult::Delivered } else { DeliveryResult::Failed };
                    if let Some(send) = send {
                        router.handle_delivery(second(now), &delivery(send, result, None));
                    }
                }
            }
            poll(&mut router, now, &mut messages);
        }
    }
    messages
}

fn poll(router: &mut Router, now: i64, messages: &mut Vec<Message>) {
    messages.extend(std::iter::from_fn(|| router.poll_send()).map(|send| message(now, &send)));
}

fn terms() -> impl Strategy<Value = Terms> {
    (prop_oneof![Just(0_i64), 1_i64..8], 1_i64..10, 1_i64..30, any::<bool>())
        .prop_map(|(wait, interval, repeat, send_resolved)| Terms { wait, interval, repeat, send_resolved })
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let step = prop_oneof![
        3 => (0_u8..5).prop_map(Step::Fire),
        3 => (0_u8..5).prop_map(Step::Resolve),
        4 => (0_u8..2, prop::bool::weighted(0.8)).prop_map(|(group, is_ok)| Step::Deliver { group, is_ok }),
    ];
    prop::collection::vec((prop_oneof![2 => Just(0_i64), 5 => 1_i64..12], step), 1..60).prop_map(|steps| {
        let (mut at, mut failures) = (0, 0);
        let mut absolute = Vec::new();
        for (gap, mut step) in steps {
            at += gap;
            if let Step::Deliver { is_ok, .. } = &mut step {
                // The model never gives up, so no content may fail often enough.
                failures += u32::from(!*is_ok);
                *is_ok |= failures >= MAX_TRIES_PER_TICK;
            }
            absolute.push((at, step));
        }
        absolute
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn plain_alerts_are_told_as_the_model_tells_them(terms in terms(), steps in steps()) {
        let end = steps.last().map_or(0, |(at, _)| at + 60);
        prop_assert_eq!(run(terms, &steps, end, true), Model::run(terms, &steps, end));
    }

    #[test]
    fn how_late_time_is_noticed_changes_no_message(terms in terms(), steps in steps()) {
        let end = steps.last().map_or(0, |(at, _)| at + 60);
        let untimed = |messages: Vec<Message>| -> Vec<_> {
            messages.into_iter().map(|(_, group, reason, firing, resolved)| (group, reason, firing, resolved)).collect()
        };
        prop_assert_eq!(untimed(run(terms, &steps, end, false)), untimed(Model::run(terms, &steps, end)));
    }
}
