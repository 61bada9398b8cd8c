//! How far the policy lets a breach go: modes, actions, targets, freezes.

use expect_test::expect;

use super::script::{check, check_commands};

#[test]
fn in_observe_mode_it_is_decided_and_recorded_only() {
    check(
        "
            policy mode=observe
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s breach checkout 2.4.1 response_time
            7s outcome checkout 2.4.1 refused
            8s tick
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 cancelled approved to 2.4.0 for error_rate until 5s: observe mode: decided and recorded only
            6s command checkout 2.4.1 #1 cancelled approved to 2.4.0 for error_rate+response_time until 5s: observe mode: decided and recorded only
        "#]],
    );
}

#[test]
fn in_advise_mode_people_are_told() {
    check(
        "
            policy mode=advise
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s ended checkout 2.4.1 error_rate
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s notice firing breach critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback to 2.4.0 is advised: the policy's mode is advise
            6s notice resolved breach critical: checkout 2.4.1 in production: error_rate is within its limit again
        "#]],
    );
}

#[test]
fn in_approve_mode_it_is_prepared() {
    check(
        "
            policy mode=approve
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: the policy's mode is approve
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: the policy's mode is approve
        "#]],
    );
}

#[test]
fn actions_that_prepare_do_not_act_in_auto_mode() {
    check_commands(
        "
            policy mode=auto
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 action=alert_and_prepare_rollback
            0s release cart 2 watching previous=1
            6s breach cart 2 action=prepare_rollback
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: the trigger's action is alert_and_prepare_rollback
            6s command cart 2 #1 prepared approved to 1 for error_rate until 1806s: the trigger's action is prepare_rollback
        "#]],
    );
}

#[test]
fn without_a_target_the_decision_is_told_and_nothing_executed() {
    check(
        "
            policy targets=none
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s breach checkout 2.4.1 response_time
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 cancelled approved to 2.4.0 for error_rate until 5s: no target is configured, so nothing is executed
            5s notice firing breach critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback to 2.4.0 was decided: no target is configured, so nothing is executed
            6s command checkout 2.4.1 #1 cancelled approved to 2.4.0 for error_rate+response_time until 5s: no target is configured, so nothing is executed
            6s notice firing breach critical: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests); a rollback to 2.4.0 was decided: no target is configured, so nothing is executed
        "#]],
    );
}

#[test]
fn a_freeze_that_asks_for_approval_prepares() {
    check_commands(
        "
            policy freeze=approve
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: a freeze asks for approval now
        "#]],
    );
}

#[test]
fn a_freeze_that_denies_rollbacks_lets_people_be_told_only() {
    check(
        "
            policy freeze=deny
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s notice firing breach critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback to 2.4.0 is advised: a freeze denies rollbacks now
        "#]],
    );
}

#[test]
fn alert_team_and_hold_are_told_until_they_end() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 error_rate action=alert_team
            6s breach checkout 2.4.1 response_time action=hold
            7s ended checkout 2.4.1 error_rate
            8s ended checkout 2.4.1 response_time
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s notice firing breach warning: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests)
            6s notice firing breach warning: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests); do not promote it
            7s notice resolved breach warning: checkout 2.4.1 in production: error_rate is within its limit again
            8s notice resolved breach warning: checkout 2.4.1 in production: response_time is within its limit again
        "#]],
    );
}
