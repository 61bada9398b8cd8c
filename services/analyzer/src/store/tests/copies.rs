//! An old instance whose values are a new one's.

use super::{Rig, Versions::One};

/// What `instance` of `version` shows at `now`: so many good and bad requests, and when its process began.
fn scrape(
    rig: &mut Rig,
    now: i64,
    (version, instance): (&'static str, &'static str),
    counts: (i64, i64),
    start: i64,
) {
    rig.labels.retain(|it| it.0 != "instance" && it.0 != "version");
    rig.labels.extend([("version", version), ("instance", instance)]);
    let start = if start == UNKNOWN {
        String::new()
    } else {
        format!("process_start_time_seconds{{}} {}@{now}", 1_800_000_000 + start)
    };
    rig.send_whole(
        now,
        &format!("requests{{code=200}} {}@{now}\nrequests{{code=500}} {}@{now}\n{start}", counts.0, counts.1),
    );
}

const UNKNOWN: i64 = i64::MIN;

/// The old version fails in 5 % of its requests for a minute, then the new one comes, which fails in 45 %.
fn with_a_new_version(old_start: i64, new_start: i64) -> Rig {
    let mut rig = Rig::new();
    for (at, count) in [(0, 0), (15, 1), (30, 2), (45, 3)] {
        scrape(&mut rig, at, ("1", "a"), (9500 + 95 * count, 500 + 5 * count), old_start);
    }
    for (at, count) in [(46, 0), (61, 1), (76, 2), (91, 3)] {
        scrape(&mut rig, at, ("2", "b"), (55 * count, 45 * count), new_start);
    }
    rig
}

/// What both versions count after six more scrapes, of which the old instance's show `old`.
fn counted(rig: &mut Rig, old_start: i64, new_start: i64, old: impl Fn(i64) -> (i64, i64)) -> [String; 2] {
    for count in 4..10 {
        let at = 46 + 15 * count;
        scrape(rig, at - 2, ("1", "a"), old(count), old_start);
        scrape(rig, at, ("2", "b"), (55 * count, 45 * count), new_start);
    }
    [rig.ratio(One("1"), 182), rig.ratio(One("2"), 182)]
}

/// The new process, two seconds before its own target is scraped.
fn new_process(count: i64) -> (i64, i64) {
    (55 * count - 7, 45 * count - 6)
}

#[test]
fn an_old_instance_that_shows_a_new_ones_process_counts_no_more_once_three_scrapes_show_it() {
    let mut rig = with_a_new_version(UNKNOWN, UNKNOWN);
    let [old, new] = counted(&mut rig, UNKNOWN, UNKNOWN, new_process);
    assert_eq!(new, "405/900");
    // 15 of 300 of its own, what the process had counted when it was first taken for the old one, and two scrapes.
    assert_eq!(old, "279/887");
}

#[test]
fn it_makes_no_difference_that_both_name_the_same_start_of_the_process() {
    let mut rig = with_a_new_version(-9000, 40);
    let [old, _] = counted(&mut rig, 40, 40, new_process);
    assert_eq!(old, "279/887");
}

#[test]
fn an_old_instance_that_restarts_by_itself_counts_as_before() {
    let mut rig = with_a_new_version(UNKNOWN, UNKNOWN);
    let [old, _] = counted(&mut rig, UNKNOWN, UNKNOWN, |count| (95 * (count - 3), 5 * (count - 3)));
    assert_eq!(old, "45/900");
}

#[test]
fn an_old_instance_whose_process_names_another_start_counts_as_before() {
    let mut rig = with_a_new_version(-9000, 40);
    let [old, _] = counted(&mut rig, 100, 40, new_process);
    assert_eq!(old, "414/1187");
}

#[test]
fn instances_of_both_versions_that_restart_together_and_serve_alike_count_both() {
    let mut rig = with_a_new_version(UNKNOWN, UNKNOWN);
    for count in 1..7 {
        let at = 91 + 15 * count;
        scrape(&mut rig, at - 2, ("1", "a"), (55 * count - 7, 45 * count - 6), UNKNOWN);
        scrape(&mut rig, at, ("2", "b"), (55 * count, 45 * count), UNKNOWN);
    }
    assert_eq!([rig.ratio(One("1"), 182), rig.ratio(One("2"), 182)], ["279/887", "405/900"]);
}

#[test]
fn an_instance_that_goes_its_own_way_again_counts_again() {
    let mut rig = with_a_new_version(UNKNOWN, UNKNOWN);
    counted(&mut rig, UNKNOWN, UNKNOWN, new_process);
    let before = rig.ratio(One("1"), 182);
    for count in 10..14 {
        let at = 46 + 15 * count;
        scrape(&mut rig, at - 2, ("1", "a"), (2000 + 95 * count, 2000 + 5 * count), UNKNOWN);
        scrape(&mut rig, at, ("2", "b"), (55 * count, 45 * count), UNKNOWN);
    }
    assert_ne!(rig.ratio(One("1"), 243), before);
}
