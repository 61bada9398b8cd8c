//! Against the double, over real sockets.

use std::time::Duration;

use expect_test::expect;
use model::{Delivery, DeliveryResult, NoticeKind};
use secrecy::SecretString;

use super::{
    double::{Fault, SlackDouble},
    *,
};
use crate::{Config, Receiver, Receivers, fixture, retry::Policy};

const TOKEN: &str = "xoxb-s3cr3t";

async fn slack() -> SlackDouble {
    SlackDouble::start(TOKEN).await.unwrap()
}

fn receivers(url: &str, token: &str, channel: Option<&str>) -> Receivers {
    let mut slack = SlackConfig::new(SecretString::from(token));
    slack.api_url = url.to_owned();
    slack.channel = channel.map(str::to_owned);
    slack.notify_owner = false;
    of(slack)
}

fn of(slack: SlackConfig) -> Receivers {
    let receiver = Receiver { slack: vec![slack], ..Receiver::default() };
    let config = Config {
        receivers: [("sre".to_owned(), receiver)].into(),
        external_url: "https://ripcord.example.org".into(),
        ..Config::default()
    };
    let pause = Duration::from_millis(1);
    let policy = Policy { attempts: 3, first_pause: pause, max_pause: pause, ..Policy::default() };
    Receivers::new(config, &prometheus::Registry::new(), telemetry::clock::now).unwrap().with_policy(policy)
}

async fn deliver(slack: &SlackDouble, send: &Send) -> Delivery {
    receivers(&slack.api_url(), TOKEN, Some("#releases")).deliver(send).await
}

