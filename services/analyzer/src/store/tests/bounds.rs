//! Histograms whose bounds come, go, or are spelt another way.
//!
//! A story is a target's scrapes, 15 s apart. A scrape is the cumulative buckets that it shows, by bound.

use model::Timestamp;

use super::{Rig, Versions::All, ask, at, cart};

struct Histogram {
    rig: Rig,
    scrape: i64,
}

impl Histogram {
    fn new() -> Self {
        Self { rig: Rig::new(), scrape: 0 }
    }

    /// `0.5 10, 1 20, +Inf 20`; a value may be `stale`.
    fn send(&mut self, buckets: &str) {
        let now = 15 * self.scrape;
        self.scrape += 1;
        let line = |bucket: &str| {
            let (bound, value) = bucket.split_once(' ').unwrap();
            format!("latency_bucket{{le={bound}}} {value}@{now}\n")
        };
        let lines: String = buckets.split(", ").map(line).collect();
        self.rig.send(now, &lines);
        self.rig.tick(now + 7);
    }

    /// How many requests there were, how many were slower than 1 s, and the p95.
    fn shown(&self) -> String {
        let key = cart();
        let moment = Timestamp::since(at(15 * self.scrape), at(0)).as_secs() as i64;
        let Some(found) = self.rig.store.histogram(&ask(&key, "response_time", All, moment)) else {
            return "none".into();
        };
        let p95 = found.quantile(0.95).unwrap_or(f64::NAN);
        format!("{} {} {p95:.2}", found.total(), found.count_above(1.0))
    }
}

fn counted(scrapes: &[String]) -> String {
    let mut histogram = Histogram::new();
    scrapes.iter().for_each(|scrape| histogram.send(scrape));
    histogram.shown()
}

/// The scrapes from `from` to `to` of a target that serves 1000 requests in each: 930 below 0.5 s, 995 below 1 s.
fn steady(from: u64, to: u64, bounds: [&str; 4]) -> Vec<String> {
    let scrape = |step: u64| {
        let counts = bounds.iter().zip([930, 995, 999, 1000]);
        counts.map(|(bound, count)| format!("{bound} {}", count * step)).collect::<Vec<_>>().join(", ")
    };
    (from..to).map(scrape).collect()
}

const BOUNDS: [&str; 4] = ["0.5", "1", "2.5", "+Inf"];
const OTHERS: [&str; 4] = ["0.50", "1.0", "2.500000e+00", "Inf"];

#[test]
fn a_bound_is_a_number_however_it_is_spelt() {
    let whole = "9000 45 0.65";
    let change = |how: &str| {
        let (mut scrapes, mut after) = (steady(0, 5, BOUNDS), steady(5, 10, OTHERS));
        match how {
            "ended" => after[0] += &BOUNDS.map(|bound| format!(", {bound} stale")).concat(),
            "ended before" => after[0] = BOUNDS.map(|bound| format!("{bound} stale, ")).concat() + &after[0],
            "ended later" => after[2] += &BOUNDS.map(|bound| format!(", {bound} stale")).concat(),
            "both go on" => {
                after.iter_mut().zip(steady(5, 10, BOUNDS)).for_each(|(it, old)| *it += &format!(", {old}"))
            }
            _ => {}
        }
        scrapes.extend(after);
        counted(&scrapes)
    };
    assert_eq!(counted(&steady(0, 10, BOUNDS)), whole);
    for how in ["ended", "ended before", "ended later", "without a word", "both go on"] {
        assert_eq!(change(how), whole, "{how}");
    }
}

#[test]
fn a_spelling_that_was_taken_over_goes_on_if_the_other_ends() {
    let both =
        |step| [steady(step, step + 1, BOUNDS).concat(), steady(step, step + 1, OTHERS).concat()].join(", ");
    let mut scrapes: Vec<String> = (0..4).map(both).collect();
    scrapes.extend(steady(4, 10, BOUNDS));
    // The scrape in which they change places has no bounds to count with.
    assert_eq!(counted(&scrapes), "8000 40 0.65");
}

#[test]
fn a_bound_that_ends_leaves_the_layout() {
    let old = steady(0, 5, BOUNDS);
    let restarted = |step: u64, end: &str| {
        format!("0.25 {}, 0.5 {}, 2 {}, +Inf {}{end}", 500 * step, 930 * step, 999 * step, 1000 * step)
    };
    for (end, why) in [(", 1 stale, 2.5 stale", "as Prometheus says it"), ("", "without a word")] {
        let mut scrapes = old.clone();
        scrapes.extend((1..4).map(|step| restarted(step, if step == 1 { end } else { "" })));
        // 0.5 to 1 s: 65 of each thousand of the old process; nothing proves that of the new one's 69 above 0.5 s.
        assert_eq!(counted(&scrapes), "7000 23 0.71", "{why}");
    }
    let mut scrapes = old;
    scrapes.extend(
        (5..8).map(|step| format!("0.5 {}, 1 stale, 2.5 {}, +Inf {}", 930 * step, 999 * step, 1000 * step)),
    );
    assert_eq!(counted(&scrapes), "7000 23 0.72", "a bound is filtered out while the process goes on");
}

#[test]
fn a_bound_that_comes_is_counted_from_its_second_scrape() {
    let mut scrapes: Vec<String> =
        (0..4_u64).map(|step| format!("0.5 {}, +Inf {}", 930 * step, 1000 * step)).collect();
    scrapes
        .extend((4..7_u64).map(|step| format!("0.5 {}, 1 {}, +Inf {}", 930 * step, 995 * step, 1000 * step)));
    assert_eq!(counted(&scrapes), "6000 10 0.50");
}

#[test]
fn a_restart_is_one_of_the_whole_histogram() {
    let scrapes = ["500, 610, 638, 640", "480, 612, 629, 630", "560, 712, 731, 732", "640, 812, 833, 834"];
    let scrapes = scrapes.map(|counts| {
        let counts = counts.split(", ").zip(BOUNDS);
        counts.map(|(count, bound)| format!("{bound} {count}")).collect::<Vec<_>>().join(", ")
    });
    assert_eq!(counted(&scrapes), "834 22 0.94");
}

#[test]
fn a_bucket_that_is_lost_once_is_made_up_for() {
    let mut scrapes = steady(0, 10, BOUNDS);
    for lost in [3, 6] {
        scrapes[lost] = scrapes[lost].replace(&format!("1 {}, ", 995 * lost), "");
        assert!(!scrapes[lost].contains(", 1 "));
    }
    assert_eq!(counted(&scrapes), "9000 45 0.65");
}

#[test]
fn a_bucket_that_stays_away_is_counted_without() {
    let mut scrapes = steady(0, 12, BOUNDS);
    for (step, scrape) in scrapes.iter_mut().enumerate().skip(4).take(5) {
        *scrape = scrape.replace(&format!("1 {}, ", 995 * step), "");
    }
    // Two scrapes until it is too late for it to come, the rest without; back from its second scrape on.
    let shown = counted(&scrapes);
    assert_eq!(shown.split(' ').next(), Some("11000"), "{shown}");
}
