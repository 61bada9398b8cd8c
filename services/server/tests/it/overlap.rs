//! Releases that overlap, each beside its old version, among neighbours in trouble: how many of the guilty are
//! rolled back, and that no innocent one is.

#![expect(clippy::print_stdout, reason = "the figure is shown where the test is run with --nocapture")]

use crate::{attribution::ERRORS, pipeline::World, random::Random};

const SERVICES: u64 = 12;

/// What is usual for a service: shares of bad requests, some far beyond the limit of 1 %.
const USUAL: [f64; 4] = [0.0, 0.003, 0.05, 0.3];

/// A release, and what is expected of it.
struct Released {
    service: String,
    is_guilty: bool,
}

/// Twelve services for five minutes, then half of them release within a minute, a canary beside the old version each,
/// while a service without a release begins to fail.
fn overlapping(seed: u64) -> (World, Vec<Released>) {
    let policy = format!("{ERRORS}\nstorm: {{ max_rollbacks: 1000, settle: 0s }}");
    let (mut world, mut random) = (World::new(&policy), Random::of(seed));
    for number in 0..SERVICES {
        let usual = USUAL[random.below(4) as usize];
        let offset_s = random.below(15) as i64;
        world.serve(&format!("service-{number}"), "1", |arm| {
            (arm.rps, arm.errors, arm.offset_s) = (40.0, usual, offset_s);
        });
    }
    world.pass(300);
    let troubled = format!("service-{}", SERVICES - 1);
    world.serve(&troubled, "1", |arm| arm.errors = 0.4);
    let mut released = Vec::new();
    for number in 0..SERVICES / 2 {
        let service = format!("service-{number}");
        let usual = world.arms[&(service.clone(), "1".to_owned())].errors;
        let is_guilty = random.below(3) == 0;
        let more = if is_guilty { 0.2 + random.below(40) as f64 / 100.0 } else { 0.0 };
        world.serve(&service, "2", |arm| {
            (arm.rps, arm.errors, arm.offset_s) = (15.0, usual + more, random.below(15) as i64);
        });
        world.announce(&service, "2", |event| {
            event.previous_version = Some("1".to_owned());
            event.traffic_percentage = Some(25.0);
        });
        released.push(Released { service, is_guilty });
        world.pass(random.below(20) as i64);
    }
    world.pass(180);
    (world, released)
}

#[test]
fn of_overlapping_releases_beside_their_old_versions_the_guilty_are_rolled_back_and_no_innocent_one() {
    let (mut guilty, mut acted, mut innocent) = (0, 0, 0);
    for seed in 0..20 {
        let (world, released) = overlapping(seed);
        for Released { service, is_guilty } in released {
            let name = format!("{service} 2");
            let is_sent = world.sent.contains_key(&name);
            assert!(is_guilty || !is_sent, "seed {seed}: {name} is innocent: {:?}", world.commands[&name]);
            if is_guilty && !is_sent {
                println!("seed {seed}: {name} is guilty and not rolled back: {}", world.why(&name));
            }
            guilty += u32::from(is_guilty);
            innocent += u32::from(!is_guilty);
            acted += u32::from(is_guilty && is_sent);
        }
    }
    println!(
        "FIGURE {acted} of {guilty} guilty releases were rolled back, and none of {innocent} innocent ones"
    );
    assert_eq!(acted, guilty);
}
