//! How far a breach is let go, and why not further.

use expect_test::expect;

use super::script::{check, check_commands, commands, told};

#[test]
fn a_breach_of_an_attributable_release_is_rolled_back_at_once() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn what_the_version_before_exceeded_too_is_prepared() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 before=0.05
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as before the deployment, when it was 5 % (error_rate > 1%)
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rollback to 2.4.0 waits for approval: not_attributable: as bad as before the deployment, when it was 5 % (error_rate > 1%)
        "#]],
    );
}

#[test]
fn what_the_version_beside_exceeds_too_is_prepared() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 beside=0.02 version_beside=2.4.0
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: as bad as 2.4.0 beside it, which is at 2 % now (error_rate > 1%)
        "#]],
    );
}

#[test]
fn what_unreleased_services_of_the_environment_exceed_too_is_prepared() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            2s limit cart error_rate on
            3s limit payments error_rate on
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: the same limit is exceeded without a release under watch by cart, payments
        "#]],
    );
}

#[test]
fn an_exceedance_that_ended_does_not_count() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            2s limit cart error_rate on
            3s limit cart error_rate off
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn an_exceedance_older_than_a_window_before_the_release_is_that_services_own_trouble() {
    check_commands(
        "
            0s limit cart error_rate on
            301s release checkout 2.4.1 watching previous=2.4.0
            305s breach checkout 2.4.1
        ",
        expect![[r#"
            305s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 365s
            305s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn an_exceedance_within_a_window_before_the_release_counts() {
    check_commands(
        "
            0s limit cart error_rate on
            300s release checkout 2.4.1 watching previous=2.4.0
            305s breach checkout 2.4.1
        ",
        expect![[r#"
            305s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 2105s: not_attributable: the same limit is exceeded without a release under watch by cart
        "#]],
    );
}

#[test]
fn an_exceedance_of_another_limit_or_elsewhere_does_not_count() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            1s limit cart response_time on
            2s limit cart error_rate on env=staging
            3s limit checkout error_rate on
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn telemetry_without_versions_prepares_at_most() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 unversioned=yes
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: the telemetry carries no version, so the whole service was judged
        "#]],
    );
}

#[test]
fn telemetry_without_versions_acts_where_the_policy_says_so_and_it_was_better_before() {
    check_commands(
        "
            policy unversioned=auto
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 unversioned=yes was=0.002
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn without_versions_nothing_acts_where_nothing_is_known_from_before_or_it_was_as_bad() {
    for (known, reason) in [
        ("", "nothing from before the deployment is there to compare with"),
        (" before=0.05 was=0.05", "not_attributable: "),
    ] {
        let script = format!(
            "
            policy unversioned=auto
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 unversioned=yes{known}
        "
        );
        let decided = commands(&script);
        assert!(decided.contains("#1 prepared") && decided.contains(reason), "{known}: {decided}");
    }
}

#[test]
fn without_versions_only_one_release_of_the_service_may_be_in_flight() {
    for (what, other, is_sent) in [
        ("a flag beside it", "0s release checkout basket-on watching", false),
        ("another cluster", "0s release checkout 2.4.1 watching cluster=eu-1", false),
        ("one that is on its way out", "0s release checkout 2.4.2 pending cluster=eu-1", false),
        ("one that went out just before", "699s release checkout 2.4.0 superseded", false),
        ("one that went out long before", "0s release checkout 2.4.0 succeeded", true),
        ("another service", "699s release cart 1.1 watching", true),
        ("another environment", "699s release checkout 2.4.1 watching env=staging", true),
    ] {
        let script = format!(
            "
            policy unversioned=auto
            {other}
            700s release checkout 2.4.1 watching previous=2.4.0
            705s breach checkout 2.4.1 unversioned=yes was=0.002
        "
        );
        let decided = commands(&script);
        assert_eq!(decided.contains("#1 ready immediate"), is_sent, "{what}: {decided}");
        assert_eq!(decided.contains("it may as well be"), !is_sent, "{what}: {decided}");
    }
}

#[test]
fn without_versions_a_release_that_breaks_together_with_anothers_does_not_act() {
    check_commands(
        "
            policy unversioned=auto
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            200s breach cart 2 unversioned=yes rise=190:0/6000:60/300 worse=before:60/300:1/6000
            201s breach checkout 2 unversioned=yes rise=192:0/6000:50/300 worse=before:50/300:1/6000
        ",
        expect![[r#"
            200s command cart 2 #1 ready immediate (2) to 1 for error_rate until 260s
            200s version cart 2 is bad: it is being rolled back
            201s command checkout 2 #1 prepared approved to 1 for error_rate until 2001s: not_attributable: more than one release broke a limit at the same time, and this one does not stand out; the likeliest first: cart 2 in production from 0 % to 20 % bad requests (60 of 300), checkout 2 in production from 0 % to 16.7 % bad requests (50 of 300)
        "#]],
    );
}

#[test]
fn telemetry_that_names_other_versions_prepares_at_most_whatever_the_policy_says() {
    check_commands(
        "
            policy unversioned=auto
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 unversioned=others was=0.002
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: the telemetry names other versions than 2.4.1, so the whole service was judged
        "#]],
    );
}

#[test]
fn an_ambiguous_version_is_told_only() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            2s finding checkout 2.4.1 ambiguous_version on
            5s breach checkout 2.4.1
            6s finding checkout 2.4.1 ambiguous_version off
            7s breach checkout 2.4.1 response_time
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            2s notice firing finding warning: checkout 2.4.1 in production: ambiguous_version is on
            5s notice firing breach critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback to 2.4.0 is advised: the version is ambiguous: 2.4.1 names more than one artifact
            6s notice resolved finding warning: checkout 2.4.1 in production: ambiguous_version is off
            7s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for response_time until 67s
            7s version checkout 2.4.1 is bad: it is being rolled back
            7s notice firing rollback_started critical: checkout 2.4.1 in production: response_time_p95 1.4 s > 1 s over 5m (1513 of 18231 requests); rolling back to 2.4.0
        "#]],
    );
}

#[test]
fn while_the_sender_is_silent_nothing_is_done_but_told() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            2s finding checkout - sender_silent on
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            2s notice firing finding critical: checkout in production: sender_silent is on
            5s notice firing breach critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback to 2.4.0 is advised: the sender of its telemetry is silent
        "#]],
    );
}

#[test]
fn a_release_that_cannot_be_reverted_is_prepared() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0 revertible=false
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: the release is marked as not revertible
        "#]],
    );
}

#[test]
fn old_evidence_is_prepared() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            200s breach checkout 2.4.1 age=61s
        ",
        expect![[r#"
            200s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 2000s: the evidence is older than 1m
        "#]],
    );
}

#[test]
fn evidence_of_just_the_greatest_age_still_acts() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            200s breach checkout 2.4.1 age=60s
        ",
        expect![[r#"
            200s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 260s
            200s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn without_a_known_version_to_go_back_to_a_person_is_asked_for_one() {
    check(
        "
            0s release checkout 2.4.1 watching
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 prepared approved to ? for error_rate until 1805s: no earlier version is known to have succeeded
            5s notice firing rollback_prepared critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback waits for somebody to name a version: no earlier version is known to have succeeded
        "#]],
    );
}

#[test]
fn the_newest_version_that_succeeded_is_where_to_go() {
    check_commands(
        "
            0s release checkout 2.3.0 watching
            1s release checkout 2.3.0 succeeded
            2s release checkout 2.4.0 watching digest=sha256:a
            3s release checkout 2.4.0 succeeded digest=sha256:a
            4s release checkout 2.4.1 watching
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0@sha256:a for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn a_version_of_another_cluster_is_not_where_to_go() {
    check_commands(
        "
            0s release checkout 2.4.0 watching cluster=us-1
            1s release checkout 2.4.0 succeeded cluster=us-1
            4s release checkout 2.4.1 watching cluster=eu-1
            5s breach checkout 2.4.1 cluster=eu-1
        ",
        expect![[r#"
            5s command checkout 2.4.1 (eu-1) #1 prepared approved to ? for error_rate until 1805s: no earlier version is known to have succeeded
        "#]],
    );
}

#[test]
fn below_the_floor_nothing_is_sent() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0 floor=2.4.1
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to ? for error_rate until 1805s: no version to go back to: 2.4.0 is older than the rollback floor 2.4.1
        "#]],
    );
}

#[test]
fn within_the_cooldown_of_an_automatic_rollback_the_next_is_prepared() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 succeeded
            60s release checkout 2.4.2 watching previous=2.4.0
            65s breach checkout 2.4.2
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            6s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s
            65s command checkout 2.4.2 #1 prepared approved to 2.4.0 for error_rate until 1865s: cooldown: the last automatic rollback was 1m ago, less than 10m
        "#]],
    );
}

#[test]
fn after_the_cooldown_it_acts_again() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s outcome checkout 2.4.1 succeeded
            600s release checkout 2.4.2 watching previous=2.4.0
            605s breach checkout 2.4.2
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            6s command checkout 2.4.1 #1 succeeded immediate to 2.4.0 for error_rate until 65s
            605s command checkout 2.4.2 #1 ready immediate (4) to 2.4.0 for error_rate until 665s
            605s version checkout 2.4.2 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn another_cluster_has_a_cooldown_of_its_own() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1
            6s release checkout 2.4.1 watching previous=2.4.0 cluster=eu-1
            7s breach checkout 2.4.1 cluster=eu-1
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            7s command checkout 2.4.1 (eu-1) #1 ready immediate (4) to 2.4.0 for error_rate until 67s
            7s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn ripcord_does_not_act_on_itself() {
    check(
        "
            0s release ripcord 2.0.0 watching previous=1.0.0
            5s breach ripcord 2.0.0
        ",
        expect![[r#"
            0s notice firing release_progress info: ripcord 2.0.0 in production is out and watched
            5s notice firing breach critical: ripcord 2.0.0 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); a rollback to 1.0.0 is advised: Ripcord does not act on itself
        "#]],
    );
}

#[test]
fn a_breach_without_a_release_is_told_only() {
    check(
        "
            5s breach cart -
            6s ended cart - error_rate
        ",
        expect![[r#"
            5s notice firing breach critical: cart in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); no release is under watch, so nothing is rolled back
            6s notice resolved breach critical: cart in production: error_rate is within its limit again
        "#]],
    );
}

#[test]
fn a_breach_of_an_unknown_release_is_told_only() {
    check(
        "
            5s breach cart 9.9.9
            6s ended cart 9.9.9 error_rate
        ",
        expect![[r#"
            5s notice firing breach critical: cart 9.9.9 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); the release is not known, so nothing is rolled back
            6s notice resolved breach critical: cart 9.9.9 in production: error_rate is within its limit again
        "#]],
    );
}

#[test]
fn a_breach_of_a_release_that_is_not_watched_is_told_only() {
    check(
        "
            0s release checkout 2.4.1 pending previous=2.4.0
            5s breach checkout 2.4.1
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is about to go out
            5s notice firing breach critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); the release is pending, so nothing is rolled back
        "#]],
    );
}

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

#[test]
fn what_is_no_worse_than_its_baseline_is_prepared_with_the_numbers() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 beside=0.2 no_worse=2.4.0:60/300:1200/6000
            0s release cart 2 watching previous=1
            6s breach cart 2 before=0.2 no_worse=before:60/300:1200/6000
        ",
        expect![[r#"
            5s command checkout 2.4.1 #1 prepared approved to 2.4.0 for error_rate until 1805s: not_attributable: it is not proven worse than 2.4.0 beside it, which is at 20 % now (error_rate > 1%): 60 of 300 bad requests (20 %) against 1200 of 6000 (20 %); chance alone shows that in 40 % of cases
            6s command cart 2 #1 prepared approved to 1 for error_rate until 1806s: not_attributable: it is not proven worse than before the deployment, when it was 20 % (error_rate > 1%): 60 of 300 bad requests (20 %) against 1200 of 6000 (20 %); chance alone shows that in 40 % of cases
        "#]],
    );
}

#[test]
fn a_baseline_that_fails_too_is_no_alibi() {
    check(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            5s breach checkout 2.4.1 worse=2.4.0:135/300:300/6000
        ",
        expect![[r#"
            0s notice firing release_progress info: checkout 2.4.1 in production is out and watched
            5s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 65s
            5s version checkout 2.4.1 is bad: it is being rolled back
            5s notice firing rollback_started critical: checkout 2.4.1 in production: error_rate 8.3 % > 1 % over 5m (1513 of 18231 requests); rolling back to 2.4.0
        "#]],
    );
}

/// One release that fails at 20 % from second 100 on; each row is another service and what it did meanwhile.
#[test]
fn only_a_rise_at_the_same_time_of_comparable_size_and_traffic_excuses_and_only_while_it_lasts() {
    let breach = "rise=100:0/6000:60/300";
    for (limits, breach, is_excused, story) in [
        (&["limit cart error_rate on rise=95:1/6000:80/400"][..], breach, true, "the same at the same time"),
        (
            &["limit cart error_rate on rise=5:1/6000:80/400"],
            breach,
            false,
            "it began a minute and a half earlier",
        ),
        (
            &["limit cart error_rate on rise=95:600/6000:62/400"],
            breach,
            false,
            "from 10 % to 15.5 %: too small a rise",
        ),
        (
            &["limit cart error_rate on rise=95:1200/6000:80/400"],
            breach,
            false,
            "it fails for ever: no rise at all",
        ),
        (&["limit cart error_rate on rise=95:0/60:2/4"], breach, false, "one request in ten seconds"),
        (
            &["limit cart error_rate on rise=95:0/60:2/5", "limit mail error_rate on rise=95:0/600:20/100"],
            breach,
            true,
            "all of them together have traffic enough",
        ),
        (&["limit cart error_rate on rise=95:1/6000:80/400 env=staging"], breach, false, "elsewhere"),
        (&["limit cart latency on rise=95:1/6000:80/400"], breach, false, "another limit"),
        (
            &["limit cart error_rate on rise=95:1/6000:80/400"],
            "rise=100:0/6000:60/300 worse=2.4.0:60/300:1/6000",
            false,
            "it would have hit the old version beside it as well",
        ),
        (
            &["limit cart error_rate on rise=95:1/6000:80/400"],
            "rise=100:0/6000:60/300 worse=before:60/300:1/6000",
            true,
            "what ran before it did not see this hour",
        ),
        (
            &["limit cart error_rate on rise=95:1/6000:80/400", "limit cart error_rate off"],
            breach,
            true,
            "it has just ended: the release's window still shows what it had of it",
        ),
    ] {
        let limits: String = limits.iter().map(|limit| format!("105s {limit}\n")).collect();
        let script = format!(
            "0s release checkout 2.4.1 watching previous=2.4.0\n{limits}110s breach checkout 2.4.1 {breach}"
        );
        assert_eq!(told(&script).contains("not_attributable"), is_excused, "{story}: {}", told(&script));
    }
}

#[test]
fn an_excuse_that_ended_is_none_for_what_fails_later() {
    check_commands(
        "
            0s release checkout 2.4.1 watching previous=2.4.0
            105s limit cart error_rate on rise=100:1/6000:80/400
            160s limit cart error_rate off
            251s breach checkout 2.4.1 rise=100:0/6000:600/3000
        ",
        expect![[r#"
            251s command checkout 2.4.1 #1 ready immediate (2) to 2.4.0 for error_rate until 311s
            251s version checkout 2.4.1 is bad: it is being rolled back
        "#]],
    );
}

#[test]
fn of_releases_that_break_at_the_same_time_the_one_proven_beside_its_old_version_is_rolled_back() {
    check_commands(
        "
            0s release cart 2 watching previous=1
            0s release checkout 2 watching previous=1
            0s release mail 2 watching previous=1
            200s breach cart 2 rise=190:0/6000:60/300 worse=1:60/300:1/6000
            201s breach checkout 2 rise=192:0/6000:50/300 worse=before:50/300:1/6000
            202s breach mail 2 rise=20:0/6000:50/300 worse=before:50/300:1/6000
        ",
        expect![[r#"
            200s command cart 2 #1 ready immediate (2) to 1 for error_rate until 260s
            200s version cart 2 is bad: it is being rolled back
            201s command checkout 2 #1 prepared approved to 1 for error_rate until 2001s: not_attributable: more than one release broke a limit at the same time, and this one does not stand out; the likeliest first: cart 2 in production from 0 % to 20 % bad requests (60 of 300), checkout 2 in production from 0 % to 16.7 % bad requests (50 of 300)
            202s command mail 2 #1 ready immediate (5) to 1 for error_rate until 262s
            202s version mail 2 is bad: it is being rolled back
        "#]],
    );
}
