//! One command a release: its reasons, its states, what came of it.

use expect_test::expect;

use super::script::{check, check_commands};

#[test]
fn later_breaches_join_the_one_command_and_the_same_trigger_joins_once() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s breach checkout 2.4.1 response_time
            7s breach checkout 2.4.1
            8s breach checkout 2.4.1 response_time
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            6s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate+response_time until 65s
            6s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests) and response_time too; rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn a_prepared_rollback_becomes_ready_when_a_breach_comes_that_may_act() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 response_time action=prepare_rollback
            9s breach checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for response_time until 1805s: the trigger's action is prepare_rollback
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: the trigger's action is prepare_rollback
            9s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for response_time+error_rate until 69s
            9s version checkout 2.4.1 is bad: it is being rolled back
            9s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback is on its way
            9s notice firing rollback_started critical: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests) and error_rate too; rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn a_prepared_rollback_stays_so_when_another_breach_may_not_act_either() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 response_time action=prepare_rollback
            9s breach checkout 2.4.1 before=0.02
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for response_time until 1805s: the trigger's action is prepare_rollback
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: the trigger's action is prepare_rollback
            9s command checkout 2.4.1 #1 prepared approved to 2.4.0 for response_time+error_rate until 1805s: the trigger's action is prepare_rollback
            9s notice firing rollback_prepared critical: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests) and error_rate too; rollback to 2.4.0 waits for approval: the trigger's action is prepare_rollback
        "#]],
    );
}

#[test]
fn accepted_then_succeeded_then_recovered_and_all_that_fired_is_resolved() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            3s breach checkout 2.4.1 cpu action=alert_team
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 accepted
            7s outcome checkout 2.4.1 succeeded
            7s release checkout 2.4.1 rolled_back previous=2.4.0
            9s breach checkout 2.4.1 response_time
            30s release checkout 2.4.1 recovered previous=2.4.0
            329s tick
            330s tick
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            3s notice firing breach warning: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests)
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            6s command checkout 2.4.1 #1 accepted immediate to 2.4.0 for error_rate until 65s
            7s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s
            7s notice resolved release_progress info: checkout 2.4.1 in production was rolled back to 2.4.0
            7s notice resolved rollback_started critical: checkout 2.4.1 in production was rolled back to 2.4.0
            7s notice firing rolled_back warning: checkout 2.4.1 in production was rolled back to 2.4.0
            30s notice resolved breach warning: checkout in production is within its limits again on 2.4.0, after 2.4.1 was rolled back
            30s notice resolved rolled_back warning: checkout in production is within its limits again on 2.4.0, after 2.4.1 was rolled back
            30s notice resolved recovered info: checkout in production is within its limits again on 2.4.0, after 2.4.1 was rolled back
        "#]],
    );
}

#[test]
fn the_deployment_tool_reports_the_rollback() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 accepted
            7s release checkout 2.4.1 rolled_back previous=2.4.0
            8s outcome checkout 2.4.1 succeeded
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            6s command checkout 2.4.1 #1 accepted immediate to 2.4.0 for error_rate until 65s
            7s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s: the deployment tool reports the rollback
            7s notice resolved release_progress info: checkout 2.4.1 in production was rolled back to 2.4.0
            7s notice resolved rollback_started critical: checkout 2.4.1 in production was rolled back to 2.4.0
            7s notice firing rolled_back warning: checkout 2.4.1 in production was rolled back to 2.4.0
        "#]],
    );
}

#[test]
fn a_tool_that_rolls_back_by_itself_makes_the_version_bad() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            7s release checkout 2.4.1 rolled_back previous=2.4.0
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            7s version checkout 2.4.1 is bad: it was rolled back
            7s notice resolved release_progress info: checkout 2.4.1 in production was rolled back
            7s notice firing rolled_back warning: checkout 2.4.1 in production was rolled back
        "#]],
    );
}

#[test]
fn what_is_rolled_back_already_needs_no_approval() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            7s release checkout 2.4.1 rolled_back previous=2.4.0
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            7s command checkout 2.4.1 #1 cancelled approved to 2.4.0 for error_rate until 1805s: it was rolled back already
            7s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback to 2.4.0 was cancelled: it was rolled back already
            7s version checkout 2.4.1 is bad: it was rolled back
            7s notice resolved release_progress info: checkout 2.4.1 in production was rolled back
            7s notice firing rolled_back warning: checkout 2.4.1 in production was rolled back
        "#]],
    );
}

