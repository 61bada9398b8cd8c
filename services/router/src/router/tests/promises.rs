//! What holds whatever happens: random alerts, mutes, inhibition, failures, slow deliveries and reloads.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use model::{Delivery, DeliveryResult, NoticeStatus, Send, SendReason, Timestamp};
use proptest::prelude::*;

use super::world::*;
use crate::{Config, InhibitRule, Location, TimeInterval, TimeRange, TimeSpec, parse_matchers, route_for};

const REPEAT: Duration = Duration::from_secs(600);

/// Three ways to route the same alerts to the same receivers. In each, `0` inhibits `1` and `audit` is muted
/// from 00:05 to 00:20.
fn configs() -> Vec<Config> {
    let mut first = config();
    first.route.group_wait = Some(Duration::from_secs(10));
    first.route.group_interval = Some(Duration::from_secs(30));
    first.route.repeat_interval = Some(REPEAT);
    first.receivers.insert("audit".into(), plan(&["webhook", "slack"]));
    first.receivers.insert("mail".into(), plan(&["email"]));
    first.receivers.get_mut("sre").unwrap().fallback = Some("mail".into());
    first.inhibit_rules = vec![InhibitRule {
        source: parse_matchers("alertname=0").unwrap(),
        target: parse_matchers("alertname=1").unwrap(),
        ..InhibitRule::default()
    }];
    let times = vec![TimeRange::parse("00:05", "00:20").unwrap()];
    let spec = TimeSpec { times, location: Location::default(), ..TimeSpec::default() };
    first.time_intervals = BTreeMap::from([("quiet".to_owned(), TimeInterval { specs: vec![spec] })]);
    let mut audit = child("", "audit");
    audit.continue_matching = true;
    audit.mute_time_intervals = vec!["quiet".into()];
    first.route.routes = vec![audit, child("alertname=4", "sre")];
    let mut second = first.clone();
    second.route.group_by = None;
    let mut third = first.clone();
    third.route.routes[1] = child("alertname=~\"1|2\"", "audit");
    vec![first, second, third]
}

