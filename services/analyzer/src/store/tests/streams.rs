//! OTLP: writers that share their labels, and delta points in any order.

use super::{Rig, Versions::All, ask, cart};

/// Exports one after another, `TIME: LINES`; each is whole. Shown is `errors/requests`.
fn counted(exports: &[(i64, &str)]) -> String {
    let mut rig = Rig::new();
    let mut end = 0;
    for (now, lines) in exports {
        rig.send_whole(*now, lines);
        end = end.max(*now);
    }
    rig.ratio(All, end)
}

#[test]
fn streams_are_told_apart_by_their_start() {
    for (exports, expected, why) in [
        (
            &[
                (0, "requests{code=200} 100000@0<-3600"),
                (1, "requests{code=200} 1000@1<-1800"),
                (15, "requests{code=200} 100100@15<-3600"),
                (16, "requests{code=200} 1050@16<-1800"),
                (30, "requests{code=200} 100200@30<-3600"),
                (31, "requests{code=200} 1100@31<-1800"),
            ][..],
            "0/300",
            "two writers, neither of which is the other's restart",
        ),
        (
            &[
                (0, "requests{code=200} 100@0<-3600"),
                (15, "requests{code=200} 200@15<-3600"),
                (30, "requests{code=200} 900@30<20"),
                (45, "requests{code=200} 1000@45<20"),
            ],
            "0/1100",
            "a restart with a higher value: the start says so",
        ),
        (
            &[
                (0, "requests{code=200} 100@0<-3600"),
                (15, "requests{code=200} 30@15<10"),
                (16, "requests{code=200} 200@16<-3600"),
                (30, "requests{code=200} 60@30<10"),
                (31, "requests{code=200} 300@31<-3600"),
            ],
            "0/260",
            "a worker forked just now, beside one that goes on",
        ),
        (
            &[
                (0, "requests{code=200} 1000@0"),
                (15, "requests{code=200} 1001@15<0"),
                (30, "requests{code=200} 1002@30<0"),
            ],
            "0/2",
            "a start that was not known at first",
        ),
        (
            &[
                (0, "requests{code=200} 1000@0<-15"),
                (15, "requests{code=200} 1100@15<0"),
                (30, "requests{code=200} 1200@30<15"),
            ],
            "0/1200",
            "a start that moves along with cumulative values; the first is of the last moments",
        ),
        (
            &[
                (0, "requests{code=200} 1000@0<-3600"),
                (15, "requests{code=200} 1100@15<-3600\nrequests{code=500} 40@15<-3600"),
                (
                    16,
                    "requests{code=200} 5000@16<-1800\nrequests{code=404} 60@16<-1800\nrequests{code=503} 7@16<-1800",
                ),
                (30, "requests{code=200} 1200@30<-3600\nrequests{code=500} 50@30<-3600"),
                (
                    31,
                    "requests{code=200} 5100@31<-1800\nrequests{code=404} 61@31<-1800\nrequests{code=503} 8@31<-1800",
                ),
            ],
            "51/352",
            "errors of a known writer are born, those of one that joins are old",
        ),
    ] {
        assert_eq!(counted(exports), expected, "{why}");
    }
}

#[test]
fn each_stream_has_its_own_histogram() {
    let mut rig = Rig::new();
    let point = |bounds: [(&str, u64); 3], now: i64, start: i64| {
        bounds.map(|(le, count)| format!("latency_bucket{{le={le}}} {count}@{now}<{start}")).join("\n")
    };
    for step in 0..4_i64 {
        let (now, n) = (15 * step, step as u64);
        rig.send_whole(now, &point([("0.5", 90 * n), ("1", 95 * n), ("+Inf", 100 * n)], now, -3600));
        let other = [("0.2", 5000), ("2", 9000 + 50 * n), ("+Inf", 9000 + 50 * n)];
        rig.send_whole(now + 1, &point(other, now + 1, -1800));
    }
    // The first writer's process begins anew with other bounds.
    rig.send_whole(60, &point([("0.25", 40), ("1", 100), ("+Inf", 100)], 60, 50));
    let found = rig.store.histogram(&ask(&cart(), "response_time", All, 60)).unwrap();
    assert_eq!((found.total(), found.count_above(1.0)), (300 + 150 + 100, 15));
}

#[test]
fn a_stream_silent_longest_gives_its_place() {
    let mut rig = Rig::new();
    for writer in 0..20 {
        rig.send_whole(writer, &format!("requests{{code=200}} 1000@{writer}<-{}", 3600 + writer));
    }
    let counters = rig.store.counters();
    assert_eq!((counters.series, counters.evicted_streams), (16, 4));
    rig.send_whole(30, "requests{code=200} 1100@30<-3619");
    assert_eq!(rig.ratio(All, 30), "0/100", "the newest goes on");
    rig.send_whole(31, "requests{code=200} 1100@31<-3600");
    assert_eq!(rig.ratio(All, 31), "0/100", "one that lost its place comes back with a baseline");
    while let Some(due) = rig.store.poll_timeout() {
        rig.store.handle_timeout(due);
    }
    assert_eq!(rig.store.counters().series, 0, "all are forgotten in time");
}

#[test]
fn delta_points_count_in_any_order_and_once() {
    for (exports, expected, why) in [
        (
            &[
                (10, "delta requests{code=500} 5@10<0"),
                (30, "delta requests{code=500} 7@30<20"),
                (31, "delta requests{code=500} 6@20<10"),
            ][..],
            "18/18",
            "two exports overtake one another",
        ),
        (&[(30, "delta requests{code=500} 7@30<20 5@10<0 6@20<10")], "18/18", "unsorted in one request"),
        (
            &[
                (10, "delta requests{code=500} 5@10<0"),
                (10, "delta requests{code=500} 5@10<0"),
                (11, "delta requests{code=500} 9@10<3"),
            ],
            "14/14",
            "sent again, and another writer's of the same time",
        ),
        (
            &[(5000, "delta requests{code=500} 5@5000<4990"), (5001, "delta requests{code=500} 7@60<50")],
            "5/5",
            "too late",
        ),
    ] {
        assert_eq!(counted(exports), expected, "{why}");
    }
}
