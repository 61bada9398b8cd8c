//! Files changed behind the log's back: what is not hit is kept, the loss is told, and writing goes on.

use proptest::prelude::*;

use super::*;

fn name(n: u64) -> String {
    format!("record number {n:04}")
}

/// Bytes of a frame that holds a [`name`].
const FRAME_BYTES: usize = crate::embedded::frame::HEADER_BYTES + EMPTY_KEY_AND_HEADERS_BYTES + 18;
const EMPTY_KEY_AND_HEADERS_BYTES: usize = 6;
const RECORDS: u64 = 22;
const PER_SEGMENT: u64 = 4;

/// 22 records in six segments of four; the newest holds two.
async fn written() -> Memory {
    let disk = Memory::default();
    let topic = open(&disk, small());
    for n in 0..RECORDS {
        append(&topic, &name(n)).await.unwrap();
    }
    topic.close().await;
    disk
}

fn positions(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.position.0).collect()
}

/// Opens the damaged disk and reads it; every record read is the one written at its position.
fn reopen(disk: &Memory) -> (Topic, Vec<Record>) {
    let topic = open(disk, small());
    let records = read(&topic);
    for record in &records {
        assert_eq!(record.payload, name(record.position.0));
    }
    assert!(records.is_sorted_by(|a, b| a.position < b.position));
    (topic, records)
}

#[tokio::test]
async fn damage_costs_what_it_hits_and_is_told() {
    let first = 0;
    let middle = 2 * PER_SEGMENT;
    let newest = 5 * PER_SEGMENT;
    type Damage = Box<dyn Fn(&Memory)>;
    let flip = |base: u64, at: usize| -> Damage {
        Box::new(move |disk| disk.damage(&segment_path(base), |bytes| bytes[at] ^= 4))
    };
    let cut = |base: u64, to: usize| -> Damage {
        Box::new(move |disk| disk.damage(&segment_path(base), |bytes| bytes.truncate(to)))
    };
    let lost =
        |range: std::ops::Range<u64>| -> Vec<u64> { (0..RECORDS).filter(|n| !range.contains(n)).collect() };
    let rows: Vec<(&str, Damage, Vec<u64>)> = vec![
        ("a bit in the first record of a segment", flip(middle, 30), lost(8..12)),
        ("a bit in the length of a later record", flip(middle, 2 * FRAME_BYTES), lost(10..12)),
        ("a bit in the oldest segment", flip(first, FRAME_BYTES + 5), lost(1..4)),
        ("a sealed segment cut inside a record", cut(middle, 3 * FRAME_BYTES + 5), lost(11..12)),
        ("a sealed segment cut between records", cut(middle, FRAME_BYTES), lost(9..12)),
        ("a sealed segment emptied", cut(middle, 0), lost(8..12)),
        ("a bit in the newest segment, readable records behind it", flip(newest, 30), lost(20..22)),
        ("the newest segment cut inside its last record", cut(newest, 2 * FRAME_BYTES - 1), lost(21..22)),
        ("a segment deleted", Box::new(move |disk| disk.delete(&segment_path(middle))), lost(8..12)),
        ("the oldest segment deleted", Box::new(move |disk| disk.delete(&segment_path(first))), lost(0..4)),
        (
            "the newest segment deleted",
            Box::new(move |disk| disk.delete(&segment_path(newest))),
            lost(20..22),
        ),
        (
            "two segments that changed names",
            Box::new(move |disk| disk.swap(&segment_path(first), &segment_path(newest))),
            lost(0..0),
        ),
        (
            "a second copy of a segment under another name",
            Box::new(move |disk| disk.copy(&segment_path(first), &segment_path(999))),
            lost(0..0),
        ),
        (
            "garbage behind the end",
            Box::new(move |disk| disk.damage(&segment_path(newest), |bytes| bytes.extend([0; 4000]))),
            lost(0..0),
        ),
        (
            "the watermark deleted",
            Box::new(|disk| disk.delete(&dir().join("events").join("newest"))),
            lost(0..0),
        ),
        (
            "the watermark damaged",
            Box::new(|disk| disk.damage(&dir().join("events").join("newest"), |bytes| bytes[0] ^= 1)),
            lost(0..0),
        ),
        (
            "a foreign file",
            Box::new(|disk| disk.copy(&segment_path(0), &dir().join("events/notes"))),
            lost(0..0),
        ),
    ];
    for (story, damage, left) in rows {
        let disk = written().await;
        damage(&disk);
        let (topic, records) = reopen(&disk);
        assert_eq!(positions(&records), left, "{story}");
        let after = append(&topic, "after").await.unwrap();
        let records = read(&topic);
        assert_eq!(
            (records.last().unwrap().position, texts(&records).pop()),
            (after, Some("after")),
            "{story}"
        );

        let statistics = topic.statistics();
        let missed: u64 = records.iter().map(|record| record.missing_before).sum();
        let is_told = statistics.corrupt_records > 0 || statistics.torn_bytes > 0 || missed > 0;
        assert!(is_told || left.len() as u64 == RECORDS, "{story}: {statistics:?}");

        topic.close().await;
        let again = open(&disk, small());
        assert_eq!(positions(&read(&again)), positions(&records), "{story}: the same after another restart");
        assert_eq!(again.statistics().torn_bytes, 0, "{story}: a torn end is healed once");
    }
}

