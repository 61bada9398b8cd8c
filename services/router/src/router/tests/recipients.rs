//! Messages that some of their recipients have and others not.

use std::collections::BTreeSet;

use expect_test::expect;

use super::{restart::replay, world::*};

#[test]
fn whom_a_message_reached_is_not_told_again_and_the_rest_is_tried_at_each_tick() {
    check(
        config(),
        "
        0    next here=reached gone=refused full=waiting
        0    next full=waiting
        0    next full=reached
        0    + A
        1200 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            330 sre/webhook/0 first_notification firing: +A* again without here,gone
            630 sre/webhook/0 first_notification firing: +A* again without here,gone"#]],
    );
}

#[test]
fn news_goes_to_all_and_takes_the_place_of_what_was_left_to_tell() {
    check(
        config(),
        "
        0    next here=reached full=waiting
        0    next here=reached full=waiting
        0    + A
        100  - A
        640  end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            330 sre/webhook/0 all_alerts_resolved resolved: -A*
            630 sre/webhook/0 all_alerts_resolved resolved: -A* again without here"#]],
    );
}

#[test]
fn what_all_refuse_waits_for_the_next_repeat_and_is_a_new_message_then() {
    check(
        config(),
        "
        0    next gone=refused
        0    + A
        3700 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            3630 sre/webhook/0 first_notification firing: +A*"#]],
    );
}

#[test]
fn a_message_that_reached_no_one_yet_leaves_out_who_refused_it() {
    check(
        config(),
        "
        0   next gone=refused full=waiting
        0   + A
        400 end",
        expect![[r#"
            30 sre/webhook/0 first_notification firing: +A*
            330 sre/webhook/0 first_notification firing: +A* again without gone"#]],
    );
}

#[test]
fn another_try_has_an_id_of_its_own_and_the_first_ones_for_people() {
    let mut world = World::new(vec![config()]);
    world.run("0 next here=reached full=waiting\n0 next full=waiting\n0 + A\n700 end");
    let ids: BTreeSet<_> = world.sends.iter().map(|send| send.id.clone()).collect();
    assert_eq!((ids.len(), world.sends.len()), (3, 3));
    assert!(world.sends.iter().all(|send| *send.public_id() == world.sends[0].id));
}

#[test]
fn the_rest_is_given_up_after_the_tries_of_any_message() {
    let mut world = World::new(vec![config()]);
    let waiting = "0 next full=waiting\n".repeat(20);
    world.run(&format!("0 next here=reached full=waiting\n{waiting}0 + A\n3500 end"));
    // The route repeats after an hour, so what comes before is tries of the one message.
    assert_eq!(world.sends.len(), 12);
}

#[test]
fn a_restart_forgets_no_recipient_who_has_the_message() {
    let mut world = World::new(vec![config()]);
    world.run("0 next here=reached full=waiting\n0 + A\n300 hold\n340 end");
    let mut router = replay(&world, config());
    router.handle_timeout(second(340));
    assert_eq!(router.unfinished(), [world.sends[1].clone()]);
    assert_eq!(router.unfinished()[0].settled, ["here"]);
}
