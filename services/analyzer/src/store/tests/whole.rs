//! Half a scrape: what is judged, what is waited for, and for how long.

use super::{Rig, Versions, Versions::All, ask, at, cart};

/// A target whose two connections each carry a half of everything.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.send_whole(
        0,
        "requests{code=200} 0@0
         requests{code=500} 0@0
         latency_bucket{le=0.5} 0@0
         latency_bucket{le=1} 0@0
         latency_bucket{le=+Inf} 0@0",
    );
    rig.looks();
    rig
}

impl Rig {
    /// `count` observations and the share of them up to each bound, in per cent.
    fn buckets(&self, moment: i64) -> String {
        let key = cart();
        let Some(count) = self.store.histogram(&ask(&key, "response_time", All, moment)) else {
            return "none".into();
        };
        let p95 = count.quantile(0.95).unwrap_or_default();
        format!("{} observed, p95 {p95:.3}", count.total())
    }
}

#[test]
fn half_a_ratio_waits_for_its_other_half_and_counts_at_its_own_moment() {
    let mut rig = rig();
    rig.send(15, "requests{code=500} 5@15\nlatency_bucket{le=0.5} 90@15\nlatency_bucket{le=1} 100@15");
    rig.tick(22);
    assert_eq!((rig.looks(), rig.ratio(All, 15)), ("".into(), "0/0".into()), "`settle` is over");
    rig.send(23, "requests{code=200} 95@15");
    assert_eq!((rig.looks(), rig.ratio(All, 15)), ("cart@15".into(), "5/100".into()), "at once");
    assert_eq!(rig.buckets(15), "0 observed, p95 0.000", "the histogram still waits for +Inf");
    rig.send(24, "latency_bucket{le=+Inf} 100@15");
    assert_eq!((rig.looks(), rig.buckets(15)), ("cart@15".into(), "100 observed, p95 0.750".into()));
    assert_eq!(rig.store.counters().incomplete_scrapes, 1);
}

#[test]
fn what_is_whole_does_not_wait_for_what_is_not() {
    let mut rig = rig();
    let buckets = "latency_bucket{le=0.5} 90@15\nlatency_bucket{le=1} 100@15";
    rig.send(15, &format!("requests{{code=500}} 5@15\nrequests{{code=200}} 95@15\n{buckets}"));
    rig.tick(21);
    assert_eq!((rig.looks(), rig.ratio(All, 15)), ("cart@15".into(), "5/100".into()));
    assert_eq!(rig.buckets(15), "0 observed, p95 0.000");
    rig.send(30, "requests{code=500} 6@30\nrequests{code=200} 194@30\nlatency_bucket{le=+Inf} 100@15");
    assert_eq!((rig.looks(), rig.buckets(15)), ("cart@15".into(), "100 observed, p95 0.750".into()));
}

#[test]
fn a_steady_lag_delays_judgement_by_the_lag_and_changes_nothing_else() {
    for lag in [8, 20, 45, 90, 200] {
        let mut rig = rig();
        let mut requests: Vec<(i64, String)> = Vec::new();
        for moment in (15..=600).step_by(15) {
            let fast = format!(
                "requests{{code=500}} {}@{moment}\nlatency_bucket{{le=1}} {moment}@{moment}",
                moment / 3
            );
            let slow = format!(
                "requests{{code=200}} {}@{moment}\nlatency_bucket{{le=0.5}} {moment}@{moment}
                 latency_bucket{{le=+Inf}} {moment}@{moment}",
                moment * 33
            );
            requests.extend([(moment, fast), (moment + lag, slow)]);
        }
        requests.sort();
        let mut newest = 0;
        for (now, lines) in requests {
            rig.tick(now);
            rig.send(now, &lines);
            newest = if lines.contains("code=200") { now - lag } else { newest };
            let window = newest.min(300) / 15 * 5;
            let expected = if newest == 0 { "0/0".into() } else { format!("{window}/{}", window * 100) };
            assert_eq!(rig.ratio(All, newest), expected, "lag {lag} s, at {now}");
        }
        assert_eq!(newest, 600);
        assert_eq!(rig.store.counters().late, 0, "lag {lag} s");
    }
}

#[test]
fn a_connection_that_stood_still_catches_up_slot_by_slot() {
    let mut rig = rig();
    for moment in (15..=120).step_by(15) {
        rig.tick(moment);
        rig.send(moment, &format!("requests{{code=500}} {moment}@{moment}"));
    }
    assert_eq!(rig.ratio(All, 120), "0/0");
    for moment in (15..=120).step_by(15) {
        rig.send(126, &format!("requests{{code=200}} {}@{moment}", moment * 9));
        assert_eq!(rig.ratio(All, moment), format!("{moment}/{}", moment * 10), "of that scrape");
    }
}

#[test]
fn what_a_lost_request_would_have_brought_comes_with_the_next_scrape() {
    let mut rig = rig();
    rig.send(15, "requests{code=500} 5@15");
    rig.tick(21);
    rig.send(30, "requests{code=200} 190@30");
    assert_eq!(
        (rig.looks(), rig.ratio(All, 30)),
        ("".into(), "0/0".into()),
        "the errors of 15 alone are none"
    );
    rig.send(31, "requests{code=500} 10@30");
    rig.tick(36);
    assert_eq!((rig.looks(), rig.ratio(All, 30)), ("cart@30".into(), "10/200".into()));
    assert_eq!(rig.ratio(All, 29), "0/0", "and not before it");
}

