//! A restart in the middle: the analyzer is built anew from both logs.

use model::Proposal;
use proptest::prelude::*;

use super::{
    shop::{Shop, at},
    told::told,
};
use crate::Analyzer;

const POLICY: &str = r#"
defaults: { watch: { time: 5m, max: 10m } }
rollback_triggers: { error_rate: { threshold: 5%, window: 2m, action: immediate_rollback } }
alerts:
  - { name: Held, condition: "error_rate > 5%", window: 2m, for: 1m, action: alert_team }
  - { name: Burn, condition: 'alert("Burn")', for: 20s, action: alert_team }"#;

/// Hands the events before `cut` to a new analyzer as a restart does, goes on with the rest, and gives what both
/// told after the cut.
fn told_after(shop: &Shop, proposals_before: &[Proposal], cut: i64) -> Vec<String> {
    let mut analyzer = Analyzer::new();
    proposals_before.iter().for_each(|proposal| analyzer.restore(proposal));
    let mut lines = Vec::new();
    for (now, position, event) in &shop.events {
        if *now <= at(cut) {
            analyzer.replay_event(*now, *position, event);
            assert!(analyzer.poll_proposal().is_none(), "a replay proposes nothing");
            continue;
        }
        if analyzer.poll_timeout().is_some_and(|due| due <= *now) {
            analyzer.handle_timeout(*now);
        }
        analyzer.handle_event(*now, *position, event);
        lines.extend(std::iter::from_fn(|| analyzer.poll_proposal()).filter_map(|it| told(&it)));
    }
    lines
}

fn check_restart(before: &str, cut: i64, after: &str) -> (Vec<String>, Vec<String>) {
    let mut shop = Shop::new(POLICY);
    shop.run(&format!("{before}\n{cut}s end"));
    let proposals_before = std::mem::take(&mut shop.proposals);
    shop.run(after);
    let uninterrupted = shop.proposals.iter().filter_map(told).collect();
    (told_after(&shop, &proposals_before, cut), uninterrupted)
}

#[test]
fn a_breach_told_before_the_restart_is_not_told_again_and_one_half_held_fires_in_time() {
    let before = "0s   serve checkout 1 rps=20
                  60s  serve checkout 2 rps=20 errors=20%
                  60s  deploy checkout 2 previous=1";
    for cut in [70, 80, 100, 119, 121, 140] {
        let (restarted, uninterrupted) =
            check_restart(before, cut, "170s serve checkout 2 errors=0%\n 400s end");
        assert!(!uninterrupted.is_empty());
        assert_eq!(restarted, uninterrupted, "cut at {cut}");
    }
}

#[test]
fn a_watch_ends_when_it_would_have_ended() {
    let before = "0s serve checkout 1 rps=20\n 60s deploy checkout 1";
    let (restarted, uninterrupted) = check_restart(before, 200, "500s end");
    assert_eq!(restarted, uninterrupted);
    assert_eq!(uninterrupted.len(), 1, "{uninterrupted:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_is_told_twice_or_lost_wherever_it_restarts(
        errors in 0_u32..40,
        beside in 0_u32..10,
        alert_at in 100_i64..200,
        cut in 65_i64..330,
    ) {
        let script = format!(
            "0s   serve checkout 1 rps=8
             60s  serve checkout 2 rps=8 errors={errors}%
             60s  deploy checkout 2 traffic=50
             90s  serve checkout 1 errors={beside}%
             {alert_at}s alert Burn service=checkout
             210s serve checkout 2 errors=0%
             280s serve checkout 2 errors={errors}%"
        );
        let (before, after): (Vec<&str>, Vec<&str>) = script
            .lines()
            .partition(|line| line.split_whitespace().next().unwrap().trim_end_matches('s').parse::<i64>().unwrap() <= cut);
        let after = format!("{}\n 450s end", after.join("\n"));
        let (restarted, uninterrupted) = check_restart(&before.join("\n"), cut, &after);
        prop_assert_eq!(restarted, uninterrupted);
    }
}

/// What is told of `events` in one go, or with a restart after `cut`, once each scrape has to settle first.
fn told_of_settling(shop: &Shop, cut: Option<i64>) -> Vec<String> {
    let settling = shop.events.iter().cloned().map(|(now, position, mut event)| {
        if let model::EventBody::Telemetry(batch) = &mut event.body {
            batch.is_whole = false;
        }
        (now, position, event)
    });
    let (mut analyzer, mut proposals) = (Analyzer::new(), Vec::new());
    let mut past = Vec::new();
    for (now, position, event) in settling {
        if analyzer.poll_timeout().is_some_and(|due| due <= now) {
            analyzer.handle_timeout(now);
        }
        analyzer.handle_event(now, position, &event);
        proposals.extend(std::iter::from_fn(|| analyzer.poll_proposal()));
        past.push((now, position, event));
        if cut.is_some_and(|cut| now == at(cut)) {
            analyzer = Analyzer::new();
            proposals.iter().for_each(|proposal| analyzer.restore(proposal));
            past.iter().for_each(|(now, position, event)| analyzer.replay_event(*now, *position, event));
        }
    }
    proposals.iter().filter_map(told).collect()
}

#[test]
fn what_a_release_is_compared_with_is_what_had_settled_when_it_went_out_after_a_restart_too() {
    let mut shop = Shop::new(POLICY);
    shop.run(
        "0s   serve checkout 1 rps=20 errors=10%
         80s  serve checkout 1 errors=60%
         91s  serve checkout 2 rps=20 errors=30%
         91s  deploy checkout 2 previous=1
         200s end",
    );
    let uninterrupted = told_of_settling(&shop, None);
    assert!(uninterrupted.iter().any(|line| line.contains("exceeded before")), "{uninterrupted:?}");
    assert_eq!(told_of_settling(&shop, Some(100)), uninterrupted);
}
