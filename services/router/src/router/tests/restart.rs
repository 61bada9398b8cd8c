//! Restarts and reports that do not fit.

use model::{DeliveryResult, NoticeKind, NoticeStatus, Send};

use super::world::*;
use crate::{Config, Router};

pub(super) fn replay(world: &World, config: Config) -> Router {
    let mut router = Router::new(config);
    for (at, record) in &world.records {
        match record {
            Record::Notice(notice) => router.handle_notice(*at, notice),
            Record::Delivery(delivery) => router.handle_delivery(*at, delivery),
        }
    }
    while router.poll_send().is_some() {}
    router
}

fn sends(router: &mut Router) -> Vec<Send> {
    std::iter::from_fn(|| router.poll_send()).collect()
}

#[test]
fn after_a_restart_exactly_the_unreported_messages_are_sent_again() {
    let mut world = World::new(vec![config()]);
    world.run(
        "
        0  + A group=1
        30 hold
        35 + B group=2
        70 end",
    );
    let router = replay(&world, config());
    assert_eq!(router.unfinished(), [], "the second message is not due by the last record");
    let mut router = router;
    router.handle_timeout(second(70));
    assert_eq!(router.unfinished(), [world.sends[1].clone()]);
    let report = delivery(&world.sends[1], DeliveryResult::Delivered, None);
    router.handle_delivery(second(71), &report);
    assert_eq!(router.unfinished(), []);
}

#[test]
fn a_delivery_reported_twice_counts_once() {
    let mut world = World::new(vec![config()]);
    world.run(
        "
        0   + A
        100 - A
        340 + A
        341 end",
    );
    let first = delivery(&world.sends[0], DeliveryResult::Delivered, None);
    world.router.handle_delivery(second(342), &first);
    world.run("370 end");
    assert_eq!(world.sends.len(), 3, "the new incident is told although the old one's delivery came again");
}

#[test]
fn a_restart_with_another_configuration_tells_nothing_again() {
    let mut world = World::new(vec![config()]);
    world.run(
        "
        0   + A group=1
        0   + B group=2
        100 - A group=1
        400 end",
    );
    let mut regrouped = config();
    regrouped.route.group_by = None;
    for wait in [0, 30, 100] {
        regrouped.route.group_wait = Some(std::time::Duration::from_secs(wait));
        let mut router = replay(&world, regrouped.clone());
        router.handle_timeout(second(1000));
        assert_eq!(sends(&mut router), [], "group_wait {wait}");
        let end = notice(NoticeKind::Alert, NoticeStatus::Resolved, &["B", "group=2"], second(1001));
        router.handle_notice(second(1001), &end);
        router.handle_timeout(second(1400));
        let ends = sends(&mut router);
        assert_eq!((ends.len(), ends[0].notices.len()), (1, 1), "and the end of what still fires is told");
    }
}

#[test]
fn reports_of_what_nobody_sent_are_counted_and_harmless() {
    let mut world = World::new(vec![config()]);
    world.run(
        "
        0  + A
        40 end",
    );
    let mut report = delivery(&world.sends[0], DeliveryResult::Delivered, Some("x".into()));
    report.send = model::SendId::from_text("snd_other");
    for (receiver, integration) in [("nobody", "webhook"), ("sre", "pager"), ("sre", "webhook")] {
        report.receiver = receiver.into();
        report.integration = integration.into();
        world.router.handle_delivery(second(41), &report);
    }
    report.result = DeliveryResult::Failed;
    world.router.handle_delivery(second(42), &report);
    assert_eq!(world.router.counts().deliveries_unknown_total, 4);
    world.run("900 end");
    assert_eq!(world.sends.len(), 1);
}

#[test]
fn a_suppressed_message_is_tried_again_and_goes_to_no_fallback() {
    let mut config = config();
    config.receivers.get_mut("sre").unwrap().fallback = Some("mail".into());
    config.receivers.insert("mail".into(), plan(&["email"]));
    let mut router = Router::new(config);
    router.handle_notice(second(0), &notice(NoticeKind::Alert, NoticeStatus::Firing, &["A"], second(0)));
    router.handle_timeout(second(30));
    let first = sends(&mut router);
    router.handle_delivery(second(31), &delivery(&first[0], DeliveryResult::Suppressed, None));
    router.handle_timeout(second(330));
    let again = sends(&mut router);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].receiver, "sre");
    assert_ne!(again[0].id, first[0].id, "another try is another message");
}

#[test]
fn the_stamp_never_goes_back() {
    let mut router = Router::new(config());
    router.handle_timeout(second(100));
    router.handle_notice(second(0), &notice(NoticeKind::Alert, NoticeStatus::Firing, &["A"], second(90)));
    assert_eq!(router.poll_timeout(), Some(second(130)));
}

#[test]
fn a_configuration_that_was_never_checked_is_survived() {
    let mut odd = config();
    odd.receivers.get_mut("sre").unwrap().fallback = Some("sre".into());
    odd.route.routes = vec![child("alertname=B", "nobody")];
    odd.route.group_interval = Some(std::time::Duration::ZERO);
    odd.route.routes[0].mute_time_intervals = vec!["unknown".into()];
    let mut router = Router::new(odd);
    for name in ["A", "B"] {
        router.handle_notice(second(0), &notice(NoticeKind::Alert, NoticeStatus::Firing, &[name], second(0)));
    }
    router.handle_timeout(second(30));
    let told = sends(&mut router);
    assert_eq!(told.len(), 1, "a receiver that does not exist swallows its messages");
    router.handle_delivery(second(30), &delivery(&told[0], DeliveryResult::Failed, None));
    assert_eq!(sends(&mut router), [], "nobody is his own fallback");
    let _router = Router::new(Config::default());
}