#[test]
fn series_that_never_share_a_moment_are_counted_all_the_same() {
    let mut rig = rig();
    for moment in (15..=300).step_by(15) {
        rig.send(moment, &format!("requests{{code=500}} {moment}@{moment}"));
        rig.tick(moment + 6);
        rig.send(moment + 7, &format!("requests{{code=200}} {}@{}", moment * 9, moment + 7));
        rig.tick(moment + 13);
    }
    let ratio = rig.ratio(All, 300);
    let (errors, total) = ratio.split_once('/').unwrap();
    let (errors, total) = (errors.parse::<u64>().unwrap(), total.parse::<u64>().unwrap());
    assert!(errors >= 120 && total <= 3000 && total >= 8 * errors, "{ratio}");
}

#[test]
fn a_stale_marker_ends_the_waiting() {
    let mut rig = rig();
    rig.send(15, "requests{code=500} 5@15");
    rig.tick(21);
    assert_eq!(rig.looks(), "");
    rig.send(23, "requests{code=200} stale@15");
    assert_eq!((rig.looks(), rig.ratio(All, 15)), ("cart@15".into(), "5/5".into()));
}

#[test]
fn a_series_that_is_gone_without_a_marker_does_not_block_judgement_for_ever() {
    // In one request a scrape: the next scrape shows that it is gone.
    let mut rig = Rig::new();
    let scrape = |rig: &mut Rig, now: i64, lines: &str| {
        rig.tick(now);
        rig.send(now, lines);
        rig.looks()
    };
    let both =
        |value: i64, at: i64| format!("requests{{code=200}} {value}@{at}\nrequests{{code=500}} {value}@{at}");
    scrape(&mut rig, 0, &format!("{}\nrequests{{code=404}} 0@0", both(0, 0)));
    scrape(&mut rig, 15, &format!("{}\nrequests{{code=404}} 1@15", both(10, 15)));
    for now in [30, 45] {
        assert_eq!(scrape(&mut rig, now, &both(now - 5, now)), "", "it may come yet, at {now}");
    }
    rig.tick(60);
    assert_eq!((rig.looks(), rig.ratio(All, 45)), ("cart@45".into(), "40/81".into()), "30 s");
    assert_eq!(scrape(&mut rig, 61, &both(60, 60)), "cart@60", "and is waited for no longer");
    assert_eq!(rig.store.counters().gone_series, 1);

    // In several: another connection may stand still.
    let mut rig = self::rig();
    for now in (15..315).step_by(15) {
        rig.tick(now);
        rig.send(now, &format!("requests{{code=500}} {now}@{now}"));
        assert_eq!(rig.looks(), "", "at {now}");
    }
    rig.tick(315);
    assert_eq!((rig.looks(), rig.ratio(All, 300)), ("cart@300".into(), "300/300".into()));
}

#[test]
fn a_new_version_is_named_before_its_requests_are_counted() {
    let mut rig = Rig::new();
    rig.labels.retain(|it| it.0 != "version");
    let info = |version: &str, value: &str| format!("target_info{{service_version={version}}} {value}\n");
    rig.send_whole(0, &format!("{}requests{{code=500}} 100@0", info("1", "1@0")));
    rig.send(15, &format!("{}requests{{code=500}} 110@15", info("1", "1@15")));
    rig.send(30, "requests{code=500} 7@30");
    rig.tick(36);
    assert_eq!(
        rig.ratio(Versions::One("1"), 30),
        "10/10",
        "the info series is late: whose requests are they?"
    );
    rig.send(40, &format!("{}{}", info("1", "stale@30"), info("2", "1@30")));
    assert_eq!(
        (rig.ratio(Versions::One("1"), 30), rig.ratio(Versions::One("2"), 30)),
        ("10/10".into(), "7/7".into())
    );
}

#[test]
fn a_target_whose_first_scrape_comes_while_senders_lag_is_waited_for() {
    let mut rig = rig();
    rig.send(15, "requests{code=500} 5@15");
    rig.tick(21);
    rig.send(35, "requests{code=200} 95@15");
    rig.labels.retain(|it| it.0 != "instance");
    rig.labels.push(("instance", "b"));
    rig.looks();
    rig.send(40, "requests{code=500} 0@40");
    rig.tick(46);
    rig.send(55, "requests{code=500} 9@55");
    rig.send(60, "requests{code=200} 0@40");
    rig.tick(74);
    assert_eq!(
        rig.ratio(All, 55),
        "5/100",
        "twenty seconds were the lag before: the other half is known by now"
    );
    rig.send(75, "requests{code=200} 91@55");
    rig.tick(76);
    assert_eq!(rig.ratio(All, 55), "14/200");
}

