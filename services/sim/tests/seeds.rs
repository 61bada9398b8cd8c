//! Many seeds, one seed, and faults put in on purpose.

// A run tells what it did to whoever asks with `--nocapture`.
#![allow(clippy::print_stdout)]

use std::thread;

use sim::{Figures, Options, Report, Sabotage, run};

/// How many seeds a plain test run tries; `make sim` sets `SEEDS`.
const SEEDS: u64 = 200;

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

/// What all seeds of one thread came to.
fn run_some(seeds: impl Iterator<Item = u64>) -> (Figures, Vec<String>) {
    let (mut total, mut broken) = (Figures::default(), Vec::new());
    for seed in seeds {
        let report = run(seed, Options::default());
        total += report.figures;
        if !report.violations.is_empty() {
            broken.push(complain(seed, &report));
        }
    }
    (total, broken)
}

#[test]
fn every_promise_holds_whatever_the_seed() {
    let seeds = number("SEEDS").unwrap_or(SEEDS);
    let from = number("FROM").unwrap_or(0);
    let threads = thread::available_parallelism().map_or(1, |it| it.get()) as u64;
    let of_thread = move |thread| (from..from + seeds).filter(move |seed| seed % threads == thread);
    let (mut total, mut broken) = (Figures::default(), Vec::new());
    thread::scope(|scope| {
        let running: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || run_some(of_thread(thread)))).collect();
        for thread in running {
            let (figures, complaints) = thread.join().unwrap();
            total += figures;
            broken.extend(complaints);
        }
    });
    println!("{seeds} seeds: {total:#?}");
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
fn a_snapshot_that_runs_ahead_of_the_log_is_refused_and_changes_nothing() {
    let options = Options { sabotage: Some(Sabotage::SnapshotsRunAhead), ..Options::default() };
    for seed in 0..20 {
        let report = run(seed, options);
        assert!(report.violations.is_empty(), "{}", complain(seed, &report));
    }
}

#[test]
fn every_sabotage_is_caught_by_the_promise_that_it_breaks() {
    for (sabotage, promise) in [
        (Sabotage::TargetIgnoresIds, "a rollback is carried out once"),
        (Sabotage::AcksBeforeSync, "what was acked is kept"),
        (Sabotage::RepeatsCountAsNew, "a record is answered once"),
        (Sabotage::SupersededWordCounts, "the word of a superseded arbiter is not carried out"),
        (Sabotage::ActsBeforeAppend, "only what is on the log is carried out"),
        (Sabotage::KeepsWhatItGaveBack, "who gave a partition back writes nothing more for it"),
    ] {
        let seed = first_caught(sabotage, promise);
        println!("{sabotage:?}: seed {seed:?} breaks \"{promise}\"");
        assert!(seed.is_some(), "{sabotage:?}");
    }
}
