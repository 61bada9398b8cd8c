//! One sender that opens far more than it needs. Its events are what `ingest` takes from the least of tokens.

use model::{RequestEvent, ServiceKey};

use super::{Ask, Rig, Versions::All, WINDOW, at};
use crate::store::{Refusal, ledger::Ledger};

fn request(service: &str, environment: &str, version: &str, moment: i64) -> RequestEvent {
    RequestEvent {
        key: ServiceKey::new(service, environment),
        version: Some(version.to_owned()),
        duration_ms: Some(20.0),
        at: at(moment),
        ..RequestEvent::default()
    }
}

/// A request of each of so many versions in each of so many environments of the cart.
fn flood(environments: usize, versions: usize, moment: i64) -> Vec<RequestEvent> {
    let each = (0..environments).flat_map(|at| (0..versions).map(move |version| (at, version)));
    each.map(|(at, version)| request("cart", &format!("e{at}"), &format!("v{version}"), moment)).collect()
}

fn send(rig: &mut Rig, sender: &str, now: i64, requests: &[RequestEvent]) {
    rig.store.begin(sender);
    rig.store.handle_requests(at(now), requests);
}

/// How many requests of the shop are in its window.
fn shop_requests(rig: &Rig, moment: i64) -> u64 {
    let key = ServiceKey::new("shop", "production");
    let ask =
        Ask { key: &key, metric: "error_rate", versions: All, at: at(moment), window: WINDOW, since: None };
    rig.store.ratio(&ask).map_or(0, |count| count.total)
}

#[test]
fn a_version_with_one_request_takes_a_few_kilobytes() {
    let mut rig = Rig::new();
    send(&mut rig, "cart-ci", 0, &flood(10, 50, 0));
    let counters = rig.store.counters();
    assert_eq!((counters.places, counters.requests), (10, 500));
    assert!(counters.bytes / 500 < 4_000, "{} bytes a version", counters.bytes / 500);
}

#[test]
fn a_version_gives_back_what_its_requests_took() {
    let mut rig = Rig::new();
    send(&mut rig, "cart-ci", 0, &[request("cart", "e0", "1", 0)]);
    let one = rig.store.counters().bytes;
    let many: Vec<_> = (0..2_000)
        .map(|step| RequestEvent {
            duration_ms: Some(f64::from(step) + 0.5),
            ..request("cart", "e0", "1", 1)
        })
        .collect();
    send(&mut rig, "cart-ci", 1, &many);
    assert!(rig.store.counters().bytes > 5 * one, "a list of durations");
    send(&mut rig, "cart-ci", 4_000, &[request("cart", "e0", "1", 4_000)]);
    assert_eq!(rig.store.counters().bytes, one, "the windows have passed it");
}

#[test]
fn one_event_opens_a_thousand_versions_and_its_service_is_judged_on() {
    let mut rig = Rig::new();
    send(&mut rig, "cart-ci", 0, &[request("cart", "production", "1", 0)]);
    send(&mut rig, "cart-ci", 0, &flood(3_125, 64, 0));
    let counters = rig.store.counters();
    assert_eq!((counters.refused_by_event, counters.dropped_series), (199_000, 199_000));
    assert!(counters.bytes < 4 << 20, "{} bytes", counters.bytes);
    let refused = rig.store.take_refused();
    let told: Vec<_> =
        refused.iter().map(|it| (it.refusal, it.sender.as_str(), it.service.service.as_str())).collect();
    assert_eq!(told, [(Refusal::Event, "cart-ci", "cart")], "one line for all of them");
    send(&mut rig, "cart-ci", 1, &[request("cart", "production", "2", 1)]);
    assert_eq!(rig.store.versions(&ServiceKey::new("cart", "production")).len(), 2);
}

#[test]
fn a_sender_that_has_its_share_leaves_room_for_others_and_gets_room_by_silence() {
    let mut rig = Rig::new();
    rig.store.catalog.ledger = Ledger::of(1 << 20, 64 << 20, 160, 1_000);
    send(&mut rig, "shop-ci", 0, &[request("shop", "production", "1", 0)]);
    send(&mut rig, "cart-ci", 0, &flood(1_000, 1, 0));
    let counters = rig.store.counters();
    assert_eq!((counters.places, counters.refused_by_sender), (121, 880));
    send(
        &mut rig,
        "shop-ci",
        30,
        &[request("shop", "staging", "1", 30), request("shop", "production", "2", 30)],
    );
    assert_eq!((rig.store.counters().places, shop_requests(&rig, 30)), (122, 2));
    // Half a minute is no silence.
    rig.store.make_room(|_| false);
    assert_eq!(rig.store.counters().forgotten_places, 0);
    send(&mut rig, "cart-ci", 70, &[request("cart", "e7", "1", 70), request("cart", "another", "1", 70)]);
    assert_eq!(rig.store.counters().refused_by_sender, 881);
    rig.store.make_room(|key| key.environment == "e8");
    assert_eq!(rig.store.counters().forgotten_places, 15, "until an eighth is free");
    let environments: Vec<_> = rig.store.services().into_iter().map(|it| it.key.environment).collect();
    for (environment, is_there) in [("e7", true), ("e8", true), ("e0", false), ("staging", true)] {
        assert_eq!(environments.iter().any(|it| it == environment), is_there, "{environment}");
    }
    send(&mut rig, "cart-ci", 71, &[request("cart", "another", "1", 71)]);
    assert_eq!(rig.store.counters().refused_by_sender, 881, "there is room");
}

#[test]
fn a_service_that_is_full_gives_up_the_versions_that_were_used_longest_ago() {
    let mut rig = Rig::new();
    rig.store.catalog.ledger = Ledger::of(64 << 10, 64 << 20, 1_000, 1_000);
    send(&mut rig, "cart-ci", 0, &flood(1, 64, 0));
    send(&mut rig, "shop-ci", 0, &[request("shop", "production", "1", 0)]);
    let counters = rig.store.counters();
    assert_eq!(counters.refused_by_service, 0, "its newest versions are judged");
    assert!(counters.bytes < 80 << 10, "{counters:?}");
    assert_eq!(shop_requests(&rig, 0), 1);
}

#[test]
fn labels_of_more_than_16_kilobytes_are_no_labels() {
    let mut rig = Rig::new();
    let long = "x".repeat(17_000);
    rig.send_whole(0, &format!("requests{{code=200}} 1@0\nrequests{{code=500,document={long}}} 1@0"));
    let counters = rig.store.counters();
    assert_eq!((counters.series, counters.refused_labels), (1, 1));
}

#[test]
fn series_that_are_too_much_for_a_service_are_refused_by_their_bytes() {
    let mut rig = Rig::new();
    rig.store.catalog.ledger = Ledger::of(1 << 20, 64 << 20, 1_000, 1_000);
    let long = "x".repeat(10_000);
    let lines: String = (0..200).map(|at| format!("noise{{id={at},document={long}}} 1@0\n")).collect();
    rig.send_whole(0, &lines);
    rig.send_whole(0, "requests{service=shop,code=200} 1@0");
    let counters = rig.store.counters();
    assert_eq!((counters.series, counters.refused_by_service), (52 + 1, 148));
}
