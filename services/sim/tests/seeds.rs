//! Many seeds, one seed, and faults put in on purpose.

// A run tells what it did to whoever asks with `--nocapture`.
#![allow(clippy::print_stdout)]

use sim::{Figures, Options, Report, Sabotage, run};

/// How many seeds a plain test run tries; `make sim` sets `SEEDS`.
const SEEDS: u64 = 200;

/// Seeds that show a fault not mended yet; mend it and take the seed out.
/// 139: after a restart, a service without a release is told to exceed its limit one look, 8 s, late.
const OPEN: [u64; 1] = [139];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn complain(seed: u64, report: &Report) -> String {
    let lines = report.violations.iter().take(5);
    let lines: Vec<String> =
        lines.map(|it| format!("  {}s {}: {}", it.second, it.promise, it.what)).collect();
    let again = format!("SEED={seed} cargo test -p sim one_seed -- --nocapture");
    format!("seed {seed} breaks {} promises; {again}\n{}", report.violations.len(), lines.join("\n"))
}

#[test]
fn every_promise_holds_whatever_the_seed() {
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let mut total = Figures::default();
    let mut broken = Vec::new();
    for seed in 0..seeds {
        let report = run(seed, Options::default());
        total += report.figures;
        if !report.violations.is_empty() && !OPEN.contains(&seed) {
            broken.push(complain(seed, &report));
        }
    }
    println!("{seeds} seeds: {total:?}; known to fail: {OPEN:?}");
    assert!(broken.is_empty(), "{} seeds failed\n{}", broken.len(), broken.join("\n"));
}

/// Repeats the seed in `SEED` and tells its story.
#[test]
fn one_seed() {
    let seed = number("SEED").unwrap_or(1);
    let report = run(seed, Options { tells_story: true, ..Options::default() });
    println!("{}\n{:?}", report.story.join("\n"), report.figures);
    assert!(report.violations.is_empty(), "{}", complain(seed, &report));
}

#[test]
fn the_same_seed_is_the_same_run_to_the_byte() {
    for seed in 0..5 {
        let (first, second) = (run(seed, Options::default()), run(seed, Options::default()));
        assert_eq!(first.decisions, second.decisions, "seed {seed}");
        assert!(!first.decisions.is_empty(), "seed {seed}");
    }
}

/// The first seed whose run breaks `promise` under this sabotage.
fn first_caught(sabotage: Sabotage, promise: &str) -> Option<u64> {
    (0..60).find(|&seed| {
        let report = run(seed, Options { sabotage: Some(sabotage), ..Options::default() });
        report.violations.iter().any(|it| it.promise == promise)
    })
}

#[test]
fn a_target_that_ignores_ids_is_caught() {
    let seed = first_caught(Sabotage::TargetIgnoresIds, "a rollback is carried out once");
    println!("caught by seed {seed:?}");
    assert!(seed.is_some());
}

#[test]
fn acting_before_the_decision_is_on_the_log_is_caught() {
    let seed = first_caught(Sabotage::ActsBeforeAppend, "only what is on the log is carried out");
    println!("caught by seed {seed:?}");
    assert!(seed.is_some());
}

#[test]
fn counting_a_repeat_as_new_is_caught() {
    let seed = first_caught(Sabotage::RepeatsCountAsNew, "each request counts once");
    println!("caught by seed {seed:?}");
    assert!(seed.is_some());
}
