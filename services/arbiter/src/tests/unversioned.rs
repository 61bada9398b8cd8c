//! Releases of services whose telemetry carries no version.

use expect_test::expect;

use super::script::{check_commands, commands};

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
