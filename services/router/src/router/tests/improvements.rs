//! Where this differs from Alertmanager on purpose.

use std::{collections::BTreeMap, time::Duration};

use expect_test::expect;

use super::world::*;
use crate::{InhibitRule, Integration, Location, TimeInterval, TimeRange, TimeSpec, parse_matchers};

/// Muted from the first to the second `HH:MM` of 1970-01-01, UTC.
fn muted(start: &str, end: &str) -> crate::Config {
    let mut config = config();
    let times = vec![TimeRange::parse(start, end).unwrap()];
    let spec = TimeSpec { times, location: Location::default(), ..TimeSpec::default() };
    config.time_intervals = BTreeMap::from([("quiet".to_owned(), TimeInterval { specs: vec![spec] })]);
    let mut quiet = child("", "sre");
    quiet.mute_time_intervals = vec!["quiet".into()];
    config.route.routes = vec![quiet];
    config
}

fn inhibiting() -> crate::Config {
    let mut config = config();
    config.inhibit_rules = vec![InhibitRule {
        source: parse_matchers("alertname=Datacentre").unwrap(),
        target: parse_matchers("alertname!=Datacentre").unwrap(),
        ..InhibitRule::default()
    }];
    config
}

#[test]
fn equal_intervals_repeat_at_every_tick_and_do_not_slip() {
    let mut config = config();
    config.route.group_interval = Some(Duration::from_secs(60));
    config.route.repeat_interval = Some(Duration::from_secs(60));
    check(
        config,
        "
        0   + A
        200 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            90 sre/webhook/0 repeat_interval_elapsed firing: +A
            150 sre/webhook/0 repeat_interval_elapsed firing: +A"#]],
    );
}