#[test]
fn a_failed_rollback_is_critical_and_not_tried_again_by_itself() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 failed detail=exit_code_1
            7s breach checkout 2.4.1 response_time
            8s rollback checkout 2.4.1 by=ann
            9s outcome checkout 2.4.1 succeeded attempt=2
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            6s command checkout 2.4.1 #1 failed immediate to 2.4.0 for error_rate until 65s: exit code 1
            6s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback failed
            6s notice firing rollback_failed critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); the rollback to 2.4.0 failed, somebody must act: exit code 1
            7s notice firing breach critical: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests); the rollback failed; roll back by hand or mend it
            8s command checkout 2.4.1 #2 ready approved (4) to 2.4.0 for error_rate+response_time until 68s approved by ann
            8s notice resolved rollback_failed critical: checkout 2.4.1 in production: the rollback is on its way
            8s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests) and response_time too; rolling back to 2.4.0, approved by ann
            8s audit ann rollback rel: accepted: rolling back to 2.4.0 by cmd
            9s command checkout 2.4.1 #2 succeeded approved to 2.4.0 for error_rate+response_time until 68s approved by ann
            9s notice resolved release_progress info: checkout 2.4.1 in production was rolled back to 2.4.0
            9s notice resolved rollback_started critical: checkout 2.4.1 in production was rolled back to 2.4.0
            9s notice firing rolled_back warning: checkout 2.4.1 in production was rolled back to 2.4.0
        "#]],
    );
}

#[test]
fn several_targets_are_one_command() {
    check_commands(
        "
            policy targets=two
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 accepted target=undo
            7s outcome checkout 2.4.1 accepted target=flip
            8s outcome checkout 2.4.1 succeeded target=flip
            9s outcome checkout 2.4.1 succeeded target=undo
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            7s command checkout 2.4.1 #1 accepted immediate to 2.4.0 for error_rate until 65s
            9s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s
        "#]],
    );
}

#[test]
fn one_of_several_targets_that_fails_fails_the_command() {
    check_commands(
        "
            policy targets=two
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 failed target=undo detail=no
            7s outcome checkout 2.4.1 accepted target=flip
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            6s command checkout 2.4.1 #1 failed immediate to 2.4.0 for error_rate until 65s: no
        "#]],
    );
}

#[test]
fn a_send_refused_for_old_evidence_is_prepared_anew() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            70s outcome checkout 2.4.1 refused stale=yes detail=evidence_of_09:59
            80s approve checkout 2.4.1 by=ann
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            70s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1870s: not sent, its evidence had become too old: evidence of 09:59
            70s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback was not sent
            70s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not sent, its evidence had become too old: evidence of 09:59
            80s command checkout 2.4.1 #1 ready approved (3) to 2.4.0 for error_rate until 140s approved by ann
            80s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback is on its way
            80s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0, approved by ann
            80s audit ann approve cmd: accepted: approved, rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn a_send_refused_for_another_reason_is_prepared_with_it() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 refused detail=the_HALT_file_exists
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            6s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1806s: not sent: the HALT file exists
            6s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback was not sent
            6s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not sent: the HALT file exists
        "#]],
    );
}

#[test]
fn a_ready_command_that_no_actuator_reports_on_is_prepared_after_its_deadline() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            94s tick
            95s tick
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            95s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1895s: not sent in time: no actuator reported on it before its deadline
            95s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback was not sent
            95s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not sent in time: no actuator reported on it before its deadline
        "#]],
    );
}

#[test]
fn an_outcome_that_comes_after_all_counts() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            95s tick
            96s outcome checkout 2.4.1 succeeded
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
            95s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1895s: not sent in time: no actuator reported on it before its deadline
            95s notice resolved rollback_started critical: checkout 2.4.1 in production: the rollback was not sent
            95s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not sent in time: no actuator reported on it before its deadline
            96s command checkout 2.4.1 #1 succeeded approved to 2.4.0 for error_rate until 1895s
            96s notice resolved release_progress info: checkout 2.4.1 in production was rolled back to 2.4.0
            96s notice resolved rollback_prepared critical: checkout 2.4.1 in production was rolled back to 2.4.0
            96s notice firing rolled_back warning: checkout 2.4.1 in production was rolled back to 2.4.0
        "#]],
    );
}

#[test]
fn a_prepared_command_that_expires_while_its_breach_goes_on_is_asked_for_again_as_something_new() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            1804s tick
            1805s tick
            2000s continues checkout 2.4.1 before=0.02
            3605s tick
            3606s ended checkout 2.4.1 error_rate
            5405s tick
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            1805s command checkout 2.4.1 #1 expired approved to 2.4.0 for error_rate until 1805s: nobody approved it in time
            1805s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback to 2.4.0 expired: nobody approved it in time
            1805s command checkout 2.4.1 #2 prepared approved to 2.4.0 for error_rate until 3605s: escalated: approval was asked for once and nobody answered within 30m, and the limit is still exceeded
            1805s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: escalated: approval was asked for once and nobody answered within 30m, and the limit is still exceeded
            3605s command checkout 2.4.1 #2 expired approved to 2.4.0 for error_rate until 3605s: nobody approved it in time
            3605s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback to 2.4.0 expired: nobody approved it in time
            3605s command checkout 2.4.1 #3 prepared approved to 2.4.0 for error_rate until 5405s: escalated: approval was asked for 2 times and nobody answered within 30m, and the limit is still exceeded
            3605s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: escalated: approval was asked for 2 times and nobody answered within 30m, and the limit is still exceeded
            5405s command checkout 2.4.1 #3 expired approved to 2.4.0 for error_rate until 5405s: nobody approved it in time
            5405s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback to 2.4.0 expired: nobody approved it in time
        "#]],
    );
}

