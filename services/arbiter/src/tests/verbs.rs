//! What people order, approve and reject.

use expect_test::expect;

use super::script::{check, check_commands};

#[test]
fn an_approval_sends_it() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            9s approve checkout 2.4.1 by=ann comment=go
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            9s command checkout 2.4.1 #1 ready approved (2) to 2.4.0 for error_rate until 69s approved by ann
            9s version checkout 2.4.1 is bad: it is being rolled back
            9s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback is on its way
            9s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0, approved by ann
            9s audit ann approve cmd (go): accepted: approved, rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn of_two_approvals_none_is_the_machines_own() {
    check(
        "
            policy approvals=2
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            6s approve checkout 2.4.1 by=operator
            7s approve checkout 2.4.1 by=ann
            8s approve checkout 2.4.1 by=operator
            9s approve checkout 2.4.1 by=bob
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            6s audit operator approve cmd: refused: 2 people have to approve it, each with a token of their own; the data directory's is nobody's
            7s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s approved by ann: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            7s audit ann approve cmd: accepted: approved, 1 more needed
            8s audit operator approve cmd: refused: 2 people have to approve it, each with a token of their own; the data directory's is nobody's
            9s command checkout 2.4.1 #1 ready approved (2) to 2.4.0 for error_rate until 69s approved by ann+bob
            9s version checkout 2.4.1 is bad: it is being rolled back
            9s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback is on its way
            9s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0, approved by ann, bob
            9s audit bob approve cmd: accepted: approved, rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn two_approvals_are_two_people() {
    check(
        "
            policy approvals=2
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            6s approve checkout 2.4.1 by=ann
            7s approve checkout 2.4.1 by=ann
            8s approve checkout 2.4.1 by=bob
            9s approve checkout 2.4.1 by=cleo
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            6s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s approved by ann: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            6s audit ann approve cmd: accepted: approved, 1 more needed
            7s audit ann approve cmd: refused: ann has approved it already; somebody else has to
            8s command checkout 2.4.1 #1 ready approved (2) to 2.4.0 for error_rate until 68s approved by ann+bob
            8s version checkout 2.4.1 is bad: it is being rolled back
            8s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback is on its way
            8s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0, approved by ann, bob
            8s audit bob approve cmd: accepted: approved, rolling back to 2.4.0
            9s audit cleo approve cmd: refused: the command is ready already
        "#]],
    );
}

#[test]
fn an_approval_of_what_is_unknown_expired_or_done_is_refused() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s approve checkout 2.4.1 by=ann
            5s breach checkout 2.4.1 before=0.02
            1805s tick
            1806s approve checkout 2.4.1 by=ann
            1807s reject checkout 2.4.1 by=ann
        ",
        expect![[r#"
            1s audit ann approve cmd: refused: the command cmd is not known
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            1805s command checkout 2.4.1 #1 expired approved to 2.4.0 for error_rate until 1805s: nobody approved it in time
            1805s command checkout 2.4.1 #2 prepared approved to 2.4.0 for error_rate until 3605s: escalated: approval was asked for once and nobody answered within 30m, and the limit is still exceeded
            1806s audit ann approve cmd: refused: the command is expired already
            1807s audit ann reject cmd: refused: the command is expired already
        "#]],
    );
}

#[test]
fn an_approval_names_the_version_where_none_is_known() {
    check(
        "
            0s release checkout 2.4.1 watching
            5s breach checkout 2.4.1
            6s approve checkout 2.4.1 by=ann
            7s approve checkout 2.4.1 by=ann to=2.4.1
            8s approve checkout 2.4.1 by=ann to=2.4.0
            9s approve checkout 2.4.1 by=ann to=2.4.0 force=yes
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to ? for error_rate until 1805s: no earlier version is known to have succeeded
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback waits for somebody to name a version: no earlier version is known to have succeeded
            6s audit ann approve cmd: refused: it is not known where to: name a version
            7s audit ann approve cmd to 2.4.1: refused: 2.4.1 is the version to be rolled back
            8s audit ann approve cmd to 2.4.0: refused: 2.4.0 was never seen out as checkout in production: check its spelling, or force it (--force)
            9s command checkout 2.4.1 #1 ready approved (2) to 2.4.0 for error_rate until 69s approved by ann
            9s version checkout 2.4.1 is bad: it is being rolled back
            9s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback is on its way
            9s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0, approved by ann
            9s audit ann approve cmd to 2.4.0 (forced): accepted: approved, rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn an_approval_may_not_name_another_version_nor_a_bad_one() {
    check_commands(
        "
            0s release checkout 2.3.0 watching previous=2.2.0
            1s breach checkout 2.3.0
            2s outcome checkout 2.3.0 succeeded
            3s release checkout 2.4.1 watching
            5s breach checkout 2.4.1
            6s approve checkout 2.4.1 by=ann to=2.3.0
            7s release cart 2 watching previous=1
            8s breach cart 2 before=0.02
            9s approve cart 2 by=ann to=0.9
        ",
        expect![[r#"
            1s command checkout 2.3.0 #1 ready immediate (2) to 2.2.0 for error_rate until 61s
            1s version checkout 2.3.0 is bad: it is being rolled back
            2s command checkout 2.3.0 #1 succeeded immediate to 2.2.0 for error_rate until 61s
            5s command checkout 2.4.1 #1 prepared approved to ? for error_rate until 1805s: no earlier version is known to have succeeded; cooldown: the last automatic rollback was 4s ago, less than 10m
            6s audit ann approve cmd to 2.3.0: refused: 2.3.0 is marked bad (it is being rolled back)
            8s command cart 2 #1 prepared approved to 1 for error_rate until 1808s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            9s audit ann approve cmd to 0.9: refused: it leads to 1, not to 0.9: reject it and roll back to 0.9
        "#]],
    );
}

#[test]
fn a_rejection_is_final_for_the_release() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            6s reject checkout 2.4.1 by=ann comment=known
            7s reject checkout 2.4.1 by=bob
            8s breach checkout 2.4.1 response_time
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            6s command checkout 2.4.1 #1 rejected approved to 2.4.0 for error_rate until 1805s: by ann, who says: known
            6s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback to 2.4.0 was rejected: by ann, who says: known
            6s audit ann reject cmd (known): accepted: rejected
            7s audit bob reject cmd: refused: the command is rejected already
            8s notice firing breach critical: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests); the rollback of this release was rejected, so it is not asked for again
        "#]],
    );
}

#[test]
fn a_rollback_by_hand_needs_no_breach() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s rollback checkout 2.4.1 by=ann comment=customers_complain
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready approved (2) to 2.4.0 for manual until 65s approved by ann
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: asked for by ann: customers complain; rolling back to 2.4.0, approved by ann
            5s audit ann rollback rel (customers complain): accepted: rolling back to 2.4.0 by cmd
        "#]],
    );
}

#[test]
fn a_rollback_by_hand_goes_where_it_is_told_but_never_to_a_bad_version_nor_below_the_floor() {
    check_commands(
        "
            0s release checkout 2.3.0 watching previous=2.2.0
            1s breach checkout 2.3.0
            2s outcome checkout 2.3.0 succeeded
            3s release checkout 2.4.1 watching floor=2.0.0
            4s rollback checkout 2.4.1 to=2.3.0
            5s rollback checkout 2.4.1 to=1.9.0
            6s rollback checkout 2.4.1 to=2.4.1
            7s rollback checkout 2.4.1
            8s rollback checkout 2.4.1 to=2.2.0
        ",
        expect![[r#"
            1s command checkout 2.3.0 #1 ready immediate (2) to 2.2.0 for error_rate until 61s
            1s version checkout 2.3.0 is bad: it is being rolled back
            2s command checkout 2.3.0 #1 succeeded immediate to 2.2.0 for error_rate until 61s
            4s audit ann rollback rel to 2.3.0: refused: 2.3.0 is marked bad (it is being rolled back)
            5s audit ann rollback rel to 1.9.0: refused: 1.9.0 is older than the rollback floor 2.0.0
            6s audit ann rollback rel to 2.4.1: refused: 2.4.1 is the version to be rolled back
            7s audit ann rollback rel: refused: no earlier version is known to have succeeded: name the version to go back to
            8s command checkout 2.4.1 #1 ready approved (4) to 2.2.0 for manual until 68s approved by ann
            8s version checkout 2.4.1 is bad: it is being rolled back
            8s audit ann rollback rel to 2.2.0: accepted: rolling back to 2.2.0 by cmd
        "#]],
    );
}

#[test]
fn a_version_that_was_never_seen_out_is_taken_for_a_typing_error_unless_it_is_forced() {
    check_commands(
        "
            0s release checkout 2.3.0 watching previous=2.2.0
            1s release checkout 2.3.0 superseded previous=2.2.0
            2s release checkout 2.3.5 pending
            3s release checkout 2.3.5 cancelled
            4s release checkout 2.4.1 watching
            5s rollback checkout 2.4.1 to=2.30
            6s rollback checkout 2.4.1 to=2.3.5
            7s rollback checkout 2.4.1 to=2.2.0
            8s outcome checkout 2.4.1 failed
            9s rollback checkout 2.4.1 to=2.3.0
            10s outcome checkout 2.4.1 failed attempt=2
            11s rollback checkout 2.4.1 to=2.30 force=yes
        ",
        expect![[r#"
            5s audit ann rollback rel to 2.30: refused: 2.30 was never seen out as checkout in production: check its spelling, or force it (--force)
            6s audit ann rollback rel to 2.3.5: refused: 2.3.5 was never seen out as checkout in production: check its spelling, or force it (--force)
            7s command checkout 2.4.1 #1 ready approved (2) to 2.2.0 for manual until 67s approved by ann
            7s version checkout 2.4.1 is bad: it is being rolled back
            7s audit ann rollback rel to 2.2.0: accepted: rolling back to 2.2.0 by cmd
            8s command checkout 2.4.1 #1 failed approved to 2.2.0 for manual until 67s approved by ann
            9s command checkout 2.4.1 #2 ready approved (4) to 2.3.0 for manual until 69s approved by ann
            9s audit ann rollback rel to 2.3.0: accepted: rolling back to 2.3.0 by cmd
            10s command checkout 2.4.1 #2 failed approved to 2.3.0 for manual until 69s approved by ann
            11s command checkout 2.4.1 #3 ready approved (6) to 2.30 for manual until 71s approved by ann
            11s audit ann rollback rel to 2.30 (forced): accepted: rolling back to 2.30 by cmd
        "#]],
    );
}

#[test]
fn a_rollback_by_hand_replaces_what_is_prepared_and_keeps_its_reasons() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            6s rollback checkout 2.4.1 by=ann
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            6s command checkout 2.4.1 #1 cancelled approved to 2.4.0 for error_rate until 1805s: ann ordered a rollback by hand
            6s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback to 2.4.0 was cancelled: ann ordered a rollback by hand
            6s command checkout 2.4.1 #2 ready approved (3) to 2.4.0 for error_rate until 66s approved by ann
            6s version checkout 2.4.1 is bad: it is being rolled back
            6s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0, approved by ann
            6s audit ann rollback rel: accepted: rolling back to 2.4.0 by cmd
        "#]],
    );
}

#[test]
fn a_rollback_by_hand_is_not_doubled() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s rollback checkout 2.4.1 by=ann
            6s rollback checkout 2.4.1 by=bob
            7s outcome checkout 2.4.1 accepted
            8s rollback checkout 2.4.1 by=bob
            9s outcome checkout 2.4.1 succeeded attempt=2
            10s rollback checkout 2.4.1 by=bob
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready approved (2) to 2.4.0 for manual until 65s approved by ann
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s audit ann rollback rel: accepted: rolling back to 2.4.0 by cmd
            6s audit bob rollback rel: refused: cmd is being sent already
            7s command checkout 2.4.1 #1 accepted approved to 2.4.0 for manual until 65s approved by ann
            8s command checkout 2.4.1 #1 cancelled approved to 2.4.0 for manual until 65s approved by ann: bob ordered a rollback by hand
            8s command checkout 2.4.1 #2 ready approved (4) to 2.4.0 for manual until 68s approved by bob
            8s audit bob rollback rel: accepted: rolling back to 2.4.0 by cmd
            9s command checkout 2.4.1 #2 succeeded approved to 2.4.0 for manual until 68s approved by bob
            10s audit bob rollback rel: refused: the release is rolled_back already, there is nothing to roll back
        "#]],
    );
}

#[test]
fn a_rollback_by_hand_ignores_cooldown_freeze_and_mode() {
    check_commands(
        "
            policy mode=observe freeze=deny
            0s release checkout 2.4.1 watching previous=2.4.0
            5s rollback checkout 2.4.1 by=ann
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready approved (2) to 2.4.0 for manual until 65s approved by ann
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s audit ann rollback rel: accepted: rolling back to 2.4.0 by cmd
        "#]],
    );
}

#[test]
fn a_rollback_by_hand_of_what_is_gone_or_unknown_or_without_target_is_refused() {
    check_commands(
        "
            0s rollback checkout 9.9.9
            0s release checkout 2.4.1 watching previous=2.4.0
            1s release checkout 2.4.1 superseded
            2s rollback checkout 2.4.1
            3s release checkout 2.4.2 watching previous=2.4.1
            4s release checkout 2.4.2 succeeded previous=2.4.1
            5s release checkout 2.4.3 watching previous=2.4.2
            6s rollback checkout 2.4.2
            policy targets=none
            7s rollback checkout 2.4.3
        ",
        expect![[r#"
            0s audit ann rollback rel: refused: the release rel is not known
            2s audit ann rollback rel: refused: the release is superseded already, there is nothing to roll back
            6s audit ann rollback rel: refused: the release is succeeded and a newer one is out, roll that one back
            7s audit ann rollback rel: refused: no target is configured for checkout in production
        "#]],
    );
}

#[test]
fn the_newest_release_may_be_rolled_back_by_hand_after_it_succeeded() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s release checkout 2.4.1 succeeded previous=2.4.0
            2s rollback checkout 2.4.1 by=ann
            3s outcome checkout 2.4.1 accepted
            4s outcome checkout 2.4.1 succeeded
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            1s notice resolved release_progress info: checkout 2.4.1 in production succeeded
            2s command checkout 2.4.1 #1 ready approved (2) to 2.4.0 for manual until 62s approved by ann
            2s version checkout 2.4.1 is bad: it is being rolled back
            2s notice firing rollback_started critical: checkout 2.4.1 in production: asked for by ann; rolling back to 2.4.0, approved by ann
            2s audit ann rollback rel: accepted: rolling back to 2.4.0 by cmd
            3s command checkout 2.4.1 #1 accepted approved to 2.4.0 for manual until 62s approved by ann
            4s command checkout 2.4.1 #1 succeeded approved to 2.4.0 for manual until 62s approved by ann
            4s notice resolved rollback_started critical: checkout 2.4.1 in production was rolled back to 2.4.0
            4s notice firing rolled_back warning: checkout 2.4.1 in production was rolled back to 2.4.0
        "#]],
    );
}

#[test]
fn a_bad_version_is_cleared_by_a_person() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 succeeded
            7s clear checkout 2.4.1 by=ann
            8s clear checkout 2.4.1 by=ann
            700s release checkout 2.4.2 watching previous=2.4.1
            701s breach checkout 2.4.2
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            6s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s
            7s version checkout 2.4.1 is not bad any more: cleared by ann
            7s audit ann clear bad version 2.4.1 of checkout in production: accepted: 2.4.1 may be a target again
            8s audit ann clear bad version 2.4.1 of checkout in production: refused: 2.4.1 of checkout in production is not marked bad
            701s command checkout 2.4.2 #1 ready immediate (4) to 2.4.1 for error_rate until 761s
            701s version checkout 2.4.2 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn promote_and_hold_are_told_for_nothing_executes_them_yet() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s promote checkout 2.4.1 by=ann
            2s hold checkout 2.4.1 by=ann
            3s release checkout 2.4.1 succeeded
            4s promote checkout 2.4.1 by=ann
            5s hold checkout 9 by=ann
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            1s notice firing release_progress info: checkout 2.4.1 in production: ann asks to promote it
            1s audit ann promote rel: refused: there is no actuator for it, so it has to be done by hand; those who follow the release were told
            2s notice firing release_progress info: checkout 2.4.1 in production: ann asks not to promote it
            2s audit ann hold rel: refused: there is no actuator for it, so it has to be done by hand; those who follow the release were told
            3s notice resolved release_progress info: checkout 2.4.1 in production succeeded
            4s audit ann promote rel: refused: the release is succeeded already
            5s audit ann hold rel: refused: the release rel is not known
        "#]],
    );
}

#[test]
fn cancelling_a_release_cancels_what_waits_for_it() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.02
            6s cancel checkout 2.4.1 by=ann
            6s release checkout 2.4.1 cancelled
            7s cancel checkout 2.4.1 by=ann
            8s cancel checkout 9 by=ann
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 2 % (error_rate > 1%)
            6s command checkout 2.4.1 #1 cancelled approved to 2.4.0 for error_rate until 1805s: ann cancelled the release
            6s notice resolved rollback_prepared critical: checkout 2.4.1 in production: the rollback to 2.4.0 was cancelled: ann cancelled the release
            6s audit ann cancel rel: accepted: the release is not watched any more
            6s notice resolved release_progress info: checkout 2.4.1 in production was cancelled
            7s audit ann cancel rel: accepted: the release is not watched any more
            8s audit ann cancel rel: refused: the release rel is not known
        "#]],
    );
}
