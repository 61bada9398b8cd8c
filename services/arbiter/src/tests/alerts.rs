//! Alerts from elsewhere that are about a release.

use expect_test::{Expect, expect};
use model::{Decision, NoticeKind, NoticeStatus};

use super::script::decisions;

/// The alerts passed on, a line each: status and labels, the release by whether there is one.
fn check(script: &str, expected: Expect) {
    let mut told = String::new();
    for decision in decisions(script) {
        let Decision::Notice(notice) = decision else { continue };
        if notice.kind != NoticeKind::Alert {
            continue;
        }
        let status = if notice.status == NoticeStatus::Firing { "firing" } else { "resolved" };
        let labels = notice.labels.iter().map(|(name, value)| match name {
            "release" => "release".to_owned(),
            _ => format!("{name}={value}"),
        });
        let labels: Vec<String> = labels.collect();
        let of = notice.release.as_ref().map_or("no release", |release| release.version.as_str());
        told += &format!("{status} {} ({of})\n", labels.join(" "));
    }
    expected.assert_eq(&told);
}

#[test]
fn an_alert_that_names_a_service_under_watch_carries_its_release_until_it_is_over() {
    check(
        "
        0s   release checkout 2.4.1 watching from=2.4.0
        10s  alert Slow service=checkout environment=production
        20s  alert Slow service=checkout environment=production
        30s  release checkout 2.4.1 succeeded
        40s  alert Slow service=checkout environment=production ends=39s
        50s  alert Slow service=checkout environment=production starts=50s",
        expect![[r#"
            firing alertname=Slow environment=production release service=checkout severity=critical version=2.4.1 (2.4.1)
            firing alertname=Slow environment=production release service=checkout severity=critical version=2.4.1 (2.4.1)
            resolved alertname=Slow environment=production release service=checkout severity=critical version=2.4.1 (2.4.1)
            firing alertname=Slow environment=production service=checkout severity=critical (no release)
        "#]],
    );
}

#[test]
fn an_alert_about_another_version_service_or_environment_is_about_no_release() {
    check(
        "
        0s   release checkout 2.4.1 watching from=2.4.0
        10s  alert Other service=cart environment=production
        10s  alert Elsewhere service=checkout environment=staging
        10s  alert Old service=checkout environment=production version=2.4.0
        10s  alert Own service=checkout environment=production version=2.4.1
        10s  alert Anywhere service=checkout
        10s  alert Nothing",
        expect![[r#"
            firing alertname=Other environment=production service=cart severity=critical (no release)
            firing alertname=Elsewhere environment=staging service=checkout severity=critical (no release)
            firing alertname=Old environment=production service=checkout severity=critical version=2.4.0 (no release)
            firing alertname=Own environment=production release service=checkout severity=critical version=2.4.1 (2.4.1)
            firing alertname=Anywhere release service=checkout severity=critical version=2.4.1 (2.4.1)
            firing alertname=Nothing severity=critical (no release)
        "#]],
    );
}

#[test]
fn what_fires_before_the_release_ends_under_the_labels_it_began_with() {
    check(
        "
        0s   alert Slow service=checkout environment=production
        10s  release checkout 2.4.1 watching from=2.4.0
        20s  alert Slow service=checkout environment=production
        30s  alert Slow service=checkout environment=production ends=29s",
        expect![[r#"
            firing alertname=Slow environment=production service=checkout severity=critical (no release)
            firing alertname=Slow environment=production service=checkout severity=critical (no release)
            resolved alertname=Slow environment=production service=checkout severity=critical (no release)
        "#]],
    );
}

#[test]
fn the_end_of_an_earlier_stretch_does_not_end_the_alert_that_fires_again() {
    check(
        "
        0s   alert Slow service=checkout
        60s  alert Slow service=checkout starts=55s
        61s  alert Slow service=checkout ends=50s
        90s  alert Slow service=checkout starts=55s ends=80s",
        expect![[r#"
            firing alertname=Slow service=checkout severity=critical (no release)
            firing alertname=Slow service=checkout severity=critical (no release)
            resolved alertname=Slow service=checkout severity=critical (no release)
        "#]],
    );
}

#[test]
fn the_same_firing_after_its_end_fires_again_as_in_alertmanager_and_ends_by_its_timeout() {
    check(
        "
        0s   alert Slow service=checkout ends=9h
        60s  alert Slow service=checkout ends=59s
        61s  alert Slow service=checkout ends=9h",
        expect![[r#"
            firing alertname=Slow service=checkout severity=critical (no release)
            resolved alertname=Slow service=checkout severity=critical (no release)
            firing alertname=Slow service=checkout severity=critical (no release)
        "#]],
    );
}

#[test]
fn an_alert_passes_for_none_of_ripcords_own_notices() {
    check(
        "
        0s   release checkout 2.4.1 watching from=2.4.0
        10s  alert rollback_prepared kind=rollback_prepared service=checkout environment=production halt=hlt_1
        20s  alert rollback_prepared kind=rollback_prepared service=checkout environment=production halt=hlt_1 ends=19s
        30s  alert Elsewhere kind=breach release=rel_0123456789abcdef service=cart
        40s  alert Theirs kind=Deployment release=kube-prometheus halt=no service=cart",
        expect![[r#"
            firing alertname=exported_rollback_prepared environment=production release service=checkout severity=critical version=2.4.1 (2.4.1)
            resolved alertname=exported_rollback_prepared environment=production release service=checkout severity=critical version=2.4.1 (2.4.1)
            firing alertname=Elsewhere service=cart severity=critical (no release)
            firing alertname=Theirs service=cart severity=critical (no release)
        "#]],
    );
}