#[test]
fn a_breach_after_the_expiry_is_a_new_attempt() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            1805s tick
            1900s breach checkout 2.4.1 response_time
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            1805s command checkout 2.4.1 #1 expired approved to 2.4.0 for error_rate until 1805s: nobody approved it in time
            1805s command checkout 2.4.1 #2 prepared approved to 2.4.0 for error_rate until 3605s: escalated: approval was asked for once and nobody answered within 30m, and the limit is still exceeded
            1900s command checkout 2.4.1 #2 ready immediate (3) to 2.4.0 for error_rate+response_time until 1960s
            1900s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn an_unknown_outcome_changes_nothing_and_reports_over_http_are_audited() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s outcome checkout 2.4.1 succeeded by=ci
            6s outcome checkout 2.4.1 succeeded
            7s breach checkout 2.4.1
            8s outcome checkout 2.4.1 succeeded by=ci target=anything
        ",
        expect![[r#"
            5s audit ci report cmd succeeded: refused: the command is not known
            7s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 67s
            7s version checkout 2.4.1 is bad: it is being rolled back
            8s audit ci report cmd succeeded: accepted
            8s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 67s
        "#]],
    );
}

#[test]
fn a_prepared_command_whose_target_becomes_bad_gets_another() {
    check(
        "
            0s release checkout 2.3.0 watching
            1s release checkout 2.3.0 succeeded
            2s release checkout 2.4.0 watching cluster=eu-1 previous=2.3.0
            3s release checkout 2.4.1 watching previous=2.4.0
            4s breach checkout 2.4.1 before=0.02
            5s breach checkout 2.4.0 cluster=eu-1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.3.0 in production is out and watched
            1s notice resolved release_progress info: checkout 2.3.0 in production succeeded
            2s notice firing release_progress info: checkout 2.4.0 in production (eu-1) is out and watched
            3s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            4s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1804s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            4s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            5s command checkout 2.4.0 (eu-1) #1 ready immediate (3) to 2.3.0 for error_rate until 65s
            5s version checkout 2.4.0 is bad: it is being rolled back
            5s command checkout 2.4.1 #1 prepared approved to 2.3.0 for error_rate until 1805s: its target 2.4.0 has become bad
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.3.0 waits for approval: its target 2.4.0 has become bad
            5s notice firing rollback_started critical: checkout 2.4.0 in production (eu-1): error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.3.0
        "#]],
    );
}

#[test]
fn a_ready_command_whose_target_becomes_bad_waits_for_a_person() {
    check_commands(
        "
            2s release checkout 2.4.0 watching cluster=eu-1 previous=2.3.0
            3s release checkout 2.4.1 watching previous=2.4.0
            4s breach checkout 2.4.1
            5s breach checkout 2.4.0 cluster=eu-1
        ",
        expect![[r#"
            4s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 64s
            4s version checkout 2.4.1 is bad: it is being rolled back
            5s command checkout 2.4.0 (eu-1) #1 ready immediate (4) to 2.3.0 for error_rate until 65s
            5s version checkout 2.4.0 is bad: it is being rolled back
            5s command checkout 2.4.1 #1 prepared approved to ? for error_rate until 1805s: its target 2.4.0 has become bad; no version to go back to: 2.4.0 is marked bad (it is being rolled back)
        "#]],
    );
}

#[test]
fn a_rollback_never_leads_to_a_version_pulled_back_before() {
    check_commands(
        "
            0s release checkout 2.3.0 watching
            1s release checkout 2.3.0 succeeded
            2s release checkout 2.4.0 watching previous=2.3.0
            3s breach checkout 2.4.0
            4s outcome checkout 2.4.0 succeeded
            700s release checkout 2.4.1 watching previous=2.4.0
            701s breach checkout 2.4.1
        ",
        expect![[r#"
            3s command checkout 2.4.0 #1 ready immediate (2) to 2.3.0 for error_rate until 63s
            3s version checkout 2.4.0 is bad: it is being rolled back
            4s command checkout 2.4.0 #1 succeeded immediate to 2.3.0 for error_rate until 63s
            701s command checkout 2.4.1 #1 ready immediate (4) to 2.3.0 for error_rate until 761s
            701s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn an_answer_that_comes_after_the_deployment_tool_reported_the_rollback_changes_nothing() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s release checkout 2.4.1 rolled_back previous=2.4.0
            7s outcome checkout 2.4.1 accepted
            9s release checkout 2.4.1 recovered previous=2.4.0
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            6s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s: the deployment tool reports the rollback
        "#]],
    );
}
