//! Whose fault a breach is: the release's, or what it shares with others.

use expect_test::expect;

use super::script::{check, check_commands, told};

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
