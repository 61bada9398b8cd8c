//! A breach that goes on is told with the evidence of now; a deployment event that changes nothing is told too.

use expect_test::expect;
use model::Proposal;

use super::shop::Shop;

const ERRORS: &str = "
defaults: { watch: { time: 10m, max: 1h } }
rollback_triggers: { error_rate: { threshold: 1%, window: 1m, action: immediate_rollback } }
alerts: [ { name: Told, condition: \"error_rate > 1%\", window: 1m, action: alert_team } ]";

/// What was said of breaches that go on and of events that were ignored.
fn said(script: &str) -> String {
    let mut shop = Shop::new(ERRORS);
    shop.run(script);
    let lines = shop.proposals.iter().filter_map(|proposal| match proposal {
        Proposal::BreachContinues(breach) => {
            let evidence = breach.reason.evidence.first().unwrap();
            let second = breach.reason.evidence_at.as_millis() / 1000 - super::shop::BEGIN_SECOND;
            let (trigger, errors, requests) = (&breach.reason.trigger, evidence.errors, evidence.requests);
            Some(format!("{second}s {trigger}: {errors} of {requests}"))
        }
        Proposal::Ignored { release, why } => {
            let named = if release.is_some() { "known" } else { "unknown" };
            let words = why.split(' ').map(|word| if word.starts_with("rel_") { "rel" } else { word });
            Some(format!("ignored, {named}: {}", words.collect::<Vec<_>>().join(" ")))
        }
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_breach_that_goes_on_is_told_twice_a_minute_until_it_ends_even_where_its_rollback_failed_for_now() {
    let told = said(
        "0s   serve checkout 2.4.0 rps=20
         50s  stop checkout 2.4.0
         50s  serve checkout 2.4.1 rps=20 errors=10%
         60s  deploy checkout 2.4.1 previous=2.4.0
         130s outcome checkout 2.4.1 failed retryable
         190s serve checkout 2.4.1 errors=0%
         400s end",
    );
    expect![[r#"
        90s error_rate: 60 of 600
        120s error_rate: 120 of 1200
        150s error_rate: 120 of 1200
        180s error_rate: 120 of 1200
        210s error_rate: 60 of 1200"#]]
    .assert_eq(&told);
}

#[test]
fn a_rollback_that_was_refused_for_good_ends_the_watch() {
    let told = said(
        "0s   serve checkout 2.4.1 rps=20 errors=10%
         10s  deploy checkout 2.4.1 previous=2.4.0
         50s  outcome checkout 2.4.1 failed
         200s end",
    );
    expect![[r#""#]].assert_eq(&told);
}

#[test]
fn a_deployment_event_that_changes_nothing_is_ignored_for_a_reason() {
    let told = said(
        "10s deploy checkout 2.4.1 status=rolled_back
         20s deploy checkout 2.4.1 status=failed
         30s deploy checkout 2.4.0 occurred=30
         40s deploy checkout 2.4.0 occurred=30
         50s deploy checkout 2.4.2 occurred=50
         60s deploy checkout 2.4.0 occurred=30
         70s deploy checkout 2.4.0 status=promoted
         80s deploy checkout 2.4.2 status=rolled_back
         90s deploy checkout 2.4.2 status=rolled_back
         100s deploy checkout 9 status=removed
         110s end",
    );
    expect![[r#"
        ignored, unknown: no release of checkout in production 2.4.1 is known
        ignored, known: release rel is watching, and the event says nothing new of it
        ignored, known: release rel is superseded, and the event is no newer than the last one about it
        ignored, known: release rel is superseded: a promotion does not open it again
        ignored, known: release rel is rolled_back already
        ignored, unknown: no release of checkout in production is open"#]]
    .assert_eq(&told);
}
