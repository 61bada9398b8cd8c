//! What is urgent does not wait for the tick of a group that was just told something else.

use expect_test::expect;

use super::world::*;

#[test]
fn an_alarm_joins_a_group_that_was_just_told_progress_and_goes_out_at_once() {
    check(
        config(),
        "
        0   ! release_progress R release=1 @severity=info
        35  ! breach B release=1 @severity=warning
        40  . breach B release=1 @severity=warning
        50  ! rollback_prepared P release=1 @severity=critical
        300 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +R*
            35 sre/webhook/0 new_alerts_added firing: +R +B*
            40 sre/webhook/0 some_alerts_resolved firing: +R -B*
            50 sre/webhook/0 new_alerts_added firing: +R +P*"#]],
    );
}

#[test]
fn an_alarm_joins_a_group_of_plain_alerts_and_goes_out_at_once_and_they_keep_their_tick() {
    check(
        config(),
        "
        0   + A
        40  + B
        50  ! breach L @severity=warning
        60  + C
        700 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            50 sre/webhook/0 new_alerts_added firing: +A +B* +L*
            350 sre/webhook/0 new_alerts_added firing: +A +B +L +C*"#]],
    );
}

#[test]
fn a_warning_that_was_found_follows_soon_and_progress_waits_for_the_tick() {
    check(
        config(),
        "
        0   ! release_progress R release=1 @severity=info
        40  ! release_progress S release=1 @severity=info
        100 ! finding F release=1 @severity=warning
        200 ! finding I release=1 @severity=info
        500 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +R*
            100 sre/webhook/0 new_alerts_added firing: +R +S* +F*
            400 sre/webhook/0 new_alerts_added firing: +R +S +F +I*"#]],
    );
}
