//! Plain alerts: Alertmanager's timing, fact by fact.

use std::time::Duration;

use expect_test::expect;

use super::world::*;
use crate::{GroupBy, Integration};

#[test]
fn the_first_message_waits_for_company_and_the_rest_falls_on_ticks() {
    check(
        config(),
        "
        0   + A
        10  + B
        60  + C
        700 - A
        1300 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A* +B*
            330 sre/webhook/0 new_alerts_added firing: +A +B +C*
            930 sre/webhook/0 some_alerts_resolved firing: +B +C -A*"#]],
    );
}

#[test]
fn an_alert_older_than_group_wait_is_told_at_once() {
    check(
        config(),
        "
        0 + A
        5 + B @age=26
        6 + C @age=60",
        expect!["6 sre/webhook/0 first_notification firing: +C* +B* +A*"],
    );
}

#[test]
fn without_group_wait_the_first_alert_is_told_at_once_and_its_record_with_the_next_message() {
    let mut config = config();
    config.route.group_wait = Some(Duration::ZERO);
    check(
        config,
        "
        0 hold
        0 + A
        0 + B
        0 + C
        1 + D
        2 deliver
        300 end",
        expect![[r#"
            0 sre/webhook/0 first_notification firing: +A*
            2 sre/webhook/0 new_alerts_added firing: +C* +B* +A +D*"#]],
    );
}

#[test]
fn each_value_of_the_grouping_labels_is_a_group_and_a_missing_label_is_one_too() {
    let mut by_all = config();
    check(
        config(),
        "
        0 + A group=1
        0 + B group=2
        0 + C
        30 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            30 sre/webhook/0 first_notification firing: +B*
            30 sre/webhook/0 first_notification firing: +C*"#]],
    );
    by_all.route.group_by = Some(GroupBy::All);
    check(
        by_all,
        "
        0 + A x=1
        0 + A x=2
        30 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            30 sre/webhook/0 first_notification firing: +A*"#]],
    );
}

#[test]
fn a_repeat_of_the_same_alert_tells_nothing() {
    check(
        config(),
        "
        0   + A
        60  + A
        120 + A @=other
        900 end",
        expect!["30 sre/webhook/0 first_notification firing: +A*"],
    );
}

#[test]
fn an_alert_resolved_before_its_first_message_is_never_told() {
    check(
        config(),
        "
        0  + A
        10 - A
        40 end
        100 + B
        130 end
        140 + C
        150 - C
        900 end",
        expect!["130 sre/webhook/0 first_notification firing: +B*"],
    );
}

#[test]
fn an_unheard_of_resolution_opens_no_group() {
    check(
        config(),
        "
        0 - A
        900 end",
        expect![[""]],
    );
}

#[test]
fn fired_and_resolved_again_within_an_interval_is_not_told() {
    check(
        config(),
        "
        0   + A
        100 - A
        120 + A
        200 - A
        340 + A
        350 - A
        900 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            330 sre/webhook/0 all_alerts_resolved resolved: -A*"#]],
    );
}

#[test]
fn after_the_last_resolution_the_next_firing_is_a_first_notification_with_its_own_wait() {
    check(
        config(),
        "
        0   + A
        100 - A
        331 + A
        361 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            330 sre/webhook/0 all_alerts_resolved resolved: -A*
            361 sre/webhook/0 first_notification firing: +A*"#]],
    );
}

#[test]
fn without_send_resolved_the_end_is_not_told_and_a_new_beginning_is() {
    let mut config = config();
    config.receivers.get_mut("sre").unwrap().integrations[0].send_resolved = false;
    check(
        config,
        "
        0   + A
        0   + B
        100 - A
        400 + A
        700 - A
        700 - B
        1000 + B",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +B* +A*
            630 sre/webhook/0 new_alerts_added firing: +B +A*"#]],
    );
}

#[test]
fn integrations_of_one_receiver_are_told_and_tried_apart() {
    let mut config = config();
    config.receivers.insert("sre".into(), plan(&["webhook", "slack", "webhook"]));
    check(
        config,
        "
        0  + A
        30 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            30 sre/slack/0 first_notification firing: +A*
            30 sre/webhook/1 first_notification firing: +A*"#]],
    );
}

#[test]
fn a_failed_message_is_tried_again_at_the_next_tick_and_its_resolved_notices_stay() {
    check(
        config(),
        "
        20  hold
        20  + A
        51  fail
        100 + B
        351 - A
        600 break sre
        660 mend sre
        1000 end",
        expect![[r#"
            50 sre/webhook/0 first_notification firing: +A*
            350 sre/webhook/0 first_notification firing: +A* +B*
            650 sre/webhook/0 some_alerts_resolved firing: +B -A*
            950 sre/webhook/0 some_alerts_resolved firing: +B -A* again"#]],
    );
}

#[test]
fn a_slow_delivery_holds_back_its_own_integration_only_until_it_is_reported() {
    let mut config = config();
    config.receivers.insert("sre".into(), plan(&["slack"]));
    check(
        config,
        "
        20  hold
        20  + A
        100 + B
        500 deliver
        500 end",
        expect![[r#"
            50 sre/slack/0 first_notification firing: +A*
            500 sre/slack/0 new_alerts_added firing: +A +B*"#]],
    );
}

#[test]
fn an_alert_that_names_its_end_in_advance_is_resolved_by_time() {
    let mut world = World::new(vec![config()]);
    let mut alert = notice(model::NoticeKind::Alert, model::NoticeStatus::Firing, &["A"], second(0));
    alert.ends_at = Some(second(240));
    world.router.handle_notice(second(0), &alert);
    world.run("900 end");
    expect![[r#"
        30 sre/webhook/0 first_notification firing: +A*
        330 sre/webhook/0 all_alerts_resolved resolved: -A*"#]]
    .assert_eq(&world.lines.join("\n"));
    assert_eq!(world.sends[0].notices[0].ends_at, None, "a firing one cannot end on its way");
    assert_eq!(world.sends[1].notices[0].ends_at, Some(second(240)));
}

#[test]
fn muted_or_not_a_route_without_integrations_swallows_its_alerts() {
    let mut config = config();
    config.receivers.get_mut("sre").unwrap().integrations.clear();
    check(
        config,
        "
        0 + A
        100 - A
        900 end",
        expect![[""]],
    );
}

#[test]
fn continue_tells_several_receivers_each_with_its_own_clock() {
    let mut config = config();
    config.receivers.insert("audit".into(), plan(&["email"]));
    let mut audit = child("", "audit");
    audit.continue_matching = true;
    audit.group_wait = Some(Duration::from_secs(5));
    config.route.routes = vec![audit, child("service=checkout", "sre")];
    check(
        config,
        "
        0 + A service=checkout
        0 + B service=cart
        900 end",
        expect![[r#"
            5 audit/email/0 first_notification firing: +B* +A*
            30 sre/webhook/0 first_notification firing: +A*"#]],
    );
}

#[test]
fn a_message_carries_what_its_notices_have_in_common() {
    let mut config = config();
    config.route.group_by = Some(GroupBy::Labels(vec!["service".into(), "absent".into()]));
    config.receivers.get_mut("sre").unwrap().integrations =
        vec![Integration { max_alerts: 1, ..Default::default() }];
    let mut world = World::new(vec![config]);
    world.run(
        "
        0 + A service=checkout region=eu
        0 + B service=checkout region=us
        30 end",
    );
    let send = &world.sends[0];
    assert_eq!(send.group_labels.to_string(), r#"{service="checkout"}"#);
    assert_eq!(send.common_labels.to_string(), r#"{service="checkout"}"#, "left-out notices count");
    assert_eq!(send.group_key, r#"{}:{service="checkout"}"#);
    assert_eq!(send.truncated, 1);
}