#[test]
fn a_target_that_shows_the_same_series_twice_is_waited_for_no_longer_than_usual() {
    let mut rig = rig();
    rig.send(15, "requests{code=500} 5@15");
    rig.tick(21);
    rig.send(35, "requests{code=200} 95@15");
    rig.labels.retain(|it| it.0 != "instance");
    rig.labels.push(("instance", "b"));
    rig.send(40, "requests{code=200} 0@40\nrequests{code=500} 0@40");
    rig.send(42, "requests{code=200} 90@42\nrequests{code=500} 10@42");
    rig.tick(46);
    assert_eq!(rig.ratio(All, 42), "15/200", "twenty seconds were the lag before");
}

#[test]
fn what_waits_for_a_new_target_is_no_lag_that_the_next_new_target_has_to_wait_for() {
    let mut rig = rig();
    rig.send(15, "requests{code=500} 5@15");
    rig.tick(21);
    rig.send(22, "requests{code=200} 95@15");
    for (number, instance) in ["b", "c", "d", "e"].into_iter().enumerate() {
        let begins = 40 + 20 * number as i64;
        rig.labels.retain(|it| it.0 != "instance");
        rig.labels.push(("instance", instance));
        rig.send(begins, &format!("requests{{code=200}} 0@{begins}"));
        rig.send(begins + 1, &format!("requests{{code=200}} 0@{0}\nrequests{{code=500}} 0@{0}", begins + 1));
        rig.tick(begins + 15);
        let next = begins + 16;
        rig.send(next, &format!("requests{{code=200}} 90@{next}\nrequests{{code=500}} 10@{next}"));
        let all = 100 * (number + 2);
        assert_eq!(rig.ratio(All, next), format!("{}/{all}", 10 * number + 15), "{instance}");
    }
}

#[test]
fn a_series_whose_clock_is_an_hour_ahead_of_its_targets_keeps_nothing_waiting() {
    let mut rig = rig();
    let rest = |at: i64| {
        format!(
            "latency_bucket{{le=0.5}} 0@{at}\nlatency_bucket{{le=1}} 0@{at}\nlatency_bucket{{le=+Inf}} 0@{at}"
        )
    };
    rig.send(15, &format!("requests{{code=200}} 100@15\nrequests{{code=500}} 0@15\n{}", rest(15)));
    rig.send(16, "requests{code=302} 1@3616");
    for scrape in [30, 45] {
        let count = 100 * scrape / 15;
        let counts = format!("requests{{code=200}} {count}@{scrape}\nrequests{{code=500}} 0@{scrape}");
        rig.send(scrape, &format!("{counts}\n{}", rest(scrape)));
        rig.tick(scrape + 7);
    }
    assert_eq!(rig.ratio(All, 45), "0/301");
}

#[test]
fn a_series_that_was_away_is_no_lag_and_makes_no_other_target_wait() {
    let mut rig = rig();
    for scrape in [15, 30, 45] {
        rig.send(scrape, &format!("requests{{code=200}} {}@{scrape}", 10 * scrape));
        rig.tick(scrape + 7);
    }
    rig.send(
        60,
        "requests{code=200} 600@60
         requests{code=500} 0@60
         latency_bucket{le=0.5} 0@60
         latency_bucket{le=1} 0@60
         latency_bucket{le=+Inf} 0@60",
    );
    rig.labels.retain(|it| it.0 != "instance");
    rig.labels.push(("instance", "b"));
    rig.send(61, "requests{code=200} 0@61\nrequests{code=500} 0@61");
    rig.tick(74);
    rig.send(76, "requests{code=200} 90@76\nrequests{code=500} 10@76");
    assert_eq!(rig.ratio(All, 76), "10/700");
}

#[test]
fn an_overflow_of_waiting_scrapes_loses_nothing() {
    let mut rig = rig();
    let samples: Vec<String> = (1..=300).map(|step| format!("{step}@{step}")).collect();
    rig.send(300, &format!("requests{{code=500}} {}", samples.join(" ")));
    assert_eq!(rig.ratio(All, 0), "0/0");
    rig.send(301, &format!("requests{{code=200}} {}", samples.join(" ")));
    rig.tick(306);
    assert_eq!(rig.ratio(All, 300), "300/600");
    assert_eq!(rig.store.last_sample_at(&cart()), Some(at(300)));
}

#[test]
fn a_sender_whose_clock_is_ahead_is_judged_as_others_are() {
    for ahead in [12, 60, 3600] {
        let mut rig = rig();
        for moment in (15..=120).step_by(15) {
            let (errors, rest) = (moment, moment * 9);
            let parts = [
                format!("requests{{code=500}} {errors}@{}", moment + ahead),
                format!("requests{{code=200}} {rest}@{}", moment + ahead),
            ];
            // Now one half comes first, now the other, the second one two seconds later.
            let order = if moment % 2 == 0 { [0, 1] } else { [1, 0] };
            rig.tick(moment);
            rig.send(moment, &parts[order[0]]);
            rig.tick(moment + 1);
            rig.send(moment + 2, &parts[order[1]]);
            rig.tick(moment + 9);
            assert_eq!(
                rig.ratio(All, moment),
                format!("{errors}/{}", errors + rest),
                "{ahead} s, at {moment}"
            );
        }
    }
}