#[derive(Clone, Debug)]
enum Step {
    Alert { number: u8, is_firing: bool },
    Hold,
    Deliver,
    Fail,
    Break(&'static str),
    Mend(&'static str),
    Reload(usize),
}

impl Step {
    fn text(&self) -> String {
        match self {
            Self::Alert { number, is_firing } => {
                format!("{} {number} group={}", if *is_firing { "+" } else { "-" }, number % 2)
            }
            Self::Hold => "hold".into(),
            Self::Deliver => "deliver".into(),
            Self::Fail => "fail".into(),
            Self::Break(receiver) => format!("break {receiver}"),
            Self::Mend(receiver) => format!("mend {receiver}"),
            Self::Reload(at) => format!("reload {at}"),
        }
    }
}

fn steps(with_reloads: bool) -> impl Strategy<Value = Vec<(i64, Step)>> {
    let receiver = || prop_oneof![Just("sre"), Just("mail"), Just("audit")];
    let step = prop_oneof![
        8 => (0_u8..5, any::<bool>()).prop_map(|(number, is_firing)| Step::Alert { number, is_firing }),
        1 => Just(Step::Hold),
        2 => Just(Step::Deliver),
        1 => Just(Step::Fail),
        1 => receiver().prop_map(Step::Break),
        2 => receiver().prop_map(Step::Mend),
        1 => (0_usize..3).prop_map(move |at| Step::Reload(if with_reloads { at } else { 0 })),
    ];
    let gap = prop_oneof![1 => Just(0_i64), 4 => 1_i64..40, 1 => 40_i64..800];
    prop::collection::vec((gap, step), 1..50).prop_map(move |steps| {
        let mut at = 0_i64;
        let steps = steps.into_iter().filter(|(_, step)| with_reloads || !matches!(step, Step::Reload(_)));
        let absolute = steps.map(|(gap, step)| {
            at += gap;
            (at, step)
        });
        absolute.collect()
    })
}

fn run(world: &mut World, steps: &[(i64, Step)]) -> i64 {
    for (at, step) in steps {
        world.run(&format!("{at} {}", step.text()));
    }
    steps.last().map_or(0, |(at, _)| *at)
}

/// What each integration of each group was told and not told the end of; checks each message on the way.
fn ledger(world: &World) -> BTreeMap<(String, String, String), BTreeSet<u64>> {
    let mut told: BTreeMap<(String, String, String), BTreeSet<u64>> = BTreeMap::new();
    let mut last: BTreeMap<(String, String, String), Timestamp> = BTreeMap::new();
    for (at, delivery, send) in delivered(world) {
        let to =
            (send.group_key.clone(), send.receiver.clone(), format!("{}/{}", send.integration, send.index));
        let told = told.entry(to.clone()).or_default();
        if send.reason == SendReason::RepeatIntervalElapsed {
            // Ticks are at most one delivery apart from its report.
            assert!(
                last.get(&to).is_none_or(|last| *last + REPEAT <= at + Duration::from_secs(830)),
                "{send:?}"
            );
        } else {
            assert!(!send.fresh.is_empty(), "no message without a change or a repeat: {send:?}");
        }
        for fingerprint in &delivery.firing {
            told.insert(*fingerprint);
        }
        for fingerprint in &delivery.resolved {
            let was_told = told.remove(fingerprint);
            assert!(was_told || send.receiver == "mail", "resolved, but never told firing: {send:?}");
        }
        let status = if told.is_empty() { NoticeStatus::Resolved } else { NoticeStatus::Firing };
        assert!(
            send.receiver == "mail" || send.status == status,
            "the status is that of what was told: {send:?}"
        );
        last.insert(to, at);
    }
    told
}

fn delivered(world: &World) -> Vec<(Timestamp, &Delivery, &Send)> {
    let records = world.records.iter().filter_map(|(at, record)| match record {
        Record::Delivery(delivery) if delivery.result == DeliveryResult::Delivered => Some((*at, delivery)),
        _ => None,
    });
    let send = |delivery: &Delivery| world.sends.iter().find(|send| send.id == delivery.send);
    records.filter_map(|(at, delivery)| Some((at, delivery, send(delivery)?))).collect()
}

fn go_on(world: &mut World, at: i64) {
    world.run(&format!("{at} mend sre\n{at} mend mail\n{at} mend audit\n{at} deliver"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_firing_is_told_and_every_firing_told_is_followed_by_its_end(steps in steps(true), last in 0_usize..3) {
        let mut world = World::new(configs());
        let at = run(&mut world, &steps).max(1200);
        world.run(&format!("{at} reload {last}"));
        go_on(&mut world, at);
        world.run(&format!("{} end", at + 3600));
        let told = ledger(&world);
        let firing: BTreeSet<u8> = (0..5).filter(|number| is_firing(&steps, *number)).collect();
        for number in firing.iter().filter(|number| **number != 1 || !firing.contains(&0)) {
            let labels = notice_labels(*number);
            for found in route_for(&configs()[last], &labels) {
                let has_told = |((_, receiver, _), prints): (&(String, String, String), &BTreeSet<u64>)| {
                    *receiver == found.receiver && prints.contains(&labels.fingerprint())
                };
                prop_assert!(told.iter().any(has_told), "{number} was not told to {}", found.receiver);
            }
        }
        for number in 0..5 {
            world.run(&format!("{} - {number} group={}", at + 3600, number % 2));
        }
        world.run(&format!("{} end", at + 7200));
        for (to, prints) in ledger(&world) {
            prop_assert!(prints.is_empty(), "{to:?} was not told the end of {prints:?}");
        }
        let counts = world.router.counts();
        prop_assert_eq!((counts.groups, counts.in_flight, counts.threads), (0, 0, 0), "nothing is left behind");
    }

    /// A crash at any point: the log's notices and deliveries are replayed, and it goes on as if nothing had
    /// happened.
    #[test]
    fn a_replay_makes_the_same_messages_with_the_same_ids(steps in steps(false)) {
        let mut world = World::new(configs());
        let at = run(&mut world, &steps);
        let mut again = World::new(configs());
        for (at, record) in &world.records {
            match record {
                Record::Notice(notice) => again.router.handle_notice(*at, notice),
                Record::Delivery(delivery) => again.router.handle_delivery(*at, delivery),
            }
        }
        again.router.handle_timeout(second(at));
        while again.router.poll_send().is_some() {}
        prop_assert_eq!(again.router.unfinished(), world.router.unfinished());
        prop_assert_eq!(again.router.poll_timeout(), world.router.poll_timeout());
        for router in [&mut world.router, &mut again.router] {
            for send in router.unfinished() {
                router.handle_delivery(second(at), &delivery(&send, DeliveryResult::Delivered, None));
            }
            router.handle_timeout(second(at + 4000));
        }
        prop_assert_eq!(again.router.unfinished(), world.router.unfinished());
        let ids: BTreeSet<_> = world.sends.iter().map(|send| &send.id).collect();
        prop_assert_eq!(ids.len(), world.sends.len(), "no two messages share an id");
    }
}

fn is_firing(steps: &[(i64, Step)], wanted: u8) -> bool {
    let mut changes = steps.iter().filter_map(|(_, step)| match step {
        Step::Alert { number, is_firing } if *number == wanted => Some(*is_firing),
        _ => None,
    });
    changes.next_back().unwrap_or(false)
}

fn notice_labels(number: u8) -> model::Labels {
    model::Labels::from_pairs([("alertname", number.to_string()), ("group", (number % 2).to_string())])
}
