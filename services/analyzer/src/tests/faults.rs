//! Data that must not decide, and promises that hold whatever comes in.

use expect_test::expect;
use model::{Event, EventBody, EventId, PolicyLoad, Position, Proposal, Test};
use proptest::prelude::*;

use super::shop::{Shop, at, check, run};
use crate::Analyzer;

const ERRORS: &str =
    "rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }";

#[test]
fn more_errors_than_requests_are_torn_and_never_a_breach() {
    check(
        r#"alerts: [ { name: Torn, condition: "torn_rate > 50%", window: 1m, for: 0s, action: immediate_rollback } ]"#,
        "0s   serve checkout 1 rps=20 checkouts=5 converted=150%
         60s  deploy checkout 1
         100s serve checkout 1 converted=10%
         200s end",
        expect![[r#"
            30s finding checkout (no release): Torn: torn_rate > 50%: 113 errors in 75 requests: the halves of different scrapes, or selectors that do not belong together; not judged
            60s release checkout 1 from ?: watching, fully out, watched for 1h
            75s finding checkout 1: Torn: torn_rate > 50%: 450 errors in 300 requests: the halves of different scrapes, or selectors that do not belong together; not judged
            75s finding checkout (no release): no more Torn: errors and requests fit together again
            105s finding checkout 1: no more Torn: errors and requests fit together again"#]],
    );
}

#[test]
fn a_policy_that_does_not_compile_leaves_the_old_one_in_force() {
    let mut shop = Shop::new(ERRORS);
    let bad = PolicyLoad {
        files: vec![("ripcord.yml".into(), "rollback_triggers: 7".into())],
        origin: "reload".into(),
    };
    shop.send(EventBody::PolicyLoad(Box::new(bad)));
    assert_eq!(shop.analyzer.counters().policies_refused, 1);
    assert_eq!(shop.analyzer.policy().base.triggers.len(), 1);
    let passed = shop.proposals.iter().filter(|it| matches!(it, Proposal::PolicyLoad(_))).count();
    assert_eq!(passed, 2, "the arbiter sees both");
}

#[test]
fn a_trigger_that_a_new_policy_does_not_have_ends() {
    let mut shop = Shop::new(ERRORS);
    shop.run(
        "0s   serve checkout 2.4.1 rps=20 errors=20%
         0s   serve cart 1.0 rps=20 errors=20%
         10s  deploy checkout 2.4.1
         50s  end",
    );
    shop.told.clear();
    shop.load("");
    shop.run("61s end");
    expect![[r#"
           60s cart is within error_rate > 1% (0.0000)
           60s ended  cart (no release): error_rate
           60s ended  checkout 2.4.1: error_rate"#]]
    .assert_eq(&shop.told.join("\n"));
}

#[test]
fn events_of_a_clock_that_goes_back_count_as_the_latest() {
    let mut analyzer = Analyzer::new();
    let tick = |id: &str| Event {
        id: EventId::from_text(id),
        at: at(0),
        source: String::new(),
        is_copy: false,
        body: EventBody::Tick,
    };
    analyzer.handle_event(at(100), Position(1), &tick("a"));
    analyzer.handle_event(at(50), Position(2), &tick("b"));
    analyzer.handle_timeout(at(10));
    assert!(analyzer.poll_proposal().is_none());
}

/// Scripts of anything: traffic of any rate and error share, deployments in any order.
fn scripts() -> impl Strategy<Value = String> {
    let line = (0_usize..7, 0_usize..2, 0_usize..3, 0_u32..60, 0_u32..100);
    prop::collection::vec(line, 1..14).prop_map(|lines| {
        let mut script = String::from("0s serve checkout 1 rps=5\n");
        for (at, (word, service, version, rate, errors)) in lines.into_iter().enumerate() {
            let (service, version) = (["checkout", "cart"][service], ["1", "2", "3"][version]);
            let line = match word {
                0 | 1 => format!("serve {service} {version} rps={} errors={errors}%", f64::from(rate) / 4.0),
                2 => format!("deploy {service} {version} traffic={errors}"),
                3 => format!("deploy {service} {version}"),
                4 => format!(
                    "outcome {service} {version} {}",
                    ["accepted", "succeeded", "failed"][rate as usize % 3]
                ),
                5 => format!(
                    "deploy {service} {version} status={}",
                    ["rolled_back", "failed", "promoted"][rate as usize % 3]
                ),
                _ => format!("alert Burn service={service}{}", if rate > 30 { " resolved" } else { "" }),
            };
            script.push_str(&format!("{}s {line}\n", 40 * (at + 1)));
        }
        script + "700s end"
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_breach_is_proposed_below_the_minimum_nor_twice(script in scripts()) {
        let policy = "
rollback_triggers: { error_rate: { threshold: 5%, window: 2m, action: immediate_rollback } }
alerts: [ { name: Burn, condition: 'alert(\"Burn\")', for: 0s, action: alert_team } ]";
        let mut shop = Shop::new(policy);
        shop.run(&script);
        let mut firing = std::collections::BTreeSet::new();
        for proposal in &shop.proposals {
            match proposal {
                Proposal::Breach(breach) => {
                    let id = (breach.key.clone(), breach.release.clone(), breach.reason.trigger.clone());
                    prop_assert!(firing.insert(id), "told twice: {breach:?}");
                    for evidence in breach.reason.evidence.iter().filter(|it| it.metric == "error_rate") {
                        prop_assert!(evidence.requests >= 10 && evidence.errors >= 4 && evidence.value > 0.05);
                        let is_proven = matches!(evidence.test, Test::Exact { level, tail_probability } if tail_probability <= level);
                        prop_assert!(is_proven);
                    }
                    prop_assert!(!breach.reason.cause.as_str().is_empty());
                }
                Proposal::BreachEnded { key, release, trigger } => {
                    prop_assert!(firing.remove(&(key.clone(), release.clone(), trigger.clone())), "ended what was not");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn the_same_events_give_the_same_proposals(script in scripts()) {
        prop_assert_eq!(run(ERRORS, &script), run(ERRORS, &script));
    }
}