/// The limit of what can be noticed: this is what a crash before the two records were written leaves.
#[tokio::test]
async fn the_newest_segment_cut_between_records_reads_as_far_as_it_goes() {
    let disk = written().await;
    disk.damage(&segment_path(20), |bytes| bytes.clear());
    let (topic, records) = reopen(&disk);
    assert_eq!(positions(&records), (0..20).collect::<Vec<_>>());
    assert_eq!(append(&topic, "after").await.unwrap(), Position(20));
}

#[tokio::test]
async fn positions_that_somebody_may_have_seen_are_not_given_again() {
    for (story, base) in [("the newest segment", 20), ("the one before it too", 16)] {
        let disk = written().await;
        (base..RECORDS).step_by(PER_SEGMENT as usize).for_each(|base| disk.delete(&segment_path(base)));
        let (topic, _) = reopen(&disk);
        assert!(append(&topic, "new").await.unwrap() >= Position(RECORDS), "{story} was deleted");
        assert_eq!(texts(&read(&topic)).pop(), Some("new"));
    }
    let disk = written().await;
    disk.damage(&segment_path(20), |bytes| bytes[36] ^= 1);
    let (topic, _) = reopen(&disk);
    assert_eq!(
        append(&topic, "new").await.unwrap(),
        Position(RECORDS),
        "a damaged record before the last one"
    );
}

#[tokio::test]
async fn what_is_read_up_to_an_end_ends_though_the_end_is_damaged() {
    let disk = written().await;
    disk.damage(&segment_path(20), |bytes| bytes[36] ^= 1);
    let topic = open(&disk, small());
    let end = topic.bounds().next;
    assert_eq!(end, Position(RECORDS));
    let mut reader = topic.reader(Position(0));
    let mut read = Vec::new();
    while let Some(record) = reader.next_before(end).await.unwrap() {
        read.push(record.position.0);
    }
    assert_eq!(read, (0..20).collect::<Vec<_>>());
    assert_eq!(reader.position(), end);
    let after = append(&topic, "after").await.unwrap();
    assert_eq!(reader.next_before(end).await.unwrap(), None, "what comes is not before the end");
    let record = reader.next().await.unwrap();
    assert_eq!((record.position, record.missing_before), (after, 2), "nothing was swallowed");
}

#[tokio::test]
async fn positions_that_somebody_remembers_are_skipped_and_the_loss_is_told() {
    for (story, remembered, next) in [
        ("the end is where it was", RECORDS, RECORDS),
        ("somebody saw less", 3, RECORDS),
        ("somebody saw more", RECORDS + 7, RECORDS + 7),
    ] {
        let disk = written().await;
        let topic = open(&disk, small());
        topic.skip_to(Position(remembered));
        assert_eq!(topic.bounds().next, Position(next), "{story}");
        let mut reader = topic.reader(Position(RECORDS));
        assert_eq!(append(&topic, "after").await.unwrap(), Position(next), "{story}");
        let record = reader.next().await.unwrap();
        assert_eq!((record.position.0, record.missing_before), (next, next - RECORDS), "{story}");
        let lost = u64::from(next > RECORDS);
        assert_eq!(topic.statistics().corrupt_records.min(1), lost, "{story}");
        topic.close().await;
        let again = open(&disk, small());
        assert_eq!(again.bounds().next, Position(next + 1), "{story}: after another restart");
        let records = read(&again);
        assert_eq!(records.len() as u64, RECORDS + 1, "{story}");
        assert_eq!(texts(&records).pop(), Some("after"), "{story}");
    }
}

