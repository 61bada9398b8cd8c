//! A restart in the middle: the judge is built anew from both logs.

use model::{Decision, DecisionRecord, Event, EventBody, Partition, Position, Timestamp};
use proptest::prelude::*;

use super::{
    shop::{Shop, at},
    told::told,
};
use crate::{Analyzer, Keeper, Past};

const POLICY: &str = r#"
defaults: { watch: { time: 5m, max: 10m } }
rollback_triggers: { error_rate: { threshold: 5%, window: 2m, action: immediate_rollback } }
alerts:
  - { name: Held, condition: "error_rate > 5%", window: 2m, for: 1m, action: alert_team }
  - { name: Burn, condition: 'alert("Burn")', for: 20s, action: alert_team }"#;

type Story = [(Timestamp, Position, Event)];

/// What a keeper writes of `events`.
fn judged(keeper: &mut Keeper, events: &Story) -> Vec<DecisionRecord> {
    events.iter().filter_map(|(_, position, event)| keeper.judge(*position, event)).collect()
}

/// The keeper of a process that has nothing but both logs.
fn restored(events: &Story, records: &[DecisionRecord]) -> Keeper {
    let mut past = Past::new(Partition::HOME);
    records.iter().for_each(|record| past.take(record));
    let (from, decided) = (past.rewind_to().unwrap_or(Timestamp::MIN), past.decided());
    let mut replayed =
        events.iter().skip_while(|(now, ..)| *now < from).take_while(|it| Some(it.1) <= decided).peekable();
    past.begin_replay(replayed.peek().map(|(now, position, _)| (*position, *now)));
    for (_, position, event) in replayed {
        past.replay(*position, event);
    }
    past.into_keeper()
}

/// What is told of `events` when the process starts anew before each of `cuts`.
fn told_with_restarts(events: &Story, cuts: &[usize]) -> Vec<String> {
    let mut keeper = Keeper::new(Partition::HOME, Analyzer::new(), Timestamp::MIN, Timestamp::MIN, None);
    let mut records = Vec::new();
    let mut from = 0;
    for &cut in cuts {
        records.extend(judged(&mut keeper, &events[from..cut]));
        keeper = restored(&events[..cut], &records);
        // What came after the last record is judged by the next process.
        from = events.iter().position(|it| Some(it.1) > records.last().map(|it| it.position)).unwrap_or(cut);
    }
    records.extend(judged(&mut keeper, &events[from..]));
    let lines = records.iter().flat_map(|record| {
        let told = record.decisions.iter().filter_map(|decision| match decision {
            Decision::Proposal(proposal) => told(proposal),
            _ => None,
        });
        told.map(|line| format!("{}s {line}", record.at.since(at(0)).as_secs()))
    });
    lines.collect()
}

/// Where the first event after `second` stands.
fn place_of(events: &Story, second: i64) -> usize {
    events.partition_point(|(now, ..)| *now <= at(second))
}

/// Runs the script, and starts anew at each of `cuts`: every time the same is told. Gives what that is.
#[track_caller]
fn check_restarts(policy: &str, script: &str, cuts: impl IntoIterator<Item = i64>) -> Vec<String> {
    let mut shop = Shop::new(policy);
    shop.run(script);
    let uninterrupted = told_with_restarts(&shop.events, &[]);
    for cut in cuts {
        let cut_at = place_of(&shop.events, cut);
        assert_eq!(told_with_restarts(&shop.events, &[cut_at]), uninterrupted, "cut at {cut}");
    }
    uninterrupted
}

#[test]
fn a_breach_told_before_the_restart_is_not_told_again_and_one_half_held_fires_in_time() {
    let script = "0s   serve checkout 1 rps=20
                  60s  serve checkout 2 rps=20 errors=20%
                  60s  deploy checkout 2 previous=1
                  170s serve checkout 2 errors=0%
                  400s end";
    let told = check_restarts(POLICY, script, [70, 80, 100, 119, 121, 140]);
    assert!(told.iter().any(|line| line.contains("BREACH")), "{told:?}");
}

