//! Tables for single series, and random scrapes placed as the store places them.

mod against_the_store;

use model::SeriesKind;
use policy::{IdentityField, Join, Selector, StaticIdentity};

use super::*;

const PARTITIONS: u32 = 5;

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

/// Versions and services by target, versions by pod, a static entry.
fn identity() -> Identity {
    let join = |info: &str, on: &[&str], take: &[(IdentityField, &str)]| Join {
        info: selector(info),
        on: on.iter().map(|name| (*name).to_owned()).collect(),
        take: take.iter().map(|(field, label)| (*field, (*label).to_owned())).collect(),
    };
    let service = (IdentityField::Service, "service_name");
    Identity {
        join: vec![
            join(
                "target_info",
                &["job", "instance"],
                &[service, (IdentityField::Version, "service_version")],
            ),
            join(
                r#"{__name__=~".+_build_info"}"#,
                &["job", "instance"],
                &[(IdentityField::Version, "version")],
            ),
            join("kube_pod_labels", &["pod"], &[(IdentityField::Version, "label_version")]),
        ],
        fixed: vec![StaticIdentity {
            matching: selector(r#"{job=~"legacy.*"}"#),
            set: vec![
                (IdentityField::Service, "old".into()),
                (IdentityField::Environment, "production".into()),
            ],
        }],
        ..Identity::default()
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis((1_800_000_000 + seconds) * 1000)
}

/// `name{label=value,…}`, as a label region in that order.
fn region(text: &str) -> Vec<u8> {
    let mut region = Vec::new();
    LabelBytes::encode(pairs(text), &mut region);
    region
}

fn pairs(text: &str) -> Vec<(&str, &str)> {
    let (name, rest) = text.split_once('{').unwrap();
    let labels = rest.trim_end_matches('}').split(',').filter(|it| !it.is_empty());
    let labels = labels.map(|it| it.split_once('=').unwrap());
    std::iter::once(("__name__", name)).chain(labels).collect()
}

/// A batch of one sample a series, all of `seconds`; `=0` or `=stale` behind a series is its value, else it is 1.
fn batch(seconds: i64, lines: &[&str]) -> Batch {
    let mut batch = Batch::default();
    for line in lines {
        let (series, value) = line.rsplit_once("} ").map_or((*line, "1"), |(series, value)| (series, value));
        let value = match value {
            "stale" => f64::from_bits(model::telemetry::STALE_NAN_BITS),
            value => value.parse().unwrap(),
        };
        let sample = Sample { value, at: at(seconds), start: None };
        batch.push(pairs(series), SeriesKind::Unknown, [sample]);
    }
    batch
}

/// Places a batch and shows for each series where it goes: the services and environments of `KEYS` whose
/// partitions they are, or else `?`.
fn place(placement: &mut Placement, seconds: i64, lines: &[&str]) -> Vec<String> {
    let mut to = Vec::new();
    placement.place(at(seconds), &batch(seconds, lines), &mut to);
    let shown = (0..lines.len() as u32).map(|series| {
        let all: Vec<&str> = to.iter().filter(|it| it.0 == series).map(|it| name_of(it.1)).collect();
        all.join("+")
    });
    shown.collect()
}

/// In five partitions no two of these share one.
const SERVICES: [&str; 3] = ["cart", "shop", "old"];

fn name_of(partition: Partition) -> &'static str {
    let is_at =
        |service: &&&str| Partition::of(&ServiceKey::new(**service, "production"), PARTITIONS) == partition;
    SERVICES.iter().find(is_at).copied().unwrap_or("?")
}

fn placement() -> Placement {
    Placement::new(identity(), PARTITIONS)
}

#[test]
fn a_series_is_of_the_service_that_static_entries_labels_or_joins_name() {
    for (series, want, why) in [
        ("up{service=cart,environment=production}", Some(("cart", "production")), "by its labels"),
        ("up{app=cart,env=staging}", Some(("cart", "staging")), "by other names for them"),
        (
            "up{service_name=b,service=a,env=e}",
            Some(("a", "e")),
            "the first candidate goes before the others",
        ),
        ("up{service=cart}", None, "no environment is no place"),
        ("up{environment=production}", None, "no service neither"),
        ("up{service=,environment=production}", None, "empty is absent"),
        ("up{job=legacy-cart,service=cart,env=e}", Some(("old", "production")), "static before labels"),
        ("up{job=j,instance=a,environment=production}", Some(("shop", "production")), "joined"),
        ("up{job=j,instance=b,environment=production}", None, "of another instance"),
        ("up{job=j,instance=a}", None, "an info series that names no environment"),
        ("up{job=j,instance=a,service=cart,env=e}", Some(("cart", "e")), "labels before joins"),
    ] {
        let mut placement = placement();
        place(&mut placement, 0, &["target_info{job=j,instance=a,service_name=shop}"]);
        let want = want.map(|(service, environment)| ServiceKey::new(service, environment));
        assert_eq!(placement.key_of(&region(series)), want, "not seen yet: {why}");
        place(&mut placement, 0, &[series]);
        assert_eq!(placement.key_of(&region(series)), want, "{why}");
    }
}

#[test]
fn info_series_are_taken_before_the_others_of_their_batch_wherever_they_stand() {
    let (series, info) = (
        "up{job=j,instance=a,env=production}",
        "target_info{job=j,instance=a,env=production,service_name=cart}",
    );
    for batches in [vec![vec![series, info]], vec![vec![info, series]], vec![vec![info], vec![series]]] {
        let mut placement = placement();
        for batch in &batches {
            for (line, place) in batch.iter().zip(place(&mut placement, 0, batch)) {
                assert_eq!(place, "cart", "{line} of {batches:?}");
            }
        }
    }
}

#[test]
fn what_waits_for_an_info_series_waits_where_that_is_and_moves_with_it() {
    let mut placement = placement();
    let series = ["a{job=j,instance=a}", "b{job=j,instance=a,environment=production}"];
    let mut waiting = Vec::new();
    placement.place(at(0), &batch(0, &series), &mut waiting);
    assert_eq!(waiting[0].1, waiting[1].1, "one target, one partition");
    let info = ["target_info{job=j,instance=a,service_name=cart}"];
    let mut info_to = Vec::new();
    placement.place(at(0), &batch(0, &info), &mut info_to);
    let cart = Partition::of(&ServiceKey::new("cart", "production"), PARTITIONS);
    assert_eq!(info_to, [(0, waiting[0].1), (0, cart)], "with what waits, and with what it placed");
    assert_eq!(place(&mut placement, 10, &series)[1], "cart");
}

#[test]
fn an_info_series_goes_with_its_own_service_and_with_all_that_take_from_it() {
    let mut placement = placement();
    let info =
        "kube_pod_labels{job=ksm,instance=k,service=old,environment=production,pod=p1,label_version=2}";
    let series = "up{service=cart,environment=production,pod=p1}";
    assert_eq!(place(&mut placement, 0, &[info]), ["old"], "nothing takes from it yet");
    assert_eq!(place(&mut placement, 10, &[info, series]), ["old+cart", "cart"]);
    let other = "up{service=shop,environment=production,pod=p1}";
    assert_eq!(place(&mut placement, 20, &[series, other, info]), ["cart", "shop", "old+cart+shop"]);
}

#[test]
fn another_info_series_takes_over_when_the_one_in_force_ends_or_is_silent_for_long() {
    let info =
        |service: &str| format!("target_info{{job=j,instance=a,env=production,service_name={service}}}");
    let (cart, shop) = (info("cart"), info("shop"));
    let series = "up{job=j,instance=a,env=production}";
    for (seconds, lines, want, why) in [
        (10, vec![shop.clone()], "cart", "in force"),
        (10, vec![shop.clone(), cart.clone()], "cart", "still in force"),
        (10, vec![shop.clone(), format!("{cart} stale")], "shop", "ended in the same batch"),
        (10, vec![format!("{cart} 0"), shop.clone()], "shop", "off"),
        (10, vec![format!("{shop} 0"), format!("{cart} stale")], "cart", "nobody else speaks: it holds"),
        (299, vec![shop.clone()], "cart", "not silent for long"),
        (301, vec![shop], "shop", "silent for long"),
    ] {
        let mut placement = placement();
        assert_eq!(place(&mut placement, 0, &[series, &cart])[0], "cart");
        let lines: Vec<&str> = lines.iter().map(String::as_str).chain([series]).collect();
        assert_eq!(*place(&mut placement, seconds, &lines).last().unwrap(), want, "{why}");
    }
}

#[test]
fn an_old_sample_of_an_info_series_says_nothing() {
    let mut placement = placement();
    let info = "target_info{job=j,instance=a,env=production,service_name=cart}";
    let other = "target_info{job=j,instance=a,env=production,service_name=shop}";
    place(&mut placement, 20, &[info]);
    let mut late = batch(10, &[&format!("{info} stale")]);
    let newer = batch(20, &[other]);
    let mut to = Vec::new();
    placement.place(at(21), &late, &mut to);
    placement.place(at(21), &newer, &mut to);
    assert_eq!(place(&mut placement, 22, &["up{job=j,instance=a,env=production}"]), ["cart"]);
    late.samples[0].at = at(30);
    placement.place(at(30), &late, &mut to);
    assert_eq!(place(&mut placement, 30, &[other, "up{job=j,instance=a,env=production}"])[1], "shop");
}

#[test]
fn another_identity_places_all_anew_and_keeps_what_info_series_said() {
    let mut placement = placement();
    let info = "target_info{job=j,instance=a,service_name=cart,service=shop}";
    let series = "up{job=j,instance=a,stack=production}";
    place(&mut placement, 0, &[series, info]);
    assert_eq!(placement.key_of(&region(series)), None);
    let with_stack = Identity { environment: vec!["stack".into()], ..identity() };
    placement.configure(&with_stack);
    assert_eq!(placement.key_of(&region(series)), Some(ServiceKey::new("cart", "production")));
    assert_eq!(place(&mut placement, 10, &[series, info]), ["cart", "cart"]);
    placement.configure(&Identity { join: Vec::new(), ..with_stack });
    assert_eq!(placement.key_of(&region(series)), None);
}

#[test]
fn idle_regions_are_forgotten_with_all_that_hangs_on_them() {
    let mut placement = placement();
    let info = "target_info{job=j,instance=a,env=production,service_name=cart}";
    let series = "up{job=j,instance=a,env=production}";
    place(&mut placement, 0, &[info, series, "up{service=shop,env=production}"]);
    place(&mut placement, 600, &[series]);
    placement.sweep(at(901));
    assert_eq!(placement.regions(), 1);
    assert_eq!(placement.key_of(&region(series)), Some(ServiceKey::new("cart", "production")), "holds on");
    placement.sweep(at(2000));
    assert_eq!(placement.regions(), 0);
    assert_eq!(placement.key_of(&region(series)), None);
    assert!(placement.infos.is_empty() && placement.owners.by_key.is_empty());
    assert!(format!("{:?}", placement.groups).ends_with("by_key: {} }"), "{:?}", placement.groups);
    assert_eq!(place(&mut placement, 2000, &[info, series]), ["cart", "cart"], "and learnt again");
}

#[test]
fn beyond_the_bound_series_are_placed_all_the_same() {
    let mut placement = placement();
    placement.regions_max = 2;
    let lines = [
        "target_info{job=j,instance=a,env=production,service_name=cart}",
        "up{job=j,instance=a,env=production}",
        "requests{job=j,instance=a,env=production}",
        "up{service=shop,env=production}",
    ];
    for seconds in [0, 10] {
        assert_eq!(place(&mut placement, seconds, &lines), ["cart", "cart", "cart", "shop"]);
        assert_eq!(placement.regions(), 2);
    }
}

#[test]
fn what_cannot_be_read_is_placed_too() {
    let mut placement = placement();
    let mut unreadable = batch(0, &["up{service=cart,env=production}"]);
    unreadable.bytes[0] = 0xff;
    let mut empty = batch(0, &["up{}"]);
    empty.series[0].labels = 0..0;
    let mut outside = batch(0, &["up{}"]);
    outside.series[0].labels = 5..100_000;
    outside.series[0].samples = 7..9;
    for batch in [unreadable, empty, outside] {
        let mut to = Vec::new();
        placement.place(at(0), &batch, &mut to);
        assert_eq!(to.len(), 1);
        assert!(to[0].1.0 < PARTITIONS);
    }
    assert_eq!(placement.regions(), 0);
}
