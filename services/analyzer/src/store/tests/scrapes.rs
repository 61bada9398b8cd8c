//! When a scrape settles, and what its samples add.

use super::{Rig, Versions::All, ask, at, cart};

#[test]
fn a_scrape_is_looked_at_once_all_its_series_are_there() {
    let mut rig = Rig::new();
    rig.send(1, "requests{code=200} 100@0\nrequests{code=500} 10@0");
    assert_eq!(rig.looks(), "", "a first scrape may have more series to come");
    rig.tick(6);
    assert_eq!(rig.looks(), "", "settle is 6 s after the first arrival");
    rig.tick(7);
    assert_eq!((rig.looks().as_str(), rig.ratio(All, 0).as_str()), ("cart@0", "0/0"), "a baseline");

    rig.send(16, "requests{code=500} 20@15");
    assert_eq!((rig.looks().as_str(), rig.ratio(All, 15).as_str()), ("", "0/0"), "half a scrape is no data");
    rig.send(17, "requests{code=404} 5@15");
    assert_eq!(rig.looks(), "", "a birth does not stand for what is missing");
    rig.send(18, "requests{code=200} 190@15");
    assert_eq!((rig.looks().as_str(), rig.ratio(All, 15).as_str()), ("cart@15", "10/105"));

    rig.send(31, "requests{code=500} 30@30\nrequests{code=200} 280@30");
    assert_eq!(rig.looks(), "", "the newly born one is expected now");
    rig.tick(36);
    assert_eq!(rig.looks(), "");
    rig.tick(37);
    assert_eq!(rig.looks(), "", "half a ratio is none: it is waited for");
    rig.send(38, "requests{code=404} 5@30");
    assert_eq!((rig.looks().as_str(), rig.ratio(All, 30).as_str()), ("cart@30", "20/205"));
    assert_eq!(rig.store.counters().incomplete_scrapes, 1);
}

#[test]
fn a_series_that_ends_or_a_later_scrape_completes_a_scrape() {
    let mut rig = Rig::new();
    rig.send_whole(0, "requests{code=200} 100@0\nrequests{code=500} 10@0");
    assert_eq!(rig.looks(), "cart@0", "the sender says it is whole");
    rig.send(15, "requests{code=500} stale@15\nrequests{code=200} 110@15");
    assert_eq!(rig.looks(), "cart@15", "an end is an arrival");
    rig.send(30, "requests{code=200} 120@30");
    assert_eq!(rig.looks(), "cart@30", "what has ended is not waited for");
    rig.send(31, "requests{code=500} 12@30");
    rig.send(45, "requests{code=200} 130@45");
    assert_eq!(rig.looks(), "cart@30", "what came late settles with time, and its series is expected again");
    rig.send(60, "requests{code=200} 140@60\nrequests{code=500} 14@60");
    assert_eq!(rig.looks(), "cart@60");
    assert_eq!(rig.ratio(All, 60), "4/44", "the scrapes before have settled with it");
    assert_eq!(rig.store.poll_timeout(), Some(at(150)), "nothing waits but the sweep");
}

#[test]
fn scrapes_of_two_queues_settle_only_when_both_have_caught_up() {
    let mut rig = Rig::new();
    rig.send_whole(0, "requests{code=200} 0@0\nrequests{code=500} 0@0");
    rig.looks();
    rig.send(31, "requests{code=500} 50@15");
    rig.send(32, "requests{code=500} 60@30");
    assert_eq!(rig.looks(), "", "a queue far ahead completes nothing");
    rig.send(33, "requests{code=200} 50@15\nrequests{code=200} 100@30");
    assert_eq!((rig.looks().as_str(), rig.ratio(All, 30).as_str()), ("cart@30", "60/160"));
}

#[test]
fn a_whole_batch_is_taken_in_before_anything_settles() {
    let mut rig = Rig::new();
    rig.send(100, "requests{code=200} 10@0 20@15 30@30\nrequests{code=500} 0@0 1@15 9@30");
    rig.tick(106);
    assert_eq!((rig.looks().as_str(), rig.ratio(All, 30).as_str()), ("cart@30", "9/29"));
}

#[test]
fn increases_are_counted_once_whatever_arrives_twice_late_or_odd() {
    for (lines, expected, why) in [
        ("requests{code=500} 10@0 15@10 15@20", "5/5", "growth"),
        ("requests{code=500} 10@0 15@10 15@10 20@10", "5/5", "the same moment again"),
        ("requests{code=500} 10@0 15@10 12@5 18@20", "8/8", "an older moment"),
        ("requests{code=500} 10@0 3@10 5@20", "5/5", "a reset adds what was counted since"),
        ("requests{code=500} 10@0 NaN@10 Inf@15 -4@17 14@20", "4/4", "no numbers"),
        ("requests{code=500} 10@0 stale@10 13@20", "3/3", "back after its end"),
        ("requests{code=500} 10@0 stale@10 2@20", "2/2", "back after a restart"),
        ("requests{code=500} 10@0<-5 15@10<-5", "15/15", "it says that it began just before"),
        ("requests{code=500} 10@0<-5000 15@10<-5000", "5/5", "it says that it began long before"),
        ("delta requests{code=500} 10@0 15@10", "25/25", "increases as they are"),
        ("requests{code=500} 0.5@0 1.25@10 2.5@20", "2/2", "whole ones only"),
        ("gauge requests{code=500} 10@0 15@10", "none", "a gauge is no counter"),
    ] {
        let mut rig = Rig::new();
        rig.send_whole(20, lines);
        assert_eq!(rig.ratio(All, 20), expected, "{why}");
    }
}

