//! Counters over restarts, relabellings and births: what a scrape's samples mean together.
//!
//! A story is a target's scrapes, 15 s apart, each in one request as remote write sends it. What is counted is
//! `errors/requests`.

use super::{Rig, Versions::All};

/// Scrapes of `requests` that a family has seen before a story begins.
const LONG: [&str; 4] = [
    "code=200 100000, code=500 9000",
    "code=200 100100, code=500 9000",
    "code=200 100200, code=500 9000",
    "code=200 100300, code=500 9000",
];

struct Target {
    rig: Rig,
    scrape: i64,
}

impl Target {
    fn new() -> Self {
        Self { rig: Rig::new(), scrape: 0 }
    }

    /// One scrape: `code=200 5, code=500 stale, code=500 team=pay 7`, and other metrics as `NAME{…} 3`.
    fn send(&mut self, scrape: &str) {
        let now = 15 * self.scrape;
        self.scrape += 1;
        let lines: Vec<String> = scrape
            .split(", ")
            .filter(|series| !series.is_empty())
            .map(|series| {
                let (labels, value) = series.rsplit_once(' ').unwrap();
                match labels.contains('{') {
                    true => format!("{labels} {value}@{now}"),
                    false => format!("requests{{{}}} {value}@{now}", labels.replace(' ', ",")),
                }
            })
            .collect();
        self.rig.send(now, &lines.join("\n"));
        self.rig.tick(now + 7);
    }

    fn shown(&self) -> String {
        self.rig.ratio(All, 15 * self.scrape)
    }
}

fn counted(scrapes: &[&str]) -> String {
    let mut target = Target::new();
    scrapes.iter().for_each(|scrape| target.send(scrape));
    target.shown()
}

fn after_long(scrapes: &[&str]) -> String {
    counted(&[&LONG[..], scrapes].concat())
}

#[test]
fn a_family_that_is_renamed_is_not_born() {
    for (scrapes, expected, why) in [
        (
            &[
                "code=200 stale, code=500 stale, code=200 team=pay 100400, code=500 team=pay 9000",
                "code=200 team=pay 100500, code=500 team=pay 9001",
            ][..],
            "1/401",
            "a label more, and the old series end in the same scrape",
        ),
        (
            &[
                "code=200 team=pay 100400, code=500 team=pay 9000",
                "code=200 team=pay 100500, code=500 team=pay 9001, code=200 stale, code=500 stale",
            ],
            "1/401",
            "they end a scrape later",
        ),
        (
            &[
                "code=200 team=pay 100400, code=500 team=pay 9000",
                "code=200 team=pay 100500, code=500 team=pay 9001",
            ],
            "1/401",
            "they end without a word",
        ),
        (&["code=200 stale, code=500 stale, status=200 100400, status=500 9000"], "0/300", "another label"),
        (
            &["code=200 100400, code=500 9000, code=200 prom=b 100390, code=500 prom=b 9000"],
            "0/400",
            "another Prometheus joins under a label that is not known as a replica",
        ),
        (
            &["code=200 100400, code=500 9000, code=503 700", "code=200 100500, code=500 9000, code=503 701"],
            "1/501",
            "a series that was filtered out is let through: 700 errors in a scrape of 100 requests",
        ),
    ] {
        assert_eq!(after_long(scrapes), expected, "{why}");
    }
    for (scrapes, expected, why) in [
        (
            &[
                "code=200 8, code=500 2",
                "code=200 10, code=500 2",
                "code=200 12, code=500 2",
                "code=200 stale, code=500 stale, code=200 team=pay 13, code=500 team=pay 2",
            ][..],
            "0/4",
            "small enough for births, but they go on from what ended",
        ),
        (
            &[
                "code=200 1, code=500 2",
                "code=200 5, code=500 3",
                "code=200 7, code=500 3",
                "code=200 9, code=500 3, code=200 prom=b 8, code=500 prom=b 3",
            ],
            "1/9",
            "small enough, but all are twins",
        ),
        (
            &[
                "code=200 0, code=404 0, code=500 6",
                "code=200 63, code=404 3, code=500 6",
                "code=200 40, code=404 2",
                "code=200 stale, code=404 stale, code=200 team=pay 40, code=404 team=pay 2",
                "code=200 team=pay 40, code=404 team=pay 2",
                "code=200 team=pay 40, code=404 team=pay 2",
                "code=200 team=pay 40, code=404 team=pay 2",
            ],
            "0/108",
            "another series ended with the restart before",
        ),
    ] {
        assert_eq!(counted(scrapes), expected, "{why}");
    }
}

#[test]
fn errors_that_begin_count_from_their_first() {
    for (scrapes, expected, why) in [
        (&["code=200 100400, code=500 9000, code=503 40"][..], "40/440", "a new kind of error"),
        (&["code=200 100300, code=500 9000, code=503 150"], "150/450", "every request fails now"),
        (
            &["code=200 100400, code=500 9000, requests_created{code=503} 1800000050, code=503 700"],
            "700/1100",
            "a storm of retries, and the series says when it was created",
        ),
        (
            &["code=200 100400, code=500 9000, requests_created{code=503} 1790000000, code=503 3"],
            "0/400",
            "few, but created long before",
        ),
        (
            &["code=200 stale, code=500 stale, version=2 code=200 50, version=2 code=500 25"],
            "25/375",
            "the next version's process at the same instance",
        ),
    ] {
        assert_eq!(after_long(scrapes), expected, "{why}");
    }
    assert_eq!(
        counted(&["code=200 50", "code=200 50", "code=200 50", "code=200 50, code=500 3"]),
        "3/3",
        "a quiet service's first requests for long"
    );
}

