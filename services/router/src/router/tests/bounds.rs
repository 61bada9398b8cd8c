//! What happens at each limit.

use std::time::Duration;

use model::{DeliveryResult, NoticeKind, NoticeStatus, Send};

use super::world::*;
use crate::{
    GroupBy, Router, TimeInterval, TimeRange, TimeSpec,
    limits::{MAX_GROUPS, MAX_NOTICES_PER_GROUP},
};

const ALERT: NoticeKind = NoticeKind::Alert;

fn fire(router: &mut Router, at: i64, words: &[&str], status: NoticeStatus) {
    router.handle_notice(second(at), &notice(ALERT, status, words, second(at)));
}

fn sends(router: &mut Router) -> Vec<Send> {
    std::iter::from_fn(|| router.poll_send()).collect()
}

fn deliver(router: &mut Router, at: i64, sends: &[Send]) {
    for send in sends {
        router.handle_delivery(second(at), &delivery(send, DeliveryResult::Delivered, None));
    }
}

#[test]
fn too_many_firing_groups_share_one_and_none_is_dropped() {
    let mut router = Router::new(config());
    for group in 0..MAX_GROUPS {
        fire(&mut router, 0, &["A", &format!("group={group}")], NoticeStatus::Firing);
    }
    fire(&mut router, 1, &["B", "group=more"], NoticeStatus::Firing);
    fire(&mut router, 1, &["C", "group=still more"], NoticeStatus::Firing);
    assert_eq!((router.counts().groups, router.counts().groups_overflowed_total), (MAX_GROUPS + 1, 2));
    router.handle_timeout(second(31));
    let told = sends(&mut router);
    let last = told.last().unwrap();
    assert_eq!((last.group_key.as_str(), last.notices.len()), ("{}:{}", 2));
    deliver(&mut router, 32, &told);

    // The notice is found where it stands, and its end is told.
    fire(&mut router, 40, &["B", "group=more"], NoticeStatus::Resolved);
    router.handle_timeout(second(331));
    let told = sends(&mut router);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].notices[1].status, NoticeStatus::Resolved);
}

#[test]
fn a_new_group_takes_the_place_of_the_one_that_has_been_over_for_longest() {
    let mut router = Router::new(config());
    for group in 0..MAX_GROUPS {
        fire(&mut router, 0, &["A", &format!("group={group}")], NoticeStatus::Firing);
    }
    fire(&mut router, 1, &["A", "group=7"], NoticeStatus::Resolved);
    fire(&mut router, 2, &["A", "group=3"], NoticeStatus::Resolved);
    fire(&mut router, 3, &["B", "group=more"], NoticeStatus::Firing);
    assert_eq!((router.counts().groups, router.counts().groups_evicted_total), (MAX_GROUPS, 1));
    assert!(!router.groups.contains_key(r#"{}:{group="7"}"#));
    assert!(router.groups.contains_key(r#"{}:{group="3"}"#));
}

#[test]
fn a_full_group_makes_room_of_resolved_notices_and_counts_firing_ones_it_cannot_take() {
    let mut config = config();
    config.route.group_by = Some(GroupBy::Labels(vec![]));
    let mut router = Router::new(config);
    for number in 0..MAX_NOTICES_PER_GROUP {
        fire(&mut router, 0, &[&format!("A{number}")], NoticeStatus::Firing);
    }
    fire(&mut router, 1, &["A5"], NoticeStatus::Resolved);
    fire(&mut router, 2, &["B"], NoticeStatus::Firing);
    fire(&mut router, 2, &["C"], NoticeStatus::Firing);
    let counts = router.counts();
    assert_eq!((counts.notices_evicted_total, counts.notices_refused_total), (1, 1));
    router.handle_timeout(second(30));
    let told = sends(&mut router);
    assert_eq!((told[0].notices.len(), told[0].truncated), (MAX_NOTICES_PER_GROUP, 1));
}

#[test]
fn a_week_of_downtime_costs_no_tick_a_second_and_changes_nothing() {
    let mut config = config();
    config.route.group_interval = Some(Duration::from_secs(1));
    config.route.repeat_interval = Some(Duration::from_secs(86_400));
    let mut slow = Router::new(config.clone());
    let mut fast = Router::new(config);
    for router in [&mut slow, &mut fast] {
        fire(router, 0, &["A"], NoticeStatus::Firing);
        router.handle_timeout(second(30));
        let told = sends(router);
        deliver(router, 31, &told);
    }
    for at in (60..90_000).step_by(7) {
        slow.handle_timeout(second(at));
    }
    let week = 7 * 86_400;
    for router in [&mut slow, &mut fast] {
        router.handle_timeout(second(week));
    }
    assert_eq!(sends(&mut slow), sends(&mut fast));
    assert_eq!(slow.poll_timeout(), fast.poll_timeout());
    assert_eq!(fast.poll_timeout(), Some(second(week + 1)));
}

#[test]
fn idle_ticks_skipped_in_a_mute_still_end_with_it() {
    let mut muted = config();
    let times = vec![TimeRange::parse("00:05", "00:20").unwrap()];
    let interval = TimeInterval { specs: vec![TimeSpec { times, ..TimeSpec::default() }] };
    muted.time_intervals.insert("quiet".into(), interval);
    let mut quiet = child("", "sre");
    quiet.mute_time_intervals = vec!["quiet".into()];
    quiet.group_interval = Some(Duration::from_secs(30));
    muted.route.routes = vec![quiet];
    for late in [1172, 1199, 1200, 1300] {
        let mut router = Router::new(muted.clone());
        fire(&mut router, 601, &["A"], NoticeStatus::Firing);
        router.handle_timeout(second(late));
        let expected = if late < 1200 { 1200 } else { 1200 + 30 * ((late - 1200) / 30 + 1) };
        assert_eq!(router.poll_timeout(), Some(second(expected)), "noticed at {late}");
        assert_eq!(sends(&mut router).len(), usize::from(late >= 1200));
    }
}