#[test]
fn a_watch_ends_when_it_would_have_ended() {
    let told = check_restarts(POLICY, "0s serve checkout 1 rps=20\n 60s deploy checkout 1\n 500s end", [200]);
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn what_recovers_later_is_held_against_the_service_no_longer_than_before_the_restart() {
    let script = "0s   serve checkout 1 rps=20
                  60s  serve checkout 2 rps=20 errors=20%
                  60s  deploy checkout 2 previous=1
                  130s outcome checkout 2 succeeded
                  130s stop checkout 2
                  170s serve checkout 1 errors=30%
                  220s serve checkout 1 errors=0%
                  600s end";
    let told = check_restarts(POLICY, script, (140..400).step_by(20));
    assert!(told.iter().any(|line| line.contains("recovered")), "{told:?}");
}

#[test]
fn a_promotion_that_is_repeated_after_the_restart_does_not_begin_the_watch_again() {
    let script = "0s   serve checkout 1 rps=20
                  60s  serve checkout 2 rps=20
                  60s  deploy checkout 2 previous=1 traffic=25
                  100s deploy checkout 2 status=promoted
                  150s deploy checkout 2 status=promoted
                  600s end";
    let told = check_restarts(POLICY, script, [90, 100, 120, 149]);
    assert!(told.iter().any(|line| line.starts_with("400s") && line.contains("succeeded")), "{told:?}");
}

#[test]
fn a_stretch_begins_when_the_service_began_to_be_judged_as_a_whole() {
    let script = "0s   serve checkout 1 rps=20
                  60s  deploy checkout 1
                  100s alert Burn service=checkout
                  110s cancel checkout 1
                  200s end";
    let told = check_restarts(POLICY, script, [99, 105, 110, 112, 119, 121, 139, 141]);
    assert!(told.iter().any(|line| line.contains("BREACH checkout (no release)")), "{told:?}");
}

#[test]
fn an_alert_that_came_before_the_release_in_the_same_second_began_no_stretch_of_it() {
    let script = "0s   serve checkout 1 rps=20
                  90s  alert Burn service=checkout
                  90s  deploy checkout 1
                  200s end";
    let told = check_restarts(POLICY, script, [90, 95, 100, 109, 110, 111]);
    assert!(told.iter().any(|line| line.contains("BREACH checkout 1")), "{told:?}");
}

#[test]
fn a_target_that_failed_long_ago_still_has_to_be_rolled_back() {
    let script = "0s    serve checkout 1 rps=20
                  60s   deploy checkout 1
                  100s  outcome checkout 1 failed target=one
                  2000s outcome checkout 1 succeeded target=two
                  2100s outcome checkout 1 succeeded target=one
                  2200s end";
    let told = check_restarts(POLICY, script, [1900, 2050]);
    assert!(told.iter().any(|line| line.starts_with("2100s") && line.contains("rolled_back")), "{told:?}");
}

#[test]
fn an_alert_that_began_long_ago_still_fires() {
    let script = "0s    serve checkout 1 rps=20
                  60s   alert Burn service=checkout
                  2000s alert Burn service=checkout resolved
                  2100s end";
    let told = check_restarts(POLICY, script, [1900]);
    let ended = told.iter().filter(|line| line.contains("ended")).count();
    assert_eq!(ended, 1, "{told:?}");
}

#[test]
fn a_stretch_that_is_longer_than_every_window_goes_on() {
    let policy = r#"
alerts: [ { name: Held, condition: "error_rate > 5%", window: 1m, for: 40m, action: alert_team } ]"#;
    let script = "0s    serve checkout 1 rps=20 errors=20%
                  3000s end";
    let told = check_restarts(policy, script, [2000, 2300]);
    assert!(told.iter().any(|line| line.contains("BREACH")), "{told:?}");
}

#[test]
fn a_version_that_ran_long_before_its_release_is_known_to_have_done_so() {
    let script = "0s    serve checkout 1 rps=20 errors=20%
                  1200s deploy checkout 1
                  1200s serve checkout 1 errors=0%
                  1600s end";
    check_restarts(POLICY, script, (1000..1300).step_by(10));
}

#[test]
fn a_word_that_was_overtaken_by_newer_ones_opens_nothing_after_the_restart() {
    let script = "0s   serve checkout 1 rps=20
                  60s  deploy checkout 1 occurred=60 traffic=25
                  90s  deploy checkout 1 occurred=90 status=rolled_back
                  200s deploy checkout 1 occurred=80 traffic=50
                  300s end";
    let told = check_restarts(POLICY, script, [100, 150, 199]);
    assert!(!told.iter().any(|line| line.contains("again")), "{told:?}");
}

#[test]
fn what_cannot_be_judged_is_said_once_whenever_it_restarts() {
    let policy = r#"
defaults: { watch: { time: 5m, max: 10m } }
rollback_triggers: { error_rate: { threshold: 5%, window: 2m, action: immediate_rollback } }
alerts:
  - { name: Label, condition: "wrong_label > 5%", window: 2m, for: 0s, action: alert_team }
  - { name: Late, condition: "conversion_rate < 10%", window: 2m, for: 0s, action: alert_team }"#;
    let script = "0s   serve checkout 1 rps=20
                  60s  serve checkout 2 rps=20
                  60s  deploy checkout 2 previous=1
                  100s serve checkout 2 errors=20%
                  200s serve checkout 2 checkouts=5 converted=90% errors=0%
                  400s end";
    let told = check_restarts(policy, script, [70, 80, 90, 100, 121, 150, 190, 211, 300, 359]);
    assert_eq!(told.iter().filter(|line| line.contains("finding")).count(), 3, "{told:?}");
    assert!(told.iter().any(|line| line.contains("unproven")), "{told:?}");
}

#[test]
fn a_second_try_is_judged_by_what_it_did_itself_after_the_restart_too() {
    let script = "0s   serve checkout 1 rps=20
                  60s  serve checkout 2 rps=20 errors=20%
                  60s  deploy checkout 2 previous=1
                  100s deploy checkout 2 status=rolled_back
                  112s deploy checkout 2 previous=1 change=second-try
                  112s serve checkout 2 errors=0%
                  160s serve checkout 2 errors=20%
                  300s end";
    let told = check_restarts(POLICY, script, [100, 111, 112, 118, 130, 160, 170, 190]);
    assert!(told.iter().any(|line| line.starts_with("180s") && line.contains("BREACH")), "{told:?}");
}

#[test]
fn a_rollout_that_was_only_announced_is_judged_alike_after_the_restart() {
    let script = "0s    serve checkout 1 rps=20
                  60s   deploy checkout 2 status=started previous=1
                  2000s serve checkout 2 rps=5
                  2100s serve checkout 2 errors=20%
                  2200s deploy checkout 2
                  2300s end";
    let told = check_restarts(POLICY, script, [100, 1900, 2000, 2010, 2050, 2110, 2190]);
    assert!(told.iter().any(|line| line.contains("BREACH checkout 2")), "{told:?}");
}

#[test]
fn what_came_late_stands_where_it_went_out_after_the_restart_too() {
    let script = "0s   serve checkout 1 rps=20
                  90s  deploy checkout 2 previous=1 occurred=90
                  95s  deploy checkout 1 occurred=10
                  100s serve checkout 2 rps=20 errors=20%
                  150s deploy checkout 1 status=rolled_back occurred=20
                  200s end";
    let told = check_restarts(POLICY, script, [90, 94, 95, 100, 130, 149, 151]);
    assert!(told.iter().any(|line| line.contains("BREACH checkout 2")), "{told:?}");
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
        check_restarts(POLICY, &format!("{script}\n 450s end"), [cut]);
    }
}

#[test]
fn what_a_release_is_compared_with_is_what_had_settled_when_it_went_out_after_a_restart_too() {
    let mut shop = Shop::new(POLICY);
    shop.run(
        "0s   serve checkout 1 rps=20 errors=10%
         80s  serve checkout 1 errors=60%
         91s  stop  checkout 1
         91s  serve checkout 2 rps=20 errors=30%
         91s  deploy checkout 2 previous=1
         200s end",
    );
    for (_, _, event) in &mut shop.events {
        if let EventBody::Telemetry(batch) = &mut event.body {
            batch.is_whole = false;
        }
    }
    let uninterrupted = told_with_restarts(&shop.events, &[]);
    assert!(uninterrupted.iter().any(|line| line.contains("exceeded before")), "{uninterrupted:?}");
    let cut = place_of(&shop.events, 100);
    assert_eq!(told_with_restarts(&shop.events, &[cut]), uninterrupted);
}
