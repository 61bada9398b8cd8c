//! Which of a metric's sources counts a version.

use policy::{Match, MetricDefinition, MetricSource, Pattern, Policy, RatioKind, Rules};

use super::{
    Rig,
    Versions::{All, One},
    at, cart, selector,
};
use crate::store::Ask;

fn ratio(part: &str, total: &str) -> MetricSource {
    MetricSource::Ratio { kind: RatioKind::Bad, part: selector(part), total: selector(total) }
}

fn error_rate(sources: Vec<MetricSource>) -> MetricDefinition {
    MetricDefinition { name: "error_rate".to_owned(), sources }
}

/// The configured counter first, another library's second.
fn two_sources(policy: &mut Policy) {
    let own = ratio(r#"requests{code=~"5.."}"#, "requests");
    let other = ratio(r#"served{status=~"5.."}"#, "served");
    let sources = vec![own, other, MetricSource::RequestErrors];
    policy.metrics.insert("error_rate".to_owned(), error_rate(sources));
}

/// Scrapes 15 s apart, each series growing by its number every time.
fn scrapes(rig: &mut Rig, from: i64, to: i64, series: &[(&str, i64)]) {
    for step in from..=to {
        let moment = step * 15;
        let line = |(name, each): &(&str, i64)| format!("{name} {}@{moment}", step * each);
        let lines: Vec<String> = series.iter().map(line).collect();
        rig.send_whole(moment, &lines.join("\n"));
    }
}

#[test]
fn a_service_that_sends_its_requests_in_two_forms_has_them_counted_once() {
    let mut rig = Rig::with(two_sources);
    let both = [
        ("requests{code=200}", 9),
        ("requests{code=500}", 1),
        ("served{status=200}", 9),
        ("served{status=500}", 1),
    ];
    scrapes(&mut rig, 0, 10, &both);
    assert_eq!(rig.ratio(All, 150), "10/100");
}

#[test]
fn a_service_without_the_first_source_is_counted_by_the_next() {
    let mut rig = Rig::with(two_sources);
    scrapes(&mut rig, 0, 10, &[("served{status=200}", 9), ("served{status=500}", 1)]);
    assert_eq!(rig.ratio(All, 150), "10/100");
}

#[test]
fn versions_that_are_instrumented_differently_are_each_counted_by_what_they_send() {
    let mut rig = Rig::with(two_sources);
    for step in 0..=10 {
        let moment = step * 15;
        let lines = [
            format!("requests{{code=200,version=1}} {}@{moment}", 9 * step),
            format!("served{{status=200,version=2,instance=b}} {}@{moment}", 4 * step),
            format!("served{{status=500,version=2,instance=b}} {step}@{moment}"),
        ];
        rig.send_whole(moment, &lines.join("\n"));
    }
    assert_eq!(rig.ratio(One("1"), 150), "0/90");
    assert_eq!(rig.ratio(One("2"), 150), "10/50");
    assert_eq!(rig.ratio(All, 150), "10/140", "together");
}

#[test]
fn a_deployment_does_not_change_which_source_counts() {
    let mut rig = Rig::with(two_sources);
    scrapes(&mut rig, 0, 10, &[("requests{code=200}", 10), ("served{status=500}", 10)]);
    // After the deployment at 151 the second form comes first.
    scrapes(&mut rig, 11, 11, &[("served{status=500}", 10)]);
    let key = cart();
    let asked = Ask { since: Some(at(151)), ..super::ask(&key, "error_rate", All, 165) };
    let count = rig.store.ratio(&asked).map(|it| (it.part, it.total));
    assert_eq!(count, None, "the first source has said nothing yet, and it is the one that counts");
}

#[test]
fn a_source_that_fell_silent_for_a_whole_window_gives_way_to_the_next() {
    let mut rig = Rig::with(two_sources);
    scrapes(&mut rig, 0, 4, &[("requests{code=200}", 10), ("served{status=200}", 10)]);
    scrapes(&mut rig, 5, 40, &[("served{status=200}", 10)]);
    assert_eq!(rig.ratio(All, 600), "0/200");
}

#[test]
fn a_policys_definition_counts_for_what_it_matches_alone_and_follows_a_reload() {
    let of_cart = |policy: &mut Policy| {
        two_sources(policy);
        policy.policies.push(Rules {
            matching: Match { service: Some(Pattern::literal("cart")), ..Match::new() },
            metrics: [("error_rate".to_owned(), error_rate(vec![ratio("failures", "calls")]))].into(),
            ..Rules::default()
        });
    };
    let mut rig = Rig::with(of_cart);
    let series = [
        ("requests{code=200}", 10),
        ("calls{}", 4),
        ("failures{}", 1),
        ("requests{code=200,service=shop,instance=s}", 10),
        ("calls{service=shop,instance=s}", 4),
    ];
    scrapes(&mut rig, 0, 10, &series);
    let shop = model::ServiceKey::new("shop", "production");
    let of_shop = |rig: &Rig| {
        let count = rig.store.ratio(&super::ask(&shop, "error_rate", All, 150));
        count.map(|it| (it.part, it.total))
    };
    assert_eq!(rig.ratio(All, 150), "10/40");
    assert_eq!(of_shop(&rig), Some((0, 100)));
    let mut without = super::policy();
    two_sources(&mut without);
    rig.store.configure(&without);
    scrapes(&mut rig, 11, 12, &series);
    assert_eq!(rig.ratio(All, 180), "0/20", "from the reload on");
    assert_eq!(of_shop(&rig), Some((0, 100)), "what is defined as before is kept");
}
