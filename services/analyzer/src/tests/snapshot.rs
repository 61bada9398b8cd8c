//! Snapshots: whoever continues from one does what the one that took it goes on to do.

use std::{sync::LazyLock, time::Duration};

use model::{Event, Position, Proposal, Timestamp, values::ValuesQuery};
use proptest::prelude::*;

use super::{
    shop::Shop,
    world::{POLICIES, replicas_and_joins, shop_after, steps},
};
use crate::{Analyzer, SnapshotError, snapshot::FORMAT};

type Story = [(Timestamp, Position, Event)];

/// Hands one event over as the server does.
fn take(analyzer: &mut Analyzer, (now, position, event): &(Timestamp, Position, Event)) -> Vec<Proposal> {
    if analyzer.poll_timeout().is_some_and(|due| due <= *now) {
        analyzer.handle_timeout(*now);
    }
    analyzer.handle_event(*now, *position, event);
    std::iter::from_fn(|| analyzer.poll_proposal()).collect()
}

/// What the snapshot gives, which is the same in every respect that can be looked at.
fn restored(analyzer: &Analyzer) -> Analyzer {
    let snapshot = analyzer.snapshot();
    let again = Analyzer::from_snapshot(&snapshot).unwrap();
    assert!(again.snapshot() == snapshot, "a snapshot of what was restored is another");
    assert_alike(&again, analyzer);
    again
}

#[track_caller]
fn assert_alike(one: &Analyzer, two: &Analyzer) {
    let (shown, wanted) = (one.shown(), two.shown());
    if let Some((line, wanted)) = shown.lines().zip(wanted.lines()).find(|(line, wanted)| line != wanted) {
        panic!("{line}\ninstead of\n{wanted}");
    }
    assert_eq!(shown.len(), wanted.len());
    assert_eq!((one.counters(), one.store().counters()), (two.counters(), two.store().counters()));
    assert_eq!((one.poll_timeout(), one.position()), (two.poll_timeout(), two.position()));
    assert_eq!(one.policy(), two.policy());
    assert_eq!(one.discovery(), two.discovery());
    for (service, window_s) in [("checkout", None), ("checkout", Some(45)), ("cart", Some(300))] {
        let window = window_s.map(Duration::from_secs);
        let query = ValuesQuery { service: service.into(), window, ..ValuesQuery::default() };
        let now = one.now;
        // As text, in which a number that is none is like another.
        assert_eq!(format!("{:?}", one.values(now, &query)), format!("{:?}", two.values(now, &query)));
    }
}

/// Runs the story in one go, and with a restart before each of `cuts`.
fn check(story: &Story, cuts: &[usize]) {
    let (mut whole, mut cut) = (Analyzer::new(), Analyzer::new());
    for (place, one) in story.iter().enumerate() {
        if cuts.contains(&place) {
            cut = restored(&cut);
        }
        assert_eq!(take(&mut cut, one), take(&mut whole, one), "event {place} of {}", story.len());
        assert_eq!(cut.poll_timeout(), whole.poll_timeout(), "event {place}");
    }
    assert_alike(&restored(&cut), &whole);
    assert!(cut.snapshot() == whole.snapshot(), "the same state gives the same bytes");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_restart_changes_nothing_wherever_it_comes(
        steps in steps(160),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let story = shop_after(&steps).events;
        let cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(story.len())).collect();
        check(&story, &cuts);
    }
}

#[test]
fn a_release_goes_its_way_over_restarts_at_every_event() {
    let mut shop = Shop::new(POLICIES[0]);
    shop.run(
        "0s   serve checkout 1 rps=20 checkouts=2 converted=50% load=1
         0s   serve cart 7 rps=5 errors=10%
         60s  deploy checkout 2 previous=1 traffic=50
         60s  serve checkout 2 rps=20 errors=20% slow=10%
         70s  alert Burn service=checkout
         110s outcome checkout 2 accepted
         120s outcome checkout 2 succeeded
         121s stop checkout 2
         200s alert Burn service=checkout resolved
         240s end",
    );
    let all: Vec<usize> = (0..shop.events.len()).step_by(3).collect();
    check(&shop.events, &all);
}

