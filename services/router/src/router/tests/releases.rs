//! Notices about releases.

use expect_test::expect;
use model::{NoticeKind, NoticeStatus};

use super::world::*;

#[test]
fn what_begins_a_rollback_and_critical_breaches_wait_for_nothing_and_how_it_went_on_follows_soon() {
    check(
        config(),
        "
        0   ! release_progress Release release=r
        40  ! breach Errors release=r
        50  ! breach Latency release=r @severity=critical
        60  ! rollback_started Rollback release=r
        70  . rollback_started Rollback release=r
        70  ! rolled_back Rolled release=r
        90  ! recovered Recovered release=r
        1000 end",
        expect![[r#"
            0 sre/webhook/0 first_notification firing: +Release*
            40 sre/webhook/0 new_alerts_added firing: +Release +Errors*
            50 sre/webhook/0 new_alerts_added firing: +Release +Errors +Latency*
            60 sre/webhook/0 new_alerts_added firing: +Release +Errors +Latency +Rollback*
            70 sre/webhook/0 some_alerts_resolved firing: +Release +Errors +Latency -Rollback*
            72 sre/webhook/0 new_alerts_added firing: +Release +Errors +Latency +Rolled*
            90 sre/webhook/0 new_alerts_added firing: +Release +Errors +Latency +Rolled +Recovered*"#]],
    );
}

#[test]
fn the_same_notice_with_new_content_is_an_update() {
    check(
        config(),
        "
        0   ! rollback_prepared Rollback release=r @=1
        10  ! rollback_prepared Rollback release=r @=1
        20  ! rollback_prepared Rollback release=r @=2
        40  ! breach Errors release=r @=1
        50  ! breach Errors release=r @=2
        400 ! breach Errors release=r @=3
        1000 end",
        expect![[r#"
            0 sre/webhook/0 first_notification firing: +Rollback*
            40 sre/webhook/0 new_alerts_added firing: +Rollback* +Errors*
            340 sre/webhook/0 updated firing: +Rollback +Errors*
            640 sre/webhook/0 updated firing: +Rollback +Errors*"#]],
    );
}

#[test]
fn an_end_that_nobody_saw_begin_is_told_once() {
    check(
        config(),
        "
        0   . rolled_back Rolled release=r
        10  . recovered Recovered release=r
        10  . breach Errors release=r
        900 end",
        expect![[r#"
            0 sre/webhook/0 first_notification resolved: -Rolled*
            10 sre/webhook/0 first_notification resolved: -Recovered*"#]],
    );
}

#[test]
fn without_send_resolved_news_comes_once_and_not_again_as_its_own_end() {
    let mut config = config();
    config.receivers.get_mut("sre").unwrap().integrations[0].send_resolved = false;
    check(
        config,
        "
        0   ! rolled_back Rolled release=r
        10  . rolled_back Rolled release=r
        20  . recovered Recovered release=r
        900 end",
        expect![[r#"
            0 sre/webhook/0 first_notification firing: +Rolled*
            20 sre/webhook/0 first_notification resolved: -Recovered*"#]],
    );
}

#[test]
fn what_is_over_once_said_is_not_repeated_and_what_asks_for_something_is() {
    check(
        config(),
        "
        0    ! rolled_back Rolled release=r group=1
        0    ! rollback_failed Failed release=r group=2
        8000 end",
        expect![[r#"
            0 sre/webhook/0 first_notification firing: +Rolled*
            0 sre/webhook/0 first_notification firing: +Failed*
            3600 sre/webhook/0 repeat_interval_elapsed firing: +Failed
            7200 sre/webhook/0 repeat_interval_elapsed firing: +Failed"#]],
    );
}

#[test]
fn an_urgent_notice_during_a_slow_delivery_follows_it_at_once() {
    check(
        config(),
        "
        0   hold
        0   ! rollback_started Rollback release=r
        5   ! rolled_back Rolled release=r
        20  deliver
        20  hold
        30  ! recovered Recovered release=r
        31  ! breach Errors release=r @severity=critical
        40  fail
        400 end",
        expect![[r#"
            0 sre/webhook/0 first_notification firing: +Rollback*
            20 sre/webhook/0 new_alerts_added firing: +Rollback +Rolled*
            30 sre/webhook/0 new_alerts_added firing: +Rollback +Rolled +Recovered*
            40 sre/webhook/0 new_alerts_added firing: +Rollback +Rolled +Recovered* +Errors*"#]],
    );
}

#[test]
fn a_message_names_its_release_only_if_all_its_notices_do() {
    let mut world = World::new(vec![config()]);
    world.run(
        "
        0   ! breach Errors release=r
        1   ! breach Latency release=r
        40  + A
        400 end",
    );
    let releases: Vec<Option<&str>> =
        world.sends.iter().map(|send| send.release.as_ref().map(|release| release.id.as_str())).collect();
    assert_eq!(releases, [Some("r"), Some("r"), None]);
}

#[test]
fn a_fallback_hears_of_no_update_that_its_receiver_took_itself() {
    let mut config = config();
    config.receivers.get_mut("sre").unwrap().fallback = Some("mail".into());
    config.receivers.insert("mail".into(), plan(&["email"]));
    check(
        config,
        "
        0   break sre
        0   ! rollback_prepared Rollback release=r @=1
        10  mend sre
        20  ! rollback_prepared Rollback release=r @=2
        30  . rollback_prepared Rollback release=r @=3
        400 end",
        expect![[r#"
            0 sre/webhook/0 first_notification firing: +Rollback*
            0 mail/email/0 first_notification firing: +Rollback*
            30 mail/email/0 all_alerts_resolved resolved: -Rollback*"#]],
    );
}

#[test]
fn steps_of_a_rollback_within_a_second_are_one_message_after_the_alarm() {
    check(
        config(),
        "
        0   ! rollback_started Rollback release=r
        0   . rollback_started Rollback release=r
        1   ! rolled_back Rolled release=r
        1   . rolled_back Rolled release=r
        1   . recovered Recovered release=r
        1000 end",
        expect![[r#"
            0 sre/webhook/0 first_notification firing: +Rollback*
            2 sre/webhook/0 all_alerts_resolved resolved: -Rollback* -Rolled* -Recovered*"#]],
    );
}

#[test]
fn what_one_decision_tells_a_group_is_one_message() {
    let mut world = World::new(vec![config()]);
    world.run("0 ! rollback_prepared Prepared release=r");
    let now = second(10);
    let prepared =
        notice(NoticeKind::RollbackPrepared, NoticeStatus::Resolved, &["Prepared", "release=r"], now);
    let started = notice(NoticeKind::RollbackStarted, NoticeStatus::Firing, &["Started", "release=r"], now);
    world.router.handle_notices(now, [&prepared, &started]);
    let send = world.router.poll_send().unwrap();
    assert_eq!(send.notices.len(), 2, "{send:?}");
    assert_eq!(world.router.poll_send(), None);
}
