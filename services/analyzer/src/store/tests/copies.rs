//! An old instance whose values are a new one's.

use super::{Rig, Versions::One};

/// What `instance` of `version` shows at `now`: so many good and bad requests.
fn scrape(rig: &mut Rig, now: i64, (version, instance): (&'static str, &'static str), counts: (i64, i64)) {
    rig.labels.retain(|it| it.0 != "instance" && it.0 != "version");
    rig.labels.extend([("version", version), ("instance", instance)]);
    rig.send_whole(
        now,
        &format!("requests{{code=200}} {}@{now}\nrequests{{code=500}} {}@{now}", counts.0, counts.1),
    );
}

/// The old version fails in 5 % of its requests for a minute, then the new one comes, which fails in 45 %.
fn with_a_new_version() -> Rig {
    let mut rig = Rig::new();
    for (at, count) in [(0, 0), (15, 1), (30, 2), (45, 3)] {
        scrape(&mut rig, at, ("1", "a"), (9500 + 95 * count, 500 + 5 * count));
    }
    for (at, count) in [(46, 0), (61, 1), (76, 2), (91, 3)] {
        scrape(&mut rig, at, ("2", "b"), (55 * count, 45 * count));
    }
    rig
}

#[test]
fn an_old_instance_that_shows_a_new_ones_process_counts_no_more() {
    let mut rig = with_a_new_version();
    for (at, count) in [(105, 4), (120, 5), (135, 6)] {
        scrape(&mut rig, at - 2, ("1", "a"), (55 * count - 7, 45 * count - 6));
        scrape(&mut rig, at + 1, ("2", "b"), (55 * count, 45 * count));
    }
    assert_eq!((rig.ratio(One("1"), 136), rig.ratio(One("2"), 136)), ("15/300".into(), "270/600".into()));
}

#[test]
fn an_old_instance_that_restarts_by_itself_counts_as_before() {
    let mut rig = with_a_new_version();
    for (at, count) in [(105, 1), (120, 2), (135, 3)] {
        scrape(&mut rig, at - 2, ("1", "a"), (95 * count, 5 * count));
        scrape(&mut rig, at + 1, ("2", "b"), (55 * (count + 3), 45 * (count + 3)));
    }
    assert_eq!((rig.ratio(One("1"), 136), rig.ratio(One("2"), 136)), ("30/600".into(), "270/600".into()));
}