#[test]
fn a_fresh_analyzer_has_a_snapshot_too() {
    let again = restored(&Analyzer::new());
    assert_eq!((again.policy_load(), again.releases().count()), (None, 0));
}

#[test]
fn the_policy_text_last_accepted_is_kept() {
    let shop = Shop::new(POLICIES[1]);
    let again = restored(&shop.analyzer);
    assert!(again.policy_load().unwrap().files[0].1.ends_with(POLICIES[1]));
    assert_eq!(again.policy(), shop.analyzer.policy());
}

/// A small shop in which something of everything has happened.
fn small() -> Shop {
    let mut shop = Shop::new(POLICIES[0]);
    shop.run(
        "0s  serve checkout 1 rps=20 load=1 checkouts=1
         30s deploy checkout 2 digest=sha256:a
         40s serve checkout 2 rps=10 errors=50%
         40s alert Burn service=checkout",
    );
    replicas_and_joins(&mut shop);
    shop.run("65s end");
    shop
}

static SMALL: LazyLock<Vec<u8>> = LazyLock::new(|| small().analyzer.snapshot());

/// With a checksum that fits what stands before it.
fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - 4;
    let sum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn a_snapshot_cut_short_is_refused_wherever_it_is_cut() {
    let snapshot = &*SMALL;
    for end in (0..snapshot.len()).filter(|end| *end < 200 || end % 17 == 0) {
        assert!(Analyzer::from_snapshot(&snapshot[..end]).is_err(), "{end} of {}", snapshot.len());
        if end >= 16 {
            assert!(Analyzer::from_snapshot(&summed(snapshot[..end].to_vec())).is_err(), "{end}, summed");
        }
    }
    let longer = [&snapshot[..snapshot.len() - 4], &[0; 5]].concat();
    assert_eq!(Analyzer::from_snapshot(&summed(longer)).err(), Some(SnapshotError::Damaged));
}

#[test]
fn other_formats_and_other_files_are_told_from_damage() {
    let mut snapshot = SMALL.clone();
    assert_eq!(Analyzer::from_snapshot(b"rollback_triggers: {}").err(), Some(SnapshotError::NotASnapshot));
    assert_eq!(Analyzer::from_snapshot(&[]).err(), Some(SnapshotError::NotASnapshot));
    snapshot[8] += 1;
    let error = Analyzer::from_snapshot(&summed(snapshot)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the snapshot has format {}, and only format {FORMAT} can be read", FORMAT + 1)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_bit_that_fell_over_is_noticed(place in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut snapshot = SMALL.clone();
        let place = place.index(snapshot.len());
        snapshot[place] ^= 1 << bit;
        prop_assert!(Analyzer::from_snapshot(&snapshot).is_err());
    }

    /// Bytes that were made up to look right: whatever is not refused can be gone on from.
    #[test]
    fn no_bytes_stop_the_analyzer(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut snapshot = SMALL.clone();
        for (place, byte) in changes {
            let place = 12 + place.index(snapshot.len() - 16);
            snapshot[place] = byte;
        }
        if let Ok(mut analyzer) = Analyzer::from_snapshot(&summed(snapshot)) {
            let mut shop = small();
            shop.run("200s end");
            shop.events.iter().for_each(|one| drop(take(&mut analyzer, one)));
            assert!(!analyzer.snapshot().is_empty());
        }
    }

    #[test]
    fn made_up_bytes_are_refused(body in prop::collection::vec(any::<u8>(), 0..400)) {
        let header = SMALL[..12].to_vec();
        let made_up = summed([header, body.clone(), vec![0; 4]].concat());
        prop_assert!(Analyzer::from_snapshot(&body).is_err());
        prop_assert!(Analyzer::from_snapshot(&made_up).is_err());
    }
}

/// When this fails, a type that is serialised has changed, or the order of its fields, or what the scenario leads
/// to. If it is the former, raise `FORMAT` in `snapshot.rs`: snapshots of the format before would be misread. Then
/// take over the new number.
#[test]
fn the_shape_is_known() {
    assert_eq!((FORMAT, small().analyzer.shape()), (19, 3_606_083_080));
}