#[test]
fn what_follows_half_a_first_scrape_is_no_birth() {
    for (scrapes, expected, why) in [
        (
            &["code=200 100000", "code=200 100100, code=500 500", "code=200 100200, code=500 500"][..],
            "0/200",
            "its errors are of days",
        ),
        (&["code=200 100000", "code=200 100100, code=500 30"], "0/100", "few, but who can tell"),
        (&["code=200 40", "code=200 140, code=500 30"], "30/130", "a process that has just begun"),
        (&["code=200 0", "code=200 0, code=500 5"], "5/5", "one that had served nothing"),
        (
            &["latency_bucket{le=+Inf} 0", "latency_bucket{le=+Inf} 130, code=200 100, code=500 30"],
            "30/130",
            "a family that comes with the first requests, of a process that had served nothing",
        ),
        (
            &[
                "latency_bucket{le=+Inf} 100000",
                "latency_bucket{le=+Inf} 100100, code=200 90000, code=500 10000",
            ],
            "0/0",
            "a family that came a scrape late",
        ),
        (
            &[
                "process_start_time_seconds{} 1000",
                "process_start_time_seconds{} 2000, code=200 100, code=500 30",
            ],
            "30/130",
            "the process began between the two",
        ),
        (
            &[
                "process_start_time_seconds{} 1000",
                "process_start_time_seconds{} 1000, code=200 100, code=500 30",
            ],
            "0/0",
            "it did not, and nothing tells how much it serves",
        ),
    ] {
        assert_eq!(counted(scrapes), expected, "{why}");
    }
}

#[test]
fn a_restart_is_one_of_the_whole_family() {
    for (scrapes, expected, why) in [
        (
            &["code=200 650, code=500 5", "code=200 660, code=500 4", "code=200 760, code=500 4"][..],
            "4/764",
            "what is above its last value again began anew too",
        ),
        (
            &["code=200 90, code=500 5", "code=200 200, code=500 9", "code=200 210, code=500 3"],
            "7/327",
            "after a scrape of 110: 210 can be counted anew",
        ),
        (
            &["code=200 650, code=500 5", "code=500 4", "code=200 700, code=500 4"],
            "4/704",
            "a series that comes back a scrape after the restart",
        ),
        (
            &["code=200 650, code=500 5", "code=200 20, code=500 2, code=503 9"],
            "11/31",
            "what is born with the restart counts from zero",
        ),
        (
            &["code=200 650, code=500 5", "code=200 stale, code=500 stale", "code=200 660, code=500 4"],
            "4/664",
            "it was away in between",
        ),
        (
            &[
                "process_start_time_seconds{} 1000, code=200 650, code=500 5",
                "process_start_time_seconds{} 2000, code=200 660, code=500 6",
            ],
            "6/666",
            "no series shows it, but the process does",
        ),
        (
            &["code=200 10, code=500 5, other_total{} 3", "code=200 30, code=500 5, other_total{} 1"],
            "5/35",
            "only another family shows it",
        ),
    ] {
        // `other_total` counts for a metric of its own.
        let mut target = Target::new();
        let mut policy = super::policy();
        policy.metrics.insert(
            "other".into(),
            policy::MetricDefinition {
                name: "other".into(),
                sources: vec![policy::MetricSource::Throughput(super::selector("other_total"))],
            },
        );
        target.rig.store.configure(&policy);
        scrapes.iter().for_each(|scrape| target.send(scrape));
        assert_eq!(target.shown(), expected, "{why}");
    }
}

#[test]
fn a_series_that_falls_alone_was_made_again() {
    for (scrapes, expected, why) in [
        (
            &["code=200 100400, code=500 3"][..],
            "3/403",
            "the others clearly go on: a hundred thousand in 15 s were too many",
        ),
        (&["code=200 100400", "code=200 100500, code=500 4"], "4/504", "it was away, and comes back lower"),
        (
            &[
                "code=200 100400, code=500 9001, worker=b 50000",
                "code=200 100500, code=500 9002, worker=b 50100",
                "code=200 100600, code=500 9003, worker=b 20",
            ],
            "3/723",
            "one worker of many behind a target restarts",
        ),
    ] {
        assert_eq!(after_long(scrapes), expected, "{why}");
    }
    let stays = [
        "process_start_time_seconds{} 1000, code=200 650, code=500 5",
        "process_start_time_seconds{} 1000, code=200 660, code=500 4",
    ];
    assert_eq!(counted(&stays), "4/14", "its process says that it goes on");
}

#[test]
fn crash_loops_and_hidden_values_count_what_is_certain() {
    for (scrapes, expected, why) in [
        (
            &["code=500 10", "code=500 20", "code=500 30", "code=500 10", "code=500 20"][..],
            "40/40",
            "a crash loop",
        ),
        (
            &["code=200 400", "code=200 1000", "code=200 600", "code=200 700"],
            "0/1300",
            "a fall above the first",
        ),
        (
            &[
                "code=200 1000, code=500 0",
                "code=200 1100, code=500 0",
                "code=200 NaN, code=500 0",
                "code=200 0, code=500 0",
                "code=200 50, code=500 0",
            ],
            "0/150",
            "NaN, then a restart",
        ),
        (&["code=200 10000", "code=200 stale", "", "code=200 10100"], "0/100", "failed scrapes, and on"),
    ] {
        assert_eq!(counted(scrapes), expected, "{why}");
    }
}