#[test]
fn a_repeat_counts_from_the_tick_of_the_last_message_however_slow_it_was() {
    check(
        config(),
        "
        29   hold
        29   + A
        200  deliver
        3600 end
        3659 end",
        expect![[r#"
            59 sre/webhook/0 first_notification firing: +A*
            3659 sre/webhook/0 repeat_interval_elapsed firing: +A"#]],
    );
}

#[test]
fn what_a_mute_held_back_is_told_the_moment_it_ends() {
    check(
        muted("00:01", "00:12"),
        "
        0   + A group=heard
        90  + B
        720 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            720 sre/webhook/0 first_notification firing: +B*"#]],
    );
}

#[test]
fn a_resolution_passes_a_mute_that_a_firing_does_not() {
    check(
        muted("00:02", "10:00"),
        "
        0   + A
        0   + B
        130 - A
        140 + C
        150 - C
        330 - B
        900 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +B* +A*
            330 sre/webhook/0 some_alerts_resolved firing: -A*
            630 sre/webhook/0 all_alerts_resolved resolved: -B*"#]],
    );
}

#[test]
fn a_repeat_due_in_a_mute_comes_at_its_end() {
    check(
        muted("00:30", "01:32"),
        "
        0    + A
        5520 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            5520 sre/webhook/0 repeat_interval_elapsed firing: +A"#]],
    );
}

#[test]
fn an_inhibited_notice_is_told_when_its_source_ends_and_its_resolution_always() {
    check(
        inhibiting(),
        "
        0   + A group=a
        40  + Datacentre
        41  + B group=b
        100 - A group=a
        700 - Datacentre
        1500 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            70 sre/webhook/0 first_notification firing: +Datacentre*
            330 sre/webhook/0 all_alerts_resolved resolved: -A*
            970 sre/webhook/0 all_alerts_resolved resolved: -Datacentre*
            971 sre/webhook/0 first_notification firing: +B*"#]],
    );
}

#[test]
fn a_known_notice_that_is_inhibited_now_keeps_the_message_firing() {
    check(
        inhibiting(),
        "
        0   + A
        0   + B
        40  + Datacentre group=other
        100 - A
        400 - B
        700 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +B* +A*
            70 sre/webhook/0 first_notification firing: +Datacentre*
            330 sre/webhook/0 some_alerts_resolved firing: -A*
            630 sre/webhook/0 all_alerts_resolved resolved: -B*"#]],
    );
}

#[test]
fn max_alerts_keeps_the_status_the_firing_and_the_new() {
    let mut config = config();
    config.receivers.get_mut("sre").unwrap().integrations[0].max_alerts = 1;
    check(
        config,
        "
        0   + A
        1   + B
        100 - A
        100 + C
        900 - B
        900 - C
        1300 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A* and 1 more
            330 sre/webhook/0 new_alerts_added firing: +C* and 2 more
            930 sre/webhook/0 all_alerts_resolved resolved: -B* and 1 more"#]],
    );
}

#[test]
fn a_failing_receiver_hands_over_once_and_the_fallback_hears_the_end() {
    let mut config = config();
    config.receivers.get_mut("sre").unwrap().fallback = Some("mail".into());
    config.receivers.insert("mail".into(), plan(&["email"]));
    check(
        config,
        "
        0   break sre
        0   + A
        400 + B
        700 - A
        1000 mend sre
        1300 - B
        1900 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            30 mail/email/0 first_notification firing: +A*
            330 sre/webhook/0 first_notification firing: +A* again
            630 sre/webhook/0 first_notification firing: +A* +B*
            630 mail/email/0 first_notification firing: +A* +B*
            930 sre/webhook/0 first_notification firing: +B*
            930 mail/email/0 some_alerts_resolved firing: +B -A*
            1230 sre/webhook/0 first_notification firing: +B* again
            1530 sre/webhook/0 all_alerts_resolved resolved: -B*
            1530 mail/email/0 all_alerts_resolved resolved: -B*"#]],
    );
}

#[test]
fn a_fallback_that_fails_too_is_tried_with_its_receiver_and_asks_nobody_else() {
    let mut config = config();
    config.receivers.get_mut("sre").unwrap().fallback = Some("mail".into());
    config
        .receivers
        .insert("mail".into(), crate::ReceiverPlan { fallback: Some("third".into()), ..plan(&["email"]) });
    config.receivers.insert("third".into(), plan(&["sms"]));
    check(
        config,
        "
        0   break sre
        0   break mail
        0   + A
        400 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            30 mail/email/0 first_notification firing: +A*
            330 sre/webhook/0 first_notification firing: +A* again
            330 mail/email/0 first_notification firing: +A*"#]],
    );
}

#[test]
fn a_message_that_keeps_failing_is_tried_less_often_and_a_new_one_at_once() {
    let mut config = config();
    config.route.group_interval = Some(Duration::from_secs(10));
    config.route.repeat_interval = Some(Duration::from_secs(600));
    let mut world = World::new(vec![config]);
    world.run(
        "
        0   break sre
        0   + A
        800 end",
    );
    let tries: Vec<&str> = world.lines.iter().filter_map(|line| line.split(' ').next()).collect();
    expect!["30 40 50 60 70 80 90 100 110 120 130 140 740"].assert_eq(&tries.join(" "));
    world.lines.clear();
    world.run(
        "
        801 + B
        815 end",
    );
    expect!["810 sre/webhook/0 first_notification firing: +A* +B*"].assert_eq(&world.lines.join("\n"));
}

#[test]
fn a_reload_keeps_clocks_and_tells_nothing_again() {
    let mut regrouped = config();
    regrouped.route.group_by = None;
    let mut nested = config();
    nested.route.routes = vec![child("service=~\".+\"", "sre")];
    check_reloads(
        vec![config(), regrouped, nested],
        "
        0   + A group=1 service=checkout
        20  + B group=2 service=checkout
        40  reload 0
        50  end
        100 reload 1
        400 reload 2
        500 + C group=1 service=checkout
        700 - A group=1 service=checkout
        1200 - B group=2 service=checkout
        1200 - C group=1 service=checkout
        2000 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            50 sre/webhook/0 first_notification firing: +B*
            730 sre/webhook/0 new_alerts_added firing: +C*
            930 sre/webhook/0 all_alerts_resolved resolved: -A*
            1250 sre/webhook/0 all_alerts_resolved resolved: -B*
            1330 sre/webhook/0 all_alerts_resolved resolved: -C*"#]],
    );
}

#[test]
fn a_receiver_that_lost_the_alert_in_a_reload_still_hears_its_end() {
    let mut moved = config();
    moved.receivers.insert("mail".into(), plan(&["email"]));
    moved.route.receiver = Some("mail".into());
    let mut without = moved.clone();
    without.receivers.remove("sre");
    check_reloads(
        vec![config(), moved, without],
        "
        0   + A
        0   + B
        100 reload 1
        200 - A
        700 reload 2
        800 - B
        1500 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +B* +A*
            330 mail/email/0 first_notification firing: +B*
            330 sre/webhook/0 some_alerts_resolved firing: +B -A*
            930 mail/email/0 all_alerts_resolved resolved: -B*"#]],
    );
}

#[test]
fn a_thread_is_a_release_wherever_it_is_told_of_and_else_an_incident_of_a_group() {
    let mut config = config();
    config.receivers.insert(
        "sre".into(),
        crate::ReceiverPlan {
            integrations: vec![Integration { kind: "slack".into(), send_resolved: true, max_alerts: 0 }],
            fallback: None,
        },
    );
    let mut world = World::new(vec![config]).showing_threads();
    world.run(
        "
        0    ! breach Errors release=rel_1 group=1
        40   ! breach Latency release=rel_1 group=2
        40   + A group=3
        80   + B group=3
        300  - A group=3
        300  - B group=3
        1000 + A group=3
        1400 ! breach Errors release=rel_2 group=1
        2000 end",
    );
    expect![[r#"
        0 sre/slack/0 first_notification firing: +Errors* in a new thread
        40 sre/slack/0 first_notification firing: +Latency* in #1
        70 sre/slack/0 first_notification firing: +A* in a new thread
        370 sre/slack/0 all_alerts_resolved resolved: -A* in #3
        1030 sre/slack/0 first_notification firing: +A* in a new thread
        1400 sre/slack/0 new_alerts_added firing: +Errors +Errors* in a new thread"#]]
    .assert_eq(&world.lines.join("\n"));
}

#[test]
fn a_group_that_a_reload_emptied_serves_its_route_again() {
    let mut moved = config();
    moved.receivers.insert("mail".into(), plan(&["email"]));
    moved.route.routes = vec![child("alertname=A", "mail")];
    check_reloads(
        vec![config(), moved],
        "
        0   + A group=1
        100 reload 1
        200 + B group=1
        700 - A group=1
        1000 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            130 mail/email/0 first_notification firing: +A*
            330 sre/webhook/0 new_alerts_added firing: +B*
            730 mail/email/0 all_alerts_resolved resolved: -A*
            930 sre/webhook/0 some_alerts_resolved firing: +B -A*"#]],
    );
}

#[test]
fn without_send_resolved_a_new_incident_begins_a_new_thread_too() {
    let mut config = config();
    config.receivers.get_mut("sre").unwrap().integrations[0].send_resolved = false;
    let mut world = World::new(vec![config]).showing_threads();
    world.run(
        "
        0    + A
        100  - A
        1000 + A
        1100 + B
        1500 end",
    );
    expect![[r#"
        30 sre/webhook/0 first_notification firing: +A* in a new thread
        1030 sre/webhook/0 first_notification firing: +A* in a new thread
        1330 sre/webhook/0 new_alerts_added firing: +A +B* in #2"#]]
    .assert_eq(&world.lines.join("\n"));
}

#[test]
fn what_a_reload_routes_elsewhere_before_anybody_heard_of_it_leaves_nothing_behind() {
    let mut regrouped = config();
    regrouped.route.group_by = None;
    let mut world = World::new(vec![config(), regrouped]);
    world.run(
        "
        0  + A group=1
        10 reload 1
        50 end",
    );
    assert_eq!(world.lines, ["40 sre/webhook/0 first_notification firing: +A*"]);
    assert_eq!(world.router.counts().groups, 1);
}
