//! Whether the release is to blame.

use expect_test::expect;

use super::shop::check;

const ERRORS: &str =
    "rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }";

#[test]
fn a_hotfix_in_the_middle_of_an_incident_is_known_to_inherit_the_fault() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.0 rps=20
         300s serve checkout 2.4.0 errors=20%
         400s stop  checkout 2.4.0
         400s serve checkout 2.4.1 rps=20 errors=20%
         400s deploy checkout 2.4.1
         600s end",
        expect![[r#"
            315s checkout exceeds error_rate > 1% (0.0400)
            330s BREACH checkout (no release): alert_team error_rate > 1% [error_rate 0.0200 vs 0.0100, 120/6000, tail 4.5e-12 at 0.001]
            400s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h
            420s BREACH checkout 2.4.1: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0600 of 6000 before], exceeded before (0.2000)
            435s checkout is within error_rate > 1% (0.0000)"#]],
    );
}

#[test]
fn an_outage_that_hits_the_old_version_too_is_seen_beside() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.0 rps=20
         400s serve checkout 2.4.1 rps=20
         400s deploy checkout 2.4.1 traffic=50
         600s serve checkout 2.4.0 errors=20%
         600s serve checkout 2.4.1 errors=20%
         700s end",
        expect![[r#"
            400s release checkout 2.4.1 from 2.4.0: progressing, out at 50 % of traffic
            615s checkout exceeds error_rate > 1% (0.0400)
            630s BREACH checkout 2.4.1: immediate_rollback error_rate > 1% [error_rate 0.0267 vs 0.0100, 120/4500, tail 8.8e-21 at 0.0001, baseline 0.0250 of 4800 2.4.0], exceeded beside (0.0250)"#]],
    );
}

#[test]
fn a_service_without_version_is_judged_since_the_deployment_and_says_so() {
    check(
        ERRORS,
        "0s   serve checkout - rps=20
         400s deploy checkout 2.4.1
         400s serve checkout - errors=20%
         500s end",
        expect![[r#"
            400s release checkout 2.4.1 from ?: watching, fully out, watched for 1h
            405s BREACH checkout 2.4.1: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 6000 before], unversioned"#]],
    );
}

#[test]
fn a_service_that_fails_without_a_release_is_told_of_and_counts_as_exceeding_before_the_breach_beside_it() {
    check(
        ERRORS,
        "0s   serve cart 1.0 rps=20
         0s   serve checkout 2.4.0 rps=20
         300s deploy checkout 2.4.1
         300s serve checkout 2.4.1 rps=20
         400s serve cart 1.0 errors=20%
         400s serve checkout 2.4.1 errors=20%
         500s serve cart 1.0 errors=0%
         800s end",
        expect![[r#"
            300s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h
            405s cart exceeds error_rate > 1% (0.0400)
            405s BREACH checkout 2.4.1: immediate_rollback error_rate > 1% [error_rate 0.0333 vs 0.0100, 60/1800, tail 3.3e-15 at 0.0001, baseline 0.0000 of 2400 2.4.0]
            420s BREACH cart (no release): alert_team error_rate > 1% [error_rate 0.0200 vs 0.0100, 120/6000, tail 4.5e-12 at 0.001]
            570s cart is within error_rate > 1% (0.0700)
            780s ended  cart (no release): error_rate"#]],
    );
}

#[test]
fn an_alert_that_fired_before_the_release_is_not_its_fault() {
    check(
        r#"alerts: [ { name: Burn, condition: 'alert("Burn")', for: 0s, action: prepare_rollback } ]"#,
        "0s   serve checkout 2.4.0 rps=20
         100s alert Burn service=checkout
         200s deploy checkout 2.4.1
         300s serve checkout 2.4.1 rps=20
         400s end",
        expect![[r#"
            100s checkout exceeds alert("Burn") (1.0000)
            100s BREACH checkout (no release): alert_team alert("Burn") [alert("Burn") 1.0000 vs 0.0000, 0/0]
            200s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h
            210s BREACH checkout 2.4.1: prepare_rollback alert("Burn") [alert("Burn") 1.0000 vs 0.0000, 0/0], exceeded before (1.0000)"#]],
    );
}

#[test]
fn without_versions_the_service_since_the_deployment_is_compared_with_the_service_before() {
    check(
        ERRORS,
        "0s   serve checkout - rps=20
         0s   serve cart - rps=20 errors=5%
         400s deploy checkout 2.4.1 previous=2.4.0
         400s deploy cart 1.1 previous=1.0
         400s serve checkout - errors=20%
         450s end",
        expect![[r#"
            30s cart exceeds error_rate > 1% (0.0500)
            30s BREACH cart (no release): alert_team error_rate > 1% [error_rate 0.0500 vs 0.0100, 15/300, tail 5.3e-7 at 0.001]
            400s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 1h
            400s release cart 1.1 from 1.0: watching, fully out, watched for 1h
            405s cart is within error_rate > 1% (0.0000)
            405s BREACH cart 1.1: immediate_rollback error_rate > 1% [error_rate 0.0500 vs 0.0100, 15/300, tail 5.3e-7 at 0.0001, baseline 0.0500 of 6000 before], exceeded before (0.0500), unversioned
            405s BREACH checkout 2.4.1: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 6000 before], unversioned"#]],
    );
}

#[test]
fn a_flag_is_judged_on_the_whole_service_beside_the_release_of_its_code() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.0 rps=20
         100s deploy checkout 2.4.0
         400s deploy checkout new-basket=on kind=flag
         400s serve checkout 2.4.0 errors=20%
         480s end",
        expect![[r#"
            100s release checkout 2.4.0 from ?: watching, fully out, watched for 1h
            400s release checkout new-basket=on from ?: watching, fully out, watched for 1h
            405s BREACH checkout new-basket=on: immediate_rollback error_rate > 1% [error_rate 0.2000 vs 0.0100, 60/300, tail 8.4e-58 at 0.0001, baseline 0.0000 of 6000 before], unversioned, other versions
            420s BREACH checkout 2.4.0: immediate_rollback error_rate > 1% [error_rate 0.0200 vs 0.0100, 120/6000, tail 4.5e-12 at 0.0001]"#]],
    );
}
