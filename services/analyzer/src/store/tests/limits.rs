//! What has a bound, and what happens there.

use model::{Batch, ServiceKey};

use super::{Rig, Versions::All, at, cart};

#[test]
fn unreadable_series_are_dropped_and_counted() {
    let mut rig = Rig::new();
    let mut batch = rig.batch("requests{code=500} 1@0\nrequests{code=200} 1@0");
    batch.bytes[0] = 0xff;
    batch.series.push(model::Series { samples: 0..1, labels: 5..5, ..Default::default() });
    batch.series.push(model::Series { samples: 0..1, labels: 9..9999, ..Default::default() });
    batch.series.push(model::Series { samples: 7..9, labels: 0..1, ..Default::default() });
    rig.store.handle_batch(at(0), &batch);
    let counters = rig.store.counters();
    assert_eq!((counters.series, counters.unreadable, counters.dropped_series), (1, 2, 2));
}

#[test]
fn one_services_labels_do_not_take_the_room_of_others() {
    let mut rig = Rig::new();
    let lines = |service: &str, count: usize| -> String {
        (0..count).map(|at| format!("noise{{service={service},id={at}}} 1@0\n")).collect()
    };
    rig.send_whole(0, &lines("cart", 20_100));
    rig.send_whole(0, &lines("shop", 10));
    let series = |rig: &Rig, name: &str| {
        let services = rig.store.services();
        let key = ServiceKey::new(name, "production");
        services.iter().find(|it| it.key == key).map(|it| it.series)
    };
    assert_eq!((series(&rig, "cart"), series(&rig, "shop")), (Some(20_000), Some(10)));
    assert_eq!(rig.store.counters().dropped_series, 100);
}

#[test]
fn what_is_silent_for_two_windows_is_forgotten() {
    let mut rig = Rig::new();
    rig.send_whole(0, "requests{code=500} 1@0\nrequests{code=200} 1@0\nlatency_bucket{le=1} 1@0");
    for moment in (15..900).step_by(15) {
        rig.send(moment, &format!("requests{{code=200}} {moment}@{moment}"));
        rig.tick(moment);
    }
    assert_eq!(rig.store.counters().series, 1, "two of three");
    rig.send_whole(901, "requests{code=500} 5000@901\nrequests{code=200} 5000@901");
    assert_eq!(
        rig.ratio(All, 901).split('/').next(),
        Some("0"),
        "what comes back may be no birth: a baseline"
    );
    while let Some(due) = rig.store.poll_timeout() {
        rig.store.handle_timeout(due);
    }
    let counters = rig.store.counters();
    assert_eq!((counters.series, rig.store.services().len()), (0, 0));
    assert_eq!(rig.store.last_sample_at(&cart()), None);
    rig.send_whole(9000, "requests{code=500} 1@9000");
    rig.send_whole(9010, "requests{code=500} 3@9010");
    assert_eq!(rig.ratio(All, 9010), "2/2", "and all of it works anew");
}

#[test]
fn a_target_with_too_many_waiting_scrapes_counts_the_oldest_with_the_next() {
    for scrapes in [64, 65, 200] {
        let mut rig = Rig::new();
        rig.send_whole(0, "requests{code=500} 0@0\nrequests{code=200} 0@0");
        rig.looks();
        let samples: Vec<String> = (1..=scrapes).map(|step| format!("{step}@{step}")).collect();
        rig.send(300, &format!("requests{{code=500}} {}", samples.join(" ")));
        assert_eq!(rig.looks(), "", "{scrapes} scrapes without the other series");
        rig.send(301, &format!("requests{{code=200}} {}", samples.join(" ")));
        assert_eq!(rig.ratio(All, scrapes), format!("{scrapes}/{}", 2 * scrapes));
    }
}

#[test]
fn the_same_input_gives_the_same_store() {
    let run = || {
        let mut rig = Rig::new();
        for step in 0..50_i64 {
            let lines: String = (0..20)
                .map(|at| {
                    format!("requests{{code={},id={at}}} {}@{}\n", 200 + 300 * (at % 2), step * at, step * 15)
                })
                .collect();
            rig.send(step * 15, &lines);
            rig.tick(step * 15 + 7);
        }
        (rig.looks(), rig.ratio(All, 735), rig.store.counters(), format!("{:?}", rig.store.discovery()))
    };
    assert_eq!(run(), run());
}

#[test]
fn an_empty_batch_is_an_arrival() {
    let mut rig = Rig::new();
    assert_eq!(rig.store.last_arrival(), None);
    rig.store.handle_batch(at(5), &Batch::default());
    rig.store.handle_batch(at(3), &Batch::default());
    assert_eq!(rig.store.last_arrival(), Some(at(5)), "time never goes back");
}
