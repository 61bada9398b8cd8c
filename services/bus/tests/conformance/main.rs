//! What every backend of the log owes its users, told over the public API only.
//!
//! The stories of `records`, `reading`, `limits`, `snapshots` and `groups` are run by each backend; `cluster` holds
//! what only several processes and a broker can show. Kafka's runs need Java (and Maven, the first time) for a broker of
//! their own, or `RIPCORD_TEST_KAFKA=host:port`; without either they say that they are skipped, and fail under `CI`.
//!
//! Not covered here: retention by the broker itself (it looks every five minutes; `DeleteRecords` stands in for it),
//! compaction of snapshots, and the loss of a disk (three brokers, see `load-tests`).

#![allow(clippy::unwrap_used, reason = "tests")]

mod backend;
mod broker;
mod cluster;
mod groups;
mod limits;
mod reading;
mod records;
mod snapshots;

/// One test for each story and backend.
macro_rules! stories {
    ($($module:ident: $($story:ident),+ $(,)?;)+) => {
        mod embedded {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    crate::$module::$story(crate::backend::Backend::embedded()).await;
                }
            )+)+
        }

        mod kafka {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $story() {
                    if let Some(backend) = crate::backend::Backend::kafka(stringify!($story)).await {
                        crate::$module::$story(backend).await;
                    }
                }
            )+)+
        }
    };
}

stories! {
    records:
        records_are_read_in_the_order_of_the_appends_with_growing_positions_and_their_stamps,
        key_headers_and_bytes_of_any_kind_come_back_untouched,
        what_was_acknowledged_is_there_after_a_restart_and_positions_go_on,
        the_topics_do_not_see_each_others_records,
        partitions_do_not_see_each_others_records,
        concurrent_producers_each_keep_their_order_and_nothing_is_lost_or_doubled,
        two_appends_stand_in_the_order_of_the_calls_whoever_is_polled_first,
        a_dropped_append_is_written_all_the_same,
        closing_writes_what_was_taken_then_refuses_and_readers_end_after_the_last_record;
    reading:
        a_reader_waits_for_the_next_record_and_every_reader_gets_each_record,
        a_reader_told_to_begin_at_a_position_to_come_waits_for_it,
        a_dropped_wait_loses_no_record,
        a_reader_goes_on_in_the_middle_after_a_restart,
        reading_up_to_an_end_ends,
        a_stamp_finds_the_first_record_not_older_than_it,
        replay_from_a_moment_gives_what_was_stamped_since,
        a_reader_behind_what_is_left_is_told_how_much_it_missed,
        a_reader_behind_an_emptied_partition_stands_at_its_end;
    limits:
        a_record_over_the_limit_is_refused_for_good,
        a_large_record_among_small_ones_keeps_its_place,
        more_than_may_be_under_way_is_refused_at_once_and_nothing_acknowledged_is_lost;
    snapshots:
        the_newest_snapshot_of_each_partition_is_read_back,
        a_snapshot_of_many_chunks_is_replaced_by_a_small_one_and_back,
        snapshots_outlive_a_restart,
        a_checkpoint_stands_beside_the_snapshot_of_its_partition;
    groups:
        a_member_alone_has_all_partitions,
        the_decisions_go_to_one_member;
}
