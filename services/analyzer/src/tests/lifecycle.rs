//! The life of a release, from announcement to its end.

use expect_test::expect;

use super::shop::check;

const ERRORS: &str = "
defaults: { watch: { time: 10m, max: 1h } }
rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }";

#[test]
fn a_canary_is_announced_goes_out_in_stages_and_succeeds_after_its_watch() {
    check(
        ERRORS,
        "0s    serve checkout 2.4.0 rps=20
         0s    serve checkout 2.4.1 rps=5
         100s  deploy checkout 2.4.1 status=started
         120s  deploy checkout 2.4.1 stage=Canary traffic=5
         130s  deploy checkout 2.4.1 stage=Canary traffic=5
         200s  deploy checkout 2.4.1 stage=Half traffic=50
         300s  deploy checkout 2.4.1 status=promoted
         310s  deploy checkout 2.4.1 status=promoted
         1000s end",
        expect![[r#"
            100s release checkout 2.4.1 from 2.4.0: pending, announced
            105s release checkout 2.4.1 from 2.4.0: progressing, announced as started, and its version is seen in the telemetry
            120s release checkout 2.4.1 from 2.4.0: progressing, out at 5 % of traffic, stage Canary
            200s release checkout 2.4.1 from 2.4.0: progressing, out at 50 % of traffic, stage Half
            300s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 10m
            900s release checkout 2.4.1 from 2.4.0: succeeded, watched for 10m: nothing was broken"#]],
    );
}

#[test]
fn promotion_restarts_the_watch_of_what_was_already_out() {
    check(
        ERRORS,
        "0s    serve checkout 2.4.1 rps=5
         100s  deploy checkout 2.4.1
         400s  deploy checkout 2.4.1 status=promoted
         1100s end",
        expect![[r#"
            100s release checkout 2.4.1 from ?: watching, fully out, watched for 10m
            400s release checkout 2.4.1 from ?: watching, fully out, watched for 10m
            1000s release checkout 2.4.1 from ?: succeeded, watched for 10m: nothing was broken"#]],
    );
}

#[test]
fn a_watch_that_saw_next_to_nothing_is_unproven() {
    check(
        ERRORS,
        "0s    serve checkout 2.4.1 rps=0.01
         100s  deploy checkout 2.4.1
         800s end",
        expect![[r#"
              100s release checkout 2.4.1 from ?: watching, fully out, watched for 10m
              700s release checkout 2.4.1 from ?: unproven, watched for 10m: no trigger ever saw enough requests to judge it"#]],
    );
}

#[test]
fn a_rollback_is_accepted_succeeds_and_the_service_recovers() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.0 rps=20
         400s serve checkout 2.4.1 rps=20 errors=20%
         400s deploy checkout 2.4.1 previous=2.4.0
         425s outcome checkout 2.4.1 accepted
         440s outcome checkout 2.4.1 succeeded
         440s stop checkout 2.4.1
         600s end",
        expect![[r#"
            400s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 10m
            420s BREACH checkout 2.4.1: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 600 2.4.0]
            425s release checkout 2.4.1 from 2.4.0: rolling_back, hook accepted the rollback
            440s release checkout 2.4.1 from 2.4.0: rolled_back, hook rolled it back
            450s release checkout 2.4.1 from 2.4.0: recovered, the service is within its limits again: error_rate 0 % of 300 requests
            450s ended  checkout 2.4.1: error_rate"#]],
    );
}

#[test]
fn a_failed_target_is_a_failed_rollback_until_that_target_succeeds() {
    check(
        ERRORS,
        "100s deploy checkout 2.4.1
         110s outcome checkout 2.4.1 accepted promote
         120s outcome checkout 2.4.1 accepted target=a
         130s outcome checkout 2.4.1 failed target=a
         140s outcome checkout 2.4.1 succeeded target=b
         150s outcome checkout 2.4.1 succeeded target=a
         160s end",
        expect![[r#"
              100s release checkout 2.4.1 from ?: watching, fully out, watched for 10m
              120s release checkout 2.4.1 from ?: rolling_back, a accepted the rollback
              130s release checkout 2.4.1 from ?: rollback_failed, a could not roll it back: 503
              150s release checkout 2.4.1 from ?: rolled_back, a rolled it back"#]],
    );
}

#[test]
fn the_deployment_that_a_rollback_consists_of_completes_it() {
    check(
        ERRORS,
        "50s  deploy checkout 2.4.0
         100s deploy checkout 2.4.1 previous=2.4.0
         120s outcome checkout 2.4.1 accepted
         130s deploy checkout 2.4.0
         140s end",
        expect![[r#"
            50s release checkout 2.4.0 from ?: watching, fully out, watched for 10m
            100s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 10m
            100s release checkout 2.4.0 from ?: superseded, 2.4.1 went out
            120s release checkout 2.4.1 from 2.4.0: rolling_back, hook accepted the rollback
            130s release checkout 2.4.0 (again, 2) from ?: watching, fully out, watched for 10m
            130s release checkout 2.4.1 from 2.4.0: rolled_back, 2.4.0 was deployed again"#]],
    );
}

#[test]
fn a_newer_release_supersedes_and_a_repeat_of_the_old_ones_promotion_changes_nothing() {
    check(
        ERRORS,
        "100s deploy checkout 2.4.0
         150s deploy checkout 2.4.1 status=started
         200s deploy checkout 2.4.1
         210s deploy checkout 2.4.0 status=promoted
         220s deploy checkout 2.4.2 cluster=west
         230s end",
        expect![[r#"
              100s release checkout 2.4.0 from ?: watching, fully out, watched for 10m
              150s release checkout 2.4.1 from 2.4.0: pending, announced
              200s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 10m
              200s release checkout 2.4.0 from ?: superseded, 2.4.1 went out
              220s release checkout 2.4.2 from ?: watching, fully out, watched for 10m"#]],
    );
}

#[test]
fn failed_cancelled_and_removed_releases_are_over_and_may_go_out_again() {
    check(
        ERRORS,
        "100s deploy checkout 2.4.0 status=started
         110s deploy checkout 2.4.0 status=failed
         120s deploy checkout 2.4.0
         130s cancel checkout 2.4.0
         140s deploy checkout 2.4.0
         150s deploy checkout 2.4.0 status=removed
         160s deploy checkout 9.9.9 status=failed
         170s end",
        expect![[r#"
              100s release checkout 2.4.0 from ?: pending, announced
              110s release checkout 2.4.0 from ?: cancelled, its deployment failed
              120s release checkout 2.4.0 (again, 2) from ?: watching, fully out, watched for 10m
              130s release checkout 2.4.0 (again, 2) from ?: cancelled, called off by ann
              140s release checkout 2.4.0 (again, 3) from ?: watching, fully out, watched for 10m
              150s release checkout 2.4.0 (again, 3) from ?: cancelled, removed from the environment
              160s release checkout 9.9.9 from ?: cancelled, its deployment failed"#]],
    );
}

#[test]
fn rolled_back_names_the_version_that_went_away_or_the_one_that_came_back() {
    check(
        ERRORS,
        "100s deploy checkout 2.4.1 previous=2.4.0
         110s deploy checkout 2.4.1 status=rolled_back
         120s deploy checkout 2.4.2 previous=2.4.0
         130s deploy checkout 2.4.0 status=rolled_back
         140s deploy checkout 2.4.0 status=rolled_back
         150s end",
        expect![[r#"
              100s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 10m
              110s release checkout 2.4.1 from 2.4.0: rolled_back, the deployment tool rolled it back
              120s release checkout 2.4.2 from 2.4.0: watching, fully out, watched for 10m
              130s release checkout 2.4.2 from 2.4.0: rolled_back, the deployment tool rolled it back"#]],
    );
}

#[test]
fn an_older_word_about_a_release_that_is_over_is_a_repeat() {
    check(
        ERRORS,
        "100s deploy checkout 2.4.0 occurred=100
         120s deploy checkout 2.4.1 occurred=120
         130s deploy checkout 2.4.0 occurred=100
         140s deploy checkout 2.4.0 occurred=140
         150s end",
        expect![[r#"
              100s release checkout 2.4.0 from ?: watching, fully out, watched for 10m
              120s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 10m
              120s release checkout 2.4.0 from ?: superseded, 2.4.1 went out
              140s release checkout 2.4.0 (again, 2) from 2.4.1: watching, fully out, watched for 10m
              140s release checkout 2.4.1 from 2.4.0: superseded, 2.4.0 went out"#]],
    );
}

#[test]
fn a_watch_whose_trigger_is_undecided_goes_on_until_it_is_decided() {
    check(
        r#"
defaults: { watch: { time: 10m, max: 1h } }
alerts: [ { name: Slow burn, condition: "error_rate > 1%", window: 5m, for: 10m, action: alert_team } ]"#,
        "0s    serve checkout 2.4.1 rps=20
         100s  deploy checkout 2.4.1
         600s  serve checkout 2.4.1 errors=20%
         900s  serve checkout 2.4.1 errors=0%
         1400s end",
        expect![[r#"
            100s release checkout 2.4.1 from ?: watching, fully out, watched for 10m
            700s release checkout 2.4.1 from ?: watching, the watch goes on until Slow burn is decided
            1185s release checkout 2.4.1 from ?: succeeded, watched for 18m5s: nothing was broken"#]],
    );
}

#[test]
fn one_version_name_with_two_digests_is_ambiguous() {
    check(
        ERRORS,
        "100s deploy checkout 2.4.1 digest=sha256:aa
         200s deploy checkout 2.4.1 change=again digest=sha256:bb
         300s end",
        expect![[r#"
              100s release checkout 2.4.1 from ?: watching, fully out, watched for 10m
              200s release checkout 2.4.1 from ?: watching, fully out, watched for 10m
              200s release checkout 2.4.1 from ?: superseded, 2.4.1 went out
              200s finding checkout 2.4.1: AmbiguousVersion: version 2.4.1 of checkout in production is sha256:aa in one place and sha256:bb in another: its name does not say which"#]],
    );
}

#[test]
fn where_to_go_back_to_is_what_succeeded_else_what_was_out_else_what_was_seen() {
    check(
        ERRORS,
        "0s    serve checkout 2.3.9 rps=20
         100s  deploy checkout 2.4.0
         100s  serve checkout 2.4.0 rps=20
         150s  stop checkout 2.3.9
         800s  deploy checkout 2.4.1
         800s  serve checkout 2.4.1 rps=20
         900s  deploy checkout 2.4.2
         950s end",
        expect![[r#"
              100s release checkout 2.4.0 from 2.3.9: watching, fully out, watched for 10m
              700s release checkout 2.4.0 from 2.3.9: succeeded, watched for 10m: nothing was broken
              800s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 10m
              900s release checkout 2.4.2 from 2.4.0: watching, fully out, watched for 10m
              900s release checkout 2.4.1 from 2.4.0: superseded, 2.4.2 went out"#]],
    );
}

#[test]
fn going_back_two_versions_takes_the_newest_out_and_leaves_the_old_ones_unblamed() {
    check(
        ERRORS,
        "100s deploy checkout 2.3.0
         110s deploy checkout 2.4.0
         120s deploy checkout 2.4.1
         130s deploy checkout 2.3.0 status=rolled_back
         140s deploy checkout 1.0.0 status=rolled_back
         150s end",
        expect![[r#"
              100s release checkout 2.3.0 from ?: watching, fully out, watched for 10m
              110s release checkout 2.4.0 from 2.3.0: watching, fully out, watched for 10m
              110s release checkout 2.3.0 from ?: superseded, 2.4.0 went out
              120s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 10m
              120s release checkout 2.4.0 from 2.3.0: superseded, 2.4.1 went out
              130s release checkout 2.4.1 from 2.4.0: rolled_back, the deployment tool rolled it back"#]],
    );
}