#[tokio::test]
async fn a_file_of_another_topic_is_set_aside_as_it_is() {
    let disk = Memory::default();
    let open_both = || {
        let open = |name| open_topic(Arc::new(disk.clone()), dir(), name, small(), ()).unwrap();
        (open("events"), open("decisions"))
    };
    let (events, decisions) = open_both();
    append(&events, "an event").await.unwrap();
    append(&decisions, "a decision").await.unwrap();
    events.close().await;
    decisions.close().await;
    let of_decisions = segment::path(&dir().join("decisions"), 0);
    disk.swap(&segment_path(0), &of_decisions);
    let (events, decisions) = open_both();
    for topic in [&events, &decisions] {
        assert_eq!(read(topic).len(), 0);
        assert!(topic.statistics().torn_bytes > 0);
        append(topic, "after").await.unwrap();
        assert_eq!(texts(&read(topic)), ["after"]);
        topic.close().await;
    }
    // A person who sees what happened puts them back.
    let aside = |dir: &Path| dir.join("00000000000000000000.log.unreadable-1");
    disk.rename(&aside(&dir().join("events")), &of_decisions).unwrap();
    disk.rename(&aside(&dir().join("decisions")), &segment_path(0)).unwrap();
    let (events, decisions) = open_both();
    assert_eq!((texts(&read(&events)), texts(&read(&decisions))), (vec!["an event"], vec!["a decision"]));
}

#[tokio::test]
async fn damage_found_while_running_is_counted_once_and_costs_no_later_record() {
    let disk = Memory::default();
    let topic = open(&disk, TopicConfig { tail_bytes_max: 0, ..TopicConfig::default() });
    for text in ["a", "b", "c"] {
        append(&topic, text).await.unwrap();
    }
    disk.damage(&segment_path(0), |bytes| bytes[36] ^= 1);
    for _ in 0..3 {
        assert_eq!(texts(&read(&topic)), ["a"]);
    }
    assert_eq!(topic.statistics().corrupt_records, 1);
    append(&topic, "d").await.unwrap();
    let records = read(&topic);
    assert_eq!((texts(&records), records[1].missing_before), (vec!["a", "d"], 2));
}

#[tokio::test]
async fn records_still_in_memory_are_read_though_their_file_is_damaged() {
    let disk = Memory::default();
    // Room for the two newest.
    let topic = open(&disk, TopicConfig { tail_bytes_max: 300, ..TopicConfig::default() });
    for text in ["a", "b", "c", "d"] {
        append(&topic, text).await.unwrap();
    }
    disk.damage(&segment_path(0), |bytes| bytes[36] ^= 1);
    let records = read(&topic);
    assert_eq!((texts(&records), records[1].missing_before), (vec!["a", "c", "d"], 1));
}

#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Flip(usize),
    Delete,
    Append(Vec<u8>),
    Overwrite(usize, Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<usize>().prop_map(Damage::Cut),
        any::<usize>().prop_map(Damage::Flip),
        Just(Damage::Delete),
        prop::collection::vec(any::<u8>(), 1..100).prop_map(Damage::Append),
        (any::<usize>(), prop::collection::vec(any::<u8>(), 1..60))
            .prop_map(|(at, new)| Damage::Overwrite(at, new)),
    ]
}

fn apply(disk: &Memory, path: &Path, damage: Damage) {
    match damage {
        Damage::Delete => disk.delete(path),
        Damage::Cut(at) => disk.damage(path, |bytes| bytes.truncate(at % (bytes.len() + 1))),
        Damage::Append(new) => disk.damage(path, |bytes| bytes.extend(new)),
        Damage::Flip(bit) => disk.damage(path, |bytes| {
            let bits = (bytes.len() * 8).max(1);
            if let Some(byte) = bytes.get_mut(bit % bits / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }),
        Damage::Overwrite(at, new) => disk.damage(path, |bytes| {
            let at = at % (bytes.len() + 1);
            bytes.splice(at..bytes.len().min(at + new.len()), new);
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_makes_the_log_panic_loop_or_lie(damages in prop::collection::vec((any::<usize>(), damage()), 1..4)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let disk = runtime.block_on(written());
        for (which, damage) in damages {
            let paths = disk.paths();
            apply(&disk, &paths[which % paths.len()].clone(), damage);
        }
        let (topic, records) = reopen(&disk);
        let after = runtime.block_on(append(&topic, "after")).unwrap();
        let now = read(&topic);
        prop_assert_eq!(now.len(), records.len() + 1);
        prop_assert_eq!(now.last().unwrap().position, after);
    }
}
