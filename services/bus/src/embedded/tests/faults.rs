//! A disk that fails: nothing acknowledged is lost, nothing is acknowledged that is not kept, and writing goes
//! on by itself when the disk does.

use super::*;

/// Appends one after the other; returns those that were acknowledged.
async fn append_some(topic: &Topic, names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for name in names {
        match append(topic, &name).await {
            Ok(_) => acknowledged.push(name),
            Err(error) => assert!(is_unavailable(&error), "{error}"),
        }
    }
    acknowledged
}

/// What is read holds all of `acknowledged` in order, and nothing else but what was refused.
fn assert_kept(records: &[Record], acknowledged: &[String], story: &str) {
    assert!(records.is_sorted_by(|a, b| a.position < b.position), "{story}");
    let read = texts(records);
    let kept: Vec<&str> =
        read.iter().copied().filter(|text| acknowledged.iter().any(|a| a == text)).collect();
    assert_eq!(kept, acknowledged, "{story}: read {read:?}");
}

#[tokio::test]
async fn whichever_operation_fails_everything_acknowledged_survives_and_writing_goes_on() {
    let mut is_reached = true;
    let mut n = 0;
    while is_reached {
        let disk = Memory::default();
        let topic = open(&disk, small());
        disk.fail_at(n);
        let mut acknowledged = append_some(&topic, (0..12).map(|i| format!("record {i} of a dozen"))).await;
        is_reached = disk.has_failed();
        disk.fail_no_more();
        assert!(acknowledged.len() >= 11, "one failure costs at most one append, failure {n}");
        acknowledged.extend(append_some(&topic, ["last".to_owned()]).await);
        assert_eq!(acknowledged.last().unwrap(), "last", "failure {n}: writing goes on");

        assert_kept(&read(&topic), &acknowledged, &format!("failure {n}, live"));
        for seed in 0..4 {
            let left = open(&disk.after_power_cut(seed), small());
            assert_kept(&read(&left), &acknowledged, &format!("failure {n}, power cut {seed}"));
            let after = append_some(&left, ["after".to_owned()]).await;
            assert_eq!(after, ["after"], "failure {n}, power cut {seed}");
        }
        n += 1;
    }
    assert!(n > 40, "only {n} operations were tried");
}

#[tokio::test]
async fn what_a_failed_sync_refused_is_not_acknowledged_by_a_later_one() {
    let disk = Memory::default();
    let topic = open(&disk, TopicConfig::default());
    append(&topic, "kept").await.unwrap();
    // Next come the write and the sync.
    disk.fail_at(1);
    let refused = append(&topic, "refused").await.unwrap_err();
    assert!(is_unavailable(&refused));
    assert_eq!(append(&topic, "kept too").await.unwrap(), Position(1));
    assert_eq!(texts(&read(&topic)), ["kept", "kept too"]);
    let left = open(&disk.after_power_cut(7), TopicConfig::default());
    assert_eq!(texts(&read(&left)), ["kept", "kept too"]);
    let statistics = topic.statistics();
    assert_eq!((statistics.write_failures, statistics.corrupt_records), (1, 0));
    assert_eq!(statistics.segments, 2, "a file on which a sync failed is not written again");
}

#[tokio::test]
async fn what_a_restart_shows_of_a_failed_sync_is_durable_and_so_is_what_comes_behind_it() {
    let disk = Memory::default();
    let topic = open(&disk, TopicConfig::default());
    append(&topic, "kept").await.unwrap();
    // Next come the write and the sync: the record stands in the file and will never reach the disk.
    disk.fail_at(1);
    append(&topic, "refused").await.unwrap_err();
    topic.close().await;

    let topic = open(&disk, TopicConfig::default());
    append(&topic, "behind").await.unwrap();
    let seen = read(&topic);
    assert_eq!(texts(&seen), ["kept", "refused", "behind"]);
    assert_eq!(read(&open(&disk.after_power_cut(3), TopicConfig::default())), seen);
}

#[tokio::test]
async fn what_a_killed_process_wrote_and_did_not_sync_is_durable_before_anybody_sees_it() {
    let disk = Memory::default();
    let topic = open(&disk, TopicConfig::default());
    append(&topic, "kept").await.unwrap();
    disk.hold_syncs();
    let _killed = append(&topic, "unsynced");
    disk.await_held_sync();
    // The kernel outlives the process: the next one sees what was written, and no sync of it ever happened.
    let after_kill = disk.after_kill();
    disk.release_syncs();

    let seen = read(&open(&after_kill, TopicConfig::default()));
    assert_eq!(texts(&seen), ["kept", "unsynced"]);
    let after_cut = read(&open(&after_kill.after_power_cut(0), TopicConfig::default()));
    assert_eq!(after_cut, seen);
}

#[tokio::test]
async fn a_full_disk_refuses_every_append_until_there_is_room_again() {
    let disk = Memory::default();
    let topic = open(&disk, small());
    append(&topic, "before").await.unwrap();
    disk.set_full(true);
    for n in 0..20 {
        assert!(is_unavailable(&append(&topic, &n.to_string()).await.unwrap_err()));
    }
    assert_eq!(texts(&read(&topic)), ["before"], "readers go on");
    disk.set_full(false);
    append(&topic, "after").await.unwrap();
    assert_eq!(texts(&read(&topic)), ["before", "after"]);
    assert!(topic.statistics().segments <= 2, "failing does not leave files behind");
    let left = open(&disk.after_power_cut(1), small());
    assert_eq!(texts(&read(&left)), ["before", "after"]);
}

#[tokio::test]
async fn whichever_operation_fails_while_opening_nothing_is_lost() {
    let disk = Memory::default();
    let topic = open(&disk, small());
    let acknowledged = append_some(&topic, (0..12).map(|i| format!("record {i} of a dozen"))).await;
    topic.close().await;
    let (mut is_reached, mut n) = (true, 0);
    while is_reached {
        // A torn end and a swapped pair, so that opening has something to mend.
        let disk = disk.after_power_cut(0);
        let newest = disk.paths().into_iter().rfind(|path| path.extension().is_some()).unwrap();
        disk.damage(&newest, |bytes| bytes.extend([1; 30]));
        disk.swap(&segment_path(0), &newest);
        disk.fail_at(n);
        let opened = try_open(&disk, small());
        is_reached = disk.has_failed();
        disk.fail_no_more();
        let topic = opened.or_else(|_| try_open(&disk, small())).unwrap();
        assert_kept(&read(&topic), &acknowledged, &format!("failure {n}"));
        n += 1;
    }
    assert!(n > 10, "only {n} operations were tried");
}

#[tokio::test]
async fn a_reader_that_meets_a_failing_disk_stands_where_it_stood() {
    let disk = Memory::default();
    let topic = open(&disk, small());
    append_some(&topic, ["a", "b"].map(str::to_owned)).await;
    let mut reader = topic.reader(Position(0));
    for n in 0..2 {
        disk.fail_at(n);
        assert!(reader.next().await.unwrap_err().is_retryable());
    }
    assert_eq!(reader.next().await.unwrap().payload, "a");
    assert_eq!(reader.next().await.unwrap().payload, "b");
}
