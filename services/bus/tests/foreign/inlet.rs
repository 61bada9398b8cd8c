//! Messages that come in.

use std::{collections::BTreeMap, time::Duration};

use bus::Begin;

use crate::{inlet, instance, is_waiting, make_again, next, now, outlet, publish, text, topic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_does_not_come_again_and_what_is_not_does() {
    let Some((config, topic)) = topic("again", 1).await else { return };
    let outlet = outlet(&config);
    for text in ["a", "b", "c", "d"] {
        publish(&outlet, &topic, "k", text).await;
    }
    let mut first = inlet(&config, &topic, Begin::Earliest);
    let (a, b, c) = (next(&mut first).await, next(&mut first).await, next(&mut first).await);
    assert_eq!([&a, &b, &c].map(text), ["a", "b", "c"]);
    // b is not, so c comes again too.
    first.done(&c);
    first.done(&a);
    first.stop().await;
    let mut second = inlet(&config, &topic, Begin::Earliest);
    for expected in ["b", "c", "d"] {
        let message = next(&mut second).await;
        assert_eq!(text(&message), expected);
        second.done(&message);
    }
    assert!(is_waiting(&mut second).await);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_group_begins_at_its_moment_and_then_misses_nothing() {
    let Some((config, topic)) = topic("moment", 3).await else { return };
    let outlet = outlet(&config);
    for n in 0..9 {
        publish(&outlet, &topic, &n.to_string(), "before").await;
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    let began = now();
    publish(&outlet, &topic, "k", "since").await;
    let mut first = inlet(&config, &topic, Begin::At(began));
    assert_eq!(text(&next(&mut first).await), "since");
    assert!(is_waiting(&mut first).await);
    // Nothing is done, and yet the place where it began stands.
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;
    publish(&outlet, &topic, "k", "away").await;
    let mut second = inlet(&config, &topic, Begin::At(now()));
    assert_eq!(text(&next(&mut second).await), "since");
    assert_eq!(text(&next(&mut second).await), "away");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_move_between_members_and_nothing_is_lost_or_done_out_of_order() {
    let Some((config, topic)) = topic("members", 4).await else { return };
    let sender = {
        let (outlet, topic) = (outlet(&config), topic.clone());
        tokio::spawn(async move {
            for n in 0..600 {
                publish(&outlet, &topic, &format!("k{}", n % 16), &n.to_string()).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    };
    let mut seen = BTreeMap::new();
    let mut one = inlet(&config, &topic, Begin::Earliest);
    for _ in 0..50 {
        let message = next(&mut one).await;
        *seen.entry(text(&message).to_owned()).or_insert(0) += 1;
        one.done(&message);
    }
    let mut two = inlet(&instance(&config, "two"), &topic, Begin::Earliest);
    let mut of_two = 0;
    while of_two < 100 {
        let (message, inlet) = tokio::select! {
            message = next(&mut one) => (message, &one),
            message = next(&mut two) => { of_two += 1; (message, &two) }
        };
        *seen.entry(text(&message).to_owned()).or_insert(0) += 1;
        inlet.done(&message);
    }
    two.stop().await;
    while seen.len() < 600 {
        let message = next(&mut one).await;
        *seen.entry(text(&message).to_owned()).or_insert(0) += 1;
        one.done(&message);
    }
    sender.await.unwrap();
    let twice = seen.values().filter(|times| **times > 1).count();
    assert_eq!(twice, 0, "moves in order repeat nothing: {seen:?}");
    tokio::time::sleep(Duration::from_secs(6)).await;
    let lag = one.lag();
    assert_eq!((lag.len(), lag.iter().map(|of| of.messages).sum::<u64>()), (4, 0), "{lag:?}");
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taker_that_stops_for_a_while_gets_everything_afterwards_in_order() {
    let Some((config, topic)) = topic("pressure", 1).await else { return };
    let outlet = outlet(&config);
    let large = "x".repeat(100_000);
    let mut inlet = inlet(&config, &topic, Begin::Earliest);
    publish(&outlet, &topic, "k", "first").await;
    assert_eq!(text(&next(&mut inlet).await), "first");
    for n in 0..200 {
        publish(&outlet, &topic, "k", &format!("{n} {large}")).await;
    }
    // Nothing is taken for longer than the member's session.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for n in 0..200 {
        let message = next(&mut inlet).await;
        assert_eq!(text(&message).split(' ').next(), Some(&*n.to_string()));
        inlet.done(&message);
    }
    inlet.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_was_made_again_is_another_life_of_it_whatever_stands_on_it() {
    let Some((config, topic)) = topic("lives", 1).await else { return };
    let sender = outlet(&config);
    let mut inlet = inlet(&config, &topic, Begin::Earliest);
    for text in ["a", "b", "c"] {
        publish(&sender, &topic, "k", text).await;
        let message = next(&mut inlet).await;
        assert_eq!(message.life, 0);
        inlet.done(&message);
    }
    make_again(&config.brokers[0], &topic).await;
    let sender = outlet(&config);
    for text in ["x", "y"] {
        publish(&sender, &topic, "k", text).await;
    }
    for expected in ["x", "y"] {
        let message = next(&mut inlet).await;
        assert_eq!((text(&message), message.life > 0), (expected, true));
        inlet.done(&message);
    }
    inlet.stop().await;
}