#[tokio::test]
async fn a_release_is_one_message_that_is_updated_in_place_and_a_thread_of_what_happened() {
    let slack = slack().await;
    let first = deliver(&slack, &fixture::send("slack")).await;
    assert_eq!((first.result, first.attempts), (DeliveryResult::Delivered, 1), "{first:?}");
    let thread = first.thread.unwrap();
    let second = deliver(&slack, &fixture::progress(fixture::send("slack"), &thread)).await;
    assert_eq!((second.result, second.thread.as_deref()), (DeliveryResult::Delivered, Some(thread.as_str())));
    assert_eq!(slack.calls(), ["chat.postMessage", "chat.update", "chat.postMessage"]);
    let messages = slack.messages();
    assert_eq!((messages.len(), messages[0].updates), (2, 1));
    assert_eq!(messages[1].thread_ts.as_ref(), Some(&messages[0].ts));
    assert_eq!(thread, format!("{}|{}", messages[0].channel_id, messages[0].ts));
    expect![[r#"
        #releases
          ℹ️ RELEASE: checkout 2.4.1 in production: rolling back
          Was: 8.3 % of requests fail, limit 1 % | Rule: error_rate > 1% over 5m | Previous version: 2.4.0 | Team: payments
          ℹ️ 09:59:00 2.4.1 went out instead of 2.4.0
          ✅ 10:00:25 error_rate is within the limit again
          ✅ 10:00:25 the rollback to 2.4.0 is on its way
          ℹ️ 10:00:25 the watch of checkout 2.4.1 ended
          release rel_1  ·  evidence  ·  runbook  ·  pipeline (ci.example.org)
            ↳ ℹ️ 10:00:25 the watch of checkout 2.4.1 ended"#]].assert_eq(&slack.rendered().join("\n"));
}

#[tokio::test]
async fn a_message_that_cannot_be_updated_is_posted_anew_and_the_thread_goes_on_there() {
    for code in GONE {
        let slack = slack().await;
        let thread = deliver(&slack, &fixture::send("slack")).await.thread.unwrap();
        slack.fail_next([Fault::Error(code)]);
        let second = deliver(&slack, &fixture::progress(fixture::send("slack"), &thread)).await;
        assert_eq!(second.result, DeliveryResult::Delivered, "{code}: {second:?}");
        assert_ne!(second.thread, Some(thread), "{code}");
        assert_eq!(
            slack.messages().iter().filter(|message| message.thread_ts.is_none()).count(),
            2,
            "{code}"
        );
    }
}

const GONE: [&str; 3] = ["message_not_found", "cant_update_message", "edit_window_closed"];

#[tokio::test]
async fn an_alarm_is_a_new_message_that_mentions_somebody_and_progress_changes_it_in_place() {
    let slack = slack().await;
    let mut begun = fixture::notice(NoticeKind::ReleaseProgress, 0, "checkout 2.4.1 is out");
    begun.severity = model::Severity::Info;
    let progress = deliver(&slack, &fixture::send_of("slack", vec![begun])).await.thread.unwrap();
    let alarm = Send { thread: Some(progress.clone()), ..fixture::send("slack") };
    let alarm = deliver(&slack, &alarm).await.thread.unwrap();
    assert_ne!(alarm, progress, "an edit of the old message calls nobody");
    deliver(&slack, &fixture::progress(fixture::send("slack"), &alarm)).await;
    assert_eq!(
        slack.calls(),
        ["chat.postMessage", "chat.postMessage", "chat.update", "chat.update", "chat.postMessage"]
    );
    let messages = slack.messages();
    assert!(!messages[0].text.contains("<!channel>"), "progress mentions nobody: {}", messages[0].text);
    expect![[r#"
        #releases
          ↓ checkout 2.4.1 in production: the story goes on in a newer message
        #releases
          ℹ️ RELEASE: checkout 2.4.1 in production: rolling back
          Was: 8.3 % of requests fail, limit 1 % | Rule: error_rate > 1% over 5m | Previous version: 2.4.0 | Team: payments
          ℹ️ 09:59:00 2.4.1 went out instead of 2.4.0
          ✅ 10:00:25 error_rate is within the limit again
          ✅ 10:00:25 the rollback to 2.4.0 is on its way
          ℹ️ 10:00:25 the watch of checkout 2.4.1 ended
          release rel_1  ·  evidence  ·  runbook  ·  pipeline (ci.example.org)
            ↳ ℹ️ 10:00:25 the watch of checkout 2.4.1 ended"#]].assert_eq(&slack.rendered().join("\n"));
}

#[tokio::test]
async fn an_alarm_mentions_whom_the_receiver_names() {
    for (mention, text) in [("<!here>", "<!here> 🚨"), ("@channel", "<!channel> 🚨"), ("none", "🚨")] {
        let slack = slack().await;
        let mut config = SlackConfig::new(SecretString::from(TOKEN));
        (config.api_url, config.channel) = (slack.api_url(), Some("#a".to_owned()));
        (config.mention, config.notify_owner) = (mention.to_owned(), false);
        of(config).deliver(&fixture::send("slack")).await;
        let message = &slack.messages()[0];
        assert!(message.text.starts_with(text), "{mention}: {}", message.text);
        let is_in_blocks =
            message.blocks.to_string().contains(&text.replace(" 🚨", "").replace('🚨', "FIRING"));
        assert!(is_in_blocks, "Slack mentions by blocks where there are any: {}", message.blocks);
    }
}

#[tokio::test]
async fn the_owners_channel_gets_the_message_beside_the_receivers_with_its_own_mention() {
    let slack = slack().await;
    let mut config = SlackConfig::new(SecretString::from(TOKEN));
    (config.api_url, config.channel) = (slack.api_url(), Some("#releases".to_owned()));
    let receivers = of(config);
    let mut send = fixture::send("slack");
    let owner = send.notices[0].owner.as_mut().unwrap();
    owner.mention = Some("<!subteam^S1>".to_owned());
    // Written without its sign, or the receiver's own: one channel, one message.
    send.notices[1].owner.as_mut().unwrap().slack = Some("releases".to_owned());
    let first = receivers.deliver(&send).await;
    let shown = || {
        let roots = slack.messages().into_iter().filter(|message| message.thread_ts.is_none());
        roots.map(|it| format!("{} {}", it.channel, it.text.split(' ').next().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(shown(), ["#releases <!channel>", "#payments <!subteam^S1>"]);
    assert_eq!(first.recipients.len(), 2, "{first:?}");
    let progress = fixture::progress(send.clone(), &first.thread.unwrap());
    let second = receivers.deliver(&progress).await;
    assert_eq!(second.result, DeliveryResult::Delivered, "{second:?}");
    assert_eq!(shown().len(), 2, "both are changed in place");
    assert_eq!(slack.messages()[0].updates + slack.messages()[1].updates, 2);
}

#[tokio::test]
async fn a_channel_that_is_not_there_keeps_the_message_from_no_other() {
    let slack = slack().await;
    slack.remove_channel("#payments");
    let mut config = SlackConfig::new(SecretString::from(TOKEN));
    (config.api_url, config.channel) = (slack.api_url(), Some("#releases".to_owned()));
    let delivery = of(config).deliver(&fixture::send("slack")).await;
    let states: Vec<String> =
        delivery.recipients.iter().map(|it| format!("{} {}", it.to, it.state.as_str())).collect();
    assert_eq!(
        (delivery.result, states.join(", ")),
        (DeliveryResult::Delivered, "#releases reached, #payments refused".to_owned())
    );
    assert!(delivery.detail.contains("#payments: Slack says channel_not_found"), "{}", delivery.detail);
}

#[tokio::test]
async fn somebody_deleted_the_message() {
    let slack = slack().await;
    let thread = deliver(&slack, &fixture::send("slack")).await.thread.unwrap();
    slack.delete(&slack.messages()[0].ts);
    let second = deliver(&slack, &fixture::progress(fixture::send("slack"), &thread)).await;
    assert_eq!((second.result, slack.messages().len()), (DeliveryResult::Delivered, 1));
}

#[tokio::test]
async fn retries_go_on_where_the_last_attempt_broke_off() {
    let slack = slack().await;
    let thread = deliver(&slack, &fixture::send("slack")).await.thread.unwrap();
    let mut send = fixture::progress(fixture::send("slack"), &thread);
    send.notices.push(fixture::notice(NoticeKind::ReleaseProgress, 30, "checkout 2.4.1 is superseded"));
    send.fresh.push(send.notices.len() - 1);
    let (update, first_reply, second_reply) = (Fault::Pass, Fault::Pass, Fault::Status(502));
    slack.fail_next([update, first_reply, second_reply]);
    let receivers = receivers(&slack.api_url(), TOKEN, Some("#releases"));
    let delivery = receivers.deliver(&send).await;
    assert_eq!((delivery.result, delivery.attempts), (DeliveryResult::Delivered, 2));
    let texts: Vec<String> = slack.messages().iter().skip(1).map(|message| message.text.clone()).collect();
    assert_eq!(texts.len(), 2, "each line once: {texts:?}");
    assert_eq!(slack.messages()[0].updates, 1, "and the message itself is not updated again");
}

#[tokio::test]
async fn an_answer_that_is_lost_shows_the_message_twice_rather_than_never() {
    let slack = slack().await;
    slack.fail_next([Fault::AnswerLost]);
    let delivery = deliver(&slack, &fixture::send("slack")).await;
    assert_eq!((delivery.result, slack.messages().len()), (DeliveryResult::Delivered, 2));
    let last = &slack.messages()[1];
    assert_eq!(
        delivery.thread,
        Some(format!("{}|{}", last.channel_id, last.ts)),
        "the thread goes on at the known one"
    );
}

#[tokio::test]
async fn an_answer_without_what_is_not_needed_is_one_and_the_message_is_posted_once() {
    let slack = slack().await;
    slack.fail_next([Fault::Thin]);
    let first = deliver(&slack, &fixture::send("slack")).await;
    let root = &slack.messages()[0];
    assert_eq!(first.thread, Some(format!("{}|{}", root.channel_id, root.ts)), "{first:?}");
    slack.fail_next([Fault::Thin, Fault::Thin]);
    let second = deliver(&slack, &fixture::progress(fixture::send("slack"), &first.thread.unwrap())).await;
    assert_eq!(second.result, DeliveryResult::Delivered, "{second:?}");
    assert_eq!(slack.calls(), ["chat.postMessage", "chat.update", "chat.postMessage"]);
}

#[tokio::test]
async fn errors_are_retried_final_or_answered_with_plain_text() {
    for (faults, result, attempts, detail, why) in [
        (vec![Fault::Status(503)], DeliveryResult::Delivered, 2, "posted", "trouble passes"),
        (vec![Fault::Error("internal_error")], DeliveryResult::Delivered, 2, "posted", "told with a 200 too"),
        (vec![Fault::RateLimited(0); 2], DeliveryResult::Delivered, 3, "posted", "a rate limit passes"),
        (
            vec![Fault::RateLimited(3600)],
            DeliveryResult::Failed,
            1,
            "gave up after 1 attempts: Slack says 429",
            "an hour is too long",
        ),
        (vec![Fault::Status(404)], DeliveryResult::Failed, 1, "Slack answered 404 Not Found", "wrong URL"),
        (
            vec![Fault::Error("is_archived")],
            DeliveryResult::Failed,
            1,
            "Slack says is_archived",
            "a final answer",
        ),
        (vec![Fault::Error("invalid_blocks")], DeliveryResult::Delivered, 1, "posted", "plain text instead"),
        (
            vec![Fault::Status(500); 3],
            DeliveryResult::Failed,
            3,
            "gave up after 3 attempts: Slack answered 500",
            "enough",
        ),
    ] {
        let slack = slack().await;
        slack.fail_next(faults);
        let delivery = deliver(&slack, &fixture::send("slack")).await;
        assert_eq!((delivery.result, delivery.attempts), (result, attempts), "{why}: {delivery:?}");
        assert!(delivery.detail.starts_with(detail), "{why}: {}", delivery.detail);
    }
}

#[tokio::test]
async fn plain_text_is_shown_where_blocks_are_refused() {
    let slack = slack().await;
    slack.fail_next([Fault::Error("invalid_blocks")]);
    deliver(&slack, &fixture::send("slack")).await;
    let message = &slack.messages()[0];
    assert!(message.blocks.is_null() && message.text.contains("rolling back to 2.4.0"), "{message:?}");
}

#[tokio::test]
async fn without_a_channel_of_its_own_the_owners_gets_it() {
    let slack = slack().await;
    let receivers = receivers(&slack.api_url(), TOKEN, None);
    receivers.deliver(&fixture::send("slack")).await;
    assert_eq!(slack.messages()[0].channel, "#payments");
    let mut nobodys = fixture::send("slack");
    nobodys.notices.iter_mut().for_each(|notice| notice.owner = None);
    let delivery = receivers.deliver(&nobodys).await;
    assert_eq!(delivery.result, DeliveryResult::Failed);
    assert_eq!(delivery.detail, "no channel: neither the receiver nor the owner of the service names one");
}

#[tokio::test]
async fn a_channel_that_is_not_there_and_a_wrong_token_are_told_and_the_token_is_not() {
    let slack = slack().await;
    slack.remove_channel("#releases");
    let gone = deliver(&slack, &fixture::send("slack")).await;
    assert_eq!((gone.result, gone.detail.as_str()), (DeliveryResult::Failed, "Slack says channel_not_found"));
    let wrong = receivers(&slack.api_url(), "xoxb-0ther-s3cr3t", Some("#a"));
    let told = wrong.deliver(&fixture::send("slack")).await;
    assert_eq!((told.result, told.detail.as_str()), (DeliveryResult::Failed, "Slack says invalid_auth"));
    let unreachable = receivers("http://127.0.0.1:1/api", TOKEN, Some("#a"));
    let unreached = unreachable.deliver(&fixture::send("slack")).await;
    assert!(unreached.detail.contains("refused"), "{unreached:?}");
    let metadata = receivers("http://169.254.169.254/api", TOKEN, Some("#a"));
    let denied = metadata.deliver(&fixture::send("slack")).await;
    assert_eq!(denied.attempts, 1, "{denied:?}");
    assert!(denied.detail.contains("metadata"), "{denied:?}");
    for shown in
        [format!("{wrong:?} {told:?}"), format!("{unreachable:?} {unreached:?}"), format!("{denied:?}")]
    {
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}

#[tokio::test]
async fn a_reload_keeps_the_counters_and_takes_receivers_away() {
    let slack = slack().await;
    let before = receivers(&slack.api_url(), TOKEN, Some("#a"));
    let after = before.reconfigure(Config::default()).unwrap();
    let delivery = after.deliver(&fixture::send("slack")).await;
    assert_eq!((delivery.result, delivery.attempts), (DeliveryResult::Failed, 0));
    assert_eq!(delivery.detail, "the receiver \"sre\" has no slack_configs[0] (any more)");
}