#[test]
fn a_birth_counts_from_zero_only_inside_a_family_seen_before() {
    let mut rig = Rig::new();
    rig.send_whole(0, "requests{code=200} 100@0");
    rig.send_whole(10, "requests{code=200} 110@10\nrequests{code=500} 3@10");
    assert_eq!(rig.ratio(All, 10), "3/13");
    rig.labels.retain(|it| it.0 != "instance");
    rig.labels.push(("instance", "b"));
    rig.send_whole(20, "requests{code=200} 5000@20\nrequests{code=500} 70@20");
    assert_eq!(rig.ratio(All, 20), "3/13", "another target's first scrape is a baseline");
}

#[test]
fn late_samples_go_to_their_slot_and_future_ones_are_taken_as_now() {
    let mut rig = Rig::new();
    rig.send_whole(0, "requests{code=200} 0@0\nrequests{code=500} 0@0");
    rig.send_whole(100, "requests{code=200} 100@100");
    rig.send_whole(101, "requests{code=500} 7@75");
    assert_eq!(rig.ratio(All, 75), "7/7", "25 s late: in its own slot");
    assert_eq!(rig.ratio(All, 100), "7/107");
    rig.send_whole(102, "requests{code=500} 8@99 9@100");
    rig.send_whole(150, "requests{code=200} 150@150");
    rig.send_whole(151, "requests{code=500} 10@119");
    assert_eq!((rig.ratio(All, 150).as_str(), rig.store.counters().late), ("10/160", 0), "31 s late");
    rig.send_whole(152, "requests{code=500} 11@4000");
    assert_eq!((rig.ratio(All, 152).as_str(), rig.store.counters().future), ("11/161", 1));
    assert_eq!(rig.store.last_sample_at(&cart()), Some(at(152)), "as of now");
}

#[test]
fn what_follows_a_sender_that_catches_up_is_not_late() {
    let mut rig = Rig::new();
    rig.send_whole(0, "requests{code=500} 0@0");
    for step in 1..20 {
        rig.send_whole(1000 + step, &format!("requests{{code=500}} {step}@{}", step * 15));
    }
    assert_eq!((rig.ratio(All, 285).as_str(), rig.store.counters().late), ("19/19", 0));
}

#[test]
fn one_replica_of_a_pair_counts_and_the_other_takes_over() {
    let mut rig = Rig::new();
    let scrape = |rig: &mut Rig, now: i64, replica: &str, value: i64| {
        rig.send_whole(now, &format!("requests{{code=500,replica={replica}}} {value}@{now}"));
        rig.ratio(All, now)
    };
    assert_eq!(scrape(&mut rig, 0, "a", 0), "0/0");
    assert_eq!(scrape(&mut rig, 5, "b", 5), "0/0");
    assert_eq!(scrape(&mut rig, 15, "a", 15), "15/15");
    assert_eq!(scrape(&mut rig, 20, "b", 20), "15/15", "not counted twice");
    assert_eq!(scrape(&mut rig, 35, "b", 35), "15/15", "20 s of silence");
    assert_eq!(
        scrape(&mut rig, 50, "b", 50),
        "50/50",
        "35 s: it takes over, with what the other did not count"
    );
    assert_eq!(scrape(&mut rig, 55, "a", 55), "50/50", "the first is back, and stands by");
    assert_eq!(scrape(&mut rig, 65, "b", 65), "65/65");
    assert_eq!(scrape(&mut rig, 99, "a", 99), "99/99", "and back again");
    assert_eq!(scrape(&mut rig, 100, "b", 2), "99/99", "it began anew, standing by");
    assert_eq!(scrape(&mut rig, 140, "b", 9), "108/108", "what it counted since then");
    assert_eq!(rig.store.counters().standby, 5);
}

#[test]
fn an_idle_tick_does_nothing_and_looks_come_in_order_of_services() {
    let mut rig = Rig::new();
    rig.labels.clear();
    rig.send_whole(
        0,
        "requests{service=b,environment=e} 1@0
         requests{service=a,environment=e} 1@0
         requests{service=c,environment=e} 1@0",
    );
    assert_eq!(rig.looks(), "a@0 b@0 c@0");
    rig.tick(1);
    assert_eq!(rig.looks(), "");
    let key = model::ServiceKey::new("nobody", "nowhere");
    assert_eq!(rig.store.ratio(&ask(&key, "error_rate", All, 0)), None);
}
